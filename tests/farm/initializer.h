/* A program whose initializer, `initialize`, cannot do its work: every task fails with STATUS and TEXT, soon. */
static void every_task_fails(void)
{
    enum { N = 400 };
    pp_future f[N];
    double began = seconds_now();
    for (int i = 0; i < N; i++) f[i] = submit_value(i);
    pp_task_info info = {.size = sizeof info};
    CHECK_INT(pp_wait(f[0]), PP_OK);
    CHECK_INT(pp_info(f[0], &info), PP_OK);
    CHECK(STATUS == PP_ERR_TASK ? info.code == 77 : info.signal > 0 && info.pid > 0);
    for (int i = 0; i < N; i++) {
        CHECK_ERROR(pp_fetch(f[i], NULL, 0), STATUS, TEXT);
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
#ifdef TIMEOUT
    options.timeout = TIMEOUT;
#endif
    open_or_exit(&argc, &argv, &options);
    run_tests(tests, 1);
    return failures ? 1 : 0;
}
