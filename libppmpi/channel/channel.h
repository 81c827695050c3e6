/* The channel between an agent and one worker.
 *
 * Two halves of shared memory, each written by one side: the requests by the agent (read-only for the worker), the
 * answers by the worker. A ring of jobs in the one, a ring of outcomes in the other; job n gives outcome n.
 *
 * One word is written by both: the claim, (limit << 32 | next). Jobs next … limit-1 are published and not begun. The worker
 * begins one by advancing next, the agent publishes by advancing limit, and takes back what was not begun by
 * lowering limit; each is one atomic operation on the word, so no job is both begun and taken back. The counters run freely
 * and wrap. outcomes are read up to `finished`; at most one job, number `finished`, is begun and has none. */
#ifndef PPI_CHANNEL_CHANNEL_H
#define PPI_CHANNEL_CHANNEL_H

#include "base/cache.h"
#include "channel/segment.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define PPI_CHANNEL_DEPTH 512    /* jobs in one channel; a power of two */
#define PPI_CHANNEL_AHEAD 4      /* lines that the other side has in its cache are fetched so many jobs before they are used */
#define PPI_CHANNEL_BLOCKS 4096  /* result blocks that a worker can have out; a power of two */
#define PPI_INLINE_BYTES 24      /* arguments and results up to here travel inside the ring's slot */

enum ppi_job_flags { PPI_JOB_BLOCK = 1 }; /* the arguments are in the workspace at `offset`, not inline */

/* In the offset: it counts from the start of the server's memory, not of this rank's. */
#define PPI_JOB_AT_SERVER ((uint64_t)1 << 63)

/* One call, as it lies in the ring; a cache line. */
struct ppi_job {
    _Alignas(64) union { /* first, so that arguments are aligned as the slot is */
        unsigned char bytes_inline[PPI_INLINE_BYTES];
        uint64_t offset;
    } args;
    uint64_t id;              /* of the task, as the server knows it */
    uint64_t number;          /* of the task, as the user knows it */
    uint64_t timeout_ns;      /* 0 = none */
    uint64_t bytes;           /* of arguments */
    union {
        struct {
            uint64_t attempt : 16;
            uint64_t function : 12; /* index into the workspace's table */
            uint64_t flags : 1;     /* PPI_JOB_BLOCK */
            uint64_t avoid : 11;    /* as in ppi_wire_task */
            uint64_t tag : 24;      /* what a binding says of the arguments, see <ppmpi_binding.h> */
        };
        uint64_t small; /* all five, see ppi_job_small */
    };
};

/* The five small fields as one word, which is written at once: one by one, each write would wait for the one before. */
static inline uint64_t ppi_job_small(uint64_t attempt, uint64_t function, uint64_t flags, uint64_t avoid, uint64_t tag)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return attempt | function << 16 | flags << 28 | avoid << 29 | tag << 40;
#else
    struct ppi_job job = {.attempt = attempt, .function = function, .flags = flags, .avoid = avoid, .tag = tag};
    return job.small;
#endif
}

enum ppi_outcome_flags {
    PPI_OUTCOME_BLOCK = 1,   /* the result is in the worker's segment, in block `block` at `offset` */
    PPI_OUTCOME_OUTPUT = 2,  /* the task printed: the block starts with an output header, see output/ */
    PPI_OUTCOME_CHECKED = 4, /* the worker looked for output when the task ended */
    PPI_OUTCOME_LAST = 8     /* the worker cannot go on: replace it */
};

struct ppi_outcome {
    _Alignas(64) uint64_t started_ns;
    uint64_t finished_ns;
    uint64_t bytes; /* of the result, or of the failure's message */
    int32_t status;
    int32_t code;
    uint32_t flags;
    uint32_t job; /* low bits of the job's number: not another's outcome, or an old one */
    union {
        unsigned char bytes_inline[PPI_INLINE_BYTES];
        struct {
            uint64_t offset; /* from the start of the worker's segment */
            uint32_t block;  /* number to give back */
            uint32_t output_bytes[2]; /* stdout and stderr text behind the result, which is padded to 8 bytes */
        } block;
    } result;
};

/* Written by the agent. */
struct ppi_requests {
    _Alignas(64) _Atomic uint32_t stop;
    _Atomic uint32_t readings; /* odd while the agent may hold the output lock, see output/collect.h */
    _Alignas(64) _Atomic uint32_t returned; /* counts the entries of blocks[] ever written */
    uint32_t blocks[PPI_CHANNEL_BLOCKS];    /* numbers of result blocks that the worker may use again */
    _Alignas(64) struct ppi_job jobs[PPI_CHANNEL_DEPTH];
};

/* Written by the worker, at the start of its segment; its result blocks follow. */
struct ppi_answers {
    _Alignas(64) _Atomic uint64_t claim; /* both */
    _Alignas(64) _Atomic uint32_t asleep; /* the worker waits for this word to become 0 */
    _Alignas(64) _Atomic uint32_t finished;
    _Atomic uint32_t output_lock; /* see output/collect.h */
    _Atomic uint32_t initializing; /* 1 while the initializer runs */
    _Atomic uint32_t unbound;      /* 1: the kernel did not let the worker bind itself */
    _Atomic uint64_t started_ns; /* of the job that runs, 0 between jobs */
    _Alignas(64) struct ppi_outcome outcomes[PPI_CHANNEL_DEPTH];
};

/* ---- the agent's side */

struct ppi_channel {
    struct ppi_requests *requests;
    struct ppi_answers *answers;
    struct ppi_job *kept; /* our own copies of the jobs: a line that the worker has read has left our cache */
    uint32_t reserved;  /* jobs written, not yet published */
    uint32_t published; /* the limit */
    uint32_t taken;     /* outcomes read */
    uint32_t seen;      /* outcomes that were there at the last look: the worker writes that word all the time */
    uint32_t returned;
};

/* kept: room for PPI_CHANNEL_DEPTH jobs, which stays the caller's. */
void ppi_channel_init(struct ppi_channel *channel, struct ppi_requests *requests, struct ppi_answers *answers,
                      struct ppi_job *kept);

/* Jobs in the channel: reserved, waiting, running, or finished and not yet taken. */
static inline uint32_t ppi_channel_load(const struct ppi_channel *channel)
{
    return channel->reserved - channel->taken;
}

/* The next free slot; the caller has seen that the load is below PPI_CHANNEL_DEPTH. It is copied to the worker's when published. */
static inline struct ppi_job *ppi_channel_reserve(struct ppi_channel *channel)
{
    ppi_will_write(&channel->requests->jobs[(channel->reserved + PPI_CHANNEL_AHEAD) & (PPI_CHANNEL_DEPTH - 1)]);
    return &channel->kept[channel->reserved++ & (PPI_CHANNEL_DEPTH - 1)];
}

/* Publishes what was reserved. True when the worker sleeps and has to be woken by ppi_channel_wake. */
int ppi_channel_publish(struct ppi_channel *channel);
void ppi_channel_wake(struct ppi_channel *channel);

/* The oldest outcome not taken: copies it, gives its job. 0 when there is none, -1 when the worker wrote nonsense. */
int ppi_channel_take(struct ppi_channel *channel, struct ppi_outcome *outcome, const struct ppi_job **job);
int ppi_channel_has_outcome(const struct ppi_channel *channel);

/* Takes back up to `most` jobs that were not begun, the last ones first; returns how many. They stay readable through
 * ppi_channel_job(channel, channel->reserved + i), 0 ≤ i < n, until something is reserved. */
uint32_t ppi_channel_take_back(struct ppi_channel *channel, uint32_t most);
static inline const struct ppi_job *ppi_channel_job(const struct ppi_channel *channel, uint32_t index)
{
    return &channel->kept[index & (PPI_CHANNEL_DEPTH - 1)];
}

/* The job that the worker has begun and not finished, NULL when there is none. All outcomes must have been taken. */
const struct ppi_job *ppi_channel_running(const struct ppi_channel *channel);

/* False when the word that both write cannot be right: a task has written over it. */
int ppi_channel_is_sane(const struct ppi_channel *channel);

/* Published jobs that the worker has not begun. */
uint32_t ppi_channel_waiting(const struct ppi_channel *channel);

/* Lets the worker use a result block again. */
void ppi_channel_return_block(struct ppi_channel *channel, uint32_t block);

/* ---- the worker's side */

/* Begins the next job; NULL when there is none. */
const struct ppi_job *ppi_channel_begin(const struct ppi_requests *requests, struct ppi_answers *answers);

/* False when the counters are not those of a worker that has begun so many jobs and is at the last. */
int ppi_channel_is_at(const struct ppi_answers *answers, uint32_t begun);

/* The slot for the outcome of the job that was begun last, and its publication. Whoever listens for it from then on may not have
 * seen it, before settle or, where PPI_BEGIN_SETTLES, before the next job is begun: to wait for that costs as much as all else
 * that is done with a job. */
static inline struct ppi_outcome *ppi_channel_outcome(struct ppi_answers *answers)
{
    uint32_t n = atomic_load_explicit(&answers->finished, memory_order_relaxed);
    ppi_will_write(&answers->outcomes[(n + PPI_CHANNEL_AHEAD) & (PPI_CHANNEL_DEPTH - 1)]);
    return &answers->outcomes[n & (PPI_CHANNEL_DEPTH - 1)];
}
static inline void ppi_channel_finish(struct ppi_answers *answers)
{
    uint32_t n = atomic_load_explicit(&answers->finished, memory_order_relaxed);
    atomic_store_explicit(&answers->finished, n + 1, memory_order_release);
}
static inline void ppi_channel_settle(struct ppi_answers *answers)
{
    atomic_store(&answers->finished, atomic_load_explicit(&answers->finished, memory_order_relaxed));
}
#if defined(__x86_64__) || defined(__i386__)
#define PPI_BEGIN_SETTLES 1 /* an atomic exchange waits until all that was written before can be seen */
#else
#define PPI_BEGIN_SETTLES 0
#endif

#endif
