/* Ranks whose memory is limited by a control group: what cannot be had fails that one future, with its size, nobody is
 * killed, and afterwards all goes on. ranks: 2 */
#define TEST_API_MAIN
#include "farm/memory_group.h"
#include "farm/test_api.h"
#include "farm/test_sides.h"

#define MIB ((size_t)1 << 20)
#define LIMIT (2048 * MIB) /* of each rank */

static char group[200];
static long group_pid;

static void leave(void)
{
    if (getpid() == group_pid) leave_group(group);
}

static void add_up(pp_task *task)
{
    size_t bytes;
    const unsigned char *args = pp_task_args(task, &bytes);
    uint64_t *sum = pp_task_result(task, sizeof *sum);
    *sum = 0;
    for (size_t i = 0; i < bytes; i += 4096) *sum += args[i];
}

static void produce(pp_task *task)
{
    size_t bytes = *(const size_t *)pp_task_args(task, NULL);
    unsigned char *result = pp_task_result(task, bytes);
    if (result) memset(result, 7, bytes);
}

static void grow(pp_task *task)
{
    size_t most = *(const size_t *)pp_task_args(task, NULL);
    for (size_t bytes = MIB; bytes <= most; bytes *= 2) {
        unsigned char *result = pp_task_result(task, bytes);
        if (!result) return;
        memset(result + bytes / 2, 7, bytes / 2);
    }
}

static void check_works(void)
{
    unsigned char data[100000];
    uint64_t sum = 0;
    memset(data, 3, sizeof data);
    CHECK_INT(pp_fetch(pp_submit(server, add_up, data, sizeof data), &sum, sizeof sum), PP_OK);
    CHECK_INT(sum, 3 * ((sizeof data + 4095) / 4096));
}

/* A task that asks for so much has it, or fails and says how much it was. */
static int check_had_or_failed(pp_future f, size_t bytes)
{
    char text[32];
    const void *data;
    size_t got = 0;
    int status = pp_result(f, &data, &got);
    snprintf(text, sizeof text, "%zu bytes", bytes);
    if (status == PP_OK) {
        CHECK_INT(got, bytes);
        CHECK(((const char *)data)[0] == 7 && ((const char *)data)[bytes - 1] == 7);
        return 1;
    }
    CHECK_INT(status, PP_ERR_NOMEM);
    CHECK_TEXT(pp_last_error(), text);
    return 0;
}

static void result_beyond_the_limit_fails(void)
{
    size_t bytes = 2 * LIMIT;
    pp_future f = pp_submit(server, produce, &bytes, sizeof bytes);
    CHECK_INT(check_had_or_failed(f, bytes), 0);
    pp_release(f);
    f = pp_submit(server, grow, &bytes, sizeof bytes);
    CHECK_INT(pp_wait(f), PP_OK);
    CHECK_INT(info_of(f).status, PP_ERR_NOMEM);
    pp_release(f);
    check_works();
}

static void argument_beyond_the_limit_is_refused(void)
{
    size_t bytes = LIMIT - 16 * MIB;
    char text[32], *data = malloc(bytes); /* hardly touched */
    snprintf(text, sizeof text, "%zu bytes", bytes);
    for (int i = 0; i < 3; i++) {
        pp_future f = pp_submit(server, add_up, data, bytes);
        CHECK_INT(f.id, 0);
        CHECK_INT(pp_last_error_code(), PP_ERR_NOMEM);
        CHECK_TEXT(pp_last_error(), text);
        if (f.id) pp_cancel(f), pp_release(f);
        check_works();
    }
    free(data);
}

static void results_that_are_kept_fill_it_little_by_little(void)
{
    enum { MOST = 1000 };
    static pp_future f[MOST];
    size_t bytes = 20 * MIB;
    int count = 0;
    do f[count] = pp_submit(server, produce, &bytes, sizeof bytes);
    while (check_had_or_failed(f[count++], bytes) && count < MOST);
    CHECK(count > 20 && count < MOST);
    check_works();
    for (int i = 0; i < count; i++) CHECK_INT(pp_release(f[i]), PP_OK);
    check_works();
}

static void arguments_that_wait_fill_it_little_by_little(void)
{
    enum { MOST = 1000 };
    static pp_future f[MOST], blocker[64];
    size_t bytes = 20 * MIB;
    int count = 0, workers = pp_get_ncpus(server);
    char *data = calloc(1, bytes);
    int file = mkstemp(hold_path);
    CHECK(file >= 0);
    for (int i = 0; i < workers; i++) blocker[i] = pp_submit(server, hold, hold_path, sizeof hold_path);
    while (count < MOST && (f[count] = pp_submit(server, add_up, data, bytes)).id != 0) count++;
    CHECK(count > 20 && count < MOST);
    CHECK_INT(pp_last_error_code(), PP_ERR_NOMEM);
    CHECK_TEXT(pp_last_error(), "20971520 bytes");
    unlink(hold_path);
    close(file);
    for (int i = 0; i < workers; i++) CHECK_INT(pp_fetch(blocker[i], NULL, 0), PP_OK);
    for (int i = 0; i < count; i++) {
        /* Of those that went to another rank, some may not have found a place there. */
        int status = pp_wait(f[i]) == PP_OK ? info_of(f[i]).status : PP_ERR_INTERNAL;
        CHECK(status == PP_OK || status == PP_ERR_NOMEM);
        pp_release(f[i]);
    }
    free(data);
    check_works();
}

static void two_who_take_the_last_at_once_do_not_kill_each_other(void)
{
    for (int i = 0; i < 3; i++) {
        size_t bytes = LIMIT / 10 * (6 + (size_t)i);
        pp_future f[3];
        for (int k = 0; k < 3; k++) f[k] = pp_submit(server, produce, &bytes, sizeof bytes);
        for (int k = 0; k < 3; k++) {
            check_had_or_failed(f[k], bytes);
            CHECK_INT(pp_release(f[k]), PP_OK);
        }
        check_works();
    }
}

static void what_was_given_up_can_be_had_again(void)
{
    size_t bytes = LIMIT / 10 * 7;
    for (int i = 0; i < 3; i++) {
        pp_future f = pp_submit(server, produce, &bytes, sizeof bytes);
        CHECK_INT(check_had_or_failed(f, bytes), 1);
        CHECK_INT(pp_release(f), PP_OK);
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(result_beyond_the_limit_fails),
        TEST(argument_beyond_the_limit_is_refused),
        TEST(results_that_are_kept_fill_it_little_by_little),
        TEST(arguments_that_wait_fill_it_little_by_little),
        TEST(two_who_take_the_last_at_once_do_not_kill_each_other),
        TEST(what_was_given_up_can_be_had_again),
    };
    if (patience(1) > 1 || !make_group(group, sizeof group, LIMIT)) {
        fprintf(stderr, "skipped: needs a control group of its own, and no sanitizer\n");
        return 77;
    }
    CHECK(enter_group(group));
    group_pid = getpid();
    atexit(leave); /* the other rank never comes back from the opening */
    open_or_exit(&argc, &argv, NULL);
    if (memory_available() < 3 * LIMIT) {
        fprintf(stderr, "skipped: needs 6 GiB of memory\n");
        pp_server_close(server);
        return 77;
    }
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
