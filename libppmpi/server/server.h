/* The job server: owns every future and the queue of tasks, drives the agents, in rank 0 only.
 *
 * One lock guards everything below but the transport. Who holds `driving` is the driver: the one thread that calls
 * the transport, writes output, and may sleep. Whoever waits becomes the driver if there is none; while the program
 * is outside of the library, the background thread is. The lock is not held across system calls on the way of a task.
 *
 * Where the program calls MPI itself, or its own process runs the tasks, only the threads that it sends into a call may do
 * either (callers_only): the callback thread waits for them, and the background thread drives what is left, the worker
 * processes of rank 0. */
#ifndef PPI_SERVER_SERVER_H
#define PPI_SERVER_SERVER_H

#include "agent/agent.h"
#include "base/clock.h"
#include "base/lock.h"
#include "function/function.h"
#include "scheduler/scheduler.h"
#include "server/groups.h"
#include "server/modules.h"
#include "server/shares.h"
#include "task/task.h"
#include "transport/transport.h"
#include "wire/wire.h"

#include <ppmpi.h>
#include <pthread.h>

struct ppi_rank { /* what the server knows of a rank, rank 0 included */
    char host[256];
    int node; /* lowest rank on the same node */
    int workers, first_number;
    int numbers;  /* workers that were asked for at open, and have numbers from first_number on */
    int by_rule;  /* workers that it has where nobody says how many */
    int place;    /* among the ranks of rank 0's node, whose workers can become more or fewer */
    int resizing; /* words of it that are still to come about how many it has */
    int barren;   /* it can have no workers any more */
    int cores, allowed_cores, limit, quota; /* as in ppi_wire_hello */
    int alone; /* shares its cores with no other rank */
    int spin_below; /* as in struct ppi_agent_config */
    int is_worker; /* runs tasks itself, one at a time, without processes */
    struct ppi_cpus allowed, online;
    long pid;
    int shared_fd, is_holder; /* of shared data, see share/: it is sent to holders */
    uint64_t nonce;
    uint64_t jobs, job_time_ns, last_result_ns;
    /* ranks other than 0: */
    int said_hello, ready, said_bye, recalling, lost;
    char parting[100]; /* why it will be lost with the check after this time, "" = it will not */
    uint64_t parting_ns;
    int returned;      /* tasks since it was asked to give some back */
    int pidfd;         /* of a rank on our node, to see its end; -1 = none */
    uint64_t heard_ns; /* when the last word came */
    uint64_t promised; /* of the board's: results of this rank that are on their way */
    int reads_arguments; /* that are too large for a message, in our memory */
    struct ppi_lent_segment *lent; /* of its workers, whose results stay where they are */
    struct ppi_doorbell *bell; /* of a rank on our node, NULL = cannot be rung */
    struct ppi_wire_writer out;
    int in_outbox;
    uint32_t *functions_sent; /* bit per function */
};

#define PPI_COPY_UNLOCKED ((size_t)32 << 10) /* more bytes of the program's than that are copied without the lock */

struct ppi_outgoing_stream { /* arguments, shared data or code, too large for a message */
    struct pp_server *server;
    int peer;
    int is_shared;
    uint64_t id; /* of the task, of the data, or the number of the module */
    const void *image; /* the module's */
    uint64_t offset, bytes;
    int orphaned; /* the task has finished without them: free the block when they are sent */
    int grows;    /* its data is still being copied: */
    _Atomic uint64_t there; /* … so much of it is there */
    struct ppi_outgoing_stream *next;
};

struct ppi_filling { /* the task whose arguments are being copied while they are sent, see fill.c; bytes = 0: there is none */
    uint32_t index;
    const char *from; /* the program's */
    char *to;
    uint64_t copied, bytes;
    struct ppi_outgoing_stream *stream; /* NULL when it has ended */
};

struct ppi_full_message {
    int rank;
    struct ppi_wire_writer writer;
    struct ppi_full_message *next;
};

struct ppi_text {
    char *text;
    size_t bytes, room;
};

struct pp_server {
    struct ppi_lock lock;
    pthread_cond_t changed; /* a task that somebody waits for has finished, or there is no driver */
    int spin_credit;        /* whether short waits are likely, see progress.c */
    int driving, waiting;   /* waiting: threads inside the waits, the driver included */
    int wake_waiters;
    _Atomic int closing;

    pp_options options;
    uint64_t opened_ns, now_ns; /* now: of the step that is being made */
    struct ppi_topology topology;
    struct ppi_workspace workspace;
    struct ppi_agent agent; /* rank 0's */
    struct ppi_transport *transport; /* NULL when there is one rank: then nothing is to be moved */
    struct ppi_transport *mpi;       /* to be closed at the end, NULL when MPI was not initialised */
    struct ppi_rank *ranks;
    struct ppi_cpus aside; /* where rank 0's workers may go, see agent/aside.c */
    int first_extra_number, extra_gap; /* numbers of workers that are added later: taken by the node's ranks in turn */
    int rank_count, unringable; /* unringable: ranks that have no doorbell for us, or we none for them */

    struct ppi_task_store store;
    struct ppi_scheduler scheduler;
    struct ppi_function_table *functions;

    struct ppi_shares shares;
    struct ppi_modules modules;
    struct ppi_groups groups;
    struct ppi_callback_thread *callbacks; /* NULL until a callback is given */
    size_t with_callbacks; /* tasks that have not finished and have callbacks */
    uint64_t calling;      /* tasks that have finished and whose callbacks have not */

    uint64_t unfinished, assigned; /* tasks; assigned: given to an agent */
    uint64_t done, failed, cancelled, retried, bytes_in, bytes_out;

    struct ppi_full_message *full, **full_end; /* messages that have got large, before those in the outbox */
    uint64_t next_heartbeat_ns, next_word_ns; /* when ranks are looked at next, and when they are told that we live */
    char nobody_left[400];                    /* why no rank is left that could run tasks, or "" */
    uint64_t next_balance_ns;
    int uneven; /* tasks wait at one rank while a worker of another is idle */

    int *outbox, outbox_count; /* ranks that there are messages for */
    int outbox_urgent;         /* one is for an idle worker */
    size_t outbox_bytes;
    struct ppi_outgoing_stream *streams, **streams_end; /* to be begun */
    struct ppi_filling filling;

    struct ppi_text output[2];
    uint32_t *deferred; /* tasks whose outcome is stored, but whose output is not yet printed */
    size_t deferred_count, deferred_room;

    uint64_t progress_ns; /* when the progress line was last printed */
    int on_terminal;      /* stderr is one */
    pthread_mutex_t line_lock; /* held while something is printed where the line stands; may be taken under `lock`, not around it */
    int line_drawn;            /* on the terminal, without an end: what comes next would stand behind it */

    int callers_only; /* only the program's own threads, inside its calls, may call MPI and run tasks */
    pthread_t opener; /* … and where MPI has no MPI_THREAD_SERIALIZED, only this one */

    pthread_t background;
    int background_runs;
    _Atomic int background_deep; /* it sleeps until it is rung, or for long; otherwise it looks again soon by itself */
    struct ppi_recent recent; /* time for submissions */
    uint64_t submitted_ns;    /* when the last one began */
    uint64_t pause_ns;        /* in a crowd of ranks: until when submissions only fill the queue, see scheduler.h */
    _Atomic uint64_t calls;  /* of the program into the library, */
    _Atomic uint64_t drives; /* … and steps made in them: tells the background thread who is at work */
    _Atomic uint64_t waits;  /* … and waits in which the program drives, counted when they begin and when they end: odd = in one */
};

static inline int ppi_bit(const uint32_t *bits, uint32_t n)
{
    return bits[n / 32] >> (n % 32) & 1;
}

static inline void ppi_set_bit(uint32_t *bits, uint32_t n)
{
    bits[n / 32] |= 1u << (n % 32);
}

/* With the lock held, so that nobody else counts. */
static inline void ppi_server_called(struct pp_server *s)
{
    atomic_store_explicit(&s->calls, atomic_load_explicit(&s->calls, memory_order_relaxed) + 1, memory_order_relaxed);
}

/* The open server of this process, NULL when there is none. */
extern struct pp_server *ppi_server;

/* open.c */
struct ppi_server_setup {
    pp_options options;
    struct ppi_topology topology;
    struct ppi_workspace workspace;
    struct ppi_pool *pool;
    struct ppi_transport *transport; /* NULL = one rank */
    int signal_was_free; /* the program had no handler of SIGUSR1; what has one now is MPI */
};
int ppi_server_create(struct pp_server **out, const struct ppi_server_setup *setup);
void ppi_server_destroy(struct pp_server *s); /* when all tasks have finished */
void ppi_server_abandon(struct pp_server *s); /* now, from an exit handler: tasks end unfinished */

struct ppi_task_extra *ppi_server_extra(struct pp_server *s, struct ppi_task *task);

/* submit.c */
int ppi_server_submit(struct pp_server *s, pp_function fn, const void *args, size_t bytes, uint32_t tag,
                      const pp_submit_options *options, int mapped, pp_future *out);

/* functions.c: which number a function has. */
int ppi_functions_create(struct ppi_function_table **out);
void ppi_functions_destroy(struct ppi_function_table *table);
int ppi_functions_number(struct pp_server *s, pp_function fn, uint32_t *number); /* a new one is told to our own workers */
const struct ppi_function_ref *ppi_functions_ref(const struct ppi_function_table *table, uint32_t number);

/* finish.c: the way back. All with the lock held. */
void ppi_server_outcome(struct pp_server *s, int rank, uint64_t id, uint16_t attempt, struct ppi_result *result);
/* Ends a task that waits or is out, for a reason of ours: nobody is to be asked, nor to answer any more. */
void ppi_server_end(struct pp_server *s, uint32_t index, int status, const char *why);
/* A task that was given to a rank and has not begun there goes back to the head of the queue, at no charge. 0 without memory. */
int ppi_server_requeue(struct pp_server *s, uint32_t index);
void ppi_server_started(struct pp_server *s, int rank, const struct ppi_wire_started *w, uint64_t now_ns);
void ppi_server_output(void *s, int stream, const char *text, size_t bytes);
void ppi_server_job_finished(void *s, const struct ppi_job *job, struct ppi_result *result);
void ppi_server_complete_deferred(struct pp_server *s);
void ppi_server_tell(struct pp_server *s, struct ppi_task *t, uint32_t index); /* … and so have its callbacks */
void ppi_server_dispose(struct pp_server *s, struct ppi_task *t, uint32_t index);
void ppi_server_give_up(struct pp_server *s, struct ppi_task *task);
/* With the lock held, which is released in between: what was given up loses its memory, where that takes long. */
void ppi_server_purge(struct pp_server *s);
const void *ppi_server_result_data(struct pp_server *s, const struct ppi_task *task);
static inline uint64_t ppi_server_result_bytes(const struct ppi_task *task)
{
    if (task->small != PPI_TASK_NOT_INLINE) return task->small;
    return task->flags & PPI_TASK_LOAN ? task->u.result.value.lent.loan->bytes : task->u.result.value.bytes;
}

static inline void ppi_server_begin_stream(struct pp_server *s, struct ppi_outgoing_stream *stream) /* with the next step */
{
    stream->next = NULL;
    *s->streams_end = stream;
    s->streams_end = &stream->next;
}

/* dispatch.c: ready tasks → agents. With the lock held. */
int ppi_server_set_initializer(struct pp_server *s); /* before anything runs: here, */
void ppi_server_send_initializer(struct pp_server *s, int rank); /* … and there */
void ppi_server_dispatch(struct pp_server *s);
int ppi_server_direct(struct pp_server *s); /* the rank that takes a new task at once, to be assigned next; -1 = it has to be queued */
void ppi_server_assign(struct pp_server *s, struct ppi_task *t, uint32_t index, int rank); /* the task, which is in no queue, to the rank */

/* fill.c, with the lock held. rank: the other rank that gets a new task's arguments, which have memory, while they are copied; 0 =
 * none. Then fill assigns the task, which is in no queue, to it, and copies: the lock is released in between. rest: all that is
 * left to be copied, at once. */
int ppi_fill_rank(const struct pp_server *s, uint64_t bytes);
void ppi_fill(struct pp_server *s, uint32_t index, int rank, const void *args);
void ppi_fill_rest(struct pp_server *s);

/* True when the task is known to run now; fills in where. */
int ppi_server_find_running(struct pp_server *s, const struct ppi_task *task, uint32_t index, int *worker, long *pid,
                            uint64_t *started_ns);

/* progress.c */
/* What a step may do beside looking after the workers of rank 0; what the program's thread may not do is left out. */
enum ppi_step { PPI_STEP_WORKERS = 0, PPI_STEP_MPI = 1, PPI_STEP_TASKS = 2, PPI_STEP_ALL = 3 };
int ppi_server_step(struct pp_server *s, enum ppi_step may);
/* Whether the calling thread may call MPI and run tasks. */
int ppi_server_may_drive(const struct pp_server *s);
void ppi_server_leave_driving(struct pp_server *s); /* with the lock held, by the driver */
/* Whether the calling thread is one that may call MPI, as far as that is a matter of which thread it is. */
int ppi_server_thread_may_call(const struct pp_server *s);
typedef int (*ppi_condition)(void *arg);
/* With the lock held: returns PP_OK once met(arg), or PP_TIMEOUT. Releases the lock in between. */
int ppi_server_wait(struct pp_server *s, ppi_condition met, void *arg, uint64_t deadline_ns);
/* With the lock held: one look at what has happened, by whoever asks without waiting. */
void ppi_server_look(struct pp_server *s, enum ppi_step may);
void ppi_server_wait_all_tasks(struct pp_server *s); /* with the lock held */
/* Without the lock, after something was put into the outbox or a channel: sees that it leaves. */
void ppi_server_kick(struct pp_server *s);
int ppi_background_start(struct pp_server *s);
/* With the lock held, by whoever leaves work behind: the background thread will see to it. */
void ppi_background_heed(struct pp_server *s);
void ppi_background_stop(struct pp_server *s);

/* ranks.c: messages from and to other ranks */
int ppi_ranks_handshake(struct pp_server *s); /* who is there, and how many workers each gets */
int ppi_ranks_ready(struct pp_server *s);     /* … and which has them */
void ppi_ranks_post(struct pp_server *s, int rank, enum ppi_wire_kind kind, unsigned flags, const void *fixed,
                    const void *data, size_t bytes);
/* The rank of the worker with that number, and its slot there; -1 when there is none. */
int ppi_ranks_find_worker(const struct pp_server *s, int number, int *slot);
void ppi_ranks_message(struct pp_server *s, int rank, const char *message, size_t bytes);
void ppi_ranks_stop(struct pp_server *s, int status, int at_once);

/* lent.c: large results of ranks on this node, which stay in their worker's segment. With the lock held. */
void ppi_lent_map(struct pp_server *s, int rank, const struct ppi_wire_segment *w);
struct ppi_loan *ppi_lent_take(struct pp_server *s, int rank, const struct ppi_wire_place *place, uint64_t bytes, const void **data);
void ppi_lent_gone(struct pp_server *s, int rank, uint32_t segment);
void ppi_lent_lost(struct ppi_rank *r);
void ppi_lent_close(struct ppi_rank *r); /* nothing is read there any more */
void ppi_server_return_loan(struct pp_server *s, struct ppi_loan *loan); /* any result that was lent, also our own workers' */

/* resize.c, with the lock held */
int ppi_server_resize(struct pp_server *s, int workers); /* PP_AUTODETECT = by the rule */
void ppi_server_know_workers(struct pp_server *s); /* rank 0's, as they come and go by themselves */

/* wait.c */
void ppi_watchers_tell(struct ppi_task_extra *extra, int status, int only_on_callback_thread);

/* balance.c, with the lock held */
void ppi_server_balance(struct pp_server *s, uint64_t now_ns);
void ppi_server_recalled(struct pp_server *s, int rank); /* all of it has come */
void ppi_server_returned(struct pp_server *s, int rank, uint64_t id, uint16_t attempt);

/* lost.c, with the lock held. check: by the driver of a farm with several ranks, when it is due. */
void ppi_lost_watch(struct pp_server *s, int rank, long pid);
void ppi_lost_close(struct ppi_rank *r);
uint64_t ppi_lost_beat_ns(const struct pp_server *s); /* a quarter of the heartbeat's time */
int ppi_lost_due(const struct pp_server *s, uint64_t now_ns);
void ppi_lost_check(struct pp_server *s, uint64_t now_ns);

/* cancel.c */
int ppi_server_cancel(struct pp_server *s, uint32_t index); /* PP_ERR_UNSUPPORTED: it cannot be ended */

/* refuse.c: this rank cannot open; why: for the log. MPI is initialised, nothing else is. */
void ppi_server_refuse(struct ppi_transport *transport, const char *why);

/* print.c */
void ppi_server_print(struct pp_server *s, const struct ppi_text text[2]); /* without the lock, to stdout and stderr */

/* stats.c */
int ppi_server_workers(const struct pp_server *s); /* these three with the lock held */
void ppi_server_stats(struct pp_server *s, pp_stats *out);
int ppi_server_nodes(struct pp_server *s, pp_node *nodes, int max);
int ppi_server_print_stats(struct pp_server *s, FILE *stream); /* without it */

#endif
