#include "module/table.h"

#include "base/futex.h"
#include "share/share.h"

#include <limits.h>
#include <unistd.h>

#define PAUSE_US 20

_Static_assert(sizeof(struct ppi_module_entry) * PPI_MODULES_MAX <= PPI_SHARED_MODULES_BYTES,
               "the node's memory has room for the table");

struct ppi_module_entry *ppi_module_entry(const struct ppi_workspace *workspace, uint32_t number)
{
    return (struct ppi_module_entry *)ppi_shared_modules(workspace) + number % PPI_MODULES_MAX;
}

void ppi_module_publish(struct ppi_module_entry *entry, enum ppi_module_state state)
{
    atomic_store(&entry->state, (uint32_t)state); /* seq_cst: after what the entry says */
    ppi_futex_wake(&entry->state, INT_MAX);
}

const struct ppi_module_entry *ppi_module_wait(const struct ppi_workspace *workspace, uint32_t number,
                                               int (*meanwhile)(void *ctx), void *ctx)
{
    struct ppi_module_entry *entry = ppi_module_entry(workspace, number);
    for (;;) {
        uint32_t state = atomic_load(&entry->state);
        if (state >= PPI_MODULE_READY) return entry;
        if (!meanwhile)
            ppi_futex_wait(&entry->state, state, PPI_FOREVER);
        else if (!meanwhile(ctx))
            usleep(PAUSE_US);
    }
}
