/* Where the data lies: the segment of the node, and its blocks. */
#include "share/share.h"

#include "base/memory.h"
#include "base/status.h"
#include "channel/peer_bell.h"
#include "share/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096
#define PART ((uint64_t)64 << 20)  /* of memory that is given back at once: some milliseconds */
#define BLOCKS 64                  /* … and of blocks */
#define PIECE ((uint64_t)1 << 30)  /* of one write: the kernel's limit is 2 GiB */

void ppi_shared_init(struct ppi_shared_store *store, struct ppi_workspace *workspace)
{
    memset(store, 0, sizeof *store);
    store->workspace = workspace;
    store->is_holder = 1;
    ppi_shared_head_of(workspace)->nonce = workspace->bell->nonce;
    ppi_arena_init(&store->arena, workspace->shared.base, sizeof(struct ppi_shared_head), workspace->shared.bytes, 0);
    store->arena.warm_max = 0; /* what is dropped has lost its memory before it comes back */
}

void *ppi_shared_modules(const struct ppi_workspace *workspace)
{
    return ppi_shared_head_of(workspace)->modules;
}

void ppi_shared_fini(struct ppi_shared_store *store)
{
    while (store->gone) {
        struct ppi_shared_block *block = store->gone;
        store->gone = block->next;
        free(block);
    }
    ppi_arena_fini(&store->arena);
}

/* ---- the holder's segment in the place of ours */

int ppi_shared_map(struct ppi_workspace *workspace, int fd)
{
    struct ppi_segment *segment = &workspace->shared;
    void *base = mmap(segment->base, segment->bytes, PROT_READ, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, 0);
    if (base == MAP_FAILED) return 0;
    madvise(base, segment->bytes, MADV_DONTDUMP);
    if (!workspace->kept) ppi_segment_close_fd(segment);
    return 1;
}

static int is_segment(const struct ppi_workspace *workspace, int file, uint64_t nonce)
{
    struct stat s;
    /* Of another size when the ranks have different limits: then it does not fit in the place of ours. */
    return fstat(file, &s) == 0 && S_ISREG(s.st_mode) && (uint64_t)s.st_size == workspace->shared.bytes &&
           ppi_peer_is_marked(file, 0, nonce);
}

int ppi_shared_adopt(struct ppi_shared_store *store, long pid, int fd, uint64_t nonce)
{
    int file = ppi_peer_open(pid, fd, O_RDONLY);
    if (file < 0) return -1;
    if (!is_segment(store->workspace, file, nonce) || !ppi_shared_map(store->workspace, file)) {
        close(file);
        return -1;
    }
    store->is_holder = 0;
    return file;
}

/* ---- blocks */

uint64_t ppi_shared_reserve(struct ppi_shared_store *store, uint64_t bytes)
{
    return ppi_arena_alloc(&store->arena, bytes ? bytes : 1, NULL); /* an empty object, too, has an address */
}

int ppi_shared_fill(struct ppi_shared_store *store, uint64_t offset, const void *data, uint64_t bytes)
{
    const struct ppi_segment *segment = &store->workspace->shared;
    /* Small: no fresh page is worth a system call. And a program that closes descriptors which are not its own may have given
     * the number to a file of its own. */
    if (bytes < PAGE || segment->fd < 0 || !is_segment(store->workspace, segment->fd, ppi_shared_head_of(store->workspace)->nonce)) {
        if (bytes) memcpy(segment->base + offset, data, bytes);
        return PP_OK;
    }
    /* Written and not copied: pages need not be cleared first, and a lack of memory is an error and no signal. */
    for (uint64_t at = 0; at < bytes;) {
        uint64_t n = bytes - at < PIECE ? bytes - at : PIECE;
        ssize_t done = pwrite(segment->fd, (const char *)data + at, n, (off_t)(offset + at));
        if (done > 0) {
            at += (uint64_t)done;
        } else if (done == 0 || errno != EINTR) {
            int error = done == 0 ? ENOSPC : errno;
            return ppi_error_errno(error == EFAULT ? PP_ERR_ARG : PP_ERR_NOMEM, error, "cannot copy %llu bytes of shared data",
                                   (unsigned long long)bytes);
        }
    }
    return PP_OK;
}

/* The arena has no more to take away. */
static void free_removed(struct ppi_shared_store *store, uint64_t offset, uint64_t bytes)
{
    struct ppi_range r;
    ppi_arena_free(&store->arena, offset, bytes);
    while (ppi_arena_dying(&store->arena, &r)) ppi_arena_died(&store->arena, r);
}

void ppi_shared_free(struct ppi_shared_store *store, uint64_t offset, uint64_t bytes)
{
    if (bytes == 0) bytes = 1;
    uint64_t whole = ppi_arena_block_bytes(bytes);
    struct ppi_shared_block *block = whole >= PAGE ? calloc(1, sizeof *block) : NULL;
    if (block) {
        *block = (struct ppi_shared_block){.offset = offset, .bytes = bytes, .next = store->gone};
        store->gone = block;
        return;
    }
    if (whole >= PAGE) ppi_memory_remove(store->workspace->shared.base + offset, whole);
    free_removed(store, offset, bytes);
}

struct ppi_shared_block *ppi_shared_take_gone(struct ppi_shared_store *store)
{
    struct ppi_shared_block *first = store->gone, **end = &store->gone;
    for (int i = 0; *end && i < BLOCKS; i++) end = &(*end)->next;
    store->gone = *end;
    *end = NULL;
    return first;
}

void ppi_shared_remove(const struct ppi_shared_store *store, struct ppi_shared_block *blocks)
{
    uint64_t left = PART;
    for (struct ppi_shared_block *b = blocks; b && left; b = b->next) {
        uint64_t n = ppi_arena_block_bytes(b->bytes) - b->removed;
        if (n > left) n = left;
        ppi_memory_remove(store->workspace->shared.base + b->offset + b->removed, n);
        b->removed += n;
        left -= n;
    }
}

void ppi_shared_put_gone(struct ppi_shared_store *store, struct ppi_shared_block *blocks)
{
    while (blocks) {
        struct ppi_shared_block *b = blocks;
        blocks = b->next;
        if (b->removed < ppi_arena_block_bytes(b->bytes)) {
            b->next = store->gone;
            store->gone = b;
        } else {
            free_removed(store, b->offset, b->bytes);
            free(b);
        }
    }
}
