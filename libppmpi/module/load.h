/* Loading what the program did not have when the worker was started: in the process that runs tasks. */
#ifndef PPI_MODULE_LOAD_H
#define PPI_MODULE_LOAD_H

#include "module/table.h"

struct ppi_module_loader {
    const struct ppi_workspace *workspace;
    int (*meanwhile)(void *ctx); /* as for ppi_module_wait */
    void *meanwhile_ctx;
    struct ppi_module_loaded {
        void *handle;
        const struct ppi_module_info
            *alias_of; /* it only lends that one its name, see alias.h; NULL = it is a module itself */
    } * loaded;
    size_t count, room;
    uint32_t unloads; /* how often that was given up again: functions that were found before are not there any more */
};

/* Waits for the module of a function and for what that needs, and loads what is not loaded. PP_ERR_MODULE with
 * the loader's message, or what the table has. */
int ppi_module_load(struct ppi_module_loader *loader, const struct ppi_function_ref *ref);

/* Closes what was loaded: a rank that runs tasks itself goes on without it. */
void ppi_module_loader_fini(struct ppi_module_loader *loader);

#endif
