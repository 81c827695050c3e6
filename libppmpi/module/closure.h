/* Rank 0: from a function's address to the files that a node must have to run it. */
#ifndef PPI_MODULE_CLOSURE_H
#define PPI_MODULE_CLOSURE_H

#include "module/table.h"

/* A module that this process has loaded. */
struct ppi_module_found {
    struct ppi_module_info info;
    int fd;        /* of its very build, open; -1 when that cannot be read any more, */
    int inherited; /* … which is no matter to workers: it was loaded before they were forked */
    char why[256]; /* with fd -1: why */
};

/* To be called when workers are about to be forked: what is loaded now, they have. */
void ppi_module_note_inherited(void);
int ppi_module_was_inherited(const unsigned char *build_id, int bytes); /* 0 also when that is not known */

/* The module in which the address lies, last in the list, and before it what it needs and is not part of the
 * system, each after what it needs itself. The list is malloc'ed; whoever has it closes the files. *count is 0,
 * with PP_OK, when every process of the program has the module anyway: the program, its system libraries and
 * libppmpi. PP_ERR_NOMEM, PP_ERR_LIMIT. */
int ppi_module_closure(uintptr_t address, struct ppi_module_found **list, size_t *count);
void ppi_module_free(struct ppi_module_found *list, size_t count);

#endif
