/* Random numbers of tests. Each test prints the seed that it began with; TEST_SEED repeats that run. */
#ifndef TEST_UNIT_RANDOM_H
#define TEST_UNIT_RANDOM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct random {
    uint64_t state;
};

/* splitmix64 (Steele, Lea & Flood, OOPSLA 2014) */
static inline uint64_t random_next(struct random *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* 0 … n - 1 */
static inline uint64_t random_below(struct random *r, uint64_t n)
{
    return random_next(r) % n;
}

/* Numbers of all magnitudes up to 2^bits, small ones as often as large ones. */
static inline uint64_t random_magnitude(struct random *r, unsigned bits)
{
    return random_next(r) >> (64 - 1 - random_below(r, bits));
}

static inline struct random random_begin(const char *test)
{
    const char *given = getenv("TEST_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct random r = {given ? strtoull(given, NULL, 0) : (uint64_t)now.tv_sec * 1000003u ^ (uint64_t)now.tv_nsec << 20 ^ (uint64_t)getpid()};
    r.state &= 0xffffffffffff;
    printf("%s: TEST_SEED=%llu\n", test, (unsigned long long)r.state);
    fflush(stdout);
    return r;
}

#endif
