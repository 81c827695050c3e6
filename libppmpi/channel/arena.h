/* Allocator of blocks in a shared segment, for its one writer. Blocks are known by their offset; what is free is kept in
 * private memory, out of reach of the segment's readers. Size classes, four to a doubling; freed blocks are
 * handed out again while they are warm: the first touch of fresh shared memory costs several times a warm copy. */
#ifndef PPI_CHANNEL_ARENA_H
#define PPI_CHANNEL_ARENA_H

#include <stddef.h>
#include <stdint.h>

#define PPI_ARENA_CLASSES 168

struct ppi_arena {
    char *base; /* of the segment: offsets count from here, so that no block has offset 0 */
    uint64_t next, end;
    size_t guard; /* bytes between blocks that nobody may touch; 0 = none */
    uint64_t warm;
    struct {
        uint64_t *offsets;
        uint32_t count, room;
    } free[PPI_ARENA_CLASSES];
};

/* The arena is [start, end) of the memory at base. */
void ppi_arena_init(struct ppi_arena *arena, char *base, uint64_t start, uint64_t end, size_t guard);
void ppi_arena_fini(struct ppi_arena *arena);

/* Offset of a block of at least so many bytes, 64-byte aligned; 0 when there is no room or no memory. */
uint64_t ppi_arena_alloc(struct ppi_arena *arena, uint64_t bytes);

/* bytes as they were asked for. */
void ppi_arena_free(struct ppi_arena *arena, uint64_t offset, uint64_t bytes);

/* How many bytes a block for so many bytes really has. */
uint64_t ppi_arena_block_bytes(uint64_t bytes);

/* 0 when the system has clearly less than so much memory left; then better an error than the OOM killer. */
int ppi_memory_available(uint64_t bytes);

#endif
