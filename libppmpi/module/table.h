/* Code that travels: the modules that tasks need and that a node may not have.
 *
 * The server gives each of them a number, which holds in the whole farm. On every node a table, in the memory
 * that its workers share, says of each what it is and where it can be had: the table is the holder's to write
 * (see share/), and so are the images, which are files without a name (hold.h). Workers read both, when a task
 * needs a function that they do not have yet (load.h), whether they were started before or after. Entries are
 * never taken back while the farm is open. */
#ifndef PPI_MODULE_TABLE_H
#define PPI_MODULE_TABLE_H

#include "channel/workspace.h"
#include "function/function.h"

#include <stdatomic.h>
#include <stdint.h>

#define PPI_MODULES_MAX 1024 /* of one farm */
#define PPI_MODULE_ALIAS_MAX 128

/* What it is, in terms that hold everywhere. */
struct ppi_module_info {
    unsigned char build_id[PPI_BUILD_ID_MAX];
    int build_id_bytes;
    int linked;                       /* 1: the program is linked to it, to another build where it is not this one */
    uint64_t bytes;                   /* of its file */
    char path[1024];                  /* of its file in rank 0 */
    char alias[PPI_MODULE_ALIAS_MAX]; /* the name by which others need it: its SONAME, or else that of its file */
};

enum ppi_module_state { PPI_MODULE_NONE, PPI_MODULE_ARRIVING, PPI_MODULE_READY, PPI_MODULE_FAILED };

struct ppi_module_entry {
    _Atomic uint32_t state; /* goes forward only: readers wait for it to change */
    int32_t fd;             /* READY: descriptor of process pid; -1 = whoever needs it has it loaded */
    int64_t pid;
    int32_t status; /* FAILED: why */
    char why[512];
    struct ppi_module_info info;
};

/* For the holder, one thread at a time. */
struct ppi_module_entry *ppi_module_entry(const struct ppi_workspace *workspace, uint32_t number);
void ppi_module_publish(struct ppi_module_entry *entry, enum ppi_module_state state);

static inline enum ppi_module_state ppi_module_state(const struct ppi_module_entry *entry)
{
    return (enum ppi_module_state)atomic_load(&entry->state);
}

/* For readers: the entry once it is READY or FAILED. Until then meanwhile(ctx), which may be NULL, is called
 * again and again where it is this thread that has to receive it; it returns 0 when nothing has come. */
const struct ppi_module_entry *ppi_module_wait(const struct ppi_workspace *workspace, uint32_t number,
                                               int (*meanwhile)(void *ctx), void *ctx);

#endif
