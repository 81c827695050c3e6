/* One of four ranks dies, or hangs, under a launcher that lets the others live: its tasks go to others, each future has one
 * outcome. Usage: fault_lost kill|stop|wake|cause|rank0; ends with status 0 when all was as it should be. */
#include "fault/fault.h"

#include <signal.h>
#include <sys/wait.h>

#define TASKS 600

static void square(pp_task *task)
{
    const long *n = pp_task_args(task, NULL);
    usleep(10000);
    *(long *)pp_task_result(task, sizeof(long)) = *n * *n;
}

static void large(pp_task *task)
{
    size_t bytes;
    const void *args = pp_task_args(task, &bytes);
    usleep(5000);
    void *to = pp_task_result(task, bytes);
    if (to) memcpy(to, args, bytes);
}

static long parent_of(long pid)
{
    struct fault_process process;
    return fault_look(pid, &process) ? process.parent : 0;
}

/* worker → fork server → stub → rank */
static long my_rank(void)
{
    return parent_of(parent_of((long)getppid()));
}

static void tell_rank(pp_task *task)
{
    usleep(20000);
    *(long *)pp_task_result(task, sizeof(long)) = my_rank();
}

static void kill_my_rank(pp_task *task)
{
    (void)task;
    usleep(100000); /* so that the server knows that it runs */
    if (my_rank() == *(const long *)pp_task_args(task, NULL)) raise(SIGSEGV); /* on rank 0, which is not to end: it is tried elsewhere */
    kill((pid_t)my_rank(), SIGKILL);
    usleep(5000000);
}

/* The pid of rank 2. */
static long find_victim(pp_server *server)
{
    long victim = 0;
    for (int round = 0; round < 50 && !victim; round++) {
        pp_future f[16];
        for (int i = 0; i < 16; i++) f[i] = pp_submit(server, tell_rank, NULL, 0);
        for (int i = 0; i < 16; i++) {
            long pid = 0;
            pp_wait(f[i]);
            int rank = fault_info(f[i]).rank;
            CHECK(pp_fetch(f[i], &pid, sizeof pid) == PP_OK, "%s", pp_last_error());
            if (rank == 2) victim = pid;
        }
    }
    CHECK(victim, "no task ran on rank 2");
    return victim;
}

static void others_take_over(pp_server *server, int signal_number, int wakes)
{
    static char data[300000], back[300000];
    pp_future f[TASKS], g[40];
    long victim = find_victim(server);
    for (long i = 0; i < TASKS; i++) f[i] = pp_submit(server, square, &i, sizeof i);
    for (int i = 0; i < 40; i++) {
        memset(data, i, sizeof data);
        g[i] = pp_submit(server, large, data, sizeof data);
    }
    fault_sleep(0.2);
    if (victim) kill((pid_t)victim, signal_number);
    for (long i = 0; i < TASKS; i++) {
        long r = -1;
        CHECK(pp_fetch(f[i], &r, sizeof r) == PP_OK && r == i * i, "task %ld: %ld, %s", i, r, pp_last_error());
    }
    for (int i = 0; i < 40; i++) {
        memset(data, i, sizeof data);
        CHECK(pp_fetch(g[i], back, sizeof back) == PP_OK && memcmp(data, back, sizeof back) == 0, "large %d: %s", i, pp_last_error());
    }
    pp_node node;
    CHECK(pp_get_active_nodes(server, &node, 1) == 1 && node.ranks == 3, "%d ranks on the node", node.ranks);
    CHECK(pp_get_ncpus(server) == node.workers, "%d workers, %d on the node", pp_get_ncpus(server), node.workers);
    pp_stats s = {.size = sizeof s};
    CHECK(pp_get_stats(server, &s) == PP_OK && s.done == s.submitted && s.failed == 0 && s.running + s.queued == 0,
          "%lu done of %lu", (unsigned long)s.done, (unsigned long)s.submitted);
    if (signal_number != SIGSTOP || !victim) return;
    if (!wakes) {
        kill((pid_t)victim, SIGKILL); /* nobody else ends it */
        return;
    }
    /* It learns that it is lost, and leaves alone. */
    kill((pid_t)victim, SIGCONT);
    CHECK(fault_gone_within(victim, 3), "rank 2 runs on though it is lost");
    fault_sleep(1);
    for (long i = 0; i < 100; i++) fault_check_square(fault_submit_square(server, i), i, "a rank that left");
}

/* A task that takes its rank along, wherever it runs, ends as lost and does not take all ranks: of six two are left. */
static void the_cause_is_given_up(pp_server *server)
{
    long own = (long)getpid();
    int before = pp_get_ncpus(server);
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    o.retries = 50;
    pp_future f = pp_submit_with(server, kill_my_rank, &own, sizeof own, &o);
    int status = pp_wait_for(f, 60);
    CHECK(status == PP_OK, "status %d", status);
    pp_task_info info = fault_info(f);
    CHECK(info.status == PP_ERR_LOST, "status %d: %s", info.status, info.message);
    pp_node node;
    CHECK(pp_get_active_nodes(server, &node, 1) == 1 && node.ranks == 2, "%d ranks on the node", node.ranks);
    CHECK(pp_get_ncpus(server) == before - 4, "%d workers of %d", pp_get_ncpus(server), before);
    long n = 5, r = 0;
    CHECK(pp_fetch(pp_submit(server, square, &n, sizeof n), &r, sizeof r) == PP_OK && r == 25, "%s", pp_last_error());
}

int main(int argc, char **argv)
{
    pp_options options = PP_OPTIONS_INIT;
    options.heartbeat = 2;
    pp_server *server = fault_open(&argc, &argv, &options);
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "kill") == 0) others_take_over(server, SIGKILL, 0);
    if (strcmp(what, "stop") == 0) others_take_over(server, SIGSTOP, 0);
    if (strcmp(what, "wake") == 0) others_take_over(server, SIGSTOP, 1);
    if (strcmp(what, "cause") == 0) the_cause_is_given_up(server);
    if (strcmp(what, "rank0") == 0) kill(getpid(), SIGKILL);
    CHECK(pp_server_close(server) == PP_OK, "%s", pp_last_error());
    printf("%s: %s\n", what, fault_failures ? "failed" : "as it should be");
    return fault_failures ? 1 : 0;
}
