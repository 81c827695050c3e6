/* Tasks whose results can be checked, and threads that submit them. */
#ifndef TEST_THREAD_TASKS_H
#define TEST_THREAD_TASKS_H

#include "thread/farm.h"

#include <stdint.h>
#include <unistd.h>

static inline uint64_t mix(uint64_t x)
{
    struct random r = {x};
    return random_next(&r);
}

static inline void small(pp_task *task)
{
    size_t bytes;
    const uint64_t *x = pp_task_args(task, &bytes);
    REQUIRE(bytes == sizeof *x && pp_task_current() == task && pp_task_attempt(task) == 1);
    uint64_t *y = pp_task_result(task, sizeof *y);
    *y = mix(*x);
}

struct wish {
    uint64_t bytes, seed;
};

/* A result of the wished size. */
static inline void make(pp_task *task)
{
    size_t bytes;
    const struct wish *w = pp_task_args(task, &bytes);
    REQUIRE(bytes == sizeof *w);
    unsigned char *out = pp_task_result(task, w->bytes);
    REQUIRE(out);
    for (uint64_t i = 0; i < w->bytes; i++) out[i] = (unsigned char)(w->seed + i + (i >> 9));
}

static inline int is_made(const unsigned char *out, const struct wish *w)
{
    for (uint64_t i = 0; i < w->bytes; i++)
        if (out[i] != (unsigned char)(w->seed + i + (i >> 9))) return 0;
    return 1;
}

static inline uint64_t fetch_number(pp_future f)
{
    uint64_t y = 0;
    REQUIRE(pp_fetch(f, &y, sizeof y) == PP_OK);
    return y;
}

struct client {
    pp_server *s;
    uint64_t seed;
    int tasks;
    pthread_t thread;
};

static inline void hear_nothing(pp_future f, void *arg)
{
    (void)f, (void)arg;
}

static inline void *client(void *arg)
{
    struct client *c = arg;
    struct random r = {c->seed};
    enum { OPEN = 64 };
    struct {
        pp_future f;
        uint64_t x;
    } open[OPEN];
    int count = 0, left = c->tasks;
    while (left || count) {
        if (left && (count < OPEN && (count == 0 || random_below(&r, 2)))) {
            open[count].x = random_next(&r);
            REQUIRE((open[count].f = pp_submit(c->s, small, &open[count].x, 8)).id);
            count++, left--;
            continue;
        }
        int k = (int)random_below(&r, (uint64_t)count);
        switch (random_below(&r, 7)) {
        case 0: REQUIRE(pp_release(open[k].f) == PP_OK); break;
        case 1:
            REQUIRE(pp_wait_for(open[k].f, 0.0001) >= 0);
            REQUIRE(pp_done(open[k].f) >= 0);
            REQUIRE(fetch_number(open[k].f) == mix(open[k].x));
            break;
        case 2: {
            pp_future array[OPEN];
            size_t index = OPEN;
            for (int i = 0; i < count; i++) array[i] = open[i].f;
            REQUIRE(pp_wait_any(array, (size_t)count, -1, &index) == PP_OK && index < (size_t)count);
            k = (int)index;
            REQUIRE(fetch_number(open[k].f) == mix(open[k].x));
            break;
        }
        case 3: {
            pp_task_info info = {.size = sizeof info};
            REQUIRE(pp_info(open[k].f, &info) == PP_OK);
            pp_stats stats = {.size = sizeof stats};
            REQUIRE(pp_get_stats(c->s, &stats) == PP_OK);
            REQUIRE(pp_get_ncpus(c->s) > 0);
            continue;
        }
        case 4: {
            int status = pp_cancel(open[k].f);
            REQUIRE(status == PP_OK || status == PP_END ||
                    (status == PP_ERR_UNSUPPORTED && c->s->options.isolation == PP_ISOLATE_NONE));
            uint64_t y;
            status = pp_fetch(open[k].f, &y, sizeof y);
            REQUIRE(status == PP_OK ? y == mix(open[k].x) : status == PP_ERR_CANCELLED && pp_release(open[k].f) == PP_OK);
            break;
        }
        case 5: {
            REQUIRE(pp_add_callback(open[k].f, hear_nothing, NULL) == PP_OK);
            REQUIRE(pp_wait(open[k].f) == PP_OK && fetch_number(open[k].f) == mix(open[k].x));
            break;
        }
        default: REQUIRE(fetch_number(open[k].f) == mix(open[k].x));
        }
        open[k] = open[--count];
    }
    return NULL;
}

static inline void many_threads(pp_server *s, uint64_t seed, int threads, int tasks)
{
    struct client c[16];
    for (int i = 0; i < threads; i++) {
        c[i] = (struct client){.s = s, .seed = seed + (uint64_t)i, .tasks = tasks};
        REQUIRE(pthread_create(&c[i].thread, NULL, client, &c[i]) == 0);
    }
    for (int i = 0; i < threads; i++) pthread_join(c[i].thread, NULL);
}

#endif
