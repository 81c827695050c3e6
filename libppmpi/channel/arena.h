/* Allocator of blocks in a shared segment, for its one writer. Blocks are known by their offset; what is free is kept in
 * private memory, out of reach of the segment's readers. Size classes, four to a doubling: what a block has beyond what was
 * asked for is address space, not memory, as long as nobody touches it.
 *
 * Freed blocks are handed out again while they are warm, the last one first: the first touch of fresh shared memory costs
 * several times a warm copy. Small ones stay in their class. Large ones wait as long as they are not too much together; then the
 * oldest lose their memory (they are cold), join with cold neighbours, and what that gives is cut anew, so that
 * address space does not run out whatever sizes come one after the other. */
#ifndef PPI_CHANNEL_ARENA_H
#define PPI_CHANNEL_ARENA_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define PPI_ARENA_LARGE ((uint64_t)256 << 10)    /* bytes; smaller blocks never go back to the system */
#define PPI_ARENA_WARM_MAX ((uint64_t)2 << 30)   /* that wait for reuse, at most; half of it for one block */
#define PPI_ARENA_SMALL_CLASSES 49               /* up to PPI_ARENA_LARGE */

struct ppi_range {
    uint64_t offset, bytes; /* guard behind included */
};

struct ppi_ranges {
    struct ppi_range *at;
    size_t count, room;
};

struct ppi_arena {
    char *base; /* of the segment: offsets count from here, so that no block has offset 0 */
    uint64_t next, end; /* from next on, nothing was ever used */
    size_t guard; /* bytes between blocks that nobody may touch; 0 = none */
    const _Atomic uint64_t *promised; /* see base/memory.h; NULL = nothing */
    uint64_t unseen; /* fresh memory handed out since we last looked whether there is any */
    uint64_t warm_bytes, warm_max;
    struct ppi_ranges warm; /* large, in order of freeing */
    struct ppi_ranges dying; /* to be made cold; see ppi_arena_dying */
    struct ppi_ranges cold; /* in order of offset */
    struct {
        uint64_t *offsets;
        uint32_t count, room;
    } free[PPI_ARENA_SMALL_CLASSES];
};

/* The arena is [start, end) of the memory at base. */
void ppi_arena_init(struct ppi_arena *arena, char *base, uint64_t start, uint64_t end, size_t guard);
void ppi_arena_fini(struct ppi_arena *arena);

/* Offset of a block of at least so many bytes, 64-byte aligned; 0 when there is no room or no memory. fresh (may be
 * NULL): 1 when its pages have never been touched, see base/memory.h. */
uint64_t ppi_arena_alloc(struct ppi_arena *arena, uint64_t bytes, int *fresh);

/* bytes as they were asked for. */
void ppi_arena_free(struct ppi_arena *arena, uint64_t offset, uint64_t bytes);

/* Makes a large block larger where it is. 0 when what is behind it is taken. */
int ppi_arena_extend(struct ppi_arena *arena, uint64_t offset, uint64_t bytes, uint64_t wanted);

/* Whether a block of so many bytes waits for reuse when it is freed, and `already` do. */
static inline int ppi_arena_keeps(const struct ppi_arena *arena, uint64_t bytes, uint64_t already)
{
    return bytes <= arena->warm_max / 2 && already + bytes <= arena->warm_max;
}

/* How many bytes a block for so many bytes really has. */
uint64_t ppi_arena_block_bytes(uint64_t bytes);

/* Taking memory away takes long where there is much of it. Who has a lock calls these three: while dying gives 1, it
 * calls ppi_memory_remove on base + offset without the lock, then died with it. Others call ppi_arena_purge. */
int ppi_arena_dying(struct ppi_arena *arena, struct ppi_range *out);
void ppi_arena_died(struct ppi_arena *arena, struct ppi_range range);
void ppi_arena_purge(struct ppi_arena *arena);

#endif
