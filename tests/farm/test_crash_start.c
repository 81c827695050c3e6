/* Workers that cannot start any more, as each new one dies at once: the tasks run on other ranks, or else fail; nothing
 * waits for ever. When the cause is gone, so is the trouble.
 * ranks: 2 4 */
#include "fault/fault.h"

#include <sys/resource.h>

enum { TASKS = 40 };

static void crash(pp_task *task)
{
    (void)task;
    raise(SIGKILL);
}

static void limit_memory(long pid, rlim_t bytes)
{
    struct rlimit limit = {bytes, RLIM_INFINITY};
    CHECK(prlimit((pid_t)pid, RLIMIT_AS, &limit, NULL) == 0, "prlimit: %s", strerror(errno));
}

/* Ends each worker of this rank. */
static int end_workers(long forkserver)
{
    struct fault_process p[64];
    int n = fault_children(forkserver, p, 64);
    for (int i = 0; i < n; i++) kill((pid_t)p[i].pid, SIGKILL);
    return n;
}

static void for_a_while(pp_server *server, long forkserver)
{
    pp_future f[TASKS];
    for (long i = 0; i < 4; i++) f[i] = fault_submit_square(server, i);
    for (int i = 0; i < 4; i++) fault_check_square(f[i], i, "nothing");
    limit_memory(forkserver, 1 << 20);
    CHECK(end_workers(forkserver) > 0, "no workers");
    for (long i = 0; i < TASKS; i++) f[i] = fault_submit_square(server, i);
    fault_sleep(0.5);
    limit_memory(forkserver, RLIM_INFINITY);
    double began = fault_now();
    for (int i = 0; i < TASKS; i++) fault_check_square(f[i], i, "workers that do not start for a while");
    CHECK(fault_now() - began < 3, "it took %.2f s more", fault_now() - began);
}

static void for_ever(pp_server *server, long forkserver, int ranks)
{
    pp_future f[TASKS];
    double began = fault_now();
    limit_memory(forkserver, 1 << 20);
    CHECK(end_workers(forkserver) > 0, "no workers");
    for (int i = 0; i < 2; i++) f[i] = pp_submit(server, crash, NULL, 0); /* begun or not: they end */
    for (long i = 2; i < TASKS; i++) f[i] = fault_submit_square(server, i);
    for (int i = 0; i < TASKS; i++) {
        int status = pp_wait_for(f[i], 30);
        CHECK(status == PP_OK, "task %d hangs", i);
        if (status != PP_OK) break;
        pp_task_info info = fault_info(f[i]);
        if (i < 2 || ranks > 1)
            CHECK(i < 2 || info.status == PP_OK, "task %d: %s", i, info.message);
        else
            CHECK(info.status == PP_ERR_SYSTEM && *info.message, "task %d: %d: '%s'", i, info.status, info.message);
        pp_release(f[i]);
    }
    CHECK(fault_now() - began < 15, "it took %.2f s", fault_now() - began);
}

int main(int argc, char **argv)
{
    const char *sanitizers = getenv("TEST_SANITIZE");
    pp_server *server = fault_open(&argc, &argv, NULL);
    if (sanitizers && *sanitizers) {
        printf("skipped: a sanitizer ends a process whose address space is limited\n");
        return fault_end(server) ? 1 : 77;
    }
    int ranks = fault_ranks(server, NULL);
    long forkserver = fault_find_below(getpid(), "ppmpi-fork");
    CHECK(forkserver > 0, "no fork server below %ld", (long)getpid());
    if (forkserver > 0) {
        for_a_while(server, forkserver);
        for_ever(server, forkserver, ranks);
    }
    double began = fault_now();
    int status = fault_end(server);
    CHECK(fault_now() - began < 5, "closing took %.2f s", fault_now() - began);
    return status || fault_failures;
}
