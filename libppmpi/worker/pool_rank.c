/* The rank itself as the one worker: jobs run in the thread that drives the agent, and see the rank's memory. They cannot be
 * ended from outside, and what crashes takes the rank along. */
#include "worker/pool.h"
#include "worker/worker.h"

#include "base/log.h"
#include "base/status.h"
#include "base/units.h"

#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <unistd.h>

#define REPORTS 2 /* one that it has started, one that it has ended */

struct ppi_pool_rank {
    struct ppi_worker worker;
    int started, initialized;
    int (*meanwhile)(void *ctx);
    void *meanwhile_ctx;
    struct ppi_pool_report reports[REPORTS];
    int count;
};

static void report(struct ppi_pool *pool, enum ppi_pool_event event)
{
    struct ppi_pool_rank *r = pool->rank;
    if (r->count < REPORTS) r->reports[r->count++] = (struct ppi_pool_report){.event = event, .pid = getpid()};
    atomic_fetch_add(&pool->workspace->bell->deaths, 1);
}

static int rank_open(struct ppi_pool *pool)
{
    pool->rank = calloc(1, sizeof *pool->rank);
    return pool->rank ? PP_OK : ppi_error(PP_ERR_NOMEM, "no memory for the pool of workers");
}

void ppi_pool_set_meanwhile(struct ppi_pool *pool, int (*meanwhile)(void *ctx), void *ctx)
{
    pool->rank->meanwhile = meanwhile;
    pool->rank->meanwhile_ctx = ctx;
}

static int rank_start(struct ppi_pool *pool, const struct ppi_worker_start *start)
{
    struct ppi_pool_rank *r = pool->rank;
    if (r->started || start->slot != 0)
        return ppi_error(PP_ERR_UNSUPPORTED, "with PP_ISOLATE_NONE a rank runs one task at a time; worker %d cannot be started",
                         start->number);
    int status = ppi_worker_init(&r->worker, pool->workspace, start->slot, start->number, start->segment.base,
                                 start->segment.bytes, NULL);
    if (status != PP_OK) return status;
    r->worker.pid = getpid();
    r->worker.meanwhile = r->meanwhile;
    r->worker.meanwhile_ctx = r->meanwhile_ctx;
    r->started = 1;
    r->initialized = 0;
    report(pool, PPI_POOL_STARTED);
    return PP_OK;
}

static void rank_kill(struct ppi_pool *pool, int slot, uint32_t serial)
{
    (void)pool, (void)slot, (void)serial; /* it would be the rank */
}

static int rank_next(struct ppi_pool *pool, struct ppi_pool_report *out)
{
    struct ppi_pool_rank *r = pool->rank;
    if (r->count == 0) return 0;
    *out = r->reports[0];
    r->reports[0] = r->reports[--r->count];
    return 1;
}

/* So that what a task prints comes before its outcome. Of C's files only these: another may be locked by a thread that waits
 * for input. */
static void flush_standard_streams(void)
{
    if (__fpending(stdout)) fflush(stdout);
    if (__fpending(stderr)) fflush(stderr);
    ppi_units_flush();
}

static int rank_work(struct ppi_pool *pool)
{
    struct ppi_pool_rank *r = pool->rank;
    if (!r->started) return 0;
    if (atomic_load(&r->worker.requests->stop)) {
        ppi_worker_fini(&r->worker);
        r->started = 0;
        report(pool, PPI_POOL_ENDED);
        return 1;
    }
    if (!r->initialized) ppi_worker_initialize(&r->worker);
    r->initialized = 1;
    int ran = ppi_worker_step(&r->worker, flush_standard_streams);
    if (ran < 0) {
        ppi_log(PP_LOG_ERROR, "a task wrote over the library's memory: the rank ends");
        abort(); /* as it would have crashed in any other program */
    }
    return ran;
}

static void rank_close(struct ppi_pool *pool)
{
    if (pool->rank->started) ppi_worker_fini(&pool->rank->worker);
    free(pool->rank);
}

const struct ppi_pool_kind_ops ppi_pool_rank = {.open = rank_open, .start = rank_start, .kill = rank_kill, .next = rank_next, .work = rank_work, .close = rank_close};
