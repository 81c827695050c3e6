#include "channel/workspace.h"

#include "base/memory.h"
#include "base/status.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#define ARENA_LEAST ((uint64_t)16 << 20)
#define ARENA_MOST ((uint64_t)4 << 40)
#define SHARED_LEAST ((uint64_t)16 << 20)

/* Address space is not memory: room for blocks of many sizes to be kept for reuse. Under ulimit -v the program, the workers'
 * segments and the stacks of threads need room too: then it is 1/part of that. */
static uint64_t address_space(uint64_t least, uint64_t part)
{
    uint64_t bytes = 8 * ppi_memory_physical();
    if (bytes > ARENA_MOST) bytes = ARENA_MOST;
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && bytes > limit.rlim_cur / part)
        bytes = limit.rlim_cur / part;
    return bytes < least ? least : bytes / 4096 * 4096;
}

int ppi_workspace_create(struct ppi_workspace *out, uint64_t arena_bytes)
{
    struct ppi_workspace w;
    memset(&w, 0, sizeof w);
    size_t functions = (size_t)PPI_FUNCTIONS_MAX * PPI_FUNCTION_BYTES;
    size_t requests = (size_t)PPI_WORKERS_MAX * sizeof(struct ppi_requests);
    size_t notes = (size_t)PPI_SHARED_MAX * PPI_SHARED_NOTE_BYTES;
    size_t fixed = sizeof(struct ppi_board) + requests + notes + functions;
    uint64_t shared_bytes = arena_bytes ? arena_bytes : address_space(SHARED_LEAST, 8);
    if (arena_bytes == 0) arena_bytes = address_space(ARENA_LEAST, 4);
    int status = ppi_segment_create(&w.bell_segment, "ppmpi-doorbell", 4096, 4096);
    if (status != PP_OK) return status;
    status = ppi_segment_create(&w.shared, "ppmpi-shared", shared_bytes, SHARED_LEAST);
    if (status == PP_OK)
        status = ppi_segment_create(&w.segment, "ppmpi-requests", fixed + arena_bytes, fixed + ARENA_LEAST);
    if (status != PP_OK) {
        ppi_segment_destroy(&w.shared);
        ppi_segment_destroy(&w.bell_segment);
        return status;
    }
    w.bell = (struct ppi_doorbell *)(void *)w.bell_segment.base;
    if (getrandom(&w.bell->nonce, sizeof w.bell->nonce, GRND_NONBLOCK) < 0) w.bell->nonce = (uintptr_t)&w ^ (uint64_t)getpid();
    w.board = (struct ppi_board *)(void *)w.segment.base;
    w.board->nonce = w.bell->nonce;
    w.requests = (struct ppi_requests *)(void *)(w.segment.base + sizeof *w.board);
    w.shared_notes = (char *)w.requests + requests;
    w.functions = w.shared_notes + notes;
    ppi_arena_init(&w.arena, w.segment.base, fixed, w.segment.bytes, 0);
    w.arena.promised = &w.board->promised;
    *out = w;
    return PP_OK;
}

void ppi_workspace_renew(const struct ppi_workspace *workspace, struct ppi_workspace *out)
{
    *out = *workspace;
    out->board->nonce = out->bell->nonce; /* the farm before has given all memory back */
    /* A farm before may have had another rank's segment in the place of ours. */
    mmap(out->shared.base, out->shared.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, out->shared.fd, 0);
    madvise(out->shared.base, out->shared.bytes, MADV_DONTDUMP);
    ppi_memory_remove(out->shared.base, out->shared.bytes);
}

void ppi_workspace_destroy(struct ppi_workspace *workspace)
{
    ppi_arena_fini(&workspace->arena);
    ppi_peer_unmap(&workspace->server);
    if (workspace->kept) {
        /* All of it reads as zeros then, as it did when it was new. */
        ppi_memory_remove(workspace->segment.base, workspace->segment.bytes);
        return;
    }
    ppi_segment_destroy(&workspace->segment);
    ppi_segment_destroy(&workspace->shared);
    ppi_segment_destroy(&workspace->bell_segment);
}

void ppi_workspace_protect(struct ppi_workspace *workspace)
{
    ppi_segment_close_fd(&workspace->segment); /* the mapping is inherited, and could be made writable by it */
    mprotect(workspace->segment.base, workspace->segment.bytes, PROT_READ);
    mprotect(workspace->shared.base, workspace->shared.bytes, PROT_READ);
}
