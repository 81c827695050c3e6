/* The record of a task and the store of all records. A future is the record's index and a generation, so that a
 * future that was given up is recognised whatever became of the record. */
#ifndef PPI_TASK_TASK_H
#define PPI_TASK_TASK_H

#include "task/span.h"
#include "task/state.h"

#include <ppmpi.h>
#include <ppmpi_binding.h>
#include <stdatomic.h>

#define PPI_TASK_INLINE_ARGS 24
#define PPI_TASK_INLINE_RESULT 16
#define PPI_TASK_NOT_INLINE 31 /* in `small` */
#define PPI_TASK_NONE UINT32_MAX
#define PPI_TASK_NO_WORKER 0xffffff

enum ppi_task_flags {
    PPI_TASK_HELD = 1,     /* the program has the future */
    PPI_TASK_BLOCK = 2,    /* arguments or result are in a block of the arena, not inline */
    PPI_TASK_LOAN = 4,     /* the result is lent from a worker's segment */
    PPI_TASK_CALLING = 8,  /* has finished, its callbacks have not */
    PPI_TASK_TAKEN = 16,   /* was fetched: not even its callback has it any more */
    PPI_TASK_MAPPED = 32,  /* belongs to a pp_map: pp_next passes it over */
    PPI_TASK_LINKED = 64,  /* in the queue; perhaps cancelled there, and to be passed over */
    PPI_TASK_LISTED = 128  /* in its group's list for pp_next */
};

struct ppi_watcher;         /* server/wait.c */
struct ppi_callback;        /* server/callbacks.c */
struct ppi_outgoing_stream; /* server/server.h */
struct ppi_loan;

/* What few tasks have. */
struct ppi_task_extra {
    char *name;
    uint64_t timeout_ns;
    int retries, priority;
    int losses; /* tries that ended with the rank that ran it: they are not charged */
    uint32_t worker; /* until it has finished: where its last try failed, or where another rank has told that it runs */
    int code, signal;
    uint64_t started_ns; /* of a task that another rank has told to run: since when, on our clock, */
    long pid;            /* … and in which process */
    char *message;
    struct ppi_callback *callbacks; /* in the order in which they were given */
    int told; /* whoever waited for it has been told, although callbacks are running */
    struct ppi_watcher *watchers;
    struct ppi_outgoing_stream *stream; /* its arguments are on their way to another rank */
    int args_stay; /* a rank that is lost may still read them: their memory is not used again */
};

/* One line of the processor's cache: long queues are as fast as memory is. */
struct ppi_task {
    _Alignas(64) uint32_t generation;
    uint8_t state, flags;
    uint16_t attempts;    /* begun so far */
    union {
        struct {
            uint64_t number : 48; /* six million tasks a second reach the end in a year and a half */
            uint64_t group : 16;
        };
        uint64_t number_and_group; /* see ppi_task_set_number */
    };
    uint64_t submitted_ns; /* since the server was opened, as all times of tasks */
    union {
        uint32_t next; /* in the queue or among the free, */
        uint32_t pid;  /* … and once finished, unless it is still linked: of the worker, see ppi_task_pid */
    };
    uint32_t extra; /* see ppi_task_extra_of; 0 = none */
    uint16_t agent; /* rank that has, or had, it */
    union {
        uint16_t function;
        int16_t status; /* once finished */
    };
    union {
        struct {
            uint32_t small : 5;  /* bytes of arguments, or once finished of the result, when they are in the record */
            uint32_t stored : 1; /* has its outcome, and finishes when its output is printed */
            uint32_t unused : 2;
            uint32_t tag : 24; /* of the arguments, see <ppmpi_binding.h> */
        };
        struct {
            uint32_t same : 8;
            uint32_t worker : 24; /* once finished: its number */
        };
    };
    union {
        union {
            unsigned char in[PPI_TASK_INLINE_ARGS];
            struct {
                uint64_t offset, bytes; /* in the workspace's arena */
            };
        } args;
        struct { /* once finished */
            uint32_t waited, took; /* spans: until it started, and from then on */
            union {
                unsigned char in[PPI_TASK_INLINE_RESULT];
                struct {
                    uint64_t offset, bytes;
                };
                struct {
                    const void *data;
                    struct ppi_loan *loan; /* which knows how large it is */
                } lent;
            } value;
        } result;
    } u;
};
_Static_assert(sizeof(struct ppi_task) == 64 && _Alignof(struct ppi_task) == 64, "a record is one line of the cache");
_Static_assert(PPI_TASK_INLINE_ARGS < PPI_TASK_NOT_INLINE && PPI_TASK_INLINE_RESULT < PPI_TASK_NOT_INLINE, "5 bits");
_Static_assert(PP_BINDING_TAG_MAX < 1 << 24, "24 bits");

/* Records are taken from slabs, a power of two in each so that one is found without a division, in whole huge pages. */
#define PPI_TASK_SLAB ((uint32_t)1 << 16)
#define PPI_TASK_SLAB_BYTES (PPI_TASK_SLAB * sizeof(struct ppi_task))
#define PPI_TASK_HUGE_PAGE ((size_t)2 << 20)
_Static_assert(PPI_TASK_SLAB_BYTES % PPI_TASK_HUGE_PAGE == 0, "a slab of whole huge pages");

struct ppi_extra_place {
    struct ppi_task_extra *extra; /* NULL = nobody's */
    uint32_t next_free;           /* 1 + index, as in the records; 0 = none */
};

struct ppi_task_store {
    struct ppi_task **slabs;
    uint32_t slab_count, slab_room, used; /* used: records ever taken from the slabs */
    struct ppi_task *ahead;           /* the next slab, of a store that goes on growing; */
    _Atomic(struct ppi_task *) fresh; /* … and the same as long as its memory has not been asked for */
    uint32_t free;      /* list of records that can be used again */
    struct ppi_extra_place *extras;
    uint32_t extra_count, extra_room, free_extra;
    uint64_t submitted; /* the number of the task that was submitted last */
    uint32_t generation; /* of new records: differs from one server of a process to the next */
};

void ppi_store_init(struct ppi_task_store *store);
void ppi_store_fini(struct ppi_task_store *store); /* frees the extras too */

/* A fresh record in state FREE, without a number yet; PPI_TASK_NONE without memory. */
uint32_t ppi_store_new(struct ppi_task_store *store);

/* From any thread: gets the memory of the next slab from the system, which takes as long as thousands of submissions, where that
 * is to be done. Before the store is finished. */
void ppi_store_prepare(struct ppi_task_store *store);
static inline int ppi_store_wants_memory(const struct ppi_task_store *store)
{
    return atomic_load_explicit(&store->fresh, memory_order_relaxed) != NULL;
}

/* The record goes back: its futures are stale from now on. Its state must be FREE again. One that is still linked in the queue
 * is used again only after ppi_store_unlinked. */
void ppi_store_recycle(struct ppi_task_store *store, uint32_t index);
void ppi_store_unlinked(struct ppi_task_store *store, uint32_t index);

static inline struct ppi_task *ppi_store_at(const struct ppi_task_store *store, uint32_t index)
{
    return &store->slabs[index / PPI_TASK_SLAB][index % PPI_TASK_SLAB];
}

/* The record of a future; NULL when stale, foreign or null. */
struct ppi_task *ppi_store_find(const struct ppi_task_store *store, uint64_t id, uint32_t *index);

static inline uint64_t ppi_task_id_of(const struct ppi_task *task, uint32_t index)
{
    return (uint64_t)task->generation << 32 | index;
}

/* Of a task that has finished, by the clock, as is when the server was opened. One that started before it was submitted,
 * by another node's clock, has not waited; one that never started (0) has no times. */
static inline void ppi_task_set_times(struct ppi_task *task, uint64_t opened_ns, uint64_t started_ns,
                                      uint64_t finished_ns)
{
    task->u.result.waited = started_ns ? ppi_span_between(opened_ns + task->submitted_ns, started_ns) : PPI_SPAN_NEVER;
    task->u.result.took = ppi_span_between(started_ns, finished_ns);
}

static inline uint64_t ppi_task_started_ns(const struct ppi_task *task)
{
    if (task->u.result.waited == PPI_SPAN_NEVER) return 0;
    return task->submitted_ns + ppi_span_ns(task->u.result.waited);
}

static inline uint64_t ppi_task_finished_ns(const struct ppi_task *task)
{
    return ppi_task_started_ns(task) + ppi_span_ns(task->u.result.took);
}

/* What few tasks have; NULL when this one has none. */
static inline struct ppi_task_extra *ppi_task_extra_of(const struct ppi_task_store *store,
                                                       const struct ppi_task *task)
{
    return task->extra ? store->extras[task->extra - 1].extra : NULL;
}

/* The same, made with these defaults when it has none; NULL without memory. */
struct ppi_task_extra *ppi_task_extra(struct ppi_task_store *store, struct ppi_task *task, uint64_t timeout_ns,
                                      int retries);

/* 0 unless the program says otherwise. */
static inline int ppi_task_priority(const struct ppi_task_store *store, const struct ppi_task *task)
{
    const struct ppi_task_extra *extra = ppi_task_extra_of(store, task);
    return extra ? extra->priority : 0;
}

/* Fields that share a word are written together, so that nothing of it has to be read: here, */
static inline void ppi_task_set_number(struct ppi_task *task, uint64_t number, int group)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    task->number_and_group = number | (uint64_t)group << 48;
#else
    task->number = number & 0xffffffffffff;
    task->group = (uint16_t)group;
#endif
}

/* … for arguments, */
static inline void ppi_task_set_tag(struct ppi_task *task, uint32_t tag, uint64_t bytes)
{
    task->small = bytes <= PPI_TASK_INLINE_ARGS ? bytes & PPI_TASK_NOT_INLINE : PPI_TASK_NOT_INLINE;
    task->stored = task->unused = 0;
    task->tag = tag & PP_BINDING_TAG_MAX;
}

/* … and for the outcome. small: as in the record. */
static inline void ppi_task_set_worker(struct ppi_task *task, int worker, unsigned small)
{
    task->small = small & PPI_TASK_NOT_INLINE;
    task->stored = task->unused = 0;
    task->worker = (uint32_t)worker & PPI_TASK_NO_WORKER;
}

/* Of its arguments, until it has finished. */
static inline uint64_t ppi_task_args_bytes(const struct ppi_task *task)
{
    return task->small == PPI_TASK_NOT_INLINE ? task->u.args.bytes : task->small;
}

/* Of the worker, once it has finished. What was cancelled in the queue had none in the end. */
static inline uint32_t ppi_task_pid(const struct ppi_task *task)
{
    return task->flags & PPI_TASK_LINKED ? 0 : task->pid;
}

/* Applies the event. Returns 1 when the state table has a next state for it, 0 when it comes too late. */
int ppi_task_apply(struct ppi_task *task, enum ppi_task_event event);

#endif
