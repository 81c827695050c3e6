/* What a rank shares with its workers: made before the fork server is forked, so that every worker inherits it.
 * Requests, functions, arguments and shared data are the rank's to write, read-only in workers; the doorbell is
 * everybody's. */
#ifndef PPI_CHANNEL_WORKSPACE_H
#define PPI_CHANNEL_WORKSPACE_H

#include "channel/arena.h"
#include "channel/channel.h"
#include "channel/doorbell.h"
#include "channel/peer_memory.h"
#include "channel/segment.h"

#define PPI_WORKERS_MAX 1024    /* worker slots of one rank */
#define PPI_FUNCTIONS_MAX 4096  /* different functions of one program */
#define PPI_FUNCTION_BYTES 1280 /* of one entry of the table: a struct ppi_function_ref */
#define PPI_SHARED_MAX (1u << 18) /* objects of pp_share that there can be at once */
#define PPI_SHARED_NOTE_BYTES 16  /* of what a rank notes of each: a struct ppi_shared_note */

/* What the rank tells all its workers. */
struct ppi_board {
    _Alignas(4096) _Atomic uint32_t may_spin; /* 1: there are idle cores; who waits may poll before it sleeps */
    _Atomic uint32_t one_core; /* 1: who is woken, and who wakes, can run only in turn */
    uint32_t has_initializer;  /* the rest is set before the workers start */
    uint64_t warm_max;        /* for their arenas of results; the same as of ours */
    _Atomic uint64_t promised; /* bytes of the arena that data on its way will fill */
    uint64_t nonce;           /* the doorbell's: tells this memory from any other */
    struct ppi_job initializer;
};

struct ppi_workspace {
    struct ppi_segment bell_segment, segment;
    struct ppi_segment shared;      /* what pp_share has given to the node, see share/; of another rank, where that holds it */
    struct ppi_doorbell *bell;
    struct ppi_board *board;
    char *functions;                /* PPI_FUNCTIONS_MAX entries */
    char *shared_notes;             /* PPI_SHARED_MAX entries: what this rank knows of the shared data */
    struct ppi_requests *requests;  /* PPI_WORKERS_MAX */
    struct ppi_arena arena;         /* of arguments and of other data for workers */
    struct ppi_peer_memory server;  /* rank 0's segment, where this rank reads arguments in place */
    int kept; /* for the next farm: destroying it gives its memory back, and the mappings stay */
};

/* arena_bytes 0 = as much as the machine could hold. */
int ppi_workspace_create(struct ppi_workspace *out, uint64_t arena_bytes);
void ppi_workspace_destroy(struct ppi_workspace *workspace);

/* For the next farm, a copy of a workspace that is kept and was not used itself. */
void ppi_workspace_renew(const struct ppi_workspace *workspace, struct ppi_workspace *out);

/* In a worker process: from now on everything but the doorbell is read-only. */
void ppi_workspace_protect(struct ppi_workspace *workspace);

#endif
