/* A task that signals its process group ends itself and the processes that it has started, and nobody else; a signal to the
 * program's group does not reach tasks.
 * ranks: 2 4 */
#include "fault/fault.h"

enum { BESIDE = 8, ROUNDS = 3 };

static void kill_group(pp_task *task)
{
    const int *signal_number = pp_task_args(task, NULL);
    fault_sleep(0.002); /* so that copies of it come to different workers */
    kill(0, *signal_number);
    pause();
}

static void run_script(pp_task *task)
{
    int status = system(pp_task_args(task, NULL));
    pp_task_fail(task, status, "the script ended by itself");
}

/* Among tasks that go well, which are so short that the workers are always in each other's way. */
static void dies_alone(pp_server *server, const char *name, pp_function function, const void *args, size_t bytes, int signal_number)
{
    pp_future before[BESIDE], victims[2], after[BESIDE];
    for (int i = 0; i < BESIDE; i++) before[i] = fault_submit_square(server, i);
    for (int i = 0; i < 2; i++) victims[i] = pp_submit(server, function, args, bytes);
    for (int i = 0; i < BESIDE; i++) after[i] = fault_submit_square(server, 100 + i);
    for (int i = 0; i < BESIDE; i++) fault_check_square(after[i], 100 + i, name);
    for (int i = 0; i < BESIDE; i++) fault_check_square(before[i], i, name);
    for (int i = 0; i < 2; i++) fault_check_crash(victims[i], name, signal_number, 0);
}

static void report_group(pp_task *task)
{
    long *r = pp_task_result(task, 2 * sizeof *r);
    r[0] = getpid();
    r[1] = getpgrp();
}

static void a_worker_has_a_group_of_its_own(pp_server *server)
{
    long ids[2] = {0};
    pp_future f = pp_submit(server, report_group, NULL, 0);
    CHECK(pp_fetch(f, ids, sizeof ids) == PP_OK && ids[0] == ids[1], "process %ld is in group %ld: %s", ids[0], ids[1],
          pp_last_error());
}

static volatile sig_atomic_t heard;

static void hear(int signal_number)
{
    (void)signal_number;
    heard++;
}

static void nap(pp_task *task)
{
    fault_sleep(0.2);
    *(int *)pp_task_result(task, sizeof(int)) = 5;
}

/* Signals that the program handles, and tasks do not. */
static void tasks_do_not_hear_the_group(pp_server *server, int workers)
{
    static const int signals[] = {SIGTERM, SIGHUP, SIGUSR2, SIGINT, SIGUSR1};
    enum { MOST = 64, KINDS = sizeof signals / sizeof signals[0] };
    pp_future f[MOST];
    int n = workers < MOST ? workers : MOST;
    for (int i = 0; i < KINDS; i++) signal(signals[i], hear);
    for (int i = 0; i < n; i++) f[i] = pp_submit(server, nap, NULL, 0);
    fault_sleep(0.05);
    for (int i = 0; i < KINDS; i++) CHECK(kill(0, signals[i]) == 0, "%s", strerror(errno));
    for (int i = 0; i < n; i++) {
        int r = 0;
        CHECK(pp_fetch(f[i], &r, sizeof r) == PP_OK && r == 5, "task %d: %s", i, pp_last_error());
    }
    CHECK(heard == KINDS, "the program heard %d of %d signals", (int)heard, (int)KINDS);
    for (int i = 0; i < KINDS; i++) signal(signals[i], SIG_DFL);
}

int main(int argc, char **argv)
{
    static const int signals[] = {SIGKILL, SIGTERM, SIGHUP, SIGINT, SIGUSR1};
    static const char *const scripts[] = {"kill -9 0", "sleep 100 & kill -9 0", "kill -9 $PPID; sleep 100"};
    if (getenv("OMPI_COMM_WORLD_RANK") == NULL && getenv("PMI_RANK") == NULL) setpgid(0, 0); /* the runner is not meant */
    pp_server *server = fault_open(&argc, &argv, NULL);
    int workers;
    fault_ranks(server, &workers);
    for (int i = 0; i < 5; i++) a_worker_has_a_group_of_its_own(server);
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
            dies_alone(server, "a signal to the group", kill_group, &signals[i], sizeof signals[i], signals[i]);
        for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
            dies_alone(server, scripts[i], run_script, scripts[i], strlen(scripts[i]) + 1, SIGKILL);
    }
    tasks_do_not_hear_the_group(server, workers);
    CHECK(pp_get_ncpus(server) == workers, "%d workers instead of %d", pp_get_ncpus(server), workers);
    return fault_end(server);
}
