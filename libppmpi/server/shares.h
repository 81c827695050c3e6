/* Shared data as the server knows it: what there is, where it is on its way to, and when what was unshared can go.
 *
 * An object that was unshared waits for the tasks submitted before. They are counted when it is unshared, and not
 * before: a barrier has the number of the last of them, and how many up to there, and behind the barrier before, have not
 * finished. So a task costs nothing while nothing waits to go, and finds its barrier by bisection while something does.
 * With the server's lock held, except where it is said. */
#ifndef PPI_SERVER_SHARES_H
#define PPI_SERVER_SHARES_H

#include "share/share.h"

struct pp_server;

struct ppi_shared_object {
    uint64_t serial; /* 0 = not in use */
    uint64_t offset, bytes; /* in rank 0's memory */
    uint32_t streams;       /* on their way to other ranks */
    uint32_t next;          /* free, or behind the same barrier */
    uint8_t unshared, dropped;
};

struct ppi_share_barrier {
    uint64_t number, tasks;
    uint32_t first; /* of the objects that wait for it */
};

struct ppi_shares {
    struct ppi_shared_store store;
    struct ppi_shared_object *objects;
    uint32_t count, room, free;
    struct ppi_share_barrier *queue; /* a ring of `room` */
    uint32_t head, barriers;
    uint64_t counted; /* tasks before all barriers */
    uint64_t sending; /* streams under way */
};

void ppi_shares_init(struct pp_server *s);
void ppi_shares_fini(struct pp_server *s);

/* Without the lock. */
int ppi_shares_share(struct pp_server *s, const void *data, uint64_t bytes, uint64_t *id);
int ppi_shares_unshare(struct pp_server *s, uint64_t id);

/* The task of this number has finished, and there are barriers. */
void ppi_shares_task_finished(struct pp_server *s, uint64_t number);

/* A stream of the object has been sent to a rank. */
void ppi_shares_sent(struct pp_server *s, uint64_t id);

/* Gives a part of what was dropped back to the system, if there is any. Releases the lock meanwhile. */
int ppi_shares_remove_dropped(struct pp_server *s);

/* Waits until all data has reached its ranks, and all code. */
void ppi_shares_settle(struct pp_server *s);

#endif
