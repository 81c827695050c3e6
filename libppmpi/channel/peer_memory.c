#include "channel/peer_memory.h"

#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

int ppi_peer_map(struct ppi_peer_memory *out, int file)
{
    struct rlimit limit;
    struct stat s;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY) return 0;
    if (fstat(file, &s) != 0 || !S_ISREG(s.st_mode) || s.st_size <= 0) return 0;
    void *base = mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_SHARED | MAP_NORESERVE, file, 0);
    if (base == MAP_FAILED) return 0;
    madvise(base, (size_t)s.st_size, MADV_DONTDUMP);
    *out = (struct ppi_peer_memory){base, (uint64_t)s.st_size};
    return 1;
}

void ppi_peer_unmap(struct ppi_peer_memory *memory)
{
    if (memory->base) munmap((void *)memory->base, memory->bytes);
    *memory = (struct ppi_peer_memory){NULL, 0};
}
