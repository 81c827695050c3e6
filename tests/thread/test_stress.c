/* Random histories over threads: submissions with callbacks, groups and priorities, cancels, releases, fetches, waits, workers that come and
 * go, from one to four threads at once, with one to four ranks. No task crashes or is killed: it is a thread of this process.
 * TEST_SEED repeats a run, TEST_ROUNDS sets how many rounds. */
#include "thread/farm.h"

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

enum { OPEN = 40, THREADS = 4, LARGE = 100000 };
enum what { TRIPLE, NAP, FAIL, ECHO_LARGE };

struct order {
    int what;
    long value;
};

static void work(pp_task *task)
{
    size_t bytes;
    const struct order *o = pp_task_args(task, &bytes);
    switch (o->what) {
    case NAP: usleep((useconds_t)(o->value % 10 * 100)); break;
    case FAIL: pp_task_fail(task, (int)(o->value % 100), "value %ld", o->value); return;
    case ECHO_LARGE: memcpy(pp_task_result(task, bytes), o, bytes); return;
    default: break;
    }
    long *r = pp_task_result(task, sizeof *r);
    *r = o->value * 3 + 1;
}

static _Atomic uint64_t wanted_calls, made_calls, submitted, in_callback;

static void called(pp_future f, void *arg)
{
    REQUIRE(atomic_fetch_add(&in_callback, 1) == 0);
    if (arg) {
        REQUIRE(pp_done(f) == 1); /* its thread waits for the callback, or has released it */
        atomic_fetch_add((_Atomic int *)arg, 1);
    }
    atomic_fetch_add(&made_calls, 1);
    atomic_fetch_sub(&in_callback, 1);
}

struct entry {
    pp_future f;
    struct order order;
    size_t bytes;
    int cancelled, calls_wanted, calls_at;
};

struct client {
    pthread_t thread;
    pp_server *server;
    struct random random;
    struct entry open[OPEN];
    int count, submissions, submitted;
    _Atomic int calls[64]; /* per submission */
    char group[32], *large;
};

static void submit_one(struct client *c)
{
    struct entry *e = &c->open[c->count];
    struct random *r = &c->random;
    uint64_t dice = random_below(r, 100);
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    *e = (struct entry){.order = {.what = dice < 45 ? TRIPLE : dice < 75 ? NAP : dice < 87 ? FAIL : ECHO_LARGE,
                                  .value = (long)random_below(r, 1000000)},
                        .bytes = sizeof e->order, .calls_at = c->submitted++};
    o.priority = (int)random_below(r, 4) - 1;
    if (random_below(r, 2)) o.group = c->group;
    if (random_below(r, 8) == 0) o.name = "stressed";
    if (random_below(r, 3) == 0) {
        o.callback = called;
        o.callback_arg = &c->calls[e->calls_at];
        e->calls_wanted = 1;
        atomic_fetch_add(&wanted_calls, 1);
    }
    const void *args = &e->order;
    if (e->order.what == ECHO_LARGE) {
        memcpy(c->large, &e->order, sizeof e->order);
        args = c->large;
        e->bytes = random_below(r, 2) ? LARGE : 200;
    }
    e->f = pp_submit_with(c->server, work, args, e->bytes, &o);
    REQUIRE(e->f.id);
    atomic_fetch_add(&submitted, 1);
    c->count++;
    c->submissions--;
}

static void settle(struct client *c, struct entry *e)
{
    pp_task_info i = {.size = sizeof i};
    long result = 0;
    char *large = malloc(LARGE);
    int status;
    REQUIRE(pp_wait(e->f) == PP_OK);
    REQUIRE(atomic_load(&c->calls[e->calls_at]) == e->calls_wanted);
    REQUIRE(pp_info(e->f, &i) == PP_OK && i.state == PP_FINISHED);
    if (e->order.what == ECHO_LARGE) {
        status = pp_fetch(e->f, large, e->bytes);
        REQUIRE(status != PP_OK || memcmp(large, &e->order, sizeof e->order) == 0);
    } else {
        status = pp_fetch(e->f, &result, sizeof result);
        REQUIRE(status != PP_OK || result == e->order.value * 3 + 1);
    }
    free(large);
    REQUIRE(status == i.status);
    REQUIRE(status == (e->cancelled ? PP_ERR_CANCELLED : e->order.what == FAIL ? PP_ERR_TASK : PP_OK));
    if (status != PP_OK) REQUIRE(pp_release(e->f) == PP_OK);
    REQUIRE(pp_done(e->f) == PP_ERR_HANDLE);
    *e = c->open[--c->count];
}

static void act(struct client *c)
{
    struct random *r = &c->random;
    struct entry *e = &c->open[random_below(r, (uint64_t)c->count)];
    pp_future futures[OPEN], f;
    size_t index = OPEN;
    int status, found = 0;
    for (int i = 0; i < c->count; i++) futures[i] = c->open[i].f;
    switch (random_below(r, 12)) {
    case 0:
    case 1:
        status = pp_cancel(e->f);
        REQUIRE(status == PP_OK || status == PP_END);
        if (status == PP_OK) e->cancelled = 1;
        break;
    case 2:
        REQUIRE(pp_release(e->f) == PP_OK);
        *e = c->open[--c->count];
        break;
    case 3:
        REQUIRE(pp_wait_any(futures, (size_t)c->count, -1, &index) == PP_OK && index < (size_t)c->count);
        settle(c, &c->open[index]);
        break;
    case 4:
        status = pp_wait_failed(futures, (size_t)c->count, random_below(r, 2) ? 0.002 : 0, &index);
        REQUIRE(status >= 0 && (status != PP_OK || index < (size_t)c->count));
        if (status == PP_OK) settle(c, &c->open[index]);
        break;
    case 5:
        status = pp_next(c->server, c->group, random_below(r, 2) ? 0.001 : 0, &f);
        REQUIRE(status >= 0);
        for (int i = 0; i < c->count && status == PP_OK && !found; i++)
            if (c->open[i].f.id == f.id) {
                found = 1;
                settle(c, &c->open[i]);
            }
        REQUIRE(status != PP_OK || found);
        break;
    case 6:
        if (random_below(r, 4) == 0) REQUIRE(pp_set_ncpus(c->server, 1 + (int)random_below(r, 3)) == PP_OK);
        break;
    case 7:
        REQUIRE(pp_add_callback(e->f, called, NULL) == PP_OK);
        atomic_fetch_add(&wanted_calls, 1);
        break;
    case 8: REQUIRE(pp_wait_group(c->server, c->group, 0.002) >= 0); break;
    case 9: {
        pp_stats s = {.size = sizeof s};
        REQUIRE(pp_get_stats(c->server, &s) == PP_OK);
        REQUIRE(s.done + s.failed + s.cancelled + s.running + s.queued == s.submitted);
        break;
    }
    default: settle(c, e);
    }
}

static void *client(void *arg)
{
    struct client *c = arg;
    while (c->submissions || c->count) {
        if (c->submissions && c->count < OPEN && (c->count == 0 || random_below(&c->random, 2)))
            submit_one(c);
        else
            act(c);
    }
    return NULL;
}

static void one_round(struct random *r, pp_server *server)
{
    static struct client clients[THREADS];
    int threads = 1 + (int)random_below(r, THREADS);
    memset(clients, 0, sizeof clients);
    for (int i = 0; i < threads; i++) {
        struct client *c = &clients[i];
        c->server = server;
        c->random.state = random_next(r);
        c->submissions = (int)random_below(r, 40);
        snprintf(c->group, sizeof c->group, "thread %d", i);
        REQUIRE((c->large = calloc(1, LARGE)));
        REQUIRE(pthread_create(&c->thread, NULL, client, c) == 0);
    }
    for (int i = 0; i < threads; i++) pthread_join(clients[i].thread, NULL);
    for (int i = 0; i < threads; i++) free(clients[i].large);
    pp_stats s = {.size = sizeof s};
    pp_future f;
    REQUIRE(pp_wait_group(server, NULL, -1) == PP_OK);
    REQUIRE(pp_get_stats(server, &s) == PP_OK);
    REQUIRE(s.submitted == atomic_load(&submitted) && s.done + s.failed + s.cancelled == s.submitted);
    REQUIRE(s.running == 0 && s.queued == 0);
    REQUIRE(atomic_load(&made_calls) == atomic_load(&wanted_calls));
    REQUIRE(pp_next(server, NULL, 0, &f) == PP_END);
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(void)
{
    struct random r = random_begin("stress");
    const char *given = getenv("TEST_ROUNDS");
    int rounds = given ? atoi(given) : 200, round = 0;
    double until = seconds_now() + 15;
    alarm(170);
    while (round < rounds && (given || seconds_now() < until)) {
        struct farm farm;
        int together = 1 + (int)random_below(&r, 20);
        pp_server *server = farm_open(&farm, 1 + (int)random_below(&r, 4), 1 + (int)random_below(&r, 3), NULL);
        atomic_store(&submitted, 0);
        for (int i = 0; i < together && round < rounds; i++, round++) one_round(&r, server);
        farm_close(&farm);
    }
    printf("%d rounds\n", round);
    return 0;
}
