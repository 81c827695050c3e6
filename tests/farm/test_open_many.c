/* As many workers as a rank can have, nearly: they start, are all killed at once, start again, and end. The agent and the fork
 * server have much to say to each other then, and neither may wait for the other. */
#include "farm/test_futures.h"

#include <sys/resource.h>

enum { WORKERS = 900 };

static void all_of_them_start(void)
{
    CHECK_INT(pp_get_ncpus(server), WORKERS);
    check_farm_works();
}

static void all_of_them_can_be_killed_at_once(void)
{
    static pp_future f[WORKERS];
    for (int i = 0; i < WORKERS; i++) f[i] = submit_pause(100);
    pause_for(1);
    for (int i = 0; i < WORKERS; i++) CHECK_INT(pp_cancel(f[i]), PP_OK);
    CHECK_INT(pp_wait_all(f, WORKERS, 60), PP_OK);
    for (int i = 0; i < WORKERS; i++) {
        CHECK_INT(info_of(f[i]).status, PP_ERR_CANCELLED);
        CHECK_INT(pp_release(f[i]), PP_OK);
    }
    check_farm_works();
}

static void fewer_and_more_at_once(void)
{
    CHECK_INT(pp_set_ncpus(server, 1), PP_OK);
    check_farm_works();
    CHECK_INT(pp_set_ncpus(server, WORKERS), PP_OK);
    CHECK_INT(pp_get_ncpus(server), WORKERS);
    check_farm_works();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(all_of_them_start),
        TEST(all_of_them_can_be_killed_at_once),
        TEST(fewer_and_more_at_once),
    };
    const char *sanitizers = getenv("TEST_SANITIZE");
    struct rlimit files, processes;
    getrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_NPROC, &processes);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if ((sanitizers && *sanitizers) || files.rlim_cur < 4 * WORKERS || processes.rlim_cur < 2 * WORKERS) {
        printf("skipped: so many processes cannot be had here\n");
        return 77;
    }
    pp_options options = PP_OPTIONS_INIT;
    options.workers = WORKERS;
    options.log_level = PP_LOG_ERROR;
    open_or_exit(&argc, &argv, &options);
    return RUN_TESTS(tests);
}
