/* A task that runs past its time is ended in time, on whatever rank, whatever it does and whatever the program does
 * meanwhile.
 * ranks: 2 4 */
#include "fault/fault.h"

#include <sys/wait.h>

enum { MOST = 64 };

static double late_most; /* how long after its time a task was ended, at most */
static int timed_out, too_late;

static void sleep_long(pp_task *task)
{
    (void)task;
    fault_sleep(60);
}

static void spin_for_ever(pp_task *task)
{
    volatile unsigned n = 0;
    (void)task;
    for (;;) n++;
}

static void stop_itself(pp_task *task)
{
    (void)task;
    raise(SIGSTOP);
    fault_sleep(60);
}

static void ignore_signals(pp_task *task)
{
    sigset_t all;
    (void)task;
    for (int i = 1; i < NSIG; i++) signal(i, SIG_IGN);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    fault_sleep(60);
}

static void wait_for_child(pp_task *task)
{
    (void)task;
    if (system("sleep 60; true") != 0) abort();
}

static void fill_the_pipe(pp_task *task)
{
    (void)task;
    for (;;) puts("a line of which there are too many");
}

static void nap(pp_task *task)
{
    const double *seconds = pp_task_args(task, NULL);
    double *r = pp_task_result(task, sizeof *r);
    if (*seconds > 0) fault_sleep(*seconds);
    *r = *seconds;
}

static pp_future submit_timed(pp_server *server, pp_function function, double seconds, double timeout)
{
    pp_submit_options options = PP_SUBMIT_OPTIONS_INIT;
    options.timeout = timeout;
    pp_future f = pp_submit_with(server, function, &seconds, sizeof seconds, &options);
    CHECK(f.id, "%s", pp_last_error());
    return f;
}

/* It was ended by its time-out, and in time. Releases it. Returns its rank. */
static int check_timed_out(pp_future f, const char *what, double timeout)
{
    char pid[32];
    int status = pp_fetch(f, NULL, 0);
    CHECK(status == PP_ERR_TIMEOUT, "%s: %s: %s", what, pp_strerror(status), pp_last_error());
    pp_task_info info = fault_info(f);
    double took = info.finished - info.started, late = took - timeout;
    CHECK(info.state == PP_FINISHED && info.status == PP_ERR_TIMEOUT && info.attempts == 1, "%s: %d", what, info.status);
    /* A machine that stalls for a moment is no reason to fail: one in twenty may be too late. */
    CHECK(late > -0.001 && late < 2, "%s: ended after %.3f s instead of %.3f s", what, took, timeout);
    timed_out++;
    too_late += late >= fault_patience();
    if (late > late_most) late_most = late;
    snprintf(pid, sizeof pid, "%ld", info.pid);
    CHECK(info.pid > 1 && strstr(info.message, pid) && *info.host && strstr(info.message, info.host),
          "%s: message '%s', pid %ld, host '%s'", what, info.message, info.pid, info.host);
    CHECK(fault_gone(info.pid), "%s: process %ld is still there", what, info.pid);
    pp_release(f);
    return info.rank;
}

static void a_task_is_ended_whatever_it_does(pp_server *server, int workers)
{
    static const struct {
        const char *name;
        pp_function function;
        double timeout;
    } kinds[] = {
        {"sleep", sleep_long, 0.1},
        {"endless loop", spin_for_ever, 0.05},
        {"SIGSTOP", stop_itself, 0.1},
        {"all signals ignored", ignore_signals, 0.1},
        {"a child that sleeps", wait_for_child, 0.1},
        {"endless output", fill_the_pipe, 0.05},
    };
    unsigned ranks = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        pp_future f[MOST], g[20];
        /* Each spins or floods for its time: not more of them at once than there are cores. */
        int n = kinds[i].function == spin_for_ever || kinds[i].function == fill_the_pipe ? 2 : 2 * workers;
        for (int k = 0; k < n && k < MOST; k++) f[k] = submit_timed(server, kinds[i].function, 0, kinds[i].timeout);
        for (int k = 0; k < 20; k++) g[k] = fault_submit_square(server, k);
        fflush(stdout);
        int saved = dup(STDOUT_FILENO), null = -1;
        if (kinds[i].function == fill_the_pipe) {
            FILE *file = fopen("/dev/null", "w");
            if (file) null = dup2(fileno(file), STDOUT_FILENO), fclose(file);
        }
        for (int k = 0; k < n && k < MOST; k++) ranks |= 1u << check_timed_out(f[k], kinds[i].name, kinds[i].timeout);
        for (int k = 0; k < 20; k++) fault_check_square(g[k], k, kinds[i].name);
        fflush(stdout);
        if (null >= 0) dup2(saved, STDOUT_FILENO);
        close(saved);
    }
    if (fault_ranks(server, NULL) > 1) CHECK(ranks & (ranks - 1), "all time-outs were on one rank (mask %x)", ranks);
}

/* What waits behind it is run by others meanwhile. */
static void nobody_waits_for_a_time_out(pp_server *server, int workers)
{
    enum { TASKS = 400 };
    static pp_future g[TASKS];
    if (workers < 2) return;
    pp_future f = submit_timed(server, sleep_long, 0, 1.5);
    for (int i = 0; i < TASKS; i++) g[i] = fault_submit_square(server, i);
    for (int i = 0; i < TASKS; i++) fault_check_square(g[i], i, "a long task");
    CHECK(pp_done(f) == 0, "%d short tasks took longer than the time-out of a long one", TASKS);
    check_timed_out(f, "others do not wait", 1.5);
}

static void the_program_may_compute_meanwhile(pp_server *server, int workers)
{
    pp_future f[MOST];
    double sum = 0;
    int n = workers < MOST ? workers : MOST;
    for (int i = 0; i < n; i++) f[i] = submit_timed(server, sleep_long, 0, 0.2);
    for (double until = fault_now() + 0.8; fault_now() < until;)
        for (int i = 1; i < 10000; i++) sum += 1.0 / i;
    CHECK(sum > 0, "%g", sum);
    for (int i = 0; i < n; i++) {
        /* Not a wait: all of it must have happened already. */
        pp_task_info info = fault_info(f[i]);
        CHECK(info.state == PP_FINISHED && info.status == PP_ERR_TIMEOUT, "task %d: state %d, status %d after 0.8 s", i,
              info.state, info.status);
        check_timed_out(f[i], "the program computes", 0.2);
    }
}

/* Tasks that take about as long as they may: each ends in one way or the other. */
static void tiny_time_outs_lose_nothing(pp_server *server)
{
    enum { TASKS = 300 };
    static pp_future f[TASKS];
    int in_time = 0, late = 0;
    for (int i = 0; i < TASKS; i++) f[i] = submit_timed(server, nap, 0.0005 * (i % 5), 0.001);
    for (int i = 0; i < TASKS; i++) {
        double r = -1;
        int status = pp_wait_for(f[i], 30);
        CHECK(status == PP_OK, "task %d hangs", i);
        if (status != PP_OK) return;
        status = pp_fetch(f[i], &r, sizeof r);
        CHECK(status == PP_OK || status == PP_ERR_TIMEOUT, "task %d: %s", i, pp_last_error());
        CHECK(status != PP_OK || r == 0.0005 * (i % 5), "task %d: result %g", i, r);
        if (status == PP_OK) {
            in_time++;
        } else {
            late++;
            pp_release(f[i]);
        }
    }
    CHECK(in_time > 0 && late > 0, "%d in time, %d not", in_time, late);
}

static void who_is_in_time_is_not_harmed(pp_server *server)
{
    enum { TASKS = 1000 };
    static pp_future f[TASKS];
    for (int i = 0; i < TASKS; i++) f[i] = submit_timed(server, nap, i % 100 ? 0 : 0.05, 2);
    for (int i = 0; i < TASKS; i++) {
        double r = -1;
        CHECK(pp_fetch(f[i], &r, sizeof r) == PP_OK, "task %d: %s", i, pp_last_error());
        CHECK(r == (i % 100 ? 0 : 0.05), "task %d: result %g", i, r);
    }
    /* The time begins when the task does, not when it is submitted. */
    int workers = pp_get_ncpus(server);
    for (int i = 0; i < 4 * workers; i++) f[i] = submit_timed(server, nap, 0.3, 1);
    for (int i = 0; i < 4 * workers; i++) {
        double r;
        CHECK(pp_fetch(f[i], &r, sizeof r) == PP_OK, "task %d of %d: %s", i, 4 * workers, pp_last_error());
    }
}

int main(int argc, char **argv)
{
    pp_server *server = fault_open(&argc, &argv, NULL);
    int workers;
    fault_ranks(server, &workers);
    fault_noise_start();
    a_task_is_ended_whatever_it_does(server, workers);
    nobody_waits_for_a_time_out(server, workers);
    the_program_may_compute_meanwhile(server, workers);
    tiny_time_outs_lose_nothing(server);
    if (!getenv("TEST_SANITIZE") || !*getenv("TEST_SANITIZE")) who_is_in_time_is_not_harmed(server);
    printf("tasks were ended at most %.3f s after their time\n", late_most > 0 ? late_most : 0);
    CHECK(too_late <= timed_out / 20, "%d of %d tasks were ended more than 0.25 s after their time", too_late, timed_out);
    fault_noise_stop();
    return fault_end(server);
}
