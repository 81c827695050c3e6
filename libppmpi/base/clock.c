#include "base/clock.h"

#include <time.h>

uint64_t ppi_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * PPI_NS_PER_S + (uint64_t)t.tv_nsec;
}

#if defined(__x86_64__) && !defined(PPI_SIMULATED)
#define RECENT_TICKS 3000 /* at the counter's rate, 1 to 5 GHz; it goes on evenly on all processors of our days */

uint64_t ppi_recent_ns(struct ppi_recent *recent)
{
    uint64_t ticks = __builtin_ia32_rdtsc();
    if (ticks - recent->ticks >= RECENT_TICKS) *recent = (struct ppi_recent){ppi_now_ns(), ticks};
    return recent->ns;
}
#else
uint64_t ppi_recent_ns(struct ppi_recent *recent)
{
    return recent->ns = ppi_now_ns();
}
#endif

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
