#include "worker/pool.h"
#include "worker/hold.h"

#include "base/status.h"

#include <stdlib.h>

int ppi_pool_open(struct ppi_pool **out, enum ppi_pool_kind kind, struct ppi_workspace *workspace)
{
    struct ppi_pool *pool = calloc(1, sizeof *pool);
    if (!pool) return ppi_error(PP_ERR_NOMEM, "no memory for the pool of workers");
    pool->ops = kind == PPI_POOL_THREADS ? &ppi_pool_threads
                : kind == PPI_POOL_RANK  ? &ppi_pool_rank
                                         : &ppi_pool_processes;
    pool->workspace = workspace;
    pool->socket = -1;
    int status = pool->ops->open(pool);
    if (status != PP_OK) {
        free(pool);
        return status;
    }
    *out = pool;
    return PP_OK;
}

int ppi_pool_map_shared(struct ppi_pool *pool, int fd)
{
    return pool->ops->map_shared ? pool->ops->map_shared(pool, fd) : PP_OK;
}

int ppi_pool_map_server(struct ppi_pool *pool, int fd)
{
    return pool->ops->map_server ? pool->ops->map_server(pool, fd) : PP_OK;
}

int ppi_pool_start(struct ppi_pool *pool, const struct ppi_worker_start *start)
{
    return pool->ops->start(pool, start);
}

void ppi_pool_kill(struct ppi_pool *pool, int slot, uint32_t serial)
{
    pool->ops->kill(pool, slot, serial);
}

int ppi_pool_next(struct ppi_pool *pool, struct ppi_pool_report *report)
{
    return pool->ops->next(pool, report);
}

int ppi_pool_is_rank(const struct ppi_pool *pool)
{
    return pool && pool->ops->work != NULL;
}

int ppi_pool_work(struct ppi_pool *pool)
{
    return ppi_pool_is_rank(pool) ? pool->ops->work(pool) : 0;
}

void ppi_pool_close(struct ppi_pool *pool)
{
    if (!pool) return;
    ppi_hold_nothing(pool);
    if (pool->kept) return;
    pool->ops->close(pool);
    free(pool);
}
