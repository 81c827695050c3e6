/* The whole farm over threads: each scenario with 1, 2 and 4 ranks of two workers. Every result is checked; the sanitizer
 * checks the rest. */
#include "thread/tasks.h"

#include <stdatomic.h>

/* ---- tasks */

/* As many bytes out as in, each one changed. */
static void flip(pp_task *task)
{
    size_t bytes;
    const unsigned char *in = pp_task_args(task, &bytes);
    unsigned char *out = pp_task_result(task, bytes);
    REQUIRE(out);
    for (size_t i = 0; i < bytes; i++) out[i] = in[i] ^ 0x5a;
}

static void nothing(pp_task *task)
{
    (void)task;
}

static _Atomic int failures_begun; /* tasks are threads of this process: they may count */

static void fail(pp_task *task)
{
    const int *code = pp_task_args(task, NULL);
    atomic_fetch_add(&failures_begun, 1);
    pp_task_fail(task, *code, "number %d is not wanted", *code);
}

static void take_time(pp_task *task)
{
    const uint64_t *us = pp_task_args(task, NULL);
    usleep((useconds_t)*us);
    uint64_t *y = pp_task_result(task, sizeof *y);
    *y = *us;
}

/* What a task must not do. */
static void misbehave(pp_task *task)
{
    int *status = pp_task_result(task, sizeof *status);
    pp_future f = pp_submit(ppi_server, small, NULL, 0);
    *status = f.id ? PP_OK : pp_last_error_code();
}

/* ---- scenarios: each with an open farm of s */

#define TINY 3000

static void tiny_tasks(pp_server *s)
{
    static pp_future f[TINY];
    for (uint64_t i = 0; i < TINY; i++) REQUIRE((f[i] = pp_submit(s, small, &i, sizeof i)).id);
    for (uint64_t i = 0; i < TINY; i++) REQUIRE(fetch_number(f[i]) == mix(i));
    for (uint64_t i = 0; i < TINY; i++) REQUIRE(pp_done(f[i]) == PP_ERR_HANDLE);
    for (uint64_t i = 0; i < TINY; i++) REQUIRE((f[i] = pp_submit(s, nothing, NULL, 0)).id);
    REQUIRE(pp_wait_all(f, TINY, -1) == PP_OK);
    for (uint64_t i = TINY; i-- > 0;) REQUIRE(pp_done(f[i]) == 1 && pp_fetch(f[i], NULL, 0) == PP_OK);
}

/* Arguments of 25 bytes to 2 MB, inline, in blocks and streamed; results likewise. */
static void large_data(pp_server *s)
{
    static const size_t sizes[] = {0,     1,      16,     17,     24,      25,      65,     4096,   65535,  65536,
                                   65537, 200000, 262144, 500001, 1000000, 2000000, 300000, 300001, 700000, 65600};
    enum { N = sizeof sizes / sizeof *sizes };
    pp_future f[N], g[N];
    unsigned char *in = malloc(2000000), *out = malloc(2000000);
    REQUIRE(in && out);
    for (size_t i = 0; i < 2000000; i++) in[i] = (unsigned char)(i * 7 + (i >> 11));
    for (int i = 0; i < N; i++) {
        struct wish w = {sizes[i], (uint64_t)i};
        REQUIRE((f[i] = pp_submit(s, flip, in + i, sizes[i] > 30 ? sizes[i] - 30 : sizes[i])).id);
        REQUIRE((g[i] = pp_submit(s, make, &w, sizeof w)).id);
    }
    for (int i = 0; i < N; i++) {
        size_t bytes = sizes[i] > 30 ? sizes[i] - 30 : sizes[i], lent_bytes;
        struct wish w = {sizes[i], (uint64_t)i};
        const void *lent;
        REQUIRE(pp_fetch(f[i], out, bytes + 1) == PP_ERR_SIZE); /* and the future stays */
        REQUIRE(pp_fetch(f[i], out, bytes) == PP_OK);
        for (size_t k = 0; k < bytes; k++) REQUIRE(out[k] == (in[(size_t)i + k] ^ 0x5a));
        REQUIRE(pp_result(g[i], &lent, &lent_bytes) == PP_OK);
        REQUIRE(lent_bytes == w.bytes && is_made(lent, &w));
        if (i % 3) REQUIRE(pp_release(g[i]) == PP_OK); /* else it is left to the close */
    }
    free(in);
    free(out);
}

static void waits(pp_server *s)
{
    pp_future f[40] = {{0}};
    size_t index = 99;
    int code = 7;
    uint64_t us = 1000, long_us = 100000;
    REQUIRE(pp_wait_any(f, 40, -1, &index) == PP_END && pp_wait_failed(f, 40, -1, &index) == PP_END && index == 99);
    for (int i = 0; i < 40; i += 2) REQUIRE((f[i] = pp_submit(s, take_time, &us, sizeof us)).id);
    REQUIRE(pp_wait_failed(f, 40, -1, &index) == PP_END && index == 99);
    REQUIRE((f[13] = pp_submit(s, fail, &code, sizeof code)).id);
    REQUIRE(pp_wait_failed(f, 40, -1, &index) == PP_OK && index == 13);
    REQUIRE(pp_wait_all(f, 40, -1) == PP_OK);
    REQUIRE(pp_fetch(f[13], NULL, 0) == PP_ERR_TASK);
    for (int i = 0; i < 40; i += 2) REQUIRE(fetch_number(f[i]) == us);
    pp_future slow = pp_submit(s, take_time, &long_us, sizeof long_us);
    REQUIRE(pp_wait_for(slow, 0.001) == PP_TIMEOUT && pp_wait_any(&slow, 1, 0.001, &index) == PP_TIMEOUT);
    REQUIRE(pp_wait_all(&slow, 1, 0) == PP_TIMEOUT);
    REQUIRE(pp_wait(slow) == PP_OK && fetch_number(slow) == long_us);
}

static void failures(pp_server *s)
{
    enum { N = 50 };
    pp_future f[N];
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    o.retries = 5; /* what a task reports itself is final */
    atomic_store(&failures_begun, 0);
    for (int i = 0; i < N; i++) REQUIRE((f[i] = pp_submit_with(s, fail, &i, sizeof i, &o)).id);
    for (int i = 0; i < N; i++) {
        pp_task_info info = {.size = sizeof info};
        char text[64];
        REQUIRE(pp_fetch(f[i], NULL, 0) == PP_ERR_TASK && pp_last_error_code() == PP_ERR_TASK);
        snprintf(text, sizeof text, "number %d is not wanted", i);
        REQUIRE(strstr(pp_last_error(), text));
        REQUIRE(pp_info(f[i], &info) == PP_OK);
        REQUIRE(info.state == PP_FINISHED && info.status == PP_ERR_TASK && info.code == i && info.attempts == 1);
        REQUIRE(strcmp(info.message, text) == 0);
        REQUIRE(pp_release(f[i]) == PP_OK);
    }
    REQUIRE(atomic_load(&failures_begun) == N);
    pp_stats stats = {.size = sizeof stats};
    REQUIRE(pp_get_stats(s, &stats) == PP_OK && stats.retried == 0 && stats.failed >= N);
    int status;
    REQUIRE(pp_fetch(pp_submit(s, misbehave, NULL, 0), &status, sizeof status) == PP_OK && status == PP_ERR_STATE);
}

static void releases(pp_server *s)
{
    struct wish large = {300000, 1};
    pp_stats stats = {.size = sizeof stats};
    for (uint64_t i = 0; i < 500; i++) {
        pp_future f = i % 10 ? pp_submit(s, small, &i, sizeof i) : pp_submit(s, make, &large, sizeof large);
        REQUIRE(f.id && pp_release(f) == PP_OK);
        REQUIRE(pp_wait(f) == PP_ERR_HANDLE && pp_release(f) == PP_ERR_HANDLE);
    }
    do {
        usleep(200); /* nobody waits: the background thread does the work */
        REQUIRE(pp_get_stats(s, &stats) == PP_OK);
    } while (stats.running + stats.queued);
    REQUIRE(stats.done + stats.failed + stats.cancelled == stats.submitted);
}

/* The program computes and calls nothing; what was submitted is done meanwhile. */
static void background(pp_server *s)
{
    enum { N = 400 };
    pp_future f[N];
    for (uint64_t i = 0; i < N; i++) REQUIRE((f[i] = pp_submit(s, small, &i, sizeof i)).id);
    usleep(400000);
    pp_stats stats = {.size = sizeof stats};
    REQUIRE(pp_get_stats(s, &stats) == PP_OK);
    REQUIRE(stats.queued == 0 && stats.running == 0);
    for (uint64_t i = 0; i < N; i++) REQUIRE(pp_done(f[i]) == 1 && fetch_number(f[i]) == mix(i));
}

/* Submissions that fail, beside others, leave no gap and give no number twice. */
static void *submit_wrongly(void *arg)
{
    static const char large[100000];
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    o.timeout = -5;
    for (int i = 0; i < 200; i++) {
        REQUIRE(!pp_submit_with(arg, nothing, large, sizeof large, &o).id && pp_last_error_code() == PP_ERR_ARG);
        REQUIRE(!pp_submit(arg, NULL, large, sizeof large).id && pp_last_error_code() == PP_ERR_ARG);
        REQUIRE(!pp_submit(arg, (pp_function)(uintptr_t)large, large, sizeof large).id);
        REQUIRE(pp_last_error_code() == PP_ERR_FUNCTION);
    }
    return NULL;
}

static void numbers(pp_server *s)
{
    enum { N = 200 };
    pp_future f[N];
    pthread_t thread;
    pp_task_info info = {.size = sizeof info};
    pp_stats before = {.size = sizeof before}, after = {.size = sizeof after};
    REQUIRE(pp_get_stats(s, &before) == PP_OK);
    REQUIRE(pthread_create(&thread, NULL, submit_wrongly, s) == 0);
    for (uint64_t i = 0; i < N; i++) {
        REQUIRE((f[i] = pp_submit(s, small, &i, sizeof i)).id);
        REQUIRE(pp_info(f[i], &info) == PP_OK && info.task == before.submitted + i + 1);
    }
    pthread_join(thread, NULL);
    for (uint64_t i = 0; i < N; i++) REQUIRE(fetch_number(f[i]) == mix(i));
    REQUIRE(pp_get_stats(s, &after) == PP_OK && after.submitted == before.submitted + N);
}

/* ---- callbacks: on one thread, before any waiter returns */

static struct {
    _Atomic int inside;
    int count; /* plain: callbacks come one at a time, and before the waits return */
    uint64_t sum;
    pp_server *server;
    int in_ranks;
} heard;

static void hear(pp_future f, void *arg)
{
    REQUIRE(atomic_fetch_add(&heard.inside, 1) == 0);
    const void *data;
    size_t bytes;
    REQUIRE(pp_done(f) == 1 && pp_wait(f) == PP_OK);
    REQUIRE(pp_result(f, &data, &bytes) == PP_OK && bytes == 8);
    heard.sum += *(const uint64_t *)data;
    heard.count++;
    if (*(int *)arg > 0) { /* a callback may submit, cancel and fetch */
        --*(int *)arg;
        uint64_t x = 5;
        pp_future more = pp_submit(heard.server, small, &x, sizeof x), other = pp_submit(heard.server, small, &x, sizeof x);
        REQUIRE(more.id && other.id);
        int cancelled = pp_cancel(other); /* a rank that is its own worker cannot end what it runs */
        REQUIRE(cancelled >= 0 || (heard.in_ranks && cancelled == PP_ERR_UNSUPPORTED));
        REQUIRE(pp_release(other) == PP_OK);
        REQUIRE(fetch_number(more) == mix(5));
    }
    atomic_fetch_sub(&heard.inside, 1);
}

static void callbacks(pp_server *s, int in_ranks)
{
    enum { N = 300 };
    pp_future f[N];
    int nested = 20;
    uint64_t sum = 0;
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    memset(&heard, 0, sizeof heard);
    heard.server = s;
    heard.in_ranks = in_ranks;
    o.callback = hear;
    o.callback_arg = &nested;
    o.group = "heard";
    for (uint64_t i = 0; i < N; i++) {
        REQUIRE((f[i] = pp_submit_with(s, small, &i, sizeof i, &o)).id);
        if (i % 3 == 0) REQUIRE(pp_add_callback(f[i], hear, &nested) == PP_OK);
        sum += mix(i) * (i % 3 ? 1 : 2);
        if (i % 5 == 0) f[i].id = pp_release(f[i]) == PP_OK ? 0 : 1;
    }
    REQUIRE(pp_wait_all(f, N, -1) == PP_OK);
    REQUIRE(pp_wait_group(s, "heard", -1) == PP_OK);
    REQUIRE(pp_wait_group(s, NULL, -1) == PP_OK);
    REQUIRE(heard.count == N + N / 3 && heard.sum == sum);
    for (uint64_t i = 0; i < N; i++)
        if (f[i].id) REQUIRE(fetch_number(f[i]) == mix(i));
}

static void in_order_of_completion(pp_server *s)
{
    enum { N = 400 };
    uint64_t sum = 0;
    int count = 0, status;
    pp_future f;
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    o.group = "next";
    while (pp_next(s, NULL, 0, &f) == PP_OK) REQUIRE(pp_release(f) == PP_OK); /* of the scenarios before */
    REQUIRE(pp_next(s, "next", -1, &f) == PP_END);
    for (uint64_t i = 0; i < N; i++) {
        REQUIRE((f = pp_submit_with(s, small, &i, sizeof i, &o)).id);
        if (i % 7 == 0) REQUIRE(pp_release(f) == PP_OK);
        else sum += mix(i), count++;
    }
    while ((status = pp_next(s, "next", -1, &f)) == PP_OK) {
        sum -= fetch_number(f);
        count--;
    }
    REQUIRE(status == PP_END && sum == 0 && count == 0);
}

static void map(pp_server *s)
{
    enum { N = 2000 };
    static uint64_t items[N], results[N];
    for (uint64_t i = 0; i < N; i++) items[i] = i * i, results[i] = 0;
    REQUIRE(pp_map(s, small, items, 8, N, results, 8) == PP_OK);
    for (uint64_t i = 0; i < N; i++) REQUIRE(results[i] == mix(i * i));
}

/* Workers are threads here: a running task is not killed, but it counts as cancelled, and its worker is replaced. */
static void cancels(pp_server *s, uint64_t seed)
{
    enum { N = 200 };
    struct random r = {seed};
    pp_future f[N];
    for (int i = 0; i < N; i++) {
        uint64_t us = random_below(&r, 300);
        REQUIRE((f[i] = pp_submit(s, take_time, &us, sizeof us)).id);
        if (random_below(&r, 3) == 0) {
            int k = (int)random_below(&r, (uint64_t)i + 1);
            int status = pp_cancel(f[k]);
            REQUIRE(status == PP_OK || status == PP_END);
        }
    }
    REQUIRE(pp_wait_all(f, N, -1) == PP_OK);
    for (int i = 0; i < N; i++) {
        uint64_t y;
        int status = pp_fetch(f[i], &y, sizeof y);
        REQUIRE(status == PP_OK || status == PP_ERR_CANCELLED);
        REQUIRE(pp_cancel(f[i]) == (status == PP_OK ? PP_ERR_HANDLE : PP_END));
        if (status != PP_OK) REQUIRE(pp_release(f[i]) == PP_OK);
    }
}

/* All ranks are on one node, and share them. */
static void more_and_fewer_workers(pp_server *s)
{
    static const int counts[] = {1, 5, 3, 0, 2, 9};
    for (int i = 0; i < 6; i++) {
        REQUIRE(pp_set_ncpus(s, counts[i]) == PP_OK);
        REQUIRE(counts[i] ? pp_get_ncpus(s) == counts[i] : pp_get_ncpus(s) >= 1);
        tiny_tasks(s);
        if (counts[i]) REQUIRE(pp_get_ncpus(s) == counts[i]);
    }
}

static void priorities(pp_server *s)
{
    enum { N = 600 };
    pp_future f[N];
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    for (uint64_t i = 0; i < N; i++) {
        o.priority = (int)(mix(i) % 7) - 3;
        o.name = i % 2 ? "with a name" : NULL;
        REQUIRE((f[i] = pp_submit_with(s, small, &i, sizeof i, &o)).id);
    }
    for (uint64_t i = N; i-- > 0;) REQUIRE(fetch_number(f[i]) == mix(i));
}

static void all_scenarios(int ranks, uint64_t seed)
{
    struct farm farm;
    pp_server *s = farm_open(&farm, ranks, 2, NULL);
    REQUIRE(pp_get_ncpus(s) == 2 * ranks);
    pp_node node;
    REQUIRE(pp_get_active_nodes(s, &node, 1) == 1 && node.ranks == ranks && node.workers == 2 * ranks);
    tiny_tasks(s);
    large_data(s);
    many_threads(s, seed, 4, 400);
    waits(s);
    failures(s);
    releases(s);
    background(s);
    priorities(s);
    numbers(s);
    callbacks(s, 0);
    in_order_of_completion(s);
    map(s);
    cancels(s, seed);
    more_and_fewer_workers(s);
    farm_close(&farm);
    printf("%d ranks: all scenarios passed\n", ranks);

    /* A farm that does nothing, one that is closed with everything unfinished, and one whose workers are replaced. */
    farm_open(&farm, ranks, 2, NULL);
    usleep(20000);
    farm_close(&farm);
    s = farm_open(&farm, ranks, 2, NULL);
    struct wish large = {300000, 1};
    for (uint64_t i = 0; i < 300; i++)
        REQUIRE((i % 20 ? pp_submit(s, small, &i, sizeof i) : pp_submit(s, make, &large, sizeof large)).id);
    farm_close(&farm);
    pp_options o = PP_OPTIONS_INIT;
    o.restart = 3;
    s = farm_open(&farm, ranks, 2, &o);
    priorities(s);
    farm_close(&farm);
}

/* The same farm without workers of its own: each rank but the first runs tasks itself, the first when it is alone. */
static void ranks_as_workers(int ranks, uint64_t seed)
{
    struct farm farm;
    pp_options o = PP_OPTIONS_INIT;
    o.isolation = PP_ISOLATE_NONE;
    pp_server *s = farm_open(&farm, ranks, 0, &o);
    REQUIRE(pp_get_ncpus(s) == (ranks > 1 ? ranks - 1 : 1));
    REQUIRE(pp_set_ncpus(s, 2) == PP_ERR_UNSUPPORTED);
    tiny_tasks(s);
    large_data(s);
    many_threads(s, seed, 4, 400);
    failures(s);
    if (ranks > 1) { /* alone, tasks run only while somebody waits, and whoever waits runs them however long they take */
        waits(s);
        releases(s);
    }
    priorities(s);
    callbacks(s, 1);
    in_order_of_completion(s);
    map(s);
    farm_close(&farm);
    o.queue_limit = 7;
    s = farm_open(&farm, ranks, 0, &o);
    tiny_tasks(s);
    for (uint64_t i = 0; i < 300; i++) REQUIRE(pp_submit(s, small, &i, sizeof i).id);
    farm_close(&farm);
    printf("%d ranks as workers: all scenarios passed\n", ranks);
}

int main(void)
{
    struct random r = random_begin("farm");
    alarm(170); /* a farm that hangs: better a signal here than a time-out of ctest */
    for (int ranks = 1; ranks <= 4; ranks *= 2) {
        all_scenarios(ranks, random_next(&r));
        ranks_as_workers(ranks, random_next(&r));
    }
    return 0;
}
