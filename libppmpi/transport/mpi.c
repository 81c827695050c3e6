/* The transport over MPI: messages and streams. Sends are MPI_Isend, receives follow MPI_Iprobe: nothing waits for a
 * peer, not even a dead one. Messages go with one tag, stream chunks with another. */
#include "transport/mpi_state.h"

#include "base/status.h"

#include <stdlib.h>

#define TAG_MESSAGE 1
#define TAG_CHUNK 2
#define CHUNK ((uint64_t)512 << 10)
#ifdef MPICH_VERSION
#define PROBES 8 /* needs several calls to make progress */
#else
#define PROBES 2 /* the first probe often only moves the network, the second finds */
#endif

int ppi_mpi_check(int code, const char *what)
{
    if (code == MPI_SUCCESS) return PP_OK;
    char text[MPI_MAX_ERROR_STRING] = "";
    int length;
    MPI_Error_string(code, text, &length);
    return ppi_error(PP_ERR_MPI, "%s: %s", what, text);
}

static void activate(struct ppi_mpi *m, int peer)
{
    if (m->peers[peer].listed) return;
    m->peers[peer].listed = 1;
    m->active[m->active_count++] = peer;
}

static int mpi_send(struct ppi_transport *t, int peer, char *message, size_t bytes)
{
    struct ppi_mpi *m = (struct ppi_mpi *)t;
    if (m->peers[peer].lost) {
        free(message);
        return PP_OK;
    }
    struct ppi_mpi_request *r = calloc(1, sizeof *r);
    if (!r) {
        free(message);
        return ppi_error(PP_ERR_NOMEM, "no memory for a message");
    }
    int status = ppi_mpi_check(ppi_mpi_isend(m, message, (int)bytes, peer, TAG_MESSAGE, &r->mpi), "MPI_Isend");
    if (status != PP_OK) {
        free(message);
        free(r);
        return status;
    }
    r->message = message;
    r->peer = peer;
    r->next = m->outgoing;
    m->outgoing = r;
    return PP_OK;
}

static int test_outgoing(struct ppi_mpi *m)
{
    int moved = 0;
    for (struct ppi_mpi_request **at = &m->outgoing; *at;) {
        struct ppi_mpi_request *r = *at;
        int done = 0;
        if (ppi_mpi_check(MPI_Test(&r->mpi, &done, MPI_STATUS_IGNORE), "MPI_Test") != PP_OK) done = 1;
        if (!done) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        free(r->message);
        free(r);
        moved++;
    }
    return moved;
}

/* Begins to receive what has been announced. */
static int probe(struct ppi_mpi *m)
{
    int moved = 0;
    for (int i = 0; i < PROBES; i++) {
        int found = 0, bytes = 0;
        MPI_Status s;
        if (ppi_mpi_check(MPI_Iprobe(MPI_ANY_SOURCE, TAG_MESSAGE, m->comm, &found, &s), "MPI_Iprobe") != PP_OK || !found) continue;
        MPI_Get_count(&s, MPI_BYTE, &bytes);
        struct ppi_mpi_request *r = calloc(1, sizeof *r);
        char *message = malloc(bytes > 0 ? (size_t)bytes : 1);
        if (!r || !message) {
            free(r);
            free(message);
            return moved; /* it stays where it is until there is memory */
        }
        r->message = message;
        r->bytes = (size_t)bytes;
        if (ppi_mpi_check(MPI_Irecv(message, bytes, MPI_BYTE, s.MPI_SOURCE, TAG_MESSAGE, m->comm, &r->mpi), "MPI_Irecv") != PP_OK) {
            free(r);
            free(message);
            return moved;
        }
        struct ppi_mpi_peer *p = &m->peers[s.MPI_SOURCE];
        if (p->lost) {
            /* It was announced and may never come; nobody is to wait for it. MPI keeps the memory. */
            MPI_Request_free(&r->mpi);
            free(r);
            continue;
        }
        *p->incoming_end = r;
        p->incoming_end = &r->next;
        activate(m, s.MPI_SOURCE);
        moved++;
        i = -1; /* there may be more */
        if (moved >= 64) break;
    }
    return moved;
}

static int begin_chunks(struct ppi_mpi *m, int peer, int outgoing, struct ppi_mpi_stream *s)
{
    int moved = 0;
    while (s->begun * CHUNK < s->bytes && s->begun - s->finished < PPI_CHUNKS_UNDER_WAY) {
        uint64_t at = s->begun * CHUNK, n = s->bytes - at < CHUNK ? s->bytes - at : CHUNK;
        if (s->there && at + n > atomic_load(s->there)) break;
        MPI_Request *r = &s->chunk[s->begun % PPI_CHUNKS_UNDER_WAY];
        char *where = s->scratch ? s->scratch + s->begun % PPI_CHUNKS_UNDER_WAY * CHUNK : s->data + at;
        int code = outgoing ? ppi_mpi_isend(m, where, (int)n, peer, TAG_CHUNK, r)
                            : MPI_Irecv(where, (int)n, MPI_BYTE, peer, TAG_CHUNK, m->comm, r);
        if (ppi_mpi_check(code, "stream") != PP_OK) break;
        s->begun++;
        moved++;
    }
    return moved;
}

static int progress_stream(struct ppi_mpi *m, int peer, int outgoing)
{
    struct ppi_mpi_peer *p = &m->peers[peer];
    int moved = 0;
    while (p->streams[outgoing]) {
        struct ppi_mpi_stream *s = p->streams[outgoing];
        moved += begin_chunks(m, peer, outgoing, s);
        int done = 1;
        while (s->finished < s->begun && done) {
            if (ppi_mpi_check(MPI_Test(&s->chunk[s->finished % PPI_CHUNKS_UNDER_WAY], &done, MPI_STATUS_IGNORE), "MPI_Test") != PP_OK)
                done = 1;
            if (done) s->finished++, moved++;
        }
        if (s->finished * CHUNK < s->bytes) {
            if (begin_chunks(m, peer, outgoing, s)) continue;
            break;
        }
        p->streams[outgoing] = s->next;
        if (!s->next) p->streams_end[outgoing] = &p->streams[outgoing];
        s->done(s->ctx);
        free(s->scratch);
        free(s);
        moved++;
    }
    return moved;
}

static int begin_stream(struct ppi_transport *t, int peer, int outgoing, void *data, uint64_t bytes,
                        const _Atomic uint64_t *there, ppi_stream_done done, void *ctx)
{
    struct ppi_mpi *m = (struct ppi_mpi *)t;
    int lost = m->peers[peer].lost;
    if (lost && !outgoing) return PP_OK;
    struct ppi_mpi_stream *s = calloc(1, sizeof *s);
    if (s && !data && !(s->scratch = malloc(PPI_CHUNKS_UNDER_WAY * CHUNK))) free(s), s = NULL;
    if (!s) return ppi_error(PP_ERR_NOMEM, "no memory for a stream");
    s->data = data;
    s->bytes = bytes;
    s->there = there;
    s->done = done;
    s->ctx = ctx;
    if (lost) {
        s->next = m->forgotten;
        m->forgotten = s;
        return PP_OK;
    }
    *m->peers[peer].streams_end[outgoing] = s;
    m->peers[peer].streams_end[outgoing] = &s->next;
    activate(m, peer);
    return PP_OK;
}

static int mpi_stream(struct ppi_transport *t, int peer, int outgoing, void *data, uint64_t bytes, ppi_stream_done done,
                      void *ctx)
{
    return begin_stream(t, peer, outgoing, data, bytes, NULL, done, ctx);
}

static int mpi_stream_growing(struct ppi_transport *t, int peer, void *data, uint64_t bytes, const _Atomic uint64_t *there,
                              ppi_stream_done done, void *ctx)
{
    return begin_stream(t, peer, 1, data, bytes, there, done, ctx);
}

static int mpi_progress(struct ppi_transport *t)
{
    struct ppi_mpi *m = (struct ppi_mpi *)t;
    int moved = test_outgoing(m) + probe(m);
    while (m->forgotten) {
        struct ppi_mpi_stream *s = m->forgotten; /* its requests keep what they need */
        m->forgotten = s->next;
        s->done(s->ctx);
        free(s);
        moved++;
    }
    for (int i = 0; i < m->active_count;) {
        int peer = m->active[i];
        struct ppi_mpi_peer *p = &m->peers[peer];
        for (struct ppi_mpi_request *r = p->incoming; r && !r->done; r = r->next) {
            if (ppi_mpi_check(MPI_Test(&r->mpi, &r->done, MPI_STATUS_IGNORE), "MPI_Test") != PP_OK) r->bytes = 0, r->done = 1;
            if (!r->done) break;
            moved++;
        }
        moved += progress_stream(m, peer, 0) + progress_stream(m, peer, 1);
        if (p->incoming || p->streams[0] || p->streams[1]) {
            i++;
        } else {
            p->listed = 0;
            m->active[i] = m->active[--m->active_count];
        }
    }
    return moved;
}

static int mpi_receive(struct ppi_transport *t, int *peer, char **message, size_t *bytes)
{
    struct ppi_mpi *m = (struct ppi_mpi *)t;
    for (int i = 0; i < m->active_count; i++) {
        struct ppi_mpi_peer *p = &m->peers[m->active[i]];
        struct ppi_mpi_request *r = p->incoming;
        if (!r || !r->done) continue;
        p->incoming = r->next;
        if (!r->next) p->incoming_end = &p->incoming;
        *peer = m->active[i];
        *message = r->message;
        *bytes = r->bytes;
        free(r);
        return 1;
    }
    return 0;
}

/* Requests that will never complete are left to MPI, with the memory that they use. */
static void mpi_forget(struct ppi_transport *t, int peer)
{
    struct ppi_mpi *m = (struct ppi_mpi *)t;
    struct ppi_mpi_peer *p = &m->peers[peer];
    if (!p->lost) t->lost++;
    p->lost = 1;
    for (struct ppi_mpi_request **at = &m->outgoing; *at;)
        if ((*at)->peer == peer)
            *at = (*at)->next;
        else
            at = &(*at)->next;
    p->incoming = NULL;
    p->incoming_end = &p->incoming;
    *p->streams_end[1] = m->forgotten;
    m->forgotten = p->streams[1];
    for (int k = 0; k < 2; k++) {
        p->streams[k] = NULL;
        p->streams_end[k] = &p->streams[k];
    }
}

static int mpi_busy(const struct ppi_transport *t)
{
    const struct ppi_mpi *m = (const struct ppi_mpi *)t;
    return m->outgoing || m->active_count;
}

const struct ppi_transport_ops ppi_mpi_ops = {.send = mpi_send,
                                                 .receive = mpi_receive,
                                                 .stream = mpi_stream,
                                                 .stream_growing = mpi_stream_growing,
                                                 .progress = mpi_progress,
                                                 .forget = mpi_forget,
                                                 .busy = mpi_busy,
                                                 .close = ppi_mpi_close,
                                                 .abort = ppi_mpi_abort};
