/* How much memory can be had. Linux grants address space and kills whom it likes when there is no memory behind it:
 * better to ask first. */
#ifndef PPI_BASE_MEMORY_H
#define PPI_BASE_MEMORY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define PPI_MEMORY_STEP ((uint64_t)16 << 20) /* so much is taken between two looks */

/* Physical memory of the machine. */
uint64_t ppi_memory_physical(void);

/* What this process may still take: what the system has available, or less where a control group has a limit, and not
 * the last of it, which the system and others need. For little at a time, wanted, less is left to them. root as in
 * base/cgroup.h. */
uint64_t ppi_memory_room(const char *root, uint64_t wanted);

/* In what follows, promised may be NULL, or counts what others have been granted and have not touched yet. */

/* Whether so much may be taken. */
int ppi_memory_is_there(uint64_t bytes, const _Atomic uint64_t *promised);

/* Has the memory behind shared pages that have never been touched; that is cheaper than touching them one by one. 0 when there
 * is not enough: then some of it may have been taken. */
int ppi_memory_populate(void *at, uint64_t bytes, const _Atomic uint64_t *promised);

/* memcpy into shared pages; fresh: they have never been touched. 0 when there is no memory for them, or the end of it
 * comes near. */
int ppi_memory_copy(void *to, const void *from, uint64_t bytes, int fresh, const _Atomic uint64_t *promised);

/* Gives the memory back to the system; the pages are zero from now on. */
void ppi_memory_remove(void *at, uint64_t bytes);

#endif
