/* The workers of one rank: starts them, ends them, tells how they ended. Knows no jobs. Workers are processes; or
 * threads, where sanitizers must see everything; or the rank itself is the one worker (PP_ISOLATE_NONE).
 *
 * Processes are made by the fork server: a child of the rank made before MPI_Init, so it is small and carries no
 * MPI state. It sits under a stub that was made by clone without an exit signal, so that the program's own wait() never
 * sees it. All of them end with the rank, however it ends: by end of file on the socket, and by PR_SET_PDEATHSIG. */
#ifndef PPI_WORKER_POOL_H
#define PPI_WORKER_POOL_H

#include "channel/workspace.h"
#include "topology/topology.h"

enum ppi_pool_kind { PPI_POOL_PROCESSES, PPI_POOL_THREADS, PPI_POOL_RANK };

struct ppi_worker_start {
    int slot;
    uint32_t serial;            /* of this start, to tell one worker of a slot from the next */
    int number;                 /* of the worker in the whole farm */
    int cores;                  /* OpenMP threads that it may use */
    int bind;                   /* 1: to cpus */
    struct ppi_cpus cpus;
    struct ppi_segment segment; /* the worker's, made by the agent */
    int write_fd[2], read_fd[2]; /* pipes of stdout and stderr, all -1 for threads */
};

enum ppi_pool_event { PPI_POOL_STARTED, PPI_POOL_FAILED, PPI_POOL_ENDED, PPI_POOL_BROKEN };

struct ppi_pool_report {
    enum ppi_pool_event event;
    int slot;
    int error;       /* FAILED: errno */
    int wait_status; /* ENDED: as from waitpid */
    int unbound;     /* STARTED: 1 when binding was refused */
    long pid;
};

struct ppi_pool;

/* PROCESSES: must be called while the process has one thread and no MPI. */
int ppi_pool_open(struct ppi_pool **out, enum ppi_pool_kind kind, struct ppi_workspace *workspace);

/* Before the first start: workers are to have the segment of shared data behind that descriptor, which stays the caller's.
 * See share/. */
int ppi_pool_map_shared(struct ppi_pool *pool, int fd);

/* The same for the server's memory, in which they are to read arguments (`server` in the workspace). */
int ppi_pool_map_server(struct ppi_pool *pool, int fd);

/* Asks for a worker; the report follows, announced by the doorbell's count of deaths. The descriptors stay the caller's. */
int ppi_pool_start(struct ppi_pool *pool, const struct ppi_worker_start *start);

/* Kills the worker process in the slot, if it is still the one of that start; it need not have been reported as started yet.
 * Threads cannot be killed. */
void ppi_pool_kill(struct ppi_pool *pool, int slot, uint32_t serial);

/* The next report: 1, or 0 when there is none. Does not wait. */
int ppi_pool_next(struct ppi_pool *pool, struct ppi_pool_report *report);

/* True when the rank itself is the worker: whoever drives its agent runs the jobs, by ppi_pool_work. */
int ppi_pool_is_rank(const struct ppi_pool *pool);

/* While a task of such a rank waits for something that comes by message, meanwhile(ctx) is called. It returns 0 when nothing
 * has come. To be set before the first start. */
void ppi_pool_set_meanwhile(struct ppi_pool *pool, int (*meanwhile)(void *ctx), void *ctx);

/* Runs the next job of such a rank in the calling thread; 0 when there is none. */
int ppi_pool_work(struct ppi_pool *pool);

/* Kills what is left and waits for the fork server. A pool that is kept stays, for the next agent: all of its workers must
 * have been reported as ended. */
void ppi_pool_close(struct ppi_pool *pool);

/* ---- the kinds */

struct ppi_pool_kind_ops {
    int (*open)(struct ppi_pool *pool);
    int (*map_shared)(struct ppi_pool *pool, int fd); /* NULL: workers have what the rank has */
    int (*map_server)(struct ppi_pool *pool, int fd); /* the same */
    int (*hold)(struct ppi_pool *pool, int fd);       /* a connection, see hold.h; NULL: nobody is there to hold it */
    int (*start)(struct ppi_pool *pool, const struct ppi_worker_start *start);
    void (*kill)(struct ppi_pool *pool, int slot, uint32_t serial);
    int (*next)(struct ppi_pool *pool, struct ppi_pool_report *report);
    int (*work)(struct ppi_pool *pool); /* NULL where workers run by themselves */
    void (*close)(struct ppi_pool *pool);
};

struct ppi_pool {
    const struct ppi_pool_kind_ops *ops;
    struct ppi_workspace *workspace;
    int socket;     /* to the fork server */
    long stub;      /* its parent */
    int broken;     /* the fork server is gone, and it has been reported */
    struct { /* reports that had to be read while we wanted to write */
        struct ppi_pool_report *reports;
        size_t first, count, room;
    } heard;
    int kept;       /* outlives the agents that use it */
    struct ppi_pool_threads *threads;
    struct ppi_pool_rank *rank;
};

extern const struct ppi_pool_kind_ops ppi_pool_processes, ppi_pool_threads, ppi_pool_rank;

#endif
