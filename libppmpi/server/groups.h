/* Groups of tasks: how many have not finished, and which have finished and not been delivered by pp_next. A group lives
 * as long as it has either. With the server's lock held. */
#ifndef PPI_SERVER_GROUPS_H
#define PPI_SERVER_GROUPS_H

#include "task/task.h"

#include <stddef.h>
#include <stdint.h>

#define PPI_GROUPS_MAX 65535

struct ppi_finished {
    uint32_t index, generation; /* of the record: listed as long as it has this generation, and PPI_TASK_LISTED */
};

struct ppi_group {
    char *name;
    uint64_t tasks;     /* that have not finished */
    uint64_t callbacks; /* tasks that have finished and whose callbacks have not */
    uint64_t hidden;    /* of both, those that pp_next will pass over */
    struct ppi_finished *finished; /* in order of completion; what was taken otherwise is still there: passed over */
    size_t first, end, room;       /* of the array: it begins and ends here */
    size_t listed;                 /* tasks in it that pp_next has not delivered, nor anybody fetched or released; */
    size_t wanted;                 /* … and those that may still come. room is twice as much, or more */
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

/* A task of the group is submitted: what it needs of memory until its end is there then. Or PP_ERR_NOMEM; then the group
 * goes if it has no other task. */
int ppi_groups_submitted(struct ppi_groups *g, int group);
void ppi_groups_undone(struct ppi_groups *g, int group); /* it is not submitted after all */

/* It has finished, and its callbacks are about to run; they have run. */
void ppi_groups_calls(struct ppi_groups *g, int group);
void ppi_groups_called(struct ppi_groups *g, int group);

/* It has finished, and its callbacks, if it had any, have run: it is listed for pp_next, or had been hidden. */
void ppi_groups_list(struct ppi_groups *g, struct ppi_task *t, uint32_t index);
void ppi_groups_ended(struct ppi_groups *g, int group);

/* pp_next will pass over a task that has not told of its end yet. */
void ppi_groups_hide(struct ppi_groups *g, int group);

/* No longer listed, if it was. */
void ppi_groups_unlist(struct ppi_groups *g, struct ppi_task *t, uint32_t index);

/* Takes the first of the group (-1 = of all) off the list; PPI_TASK_NONE when there is none. */
uint32_t ppi_groups_next(struct ppi_groups *g, int group);

#endif
