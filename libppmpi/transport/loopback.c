/* The transport inside one process: n ends, each used by a thread of its own. For tests of the whole farm.
 *
 * It behaves as the one over MPI does, where a test could tell: a message is seen by `receive` only after a
 * `progress` of its receiver, streams move chunk by chunk and only while the receiver progresses, and `done` is
 * called from a progress of the end that began the stream. */
#include "transport/transport.h"

#include "base/status.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK ((uint64_t)64 << 10)
#define CHUNKS_PER_PROGRESS 2 /* and peer: so that a large stream takes several */

struct message {
    int from;
    char *data;
    size_t bytes;
    struct message *next;
};

struct stream {
    int peer;
    char *data; /* NULL: what comes is thrown away */
    uint64_t bytes, moved;
    const _Atomic uint64_t *there; /* how many bytes may be moved so far; NULL = all */
    int complete; /* outgoing: its receiver has all of it, or has closed */
    ppi_stream_done done;
    void *ctx;
    struct stream *next; /* among those of the end that began it */
    struct stream *next_offer; /* outgoing: among those that its receiver has from us */
};

/* First in, first out. */
struct messages {
    struct message *first, **end;
};

struct end {
    struct ppi_transport base;
    struct hub *hub;

    pthread_mutex_t lock; /* guards these, which peers touch too; no other lock is taken under it */
    struct messages arriving;
    int undelivered;        /* messages of ours that their receivers have not progressed */
    struct stream **offers; /* per peer: what it streams to us, oldest first */
    int closed;

    /* Of the thread that uses this end. */
    struct messages arrived;
    struct stream *incoming, *outgoing; /* oldest first, whatever the peer */
};

struct hub {
    pthread_mutex_t lock; /* guards open */
    int open, n;
    struct end *ends;
};

static void push(struct messages *q, struct message *m)
{
    m->next = NULL;
    *q->end = m;
    q->end = &m->next;
}

static struct message *pop(struct messages *q)
{
    struct message *m = q->first;
    if (m && !(q->first = m->next)) q->end = &q->first;
    return m;
}

static void append(struct stream **list, struct stream *s)
{
    while (*list) list = &(*list)->next;
    *list = s;
}

static void delivered(struct hub *hub, int sender)
{
    struct end *e = &hub->ends[sender];
    pthread_mutex_lock(&e->lock);
    e->undelivered--;
    pthread_mutex_unlock(&e->lock);
}

static int loopback_send(struct ppi_transport *t, int peer, char *message, size_t bytes)
{
    struct end *e = (struct end *)t, *to = &e->hub->ends[peer];
    struct message *m = malloc(sizeof *m);
    if (!m) {
        free(message);
        return ppi_error(PP_ERR_NOMEM, "no memory for a message");
    }
    *m = (struct message){t->rank, message, bytes, NULL};
    pthread_mutex_lock(&e->lock);
    e->undelivered++;
    pthread_mutex_unlock(&e->lock);
    pthread_mutex_lock(&to->lock);
    int closed = to->closed;
    if (!closed) push(&to->arriving, m);
    pthread_mutex_unlock(&to->lock);
    if (closed) {
        delivered(e->hub, t->rank);
        free(message);
        free(m);
    }
    return PP_OK;
}

static int loopback_receive(struct ppi_transport *t, int *peer, char **message, size_t *bytes)
{
    struct message *m = pop(&((struct end *)t)->arrived);
    if (!m) return 0;
    *peer = m->from;
    *message = m->data;
    *bytes = m->bytes;
    free(m);
    return 1;
}

static int begin_stream(struct ppi_transport *t, int peer, int outgoing, void *data, uint64_t bytes,
                        const _Atomic uint64_t *there, ppi_stream_done done, void *ctx)
{
    struct end *e = (struct end *)t, *to = &e->hub->ends[peer];
    struct stream *s = calloc(1, sizeof *s);
    if (!s) return ppi_error(PP_ERR_NOMEM, "no memory for a stream");
    s->peer = peer;
    s->data = data;
    s->bytes = bytes;
    s->there = there;
    s->done = done;
    s->ctx = ctx;
    append(outgoing ? &e->outgoing : &e->incoming, s);
    if (!outgoing) return PP_OK;
    pthread_mutex_lock(&to->lock);
    if (to->closed) {
        s->complete = 1;
    } else {
        struct stream **at = &to->offers[t->rank];
        while (*at) at = &(*at)->next_offer;
        *at = s;
    }
    pthread_mutex_unlock(&to->lock);
    return PP_OK;
}

static int loopback_stream(struct ppi_transport *t, int peer, int outgoing, void *data, uint64_t bytes,
                           ppi_stream_done done, void *ctx)
{
    return begin_stream(t, peer, outgoing, data, bytes, NULL, done, ctx);
}

static int loopback_stream_growing(struct ppi_transport *t, int peer, void *data, uint64_t bytes, const _Atomic uint64_t *there,
                                   ppi_stream_done done, void *ctx)
{
    return begin_stream(t, peer, 1, data, bytes, there, done, ctx);
}

static int take_messages(struct end *e)
{
    pthread_mutex_lock(&e->lock);
    struct message *m = e->arriving.first;
    e->arriving.first = NULL;
    e->arriving.end = &e->arriving.first;
    pthread_mutex_unlock(&e->lock);
    int moved = 0;
    while (m) {
        struct message *next = m->next;
        push(&e->arrived, m);
        delivered(e->hub, m->from);
        m = next;
        moved++;
    }
    return moved;
}

/* Copies for the oldest incoming stream of each peer. True when it has all. */
static int copy_chunks(struct end *e, struct stream *in, int *moved)
{
    /* Under the lock, so that a sender who closes can take its data back. */
    pthread_mutex_lock(&e->lock);
    struct stream *out = e->offers[in->peer];
    for (int i = 0; out && i < CHUNKS_PER_PROGRESS && in->moved < in->bytes; i++) {
        if (out->bytes != in->bytes || out->moved != in->moved) abort(); /* over MPI, memory would be overwritten */
        uint64_t n = in->bytes - in->moved < CHUNK ? in->bytes - in->moved : CHUNK;
        if (out->there && out->moved + n > atomic_load(out->there)) break;
        if (in->data) memcpy(in->data + in->moved, out->data + out->moved, n);
        in->moved += n;
        out->moved += n;
        ++*moved;
    }
    int done = in->moved == in->bytes;
    if (done) {
        e->offers[in->peer] = out->next_offer;
        out->complete = 1; /* from here on it is its sender's alone */
    }
    pthread_mutex_unlock(&e->lock);
    return done;
}

static int is_oldest(const struct end *e, const struct stream *s)
{
    const struct stream *first = e->incoming;
    while (first->peer != s->peer) first = first->next;
    return first == s;
}

static int is_complete(struct end *e, const struct stream *s)
{
    struct end *to = &e->hub->ends[s->peer];
    pthread_mutex_lock(&to->lock);
    int complete = s->complete;
    pthread_mutex_unlock(&to->lock);
    return complete;
}

static void finish(struct stream **at)
{
    struct stream *s = *at;
    *at = s->next;
    s->done(s->ctx); /* may begin another: *at is only appended to */
    free(s);
}

static int loopback_progress(struct ppi_transport *t)
{
    struct end *e = (struct end *)t;
    int moved = take_messages(e);
    for (struct stream **at = &e->incoming; *at;) {
        if (is_oldest(e, *at) && copy_chunks(e, *at, &moved))
            finish(at);
        else
            at = &(*at)->next;
    }
    for (struct stream **at = &e->outgoing; *at;) {
        if (is_complete(e, *at))
            finish(at), moved++;
        else
            at = &(*at)->next;
    }
    return moved;
}

static int loopback_busy(const struct ppi_transport *t)
{
    struct end *e = &((const struct end *)t)->hub->ends[t->rank]; /* itself, not const: it has a lock */
    pthread_mutex_lock(&e->lock);
    int busy = e->undelivered > 0 || e->arriving.first;
    pthread_mutex_unlock(&e->lock);
    return busy || e->arrived.first || e->incoming || e->outgoing;
}

/* Takes back what we have offered and not delivered: the data is not ours any more after the close. */
static void withdraw(struct end *e)
{
    for (struct stream *s = e->outgoing; s; s = s->next) {
        struct end *to = &e->hub->ends[s->peer];
        pthread_mutex_lock(&to->lock);
        for (struct stream **at = &to->offers[e->base.rank]; *at; at = &(*at)->next_offer) {
            if (*at != s) continue;
            *at = s->next_offer;
            break;
        }
        pthread_mutex_unlock(&to->lock);
    }
}

static void free_streams(struct stream *s)
{
    while (s) {
        struct stream *next = s->next;
        free(s);
        s = next;
    }
}

static void free_hub(struct hub *hub)
{
    for (int i = 0; i < hub->n; i++) {
        pthread_mutex_destroy(&hub->ends[i].lock);
        free(hub->ends[i].offers);
    }
    pthread_mutex_destroy(&hub->lock);
    free(hub->ends);
    free(hub);
}

static void loopback_close(struct ppi_transport *t)
{
    struct end *e = (struct end *)t;
    struct hub *hub = e->hub;
    withdraw(e);
    take_messages(e);
    pthread_mutex_lock(&e->lock);
    e->closed = 1;
    for (int i = 0; i < hub->n; i++) {
        for (struct stream *s = e->offers[i]; s;) {
            struct stream *next = s->next_offer;
            s->complete = 1;
            s = next;
        }
        e->offers[i] = NULL;
    }
    pthread_mutex_unlock(&e->lock);
    take_messages(e); /* what came before we were closed */
    for (struct message *m; (m = pop(&e->arrived));) {
        free(m->data);
        free(m);
    }
    free_streams(e->incoming);
    free_streams(e->outgoing);
    pthread_mutex_lock(&hub->lock);
    int last = --hub->open == 0;
    pthread_mutex_unlock(&hub->lock);
    if (last) free_hub(hub);
}

static void loopback_forget(struct ppi_transport *t, int peer)
{
    (void)t, (void)peer; /* memory of this process: it can be read on */
}

static void loopback_abort(struct ppi_transport *t, int code)
{
    (void)t;
    _exit(code);
}

static const struct ppi_transport_ops loopback_ops = {.send = loopback_send,
                                                      .receive = loopback_receive,
                                                      .stream = loopback_stream,
                                                      .stream_growing = loopback_stream_growing,
                                                      .progress = loopback_progress,
                                                      .forget = loopback_forget,
                                                      .busy = loopback_busy,
                                                      .close = loopback_close,
                                                      .abort = loopback_abort};

int ppi_transport_loopback(struct ppi_transport **out, int n)
{
    struct hub *hub = calloc(1, sizeof *hub);
    if (hub) hub->ends = calloc((size_t)n, sizeof *hub->ends);
    if (!hub || !hub->ends) {
        free(hub);
        return ppi_error(PP_ERR_NOMEM, "no memory for %d ends", n);
    }
    pthread_mutex_init(&hub->lock, NULL);
    hub->open = hub->n = n;
    int status = PP_OK;
    for (int i = 0; i < n; i++) {
        struct end *e = &hub->ends[i];
        e->base = (struct ppi_transport){.ops = &loopback_ops, .rank = i, .size = n};
        e->hub = hub;
        e->arriving.end = &e->arriving.first;
        e->arrived.end = &e->arrived.first;
        pthread_mutex_init(&e->lock, NULL);
        if (!(e->offers = calloc((size_t)n, sizeof *e->offers))) status = PP_ERR_NOMEM;
    }
    if (status != PP_OK) {
        free_hub(hub);
        return ppi_error(status, "no memory for %d ends", n);
    }
    for (int i = 0; i < n; i++) out[i] = &hub->ends[i].base;
    return PP_OK;
}
