/* Workers that are killed from outside, while they run a task, while they have nothing to do, and all the time.
 * ranks: 2 4 */
#include "fault/fault.h"

#include <fcntl.h>

struct where {
    char file[64];
};

/* Says which process it is, then sleeps. */
static void tell_and_sleep(pp_task *task)
{
    const struct where *w = pp_task_args(task, NULL);
    char line[64];
    int fd = open(w->file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int n = snprintf(line, sizeof line, "%ld\n", (long)getpid());
    if (fd < 0 || write(fd, line, (size_t)n) != n) abort();
    close(fd);
    fault_sleep(60);
}

static void nap(pp_task *task)
{
    const double *seconds = pp_task_args(task, NULL);
    fault_sleep(*seconds);
}

/* Reads the pids that `count` tasks have told. */
static int hear(const char *file, long *pids, int count)
{
    double until = fault_now() + 20;
    for (;;) {
        int n = 0;
        FILE *f = fopen(file, "re");
        while (f && n < count && fscanf(f, "%ld\n", &pids[n]) == 1) n++;
        if (f) fclose(f);
        if (n == count) return n;
        if (fault_now() > until) return n;
        fault_sleep(0.001);
    }
}

/* One sleeper on each worker; all are killed. */
static void running_tasks_are_killed(pp_server *server, int workers)
{
    enum { MOST = 64 };
    struct where w;
    long pids[MOST];
    pp_future f[MOST], g[MOST];
    int n = workers < MOST ? workers : MOST;
    snprintf(w.file, sizeof w.file, "/tmp/ppmpi-test-killed-%ld", (long)getpid());
    for (int i = 0; i < n; i++) f[i] = pp_submit(server, tell_and_sleep, &w, sizeof w);
    CHECK(hear(w.file, pids, n) == n, "not all of %d tasks started at once", n);
    unlink(w.file);
    for (int i = 0; i < n; i++) {
        pp_task_info info = fault_info(f[i]);
        int known = 0;
        CHECK(pp_done(f[i]) == 0 && info.state != PP_FINISHED, "task %d has finished: %s", i, info.message);
        if (info.rank != 0) continue; /* of the others it is not known before they end */
        /* A worker that has just been started may tell its pid before the library has heard of it. */
        for (double until = fault_now() + 1; info.pid == 0 && fault_now() < until; info = fault_info(f[i])) fault_sleep(0.01);
        for (int k = 0; k < n; k++) known |= pids[k] == info.pid;
        CHECK(info.state == PP_RUNNING && known, "state %d, pid %ld, which no task has told", info.state, info.pid);
        CHECK(info.started > 0 && info.finished == 0, "started %g, finished %g", info.started, info.finished);
    }
    for (int i = 0; i < n; i++) g[i] = fault_submit_square(server, i);
    for (int i = 0; i < n; i++) CHECK(kill((pid_t)pids[i], SIGKILL) == 0, "kill %ld: %s", pids[i], strerror(errno));
    double began = fault_now();
    for (int i = 0; i < n; i++) fault_check_crash(f[i], "killed from outside", SIGKILL, 0);
    CHECK(fault_now() - began < 2, "it took %.2f s to see that %d workers were killed", fault_now() - began, n);
    for (int i = 0; i < n; i++) fault_check_square(g[i], i, "tasks that are killed");
}

/* Kills the workers of this rank; returns how many. */
static int kill_workers(int signal_number)
{
    struct fault_process p[64];
    int killed = 0, n = fault_children(fault_find_below(getpid(), "ppmpi-fork"), p, 64);
    for (int i = 0; i < n; i++)
        if (strcmp(p[i].name, "ppmpi-worker") == 0) killed += kill((pid_t)p[i].pid, signal_number) == 0;
    return killed;
}

static void idle_workers_are_killed(pp_server *server, int workers)
{
    for (int round = 0; round < 10; round++) {
        pp_future g[40];
        int killed = kill_workers(round % 2 ? SIGTERM : SIGKILL);
        CHECK(killed > 0 || round, "found no idle worker below %ld", (long)getpid());
        if (round % 3 == 0) fault_sleep(0.05); /* at once, or later */
        for (int i = 0; i < 40; i++) g[i] = fault_submit_square(server, i);
        for (int i = 0; i < 40; i++) {
            long r = -1;
            /* One may have begun before the signal came. */
            int status = pp_fetch(g[i], &r, sizeof r);
            CHECK(status == PP_OK || (status == PP_ERR_CRASHED && round % 3), "square of %d: %s", i, pp_last_error());
            CHECK(status != PP_OK || r == (long)i * i, "square of %d is %ld", i, r);
        }
    }
    /* One that died before it did anything is started again only after a while; for that something must be going on. */
    for (double until = fault_now() + 5; pp_get_ncpus(server) < workers && fault_now() < until;) {
        fault_check_square(fault_submit_square(server, 3), 3, "workers killed while idle");
        fault_sleep(0.01);
    }
    CHECK(pp_get_ncpus(server) == workers, "%d workers instead of %d", pp_get_ncpus(server), workers);
    double began = fault_now();
    pp_future g = fault_submit_square(server, 9);
    fault_check_square(g, 9, "workers killed while idle");
    CHECK(fault_now() - began < 2, "a task took %.2f s", fault_now() - began);
}

/* All the time: each task either has run to its end or is one that was killed; none is lost, none hangs. */
static void workers_are_killed_all_the_time(pp_server *server)
{
    enum { TASKS = 300 };
    static pp_future f[TASKS];
    double seconds = 0.002;
    int crashed = 0, killed = 0;
    for (int i = 0; i < TASKS; i++) f[i] = pp_submit(server, nap, &seconds, sizeof seconds);
    for (int i = 0; i < TASKS; i++) {
        if (i % 10 == 5) killed += kill_workers(SIGKILL);
        int status = pp_wait_for(f[i], 20);
        CHECK(status == PP_OK, "task %d: %s", i, status == PP_TIMEOUT ? "not finished after 20 s" : pp_last_error());
        if (status != PP_OK) break;
        pp_task_info info = fault_info(f[i]);
        CHECK(info.status == PP_OK || (info.status == PP_ERR_CRASHED && info.signal == SIGKILL), "task %d: %s", i,
              info.message);
        crashed += info.status != PP_OK;
        pp_release(f[i]);
    }
    CHECK(crashed <= killed, "%d tasks crashed, but only %d workers were killed", crashed, killed);
}

int main(int argc, char **argv)
{
    pp_server *server = fault_open(&argc, &argv, NULL);
    int workers;
    fault_ranks(server, &workers);
    for (int i = 0; i < 3; i++) running_tasks_are_killed(server, workers);
    idle_workers_are_killed(server, workers);
    workers_are_killed_all_the_time(server);
    running_tasks_are_killed(server, workers);
    return fault_end(server);
}
