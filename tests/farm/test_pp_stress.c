/* Random histories: submissions with every option, cancels, releases, fetches, waits, workers that come and go, tasks that
 * crash, from one to four threads at once. Every future has one outcome, which fits what was asked for; every callback runs
 * once; the statistics add up. TEST_SEED repeats a run, TEST_ROUNDS sets how many rounds. ranks: 2 4 */
#include "farm/test_futures.h"
#include "unit/random.h"

#include <inttypes.h>

enum { OPEN = 40, THREADS = 4, LARGE = 100000 };
enum what { SQUARE, NAP, SLEEP_PAST_TIMEOUT, CRASH_ONCE, CRASH_ALWAYS, FAIL, ECHO_LARGE, WHATS };

struct order {
    int what, retries;
    long value;
};

static void work(pp_task *task)
{
    size_t bytes;
    const struct order *o = pp_task_args(task, &bytes);
    int attempt = pp_task_attempt(task);
    switch (o->what) {
    case NAP: pause_for(0.0001 * (double)(o->value % 10)); break;
    case SLEEP_PAST_TIMEOUT: pause_for(20); break;
    case CRASH_ONCE:
        if (attempt == 1) abort();
        break;
    case CRASH_ALWAYS: abort();
    case FAIL: pp_task_fail(task, (int)(o->value % 100), "value %ld", o->value); return;
    case ECHO_LARGE: memcpy(pp_task_result(task, bytes), o, bytes); return;
    default: break;
    }
    long *r = pp_task_result(task, sizeof *r);
    *r = o->value * 3 + 1;
}

/* What may come of each, when nobody cancels it. */
static int is_expected(int what, int status)
{
    switch (what) {
    case SLEEP_PAST_TIMEOUT: return status == PP_ERR_TIMEOUT;
    case CRASH_ALWAYS: return status == PP_ERR_CRASHED;
    case FAIL: return status == PP_ERR_TASK;
    default: return status == PP_OK;
    }
}

static _Atomic uint64_t wanted_calls, made_calls, submitted, in_callback;

static void called(pp_future f, void *arg)
{
    CHECK_INT(atomic_fetch_add(&in_callback, 1), 0);
    (void)f;
    if (arg) { /* of a future that its thread holds until the callback has run */
        CHECK_INT(pp_done(f), 1);
        atomic_fetch_add((_Atomic int *)arg, 1);
    }
    atomic_fetch_add(&made_calls, 1);
    atomic_fetch_sub(&in_callback, 1);
}

struct entry {
    pp_future f;
    struct order order;
    int cancelled, calls_wanted;
    _Atomic int *calls; /* its client's, so that it outlives a release */
};

struct client {
    pthread_t thread;
    struct random random;
    struct entry open[OPEN];
    int count, submissions, submitted;
    _Atomic int calls[OPEN]; /* per submission, fewer than OPEN a round */
    char group[32], *large;
};

static void submit_one(struct client *c)
{
    struct entry *e = &c->open[c->count];
    struct random *r = &c->random;
    uint64_t dice = random_below(r, 100);
    int what = dice < 45 ? SQUARE : dice < 70 ? NAP : dice < 80 ? FAIL : dice < 90 ? ECHO_LARGE : dice < 94 ? CRASH_ONCE
               : dice < 97                                                                  ? CRASH_ALWAYS
                                                                                             : SLEEP_PAST_TIMEOUT;
    *e = (struct entry){.order = {.what = what, .retries = (int)random_below(r, 2), .value = (long)random_below(r, 1000000)}};
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    e->calls = &c->calls[c->submitted++];
    if (what == CRASH_ONCE) e->order.retries = 3;
    if (what == SLEEP_PAST_TIMEOUT) o.timeout = 0.01;
    o.retries = e->order.retries;
    o.priority = (int)random_below(r, 4) - 1;
    if (random_below(r, 2)) o.group = c->group;
    if (random_below(r, 8) == 0) o.name = "stressed";
    if (random_below(r, 3) == 0) {
        o.callback = called;
        o.callback_arg = e->calls;
        e->calls_wanted++;
    }
    const void *args = &e->order;
    size_t bytes = sizeof e->order;
    if (what == ECHO_LARGE) {
        memcpy(c->large, &e->order, sizeof e->order);
        args = c->large;
        bytes = random_below(r, 2) ? LARGE : 200;
    }
    e->f = pp_submit_with(server, work, args, bytes, &o);
    CHECK(e->f.id != 0);
    atomic_fetch_add(&submitted, 1);
    atomic_fetch_add(&wanted_calls, (uint64_t)e->calls_wanted);
    c->count++;
    c->submissions--;
}

static void forget(struct client *c, struct entry *e)
{
    *e = c->open[--c->count];
}

/* Takes the outcome; the future is gone afterwards. */
static void settle(struct client *c, struct entry *e)
{
    long result = 0;
    static _Thread_local char large[LARGE];
    int status = pp_wait(e->f);
    CHECK_INT(status, PP_OK);
    CHECK_INT(atomic_load(e->calls), e->calls_wanted); /* they run before a wait returns */
    pp_task_info i = info_of(e->f);
    CHECK_INT(i.state, PP_FINISHED);
    if (e->order.what == ECHO_LARGE) {
        status = pp_fetch(e->f, large, i.result_bytes);
        if (status == PP_OK) CHECK(i.result_bytes >= sizeof e->order && memcmp(large, &e->order, sizeof e->order) == 0);
    } else {
        status = pp_fetch(e->f, &result, sizeof result);
        if (status == PP_OK) CHECK_INT(result, e->order.value * 3 + 1);
    }
    CHECK_INT(status, i.status);
    if (e->cancelled)
        CHECK_INT(status, PP_ERR_CANCELLED);
    else if (!is_expected(e->order.what, status))
        fprintf(stderr, "a task of kind %d ended as %d: %s\n", e->order.what, status, i.message), failures++;
    else if (e->order.what == CRASH_ONCE)
        CHECK_INT(i.attempts, 2);
    if (status != PP_OK) CHECK_INT(pp_release(e->f), PP_OK);
    CHECK_INT(pp_done(e->f), PP_ERR_HANDLE);
    forget(c, e);
}

static void act(struct client *c)
{
    struct random *r = &c->random;
    struct entry *e = &c->open[random_below(r, (uint64_t)c->count)];
    pp_future futures[OPEN];
    size_t index = OPEN;
    for (int i = 0; i < c->count; i++) futures[i] = c->open[i].f;
    switch (random_below(r, 12)) {
    case 0:
    case 1: {
        int status = pp_cancel(e->f);
        CHECK(status == PP_OK || status == PP_END);
        if (status == PP_OK) e->cancelled = 1;
        break;
    }
    case 2:
        CHECK_INT(pp_release(e->f), PP_OK);
        forget(c, e);
        break;
    case 3:
        CHECK_INT(pp_wait_any(futures, (size_t)c->count, -1, &index), PP_OK);
        CHECK(index < (size_t)c->count);
        if (!failures) settle(c, &c->open[index]);
        break;
    case 4: {
        int status = pp_wait_failed(futures, (size_t)c->count, random_below(r, 2) ? 0.002 : 0, &index);
        CHECK(status >= 0 && (status != PP_OK || index < (size_t)c->count));
        if (status == PP_OK && !failures) settle(c, &c->open[index]);
        break;
    }
    case 5: {
        /* Only our own are in our group. */
        pp_future f;
        int status = pp_next(server, c->group, random_below(r, 2) ? 0.001 : 0, &f), found = 0;
        CHECK(status >= 0);
        if (status != PP_OK) break;
        for (int i = 0; i < c->count && !found; i++)
            if (c->open[i].f.id == f.id) {
                found = 1;
                settle(c, &c->open[i]);
            }
        CHECK(found);
        break;
    }
    case 6:
        if (random_below(r, 4) == 0) CHECK_INT(pp_set_ncpus(server, 1 + (int)random_below(r, 3)), PP_OK);
        break;
    case 7:
        CHECK_INT(pp_add_callback(e->f, called, NULL), PP_OK);
        atomic_fetch_add(&wanted_calls, 1);
        break;
    case 8: CHECK(pp_wait_group(server, c->group, 0.002) >= 0); break;
    case 9: {
        pp_stats s = stats_now();
        CHECK_INT(s.done + s.failed + s.cancelled + s.running + s.queued, s.submitted);
        info_of(e->f);
        break;
    }
    default: settle(c, e);
    }
}

static void *client(void *arg)
{
    struct client *c = arg;
    while ((c->submissions || c->count) && !failures) {
        if (c->submissions && c->count < OPEN && (c->count == 0 || random_below(&c->random, 2)))
            submit_one(c);
        else
            act(c);
    }
    return NULL;
}

static void one_round(struct random *r, int round)
{
    static struct client clients[THREADS];
    int threads = 1 + (int)random_below(r, THREADS);
    for (int i = 0; i < threads; i++) {
        struct client *c = &clients[i];
        memset(c, 0, sizeof *c);
        c->random.state = random_next(r);
        c->submissions = (int)random_below(r, 40);
        snprintf(c->group, sizeof c->group, "thread %d round %d", i, round % 3);
        c->large = calloc(1, LARGE);
    }
    for (int i = 1; i < threads; i++) pthread_create(&clients[i].thread, NULL, client, &clients[i]);
    client(&clients[0]);
    for (int i = 1; i < threads; i++) pthread_join(clients[i].thread, NULL);
    for (int i = 0; i < threads; i++) free(clients[i].large);
    if (failures) return;
    CHECK_INT(pp_wait_group(server, NULL, 60), PP_OK);
    pp_stats s = stats_now();
    CHECK_INT(s.submitted, atomic_load(&submitted));
    CHECK_INT(s.done + s.failed + s.cancelled, s.submitted);
    CHECK_INT(s.running + s.queued, 0);
    CHECK_INT(atomic_load(&made_calls), atomic_load(&wanted_calls));
    pp_future f;
    CHECK_INT(pp_next(server, NULL, 0, &f), PP_END);
}

int main(int argc, char **argv)
{
    open_or_exit(&argc, &argv, NULL);
    struct random r = random_begin("stress");
    uint64_t seed = r.state;
    const char *given = getenv("TEST_ROUNDS");
    int rounds = given ? atoi(given) : 200;
    double until = seconds_now() + patience(15);
    int round = 0;
    for (; round < rounds && !failures && (given || seconds_now() < until); round++) one_round(&r, round);
    if (failures) {
        fprintf(stderr, "FAILED in round %d of TEST_SEED=%" PRIu64 "\n", round, seed);
        _exit(1); /* threads may still be about */
    }
    printf("%d rounds\n", round);
    CHECK_INT(pp_server_close(server), PP_OK);
    return failures ? 1 : 0;
}
