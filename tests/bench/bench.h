/* What the programs of the benchmark share: clock, options, order statistics, and work of a known size.
 *
 * Work is counted in turns of a loop and not in time: a task that is preempted, or whose core is taken away for a
 * while, still has all of its work before it, which a loop that looks at a clock would not. The loop is a chain of
 * dependent multiplications in registers, so that neither caches nor memory nor neighbours change what a turn costs;
 * `calibrate` tells how many of them bare processes make in a microsecond.
 */
#ifndef BENCH_H
#define BENCH_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- Time ---- */

static inline double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline void sleep_s(double seconds)
{
    struct timespec t = {(time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds))};

    nanosleep(&t, NULL);
}

/* ---- Work ---- */

/* The asm statement is empty; it keeps the compiler from knowing x, and so from leaving out any turn. */
static inline uint64_t work(uint64_t turns)
{
    uint64_t x = 1;

    for (uint64_t i = 0; i < turns; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        __asm__ volatile("" : "+r"(x));
    }
    return x;
}

/* A task in 8 bytes: a number below, the turns of its work above. Its result depends on both. */
static inline uint64_t order(uint64_t number, uint64_t turns)
{
    return (turns << 32) | number;
}

static inline uint64_t carry_out(uint64_t order)
{
    return (order & 0xffffffffu) + work(order >> 32);
}

/* The sum of the results of tasks 0 … n-1 that have the same turns. */
static inline uint64_t sum_of_results(uint64_t n, uint64_t turns)
{
    return (n % 2 ? n * ((n - 1) / 2) : n / 2 * (n - 1)) + n * work(turns);
}

/* A series of task sizes in geometric steps, each run so often that it can be timed. */
struct sweep {
    double from_us, to_us, turns_per_us, run_ms;
    long steps, repeats, most; /* sizes per doubling, runs of each, tasks in a run at most */
};
#define SWEEP_INIT \
    { \
        0.0625, 512.0, 0.0, 40.0, 1, 3, 30000 \
    }
#define SWEEP_FEWEST 200 /* tasks in a run: with fewer, the last one counts */
#define SWEEP_REPEATS_MAX 99

static inline double sweep_size_us(const struct sweep *s, int i)
{
    return s->from_us * pow(2.0, (double)i / (double)s->steps);
}

static inline bool sweep_has(const struct sweep *s, int i)
{
    return sweep_size_us(s, i) <= s->to_us * 1.0001;
}

static inline uint64_t sweep_turns(const struct sweep *s, int i)
{
    return (uint64_t)llround(sweep_size_us(s, i) * s->turns_per_us);
}

static inline uint64_t sweep_tasks(const struct sweep *s, int i, int workers)
{
    double tasks = s->run_ms * 1e3 * workers / sweep_size_us(s, i);

    return tasks < SWEEP_FEWEST ? SWEEP_FEWEST : tasks > (double)s->most ? (uint64_t)s->most : (uint64_t)tasks;
}

static inline bool sweep_is_sane(const struct sweep *s)
{
    return s->turns_per_us > 0 && s->from_us > 0 && s->to_us >= s->from_us && s->to_us < 1e6 && s->run_ms > 0 &&
           s->steps <= 16 && s->repeats <= SWEEP_REPEATS_MAX && s->to_us * s->turns_per_us < 4e9;
}

/* ---- Order statistics ---- */

static inline int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorts v; the value that the part p of all lies below. */
static inline double quantile(double *v, size_t n, double p)
{
    qsort(v, n, sizeof *v, by_size);
    return v[(size_t)(p * (double)(n - 1) + 0.5)];
}

static inline double median(double *v, size_t n)
{
    return quantile(v, n, 0.5);
}

/* Efficiency is work done per worker and second of wall clock; granularity, as Task Bench has it, wall clock ×
 * workers / tasks. */
static inline void sweep_print(const char *program, const struct sweep *s, int i, int workers, double *seconds)
{
    uint64_t tasks = sweep_tasks(s, i, workers);
    double wall = median(seconds, (size_t)s->repeats), us = (double)sweep_turns(s, i) / s->turns_per_us;

    printf("program=%s measure=sweep workers=%d size_us=%.4f tasks=%lu seconds=%.6f efficiency=%.5f "
           "granularity_us=%.4f\n",
           program, workers, sweep_size_us(s, i), (unsigned long)tasks, wall,
           1e-6 * us * (double)tasks / (wall * workers), 1e6 * wall * workers / (double)tasks);
}

/* ---- Options ---- */

enum bench_kind {
    BENCH_FLAG,   /* bool */
    BENCH_COUNT,  /* long, 1 or more */
    BENCH_NUMBER, /* double, 0 or more */
};

struct bench_option {
    const char *name;
    enum bench_kind kind;
    void *value;
};

static inline bool bench_value(const struct bench_option *option, const char *text)
{
    char *end;

    if (option->kind == BENCH_COUNT) {
        *(long *)option->value = strtol(text, &end, 10);
        return *text && *end == '\0' && *(long *)option->value >= 1;
    }
    *(double *)option->value = strtod(text, &end);
    return *text && *end == '\0' && isfinite(*(double *)option->value) && *(double *)option->value >= 0;
}

/* False when the command line has anything that is not in the list, or a value that is none. */
static inline bool bench_parse(int argc, char **argv, const struct bench_option *options, size_t n)
{
    for (int i = 1; i < argc; i++) {
        size_t o = 0;

        while (o < n && strcmp(argv[i], options[o].name) != 0)
            o++;
        if (o == n) return false;
        if (options[o].kind == BENCH_FLAG)
            *(bool *)options[o].value = true;
        else if (++i == argc || !bench_value(&options[o], argv[i]))
            return false;
    }
    return true;
}
#define BENCH_PARSE(argc, argv, options) bench_parse(argc, argv, options, sizeof(options) / sizeof *(options))

#define SWEEP_OPTIONS(s) \
    {"--from-us", BENCH_NUMBER, &(s).from_us}, {"--to-us", BENCH_NUMBER, &(s).to_us}, \
        {"--steps", BENCH_COUNT, &(s).steps}, {"--repeats", BENCH_COUNT, &(s).repeats}, \
        {"--most", BENCH_COUNT, &(s).most}, {"--run-ms", BENCH_NUMBER, &(s).run_ms}, \
    { \
        "--turns-per-us", BENCH_NUMBER, &(s).turns_per_us \
    }
#define SWEEP_USAGE "[--from-us X] [--to-us X] [--steps N] [--repeats N] [--most N] [--run-ms X]"

#endif
