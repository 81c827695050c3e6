/* The shortest tasks stay with a worker that is awake, until it is held up. ranks: 2 4 */
#include "farm/test_futures.h"

static void nothing(pp_task *task)
{
    (void)task;
}

/* So many that their mean is known, one after another and all at once. */
static void run_short_ones(void)
{
    pp_future f[1000];
    for (int i = 0; i < 1000; i++) CHECK_INT(pp_fetch(pp_submit(server, nothing, NULL, 0), NULL, 0), PP_OK);
    for (int i = 0; i < 1000; i++) f[i] = pp_submit(server, nothing, NULL, 0);
    for (int i = 0; i < 1000; i++) CHECK_INT(pp_fetch(f[i], NULL, 0), PP_OK);
}

/* Whatever went to the worker of a long task before it was known to be long is done elsewhere meanwhile. */
static void none_waits_behind_a_long_one(void)
{
    if (pp_get_ncpus(server) < 2) return;
    for (int round = 0; round < 20; round++) {
        pp_future f[300];
        run_short_ones();
        pp_future slow = submit_pause(60);
        for (int i = 0; i < 300; i++) f[i] = pp_submit(server, nothing, NULL, 0);
        CHECK_INT(pp_wait_all(f, 300, 30), PP_OK);
        CHECK_INT(pp_done(slow), 0);
        CHECK_INT(pp_cancel(slow), PP_OK);
        CHECK_INT(pp_release(slow), PP_OK);
        for (int i = 0; i < 300; i++) CHECK_INT(pp_fetch(f[i], NULL, 0), PP_OK);
    }
}

/* Those that wait for company when a program submits without pause go out, too, when it then does something else. */
static void the_last_of_many_run_while_the_program_computes(void)
{
    for (int round = 0; round < 20; round++) {
        pp_future f[1003];
        run_short_ones();
        for (int i = 0; i < 1003; i++) f[i] = pp_submit(server, nothing, NULL, 0);
        double until = seconds_now() + 20;
        pp_stats stats = stats_now();
        /* Only the statistics are asked for, which moves nothing. */
        while (stats.queued + stats.running > 0 && seconds_now() < until) pause_for(0.001), stats = stats_now();
        CHECK_INT((long)(stats.queued + stats.running), 0);
        for (int i = 0; i < 1003; i++) CHECK_INT(pp_fetch(f[i], NULL, 0), PP_OK);
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(none_waits_behind_a_long_one),
        TEST(the_last_of_many_run_while_the_program_computes),
    };
    open_or_exit(&argc, &argv, NULL);
    return RUN_TESTS(tests);
}
