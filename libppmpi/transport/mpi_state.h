/* The transport over MPI, between its files: mpi.c moves messages and streams, mpi_open.c begins and ends, mpi_finalize.c ends MPI.
 * With them the only place of <mpi.h> but for the public <ppmpi_mpi.h>. */
#ifndef PPI_TRANSPORT_MPI_STATE_H
#define PPI_TRANSPORT_MPI_STATE_H

#include "transport/transport.h"

#include <mpi.h>

#define PPI_CHUNKS_UNDER_WAY 4

struct ppi_mpi_request {
    MPI_Request mpi;
    char *message;
    size_t bytes;
    int peer, done;
    struct ppi_mpi_request *next;
};

struct ppi_mpi_stream {
    char *data;
    uint64_t bytes, begun, finished; /* chunks finish in order of beginning */
    const _Atomic uint64_t *there; /* how many bytes may be sent so far; NULL = all */
    ppi_stream_done done;
    void *ctx;
    char *scratch; /* for a stream that is thrown away */
    MPI_Request chunk[PPI_CHUNKS_UNDER_WAY];
    struct ppi_mpi_stream *next;
};

struct ppi_mpi_peer {
    struct ppi_mpi_request *incoming, **incoming_end; /* being received, oldest first */
    struct ppi_mpi_stream *streams[2], **streams_end[2]; /* [outgoing] */
    int listed; /* in mpi->active: has something of the above */
    int lost;
};

struct ppi_mpi {
    struct ppi_transport base;
    MPI_Comm comm;
    struct ppi_mpi_request *outgoing;
    struct ppi_mpi_peer *peers;
    int *active, active_count;
    int finalize;
    struct ppi_mpi_stream *forgotten; /* outgoing to lost peers: to be told to be done */
    int keyval, closing; /* keyval: of the attribute of MPI_COMM_SELF that tells us of MPI_Finalize */
};

extern const struct ppi_transport_ops ppi_mpi_ops;

/* What an MPI call returned, as a status. */
int ppi_mpi_check(int code, const char *what);

/* mpi_open.c: the only way to send. As MPI_Isend of bytes; returns what MPI did. */
int ppi_mpi_isend(struct ppi_mpi *m, const void *data, int bytes, int peer, int tag, MPI_Request *request);

/* mpi_finalize.c. Frees comm, of all ranks, and calls MPI_Finalize. Collective. */
void ppi_mpi_finalize(MPI_Comm *comm);

/* mpi_open.c: the operations of that name. */
void ppi_mpi_close(struct ppi_transport *t);
void ppi_mpi_abort(struct ppi_transport *t, int code);

#endif
