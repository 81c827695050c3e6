#ifndef PPI_MODULE_ALIAS_H
#define PPI_MODULE_ALIAS_H

#include <stddef.h>

/* A library that has no name of its own (DT_SONAME) is found by the name of its file, which an image does not
 * have. So that others that need it find it all the same, this loads a library that is called so, contains
 * nothing and needs the one that was loaded from path. Its handle; NULL with PP_ERR_MODULE. */
void *ppi_module_call(const char *path, const char *name);

/* The loader takes a path that it has seen for what it found there, and numbers of descriptors come again. This
 * spells the path of fd in folder, /proc/PID/fd/, in a way that the loader has not seen yet; 0 when there is none
 * of at most bytes - 1. */
int ppi_module_new_path(const char *folder, int fd, char *path, size_t bytes);

#endif
