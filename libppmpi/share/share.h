/* Shared data: what pp_share gives to every task, once per node.
 *
 * The memory of a node is one segment (`shared` of the workspace), which belongs to the lowest rank there, the holder. The
 * workers of the holder have inherited it; the node's other ranks open it through /proc and put it in the place of their
 * own (ppi_shared_adopt), their fork servers too, before the workers are started. A rank that is not allowed to is
 * its own holder. So an object has the same address in all processes of a rank, whenever they were started.
 *
 * Two tables say what there is. The notes, one per object and rank, are written by the rank itself in the order in which the
 * server tells it of tasks and of shared data: a task that may see an object finds its note. The entries, one per
 * object and node, are written by the holder, and say where the data lies; they may come after the task, which then
 * waits. Both are read-only for workers.
 *
 * An object is known by a serial number, never used twice in a process, and its index in the tables. */
#ifndef PPI_SHARE_SHARE_H
#define PPI_SHARE_SHARE_H

#include "channel/workspace.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define PPI_SHARED_MODULES_BYTES ((size_t)2 << 20) /* of the table of what travels as code, see module/ */

#define PPI_SHARED_ALL UINT64_MAX /* number of a task: the program itself */

static inline uint64_t ppi_shared_id(uint64_t serial, uint32_t index)
{
    return serial * PPI_SHARED_MAX + index;
}

static inline uint32_t ppi_shared_index(uint64_t id)
{
    return (uint32_t)(id % PPI_SHARED_MAX);
}

static inline uint64_t ppi_shared_serial(uint64_t id)
{
    return id / PPI_SHARED_MAX;
}

/* ---- what the tables hold */

struct ppi_shared_note {
    _Atomic uint64_t serial; /* 0 = nothing */
    _Atomic uint64_t until;  /* the last task that may see it */
};

enum ppi_shared_state { PPI_SHARED_NONE, PPI_SHARED_ARRIVING, PPI_SHARED_READY, PPI_SHARED_FAILED };

struct ppi_shared_entry {
    _Atomic uint64_t serial;
    _Atomic uint64_t offset, bytes; /* in the segment */
    _Atomic uint32_t word;          /* a count of changes above the state: readers wait for it to change */
    uint32_t reserved;
};

/* ---- reading, in workers and in rank 0's program */

/* Where the object lies, for the task of that number. PP_OK; PP_TIMEOUT when it is still on its way, and *ticket is for
 * ppi_shared_wait; PP_ERR_HANDLE when it is not for this task, or never was; PP_ERR_NOMEM when the node had no room. */
int ppi_shared_look(const struct ppi_workspace *workspace, uint64_t id, uint64_t number, const void **data, size_t *bytes,
                    uint32_t *ticket);

/* Sleeps until it may be there. */
void ppi_shared_wait(const struct ppi_workspace *workspace, uint64_t id, uint32_t ticket);

/* The node's table of modules, which the holder writes. */
void *ppi_shared_modules(const struct ppi_workspace *workspace);

/* ---- writing, in the ranks: one thread at a time, or under the server's lock */

struct ppi_shared_block { /* was freed, and has memory that is to go back to the system */
    uint64_t offset, bytes, removed;
    struct ppi_shared_block *next;
};

struct ppi_shared_store {
    struct ppi_workspace *workspace;
    struct ppi_arena arena;
    int is_holder;
    struct ppi_shared_block *gone;
};

void ppi_shared_init(struct ppi_shared_store *store, struct ppi_workspace *workspace);
void ppi_shared_fini(struct ppi_shared_store *store);

/* Takes the segment of the holder, descriptor fd of process pid, instead of our own. Returns a descriptor of it for the
 * pool, or -1 when it is not to be had: then we are holder. */
int ppi_shared_adopt(struct ppi_shared_store *store, long pid, int fd, uint64_t nonce);

/* In another process of the rank, which has the workspace too: the same by that descriptor. 0 when it cannot be mapped. */
int ppi_shared_map(struct ppi_workspace *workspace, int fd);

/* The notes. From announce on the rank's tasks know the object; after limit only those numbered up to `until`. */
void ppi_shared_announce(struct ppi_shared_store *store, uint64_t id);
void ppi_shared_limit(struct ppi_shared_store *store, uint64_t id, uint64_t until);

/* The holder's memory. reserve: offset of a block, 0 without memory. fill: PP_ERR_NOMEM, PP_ERR_ARG when data cannot be
 * read; may be called without a lock. */
uint64_t ppi_shared_reserve(struct ppi_shared_store *store, uint64_t bytes);
int ppi_shared_fill(struct ppi_shared_store *store, uint64_t offset, const void *data, uint64_t bytes);
void ppi_shared_free(struct ppi_shared_store *store, uint64_t offset, uint64_t bytes);

/* The holder's entries. publish: ARRIVING, READY or FAILED, and wakes who waits. arrived: of one that was ARRIVING;
 * its block is freed when the object was dropped meanwhile. drop: 1 when the caller is to free the block, 0
 * when there is none, or when its arrival will free it. */
void ppi_shared_publish(struct ppi_shared_store *store, uint64_t id, uint64_t offset, uint64_t bytes, enum ppi_shared_state state);
void ppi_shared_arrived(struct ppi_shared_store *store, uint64_t id, uint64_t offset, uint64_t bytes);
uint64_t ppi_shared_in_place_of(const struct ppi_shared_store *store, uint64_t id); /* the object that has its index now */
int ppi_shared_drop(struct ppi_shared_store *store, uint64_t id, uint64_t *offset, uint64_t *bytes);

/* Memory of freed blocks goes back to the system in parts, so that nobody waits long for it. take: some blocks, or NULL.
 * remove: a part of them, without a lock. put: after that; what is left comes again. */
struct ppi_shared_block *ppi_shared_take_gone(struct ppi_shared_store *store);
void ppi_shared_remove(const struct ppi_shared_store *store, struct ppi_shared_block *blocks);
void ppi_shared_put_gone(struct ppi_shared_store *store, struct ppi_shared_block *blocks);

#endif
