/* The images of a node: which build of a module there is, or memory for one that comes. They are files without a
 * name, which end with the last process that has them; workers open them through /proc. One thread at a time, or
 * the server's lock. */
#ifndef PPI_MODULE_HOLD_H
#define PPI_MODULE_HOLD_H

#include "module/table.h"

struct ppi_module_image {
    int fd;    /* -1 = none */
    void *map; /* while it arrives */
    uint64_t bytes;
};

struct ppi_module_store {
    struct ppi_workspace *workspace;
    struct ppi_module_image *images; /* PPI_MODULES_MAX of them, once there is one */
};

void ppi_module_store_init(struct ppi_module_store *store, struct ppi_workspace *workspace);
void ppi_module_store_fini(struct ppi_module_store *store);

/* A number gets a meaning. 1 when this node has that very build, at its path or loaded since before its workers were
 * forked; 0 when it is to be sent: then the entry is ARRIVING. -1: the number has a meaning already. */
int ppi_module_offer(struct ppi_module_store *store, uint32_t number, const struct ppi_module_info *info);

/* The same for whoever has the file open; the descriptor is the store's from now on, and -1 is for one that
 * workers have. */
void ppi_module_hold(struct ppi_module_store *store, uint32_t number, const struct ppi_module_info *info, int fd);

/* Memory for one that is ARRIVING, of the size that was offered; NULL, and the entry has FAILED, when there is
 * none. */
void *ppi_module_receive(struct ppi_module_store *store, uint32_t number);
int ppi_module_is_arriving(const struct ppi_module_store *store, uint32_t number); /* it has that memory */
void ppi_module_arrived(struct ppi_module_store *store, uint32_t number);

/* It will not come. */
void ppi_module_fail(struct ppi_module_store *store, uint32_t number, int status, const char *why);

#endif
