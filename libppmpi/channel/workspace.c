#include "channel/workspace.h"

#include "base/status.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#define ARENA_LEAST ((uint64_t)16 << 20)
#define ARENA_MOST ((uint64_t)4 << 40)

uint64_t ppi_physical_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : (uint64_t)1 << 30;
}

int ppi_workspace_create(struct ppi_workspace *out, uint64_t arena_bytes)
{
    struct ppi_workspace w;
    memset(&w, 0, sizeof w);
    size_t functions = (size_t)PPI_FUNCTIONS_MAX * PPI_FUNCTION_BYTES;
    size_t requests = (size_t)PPI_WORKERS_MAX * sizeof(struct ppi_requests);
    size_t fixed = sizeof(struct ppi_board) + requests + functions;
    if (arena_bytes == 0) {
        /* Address space is not memory: room for blocks of many sizes to be kept for reuse. */
        arena_bytes = 8 * ppi_physical_memory();
        if (arena_bytes > ARENA_MOST) arena_bytes = ARENA_MOST;
        /* Under ulimit -v the program, the workers' segments and the stacks of threads need room too. */
        struct rlimit limit;
        if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && arena_bytes > limit.rlim_cur / 4)
            arena_bytes = limit.rlim_cur / 4;
        if (arena_bytes < ARENA_LEAST) arena_bytes = ARENA_LEAST;
    }
    int status = ppi_segment_create(&w.bell_segment, "ppmpi-doorbell", 4096, 4096);
    if (status != PP_OK) return status;
    status = ppi_segment_create(&w.segment, "ppmpi-requests", fixed + arena_bytes, fixed + ARENA_LEAST);
    if (status != PP_OK) {
        ppi_segment_destroy(&w.bell_segment);
        return status;
    }
    ppi_segment_close_fd(&w.segment); /* forked workers inherit the mapping */
    w.bell = (struct ppi_doorbell *)(void *)w.bell_segment.base;
    if (getrandom(&w.bell->nonce, sizeof w.bell->nonce, GRND_NONBLOCK) < 0) w.bell->nonce = (uintptr_t)&w ^ (uint64_t)getpid();
    w.board = (struct ppi_board *)(void *)w.segment.base;
    w.requests = (struct ppi_requests *)(void *)(w.segment.base + sizeof *w.board);
    w.functions = (char *)w.requests + requests;
    ppi_arena_init(&w.arena, w.segment.base, fixed, w.segment.bytes, 0);
    *out = w;
    return PP_OK;
}

void ppi_workspace_renew(const struct ppi_workspace *workspace, struct ppi_workspace *out)
{
    *out = *workspace;
    memset(out->board, 0, sizeof *out->board);
}

void ppi_workspace_destroy(struct ppi_workspace *workspace)
{
    ppi_arena_fini(&workspace->arena);
    if (workspace->kept) {
        uint64_t start = (uint64_t)(workspace->functions - workspace->segment.base) + (uint64_t)PPI_FUNCTIONS_MAX * PPI_FUNCTION_BYTES;
        start = (start + 4095) / 4096 * 4096;
        if (workspace->arena.next > start) madvise(workspace->segment.base + start, workspace->arena.next - start, MADV_REMOVE);
        return;
    }
    ppi_segment_destroy(&workspace->segment);
    ppi_segment_destroy(&workspace->bell_segment);
}

void ppi_workspace_protect(struct ppi_workspace *workspace)
{
    mprotect(workspace->segment.base, workspace->segment.bytes, PROT_READ);
}
