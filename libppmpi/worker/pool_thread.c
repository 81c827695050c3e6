/* Workers as threads of the rank: for sanitizers, which cannot follow memory between processes. They cannot be killed:
 * one that should be ends after its task. What crashes takes the process along. */
#include "worker/pool.h"
#include "worker/worker.h"

#include "base/futex.h"
#include "base/status.h"

#include <pthread.h>
#include <stdlib.h>

struct thread_worker {
    struct ppi_pool *pool;
    struct ppi_worker_start start;
    pthread_t thread;
    struct ppi_worker worker; /* not on its stack: LeakSanitizer loses the stack of a thread whose id was used before */
    struct thread_worker *next;
};

struct ppi_pool_threads {
    pthread_mutex_t lock; /* guards the reports */
    struct ppi_pool_report *reports;
    size_t count, room;
    struct thread_worker *workers; /* touched by the pool's owner only */
};

static void report(struct ppi_pool *pool, enum ppi_pool_event event, int slot)
{
    struct ppi_pool_threads *t = pool->threads;
    pthread_mutex_lock(&t->lock);
    if (t->count == t->room) {
        size_t room = t->room ? 2 * t->room : 16;
        struct ppi_pool_report *grown = realloc(t->reports, room * sizeof *grown);
        if (!grown) abort(); /* in tests only */
        t->reports = grown;
        t->room = room;
    }
    t->reports[t->count++] = (struct ppi_pool_report){.event = event, .slot = slot};
    pthread_mutex_unlock(&t->lock);
    atomic_fetch_add(&pool->workspace->bell->deaths, 1);
    ppi_doorbell_ring(pool->workspace->bell);
}

static void *body(void *arg)
{
    struct thread_worker *w = arg;
    if (ppi_worker_init(&w->worker, w->pool->workspace, w->start.slot, w->start.number, w->start.segment.base,
                        w->start.segment.bytes, NULL) != PP_OK) {
        report(w->pool, PPI_POOL_FAILED, w->start.slot);
        return NULL;
    }
    report(w->pool, PPI_POOL_STARTED, w->start.slot);
    ppi_worker_run(&w->worker);
    ppi_worker_fini(&w->worker);
    report(w->pool, PPI_POOL_ENDED, w->start.slot);
    return NULL;
}

static int thread_open(struct ppi_pool *pool)
{
    pool->threads = calloc(1, sizeof *pool->threads);
    if (!pool->threads) return ppi_error(PP_ERR_NOMEM, "no memory for the pool of workers");
    pthread_mutex_init(&pool->threads->lock, NULL);
    return PP_OK;
}

static int thread_start(struct ppi_pool *pool, const struct ppi_worker_start *start)
{
    struct thread_worker *w = calloc(1, sizeof *w);
    if (!w) return ppi_error(PP_ERR_NOMEM, "no memory for a worker");
    w->pool = pool;
    w->start = *start;
    int error = pthread_create(&w->thread, NULL, body, w);
    if (error) {
        free(w);
        return ppi_error_errno(PP_ERR_SYSTEM, error, "cannot start a worker thread");
    }
    w->next = pool->threads->workers;
    pool->threads->workers = w;
    return PP_OK;
}

static void tell_to_stop(struct ppi_pool *pool, const struct thread_worker *w)
{
    struct ppi_answers *answers = (struct ppi_answers *)(void *)w->start.segment.base;
    atomic_store(&pool->workspace->requests[w->start.slot].stop, 1);
    if (atomic_exchange(&answers->asleep, 0)) ppi_futex_wake(&answers->asleep, 1);
}

static void thread_kill(struct ppi_pool *pool, int slot, uint32_t serial)
{
    for (struct thread_worker *w = pool->threads->workers; w; w = w->next)
        if (w->start.slot == slot && w->start.serial == serial) tell_to_stop(pool, w);
}

/* The segment of a worker that has ended is gone once the report is out: nobody may touch it then. */
static void forget(struct ppi_pool_threads *t, int slot)
{
    struct thread_worker **at = &t->workers;
    while (*at && (*at)->start.slot != slot) at = &(*at)->next;
    struct thread_worker *w = *at;
    if (!w) return;
    *at = w->next;
    pthread_join(w->thread, NULL);
    free(w);
}

static int thread_next(struct ppi_pool *pool, struct ppi_pool_report *out)
{
    struct ppi_pool_threads *t = pool->threads;
    pthread_mutex_lock(&t->lock);
    int any = t->count > 0;
    if (any) {
        *out = t->reports[0];
        t->count--;
        for (size_t i = 0; i < t->count; i++) t->reports[i] = t->reports[i + 1];
    }
    pthread_mutex_unlock(&t->lock);
    if (any && (out->event == PPI_POOL_ENDED || out->event == PPI_POOL_FAILED)) forget(t, out->slot);
    return any;
}

static void thread_close(struct ppi_pool *pool)
{
    struct ppi_pool_threads *t = pool->threads;
    while (t->workers) {
        struct thread_worker *w = t->workers;
        t->workers = w->next;
        tell_to_stop(pool, w);
        pthread_join(w->thread, NULL);
        free(w);
    }
    pthread_mutex_destroy(&t->lock);
    free(t->reports);
    free(t);
}

const struct ppi_pool_kind_ops ppi_pool_threads = {
    .open = thread_open, .start = thread_start, .kill = thread_kill, .next = thread_next, .close = thread_close};
