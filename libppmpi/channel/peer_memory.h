/* Memory of another rank of this node, mapped here to be read. */
#ifndef PPI_CHANNEL_PEER_MEMORY_H
#define PPI_CHANNEL_PEER_MEMORY_H

#include <stdint.h>

struct ppi_peer_memory {
    const char *base; /* NULL = none */
    uint64_t bytes;
};

/* All of the file, which stays the caller's. 0 when that cannot be done, or when address space is limited (ulimit -v):
 * what is mapped here is large, and the program and the workers need theirs. */
int ppi_peer_map(struct ppi_peer_memory *out, int file);
void ppi_peer_unmap(struct ppi_peer_memory *memory);

/* Whether that part of it exists. */
static inline int ppi_peer_has(const struct ppi_peer_memory *memory, uint64_t offset, uint64_t bytes)
{
    return offset <= memory->bytes && bytes <= memory->bytes - offset;
}

#endif
