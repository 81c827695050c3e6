/* The modules of this process: the program and its shared objects, as the dynamic loader knows them. */
#ifndef PPI_FUNCTION_MODULE_H
#define PPI_FUNCTION_MODULE_H

#include "function/function.h"

#include <link.h>
#include <string.h>

/* Valid during the visit in which it is handed out. */
struct ppi_module {
    uintptr_t base;   /* what addresses in the file are shifted by; 0 for a program that is not position independent */
    const char *name; /* as the loader has it: "" for the program */
    int executable;   /* 1: the program */
    int kernel;       /* 1: the vdso, which is another one on every kernel */
    const ElfW(Phdr) *segments;
    size_t segment_count;
    uint64_t unloads; /* how many modules were unloaded so far: a sign that cached facts may be stale */
};

/* Calls visit for each module, until it returns something other than 0, which is then returned. The loader's lock is
 * held meanwhile: visit must not load or unload. */
int ppi_module_each(int (*visit)(const struct ppi_module *module, void *arg), void *arg);

/* Whether the loader knows it by this name, at this place: what link maps and modules have in common. */
static inline int ppi_module_is(const struct ppi_module *module, uintptr_t base, const char *name)
{
    return module->base == base && strcmp(module->name, name) == 0;
}

/* 1 when the address, or the offset from the base, lies in the module at all / in its code. */
int ppi_module_holds(const struct ppi_module *module, uintptr_t address);
int ppi_module_has_code(const struct ppi_module *module, uint64_t offset);

/* The module's build id, or where the linker wrote none, a hash of what is read-only in it, which has a length that no
 * linker's build id has. Returns the length in bytes; 0 when there is nothing to identify it by. */
#define PPI_MODULE_HASH_BYTES 17
int ppi_module_id(const struct ppi_module *module, unsigned char id[PPI_BUILD_ID_MAX]);

/* The build id alone; 0 when there is none. */
int ppi_module_build_id(const struct ppi_module *module, unsigned char id[PPI_BUILD_ID_MAX]);

/* What the loader has read of it: DT_NEEDED, DT_SONAME. next: the name that follows the one at *at, which begins as 0;
 * NULL at the end. The texts are the module's own. */
const char *ppi_module_soname(const struct ppi_module *module);
const char *ppi_module_needed(const struct ppi_module *module, size_t *at);

/* How many modules were unloaded so far in this process. */
uint64_t ppi_module_unloads(void);

/* Path of the module's file, absolute if that can be found out. Returns its length, or -1 when it does not fit. */
int ppi_module_path(const struct ppi_module *module, char *path, size_t bytes);

/* What the kernel has mapped at an address: 1, with the range and its file's path, which is "" when it has none or
 * it does not fit; 0 when there is nothing. */
int ppi_module_mapping(uintptr_t address, unsigned long *from, unsigned long *to, char *path, size_t bytes);

/* What comes after the last slash. */
static inline const char *ppi_file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

#endif
