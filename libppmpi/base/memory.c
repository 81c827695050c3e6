#include "base/memory.h"

#include "base/cgroup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* since Linux 5.14 */
#endif

#define PAGE ((uint64_t)4096)
#define POPULATE_STEP ((uint64_t)256 << 10) /* what was cleared is still in the cache when it is written */
#define KEEP_LEAST ((uint64_t)192 << 20)
#define KEEP_MOST ((uint64_t)1 << 30)
#define KEEP_SMALL ((uint64_t)64 << 20)

uint64_t ppi_memory_physical(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : (uint64_t)1 << 30;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

struct room {
    uint64_t wanted, room;
};

/* So much of a whole is left to others, and covers what several who look at the same time take until the next look. */
static uint64_t without_the_last(uint64_t room, uint64_t whole, uint64_t wanted)
{
    uint64_t keep = whole / 64 > KEEP_LEAST ? whole / 64 : KEEP_LEAST;
    keep = least(keep, least(whole / 8, KEEP_MOST));
    if (wanted < KEEP_MOST) keep = least(keep, KEEP_SMALL + 4 * wanted);
    return room > keep ? room - keep : 0;
}

/* The number behind a key that begins a line of a file. */
static int find_number(const char *dir, const char *name, const char *key, uint64_t *out)
{
    char line[256];
    unsigned long long number;
    int found = 0;
    FILE *file = ppi_cgroup_open(dir, name);
    while (file && !found && fgets(line, sizeof line, file))
        found = strncmp(line, key, strlen(key)) == 0 && sscanf(line + strlen(key), "%llu", &number) == 1;
    if (file) fclose(file);
    if (found) *out = number;
    return found;
}

static void take_least(const char *dir, int version, void *arg)
{
    struct room *r = arg;
    uint64_t limit, used, cache = 0; /* "max" is no number */
    if (!find_number(dir, version == 2 ? "memory.max" : "memory.limit_in_bytes", "", &limit)) return;
    if (!find_number(dir, version == 2 ? "memory.current" : "memory.usage_in_bytes", "", &used)) return;
    /* Files that nobody uses just now are thrown out before anybody is refused. */
    find_number(dir, "memory.stat", version == 2 ? "inactive_file " : "total_inactive_file ", &cache);
    used -= cache < used ? cache : used;
    r->room = least(r->room, without_the_last(limit > used ? limit - used : 0, limit, r->wanted));
}

uint64_t ppi_memory_room(const char *root, uint64_t wanted)
{
    char *dir;
    uint64_t kib;
    struct room r = {wanted, UINT64_MAX};
    if (asprintf(&dir, "%s/proc", root) >= 0) {
        if (find_number(dir, "meminfo", "MemAvailable:", &kib)) r.room = without_the_last(kib << 10, ppi_memory_physical(), wanted);
        free(dir);
    }
    ppi_cgroup_walk(root, "memory", take_least, &r);
    return r.room;
}

int ppi_memory_is_there(uint64_t bytes, const _Atomic uint64_t *promised)
{
    uint64_t others = promised ? atomic_load(promised) : 0, room = ppi_memory_room("", bytes);
    return others < room && bytes <= room - others;
}

static int populate(char *at, uint64_t bytes)
{
    /* An older kernel does not know it; then the pages come as they are touched. */
    return madvise(at, (size_t)bytes, MADV_POPULATE_WRITE) == 0 || errno == EINVAL || errno == EAGAIN;
}

int ppi_memory_populate(void *memory, uint64_t bytes, const _Atomic uint64_t *promised)
{
    char *at = memory, *end = at + (bytes + PAGE - 1) / PAGE * PAGE;
    while (at < end) {
        uint64_t step = least(PPI_MEMORY_STEP, (uint64_t)(end - at));
        if (bytes >= PPI_MEMORY_STEP && !ppi_memory_is_there(step, promised)) return 0;
        if (!populate(at, step)) return 0;
        at += step;
    }
    return 1;
}

int ppi_memory_copy(void *to, const void *from, uint64_t bytes, int fresh, const _Atomic uint64_t *promised)
{
    if (!fresh || (uintptr_t)to % PAGE != 0 || bytes < POPULATE_STEP) {
        memcpy(to, from, bytes);
        return 1;
    }
    for (uint64_t at = 0; at < bytes; at += POPULATE_STEP) {
        uint64_t step = least(POPULATE_STEP, bytes - at);
        if (bytes >= PPI_MEMORY_STEP && at % PPI_MEMORY_STEP == 0 &&
            !ppi_memory_is_there(least(PPI_MEMORY_STEP, bytes - at), promised))
            return 0;
        if (!populate((char *)to + at, (step + PAGE - 1) / PAGE * PAGE)) return 0;
        memcpy((char *)to + at, (const char *)from + at, step);
    }
    return 1;
}

void ppi_memory_remove(void *at, uint64_t bytes)
{
    madvise(at, (size_t)bytes, MADV_REMOVE);
}
