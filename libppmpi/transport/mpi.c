/* The transport over MPI; the only file that knows <mpi.h>. Sends are MPI_Isend, receives follow MPI_Iprobe: nothing
 * waits for a peer, not even a dead one. Messages go with one tag, stream chunks with another. */
#include "transport/transport.h"

#include "base/log.h"
#include "base/status.h"
#include "base/thread.h"

#include <mpi.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TAG_MESSAGE 1
#define TAG_CHUNK 2
#define CHUNK ((uint64_t)512 << 10)
#define CHUNKS_UNDER_WAY 4
#define FINALIZE_PATIENCE_S 3
#ifdef MPICH_VERSION
#define PROBES 8 /* needs several calls to make progress */
#else
#define PROBES 2 /* the first probe often only moves the network, the second finds */
#endif

struct request {
    MPI_Request mpi;
    char *message;
    size_t bytes;
    int peer, done;
    struct request *next;
};

struct stream {
    char *data;
    uint64_t bytes, begun, finished; /* chunks finish in order of beginning */
    ppi_stream_done done;
    void *ctx;
    char *scratch; /* for a stream that is thrown away */
    MPI_Request chunk[CHUNKS_UNDER_WAY];
    struct stream *next;
};

struct peer {
    struct request *incoming, **incoming_end; /* being received, oldest first */
    struct stream *streams[2], **streams_end[2]; /* [outgoing] */
    int listed; /* in mpi->active: has something of the above */
    int lost;
};

struct mpi {
    struct ppi_transport base;
    MPI_Comm comm;
    struct request *outgoing;
    struct peer *peers;
    int *active, active_count;
    int finalize;
    struct stream *forgotten; /* outgoing to lost peers: to be told to be done */
    int keyval, closing; /* keyval: of the attribute of MPI_COMM_SELF that tells us of MPI_Finalize */
};

static int check(int code, const char *what)
{
    if (code == MPI_SUCCESS) return PP_OK;
    char text[MPI_MAX_ERROR_STRING] = "";
    int length;
    MPI_Error_string(code, text, &length);
    return ppi_error(PP_ERR_MPI, "%s: %s", what, text);
}

static void activate(struct mpi *m, int peer)
{
    if (m->peers[peer].listed) return;
    m->peers[peer].listed = 1;
    m->active[m->active_count++] = peer;
}

static int mpi_send(struct ppi_transport *t, int peer, char *message, size_t bytes)
{
    struct mpi *m = (struct mpi *)t;
    if (m->peers[peer].lost) {
        free(message);
        return PP_OK;
    }
    struct request *r = calloc(1, sizeof *r);
    if (!r) {
        free(message);
        return ppi_error(PP_ERR_NOMEM, "no memory for a message");
    }
    int status = check(MPI_Isend(message, (int)bytes, MPI_BYTE, peer, TAG_MESSAGE, m->comm, &r->mpi), "MPI_Isend");
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

static int test_outgoing(struct mpi *m)
{
    int moved = 0;
    for (struct request **at = &m->outgoing; *at;) {
        struct request *r = *at;
        int done = 0;
        if (check(MPI_Test(&r->mpi, &done, MPI_STATUS_IGNORE), "MPI_Test") != PP_OK) done = 1;
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
static int probe(struct mpi *m)
{
    int moved = 0;
    for (int i = 0; i < PROBES; i++) {
        int found = 0, bytes = 0;
        MPI_Status s;
        if (check(MPI_Iprobe(MPI_ANY_SOURCE, TAG_MESSAGE, m->comm, &found, &s), "MPI_Iprobe") != PP_OK || !found) continue;
        MPI_Get_count(&s, MPI_BYTE, &bytes);
        struct request *r = calloc(1, sizeof *r);
        char *message = malloc(bytes > 0 ? (size_t)bytes : 1);
        if (!r || !message) {
            free(r);
            free(message);
            return moved; /* it stays where it is until there is memory */
        }
        r->message = message;
        r->bytes = (size_t)bytes;
        if (check(MPI_Irecv(message, bytes, MPI_BYTE, s.MPI_SOURCE, TAG_MESSAGE, m->comm, &r->mpi), "MPI_Irecv") != PP_OK) {
            free(r);
            free(message);
            return moved;
        }
        struct peer *p = &m->peers[s.MPI_SOURCE];
        *p->incoming_end = r;
        p->incoming_end = &r->next;
        activate(m, s.MPI_SOURCE);
        moved++;
        i = -1; /* there may be more */
        if (moved >= 64) break;
    }
    return moved;
}

static int begin_chunks(struct mpi *m, int peer, int outgoing, struct stream *s)
{
    int moved = 0;
    while (s->begun * CHUNK < s->bytes && s->begun - s->finished < CHUNKS_UNDER_WAY) {
        uint64_t at = s->begun * CHUNK, n = s->bytes - at < CHUNK ? s->bytes - at : CHUNK;
        MPI_Request *r = &s->chunk[s->begun % CHUNKS_UNDER_WAY];
        char *where = s->scratch ? s->scratch + s->begun % CHUNKS_UNDER_WAY * CHUNK : s->data + at;
        int code = outgoing ? MPI_Isend(where, (int)n, MPI_BYTE, peer, TAG_CHUNK, m->comm, r)
                            : MPI_Irecv(where, (int)n, MPI_BYTE, peer, TAG_CHUNK, m->comm, r);
        if (check(code, "stream") != PP_OK) break;
        s->begun++;
        moved++;
    }
    return moved;
}

static int progress_stream(struct mpi *m, int peer, int outgoing)
{
    struct peer *p = &m->peers[peer];
    int moved = 0;
    while (p->streams[outgoing]) {
        struct stream *s = p->streams[outgoing];
        moved += begin_chunks(m, peer, outgoing, s);
        int done = 1;
        while (s->finished < s->begun && done) {
            if (check(MPI_Test(&s->chunk[s->finished % CHUNKS_UNDER_WAY], &done, MPI_STATUS_IGNORE), "MPI_Test") != PP_OK)
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

static int mpi_stream(struct ppi_transport *t, int peer, int outgoing, void *data, uint64_t bytes, ppi_stream_done done,
                      void *ctx)
{
    struct mpi *m = (struct mpi *)t;
    int lost = m->peers[peer].lost;
    if (lost && !outgoing) return PP_OK;
    struct stream *s = calloc(1, sizeof *s);
    if (s && !data && !(s->scratch = malloc(CHUNKS_UNDER_WAY * CHUNK))) free(s), s = NULL;
    if (!s) return ppi_error(PP_ERR_NOMEM, "no memory for a stream");
    s->data = data;
    s->bytes = bytes;
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

static int mpi_progress(struct ppi_transport *t)
{
    struct mpi *m = (struct mpi *)t;
    int moved = test_outgoing(m) + probe(m);
    while (m->forgotten) {
        struct stream *s = m->forgotten; /* its requests keep what they need */
        m->forgotten = s->next;
        s->done(s->ctx);
        free(s);
        moved++;
    }
    for (int i = 0; i < m->active_count;) {
        int peer = m->active[i];
        struct peer *p = &m->peers[peer];
        for (struct request *r = p->incoming; r && !r->done; r = r->next) {
            if (check(MPI_Test(&r->mpi, &r->done, MPI_STATUS_IGNORE), "MPI_Test") != PP_OK) r->bytes = 0, r->done = 1;
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
    struct mpi *m = (struct mpi *)t;
    for (int i = 0; i < m->active_count; i++) {
        struct peer *p = &m->peers[m->active[i]];
        struct request *r = p->incoming;
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
    struct mpi *m = (struct mpi *)t;
    struct peer *p = &m->peers[peer];
    if (!p->lost) t->lost++;
    p->lost = 1;
    for (struct request **at = &m->outgoing; *at;)
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
    const struct mpi *m = (const struct mpi *)t;
    return m->outgoing || m->active_count;
}

static void *finalize_here(void *unused)
{
    MPI_Finalize();
    return unused;
}

/* With a lost rank it may hang (about once in thirty times with Open MPI 4.1): then it is left behind, and ends with us. */
static void finalize(int lost)
{
    struct timespec until;
    pthread_t thread;
    if (!lost || ppi_thread_start(&thread, finalize_here, NULL) != 0) {
        MPI_Finalize();
        return;
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += FINALIZE_PATIENCE_S;
    if (pthread_timedjoin_np(thread, NULL, &until) != 0) {
        pthread_detach(thread);
        ppi_log(PP_LOG_INFO, "MPI_Finalize does not return, with %d ranks lost", lost);
    }
}

static void mpi_close(struct ppi_transport *t)
{
    struct mpi *m = (struct mpi *)t;
    m->closing = 1;
    if (m->keyval != MPI_KEYVAL_INVALID) {
        MPI_Comm_delete_attr(MPI_COMM_SELF, m->keyval);
        MPI_Comm_free_keyval(&m->keyval);
    }
    if (ppi_mpi_runs() && !t->lost) MPI_Comm_free(&m->comm); /* collective: it would wait for the lost */
    if (m->finalize) finalize(t->lost);
    free(m->peers);
    free(m->active);
    free(m);
}

static void mpi_abort(struct ppi_transport *t, int code)
{
    (void)t;
    MPI_Abort(MPI_COMM_WORLD, code);
}

int ppi_mpi_was_initialized(void)
{
    int initialized = 0, finalized = 0;
    MPI_Initialized(&initialized);
    MPI_Finalized(&finalized);
    return initialized || finalized;
}

int ppi_mpi_runs(void)
{
    int initialized = 0, finalized = 0;
    MPI_Initialized(&initialized);
    MPI_Finalized(&finalized);
    return initialized && !finalized;
}

static const struct ppi_transport_ops mpi_ops = {.send = mpi_send,
                                                 .receive = mpi_receive,
                                                 .stream = mpi_stream,
                                                 .progress = mpi_progress,
                                                 .forget = mpi_forget,
                                                 .busy = mpi_busy,
                                                 .close = mpi_close,
                                                 .abort = mpi_abort};

/* Over a duplicate of comm, so that nothing meets the program's messages. NULL without memory. */
static struct mpi *create(MPI_Comm comm)
{
    int size = 0, rank = 0;
    MPI_Comm_size(comm, &size);
    MPI_Comm_rank(comm, &rank);
    struct mpi *m = calloc(1, sizeof *m);
    if (m) m->peers = calloc((size_t)size, sizeof *m->peers);
    if (m) m->active = calloc((size_t)size, sizeof *m->active);
    if (!m || !m->peers || !m->active || check(MPI_Comm_dup(comm, &m->comm), "MPI_Comm_dup") != PP_OK) {
        if (m) free(m->peers), free(m->active);
        free(m);
        return NULL;
    }
    for (int i = 0; i < size; i++) {
        m->peers[i].incoming_end = &m->peers[i].incoming;
        for (int k = 0; k < 2; k++) m->peers[i].streams_end[k] = &m->peers[i].streams[k];
    }
    MPI_Comm_set_errhandler(m->comm, MPI_ERRORS_RETURN);
    m->keyval = MPI_KEYVAL_INVALID;
    m->base.ops = &mpi_ops;
    m->base.rank = rank;
    m->base.size = size;
    return m;
}

static enum ppi_transport_threads threads_of(int provided)
{
    return provided == MPI_THREAD_MULTIPLE     ? PPI_THREADS_ANY
           : provided == MPI_THREAD_SERIALIZED ? PPI_THREADS_CALLER
                                               : PPI_THREADS_OPENER;
}

int ppi_transport_mpi(struct ppi_transport **out, int *argc, char ***argv, int promised, const char *launcher, int shared)
{
    int provided, size = 0, wanted = shared ? MPI_THREAD_MULTIPLE : MPI_THREAD_SERIALIZED;
    int status = check(MPI_Init_thread(argc, argv, wanted, &provided), "MPI_Init_thread");
    if (status != PP_OK) return status;
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (promised > 1 && size == 1) {
        char version[MPI_MAX_LIBRARY_VERSION_STRING] = "";
        int length;
        MPI_Get_library_version(version, &length);
        version[strcspn(version, ",\n")] = '\0';
        MPI_Finalize();
        return ppi_error(PP_ERR_MPI, "the launcher (%s) started %d processes, but each of them is alone in MPI_COMM_WORLD: the program is linked to %s; start it with the launcher of that MPI",
                         launcher, promised, version);
    }
    if (size > 1 && !shared && provided < MPI_THREAD_SERIALIZED) {
        MPI_Finalize();
        return ppi_error(PP_ERR_MPI, "this MPI gives no MPI_THREAD_SERIALIZED (provided: %d)", provided);
    }
    struct mpi *m = create(MPI_COMM_WORLD);
    if (!m) {
        MPI_Abort(MPI_COMM_WORLD, 1);
        return ppi_error(PP_ERR_NOMEM, "no memory for %d ranks", size);
    }
    m->finalize = 1;
    m->base.threads = shared ? threads_of(provided) : PPI_THREADS_OURS;
    *out = &m->base;
    return PP_OK;
}

int ppi_transport_agree(struct ppi_transport *t, int status)
{
    const struct mpi *m = (const struct mpi *)t;
    struct {
        int status, rank;
    } mine = {status, m->base.rank}, first = mine;
    char text[512] = "";
    if (check(MPI_Allreduce(&mine, &first, 1, MPI_2INT, MPI_MINLOC, m->comm), "MPI_Allreduce") != PP_OK) return PP_ERR_MPI;
    if (first.status == PP_OK) return PP_OK;
    if (first.rank == m->base.rank) strncat(text, pp_last_error(), sizeof text - 1);
    if (check(MPI_Bcast(text, sizeof text, MPI_CHAR, first.rank, m->comm), "MPI_Bcast") != PP_OK) return PP_ERR_MPI;
    if (first.rank == m->base.rank) return first.status;
    return ppi_error(first.status, "rank %d of the communicator cannot open: %s", first.rank, text);
}

/* MPI_Finalize deletes the attributes of MPI_COMM_SELF first (MPI 4.0, section 11.2.2): the other ranks would serve on, and it
 * would wait for them for ever. */
static int on_finalize(MPI_Comm self, int keyval, void *value, void *unused)
{
    struct mpi *m = value;
    (void)self, (void)keyval, (void)unused;
    if (m->closing) return MPI_SUCCESS;
    m->keyval = MPI_KEYVAL_INVALID; /* it is being deleted */
    if (m->base.finalizing) m->base.finalizing();
    return MPI_SUCCESS;
}

static void listen_for_finalize(struct mpi *m)
{
    if (MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, on_finalize, &m->keyval, NULL) != MPI_SUCCESS)
        m->keyval = MPI_KEYVAL_INVALID;
    else
        MPI_Comm_set_attr(MPI_COMM_SELF, m->keyval, m);
}

int ppi_transport_comm(struct ppi_transport **out, const void *comm, int status, int *choice)
{
    MPI_Comm parent = *(const MPI_Comm *)comm;
    int inter = 0, provided = MPI_THREAD_SINGLE;
    if (parent == MPI_COMM_NULL) return ppi_error(PP_ERR_ARG, "pp_server_open_comm: the communicator is MPI_COMM_NULL");
    int answer = check(MPI_Comm_test_inter(parent, &inter), "MPI_Comm_test_inter");
    if (answer == PP_OK && inter)
        answer = ppi_error(PP_ERR_ARG, "pp_server_open_comm: the communicator is an intercommunicator; merge it first");
    if (answer != PP_OK) return answer;
    struct mpi *m = create(parent);
    if (!m) return ppi_error(PP_ERR_NOMEM, "pp_server_open_comm: no memory for a communicator of our own");
    status = ppi_transport_agree(&m->base, status);
    if (status == PP_OK) status = check(MPI_Bcast(choice, 1, MPI_INT, 0, m->comm), "MPI_Bcast");
    if (status != PP_OK) {
        mpi_close(&m->base);
        return status;
    }
    MPI_Query_thread(&provided);
    m->base.threads = threads_of(provided);
    listen_for_finalize(m);
    *out = &m->base;
    return PP_OK;
}
