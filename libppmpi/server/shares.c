#include "server/shares.h"
#include "server/server.h"

#include "base/status.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

void ppi_shares_init(struct pp_server *s)
{
    s->shares.free = NONE;
    ppi_shared_init(&s->shares.store, &s->workspace);
}

void ppi_shares_fini(struct pp_server *s)
{
    ppi_shared_fini(&s->shares.store);
    free(s->shares.objects);
    free(s->shares.queue);
}

/* ---- the objects */

static struct ppi_share_barrier *barrier(const struct ppi_shares *shares, uint32_t i)
{
    return &shares->queue[(shares->head + i) % shares->room];
}

/* There are no more barriers than objects: with room for both, unsharing cannot fail. */
static int grow(struct ppi_shares *shares)
{
    uint32_t room = shares->room ? 2 * shares->room : 64;
    struct ppi_shared_object *objects = realloc(shares->objects, room * sizeof *objects);
    if (objects) shares->objects = objects;
    struct ppi_share_barrier *queue = malloc(room * sizeof *queue);
    if (!objects || !queue) {
        free(queue);
        return 0;
    }
    for (uint32_t i = 0; i < shares->barriers; i++) queue[i] = *barrier(shares, i);
    free(shares->queue);
    shares->queue = queue;
    shares->head = 0;
    shares->room = room;
    return 1;
}

static int new_object(struct ppi_shares *shares, uint32_t *index)
{
    if (shares->free == NONE) {
        if (shares->count == PPI_SHARED_MAX)
            return ppi_error(PP_ERR_LIMIT, "pp_share: %u pieces of data are shared already; unshare some", PPI_SHARED_MAX);
        if (shares->count == shares->room && !grow(shares)) return ppi_error(PP_ERR_NOMEM, "pp_share: no memory");
        shares->objects[shares->count].next = NONE;
        shares->free = shares->count++;
    }
    *index = shares->free;
    struct ppi_shared_object *o = &shares->objects[*index];
    shares->free = o->next;
    memset(o, 0, sizeof *o);
    return PP_OK;
}

static void free_object(struct ppi_shares *shares, uint32_t index)
{
    struct ppi_shared_object *o = &shares->objects[index];
    if (o->offset) ppi_shared_free(&shares->store, o->offset, o->bytes);
    o->serial = 0;
    o->next = shares->free;
    shares->free = index;
}

/* ---- share */

static void free_streams(struct ppi_outgoing_stream *streams)
{
    while (streams) {
        struct ppi_outgoing_stream *next = streams->next;
        free(streams);
        streams = next;
    }
}

/* What is too large for messages goes as a stream to each rank that holds data: once to a node. */
static int make_streams(struct pp_server *s, uint64_t bytes, struct ppi_outgoing_stream **out)
{
    *out = NULL;
    for (int i = 1; i < s->rank_count && bytes > PPI_WIRE_INLINE_MAX; i++) {
        if (!s->ranks[i].is_holder) continue;
        struct ppi_outgoing_stream *stream = calloc(1, sizeof *stream);
        if (!stream) {
            free_streams(*out);
            return ppi_error(PP_ERR_NOMEM, "pp_share: no memory to send %llu bytes", (unsigned long long)bytes);
        }
        *stream = (struct ppi_outgoing_stream){.server = s, .peer = i, .bytes = bytes, .is_shared = 1, .next = *out};
        *out = stream;
    }
    return PP_OK;
}

/* The other ranks hear of it before any task that is submitted from now on. */
static void send_to_ranks(struct pp_server *s, uint64_t id, uint32_t index, struct ppi_outgoing_stream *streams)
{
    struct ppi_shared_object *o = &s->shares.objects[index];
    for (int i = 1; i < s->rank_count; i++) {
        int here = s->ranks[i].is_holder, whole = here && o->bytes <= PPI_WIRE_INLINE_MAX;
        struct ppi_wire_share w = {.id = id, .bytes = o->bytes, .elsewhere = !here};
        ppi_ranks_post(s, i, PPI_WIRE_SHARE, here && !whole ? PPI_WIRE_STREAMED : 0, &w,
                       s->workspace.shared.base + o->offset, whole ? o->bytes : 0);
    }
    while (streams) {
        struct ppi_outgoing_stream *stream = streams;
        streams = stream->next;
        stream->id = id;
        stream->offset = o->offset;
        ppi_server_begin_stream(s, stream);
        o->streams++;
        s->shares.sending++;
    }
}

int ppi_shares_share(struct pp_server *s, const void *data, uint64_t bytes, uint64_t *id)
{
    static _Atomic uint64_t serials; /* also of earlier servers: what is left of their ids is stale */
    struct ppi_shares *shares = &s->shares;
    struct ppi_outgoing_stream *streams = NULL;
    uint32_t index = NONE;
    uint64_t offset = 0;
    ppi_lock_take(&s->lock);
    ppi_server_called(s);
    int status = new_object(shares, &index);
    if (status == PP_OK) status = make_streams(s, bytes, &streams);
    if (status == PP_OK && !(offset = ppi_shared_reserve(&shares->store, bytes)))
        status = ppi_error(PP_ERR_NOMEM, "pp_share: no memory for %llu bytes of shared data", (unsigned long long)bytes);
    if (status == PP_OK) {
        int unlocked = bytes > PPI_COPY_UNLOCKED;
        if (unlocked) ppi_lock_give(&s->lock);
        status = ppi_shared_fill(&shares->store, offset, data, bytes);
        if (unlocked) ppi_lock_take(&s->lock);
    }
    if (index != NONE) {
        shares->objects[index].offset = offset;
        shares->objects[index].bytes = bytes;
    }
    if (status == PP_OK) {
        shares->objects[index].serial = atomic_fetch_add(&serials, 1) + 1;
        *id = ppi_shared_id(shares->objects[index].serial, index);
        ppi_shared_publish(&shares->store, *id, offset, bytes, PPI_SHARED_READY);
        ppi_shared_announce(&shares->store, *id);
        send_to_ranks(s, *id, index, streams);
    } else {
        free_streams(streams);
        if (index != NONE) free_object(shares, index);
    }
    ppi_lock_give(&s->lock);
    if (s->transport) ppi_server_kick(s);
    return status;
}

/* ---- unshare */

static void drop(struct pp_server *s, uint32_t index)
{
    struct ppi_shared_object *o = &s->shares.objects[index];
    uint64_t id = ppi_shared_id(o->serial, index), offset, bytes;
    ppi_shared_drop(&s->shares.store, id, &offset, &bytes);
    for (int i = 1; i < s->rank_count; i++)
        if (s->ranks[i].is_holder) ppi_ranks_post(s, i, PPI_WIRE_DROP, 0, &(struct ppi_wire_drop){id}, NULL, 0);
    o->dropped = 1;
    if (o->streams == 0) free_object(&s->shares, index);
}

/* Those whose tasks have all finished. */
static void drop_due(struct pp_server *s)
{
    struct ppi_shares *shares = &s->shares;
    while (shares->barriers && barrier(shares, 0)->tasks == 0) {
        uint32_t next = barrier(shares, 0)->first;
        shares->head = (shares->head + 1) % shares->room;
        shares->barriers--;
        while (next != NONE) {
            uint32_t index = next;
            next = shares->objects[index].next;
            drop(s, index);
        }
    }
}

static void wait_for_tasks(struct pp_server *s, uint32_t index)
{
    struct ppi_shares *shares = &s->shares;
    uint64_t number = s->store.submitted;
    struct ppi_share_barrier *last = shares->barriers ? barrier(shares, shares->barriers - 1) : NULL;
    if (!last || last->number != number) {
        last = barrier(shares, shares->barriers++);
        *last = (struct ppi_share_barrier){number, s->unfinished - shares->counted, NONE};
        shares->counted = s->unfinished;
    }
    shares->objects[index].next = last->first;
    last->first = index;
}

int ppi_shares_unshare(struct pp_server *s, uint64_t id)
{
    struct ppi_shares *shares = &s->shares;
    uint32_t index = ppi_shared_index(id);
    int status = PP_OK;
    ppi_lock_take(&s->lock);
    ppi_server_called(s);
    struct ppi_shared_object *o = index < shares->count ? &shares->objects[index] : NULL;
    if (id == 0)
        status = ppi_error(PP_ERR_HANDLE, "pp_unshare: the shared data is null");
    else if (!o || o->serial != ppi_shared_serial(id) || o->serial == 0 || o->unshared)
        status = ppi_error(PP_ERR_HANDLE, "pp_unshare: the shared data (id 0x%llx) was unshared already or is of another server",
                           (unsigned long long)id);
    if (status == PP_OK) {
        struct ppi_wire_unshare w = {id, s->store.submitted};
        o->unshared = 1;
        ppi_shared_limit(&shares->store, id, w.until);
        for (int i = 1; i < s->rank_count; i++) ppi_ranks_post(s, i, PPI_WIRE_UNSHARE, 0, &w, NULL, 0);
        wait_for_tasks(s, index);
        drop_due(s);
        ppi_shares_remove_dropped(s);
    }
    ppi_lock_give(&s->lock);
    if (status == PP_OK) ppi_server_kick(s);
    return status;
}

void ppi_shares_task_finished(struct pp_server *s, uint64_t number)
{
    struct ppi_shares *shares = &s->shares;
    uint32_t low = 0, high = shares->barriers; /* the first barrier that is not before the task lies in [low, high] */
    if (number > barrier(shares, high - 1)->number) return;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (barrier(shares, middle)->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    barrier(shares, low)->tasks--;
    shares->counted--;
    drop_due(s);
}

void ppi_shares_sent(struct pp_server *s, uint64_t id)
{
    uint32_t index = ppi_shared_index(id);
    struct ppi_shared_object *o = &s->shares.objects[index];
    s->shares.sending--;
    o->streams--;
    if (o->dropped && o->streams == 0) free_object(&s->shares, index);
    if (s->shares.sending == 0) s->wake_waiters = 1; /* of ppi_shares_settle */
}

int ppi_shares_remove_dropped(struct pp_server *s)
{
    struct ppi_shared_block *blocks = ppi_shared_take_gone(&s->shares.store);
    if (!blocks) return 0;
    ppi_lock_give(&s->lock);
    ppi_shared_remove(&s->shares.store, blocks);
    ppi_lock_take(&s->lock);
    ppi_shared_put_gone(&s->shares.store, blocks);
    return 1;
}

static int all_sent(void *arg)
{
    const struct pp_server *s = arg;
    return s->shares.sending == 0 && s->modules.sending == 0 && s->modules.want_count == 0;
}

void ppi_shares_settle(struct pp_server *s)
{
    ppi_server_wait(s, all_sent, s, UINT64_MAX);
}
