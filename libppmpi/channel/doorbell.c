#include "channel/doorbell.h"

#include "base/futex.h"

uint32_t ppi_doorbell_listen(struct ppi_doorbell *bell, enum ppi_listener who)
{
    uint32_t ticket = atomic_load(&bell->rings[who]);
    atomic_store(&bell->listener, (uint32_t)who); /* seq_cst: before the caller looks for work */
    return ticket;
}

void ppi_doorbell_sleep(struct ppi_doorbell *bell, enum ppi_listener who, uint32_t ticket, uint64_t timeout_ns)
{
    ppi_futex_wait(&bell->rings[who], ticket, timeout_ns);
    uint32_t mine = (uint32_t)who;
    atomic_compare_exchange_strong(&bell->listener, &mine, PPI_LISTENER_NONE);
}

void ppi_doorbell_silence(struct ppi_doorbell *bell)
{
    /* Relaxed look first: the line is shared with all workers. */
    if (atomic_load_explicit(&bell->listener, memory_order_relaxed) != PPI_LISTENER_NONE)
        atomic_store_explicit(&bell->listener, PPI_LISTENER_NONE, memory_order_relaxed);
}

void ppi_doorbell_wake(struct ppi_doorbell *bell, uint32_t who)
{
    if (who >= PPI_LISTENERS) return; /* scribbled over by a task */
    atomic_fetch_add(&bell->rings[who], 1);
    ppi_futex_wake(&bell->rings[who], 1);
}
