/* Moves messages and streams between ranks. One thread at a time calls it. Nothing here waits for a peer.
 *
 * Messages between two ranks arrive in the order of sending, and so do streams; between a message and a stream there is no
 * order. Large data is streamed: in chunks, several under way, from where it lies to where it is to lie. */
#ifndef PPI_TRANSPORT_TRANSPORT_H
#define PPI_TRANSPORT_TRANSPORT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct ppi_transport;
typedef void (*ppi_stream_done)(void *ctx);

struct ppi_transport_ops {
    /* Takes the message (malloc'ed) over. PP_ERR_MPI when MPI refuses. */
    int (*send)(struct ppi_transport *t, int peer, char *message, size_t bytes);
    /* The next message that has arrived: 1, the caller frees it; 0 = none. */
    int (*receive)(struct ppi_transport *t, int *peer, char **message, size_t *bytes);
    /* Sends or receives bytes > 0 of data, and calls done from a later progress. Incoming with data NULL: thrown away. */
    int (*stream)(struct ppi_transport *t, int peer, int outgoing, void *data, uint64_t bytes, ppi_stream_done done,
                  void *ctx);
    /* The same for outgoing data that is still being written: its first *there bytes may be sent. *there grows until it is bytes,
     * and is looked at by progress until done is called. */
    int (*stream_growing)(struct ppi_transport *t, int peer, void *data, uint64_t bytes, const _Atomic uint64_t *there,
                          ppi_stream_done done, void *ctx);
    /* Moves things on. Returns how much moved. */
    int (*progress)(struct ppi_transport *t);
    /* The peer is lost: nothing that is under way from or to it will arrive. Outgoing streams are told to be done by a later
     * progress; their memory may still be read, but it does not matter any more what stands there. Of incoming ones nobody hears:
     * their memory may still be written, and must not be used again. What the peer may still send is received. */
    void (*forget)(struct ppi_transport *t, int peer);
    /* True while a send or a stream is under way: then do not sleep for long. */
    int (*busy)(const struct ppi_transport *t);
    /* Ends all; the peers have to as well. */
    void (*close)(struct ppi_transport *t);
    /* Ends the whole job at once. */
    void (*abort)(struct ppi_transport *t, int code);
};

/* Who may call it, where the program calls MPI too. */
enum ppi_transport_threads {
    PPI_THREADS_OURS,   /* the library alone calls MPI: any thread, one at a time */
    PPI_THREADS_ANY,    /* MPI_THREAD_MULTIPLE: the same */
    PPI_THREADS_CALLER, /* MPI_THREAD_SERIALIZED: threads that the program has sent into a pp_ call */
    PPI_THREADS_OPENER  /* less: only the thread that opened */
};

struct ppi_transport {
    const struct ppi_transport_ops *ops;
    int rank, size;
    enum ppi_transport_threads threads;
    int lost; /* peers that will take no part in closing */
    void (*finalizing)(void); /* of ppi_transport_comm: called when the program finalises MPI while this is open; or NULL */
};

/* mpi_open.c. Initialises MPI. promised: ranks that the launcher's environment promises, 0 = unknown; a different number of
 * ranks is an error (a launcher of one MPI with a program of another). shared: the program's tasks may call MPI too. */
int ppi_transport_mpi(struct ppi_transport **out, int *argc, char ***argv, int promised, const char *launcher, int shared);

/* mpi_open.c, over a communicator of a program that runs MPI itself. comm points to an MPI_Comm. Collective: all ranks get the same
 * status: PP_OK when each has passed PP_OK, otherwise that of a rank that has not, and all get its error text. choice: rank 0's
 * value is given to all. */
int ppi_transport_comm(struct ppi_transport **out, const void *comm, int status, int *choice);

/* The same agreement later on. Blocks until all ranks have called it: only where all of them do, before anything is sent. */
int ppi_transport_agree(struct ppi_transport *t, int status);

/* Of MPI as a whole: initialised at some time; initialised and not finalised. */
int ppi_mpi_was_initialized(void);
int ppi_mpi_runs(void);

/* loopback.c: n ends in one process, for tests. Each end may be used by another thread. */
int ppi_transport_loopback(struct ppi_transport **out, int n);

#endif
