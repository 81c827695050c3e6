/* What the programs share that measure the library through its public functions. */
#ifndef BENCH_FARM_H
#define BENCH_FARM_H

#include "bench.h"
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <ppmpi.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline void die(const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, pp_last_error());
    exit(1);
}

static inline void wrong(const char *what)
{
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
    exit(1);
}

/* Touched, so that its pages count neither as time nor as growth. */
static inline void *new_array(size_t n, size_t size)
{
    void *p = calloc(n, size);

    if (!p) wrong("out of memory");
    memset(p, 1, n * size);
    return p;
}

/* Writes to more memory than so many tasks can use, and gives it back: in a virtual machine the host finds memory for a page when the
 * guest first uses it, and takes it away seconds after it was given back. That costs more than a task, and is no matter of any
 * program's. What is then new to the process is still to be cleared by the system. */
static inline void find_memory(size_t tasks)
{
    size_t bytes = tasks * 256, page = (size_t)sysconf(_SC_PAGESIZE), most = (size_t)sysconf(_SC_AVPHYS_PAGES) * page / 4;

    if (bytes > most) bytes = most;
    char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return;
    madvise(p, bytes, MADV_HUGEPAGE); /* those are what is hard to find */
    for (size_t at = 0; at < bytes; at += page) p[at] = 1;
    munmap(p, bytes);
}

static inline void reply(pp_task *task, uint64_t value)
{
    uint64_t *result = pp_task_result(task, sizeof *result);

    if (result) *result = value;
}

static inline void order_task(pp_task *task)
{
    reply(task, carry_out(*(const uint64_t *)pp_task_args(task, NULL)));
}

static inline void submit_all(pp_server *server, size_t tasks, uint64_t turns, pp_future *futures)
{
    for (size_t i = 0; i < tasks; i++) {
        uint64_t args = order(i, turns);

        futures[i] = pp_submit(server, order_task, &args, sizeof args);
        if (futures[i].id == 0) die("pp_submit");
    }
}

static inline void fetch_all(size_t tasks, uint64_t turns, const pp_future *futures)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < tasks; i++) {
        uint64_t value;

        if (pp_fetch(futures[i], &value, sizeof value) != PP_OK) die("pp_fetch");
        sum += value;
    }
    if (sum != sum_of_results(tasks, turns)) wrong("wrong results");
}

/* Submits all, then fetches all. Returns the seconds it took. */
static inline double run_all(pp_server *server, size_t tasks, uint64_t turns, pp_future *futures)
{
    double start = now_s();

    submit_all(server, tasks, turns, futures);
    fetch_all(tasks, turns, futures);
    return now_s() - start;
}

static inline void warm_up(pp_server *server)
{
    pp_future futures[2000];

    run_all(server, 2000, 0, futures);
}

/* ---- Workers that are held, so that all that is submitted behind stays queued: in a plain run ---- */

struct hold {
    _Atomic uint32_t *word; /* in memory that the workers share: 0 = stay */
    pp_future *blockers;
    int n;
};

/* Before the server is opened, so that the workers have this memory too. */
static inline struct hold new_hold(void)
{
    struct hold hold = {.word =
                            mmap(NULL, sizeof *hold.word, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)};

    if (hold.word == MAP_FAILED) wrong("out of memory");
    return hold;
}

static inline void stay_held(_Atomic uint32_t *word)
{
    while (atomic_load(word) == 0)
        syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static inline void blocker(pp_task *task)
{
    stay_held(*(_Atomic uint32_t *const *)pp_task_args(task, NULL));
}

/* Returns when every worker is held. */
static inline void hold_workers(pp_server *server, struct hold *hold)
{
    int running = 0;
    pp_node node;

    if (pp_get_active_nodes(server, &node, 1) != 1 || node.ranks != 1) wrong("this is measured with one rank");
    hold->n = pp_get_ncpus(server);
    hold->blockers = new_array((size_t)hold->n, sizeof *hold->blockers);
    for (int w = 0; w < hold->n; w++)
        hold->blockers[w] = pp_submit(server, blocker, &hold->word, sizeof hold->word);
    for (int i = 0; i < 500 && running < hold->n; i++) {
        sleep_s(0.01);
        running = 0;
        for (int w = 0; w < hold->n; w++) {
            pp_task_info info = {.size = sizeof info};

            if (pp_info(hold->blockers[w], &info) != PP_OK) die("pp_info");
            running += info.state == PP_RUNNING;
        }
    }
    if (running != hold->n) wrong("the workers cannot be held");
}

static inline void release_workers(struct hold *hold)
{
    atomic_store(hold->word, 1);
    syscall(SYS_futex, hold->word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static inline void end_hold(struct hold *hold)
{
    for (int w = 0; w < hold->n; w++)
        if (pp_fetch(hold->blockers[w], NULL, 0) != PP_OK) die("a blocker");
    free(hold->blockers);
    munmap((void *)hold->word, sizeof *hold->word);
}

/* ---- Workers of rank 0 that are held, so that tasks go to other ranks: rank 0's own are given tasks first ---- */

struct own_hold {
    struct hold hold;
    long pid; /* of this rank, which its workers know too */
    pp_future blockers[64];
    size_t n;
};

static inline struct own_hold *own_hold(void)
{
    static struct own_hold own;

    return &own;
}

/* In all ranks, before the server is opened. */
static inline void prepare_own_hold(void)
{
    own_hold()->hold = new_hold();
    own_hold()->pid = (long)getpid();
}

static inline void own_blocker(pp_task *task)
{
    if (*(const long *)pp_task_args(task, NULL) == own_hold()->pid) stay_held(own_hold()->hold.word); /* else at another rank */
}

/* Returns when one after the other of these tasks has run elsewhere. */
static inline void hold_own_workers(pp_server *server)
{
    struct own_hold *own = own_hold();

    for (int elsewhere = 0; elsewhere < 20 && own->n < 64;) {
        pp_future f = pp_submit(server, own_blocker, &own->pid, sizeof own->pid);

        if (pp_wait_for(f, 0.2) == PP_TIMEOUT)
            own->blockers[own->n++] = f;
        else if (pp_fetch(f, NULL, 0) == PP_OK)
            elsewhere++;
        else
            die("a blocker");
    }
}

static inline void release_own_workers(void)
{
    struct own_hold *own = own_hold();

    release_workers(&own->hold);
    for (size_t i = 0; i < own->n; i++)
        if (pp_fetch(own->blockers[i], NULL, 0) != PP_OK) die("a blocker");
}

/* Opens the farm for a benchmark. */
static inline pp_server *open_farm(int *argc, char ***argv)
{
    pp_server *server = pp_server_open(argc, argv, NULL);

    if (!server) die("pp_server_open");
    return server;
}

static inline int close_farm(pp_server *server)
{
    return pp_server_close(server) == PP_OK ? 0 : 1;
}

#endif
