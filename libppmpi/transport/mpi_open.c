/* The transport over MPI: how it begins and ends. */
#include "transport/mpi_state.h"

#include "base/pipe.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

#define TAG_OF_NOBODY 99

void ppi_mpi_close(struct ppi_transport *t)
{
    struct ppi_mpi *m = (struct ppi_mpi *)t;
    m->closing = 1;
    if (m->keyval != MPI_KEYVAL_INVALID) {
        MPI_Comm_delete_attr(MPI_COMM_SELF, m->keyval);
        MPI_Comm_free_keyval(&m->keyval);
    }
    /* All of this is collective, and would wait for the lost. The launcher does not mind if MPI_Finalize is not called. */
    if (ppi_mpi_runs() && !t->lost) {
        if (m->finalize)
            ppi_mpi_finalize(&m->comm);
        else
            MPI_Comm_free(&m->comm);
    }
    free(m->peers);
    free(m->active);
    free(m);
}

void ppi_mpi_abort(struct ppi_transport *t, int code)
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

/* Open MPI 4.1: a send that finds a TCP connection broken leaves an event for a descriptor that is closed, on which MPI then runs for
 * ever. With a look at the connections right before it, it is nearly always that look which finds it, and that goes well; see also
 * worker/hold.h. */
int ppi_mpi_isend(struct ppi_mpi *m, const void *data, int bytes, int peer, int tag, MPI_Request *request)
{
#ifdef OPEN_MPI
    int found;
    MPI_Iprobe(m->base.rank, TAG_OF_NOBODY, m->comm, &found, MPI_STATUS_IGNORE);
#endif
    return MPI_Isend(data, bytes, MPI_BYTE, peer, tag, m->comm, request);
}

/* ---- operations in which MPI writes to peers, of which some may have died */

static int guarded_send(struct ppi_transport *t, int peer, char *message, size_t bytes)
{
    ppi_pipe_enter();
    int status = ppi_mpi_ops.send(t, peer, message, bytes);
    ppi_pipe_leave();
    return status;
}

static int guarded_stream(struct ppi_transport *t, int peer, int outgoing, void *data, uint64_t bytes, ppi_stream_done done,
                          void *ctx)
{
    ppi_pipe_enter();
    int status = ppi_mpi_ops.stream(t, peer, outgoing, data, bytes, done, ctx);
    ppi_pipe_leave();
    return status;
}

static int guarded_progress(struct ppi_transport *t)
{
    ppi_pipe_enter();
    int moved = ppi_mpi_ops.progress(t);
    ppi_pipe_leave();
    return moved;
}

static struct ppi_transport_ops guarded;

/* ---- beginning */

/* Over a duplicate of comm, so that nothing meets the program's messages. NULL without memory. */
static struct ppi_mpi *create(MPI_Comm comm)
{
    int size = 0, rank = 0;
    MPI_Comm_size(comm, &size);
    MPI_Comm_rank(comm, &rank);
    struct ppi_mpi *m = calloc(1, sizeof *m);
    if (m) m->peers = calloc((size_t)size, sizeof *m->peers);
    if (m) m->active = calloc((size_t)size, sizeof *m->active);
    if (!m || !m->peers || !m->active || ppi_mpi_check(MPI_Comm_dup(comm, &m->comm), "MPI_Comm_dup") != PP_OK) {
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
    guarded = ppi_mpi_ops;
    guarded.send = guarded_send;
    guarded.stream = guarded_stream;
    guarded.progress = guarded_progress;
    m->base.ops = &guarded;
    ppi_pipe_guard();
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
    int status = ppi_mpi_check(MPI_Init_thread(argc, argv, wanted, &provided), "MPI_Init_thread");
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
    struct ppi_mpi *m = create(MPI_COMM_WORLD);
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
    const struct ppi_mpi *m = (const struct ppi_mpi *)t;
    struct {
        int status, rank;
    } mine = {status, m->base.rank}, first = mine;
    char text[512] = "";
    if (ppi_mpi_check(MPI_Allreduce(&mine, &first, 1, MPI_2INT, MPI_MINLOC, m->comm), "MPI_Allreduce") != PP_OK) return PP_ERR_MPI;
    if (first.status == PP_OK) return PP_OK;
    if (first.rank == m->base.rank) strncat(text, pp_last_error(), sizeof text - 1);
    if (ppi_mpi_check(MPI_Bcast(text, sizeof text, MPI_CHAR, first.rank, m->comm), "MPI_Bcast") != PP_OK) return PP_ERR_MPI;
    if (first.rank == m->base.rank) return first.status;
    return ppi_error(first.status, "rank %d of the communicator cannot open: %s", first.rank, text);
}

/* MPI_Finalize deletes the attributes of MPI_COMM_SELF first (MPI 4.0, section 11.2.2): the other ranks would serve on, and it
 * would wait for them for ever. */
static int on_finalize(MPI_Comm self, int keyval, void *value, void *unused)
{
    struct ppi_mpi *m = value;
    (void)self, (void)keyval, (void)unused;
    if (m->closing) return MPI_SUCCESS;
    m->keyval = MPI_KEYVAL_INVALID; /* it is being deleted */
    if (m->base.finalizing) m->base.finalizing();
    return MPI_SUCCESS;
}

static void listen_for_finalize(struct ppi_mpi *m)
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
    int answer = ppi_mpi_check(MPI_Comm_test_inter(parent, &inter), "MPI_Comm_test_inter");
    if (answer == PP_OK && inter)
        answer = ppi_error(PP_ERR_ARG, "pp_server_open_comm: the communicator is an intercommunicator; merge it first");
    if (answer != PP_OK) return answer;
    struct ppi_mpi *m = create(parent);
    if (!m) return ppi_error(PP_ERR_NOMEM, "pp_server_open_comm: no memory for a communicator of our own");
    status = ppi_transport_agree(&m->base, status);
    if (status == PP_OK) status = ppi_mpi_check(MPI_Bcast(choice, 1, MPI_INT, 0, m->comm), "MPI_Bcast");
    if (status != PP_OK) {
        ppi_mpi_close(&m->base);
        return status;
    }
    MPI_Query_thread(&provided);
    m->base.threads = threads_of(provided);
    listen_for_finalize(m);
    *out = &m->base;
    return PP_OK;
}
