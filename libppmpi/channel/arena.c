#include "channel/arena.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SMALLEST 64
#define PAGE 4096

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
    arena->warm_max = PPI_ARENA_WARM_MAX;
    if (guard) mprotect(base + arena->next - guard, guard, PROT_NONE);
}

void ppi_arena_fini(struct ppi_arena *arena)
{
    for (unsigned i = 0; i < PPI_ARENA_SMALL_CLASSES; i++) free(arena->free[i].offsets);
    free(arena->warm.at);
    free(arena->dying.at);
    free(arena->cold.at);
    memset(arena, 0, sizeof *arena);
}

/* ---- ranges */

static int insert(struct ppi_ranges *list, size_t place, struct ppi_range r)
{
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        struct ppi_range *grown = realloc(list->at, room * sizeof *grown);
        if (!grown) return 0; /* its address space is not used again: better than failing to free */
        list->at = grown;
        list->room = room;
    }
    memmove(list->at + place + 1, list->at + place, (list->count - place) * sizeof r);
    list->at[place] = r;
    list->count++;
    return 1;
}

static struct ppi_range take(struct ppi_ranges *list, size_t place)
{
    struct ppi_range r = list->at[place];
    list->count--;
    memmove(list->at + place, list->at + place + 1, (list->count - place) * sizeof r);
    return r;
}

/* The first cold range that does not begin before offset. */
static size_t find_cold(const struct ppi_arena *arena, uint64_t offset)
{
    size_t low = 0, high = arena->cold.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (arena->cold.at[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add_cold(struct ppi_arena *arena, struct ppi_range r)
{
    struct ppi_ranges *cold = &arena->cold;
    size_t place = find_cold(arena, r.offset);
    if (place < cold->count && r.offset + r.bytes == cold->at[place].offset) r.bytes += take(cold, place).bytes;
    if (place > 0 && cold->at[place - 1].offset + cold->at[place - 1].bytes == r.offset) {
        struct ppi_range before = take(cold, --place);
        r = (struct ppi_range){before.offset, before.bytes + r.bytes};
    }
    if (r.offset + r.bytes == arena->next)
        arena->next = r.offset;
    else
        insert(cold, place, r);
}

int ppi_arena_dying(struct ppi_arena *arena, struct ppi_range *out)
{
    if (arena->dying.count == 0) return 0;
    *out = take(&arena->dying, arena->dying.count - 1);
    return 1;
}

void ppi_arena_died(struct ppi_arena *arena, struct ppi_range range)
{
    add_cold(arena, range);
}

void ppi_arena_purge(struct ppi_arena *arena)
{
    struct ppi_range r;
    while (ppi_arena_dying(arena, &r)) {
        ppi_memory_remove(arena->base + r.offset, r.bytes - arena->guard);
        ppi_arena_died(arena, r);
    }
}

/* ---- blocks */

/* What a block takes up, its guard included. */
static uint64_t span_of(const struct ppi_arena *arena, uint64_t bytes)
{
    uint64_t size = ppi_arena_block_bytes(bytes);
    return arena->guard ? (size + PAGE - 1) / PAGE * PAGE + arena->guard : size;
}

/* Lets go of the oldest until no more than so much is warm. */
static void cool(struct ppi_arena *arena, uint64_t most)
{
    size_t n = 0;
    while (n < arena->warm.count && arena->warm_bytes > most) {
        struct ppi_range r = arena->warm.at[n++];
        arena->warm_bytes -= r.bytes;
        insert(&arena->dying, arena->dying.count, r);
    }
    if (n == 0) return;
    arena->warm.count -= n;
    memmove(arena->warm.at, arena->warm.at + n, arena->warm.count * sizeof *arena->warm.at);
}

static int has_memory(struct ppi_arena *arena, uint64_t bytes)
{
    /* Little by little it becomes much, too. */
    if ((arena->unseen += bytes) < PPI_MEMORY_STEP) return 1;
    if (!ppi_memory_is_there(arena->unseen, arena->promised)) {
        cool(arena, 0);
        ppi_arena_purge(arena);
        if (!ppi_memory_is_there(arena->unseen, arena->promised)) {
            arena->unseen -= bytes;
            return 0;
        }
    }
    arena->unseen = 0;
    return 1;
}

/* Address space that has no memory: [offset, offset + span) is the caller's. 0 = none. */
static uint64_t cut(struct ppi_arena *arena, uint64_t span)
{
    struct ppi_ranges *cold = &arena->cold;
    for (size_t i = 0; span >= PPI_ARENA_LARGE && i < cold->count; i++) {
        if (cold->at[i].bytes < span) continue;
        uint64_t offset = cold->at[i].offset;
        cold->at[i].offset += span;
        cold->at[i].bytes -= span;
        if (cold->at[i].bytes == 0) take(cold, i);
        return offset;
    }
    uint64_t start = arena->next;
    if (arena->guard || span >= PAGE) start = (start + PAGE - 1) / PAGE * PAGE;
    if (start > arena->end || span > arena->end - start) return 0;
    arena->next = start + span;
    return start;
}

static int set_guard(struct ppi_arena *arena, uint64_t offset, uint64_t span)
{
    if (!arena->guard) return 1;
    char *at = arena->base + offset;
    return mprotect(at, span - arena->guard, PROT_READ | PROT_WRITE) == 0 &&
           mprotect(at + span - arena->guard, arena->guard, PROT_NONE) == 0;
}

uint64_t ppi_arena_alloc(struct ppi_arena *arena, uint64_t bytes, int *fresh)
{
    if (fresh) *fresh = 0;
    if (bytes > arena->end) return 0;
    uint64_t span = span_of(arena, bytes), offset;
    unsigned class = class_of(bytes);
    if (class < PPI_ARENA_SMALL_CLASSES && arena->free[class].count)
        return arena->free[class].offsets[--arena->free[class].count];
    for (size_t i = arena->warm.count; i-- > 0;)
        if (arena->warm.at[i].bytes == span) {
            arena->warm_bytes -= span;
            return take(&arena->warm, i).offset;
        }
    if (!ppi_arena_keeps(arena, span, 0)) cool(arena, 0); /* what was large before is not any more */
    if (!has_memory(arena, bytes)) return 0;
    if (!(offset = cut(arena, span))) {
        cool(arena, 0);
        ppi_arena_purge(arena);
        if (!(offset = cut(arena, span))) return 0;
    }
    if (!set_guard(arena, offset, span)) {
        add_cold(arena, (struct ppi_range){offset, span});
        return 0;
    }
    if (fresh) *fresh = 1;
    return offset;
}

void ppi_arena_free(struct ppi_arena *arena, uint64_t offset, uint64_t bytes)
{
    unsigned class = class_of(bytes);
    if (class >= PPI_ARENA_SMALL_CLASSES) {
        struct ppi_range r = {offset, span_of(arena, bytes)};
        int waits = ppi_arena_keeps(arena, r.bytes, 0);
        if (waits) cool(arena, arena->warm_max - r.bytes);
        if (insert(waits ? &arena->warm : &arena->dying, waits ? arena->warm.count : arena->dying.count, r) && waits)
            arena->warm_bytes += r.bytes;
        return;
    }
    if (arena->free[class].count == arena->free[class].room) {
        uint32_t room = arena->free[class].room ? arena->free[class].room * 2 : 64;
        uint64_t *grown = realloc(arena->free[class].offsets, room * sizeof *grown);
        if (!grown) return; /* the block is not used again: better than failing to free */
        arena->free[class].offsets = grown;
        arena->free[class].room = room;
    }
    arena->free[class].offsets[arena->free[class].count++] = offset;
}

int ppi_arena_extend(struct ppi_arena *arena, uint64_t offset, uint64_t bytes, uint64_t wanted)
{
    if (class_of(bytes) < PPI_ARENA_SMALL_CLASSES || wanted > arena->end) return 0;
    uint64_t span = span_of(arena, bytes), more = span_of(arena, wanted) - span, behind = offset + span;
    if (more == 0) return 1;
    if (!has_memory(arena, wanted - bytes)) return 0;
    size_t place = find_cold(arena, behind);
    if (behind == arena->next && more <= arena->end - behind) {
        arena->next += more;
    } else if (place < arena->cold.count && arena->cold.at[place].offset == behind && arena->cold.at[place].bytes >= more) {
        struct ppi_range r = take(&arena->cold, place);
        if (r.bytes > more) insert(&arena->cold, place, (struct ppi_range){r.offset + more, r.bytes - more});
    } else {
        return 0;
    }
    return set_guard(arena, offset, span + more);
}
