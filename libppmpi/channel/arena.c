#include "channel/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SMALLEST 64
#define PAGE 4096
#define LARGE ((uint64_t)1 << 20)        /* from here on, freed memory may go back to the system */
#define WARM_MAX ((uint64_t)512 << 20)   /* … once more than this waits for reuse */
#define CHECKED ((uint64_t)64 << 20)     /* from here on, look whether the system has it */

static unsigned class_of(uint64_t bytes)
{
    if (bytes <= SMALLEST) return 0;
    unsigned top = 63u - (unsigned)__builtin_clzll(bytes - 1);
    return (top - 6) * 4 + (unsigned)(((bytes - 1) >> (top - 2)) & 3) + 1;
}

static uint64_t bytes_of(unsigned class)
{
    if (class == 0) return SMALLEST;
    unsigned top = (class - 1) / 4 + 6;
    uint64_t bytes = (uint64_t)(5 + (class - 1) % 4) << (top - 2), unit = bytes >= PAGE ? PAGE : SMALLEST;
    return (bytes + unit - 1) / unit * unit;
}

uint64_t ppi_arena_block_bytes(uint64_t bytes)
{
    return bytes_of(class_of(bytes));
}

void ppi_arena_init(struct ppi_arena *arena, char *base, uint64_t start, uint64_t end, size_t guard)
{
    memset(arena, 0, sizeof *arena);
    arena->base = base;
    arena->next = (start + PAGE - 1) / PAGE * PAGE + guard;
    arena->end = end;
    arena->guard = guard;
    if (guard) mprotect(base + arena->next - guard, guard, PROT_NONE);
}

void ppi_arena_fini(struct ppi_arena *arena)
{
    for (unsigned i = 0; i < PPI_ARENA_CLASSES; i++) free(arena->free[i].offsets);
    memset(arena->free, 0, sizeof arena->free);
}

int ppi_memory_available(uint64_t bytes)
{
    if (bytes < CHECKED) return 1;
    FILE *file = fopen("/proc/meminfo", "re");
    if (!file) return 1;
    char line[128];
    unsigned long long kib, available = UINT64_MAX / 1024;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %llu", &kib) == 1) available = kib;
    fclose(file);
    return bytes / 1024 < available;
}

uint64_t ppi_arena_alloc(struct ppi_arena *arena, uint64_t bytes)
{
    if (bytes > arena->end) return 0;
    unsigned class = class_of(bytes);
    uint64_t size = bytes_of(class);
    if (arena->free[class].count) {
        if (size >= LARGE) arena->warm -= arena->warm < size ? arena->warm : size;
        return arena->free[class].offsets[--arena->free[class].count];
    }
    uint64_t guard = arena->guard, start = arena->next;
    if (guard || size >= PAGE) {
        start = (start + PAGE - 1) / PAGE * PAGE;
        if (guard) size = (size + PAGE - 1) / PAGE * PAGE;
    }
    if (start > arena->end || size + guard > arena->end - start || !ppi_memory_available(size)) return 0;
    if (guard && mprotect(arena->base + start + size, guard, PROT_NONE) != 0) return 0;
    arena->next = start + size + guard;
    return start;
}

void ppi_arena_free(struct ppi_arena *arena, uint64_t offset, uint64_t bytes)
{
    unsigned class = class_of(bytes);
    uint64_t size = bytes_of(class);
    if (arena->free[class].count == arena->free[class].room) {
        uint32_t room = arena->free[class].room ? arena->free[class].room * 2 : 64;
        uint64_t *grown = realloc(arena->free[class].offsets, room * sizeof *grown);
        if (!grown) return; /* the block is not used again: better than failing to free */
        arena->free[class].offsets = grown;
        arena->free[class].room = room;
    }
    arena->free[class].offsets[arena->free[class].count++] = offset;
    if (size < LARGE) return;
    if (arena->warm + size > WARM_MAX)
        madvise(arena->base + offset, size, MADV_REMOVE);
    else
        arena->warm += size;
}
