/* Code that travels, as the server knows it: which modules tasks need, and which rank has been told, or sent,
 * what. The ranks of a node are told through the one that holds the node's shared data; it asks for what the
 * node does not have. With the server's lock held, except where it is said. */
#ifndef PPI_SERVER_MODULES_H
#define PPI_SERVER_MODULES_H

#include "module/closure.h"
#include "module/hold.h"

struct pp_server;

struct ppi_server_module {
    struct ppi_module_found found; /* its file stays open: what comes to lie at its path is of no matter */
    uint32_t *told, *sent;         /* bit per rank */
    char *image;                   /* its file's contents while they are needed */
    uint32_t users;                /* of the image: streams, and who reads it */
    int keep;                      /* … until the end: MPI may still read it for a rank that was lost */
};

struct ppi_module_want {
    uint32_t number;
    int rank;
};

struct ppi_modules {
    struct ppi_module_store store; /* of rank 0's node */
    struct ppi_server_module *module[PPI_MODULES_MAX];
    uint32_t count;
    struct ppi_module_want *wants; /* in the order in which they came */
    size_t want_count, want_room;
    uint64_t sending; /* streams under way */
    int closed;
    void **handles; /* of options.modules */
    size_t handle_count;
};

void ppi_modules_init(struct pp_server *s);
void ppi_modules_fini(struct pp_server *s);

/* Fills in the module in which that address lies and what it needs, when it travels. Those that are new are made
 * known to our own workers. PP_ERR_MODULE when the very build of a new one cannot be read any more. */
int ppi_modules_find(struct pp_server *s, uintptr_t address, struct ppi_function_ref *ref);

/* Before a rank is told of that function. */
void ppi_modules_announce(struct pp_server *s, int rank, const struct ppi_function_ref *ref);

/* What options.modules names: opens it, before the ranks are told anything. */
int ppi_modules_open(struct pp_server *s);

/* With WELCOME, when it is not known yet who holds a node's data: each is told of what the initializer needs,
 * and of what is to be sent ahead of time. */
void ppi_modules_welcome(struct pp_server *s, int rank);

/* A rank asks for one. send_wanted: sends one that was asked for, if there is one; releases the lock meanwhile. */
void ppi_modules_want(struct pp_server *s, int rank, uint32_t number);
int ppi_modules_send_wanted(struct pp_server *s);
void ppi_modules_sent(struct pp_server *s, uint32_t number, int rank);

#endif
