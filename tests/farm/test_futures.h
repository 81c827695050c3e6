/* What the tests of futures share beside test_api.h: one task that does what it is told, and tells what it did. */
#ifndef TEST_FUTURES_H
#define TEST_FUTURES_H

#define TEST_API_MAIN
#include "farm/test_api.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

enum how { FINE, FAILS, ABORTS, LEAVES };

struct job {
    long value;
    double seconds;
    int how;
    int until; /* from this try on it is fine; 0 = never */
    long mark; /* append the value to the file of this process, 0 = no */
};

/* The result of a job that is fine. */
struct report {
    long square;
    int attempt, worker;
    long pid;
    double begun, ended;
};

static inline void mark_path(long mark, char path[64])
{
    snprintf(path, 64, "/tmp/ppmpi-test-%ld", mark);
}

static inline void do_job(pp_task *task)
{
    const struct job *j = pp_task_args(task, NULL);
    double begun = seconds_now();
    if (j->mark) {
        char path[64];
        mark_path(j->mark, path);
        int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (write(fd, &j->value, sizeof j->value) != sizeof j->value) pp_task_fail(task, 99, "no mark");
        close(fd);
    }
    pause_for(j->seconds);
    if (!j->until || pp_task_attempt(task) < j->until) {
        if (j->how == FAILS) pp_task_fail(task, (int)j->value, "failure %ld", j->value);
        if (j->how == ABORTS) abort();
        if (j->how == LEAVES) exit((int)j->value);
    }
    struct report *r = pp_task_result(task, sizeof *r);
    *r = (struct report){j->value * j->value, pp_task_attempt(task), pp_task_worker(task), (long)getpid(), begun, seconds_now()};
}

static inline pp_future submit_job(struct job j, const pp_submit_options *options)
{
    pp_future f = pp_submit_with(server, do_job, &j, sizeof j, options);
    CHECK(f.id != 0);
    return f;
}

static inline pp_future submit_value(long value)
{
    return submit_job((struct job){.value = value}, NULL);
}

static inline pp_future submit_pause(double seconds)
{
    return submit_job((struct job){.value = 1, .seconds = seconds}, NULL);
}

/* Fetches a job that must have been fine. */
static inline struct report fetch_job(pp_future f, long value)
{
    struct report r = {0};
    CHECK_INT(pp_fetch(f, &r, sizeof r), PP_OK);
    CHECK_INT(r.square, value * value);
    return r;
}

static inline pp_task_info info_of(pp_future f)
{
    pp_task_info i = {.size = sizeof i};
    CHECK_INT(pp_info(f, &i), PP_OK);
    return i;
}

static inline pp_stats stats_now(void)
{
    pp_stats s = {.size = sizeof s};
    CHECK_INT(pp_get_stats(server, &s), PP_OK);
    return s;
}

/* Until pp_info says so; 0 when it does not within reason. */
static inline int wait_for_state(pp_future f, int state)
{
    double until = seconds_now() + 20;
    while (seconds_now() < until) {
        if (info_of(f).state == state) return 1;
        pause_for(0.001);
    }
    return 0;
}

/* Every worker has something to do for so long, and holds no more than that is known of: the next task stays queued. */
static inline int occupy(pp_future *f, int most, double seconds)
{
    int n = 4 * pp_get_ncpus(server);
    if (n > most) n = most;
    for (int i = 0; i < n; i++) f[i] = submit_pause(seconds);
    return n;
}

static inline void fetch_pauses(const pp_future *f, int n)
{
    for (int i = 0; i < n; i++) fetch_job(f[i], 1);
}

/* What every test ends with: the farm works. */
static inline void check_farm_works(void)
{
    pp_future f[40];
    for (int i = 0; i < 40; i++) f[i] = submit_value(i);
    for (int i = 0; i < 40; i++) fetch_job(f[i], i);
}

static inline int launched(void)
{
    return getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMI_SIZE");
}

#define RUN_TESTS(tests) run_tests(tests, sizeof tests / sizeof tests[0])

#endif
