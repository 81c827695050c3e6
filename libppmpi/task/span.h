/* A length of time in 32 bits: 27 of a number and 5 of a power of two by which it is multiplied. Exact to the nanosecond
 * up to 134 ms, to 2^-27 of itself above, and no more than nine years. Longer spans are larger as numbers, too. */
#ifndef PPI_TASK_SPAN_H
#define PPI_TASK_SPAN_H

#include <stdint.h>

#define PPI_SPAN_BITS 27
#define PPI_SPAN_NEVER UINT32_MAX /* also what is longer than nine years */
#define PPI_SPAN_EXACT ((uint64_t)1 << PPI_SPAN_BITS) /* shorter ones are exact */

static inline uint32_t ppi_span_of(uint64_t ns)
{
    if (ns < PPI_SPAN_EXACT) return (uint32_t)ns;
    uint32_t shift = (uint32_t)(64 - PPI_SPAN_BITS - __builtin_clzll(ns));
    uint64_t number = ns >> shift;
    number += ns >> (shift - 1) & 1; /* to the nearest */
    if (number == PPI_SPAN_EXACT) number /= 2, shift++;
    return shift < 32 ? shift << PPI_SPAN_BITS | (uint32_t)number : UINT32_MAX;
}

static inline uint64_t ppi_span_ns(uint32_t span)
{
    return (uint64_t)(span & (PPI_SPAN_EXACT - 1)) << (span >> PPI_SPAN_BITS);
}

/* From one time to another; none when they come the other way round. */
static inline uint32_t ppi_span_between(uint64_t from_ns, uint64_t to_ns)
{
    return to_ns > from_ns ? ppi_span_of(to_ns - from_ns) : 0;
}

#endif
