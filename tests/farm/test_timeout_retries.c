/* The server's time-out and retries, and what a submission, and the environment, say instead. How precise time-outs are is
 * for test_timeout.c.
 * ranks: 2 4 */
#include "fault/fault.h"

static void sleep_long(pp_task *task)
{
    (void)task;
    fault_sleep(60);
}

static void nap(pp_task *task)
{
    const double *seconds = pp_task_args(task, NULL);
    fault_sleep(*seconds);
}

static void crash(pp_task *task)
{
    (void)task;
    raise(SIGSEGV);
}

static void leave(pp_task *task)
{
    (void)task;
    exit(7);
}

static void fail(pp_task *task)
{
    pp_task_fail(task, pp_task_attempt(task), "attempt %d", pp_task_attempt(task));
}

/* Succeeds from the given try on; before, it crashes, leaves and hangs in turn. */
static void succeed_on(pp_task *task)
{
    const int *on = pp_task_args(task, NULL);
    int attempt = pp_task_attempt(task), *r = pp_task_result(task, sizeof *r);
    *r = attempt;
    if (attempt >= *on) return;
    switch (attempt % 3) {
    case 0: sleep_long(task); break;
    case 1: raise(SIGSEGV); break;
    default: exit(attempt);
    }
}

static pp_future submit(pp_server *server, pp_function function, int argument, int retries, double timeout)
{
    pp_submit_options options = PP_SUBMIT_OPTIONS_INIT;
    options.retries = retries;
    options.timeout = timeout;
    pp_future f = pp_submit_with(server, function, &argument, sizeof argument, &options);
    CHECK(f.id, "%s", pp_last_error());
    return f;
}

static pp_task_info check_end(pp_future f, const char *what, int status, int attempts)
{
    CHECK(pp_wait_for(f, 30) == PP_OK, "%s: does not end", what);
    pp_task_info info = fault_info(f);
    CHECK(info.status == status, "%s: %s: %s", what, pp_strerror(info.status), info.message);
    CHECK(info.attempts == attempts, "%s: %d attempts instead of %d", what, info.attempts, attempts);
    return info;
}

static uint64_t retried(pp_server *server)
{
    pp_stats stats = {.size = sizeof stats};
    CHECK(pp_get_stats(server, &stats) == PP_OK, "%s", pp_last_error());
    return stats.retried;
}

static void a_try_is_counted(pp_server *server)
{
    pp_task_info info;
    uint64_t before = retried(server);
    pp_future f = submit(server, crash, 0, 2, PP_INHERIT), g = fault_submit_square(server, 3);
    info = check_end(f, "crash, 2 retries", PP_ERR_CRASHED, 3);
    CHECK(info.signal == SIGSEGV, "signal %d", info.signal);
    CHECK(retried(server) == before + 2, "%llu retried", (unsigned long long)(retried(server) - before));
    pp_release(f);
    fault_check_square(g, 3, "a task that is tried again");

    f = submit(server, leave, 0, 1, PP_INHERIT);
    info = check_end(f, "exit(7), 1 retry", PP_ERR_CRASHED, 2);
    CHECK(info.code == 7, "code %d", info.code);
    pp_release(f);

    f = submit(server, sleep_long, 0, 2, 0.1);
    double began = fault_now();
    info = check_end(f, "time-out, 2 retries", PP_ERR_TIMEOUT, 3);
    double took = fault_now() - began;
    CHECK(took > 0.29 && took < 3, "three tries of 0.1 s took %.3f s", took);
    CHECK(info.finished - info.started < 2, "the last try took %.3f s", info.finished - info.started);
    pp_release(f);

    f = submit(server, fail, 0, 2, PP_INHERIT);
    info = check_end(f, "pp_task_fail, 2 retries", PP_ERR_TASK, 1);
    CHECK(info.code == 1 && strcmp(info.message, "attempt 1") == 0, "code %d, message '%s'", info.code, info.message);
    pp_release(f);
}

static void a_later_try_may_succeed(pp_server *server)
{
    enum { TASKS = 24 };
    pp_future f[TASKS];
    for (int i = 0; i < TASKS; i++) f[i] = submit(server, succeed_on, 1 + i % 5, 5, 0.3);
    for (int i = 0; i < TASKS; i++) {
        int r = -1;
        check_end(f[i], "a later try", PP_OK, 1 + i % 5);
        CHECK(pp_fetch(f[i], &r, sizeof r) == PP_OK && r == 1 + i % 5, "result %d, %s", r, pp_last_error());
    }
}

static void many_retries_end(pp_server *server)
{
    pp_future f = submit(server, crash, 0, 100, PP_INHERIT);
    check_end(f, "crash, 100 retries", PP_ERR_CRASHED, 101);
    pp_release(f);
}

static void bad_options_are_refused(pp_server *server)
{
    pp_submit_options options = PP_SUBMIT_OPTIONS_INIT;
    options.retries = -2;
    CHECK(pp_submit_with(server, crash, NULL, 0, &options).id == 0 && pp_last_error_code() == PP_ERR_ARG, "retries -2");
    options.retries = 0;
    static const double bad[] = {-2, -0.001, 1.0 / 0.0, 0.0 / 0.0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        options.timeout = bad[i];
        CHECK(pp_submit_with(server, crash, NULL, 0, &options).id == 0 && pp_last_error_code() == PP_ERR_ARG, "timeout %g",
              bad[i]);
    }
}

/* The server was opened with retries = 1 and a time-out of 0.3 s. */
static void the_servers_options_are_inherited(pp_server *server)
{
    double seconds = 0.5;
    pp_future f = pp_submit(server, sleep_long, NULL, 0);
    pp_task_info info = check_end(f, "the server's time-out", PP_ERR_TIMEOUT, 2);
    double took = info.finished - info.started;
    CHECK(took > 0.299 && took < 2, "ended after %.3f s", took);
    pp_release(f);
    f = submit(server, crash, 0, PP_INHERIT, PP_INHERIT);
    check_end(f, "the server's retries", PP_ERR_CRASHED, 2);
    pp_release(f);
    f = submit(server, crash, 0, 0, PP_INHERIT);
    check_end(f, "retries 0", PP_ERR_CRASHED, 1);
    pp_release(f);
    pp_submit_options options = PP_SUBMIT_OPTIONS_INIT;
    options.timeout = 0;
    f = pp_submit_with(server, nap, &seconds, sizeof seconds, &options);
    check_end(f, "timeout 0", PP_OK, 1);
    pp_release(f);
    options.timeout = 5;
    f = pp_submit_with(server, nap, &seconds, sizeof seconds, &options);
    check_end(f, "timeout 5", PP_OK, 1);
    pp_release(f);
}

int main(int argc, char **argv)
{
    pp_options options = PP_OPTIONS_INIT;
    /* The environment wins over the program. */
    options.timeout = 50;
    options.retries = 9;
    setenv("PPMPI_TIMEOUT", "0.3", 1);
    setenv("PPMPI_RETRIES", "1", 1);
    pp_server *server = fault_open(&argc, &argv, &options);
    int ranks = fault_ranks(server, NULL);
    the_servers_options_are_inherited(server);
    a_try_is_counted(server);
    a_later_try_may_succeed(server);
    many_retries_end(server);
    bad_options_are_refused(server);
    int status = fault_end(server);
    if (ranks > 1 || getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMI_SIZE")) return status;

    /* Without a launcher a server can be opened again: now with the program's own options. */
    unsetenv("PPMPI_TIMEOUT");
    unsetenv("PPMPI_RETRIES");
    options.timeout = 0.3;
    options.retries = 1;
    server = fault_open(NULL, NULL, &options);
    the_servers_options_are_inherited(server);
    CHECK(pp_server_close(server) == PP_OK, "%s", pp_last_error());
    static const char *const bad[] = {"-1", "abc", "", "nan", "1s"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        setenv("PPMPI_TIMEOUT", bad[i], 1);
        CHECK(!pp_server_open(NULL, NULL, NULL) && strstr(pp_last_error(), "PPMPI_TIMEOUT"), "PPMPI_TIMEOUT='%s': %s", bad[i],
              pp_last_error());
    }
    return fault_end(NULL);
}
