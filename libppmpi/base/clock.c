#include "base/clock.h"

#include <time.h>

uint64_t ppi_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * PPI_NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t ppi_deadline_ns(double seconds)
{
    /* The negated comparison sends NaN the same way as infinity. */
    if (seconds < 0 || !(seconds < 1e9)) return UINT64_MAX;
    return ppi_now_ns() + (uint64_t)(seconds * 1e9);
}

uint64_t ppi_timeout_ns(double seconds)
{
    if (!(seconds > 0) || seconds >= 1e9) return 0;
    uint64_t ns = (uint64_t)(seconds * 1e9);
    return ns ? ns : 1;
}
