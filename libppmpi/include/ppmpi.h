/* libppmpi: independent pieces of work, run on every core of one machine or of a cluster.
 *
 * A program opens a server, submits functions to it and fetches their results. The same binary runs as
 * `./prog` on one machine, under `mpirun -np N ./prog`, and on a cluster.
 *
 *     #include <ppmpi.h>
 *
 *     long sum_primes(long n);
 *     PP_TASK(long, sum_primes, long)
 *
 *     int main(int argc, char **argv)
 *     {
 *         pp_server *server = pp_server_open(&argc, &argv, NULL);
 *         pp_future f = PP_SUBMIT(server, sum_primes, 100000);
 *         long r = PP_FETCH(sum_primes, f);
 *         pp_server_close(server);
 *     }
 *
 * THE LAWS, which hold for every call below
 *
 * Memory.  A task sees the memory of the process as it was when pp_server_open was called, private to the
 *     worker that runs it; under a launcher, the memory of the rank that the worker belongs to. Later changes to
 *     global variables do not travel, and neither does what a pointer points to. What a task needs comes in its
 *     arguments, or by pp_share. What it changes stays in its worker.
 * Status.  Functions that return int return PP_OK (0), a positive status when nothing is wrong but there is
 *     nothing (more) to get, or a negative PP_ERR_ code; those whose comment says that they return a number return
 *     that or a negative code. Functions that return a handle return NULL or the null future on error. After an
 *     error pp_last_error() says what was wrong with which value, and every output argument is as it was before.
 * Threads.  Every function may be called from any thread of the program, at any time between the return of
 *     pp_server_open and the call of pp_server_close, unless its comment says otherwise. Inside a task only the
 *     pp_task_ functions, pp_shared_data and those of the section Status do anything; the others give PP_ERR_STATE,
 *     and so they do in a child that the program has forked.
 * Blocking.  Only what says "Blocks" waits for other processes. seconds < 0 means for ever, 0 means not at all.
 * Sizes are in bytes and times in seconds unless a name says otherwise.
 */
#ifndef PPMPI_H
#define PPMPI_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PPMPI_VERSION_MAJOR 0
#define PPMPI_VERSION_MINOR 1
#define PPMPI_VERSION_PATCH 0

#if defined(__GNUC__)
#define PP_API __attribute__((visibility("default")))
#define PP_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#else
#define PP_API
#define PP_PRINTF(text, first)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status -------------------------------------------------------------------------------------------- */

/* Every status there is: name, value, text. The enum below and pp_strerror are made from this list. Errors are told
 * apart by what a caller can do about them. */
#define PP_STATUS_LIST(X)                                                                              \
    X(OK, 0, "success")                                                                                \
    X(TIMEOUT, 1, "time ran out before there was anything to report")                                  \
    X(END, 2, "nothing more to get")                                                                   \
    X(ERR_ARG, -1, "invalid argument")                                                                 \
    X(ERR_HANDLE, -2, "no such future or object: null, released, or of another server")                \
    X(ERR_SIZE, -3, "size differs from what is there")                                                 \
    X(ERR_NOMEM, -4, "out of memory")                                                                  \
    X(ERR_LIMIT, -5, "a limit of the system or of the library was reached")                            \
    X(ERR_STATE, -6, "not allowed in this state or place")                                             \
    X(ERR_FUNCTION, -7, "function cannot be found in the other process")                               \
    X(ERR_MODULE, -8, "module cannot be shipped or loaded")                                            \
    X(ERR_TASK, -9, "the task reported a failure")                                                     \
    X(ERR_CRASHED, -10, "the task crashed or left the process")                                        \
    X(ERR_TIMEOUT, -11, "the task ran past its time-out")                                              \
    X(ERR_CANCELLED, -12, "the task was cancelled")                                                    \
    X(ERR_LOST, -13, "the task was lost with the processes that ran it")                               \
    X(ERR_MPI, -14, "error in MPI")                                                                    \
    X(ERR_SYSTEM, -15, "error of the operating system")                                                \
    X(ERR_UNSUPPORTED, -16, "not supported here")                                                      \
    X(ERR_INTERNAL, -17, "internal error of libppmpi")

enum pp_status {
#define PP_STATUS_ENUM(name, value, text) PP_##name = value,
    PP_STATUS_LIST(PP_STATUS_ENUM)
#undef PP_STATUS_ENUM
};

/* Text of a status; of an unknown one, a text that says so. Never NULL. This and the other functions of this section
 * may be called anywhere and at any time, in tasks too. */
PP_API const char *pp_strerror(int status);

/* Reason and code of the last call on this thread that failed; "" and PP_OK before any did. A successful call
 * leaves them alone, and so do positive statuses; pp_server_open clears them. The text is valid until the next call
 * on this thread. */
PP_API const char *pp_last_error(void);
PP_API int pp_last_error_code(void);

/* "major.minor.patch" of the library that runs, which may be newer than the macros above. */
PP_API const char *pp_version(void);

/* ---- Types --------------------------------------------------------------------------------------------- */

typedef struct pp_server pp_server; /* the job server: one at a time, in rank 0 only */
typedef struct pp_task pp_task;     /* inside a task: the task itself */

/* The promise of a result. A value: copy it, store it, pass it on. {0} is the null future. A future that was
 * fetched or released is stale: every use of it is PP_ERR_HANDLE, never a crash. */
typedef struct {
    uint64_t id;
} pp_future;

/* Data that was given to every node by pp_share. A value: copy it, store it, put it into arguments. {0} is null. */
typedef struct {
    uint64_t id;
} pp_shared;

/* The body of a task. Any such function can be submitted, static ones too, without registration. One in a shared object that
 * rank 0 has opened by dlopen, or is linked to, may be of a build that other nodes do not have: they are sent it, once each,
 * and what it needs and is not part of the system. Where it cannot be loaded its tasks fail with PP_ERR_MODULE and the
 * loader's message. */
typedef void (*pp_function)(pp_task *task);

/* ---- Server -------------------------------------------------------------------------------------------- */

#define PP_AUTODETECT 0
#define PP_INHERIT (-1)

enum pp_isolation { PP_ISOLATE_PROCESS = 0, PP_ISOLATE_NONE = 1 };
enum pp_mpi { PP_MPI_AUTO = 0, PP_MPI_ALWAYS = 1 };
enum pp_log_level { PP_LOG_ERROR = 0, PP_LOG_WARNING = 1, PP_LOG_INFO = 2, PP_LOG_DEBUG = 3 };

/* Options of pp_server_open. Start from PP_OPTIONS_INIT. Every number and string has an environment variable
 * PPMPI_<FIELD> (PPMPI_WORKERS=4), which wins over the program; a malformed one is an error at open. Under a launcher
 * those of rank 0 count.
 * With PP_ISOLATE_NONE there are no worker processes: each rank runs one task at a time, rank 0 only when it is the only
 * rank, inside the program's calls. Tasks see the memory of their rank as it is. A crash ends the rank; a running task cannot be
 * stopped (pp_cancel: PP_ERR_UNSUPPORTED), an exceeded time-out is reported when it returns. workers > 1 and restart are
 * PP_ERR_UNSUPPORTED. */
typedef struct {
    size_t size;              /* of this struct, so that it can grow */
    int workers;              /* per rank; PP_AUTODETECT = one per core that the rank may use */
    int cores_per_worker;     /* for tasks that use threads: cores each worker is bound to */
    const char *hosts;        /* "node-1,node-2": a program started plainly restarts itself there, one rank on each; what it
                               * did before pp_server_open is done again. Without effect when a launcher started it */
    double timeout;           /* seconds for one try of a task; 0 = none */
    int retries;              /* further tries after a crash or a time-out of the task itself, on another worker if there is one */
    int restart;              /* fresh worker process after so many tasks; 0 = never */
    int isolation;            /* PP_ISOLATE_PROCESS: tasks run in worker processes; PP_ISOLATE_NONE: in the rank */
    int mpi;                  /* PP_MPI_AUTO: MPI when a launcher started the program; PP_MPI_ALWAYS */
    pp_function initializer;  /* run once in each new worker, before its first task, for `timeout` at most */
    const void *initializer_args;
    size_t initializer_bytes;
    const char *modules;      /* "a.so:b.so": opened in rank 0, and sent ahead of time to the nodes that do not have them */
    size_t queue_limit;       /* pp_submit waits while so many tasks are unfinished; 0 = no limit */
    double heartbeat;         /* seconds of silence after which a rank counts as lost; not less than 0.1 */
    int stats;                /* 1: print the statistics table at close */
    int progress;             /* 1: progress line on stderr */
    int signal_stats;         /* 1: SIGUSR1 prints the table to stderr, unless the program handles it itself */
    int log_level;            /* PP_LOG_ERROR, _WARNING, _INFO, _DEBUG; messages go to stderr */
} pp_options;

#define PP_OPTIONS_INIT                                                                                \
    {                                                                                                  \
        sizeof(pp_options), PP_AUTODETECT, 1, NULL, 0.0, 0, 0, PP_ISOLATE_PROCESS, PP_MPI_AUTO, NULL, NULL, 0, NULL, \
            0, 10.0, 0, 0, 1, PP_LOG_WARNING                                                           \
    }

/* One node of the farm. */
typedef struct {
    char host[256];
    int first_rank, ranks; /* lowest rank on the node, and how many */
    int cores, workers;    /* cores that its ranks may use; workers that run there */
} pp_node;

/* Totals since the server was opened, one consistent snapshot. The caller sets size to sizeof(pp_stats) first. */
typedef struct {
    size_t size;
    uint64_t submitted, done, failed, cancelled, retried, running, queued; /* tasks */
    double task_time; /* sum of what the tasks took */
    double wall_time; /* since open */
    double busy;      /* fraction 0 … 1 of all workers' time spent in tasks */
    uint64_t bytes_in, bytes_out; /* arguments and results */
} pp_stats;

/* Opens the job server. Every process of the job calls it, as early as possible in main: before MPI_Init,
 * before threads and OpenMP. It returns in one process only, rank 0. The other ranks serve tasks inside the call
 * and exit with status 0 once the server closes (1 when opening failed on rank 0). MPI is initialised when a
 * launcher started the program (mpirun, mpiexec, srun, …) and left alone otherwise. All arguments may be NULL.
 * Returns NULL on failure; PP_ERR_STATE after MPI_Init, while another server is open, and under a launcher when
 * one was open before. Ownership: pp_server_close releases it. Threads: call it from the main thread.
 * Blocks: until the workers of all ranks have started. */
PP_API pp_server *pp_server_open(int *argc, char ***argv, const pp_options *options);

/* For programs that run MPI themselves (<ppmpi_mpi.h>): the first line of main, before MPI_Init, on every rank. Makes the
 * process from which workers are forked, so that the farms that pp_server_open_comm opens run tasks in worker processes. They
 * see the memory as it is now. When it fails, pp_server_open_comm says why. Later calls do nothing. */
PP_API void pp_prepare(void);

/* Waits for everything submitted, stops the workers, finalises MPI if the library initialised it. All futures
 * are released. After it, no process of ours is left on any node and no output of a task arrives.
 * A program that returns from main or calls exit without it is closed by an exit handler that cancels what has
 * not finished and keeps the exit status. Blocks. Threads: no other call may be under way.
 * Errors: PP_ERR_ARG, PP_ERR_STATE (from a callback). */
PP_API int pp_server_close(pp_server *server);

/* Workers in the whole farm, or a negative error. */
PP_API int pp_get_ncpus(pp_server *server);

/* Sets the number of workers of rank 0's node while tasks run; PP_AUTODETECT = one per core, as pp_server_open has them by
 * itself. Where several ranks run on that node they share the number; some may have none, rank 0 has at least one. Workers
 * that are taken away end their running task first; what waited for them runs elsewhere. Does not wait for either.
 * pp_get_ncpus is the new number at once, and less again when a worker turns out not to start; that of another rank is told
 * by a warning. Errors: PP_ERR_ARG (negative, or over 1024), PP_ERR_LIMIT or PP_ERR_SYSTEM when no further worker of rank 0
 * can be started. */
PP_API int pp_set_ncpus(pp_server *server, int n);

/* Returns how many nodes are alive and fills in at most max of them. nodes may be NULL when max is 0. */
PP_API int pp_get_active_nodes(pp_server *server, pp_node *nodes, int max);

/* Fills in *stats, whose size field the caller has set to sizeof(pp_stats). */
PP_API int pp_get_stats(pp_server *server, pp_stats *stats);

/* Prints the table of job counts and times, a row per node, to a stream. */
PP_API int pp_print_stats(pp_server *server, FILE *stream);

/* ---- Tasks and futures --------------------------------------------------------------------------------- */

/* Options of one submission. Start from PP_SUBMIT_OPTIONS_INIT. */
typedef struct {
    size_t size;
    const char *group; /* NULL = "default" */
    const char *name;  /* for logs, progress and pp_info; copied, cut to 63 bytes; NULL = none */
    int priority;      /* higher first; equal: in order of submission. Orders what has not been handed out yet */
    int retries;       /* further tries after a crash or time-out; PP_INHERIT = the server's */
    double timeout;    /* seconds for one try, from its start; 0 = none, PP_INHERIT = the server's */
    void (*callback)(pp_future f, void *arg); /* NULL = none; see pp_add_callback */
    void *callback_arg;
} pp_submit_options;

#define PP_SUBMIT_OPTIONS_INIT                                                                         \
    {                                                                                                  \
        sizeof(pp_submit_options), NULL, NULL, 0, PP_INHERIT, PP_INHERIT, NULL, NULL                   \
    }

/* A function with the options that its submissions share. */
typedef struct {
    pp_function function;
    pp_submit_options options;
} pp_template;

enum pp_state { PP_QUEUED = 0, PP_RUNNING = 1, PP_FINISHED = 2 };

/* What is known of a task. The caller sets size to sizeof(pp_task_info) first. */
typedef struct {
    size_t size;
    int state;    /* PP_QUEUED, PP_RUNNING, PP_FINISHED */
    int status;   /* once finished: PP_OK or why not */
    int code;     /* of pp_task_fail, or the exit status of a task that left */
    int signal;   /* that ended it, or 0 */
    int rank;     /* where it ran (last), −1 before */
    int worker;   /* number of the worker in the farm, −1 before */
    int attempts; /* tries so far: those that were handed to a worker, begun or not */
    long pid;     /* of the worker process, 0 where not known */
    double submitted, started, finished; /* seconds since the server was opened; of the last try; 0 before */
    uint64_t task; /* number of the task, from 1 in order of submission */
    size_t result_bytes;
    char host[256], name[64], message[512];
} pp_task_info;

/* Queues one call of fn with a copy of the arguments. args may be NULL when bytes is 0. Never waits for a worker.
 * Returns the null future on failure: PP_ERR_ARG, PP_ERR_FUNCTION (fn points into no code that another process
 * could have), PP_ERR_MODULE (the file of its module cannot be read any more), PP_ERR_LIMIT (more than 4096 different
 * functions), PP_ERR_NOMEM, PP_ERR_STATE (inside a task).
 * Ownership: a future is released by a successful pp_fetch, by pp_release, or by pp_server_close. */
PP_API pp_future pp_submit(pp_server *server, pp_function fn, const void *args, size_t bytes);

/* The same with options; NULL = none. */
PP_API pp_future pp_submit_with(pp_server *server, pp_function fn, const void *args, size_t bytes,
                                const pp_submit_options *options);

/* The same for a template. */
PP_API pp_future pp_template_submit(pp_server *server, const pp_template *task_template, const void *args, size_t bytes);

/* Waits and copies the result, which must have exactly that many bytes (else PP_ERR_SIZE and nothing is copied).
 * PP_OK releases the future; on an error it stays, for pp_info, until released. When the task has failed,
 * returns the reason and pp_last_error() is the task's message. result may be NULL when bytes is 0. Blocks. */
PP_API int pp_fetch(pp_future f, void *result, size_t bytes);

/* Waits and lends the result in place, without a copy; valid until pp_release. Either output may be NULL. When the task
 * has failed, as pp_fetch. Blocks. */
PP_API int pp_result(pp_future f, const void **data, size_t *bytes);

/* Gives the future up, finished or not, and with it what pp_result has lent. The task itself still runs, and
 * pp_server_close waits for it. */
PP_API int pp_release(pp_future f);

/* PP_OK once the task has finished, whatever its outcome; PP_TIMEOUT when time ran out. Blocks. */
PP_API int pp_wait(pp_future f);
PP_API int pp_wait_for(pp_future f, double seconds);

/* 1 when finished, 0 when not, or a negative error. */
PP_API int pp_done(pp_future f);

/* Waits for n futures: until all have finished; until one has, whose index it stores; until one has failed, or
 * PP_END when all ended well. Null futures are skipped; with only null ones: PP_OK from pp_wait_all, PP_END from
 * the others. index may be NULL. The array is scanned once per call. Blocks.
 * Errors: PP_TIMEOUT; PP_ERR_HANDLE naming the index of a stale future. */
PP_API int pp_wait_all(const pp_future *f, size_t n, double seconds);
PP_API int pp_wait_any(const pp_future *f, size_t n, double seconds, size_t *index);
PP_API int pp_wait_failed(const pp_future *f, size_t n, double seconds, size_t *index);

/* Has callback(f, arg) run when the task has finished; without delay when it has already, and then nobody waits for it.
 * Otherwise it runs before any waiter on that future returns. Callbacks run on the library's callback thread, one at a
 * time, with no lock held, those of one future in the order in which they were given. A callback may submit, fetch and
 * cancel; waits inside of it return when the task has finished, without waiting for callbacks. It may use its future even
 * when the program has released it; when it fetches it, the future is stale for all others, those that wait for it too. */
PP_API int pp_add_callback(pp_future f, void (*callback)(pp_future f, void *arg), void *arg);

/* Waits until all tasks of the group, with their callbacks, have finished; NULL = of all groups. In a callback it does not
 * wait for callbacks. An unknown group has nothing to wait for. PP_TIMEOUT when time ran out. Blocks. */
PP_API int pp_wait_group(pp_server *server, const char *group, double seconds);

/* Waits for the next future of the group (NULL = of all groups) to finish: each is delivered once, in order of
 * completion. Those that were fetched or released, and those inside pp_map, are passed over. PP_END when none is
 * outstanding, PP_TIMEOUT when time ran out. Takes the same time however many futures there are. Blocks. */
PP_API int pp_next(pp_server *server, const char *group, double seconds, pp_future *f);

/* Cancels: a queued task never starts; a running one is killed with its worker, which is replaced. Its outcome is
 * PP_ERR_CANCELLED, and it is not tried again. PP_END when it had finished already; then its outcome stays. Does not
 * wait; the future stays until it is released. PP_ERR_UNSUPPORTED when it runs in the rank itself (PP_ISOLATE_NONE). */
PP_API int pp_cancel(pp_future f);

/* Runs one task for each of n items and waits for all. Item i is the item_bytes bytes at items + i * item_bytes; its
 * result, of exactly result_bytes, goes to results + i * result_bytes. Items that fail leave their place in results as it
 * was, and keep no other from being delivered. Returns PP_OK, or the status of the failed item with the lowest index,
 * whose reason is in pp_last_error(). Blocks. */
PP_API int pp_map(pp_server *server, pp_function fn, const void *items, size_t item_bytes, size_t n, void *results,
                  size_t result_bytes);

/* Fills in what is known now; never waits. */
PP_API int pp_info(pp_future f, pp_task_info *info);

/* ---- Data that every task needs ------------------------------------------------------------------------ */

/* Gives a copy of the data to all tasks that are submitted from now on: sent once to every node, into memory that all
 * workers there share. The copy is made before it returns, the sending goes on behind it. *out may be part of any
 * argument. data may be NULL when bytes is 0. There is no limit but memory; 262144 pieces can be shared at once.
 * Ownership: pp_unshare gives it up, and so does pp_server_close.
 * Errors: PP_ERR_ARG, PP_ERR_NOMEM, PP_ERR_LIMIT, PP_ERR_STATE (inside a task). */
PP_API int pp_share(pp_server *server, const void *data, size_t bytes, pp_shared *out);

/* Inside a task: the data, in place, read-only, 64-byte aligned, valid during the task, and how many bytes it has (bytes may
 * be NULL). A task that writes to it crashes. With 0 bytes: a non-NULL pointer. Blocks until the data has arrived on the node.
 * Threads: also for threads that the task has started. Outside of a task: the same for rank 0's program, valid until
 * pp_unshare; it must not be written to.
 * Returns NULL on failure: PP_ERR_HANDLE when it was unshared before the task was submitted, is null or of another server;
 * PP_ERR_NOMEM when the node of the worker had no memory for it. */
PP_API const void *pp_shared_data(pp_shared shared, size_t *bytes);

/* Gives the data up: tasks that were submitted before still have it, later ones do not. When those before have finished, its
 * memory goes back to the system on every node. Does not wait for that.
 * Errors: PP_ERR_ARG, PP_ERR_HANDLE (null, unshared already, of another server), PP_ERR_STATE (inside a task). */
PP_API int pp_unshare(pp_server *server, pp_shared shared);

/* ---- Inside a task ------------------------------------------------------------------------------------- */

/* The arguments, in place, read-only, 64-byte aligned, valid during the task. bytes may be NULL. With no
 * arguments: a non-NULL pointer and 0 bytes. */
PP_API const void *pp_task_args(const pp_task *task, size_t *bytes);

/* The buffer to write the result into, 64-byte aligned. Calling again resizes it and keeps the contents.
 * A task that never calls it has an empty result. NULL when there is no memory; the task has then failed, with
 * PP_ERR_NOMEM. */
PP_API void *pp_task_result(pp_task *task, size_t bytes);

/* Marks the task as failed (PP_ERR_TASK) with a code and a message, cut to 511 bytes, for pp_info. Returns; the task
 * goes on to its end, its result is dropped. */
PP_API void pp_task_fail(pp_task *task, int code, const char *format, ...) PP_PRINTF(3, 4);

/* Number of the task (from 1), of this try (from 1), and of the worker in the whole farm (from 0). */
PP_API uint64_t pp_task_id(const pp_task *task);
PP_API int pp_task_attempt(const pp_task *task);
PP_API int pp_task_worker(const pp_task *task);

/* The task that this thread's worker runs; NULL outside of one. */
PP_API pp_task *pp_task_current(void);

/* Memory that is freed when the task has ended and its result has been taken; for results of type pp_bytes.
 * 64-byte aligned. NULL when there is none, or outside of a task. */
PP_API void *pp_task_alloc(size_t bytes);

#ifdef __cplusplus
}
#endif

#include <ppmpi_typed.h>

#endif
