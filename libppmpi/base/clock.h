/* Time of CLOCK_MONOTONIC, the same for all processes of a node. */
#ifndef PPI_BASE_CLOCK_H
#define PPI_BASE_CLOCK_H

#include <stdint.h>

#define PPI_NS_PER_S 1000000000ull

uint64_t ppi_now_ns(void);

/* The time of one's last reading, while that is so recent (about a microsecond) that only a counter of the processor tells the
 * difference. To read the clock waits for all memory that was asked for before, which costs more than a short task. */
struct ppi_recent {
    uint64_t ns, ticks;
};
uint64_t ppi_recent_ns(struct ppi_recent *recent);

/* The time by a counter of the processor, which is read in half of what the clock takes: what it has counted since the clock
 * was read last, some ten microseconds ago, is added to that. Right to a microsecond at worst, and on one core never behind
 * what it has told before. One thread's own; begins with zeros. */
struct ppi_stopwatch {
    uint64_t ns, ticks;           /* when the clock was read last */
    uint64_t good_for;            /* so many ticks may be added */
    uint64_t ns_per_tick;         /* × 2^32, 0 = not known */
    uint64_t rate_ns, rate_ticks; /* the reading from which on that is measured */
};
uint64_t ppi_stopwatch_ns(struct ppi_stopwatch *watch);

/* now + seconds; UINT64_MAX for negative, infinite or far seconds. */
uint64_t ppi_deadline_ns(double seconds);

/* A time-out in seconds as nanoseconds, where 0 is none: so for 0 and beyond 30 years; any other is at least 1. */
uint64_t ppi_timeout_ns(double seconds);

#endif
