/* What tells two builds of a module apart, whether it is looked at in memory or in its file. */
#ifndef PPI_FUNCTION_IDENTITY_H
#define PPI_FUNCTION_IDENTITY_H

#include "function/function.h"

#include <link.h>
#include <stddef.h>
#include <string.h>

static inline int ppi_same_build(const unsigned char *a, int a_bytes, const unsigned char *b, int b_bytes)
{
    return a_bytes == b_bytes && memcmp(a, b, (size_t)a_bytes) == 0;
}

/* The build id among the notes in [notes, notes + bytes), whose fields are padded to align bytes: its length, or
 * 0. */
int ppi_id_in_notes(const unsigned char *notes, size_t bytes, size_t align, unsigned char id[PPI_BUILD_ID_MAX]);

/* Where the linker wrote none: a hash of the segments that count, in their order. end: the id, returns its
 * length. */
struct ppi_hash {
    uint64_t a, b;
};
#define PPI_HASH_INIT \
    { \
        1, 2 \
    }
static inline int ppi_hash_counts(const ElfW(Phdr) * segment) /* what is never written is the same in every process */
{
    return segment->p_type == PT_LOAD && (segment->p_flags & (PF_R | PF_W)) == PF_R;
}
void ppi_hash_segment(struct ppi_hash *h, const ElfW(Phdr) * segment, const unsigned char *contents);
int ppi_hash_end(const struct ppi_hash *h, unsigned char id[PPI_BUILD_ID_MAX]);

/* The id that a module would have if it were loaded from this file, or from these bytes of one: its length; 0
 * when it is no module of this program's word size and byte order, is damaged, or cannot be read. */
int ppi_file_id(int fd, unsigned char id[PPI_BUILD_ID_MAX]);
int ppi_image_id(const void *image, uint64_t bytes, unsigned char id[PPI_BUILD_ID_MAX]);

/* Opens the file that path names when it is that build: its descriptor, or -1 with errno, ENOEXEC when it is
 * something else. Does not wait, whatever stands there. */
int ppi_file_open(const char *path, const unsigned char *id, int id_bytes);

#endif
