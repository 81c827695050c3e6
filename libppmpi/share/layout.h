/* The start of a node's segment; blocks of data follow. */
#ifndef PPI_SHARE_LAYOUT_H
#define PPI_SHARE_LAYOUT_H

#include "share/share.h"

struct ppi_shared_head {
    uint64_t nonce; /* of the holder's doorbell: tells this segment from any other file */
    _Alignas(64) char modules[PPI_SHARED_MODULES_BYTES];
    _Alignas(64) struct ppi_shared_entry entries[PPI_SHARED_MAX];
};

static inline struct ppi_shared_head *ppi_shared_head_of(const struct ppi_workspace *workspace)
{
    return (struct ppi_shared_head *)(void *)workspace->shared.base;
}

#endif
