/* Options of the program and of the environment: what is wrong is refused with field, value and what is allowed; what
 * is right has its effect. Plain runs only: under a launcher a server opens once. */
#define TEST_API_MAIN
#include "farm/test_output.h"

#include <math.h>
#include <sched.h>

static void refused(const pp_options *options, const char *field, const char *value)
{
    server = pp_server_open(NULL, NULL, options);
    CHECK(server == NULL);
    if (server) {
        fprintf(complaints, "%s %s\n", field, value);
        pp_server_close(server);
        server = NULL;
        return;
    }
    CHECK_INT(pp_last_error_code(), PP_ERR_ARG);
    CHECK_TEXT(pp_last_error(), field);
    CHECK_TEXT(pp_last_error(), value);
    CHECK_TEXT(pp_last_error(), "allowed");
}

static void options_of_the_program(void)
{
    const double none = NAN, endless = INFINITY;
    pp_options o;
#define REFUSED(field, value, text)                                                                            \
    o = (pp_options)PP_OPTIONS_INIT;                                                                           \
    o.field = value;                                                                                           \
    refused(&o, "options." #field " is", text);
    REFUSED(workers, -1, "-1")
    REFUSED(workers, -2147483647 - 1, "-2147483648")
    REFUSED(workers, 1000000, "1000000")
    REFUSED(cores_per_worker, 0, "0")
    REFUSED(cores_per_worker, -4, "-4")
    REFUSED(timeout, -1, "-1")
    REFUSED(timeout, none, "nan")
    REFUSED(timeout, endless, "inf")
    REFUSED(retries, -1, "-1")
    REFUSED(retries, 1000000, "1000000")
    REFUSED(restart, -1, "-1")
    REFUSED(isolation, 2, "2")
    REFUSED(isolation, -1, "-1")
    REFUSED(mpi, 7, "7")
    REFUSED(heartbeat, 0, "0")
    REFUSED(heartbeat, -3, "-3")
    REFUSED(heartbeat, none, "nan")
    REFUSED(stats, 2, "2")
    REFUSED(progress, -1, "-1")
    REFUSED(signal_stats, 3, "3")
    REFUSED(log_level, 4, "4")
    REFUSED(log_level, -1, "-1")
#undef REFUSED
}

static void a_struct_of_no_size_is_refused(void)
{
    static const size_t sizes[] = {0, 1, 8, 100000, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        pp_options o = PP_OPTIONS_INIT;
        char text[32];
        o.size = sizes[i];
        snprintf(text, sizeof text, "%zu", sizes[i]);
        CHECK(pp_server_open(NULL, NULL, &o) == NULL);
        CHECK_INT(pp_last_error_code(), PP_ERR_ARG);
        CHECK_TEXT(pp_last_error(), text);
        CHECK_TEXT(pp_last_error(), "PP_OPTIONS_INIT");
    }
    pp_options o = PP_OPTIONS_INIT;
    o.initializer_bytes = 55;
    CHECK(pp_server_open(NULL, NULL, &o) == NULL);
    CHECK_INT(pp_last_error_code(), PP_ERR_ARG);
    CHECK_TEXT(pp_last_error(), "55");
}

static void malformed_variables(void)
{
    static const char *const whole[] = {"WORKERS", "CORES_PER_WORKER", "RETRIES", "RESTART", "STATS", "PROGRESS",
                                        "SIGNAL_STATS"};
    static const char *const not_whole[] = {"",   "abc", "4x", "1.5", "0x", "--1", "-1", "99999999999",
                                            "99999999999999999999999", "1e3", "nan", "four", "2 3"};
    static const char *const real[] = {"TIMEOUT", "HEARTBEAT"};
    static const char *const not_real[] = {"", "abc", "-1", "nan", "NaN", "-nan", "inf", "1e400", "-inf", "1.5s", "1,5", "1 2"};
    static const char *const named[] = {"ISOLATION", "MPI", "LOG_LEVEL"};
    static const char *const not_named[] = {"", "0", "1", "Process", "both", "process ", "warn"};
    static const char *const not_size[] = {"", "abc", "-1", "1.5", "99999999999999999999999", "10k"};
    static const char *const size[] = {"QUEUE_LIMIT"};
    static const struct {
        const char *const *names, *const *values;
        size_t name_count, value_count;
    } groups[] = {
#define COUNT(array) (sizeof array / sizeof array[0])
        {whole, not_whole, COUNT(whole), COUNT(not_whole)},
        {real, not_real, COUNT(real), COUNT(not_real)},
        {named, not_named, COUNT(named), COUNT(not_named)},
        {size, not_size, COUNT(size), COUNT(not_size)},
    };
    for (size_t g = 0; g < COUNT(groups); g++)
        for (size_t n = 0; n < groups[g].name_count; n++)
            for (size_t v = 0; v < groups[g].value_count; v++) {
                char variable[64], value[64];
                snprintf(variable, sizeof variable, "PPMPI_%s", groups[g].names[n]);
                snprintf(value, sizeof value, "\"%s\"", groups[g].values[v]);
                setenv(variable, groups[g].values[v], 1);
                refused(NULL, variable, value);
                unsetenv(variable);
            }
}

/* ---- what is right */

struct self {
    long pid;
    int attempt, threads, cpus;
};

static void tell(pp_task *task)
{
    struct self *self = pp_task_result(task, sizeof *self);
    const char *threads = getenv("OMP_NUM_THREADS");
    cpu_set_t set;
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof set, &set);
    *self = (struct self){(long)getpid(), pp_task_attempt(task), threads ? atoi(threads) : 0, CPU_COUNT(&set)};
}

static void sleep_long(pp_task *task)
{
    (void)task;
    pause_for(20);
}

static void crash(pp_task *task)
{
    (void)task;
    abort();
}

static struct self ask(void)
{
    struct self self = {0, 0, 0, 0};
    CHECK_INT(pp_fetch(pp_submit(server, tell, NULL, 0), &self, sizeof self), PP_OK);
    return self;
}

static void open_with(const char *variable, const char *value, const pp_options *options)
{
    if (variable) setenv(variable, value, 1);
    open_or_exit(NULL, NULL, options);
    if (variable) unsetenv(variable);
}

static void close_it(void)
{
    CHECK_INT(pp_server_close(server), PP_OK);
    server = NULL;
}

static void variables_win_over_the_program(void)
{
    pp_options o = PP_OPTIONS_INIT;
    o.workers = 1;
    open_with(NULL, NULL, &o);
    CHECK_INT(pp_get_ncpus(server), 1);
    close_it();
    open_with("PPMPI_WORKERS", "3", &o);
    CHECK_INT(pp_get_ncpus(server), 3);
    close_it();
    o.workers = -5; /* what the variable replaces is not looked at */
    open_with("PPMPI_WORKERS", "2", &o);
    CHECK_INT(pp_get_ncpus(server), 2);
    close_it();
    int cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    open_with("PPMPI_WORKERS", "0", &(pp_options)PP_OPTIONS_INIT);
    CHECK(pp_get_ncpus(server) >= 1 && pp_get_ncpus(server) <= cores);
    close_it();
}

static void many_workers(void)
{
    open_with("PPMPI_WORKERS", "40", NULL);
    CHECK_INT(pp_get_ncpus(server), 40);
    pp_future f[200];
    for (int i = 0; i < 200; i++) f[i] = pp_submit(server, tell, NULL, 0);
    CHECK_INT(pp_wait_all(f, 200, -1), PP_OK);
    close_it();
}

static void timeout_and_retries(void)
{
    pp_options o = PP_OPTIONS_INIT;
    o.timeout = 0.1;
    o.retries = 2;
    double start = seconds_now();
    open_with(NULL, NULL, &o);
    pp_future f = pp_submit(server, sleep_long, NULL, 0), g = pp_submit(server, crash, NULL, 0);
    pp_task_info info = {.size = sizeof info};
    CHECK_ERROR(pp_fetch(f, NULL, 0), PP_ERR_TIMEOUT, "0.1 s");
    CHECK(seconds_now() - start >= 0.3 && seconds_now() - start < patience(3));
    CHECK_INT(pp_info(f, &info), PP_OK);
    CHECK_INT(info.attempts, 3);
    CHECK_INT(pp_fetch(g, NULL, 0), PP_ERR_CRASHED);
    CHECK_INT(pp_info(g, &info), PP_OK);
    CHECK_INT(info.attempts, 3);
    pp_submit_options s = PP_SUBMIT_OPTIONS_INIT;
    s.retries = 0;
    s.timeout = 0.02;
    f = pp_submit_with(server, sleep_long, NULL, 0, &s);
    CHECK_ERROR(pp_fetch(f, NULL, 0), PP_ERR_TIMEOUT, "0.02 s");
    CHECK_INT(pp_info(f, &info), PP_OK);
    CHECK_INT(info.attempts, 1);
    close_it();
    open_with("PPMPI_RETRIES", "1", &o);
    g = pp_submit(server, crash, NULL, 0);
    CHECK_INT(pp_wait(g), PP_OK);
    CHECK_INT(pp_info(g, &info), PP_OK);
    CHECK_INT(info.attempts, 2);
    close_it();
    open_with("PPMPI_TIMEOUT", "0.05", NULL);
    CHECK_INT(pp_fetch(pp_submit(server, sleep_long, NULL, 0), NULL, 0), PP_ERR_TIMEOUT);
    close_it();
}

static void no_time_is_too_long_or_too_short(void)
{
    static const char *const times[] = {"1e300", "1e18", "9e9", "1e10", "4e9"};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        open_with("PPMPI_TIMEOUT", times[i], NULL);
        CHECK_INT(ask().attempt, 1);
        close_it();
    }
    open_with("PPMPI_TIMEOUT", "1e-12", NULL); /* short, but there */
    CHECK_INT(pp_fetch(pp_submit(server, sleep_long, NULL, 0), NULL, 0), PP_ERR_TIMEOUT);
    close_it();
}

static void restart_gives_every_task_a_fresh_process(void)
{
    long before = 0;
    open_with("PPMPI_RESTART", "1", NULL);
    for (int i = 0; i < 20; i++) {
        long pid = ask().pid;
        CHECK(pid != before);
        before = pid;
    }
    close_it();
}

static void cores_per_worker(void)
{
    int cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    pp_options o = PP_OPTIONS_INIT;
    o.cores_per_worker = 2;
    o.log_level = PP_LOG_ERROR;
    open_with(NULL, NULL, &o);
    int workers = pp_get_ncpus(server);
    struct self self = ask();
    CHECK(workers >= 1 && workers <= (cores + 1) / 2);
    CHECK_INT(self.threads, 2);
    if (cores >= 2 && workers * 2 <= cores) CHECK(self.cpus >= 2);
    close_it();
}

static void stats_prints_the_table_at_the_close(void)
{
    new_output(0, NULL);
    open_with("PPMPI_STATS", "1", NULL);
    for (int i = 0; i < 5; i++) ask();
    close_it();
    const char *text = new_output(0, NULL);
    CHECK_TEXT(text, "job count");
    CHECK_TEXT(text, "5 submitted, 5 done");
    open_with("PPMPI_STATS", "0", NULL);
    close_it();
    CHECK_OUTPUT(0, "");
}

/* An open that failed leaves nothing behind: the next one works. */
static void after_a_refusal_it_opens(void)
{
    pp_options o = PP_OPTIONS_INIT;
    o.retries = -1;
    for (int i = 0; i < 3; i++) {
        refused(&o, "options.retries", "-1");
        open_with(NULL, NULL, NULL);
        ask();
        close_it();
    }
}

int main(void)
{
    static const struct test tests[] = {
        TEST(options_of_the_program),
        TEST(a_struct_of_no_size_is_refused),
        TEST(malformed_variables),
        TEST(variables_win_over_the_program),
        TEST(many_workers),
        TEST(timeout_and_retries),
        TEST(no_time_is_too_long_or_too_short),
        TEST(restart_gives_every_task_a_fresh_process),
        TEST(cores_per_worker),
        TEST(stats_prints_the_table_at_the_close),
        TEST(after_a_refusal_it_opens),
    };
    catch_output();
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
