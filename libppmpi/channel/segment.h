/* Anonymous shared memory (memfd): no name, no file, gone with its last process. */
#ifndef PPI_CHANNEL_SEGMENT_H
#define PPI_CHANNEL_SEGMENT_H

#include <stddef.h>

struct ppi_segment {
    char *base;
    size_t bytes; /* of address space; memory is taken page by page as it is touched */
    int fd;       /* -1 once closed */
};

/* Creates and maps `wanted` bytes, less where the address space is limited (ulimit -v), but at least `needed`.
 * PP_ERR_NOMEM otherwise. */
int ppi_segment_create(struct ppi_segment *out, const char *name, size_t wanted, size_t needed);

void ppi_segment_close_fd(struct ppi_segment *segment); /* keeps the mapping */
void ppi_segment_destroy(struct ppi_segment *segment);

#endif
