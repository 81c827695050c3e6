/* The fork server's process and what it and the pool say to each other over a socket. */
#ifndef PPI_WORKER_FORKSERVER_H
#define PPI_WORKER_FORKSERVER_H

#include "worker/pool.h"

enum ppi_fork_request_kind { PPI_FORK_START, PPI_FORK_KILL, PPI_FORK_MAP_SHARED, PPI_FORK_MAP_SERVER, PPI_FORK_HOLD };

struct ppi_fork_request {
    enum ppi_fork_request_kind kind;
    struct ppi_worker_start start; /* KILL: slot and serial. START: the descriptors travel beside, in the order segment,
                                    * write_fd[2], read_fd[2]. MAP_…, HOLD: nothing but a descriptor */
};

#define PPI_FORK_FDS 5

/* Makes the fork server; the calling process must have one thread. Gives the socket and the stub's pid. */
int ppi_forkserver_create(struct ppi_workspace *workspace, int *socket, long *stub);

/* The body of the fork server. Never returns. */
_Noreturn void ppi_forkserver_run(struct ppi_workspace *workspace, int socket);

/* The body of a worker process, from fork to exit. */
_Noreturn void ppi_worker_process(struct ppi_workspace *workspace, const struct ppi_worker_start *start, long parent);

/* Kills every child of this process that `is_ours` does not know, and theirs, until none is left. */
void ppi_kill_strangers(int (*is_ours)(long pid));

#endif
