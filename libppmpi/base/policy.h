/* How far ahead of a worker its jobs are handed out: enough that it does not run dry before somebody looks again, and
 * never fewer than two, so that one can run while the outcome of another travels. */
#ifndef PPI_BASE_POLICY_H
#define PPI_BASE_POLICY_H

#include <stdint.h>

#define PPI_AHEAD_NS 200000.0 /* of work, per worker */
#define PPI_DEPTH_LEAST 2
#define PPI_DEPTH_MOST 256

/* Exponentially weighted mean of durations; 0 = nothing measured yet. */
static inline double ppi_mean_update(double mean_ns, uint64_t duration_ns)
{
    double d = (double)duration_ns;
    return mean_ns > 0 ? mean_ns + (d - mean_ns) / 16 : d + 1;
}

static inline uint32_t ppi_depth_for(double mean_ns)
{
    if (mean_ns <= 0) return PPI_DEPTH_LEAST;
    double depth = PPI_AHEAD_NS / mean_ns;
    return depth < PPI_DEPTH_LEAST ? PPI_DEPTH_LEAST : depth > PPI_DEPTH_MOST ? PPI_DEPTH_MOST : (uint32_t)depth;
}

#endif
