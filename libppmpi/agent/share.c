#include "agent/share.h"

#include "base/log.h"
#include "base/status.h"

#include <stdlib.h>
#include <unistd.h>

void ppi_agent_join_holder(struct ppi_shared_store *store, struct ppi_pool *pool, const struct ppi_wire_welcome *w)
{
    if (w->holder_pid == 0) return;
    int file = ppi_shared_adopt(store, (long)w->holder_pid, w->holder_fd, w->holder_nonce);
    if (file < 0) {
        ppi_log(PP_LOG_INFO, "shared data is kept here once more: the memory of process %ld cannot be opened", (long)w->holder_pid);
        return;
    }
    /* A fork server that cannot be reached starts no workers either, and that is told. */
    ppi_pool_map_shared(pool, file);
    close(file);
}

struct incoming { /* data that is too large for a message */
    struct ppi_shared_store *store;
    uint64_t id, offset, bytes;
};

static void arrived(void *ctx)
{
    struct incoming *in = ctx;
    if (in->offset) ppi_shared_arrived(in->store, in->id, in->offset, in->bytes);
    free(in);
}

void ppi_agent_on_share(struct ppi_shared_store *store, struct ppi_transport *transport, const struct ppi_wire_record *record)
{
    const struct ppi_wire_share *w = &record->as.SHARE;
    ppi_shared_announce(store, w->id);
    if (w->elsewhere) return;
    /* A place is given anew when what was there has been dropped; a server that forgets that costs us no memory. */
    if (store->is_holder) ppi_agent_on_drop(store, &(struct ppi_wire_drop){ppi_shared_in_place_of(store, w->id)});
    uint64_t offset = store->is_holder ? ppi_shared_reserve(store, w->bytes) : 0;
    int streamed = record->flags & PPI_WIRE_STREAMED;
    if (!offset) {
        ppi_log(PP_LOG_ERROR, "no memory for %llu bytes of shared data", (unsigned long long)w->bytes);
        if (store->is_holder) ppi_shared_publish(store, w->id, 0, w->bytes, PPI_SHARED_FAILED);
    } else if (streamed) {
        ppi_shared_publish(store, w->id, offset, w->bytes, PPI_SHARED_ARRIVING);
    } else {
        int filled = ppi_shared_fill(store, offset, record->data, w->bytes) == PP_OK;
        ppi_shared_publish(store, w->id, offset, w->bytes, filled ? PPI_SHARED_READY : PPI_SHARED_FAILED);
        if (!filled) ppi_shared_free(store, offset, w->bytes);
    }
    if (!streamed) return;
    struct incoming *in = calloc(1, sizeof *in);
    if (!in) abort(); /* what follows on the stream could not be told apart any more */
    *in = (struct incoming){store, w->id, offset, w->bytes};
    char *to = offset ? store->workspace->shared.base + offset : NULL;
    transport->ops->stream(transport, 0, 0, to, w->bytes, arrived, in);
}

void ppi_agent_on_unshare(struct ppi_shared_store *store, const struct ppi_wire_unshare *w)
{
    ppi_shared_limit(store, w->id, w->until);
}

void ppi_agent_on_drop(struct ppi_shared_store *store, const struct ppi_wire_drop *w)
{
    uint64_t offset, bytes;
    if (ppi_shared_drop(store, w->id, &offset, &bytes)) ppi_shared_free(store, offset, bytes);
}

int ppi_agent_remove_dropped(struct ppi_shared_store *store)
{
    struct ppi_shared_block *blocks = ppi_shared_take_gone(store);
    if (!blocks) return 0;
    ppi_shared_remove(store, blocks);
    ppi_shared_put_gone(store, blocks);
    return 1;
}
