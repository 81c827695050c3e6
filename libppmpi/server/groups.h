/* Groups of tasks: how many have not finished, and which have finished and not been delivered by pp_next. A group lives as
 * long as it has either. With the server's lock held. */
#ifndef PPI_SERVER_GROUPS_H
#define PPI_SERVER_GROUPS_H

#include "task/task.h"

#include <stddef.h>
#include <stdint.h>

#define PPI_GROUPS_MAX 65535

struct ppi_group {
    char *name;
    uint64_t tasks;     /* that have not finished */
    uint64_t callbacks; /* tasks that have finished and whose callbacks have not */
    uint64_t hidden;    /* of both, those that pp_next will pass over */
    uint32_t first, last, listed; /* finished tasks, in order of completion */
    int next_in_bucket;
    int next_busy, previous_busy; /* among the groups with a list that is not empty */
};

struct ppi_groups {
    struct ppi_task_store *store;
    struct ppi_group *groups; /* [0] is "default" */
    int count, room, free, busy;
    uint64_t hidden; /* in all groups */
    int buckets[1024];
};

int ppi_groups_init(struct ppi_groups *g, struct ppi_task_store *store);
void ppi_groups_fini(struct ppi_groups *g);

/* The group of that name (NULL = "default"); -1 when there is none. */
int ppi_groups_find(const struct ppi_groups *g, const char *name);

/* The same, made if need be: PP_ERR_NOMEM, or PP_ERR_LIMIT with 65535 groups at once. */
int ppi_groups_make(struct ppi_groups *g, const char *name, int *group);

/* A task of the group was submitted; has finished; and its callbacks, if it had any, have run. */
void ppi_groups_submitted(struct ppi_groups *g, int group);
void ppi_groups_finished(struct ppi_groups *g, int group);
void ppi_groups_called(struct ppi_groups *g, int group);

/* pp_next will (not) pass over a task that has not told of its end yet. */
void ppi_groups_hide(struct ppi_groups *g, int group);
void ppi_groups_unhide(struct ppi_groups *g, int group);

/* The list for pp_next. next: takes the first of the group (-1 = of all) off; PPI_TASK_NONE when there is none. */
void ppi_groups_list(struct ppi_groups *g, struct ppi_task *t, uint32_t index);
void ppi_groups_unlist(struct ppi_groups *g, struct ppi_task *t);
uint32_t ppi_groups_next(struct ppi_groups *g, int group);

#endif
