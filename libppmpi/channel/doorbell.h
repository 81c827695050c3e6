/* The doorbell of a rank: a word in shared memory that workers, the fork server and peers on the same node ring when
 * they have something for it. At most one thread listens at a time: the one that waits inside a pp_ call, or else
 * the background thread; each sleeps on a word of its own, so that a ring wakes the right one. */
#ifndef PPI_CHANNEL_DOORBELL_H
#define PPI_CHANNEL_DOORBELL_H

#include <stdatomic.h>
#include <stdint.h>

enum ppi_listener { PPI_LISTENER_NONE, PPI_LISTENER_WAITER, PPI_LISTENER_BACKGROUND, PPI_LISTENERS };

struct ppi_doorbell {
    _Alignas(64) _Atomic uint32_t listener;
    _Atomic uint32_t rings[PPI_LISTENERS];
    _Atomic uint64_t quiet_until_ns; /* CLOCK_MONOTONIC: until then the listener need not hear of what can wait */
    uint64_t nonce;          /* tells this doorbell from any other memory, see peer_bell.h */
    _Atomic uint32_t deaths; /* counted up by the fork server for each report that waits on its socket */
    _Atomic uint64_t hold_ns; /* how long the fork server holds the rank's connections when the rank has died, see hold.h */
};

/* From the moment of this call a ring is not missed: announce, look whether there is work, then sleep. Returns the
 * ticket for ppi_doorbell_sleep. */
uint32_t ppi_doorbell_listen(struct ppi_doorbell *bell, enum ppi_listener who);

/* Sleeps until rung after the listen that gave the ticket, or for timeout_ns. The listener is then none, if it was us. */
void ppi_doorbell_sleep(struct ppi_doorbell *bell, enum ppi_listener who, uint32_t ticket, uint64_t timeout_ns);

void ppi_doorbell_silence(struct ppi_doorbell *bell); /* nobody listens: rings cost nothing */

/* Wakes who, announced or not. */
void ppi_doorbell_wake(struct ppi_doorbell *bell, uint32_t who);

/* Wakes the listener, if there is one: 1. What it is to see must have been published before, with seq_cst. */
static inline int ppi_doorbell_ring(struct ppi_doorbell *bell)
{
    /* seq_cst pairs with the listen: either we see the listener, or it sees what we published. */
    uint32_t who = atomic_load(&bell->listener);
    if (who == PPI_LISTENER_NONE) return 0;
    /* One of several ringers does the system call. */
    if (!atomic_compare_exchange_strong(&bell->listener, &who, PPI_LISTENER_NONE)) return 0;
    ppi_doorbell_wake(bell, who);
    return 1;
}

/* The same when it was published otherwise, as by MPI: a read alone could be done before the writes of others' code are seen. */
static inline void ppi_doorbell_ring_for_message(struct ppi_doorbell *bell)
{
    if (atomic_fetch_or(&bell->listener, 0) != PPI_LISTENER_NONE) ppi_doorbell_ring(bell);
}

#endif
