/* Which task goes to which agent. Pure: no I/O, no clock, no threads; tasks are numbers of the task store.
 *
 * Ready tasks wait in the order of priority, then of submission. An agent gets as many as keep its workers busy until
 * the next look (base/policy.h), and towards the end of the queue no more than its share of what is left, so that none
 * hoards while others idle (guided self-scheduling: Polychronopoulos & Kuck, IEEE Trans. Comput. C-36, 1987). Every call
 * takes the same time however many tasks wait.
 *
 * An agent that gives nothing back while a task runs gets one long task at a time, but several where there are so many agents
 * that a message for each task would be too many: up to half of its share of what is left.
 *
 * Agent 0 is in the process that hands out. Tasks that it has done before a message would have come to another agent, or that
 * take less time than to send them, stay with it.
 *
 * A task that has failed on an agent (its extra says on which worker) goes to another one when that agent has no other
 * worker, and to an idle one where there is one; which worker it then avoids is for the agent. Meanwhile those behind it
 * pass. */
#ifndef PPI_SCHEDULER_SCHEDULER_H
#define PPI_SCHEDULER_SCHEDULER_H

#include "task/task.h"

#include <stddef.h>
#include <stdint.h>

struct ppi_ready_level {
    int priority;
    uint32_t first, last;
};

struct ppi_scheduler_agent {
    int workers; /* 0 = not there */
    int alone;   /* its one worker is the rank itself: it gives nothing back while a task runs */
    uint64_t given; /* tasks that it has */
    uint32_t depth;
    double mean_ns, last_ns; /* of its tasks' duration */
    struct { /* in the lists of agents that may have an idle worker, and that may have room */
        int listed, next;
    } hungry[2];
    int refused, next_refused; /* in this call: nothing that is ready may go to it */
};

struct ppi_scheduler {
    struct ppi_task_store *store; /* for the records' links */
    struct ppi_ready_level *levels; /* highest priority first */
    int level_count, level_room;
    uint64_t ready, given; /* given: tasks that agents have */
    struct ppi_scheduler_agent *agents;
    int agent_count;
    int crowded; /* so many that each word of theirs counts, see ppi_crowd_ns */
    long workers; /* of all agents */
    struct {
        int first, last;
    } hungry[2]; /* those with an idle worker are served first */
    int waiting_for_others; /* what is ready waits for other agents than those that have room */
    int own_gets_on; /* agent 0 is not held up by a long task; told from outside, */
    int own_enough;  /* … as is how many of its workers do all of the shortest tasks; 0 = all of them */
    int current; /* the agent that is being given to, and how many more it gets */
    uint64_t grant;
};

int ppi_scheduler_init(struct ppi_scheduler *s, struct ppi_task_store *store, int agents);
void ppi_scheduler_fini(struct ppi_scheduler *s);

/* workers = 0: the agent is lost, and what it had is not counted any more. */
void ppi_scheduler_set_workers(struct ppi_scheduler *s, int agent, int workers);

/* The same for an agent that is there: what it has it will finish or give back, even with 0 workers. */
void ppi_scheduler_resize(struct ppi_scheduler *s, int agent, int workers);

/* Before tasks are given to it. */
void ppi_scheduler_set_alone(struct ppi_scheduler *s, int agent);

/* Queues a task: behind, or before, those of its priority. PP_ERR_NOMEM for a new priority without memory. */
int ppi_scheduler_push(struct ppi_scheduler *s, uint32_t task, int priority, int in_front);

/* A task in the queue has left the state QUEUED: it is passed over when its turn comes. */
void ppi_scheduler_forget(struct ppi_scheduler *s);

/* The agent that takes a new task at once; -1 when it has to be queued, since others are or no agent has room. */
int ppi_scheduler_direct(struct ppi_scheduler *s);

/* The next assignment: 1, or 0 when no task is ready or no agent has room. */
int ppi_scheduler_next(struct ppi_scheduler *s, uint32_t *task, int *agent);

/* An agent with an idle worker, likely to be the next that is given a task; -1 = none. */
int ppi_scheduler_idle_agent(const struct ppi_scheduler *s);

/* The agent has one task more, which was in no queue. */
void ppi_scheduler_given(struct ppi_scheduler *s, int agent);

/* How long its tasks take, where that is known; those that finish then need not say. */
void ppi_scheduler_measured(struct ppi_scheduler *s, int agent, double mean_ns, double last_ns);

/* The agent has one task less. duration_ns: how long it took, 0 = it did not run. */
void ppi_scheduler_finished(struct ppi_scheduler *s, int agent, uint64_t duration_ns);

#endif
