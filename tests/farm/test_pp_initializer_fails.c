/* An initializer that fails, on several ranks: every task fails with its message, soon. ranks: 2 4 */
#include "farm/test_futures.h"

static void initialize(pp_task *task)
{
    pp_task_fail(task, 77, "no table");
}

static void every_task_fails(void)
{
    enum { N = 400 };
    pp_future f[N];
    double began = seconds_now();
    for (int i = 0; i < N; i++) f[i] = submit_value(i);
    for (int i = 0; i < N; i++) {
        CHECK_ERROR(pp_fetch(f[i], NULL, 0), PP_ERR_TASK, "no table");
        CHECK_INT(pp_release(f[i]), PP_OK);
    }
    CHECK(seconds_now() - began < patience(3));
    pp_stats s = stats_now();
    CHECK_INT(s.failed, N);
    CHECK_INT(s.running + s.queued, 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {TEST(every_task_fails)};
    pp_options options = PP_OPTIONS_INIT;
    options.initializer = initialize;
    open_or_exit(&argc, &argv, &options);
    run_tests(tests, 1);
    return failures ? 1 : 0;
}
