/* Functions of plug-ins that nobody but rank 0 has: they run on every worker.
 * ranks: 2 4
 * nodes: 2/1 4/2 */
#define TEST_API_MAIN
#include "farm/plugin_tests.h"

#include <signal.h>

static void die(pp_task *task)
{
    (void)task;
    raise(SIGKILL);
}

static void workers_that_come_later_have_it_too(void)
{
    build("later", 110, "", 111, "");
    void *handle = open_plugin("later");
    hide("later");
    if (shell("rm -rf '%s.later'", folder) != 0) exit(1);
    /* Its file has no name any more. */
    pp_future f = pp_submit(server, body_of(handle), NULL, 0);
    if (!f.id) { /* and cannot be read */
        CHECK_INT(pp_last_error_code(), PP_ERR_MODULE);
        return;
    }
    CHECK_INT(pp_release(f), PP_OK);
    runs_everywhere(body_of(handle), 110, 111);
    for (int i = 0; i < 2 * pp_get_ncpus(server); i++) { /* every worker once, as likely as not */
        pp_future dead = pp_submit(server, die, NULL, 0);
        CHECK_INT(pp_wait(dead), PP_OK);
        CHECK_INT(pp_release(dead), PP_OK);
    }
    runs_everywhere(body_of(handle), 110, 111);
}

static const struct test tests[] = {PLUGIN_TESTS, TEST(workers_that_come_later_have_it_too)};

int main(int argc, char **argv)
{
    return run_with_plugins(argc, argv, NULL, tests, sizeof tests / sizeof *tests);
}
