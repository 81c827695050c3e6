/* Every way in which a task can end its process is the end of its own future and of nothing else.
 * ranks: 2 4 */
#include "fault/fault.h"

#include <sys/resource.h>

enum { BESIDE = 12, COPIES = 3 };

static volatile int zero, endless = 1;

static void pause_a_little(void)
{
    fault_sleep(0.002); /* so that copies of a task come to different workers */
}

/* The hardware is to notice, not a sanitizer. */
__attribute__((no_sanitize("undefined"))) static void die_segv(pp_task *task)
{
    volatile int *volatile nowhere = NULL;
    (void)task;
    pause_a_little();
    *nowhere = 1;
}

__attribute__((no_sanitize("undefined"))) static void die_fpe(pp_task *task)
{
    (void)task;
    pause_a_little();
    zero = 1 / zero;
    raise(SIGFPE); /* on processors that divide by zero without a word */
}

static void die_abort(pp_task *task)
{
    (void)task;
    pause_a_little();
    abort();
}

static void die_killed(pp_task *task)
{
    (void)task;
    pause_a_little();
    kill(getpid(), SIGKILL);
    pause();
}

static void die_terminated(pp_task *task)
{
    (void)task;
    pause_a_little();
    raise(SIGTERM);
    pause();
}

/* Signals that are the program's when they come from a terminal or a launcher. */
static void die_interrupted(pp_task *task)
{
    (void)task;
    pause_a_little();
    raise(SIGINT);
    fault_sleep(60);
}

static void die_usr1(pp_task *task)
{
    (void)task;
    pause_a_little();
    kill(getpid(), SIGUSR1);
    fault_sleep(60);
}

static void die_bus(pp_task *task)
{
    (void)task;
    pause_a_little();
    raise(SIGBUS);
}

static void leave_exit_0(pp_task *task)
{
    (void)task;
    pause_a_little();
    exit(0);
}

static void leave_exit_3(pp_task *task)
{
    (void)task;
    pause_a_little();
    exit(3);
}

static void leave__exit_5(pp_task *task)
{
    (void)task;
    pause_a_little();
    _exit(5);
}

static void leave_with_result(pp_task *task)
{
    long *r = pp_task_result(task, sizeof *r);
    *r = 1;
    pause_a_little();
    exit(9);
}

static int recurse(volatile char *above)
{
    volatile char here[4096];
    here[0] = above ? (char)(above[0] + 1) : 1;
    return endless ? recurse(here) + here[0] : 0; /* not a tail call */
}

static void overflow_the_stack(pp_task *task)
{
    struct rlimit limit = {1 << 20, 1 << 20}; /* where it is unlimited this would take a while */
    (void)task;
    setrlimit(RLIMIT_STACK, &limit);
    zero = recurse(NULL);
}

/* An exit handler of the program must not run in a worker. */
static char handler_file[64];
static pid_t program;

static void exit_handler(void)
{
    FILE *file = getpid() == program ? NULL : fopen(handler_file, "a");
    if (!file) return;
    fprintf(file, "%ld\n", (long)getpid());
    fclose(file);
}

static const struct death {
    const char *name;
    pp_function function;
    int signal, code;
} deaths[] = {
    {"SIGSEGV", die_segv, SIGSEGV, 0},
    {"SIGFPE", die_fpe, SIGFPE, 0},
    {"abort", die_abort, SIGABRT, 0},
    {"SIGKILL of itself", die_killed, SIGKILL, 0},
    {"SIGTERM of itself", die_terminated, SIGTERM, 0},
    {"SIGINT of itself", die_interrupted, SIGINT, 0},
    {"SIGUSR1 of itself", die_usr1, SIGUSR1, 0},
    {"SIGBUS", die_bus, SIGBUS, 0},
    {"exit(0)", leave_exit_0, 0, 0},
    {"exit(3)", leave_exit_3, 0, 3},
    {"_exit(5)", leave__exit_5, 0, 5},
    {"exit(9) with a result", leave_with_result, 0, 9},
    {"stack overflow", overflow_the_stack, SIGSEGV, 0},
};

static unsigned ranks_seen;

/* Copies of it among other tasks: they fail, the others do not. */
static void dies_alone(pp_server *server, const struct death *death)
{
    pp_future before[BESIDE], victims[COPIES], after[BESIDE];
    for (int i = 0; i < BESIDE; i++) before[i] = fault_submit_square(server, i);
    for (int i = 0; i < COPIES; i++) victims[i] = pp_submit(server, death->function, NULL, 0);
    for (int i = 0; i < BESIDE; i++) after[i] = fault_submit_square(server, 1000 + i);
    for (int i = 0; i < BESIDE; i++) fault_check_square(after[i], 1000 + i, death->name);
    for (int i = 0; i < COPIES; i++)
        ranks_seen |= 1u << fault_check_crash(victims[i], death->name, death->signal, death->code);
    for (int i = 0; i < BESIDE; i++) fault_check_square(before[i], i, death->name);
}

/* As many at once as there are workers, and more: all are replaced. */
static void all_workers_die_at_once(pp_server *server, int workers)
{
    enum { MOST = 64 };
    pp_future f[MOST];
    int n = 3 * workers < MOST ? 3 * workers : MOST;
    for (int i = 0; i < n; i++) f[i] = pp_submit(server, die_segv, NULL, 0);
    CHECK(pp_wait_all(f, (size_t)n, 60) == PP_OK, "%s", pp_last_error());
    for (int i = 0; i < n; i++) fault_check_crash(f[i], "all at once", SIGSEGV, 0);
    for (int i = 0; i < n; i++) f[i] = fault_submit_square(server, i);
    for (int i = 0; i < n; i++) fault_check_square(f[i], i, "all at once");
    CHECK(pp_get_ncpus(server) == workers, "%d workers instead of %d", pp_get_ncpus(server), workers);
}

int main(int argc, char **argv)
{
    program = getpid();
    snprintf(handler_file, sizeof handler_file, "/tmp/ppmpi-test-handler-%ld", (long)program);
    atexit(exit_handler);
    pp_server *server = fault_open(&argc, &argv, NULL);
    int workers, ranks = fault_ranks(server, &workers);
    size_t n = sizeof deaths / sizeof deaths[0];
    for (size_t i = 0; i < n; i++) dies_alone(server, &deaths[i]);
    if (ranks > 1) CHECK(ranks_seen & (ranks_seen - 1), "all tasks that died ran on one rank (mask %x)", ranks_seen);
    all_workers_die_at_once(server, workers);

    pp_stats stats = {.size = sizeof stats};
    CHECK(pp_get_stats(server, &stats) == PP_OK, "%s", pp_last_error());
    uint64_t all_at_once = 3 * (uint64_t)workers;
    CHECK(stats.failed == n * COPIES + all_at_once, "%llu failed", (unsigned long long)stats.failed);
    CHECK(stats.done == n * 2 * BESIDE + all_at_once, "%llu done", (unsigned long long)stats.done);
    CHECK(stats.running == 0 && stats.queued == 0 && stats.cancelled == 0 && stats.retried == 0,
          "%llu running, %llu queued", (unsigned long long)stats.running, (unsigned long long)stats.queued);
    int status = fault_end(server);
    CHECK(unlink(handler_file) != 0, "an exit handler of the program ran in a worker");
    return status || fault_failures;
}
