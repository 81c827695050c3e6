/* The worker: takes jobs from its channel, runs them, publishes outcomes. A process of its own, or a thread where
 * processes cannot be (sanitizers). Everything it needs is in the struct: several can live in one process. */
#ifndef PPI_WORKER_WORKER_H
#define PPI_WORKER_WORKER_H

#include "base/clock.h"
#include "channel/workspace.h"
#include "module/load.h"
#include "output/collect.h"

#include <ppmpi.h>

struct ppi_result_block { /* memory for results, in the worker's segment */
    uint64_t offset, bytes;
    int guarded;
};

struct pp_task {
    struct ppi_worker *worker;
    const struct ppi_job *job;
    const void *args;
    unsigned char *result; /* NULL until pp_task_result was called with more than 0 bytes */
    uint64_t result_bytes, result_room;
    uint32_t block; /* the result's, when in the segment */
    int in_block;
    int failed, code, status;
    struct ppi_task_memory *memory; /* of pp_task_alloc */
    char message[512];
};

struct ppi_worker {
    struct ppi_workspace *workspace;
    struct ppi_requests *requests;
    struct ppi_answers *answers;
    char *segment; /* where answers start; the blocks follow */
    uint64_t segment_bytes;
    int number;  /* in the whole farm */
    int process; /* 1: this process is nothing but the worker */
    uint32_t begun; /* jobs: our own count, which no task can reach through the segment */
    long pid;    /* of the process that is the worker, to recognise its forked children; 0 for a thread */
    char *alive; /* a page that a forked child finds wiped, or NULL */
    struct ppi_collector collector;
    pp_function *functions; /* found so far, by index, */
    uint64_t unloads;       /* … when so many modules had been unloaded */
    struct ppi_module_loader modules; /* what had to be loaded for them */

    /* Small results are written into a page-guarded private buffer and copied: a task that runs past its end meets
     * the guard, not the results of others. Large ones are in the segment, each between guards, read-only once done. */
    unsigned char *staging;
    struct ppi_arena small, large;
    struct ppi_result_block *blocks;
    uint32_t *free_blocks, free_count, returned;

    int (*meanwhile)(void *ctx); /* of a rank that is its own worker: what its task has it do while it waits; 0 = nothing to do */
    void *meanwhile_ctx;

    struct pp_task task;
    struct ppi_stopwatch watch;
    int unrung;       /* the last job's outcome is published, and nobody was rung for it, */
    uint64_t took_ns; /* … which took so long */
    int unfit;    /* the initializer has failed: no task runs here, each fails with its status, code and message */
    int unfit_status, unfit_code;
    char unfit_message[512];
};

/* read_fds as for ppi_collector_init. PP_ERR_NOMEM when there is no memory for it. */
int ppi_worker_init(struct ppi_worker *worker, struct ppi_workspace *workspace, int slot, int number, char *segment,
                    uint64_t segment_bytes, const int read_fds[2]);
void ppi_worker_fini(struct ppi_worker *worker);

/* Runs jobs until the agent says stop, or until the worker cannot go on. */
void ppi_worker_run(struct ppi_worker *worker);

/* Runs the program's initializer, if it has one: before the first job. */
void ppi_worker_initialize(struct ppi_worker *worker);

/* One job, if there is one. 1 when it ran one, 0 when there was none, -1 when the worker cannot go on. ended, which may be
 * NULL, is called when the task has ended and before anybody hears of it. */
int ppi_worker_step(struct ppi_worker *worker, void (*ended)(void));

/* The task that runs has failed and goes no further: its outcome is published, and the process ends. Returns where there is
 * no such process, and in the initializer. */
void ppi_worker_end_here(struct ppi_worker *worker);

/* ---- result.c: memory of results */

int ppi_results_init(struct ppi_worker *worker);
void ppi_results_fini(struct ppi_worker *worker);

/* Takes back the blocks of results that nobody needs any more. */
void ppi_results_take_returned(struct ppi_worker *worker);

/* Makes room for `bytes` of result and keeps what is there. 0 when there is no memory. */
int ppi_result_resize(struct pp_task *task, uint64_t bytes);

/* Gives a result that will not be sent back to the memory it came from. */
void ppi_result_drop(struct pp_task *task);

/* A block of the segment to copy small things into; NULL without memory. Large results are sealed in place instead. */
unsigned char *ppi_result_block(struct ppi_worker *worker, uint64_t bytes, uint32_t *number);
void ppi_result_seal(struct pp_task *task);

/* 1 when the result is in a block of its own, and that has room for so many bytes, or could be given it in place. */
int ppi_result_has_room(struct pp_task *task, uint64_t bytes);

/* ---- task.c */

void ppi_task_begin(struct pp_task *task, struct ppi_worker *worker, const struct ppi_job *job);
void ppi_task_end(struct pp_task *task);

/* The worker whose task this thread runs, or, in a thread that a task has started, that this process is; else NULL. */
const struct ppi_worker *ppi_worker_here(void);

#endif
