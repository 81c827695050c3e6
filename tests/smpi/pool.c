#include "smpi/pool.h"
#include "smpi/order.h"

#include "base/clock.h"
#include "base/status.h"

#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#define RANKS_MOST 65536

struct worker {
    int there;
    struct ppi_worker_start start;
    struct ppi_requests *requests;
    struct ppi_answers *answers;
    const struct ppi_job *job; /* that it is at, since began_ns, */
    uint64_t began_ns, due_ns; /* … and until */
};

struct simulated_pool {
    struct ppi_pool pool;
    struct worker worker[PPI_WORKERS_MAX];
    int slots; /* that were ever used */
    struct ppi_pool_report reports[2 * PPI_WORKERS_MAX];
    int first, count;
};

static struct simulated_pool *pools[RANKS_MOST];

static void report(struct simulated_pool *p, enum ppi_pool_event event, int slot)
{
    int last = (p->first + p->count++) % (2 * PPI_WORKERS_MAX);
    p->reports[last] = (struct ppi_pool_report){.event = event, .slot = slot, .pid = 1 + slot};
    atomic_fetch_add(&p->pool.workspace->bell->deaths, 1);
}

static void finish(struct worker *w)
{
    struct order order;
    struct ppi_outcome *outcome = ppi_channel_outcome(w->answers);
    memcpy(&order, w->job->args.bytes_inline, sizeof order);
    uint64_t y = order_result(&order);
    *outcome = (struct ppi_outcome){
        .started_ns = w->began_ns, .finished_ns = w->due_ns, .bytes = sizeof y, .job = (uint32_t)w->job->number};
    memcpy(outcome->result.bytes_inline, &y, sizeof y);
    atomic_store(&w->answers->started_ns, 0);
    ppi_channel_finish(w->answers);
    w->job = NULL;
}

static void begin(struct worker *w, const struct ppi_job *job, uint64_t now_ns)
{
    struct order order;
    memcpy(&order, job->args.bytes_inline, sizeof order);
    w->job = job;
    w->began_ns = now_ns;
    w->due_ns = now_ns + (uint64_t)(order.seconds * 1e9);
    atomic_store(&w->answers->started_ns, now_ns);
}

/* What it has done until now. One that ends a job begins the next at once. */
static void go_on(struct simulated_pool *p, struct worker *w, uint64_t now_ns)
{
    uint64_t free_ns = now_ns;
    for (;;) {
        if (w->job) {
            if (w->due_ns > now_ns) return;
            free_ns = w->due_ns;
            finish(w);
        }
        const struct ppi_job *job = ppi_channel_begin(w->requests, w->answers);
        if (!job) break;
        begin(w, job, free_ns);
    }
    if (!atomic_load(&w->requests->stop)) return;
    w->there = 0;
    report(p, PPI_POOL_ENDED, w->start.slot);
}

static uint64_t all_go_on(void)
{
    int rank = 0;
    uint64_t now = ppi_now_ns(), next = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    struct simulated_pool *p = pools[rank];
    for (int i = 0; p && i < p->slots; i++) {
        struct worker *w = &p->worker[i];
        if (w->there) go_on(p, w, now);
        if (w->job && (next == 0 || w->due_ns < next)) next = w->due_ns;
    }
    return next;
}

static int pool_start(struct ppi_pool *pool, const struct ppi_worker_start *start)
{
    struct simulated_pool *p = (struct simulated_pool *)pool;
    p->worker[start->slot] = (struct worker){.there = 1,
                                             .start = *start,
                                             .requests = &pool->workspace->requests[start->slot],
                                             .answers = (struct ppi_answers *)(void *)start->segment.base};
    if (start->slot >= p->slots) p->slots = start->slot + 1;
    report(p, PPI_POOL_STARTED, start->slot);
    return PP_OK;
}

static void pool_kill(struct ppi_pool *pool, int slot, uint32_t serial)
{
    (void)pool, (void)slot, (void)serial; /* they do nothing to be killed for */
}

static int pool_next(struct ppi_pool *pool, struct ppi_pool_report *out)
{
    struct simulated_pool *p = (struct simulated_pool *)pool;
    if (p->count == 0) return 0;
    *out = p->reports[p->first];
    p->first = (p->first + 1) % (2 * PPI_WORKERS_MAX);
    p->count--;
    return 1;
}

static void pool_close(struct ppi_pool *pool)
{
    int rank = 0;
    (void)pool; /* its memory goes with it */
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    pools[rank] = NULL;
}

static const struct ppi_pool_kind_ops ops = {.start = pool_start, .kill = pool_kill, .next = pool_next, .close = pool_close};

int simulated_pool_open(struct ppi_pool **out, struct ppi_workspace *workspace)
{
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    struct simulated_pool *p = rank < RANKS_MOST ? calloc(1, sizeof *p) : NULL;
    if (!p) return ppi_error(PP_ERR_NOMEM, "no memory for the simulated workers of rank %d", rank);
    p->pool.ops = &ops;
    p->pool.workspace = workspace;
    p->pool.socket = -1;
    pools[rank] = p;
    simulated_workers = all_go_on;
    *out = &p->pool;
    return PP_OK;
}
