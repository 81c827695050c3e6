/* Connections of a rank that has died are held open for a while, by its fork server. The kernel would break them at once, and Open
 * MPI 4.1, when it finds that while it sends, runs in a circle for ever: in rank 0, which would take the job along. Held, they
 * just swallow what is sent, until the server knows by the heartbeat that the rank is lost and sends nothing any more. */
#ifndef PPI_WORKER_HOLD_H
#define PPI_WORKER_HOLD_H

#include "worker/pool.h"

/* In the rank, again and again, since MPI opens connections as it needs them: passes those to other hosts that are new to the fork
 * server, which holds them for so long after our end. Nothing to do where workers are no processes. */
void ppi_hold_connections(struct ppi_pool *pool, uint64_t hold_ns);
/* The rank ends in order: nothing is to be held. */
void ppi_hold_nothing(struct ppi_pool *pool);

/* In the fork server: a connection that was passed; and at the end, until all peers have closed theirs, at most for the time that
 * was said. */
void ppi_hold_keep(int fd);
void ppi_hold_on(const struct ppi_workspace *workspace);
/* What was said; 0 = nothing is to be held. */
uint64_t ppi_hold_ns(const struct ppi_workspace *workspace);

#endif
