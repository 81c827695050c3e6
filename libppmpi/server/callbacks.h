/* Callbacks: run on a thread of their own, one at a time, before anybody else is told that the task has finished. */
#ifndef PPI_SERVER_CALLBACKS_H
#define PPI_SERVER_CALLBACKS_H

#include "server/server.h"

typedef void (*ppi_callback_fn)(pp_future f, void *arg);

/* With the lock held. Adds a callback to a task that has not told of its end yet, or runs it without delay. */
int ppi_callbacks_add(struct pp_server *s, uint32_t index, ppi_callback_fn fn, void *arg);

/* With the lock held: the task has finished and has callbacks; ppi_server_tell follows when they have run. */
void ppi_callbacks_due(struct pp_server *s, uint32_t index);

void ppi_callbacks_stop(struct pp_server *s);

void ppi_callbacks_drop(struct ppi_task_extra *extra); /* those that will not run */

/* True on the callback thread. */
int ppi_callbacks_here(void);

#endif
