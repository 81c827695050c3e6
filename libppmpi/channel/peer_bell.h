/* The doorbell of another rank on the same node: opened through /proc, where that is allowed. */
#ifndef PPI_CHANNEL_PEER_BELL_H
#define PPI_CHANNEL_PEER_BELL_H

#include "channel/workspace.h"

#include <sys/types.h>

/* A number that tells this workspace's doorbell from any other memory. */
uint64_t ppi_bell_nonce(const struct ppi_workspace *workspace);

/* Descriptor fd of process pid as one of ours, how being O_RDONLY or O_RDWR; -1 when it is not to be had. */
int ppi_peer_open(long pid, int fd, int how);

/* Whether that number stands there: it is the memory that its owner has told of, and nothing that has come in its place. */
int ppi_peer_is_marked(int file, off_t at, uint64_t nonce);

/* Maps descriptor fd of process pid; NULL when it is not to be had or is not that doorbell. */
struct ppi_doorbell *ppi_bell_open(long pid, int fd, uint64_t nonce);
/* A descriptor that becomes readable when the process ends; -1 when there is none to be had. Only of a process whose doorbell was
 * found: in another container the number would mean another process. */
int ppi_bell_pidfd(long pid);
int ppi_bell_has_ended(int pidfd); /* 0 also where pidfd is -1 */
void ppi_bell_close(struct ppi_doorbell *bell);

#endif
