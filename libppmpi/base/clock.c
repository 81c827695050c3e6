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

#define GOOD_FOR_TICKS 50000      /* 10 to 50 µs, in which an error of the rate comes to nothing */
#define RATE_TICKS 3000000        /* the rate is measured over so many, */
#define RATE_MOST_NS PPI_NS_PER_S /* … and not over more than this: what is shifted must not overflow */
#define HELD_UP_TICKS 3000        /* the thread lost its core while it read the clock */

static uint64_t added(const struct ppi_stopwatch *watch, uint64_t ticks)
{
    return watch->ns + (ticks * watch->ns_per_tick >> 32);
}

static void measure_rate(struct ppi_stopwatch *watch, uint64_t ns, uint64_t ticks)
{
    uint64_t in_ns = ns - watch->rate_ns, in_ticks = ticks - watch->rate_ticks;
    int too_long = in_ns > RATE_MOST_NS || in_ticks > 8 * RATE_MOST_NS;
    if (!too_long && in_ticks < RATE_TICKS) return;
    watch->ns_per_tick = too_long ? 0 : (in_ns << 32) / in_ticks; /* 0: not known */
    watch->rate_ns = ns;
    watch->rate_ticks = ticks;
}

static uint64_t read_clock(struct ppi_stopwatch *watch)
{
    uint64_t least = added(watch, watch->good_for); /* what may have been told already */
    uint64_t before = __builtin_ia32_rdtsc(), ns = ppi_now_ns(), ticks = __builtin_ia32_rdtsc();
    int held_up = ticks - before > HELD_UP_TICKS;
    if (!held_up) measure_rate(watch, ns, ticks);
    watch->ns = ns > least ? ns : least;
    watch->ticks = ticks;
    watch->good_for = held_up || watch->ns_per_tick == 0 ? 0 : GOOD_FOR_TICKS;
    return watch->ns;
}

uint64_t ppi_stopwatch_ns(struct ppi_stopwatch *watch)
{
    uint64_t ticks = __builtin_ia32_rdtsc() - watch->ticks;
    return ticks < watch->good_for ? added(watch, ticks) : read_clock(watch);
}
#else
uint64_t ppi_stopwatch_ns(struct ppi_stopwatch *watch)
{
    return watch->ns = ppi_now_ns();
}
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
