/* A function pointer ↔ (module, build id, offset): found again in another process, whatever address the module was
 * loaded at there. */
#ifndef PPI_FUNCTION_FUNCTION_H
#define PPI_FUNCTION_FUNCTION_H

#include <ppmpi.h>

#define PPI_BUILD_ID_MAX 32
#define PPI_FUNCTION_NEEDS_MAX 64

/* Where a function is, in terms that hold in every process. */
struct ppi_function_ref {
    unsigned char build_id[PPI_BUILD_ID_MAX];
    int build_id_bytes; /* 1 … PPI_BUILD_ID_MAX */
    int executable;     /* 1: the module is the main program */
    /* Of a module that travels, see module/: */
    uint32_t travels;   /* 1 + its number, 0 = it is none of them */
    uint32_t need_count;
    uint16_t needs[PPI_FUNCTION_NEEDS_MAX]; /* numbers of what it needs, in an order in which they can be loaded */
    uint64_t offset;    /* from the module's load address */
    char module[1024];  /* path as this process loaded it */
};

/* In a program that is not position-independent, the address of a function of a library is that of a stub in the program, which leads
 * to whatever library of that name is loaded. The function itself, or fn when it is no stub. */
pp_function ppi_function_behind(pp_function fn);

/* Describes fn, which may be in a module that travels: that is left to others. PP_ERR_FUNCTION when fn is in no executable segment of a loaded module (trampolines, data, heap). */
int ppi_function_describe(pp_function fn, struct ppi_function_ref *out);

/* Finds it in this process. A module that is not loaded here but can be opened at the same path with the same build id
 * is loaded. PP_ERR_FUNCTION naming the module and both build ids when this process has another build of it;
 * PP_ERR_MODULE when it has none, with the loader's message. The text is in pp_last_error(). */
int ppi_function_find(const struct ppi_function_ref *ref, pp_function *out);

/* The same among what is loaded already: PP_END when no module has that build id. */
int ppi_function_find_loaded(const struct ppi_function_ref *ref, pp_function *out);

/* Whether a module of that build id is loaded in this process. */
int ppi_function_is_loaded(const unsigned char *id, int bytes);

/* "0123abcd…" */
void ppi_build_id_text(const unsigned char *id, int bytes, char text[2 * PPI_BUILD_ID_MAX + 1]);

#endif
