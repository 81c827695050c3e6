/* The agent of a rank: owns the rank's workers, gives them jobs, hands on what becomes of each job. It knows nothing of
 * other ranks and nothing of futures. One thread at a time; in rank 0 the server's lock sees to that. */
#ifndef PPI_AGENT_AGENT_H
#define PPI_AGENT_AGENT_H

#include "base/policy.h"
#include "channel/workspace.h"
#include "output/lines.h"
#include "topology/topology.h"
#include "worker/pool.h"

#include <ppmpi.h>

/* What became of a job. Valid during the call of `finished`; to keep `data` longer, see ppi_agent_lend. */
struct ppi_result {
    int status, code, signal;
    int worker; /* its number in the farm */
    long pid;
    uint64_t started_ns, finished_ns; /* CLOCK_MONOTONIC of this node */
    const void *data; /* the result, or the message of a failure */
    uint64_t bytes;
    struct ppi_loan *loan; /* set when the data is large and lies in shared memory, where it can stay */
    int in_arena;          /* 1: the data is a block of the server's own arena, which whoever keeps it takes over */
};

struct ppi_agent_events {
    void (*finished)(void *ctx, const struct ppi_job *job, struct ppi_result *result);
    void (*output)(void *ctx, int stream, const char *text, size_t bytes); /* whole lines, 0 = stdout, 1 = stderr */
    void *ctx;
    void (*gone)(void *ctx, uint32_t segment); /* a worker has ended whose segment was told of (peer_id); or NULL */
};

/* A large result that stays in its worker's segment. Whoever takes it from ppi_result (sets result->loan to NULL) gives it
 * back with ppi_agent_return_loan. */
struct ppi_loan {
    struct ppi_worker_segment *segment;
    uint64_t offset, bytes;
    uint32_t block;
    struct ppi_loan *next, *previous; /* of the segment; once given back, among the dying */
};

struct ppi_agent_config {
    int workers, cores_per_worker;
    int first_number; /* of this agent's workers in the farm, */
    int extra_number; /* … and of those that are added later, */
    int extra_gap;    /* … between which lie so many of others' */
    int restart;      /* fresh process after so many jobs; 0 = never */
    int bind;         /* 1: each worker to its cores; 0: to all of the rank's, as other ranks use them too */
    int spin_below;   /* who waits here may poll while fewer workers are busy: this rank's part of the cores */
    int open_segments; /* their descriptors stay, for another rank to open them */
    const struct ppi_topology *topology;
    const struct ppi_cpus *aside; /* of other ranks, which leave them to our workers while jobs are the shortest; or NULL */
};

enum ppi_slot_state { PPI_SLOT_EMPTY, PPI_SLOT_STARTING, PPI_SLOT_READY, PPI_SLOT_LEAVING };

struct ppi_slot {
    enum ppi_slot_state state;
    struct ppi_channel channel;
    struct ppi_job *kept; /* the channel's, from the first start of a worker on */
    struct ppi_worker_segment *segment;
    long pid;        /* 0 until it is reported as started */
    uint32_t serial; /* of its start */
    int read_fd[2];
    struct ppi_lines lines[2];
    uint64_t jobs_done;         /* by this process */
    uint64_t killed_id;         /* the job for which we killed the worker, */
    uint16_t killed_attempt;    /* … its attempt, */
    int killed_status;          /* … and why; PP_OK = not killed by us */
    int only_cpu;               /* the one processing unit that it is bound to; -1 = it has several */
    int aside;                  /* it is bound to config.aside */
    uint64_t progress_ns;       /* when it was seen to get on with its jobs, or got the first */
    uint64_t locked_out_ns;     /* since when its output lock cannot be had, 0 = it can */
    int distrusted;             /* wrote nonsense into its channel: nothing more is read from it */
    int failures;               /* starts in a row that came to nothing */
    uint64_t retry_ns;          /* when to start again */
    uint64_t started_ns;        /* when this process was asked for */
    uint64_t told_id;           /* the job that ppi_agent_tell_running told of last */
    uint16_t told_attempt;
    int dirty, idle, to_wake;   /* in the agent's lists of that name */
};

struct ppi_agent {
    struct ppi_workspace *workspace;
    struct ppi_pool *pool;
    struct ppi_agent_config config;
    struct ppi_agent_events events;
    char host[256];
    struct ppi_cpus *cpus; /* one set per worker */
    struct ppi_slot *slots; /* room for PPI_WORKERS_MAX */
    int slot_count;
    int target; /* workers that there should be: slots 0 … target-1 */
    int alive;   /* slots that are starting or ready */
    int busy;    /* … with jobs in them */
    int beside;  /* the processing unit of the thread that opened it */
    int one_core; /* the workers run on the one processing unit of the rank, so while its own threads sleep; */
    int aside;    /* … unless they are away from it, see aside.c */
    int others_idle;         /* other ranks have no tasks; */
    uint64_t others_busy_ns; /* … since when they have some, while the workers are away; 0 = they have none */
    int closing;  /* what ends is not replaced */
    int initializer_failed; /* it crashed or ran out of time: every job fails */
    int hopeless; /* no worker can be had: jobs fail with this status, */
    int why_signal, why_code;
    long why_pid;
    char why[512]; /* … and this message */
    int unbound; /* a worker could not be bound, and it was said */
    uint32_t deaths_seen;

    uint64_t polled_ns;    /* the last poll, */
    uint64_t collected_ns; /* … and the last that found an outcome */
    uint64_t load;   /* jobs in all channels */
    uint32_t depth;  /* jobs that a channel should hold */
    double mean_ns;  /* of the jobs' duration, exponentially weighted */
    double last_ns;  /* the last one's */
    uint64_t timed;  /* jobs with a time-out that are here */
    int *idle, idle_count;   /* stack of slots without jobs: the last to become idle is still awake */
    int *dirty, dirty_count; /* slots with unpublished jobs */
    int *to_wake, to_wake_count; /* slots whose worker slept when they were published */
    int unpublished, urgent; /* jobs that are written but not published; one of them is for an idle worker */
    int unwatched;           /* who polls is another thread, and may be asleep: nobody sees whether a worker gets on */
    int program_busy;        /* the calling thread submits one task after another */
    int fill, fill_left;     /* the slot that is being filled, and how many more it gets in a row */

    struct { /* jobs that no channel has room for: a ring buffer */
        struct ppi_job *jobs;
        size_t first, count, room;
    } pending;

    struct { /* jobs that are tried again and wait for another worker than the one on which they failed */
        struct ppi_job *jobs;
        size_t count, room;
    } retries;

    struct { /* what was read from a worker's pipe */
        char *text;
        size_t bytes, room;
    } drained[2];
    struct ppi_loan *dying; /* given back, and still with their memory */
    uint64_t next_drain_ns, drain_pause_ns; /* when running tasks are next asked for output */
};

/* workspace and pool were made before MPI_Init; the pool becomes the agent's, the workspace stays the caller's. Starts the workers and waits until each has started or
 * failed to; PP_OK with at least one. On failure the pool is closed. */
int ppi_agent_open(struct ppi_agent *agent, struct ppi_workspace *workspace, struct ppi_pool *pool,
                   const struct ppi_agent_config *config, const struct ppi_agent_events *events);

/* Stops the workers, those that still run a job after grace_s by force; hands on the output they left. */
void ppi_agent_close(struct ppi_agent *agent, double grace_s);

/* Makes it so many workers. Those that go end their job first, what waits for them runs elsewhere. With none, the caller
 * takes what is left by ppi_agent_give_up, then and later. */
int ppi_agent_resize(struct ppi_agent *agent, int workers);

/* Workers that jobs can be given to. An agent whose initializer crashes has none, and takes jobs to fail them. */
static inline int ppi_agent_takers(const struct ppi_agent *agent)
{
    return agent->alive == 0 && agent->initializer_failed ? 1 : agent->alive;
}

/* Workers that there are, or will be as soon as others, which were taken away, have ended their job in their place. */
int ppi_agent_workers(const struct ppi_agent *agent);

/* The number in the farm of a slot's worker. */
static inline int ppi_agent_worker_number(const struct ppi_agent *agent, int slot)
{
    return slot < agent->config.workers ? agent->config.first_number + slot
                                        : agent->config.extra_number + (slot - agent->config.workers) * (1 + agent->config.extra_gap);
}

/* Room for one job to be written into; NULL without memory. The job goes to the worker with the next flush. */
struct ppi_job *ppi_agent_add(struct ppi_agent *agent);

/* The same for a job that has failed before, avoid being as in ppi_wire_task: it waits for another worker while there is
 * one. */
struct ppi_job *ppi_agent_add_retry(struct ppi_agent *agent, int avoid);

/* To be called when the job is written. */
void ppi_agent_added(struct ppi_agent *agent, const struct ppi_job *job);

/* Publishes what was added. The words of sleeping workers are stored in wake[] (room for PPI_WORKERS_MAX): to be
 * passed to ppi_futex_wake once no lock is held. Returns how many. */
int ppi_agent_flush(struct ppi_agent *agent, _Atomic uint32_t **wake);

/* The word of a worker that sleeps and is likely to get the next job, to be passed to ppi_futex_wake; NULL = there is none.
 * To be woken is half of what a short job costs, and can go on beside the copying of its arguments. */
_Atomic uint32_t *ppi_agent_rouse(struct ppi_agent *agent);

/* Jobs take less time than to hand them out: one worker does what the program can submit and take in, */
static inline int ppi_agent_is_quick(const struct ppi_agent *agent)
{
    return ppi_is_quick(agent->mean_ns);
}

/* … or as many as there are cores beside the program: more of them would only take cores from each other. */
static inline int ppi_agent_enough(const struct ppi_agent *agent)
{
    int cores = agent->config.spin_below;
    return cores > 2 ? cores - 1 : 1;
}

/* Whether a flush should not wait. A job for a worker that has others already can: the outcome of those will make
 * somebody look again. So can the shortest jobs, whoever gets them, while more are coming at once; the caller sees to it
 * that somebody looks should they not come. */
int ppi_agent_flush_due(const struct ppi_agent *agent);

/* Collects what has finished, died, printed or run out of time, and calls the events. Returns how many jobs finished. */
int ppi_agent_poll(struct ppi_agent *agent, uint64_t now_ns);

/* True when there is something for ppi_agent_poll. */
int ppi_agent_has_news(const struct ppi_agent *agent);

/* Where the rank itself is the worker: the job that ppi_agent_work would run next, NULL when there is none. */
const struct ppi_job *ppi_agent_next_job(const struct ppi_agent *agent);

/* Where the rank itself is the worker: runs the next job in the calling thread, with no lock held. 0 when there is none. Other
 * threads may use the agent meanwhile, but not work too. */
int ppi_agent_work(struct ppi_agent *agent);

/* As ppi_doorbell_listen, but workers that have more jobs do not ring before PPI_RING_GAP_NS after the last outcome was taken. */
uint32_t ppi_agent_listen(struct ppi_agent *agent, enum ppi_listener who);

/* How long the agent may sleep without a ring, when it is left alone. */
uint64_t ppi_agent_patience_ns(const struct ppi_agent *agent, uint64_t now_ns);

/* Describes a function to the workers. The index is the caller's. PP_ERR_LIMIT beyond the table. */
struct ppi_function_ref;
int ppi_agent_define(struct ppi_workspace *workspace, uint32_t index, const struct ppi_function_ref *ref);

/* The number of the worker that runs the job now, -1 when none does. */
int ppi_agent_find_running(const struct ppi_agent *agent, uint64_t id, long *pid, uint64_t *started_ns);

/* Ends a job: one that waits is taken out, one that runs is killed with its worker. Its outcome, PP_ERR_CANCELLED, comes by
 * `finished`, perhaps within this call. Unknown jobs (their outcome is on its way) are left alone. */
void ppi_agent_cancel(struct ppi_agent *agent, uint64_t id, uint16_t attempt);

/* Gives back up to `count` jobs that have not begun, PPI_GIVE_UP_ALL: also those that have failed before. */
#define PPI_GIVE_UP_ALL UINT64_MAX
void ppi_agent_give_up(struct ppi_agent *agent, uint64_t count, void (*returned)(void *ctx, const struct ppi_job *job),
                       void *ctx);

/* Tells once of each job that has run for at least so long. */
struct ppi_running {
    uint64_t id, started_ns;
    uint16_t attempt;
    int worker;
    long pid;
};
void ppi_agent_tell_running(struct ppi_agent *agent, uint64_t now_ns, uint64_t least_ns,
                            void (*tell)(void *ctx, const struct ppi_running *running), void *ctx);

/* Before ppi_agent_open: what each worker runs first, and how long it may take (0 = for ever). PP_ERR_NOMEM. */
int ppi_agent_set_initializer(struct ppi_workspace *workspace, uint32_t function, const void *args, uint64_t bytes,
                              uint64_t timeout_ns);

/* A large one that was given back loses its memory, which takes long; so, as for ppi_arena_dying, not under a lock: while
 * dying gives one, ppi_loan_remove it, then died. */
void ppi_agent_return_loan(struct ppi_agent *agent, struct ppi_loan *loan);
static inline int ppi_agent_has_dying(const struct ppi_agent *agent)
{
    return agent->dying != NULL;
}
struct ppi_loan *ppi_agent_dying_loan(struct ppi_agent *agent);
void ppi_loan_remove(const struct ppi_loan *loan);
void ppi_agent_loan_died(struct ppi_agent *agent, struct ppi_loan *loan);

/* ---- between the files of this layer */

struct ppi_worker_segment {
    struct ppi_segment map;
    int slot, loans, current; /* current: the slot's worker still writes to it */
    struct ppi_loan *lent;
    uint64_t returned; /* bytes that were given back and kept their memory, since the worker last looked */
    uint32_t peer_id;  /* what the server knows it by, 0 = it has not been told of it, see lend.c; */
    int peer_reads;    /* … and it has mapped it */
};

/* slots.c */
int ppi_slot_start(struct ppi_agent *agent, int slot);
void ppi_slot_retire(struct ppi_agent *agent, int slot);
void ppi_slot_reports(struct ppi_agent *agent, uint64_t now_ns);
void ppi_slot_kill(struct ppi_agent *agent, int slot, int why, const struct ppi_job *job);
void ppi_slots_check_initializers(struct ppi_agent *agent, uint64_t now_ns);

/* place.c */
int ppi_place_usable(const struct ppi_agent *agent, int slot);
struct ppi_job *ppi_place_in(struct ppi_agent *agent, int slot);
void ppi_place_became_idle(struct ppi_agent *agent, int slot);
void ppi_place_pending(struct ppi_agent *agent);
void ppi_place_give_back(struct ppi_agent *agent, int slot, uint32_t first, uint32_t count);
uint32_t ppi_place_take_back(struct ppi_agent *agent, int slot, uint32_t most); /* what was not begun → pending, retries */
void ppi_agent_publish(struct ppi_agent *agent);
void ppi_place_balance(struct ppi_agent *agent, uint64_t now_ns);
void ppi_place_measured(struct ppi_agent *agent, uint64_t duration_ns);
void ppi_place_spin(struct ppi_agent *agent);

/* aside.c */
void ppi_aside_init(struct ppi_agent *agent);
void ppi_aside_look(struct ppi_agent *agent); /* with each poll */
const struct ppi_cpus *ppi_aside_cpus(const struct ppi_agent *agent, int slot); /* where the slot's worker belongs now */
void ppi_aside_settle(struct ppi_agent *agent, int slot); /* with its first outcome: it has bound itself by then */

/* retries.c */
int ppi_retries_worker(const struct ppi_agent *agent, int avoid); /* the slot for such a job, -1 = it has to wait */
int ppi_retries_push(struct ppi_agent *agent, const struct ppi_job *job); /* 0 without memory */
void ppi_retries_remove(struct ppi_agent *agent, size_t index);
void ppi_retries_place(struct ppi_agent *agent);

/* loans.c */
struct ppi_loan *ppi_loan_make(struct ppi_worker_segment *segment, uint64_t offset, uint64_t bytes, uint32_t block);

/* collect.c */
int ppi_collect_outcomes(struct ppi_agent *agent, int slot);
void ppi_collect_distrust(struct ppi_agent *agent, int slot);
size_t ppi_collect_text(struct ppi_agent *agent, int slot, int end_line); /* bytes that there were */
void ppi_collect_finish(struct ppi_agent *agent, const struct ppi_job *job, struct ppi_result *result);

#endif
