/* The process that makes the workers is killed, and the workers with it: nothing hangs, every future has an outcome, other
 * ranks go on.
 * ranks: 2 4 */
#include "fault/fault.h"

#include <fcntl.h>

enum { TASKS = 60 };

/* Says who made this worker, then sleeps. */
static void tell_parent_and_sleep(pp_task *task)
{
    const char *file = pp_task_args(task, NULL);
    char line[64];
    int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int n = snprintf(line, sizeof line, "%ld %ld\n", (long)getppid(), (long)getpid());
    if (fd < 0 || write(fd, line, (size_t)n) != n) abort();
    close(fd);
    fault_sleep(60);
}

static void nap_and_square(pp_task *task)
{
    fault_sleep(0.01);
    fault_square(task);
}

/* Fills in the fork server and the worker of each of the sleepers. */
static int hear(const char *file, long *forkservers, long *pids, int count)
{
    double until = fault_now() + 20;
    for (;;) {
        int n = 0;
        FILE *f = fopen(file, "re");
        while (f && n < count && fscanf(f, "%ld %ld\n", &forkservers[n], &pids[n]) == 2) n++;
        if (f) fclose(f);
        if (n == count || fault_now() > until) return n;
        fault_sleep(0.001);
    }
}

static void check_outcome(pp_future f, long n, int others)
{
    long r = -1;
    int status = pp_wait_for(f, 20);
    CHECK(status == PP_OK, "task %ld: %s", n, status == PP_TIMEOUT ? "hangs" : pp_last_error());
    if (status != PP_OK) return;
    status = pp_fetch(f, &r, sizeof r);
    if (others)
        CHECK(status == PP_OK && r == n * n, "task %ld, which never began there, was not run elsewhere: %s: %s", n,
              pp_strerror(status), pp_last_error());
    else
        CHECK(status == PP_ERR_LOST && *pp_last_error(), "task %ld: %s: %s", n, pp_strerror(status), pp_last_error());
}

int main(int argc, char **argv)
{
    char file[64];
    enum { MOST = 64 };
    long forkservers[MOST], pids[MOST];
    pp_future sleepers[MOST], tasks[TASKS];
    pp_server *server = fault_open(&argc, &argv, NULL);
    int workers, ranks = fault_ranks(server, &workers), lost = 0;
    snprintf(file, sizeof file, "/tmp/ppmpi-test-forkserver-%ld", (long)getpid());
    if (workers > MOST) workers = MOST;
    for (int i = 0; i < workers; i++) sleepers[i] = pp_submit(server, tell_parent_and_sleep, file, strlen(file) + 1);
    CHECK(hear(file, forkservers, pids, workers) == workers, "not all of %d tasks started at once", workers);
    unlink(file);

    /* Of the last rank that one has told of: rank 0's in a plain run. The others work on, and are freed below. */
    long own = fault_find_below(getpid(), "ppmpi-fork"), victim = own;
    for (int i = 0; i < workers; i++)
        if (forkservers[i] != own) victim = forkservers[i];
    CHECK(ranks == 1 || victim != own, "no fork server of another rank");
    for (long i = 0; i < TASKS; i++) tasks[i] = pp_submit(server, nap_and_square, &i, sizeof i);
    fault_sleep(0.02); /* some are waiting in the channels by now */
    CHECK(kill((pid_t)victim, SIGKILL) == 0, "kill %ld: %s", victim, strerror(errno));
    if (ranks == 1) pp_set_ncpus(server, workers + 1); /* before anybody knows; it need not fail */
    for (int i = 0; i < workers; i++) {
        if (forkservers[i] != victim) {
            kill((pid_t)pids[i], SIGKILL);
            continue;
        }
        lost++;
        CHECK(fault_gone_within(pids[i], 2), "worker %ld outlived its fork server", pids[i]);
    }
    for (int i = 0; i < workers; i++) {
        int status = pp_wait_for(sleepers[i], 20);
        CHECK(status == PP_OK, "sleeper %d: %s", i, status == PP_TIMEOUT ? "hangs" : pp_last_error());
        if (status != PP_OK) continue;
        pp_task_info info = fault_info(sleepers[i]);
        int dead = 0;
        for (int k = 0; k < workers; k++) dead |= forkservers[k] == victim && pids[k] == info.pid;
        CHECK(info.status == (dead ? PP_ERR_LOST : PP_ERR_CRASHED), "sleeper %d: %d: %s", i, info.status, info.message);
        CHECK(*info.message, "sleeper %d: no message", i);
        pp_release(sleepers[i]);
    }
    for (long i = 0; i < TASKS; i++) check_outcome(tasks[i], i, ranks > 1);
    CHECK(pp_get_ncpus(server) == workers - lost, "%d workers instead of %d - %d", pp_get_ncpus(server), workers, lost);

    /* And what is submitted from now on, at once and one by one. */
    double began = fault_now();
    for (long i = 0; i < TASKS; i++) tasks[i] = pp_submit(server, nap_and_square, &i, sizeof i);
    for (long i = 0; i < TASKS; i++) check_outcome(tasks[i], i, ranks > 1);
    for (long i = 0; i < 5; i++) check_outcome(pp_submit(server, nap_and_square, &i, sizeof i), i, ranks > 1);
    CHECK(fault_now() - began < 5, "it took %.2f s", fault_now() - began);

    /* Another number of workers changes nothing where none can be had; elsewhere it is others that have them. */
    for (int n = 3; n >= 0; n--) {
        int status = pp_set_ncpus(server, n);
        CHECK(status == (ranks > 1 ? PP_OK : PP_ERR_SYSTEM) && (ranks == 1 || n == 0 || pp_get_ncpus(server) == n),
              "pp_set_ncpus(%d): %d, %d workers: %s", n, status, pp_get_ncpus(server), pp_last_error());
        for (long i = 0; i < 10; i++) check_outcome(pp_submit(server, nap_and_square, &i, sizeof i), i, ranks > 1);
    }

    began = fault_now();
    int status = fault_end(server);
    CHECK(fault_now() - began < 5, "closing took %.2f s", fault_now() - began);
    return status || fault_failures;
}
