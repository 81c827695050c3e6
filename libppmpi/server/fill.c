/* Large arguments for a rank on another host leave while they are still being copied: the task is given to the rank first, and
 * what has been copied of its arguments is sent before it has left the processor's cache.
 *
 * One task at a time is filled so, by the driver. Should its rank be lost meanwhile, the rest is copied before anybody else gets
 * the task. */
#include "server/server.h"

#include <string.h>

#define FILL_FROM ((uint64_t)4 << 20)
#define PIECE ((uint64_t)512 << 10) /* a chunk of the transport's */

int ppi_fill_rank(const struct pp_server *s, uint64_t bytes)
{
    if (bytes < FILL_FROM || !s->transport || s->driving || s->scheduler.ready || !ppi_server_may_drive(s)) return 0;
    int rank = ppi_scheduler_idle_agent(&s->scheduler);
    return rank > 0 && !s->ranks[rank].reads_arguments ? rank : 0;
}

static void copy(struct ppi_filling *f, uint64_t bytes)
{
    memcpy(f->to + f->copied, f->from + f->copied, bytes);
}

static void copied(struct ppi_filling *f, uint64_t bytes)
{
    f->copied += bytes;
    if (f->stream) atomic_store(&f->stream->there, f->copied);
    if (f->copied == f->bytes) *f = (struct ppi_filling){.bytes = 0};
}

void ppi_fill_rest(struct pp_server *s)
{
    struct ppi_filling *f = &s->filling;
    uint64_t rest = f->bytes - f->copied;
    copy(f, rest);
    copied(f, rest);
}

void ppi_fill(struct pp_server *s, uint32_t index, int rank, const void *args)
{
    struct ppi_task *t = ppi_store_at(&s->store, index);
    struct ppi_filling *f = &s->filling;
    *f = (struct ppi_filling){
        .index = index, .from = args, .to = s->workspace.segment.base + t->u.args.offset, .bytes = ppi_task_args_bytes(t)};
    ppi_scheduler_given(&s->scheduler, rank);
    ppi_server_assign(s, t, index, rank);
    s->driving = 1;
    while (f->bytes) {
        uint64_t n = f->bytes - f->copied < PIECE ? f->bytes - f->copied : PIECE;
        ppi_lock_give(&s->lock);
        copy(f, n);
        ppi_lock_take(&s->lock);
        copied(f, n);
        ppi_server_step(s, PPI_STEP_MPI);
        if (f->bytes && ppi_store_at(&s->store, f->index)->state == PPI_TASK_QUEUED) ppi_fill_rest(s);
    }
    ppi_server_leave_driving(s);
}
