#ifndef PPI_MODULE_ALIAS_H
#define PPI_MODULE_ALIAS_H

/* A library that has no name of its own (DT_SONAME) is found by the name of its file, which an image does not
 * have. So that others that need it find it all the same, this loads a library that is called so, contains
 * nothing and needs the one that was loaded from path. Its handle; NULL with PP_ERR_MODULE. */
void *ppi_module_call(const char *path, const char *name);

#endif
