/* What tasks print, the worker's side. stdout and stderr of a worker are pipes whose reading ends both the worker and
 * its agent hold. When a task has ended, the worker itself takes out what it printed and sends it along with the
 * outcome, so that text and task stay together without a system call in the agent. The agent reads only while a task
 * still runs (it may fill the pipe), and what a dead worker left behind.
 *
 * The output lock in the channel keeps the two apart: the worker holds it from its look into the pipes until the outcome
 * is published, the agent while it reads. So what the agent read belongs to the task that runs. Tasks can write to that
 * word; the agent's count of readings, to which they cannot, tells the worker whether the agent really has it.
 *
 * A look costs one system call. A task that took less than half as long as the fastest write to a pipe, or the fastest
 * dup2, cannot have printed or redirected anything, and is not looked at.
 *
 * What a task closes or redirects it does for itself: descriptors 1 and 2 are put back for the next one, unless it was the
 * initializer. A look sees at once when they are closed or lead to a file. That they lead to another pipe, socket or
 * terminal is seen after tasks of some length, after a number of short ones, and when the worker has nothing to do. */
#ifndef PPI_OUTPUT_COLLECT_H
#define PPI_OUTPUT_COLLECT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct ppi_collector {
    int read_fd[2];       /* reading ends of stdout's and stderr's pipe, -1 = none (workers that are threads) */
    int write_fd[2];      /* writing ends of our own, to put them back */
    uint64_t inodes[2];   /* to see whether a task has closed them */
    int elsewhere[2];     /* the initializer has redirected the stream, which is its right */
    int unseen;           /* tasks that have been looked at since the streams were seen to be these pipes */
    uint64_t fastest_ns;  /* tasks below this cannot have printed */
    int look_again;       /* something may be there from before the next task */
    char *text[2];
    size_t bytes[2], room[2];
};

/* fds: two reading ends, whose writing ends are descriptors 1 and 2, or NULL. Measures what a write to a pipe takes. */
void ppi_collector_init(struct ppi_collector *collector, const int fds[2]);
void ppi_collector_fini(struct ppi_collector *collector);

/* Whether a task that took so long can have printed. */
int ppi_collector_suspects(const struct ppi_collector *collector, uint64_t duration_ns);

/* Flushes C's and Fortran's buffers (see units.h) after a task, before a fork and at an end in order, and from an exit handler.
 * Without the lock: it waits while a pipe is full. */
void ppi_collector_flush(void);
void ppi_collector_flush_files(void);
void ppi_collector_flush_leaving(void);

/* With the lock held, after a task that took so long: reads what is in the pipes into text[] and bytes[], and puts back what
 * the task has redirected. Returns 1 if there is any text, 0 if none. -1 when the task has closed what is needed for that:
 * then nothing was read. */
int ppi_collector_read(struct ppi_collector *collector, uint64_t duration_ns);

/* When there is time for it: sees that the streams are the pipes. */
void ppi_collector_rest(struct ppi_collector *collector);

/* What is redirected now stays so. */
void ppi_collector_accept(struct ppi_collector *collector);

/* Reads from a non-blocking pipe until it is empty or the buffer holds `most`; the buffer grows. Returns bytes read. */
size_t ppi_output_drain(int fd, char **text, size_t *bytes, size_t *room, size_t most);

/* The worker's side. `readings` is odd while the agent may hold the lock; no task can write to it. Waits while the agent
 * holds it. 0 when it is taken and nobody of us has it: a task has written over it. */
int ppi_output_lock(_Atomic uint32_t *lock, const _Atomic uint32_t *readings);
void ppi_output_unlock(_Atomic uint32_t *lock);

/* The agent's side: 1 when it has the lock. In between it is to be unlocked by ppi_output_let_go, whether it was had or
 * not. */
int ppi_output_try_lock(_Atomic uint32_t *lock, _Atomic uint32_t *readings);
void ppi_output_let_go(_Atomic uint32_t *lock, _Atomic uint32_t *readings, int had);

#endif
