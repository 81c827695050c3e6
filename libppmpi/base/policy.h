/* How far ahead of a worker its jobs are handed out: enough that it does not run dry before somebody looks again, and
 * never fewer than two, so that one can run while the outcome of another travels. */
#ifndef PPI_BASE_POLICY_H
#define PPI_BASE_POLICY_H

#include <stdint.h>

#define PPI_AHEAD_NS 2000000.0     /* of work, per worker; */
#define PPI_AHEAD_FAR_NS 4000000.0 /* … of another rank, to which the next tasks have a way, */
#define PPI_ALONE_NS 200000.0      /* … or of one that gives nothing back while a job runs */
#define PPI_CROWD_NS 20000.0         /* per rank: in a crowd, the time between two messages of one of them; */
#define PPI_CROWD_LEAST_NS 1000000.0 /* … below this there is no crowd, and the server has time for each word of theirs */
#define PPI_ENOUGH_NS 1000000.0      /* of waiting work, per worker: none runs dry before the next message is answered */
#define PPI_DEPTH_LEAST 2
#define PPI_DEPTH_MOST 256
#define PPI_DEPTH_MOST_FAR 2048 /* what is on its way to another rank, and back, must not be all that there is */

/* What takes less time than this is done before somebody who sleeps has woken up, or before a message has come to another
 * rank: it stays with who is at it. */
#define PPI_WAKE_NS 20000.0

/* Who has finished nothing for so long is held up by a long task; to wake up takes half of that here and there. */
#define PPI_HELD_UP_NS 100000ull

/* What it takes to send a task to another rank and to take its result in: shorter ones are sooner run here. */
#define PPI_SEND_NS 300.0

/* Tasks of that mean duration, 0 = not measured, take less time than to hand them out. */
static inline int ppi_is_quick(double mean_ns)
{
    return mean_ns > 0 && mean_ns < PPI_SEND_NS;
}

/* Who sleeps is not woken sooner than this after it last found an outcome, by workers that have jobs for a while: to be woken for
 * each short job costs more than the job, and takes the core of another worker. One that will soon run dry rings in any case. Who
 * sleeps looks once by itself in the double of the gap. */
#define PPI_RING_GAP_NS 1000000ull
#define PPI_SOON_DRY_NS 50000ull

/* Exponentially weighted mean of durations; 0 = nothing measured yet. A duration counts as at most the double of the mean and
 * a microsecond: a worker that loses its core for milliseconds must not make short tasks look long, since then too few of
 * them would be handed out. Tasks that do get longer double the mean within some sixteen of them. */
static inline double ppi_mean_update(double mean_ns, uint64_t duration_ns)
{
    double d = (double)duration_ns, most = 2 * mean_ns + 1000;
    if (mean_ns <= 0) return d + 1;
    return mean_ns + ((d < most ? d : most) - mean_ns) / 16;
}

static inline uint32_t ppi_depth_within(double mean_ns, double ahead_ns, uint32_t most)
{
    if (mean_ns <= 0) return PPI_DEPTH_LEAST;
    if (mean_ns * most <= ahead_ns) return most; /* without a division, for the shortest */
    double depth = ahead_ns / mean_ns;
    return depth < PPI_DEPTH_LEAST ? PPI_DEPTH_LEAST : depth > most ? most : (uint32_t)depth;
}

static inline uint32_t ppi_depth_of(double mean_ns, double ahead_ns)
{
    return ppi_depth_within(mean_ns, ahead_ns, PPI_DEPTH_MOST);
}

static inline uint32_t ppi_depth_for(double mean_ns)
{
    return ppi_depth_of(mean_ns, PPI_AHEAD_NS);
}

static inline uint32_t ppi_depth_far(double mean_ns)
{
    return ppi_depth_within(mean_ns, PPI_AHEAD_FAR_NS, PPI_DEPTH_MOST_FAR);
}

/* How much work a rank of so many should have ahead, and how long what it has to say may wait for company; 0 = there is no crowd.
 * The server handles some hundred thousand messages a second, so that with thousands of ranks, of which each says a word for each
 * task, it would do nothing else, and they would wait for it. */
static inline double ppi_crowd_ns(int ranks)
{
    double ns = PPI_CROWD_NS * ranks;
    return ns < PPI_CROWD_LEAST_NS ? 0 : ns;
}

/* The depth for an agent that cannot give back what waits behind a running job: of jobs that may be long it gets one at a
 * time. What is long depends on how many ranks there are. */
static inline uint32_t ppi_depth_alone(double mean_ns, double last_ns, int ranks)
{
    double crowd_ns = ppi_crowd_ns(ranks), ahead_ns = crowd_ns > PPI_ALONE_NS ? crowd_ns : PPI_ALONE_NS;
    return mean_ns <= 0 || mean_ns >= ahead_ns || last_ns >= ahead_ns ? 1 : ppi_depth_of(mean_ns, ahead_ns);
}

#endif
