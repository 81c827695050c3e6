/* Many threads of the program use the farm at once. ranks: 1 2 4 */
#define TEST_API_MAIN
#include "farm/test_api.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS 8

static void add_one(pp_task *task)
{
    size_t bytes;
    const uint64_t *n = pp_task_args(task, &bytes);
    uint64_t *result = pp_task_result(task, bytes);
    if (!result) return;
    memcpy(result, n, bytes);
    result[0]++;
}

static void sleep_seconds(pp_task *task)
{
    pause_for(*(const double *)pp_task_args(task, NULL));
}

static void fail(pp_task *task)
{
    pp_task_fail(task, *(const int *)pp_task_args(task, NULL), "thread %d", *(const int *)pp_task_args(task, NULL));
}

static void run_threads(void *(*body)(void *), int count)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < count; i++) CHECK_INT(pthread_create(&threads[i], NULL, body, (void *)(intptr_t)i), 0);
    for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
}

/* Sizes from a few bytes to far beyond what is copied under the lock. */
static void *submit_and_fetch(void *arg)
{
    enum { AT_ONCE = 20, ROUNDS = 25, MOST = 40000 };
    unsigned random = 1 + (unsigned)(intptr_t)arg;
    uint64_t *data = calloc(MOST, sizeof *data);
    for (int round = 0; round < ROUNDS; round++) {
        pp_future f[AT_ONCE];
        size_t words[AT_ONCE];
        uint64_t first[AT_ONCE];
        for (int i = 0; i < AT_ONCE; i++) {
            unsigned r = random_number(&random);
            words[i] = r % 8 == 0 ? 1 + r % MOST : 1 + r % 8;
            first[i] = data[0] = (uint64_t)(intptr_t)arg << 40 | (uint64_t)round << 20 | (uint64_t)i;
            data[words[i] - 1] = data[0];
            f[i] = pp_submit(server, add_one, data, 8 * words[i]);
            CHECK(f[i].id != 0);
        }
        for (int k = 0; k < AT_ONCE; k++) {
            int i = (k * 7) % AT_ONCE;
            CHECK_INT(pp_fetch(f[i], data, 8 * words[i]), PP_OK);
            CHECK(data[0] == first[i] + 1);
            if (words[i] > 1) CHECK(data[words[i] - 1] == first[i]);
        }
    }
    free(data);
    return NULL;
}

static void eight_threads_submit_and_fetch(void)
{
    run_threads(submit_and_fetch, THREADS);
}

/* Each future is fetched by all threads: one of them gets it. */
static pp_future contested[500];
static _Atomic int won[500];

static void *grab(void *arg)
{
    unsigned random = 77 + (unsigned)(intptr_t)arg;
    for (int i = 0; i < 500; i++) {
        uint64_t r;
        int status = random_number(&random) % 4 ? pp_fetch(contested[i], &r, sizeof r) : pp_release(contested[i]);
        if (status == PP_OK)
            atomic_fetch_add(&won[i], 1);
        else
            CHECK_INT(status, PP_ERR_HANDLE);
    }
    return NULL;
}

static void one_future_is_fetched_or_released_once(void)
{
    for (uint64_t i = 0; i < 500; i++) contested[i] = pp_submit(server, add_one, &i, sizeof i);
    run_threads(grab, THREADS);
    for (int i = 0; i < 500; i++) CHECK_INT(won[i], 1);
}

/* One thread hands futures to the next. */
static pp_future relay[1000];
static _Atomic int relayed;

static void *submit_relay(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < 1000; i++) {
        relay[i] = pp_submit(server, add_one, &i, sizeof i);
        atomic_store(&relayed, (int)i + 1);
    }
    return NULL;
}

static void *relay_body(void *arg)
{
    if (!arg) return submit_relay(NULL);
    for (uint64_t i = 0; i < 1000; i++) {
        while (atomic_load(&relayed) <= (int)i) sched_yield();
        uint64_t r = 0;
        CHECK_INT(pp_fetch(relay[i], &r, sizeof r), PP_OK);
        CHECK_INT(r, i + 1);
    }
    return NULL;
}

static void a_future_may_be_fetched_by_another_thread(void)
{
    run_threads(relay_body, 2);
}

/* Threads that wait in every way for the same futures all return. */
static pp_future shared_futures[8];

static void *wait_for_shared(void *arg)
{
    size_t index = 99;
    switch ((intptr_t)arg % 4) {
    case 0: CHECK_INT(pp_wait_all(shared_futures, 8, -1), PP_OK); break;
    case 1:
        CHECK_INT(pp_wait_any(shared_futures, 8, -1, &index), PP_OK);
        CHECK(index < 8);
        break;
    case 2: CHECK_INT(pp_wait_failed(shared_futures, 8, -1, &index), PP_END); break;
    default:
        for (int i = 0; i < 8; i++) CHECK_INT(pp_wait(shared_futures[i]), PP_OK);
    }
    return NULL;
}

static void many_threads_may_wait_for_one_future(void)
{
    for (int round = 0; round < 5; round++) {
        double seconds = 0.01;
        for (int i = 0; i < 8; i++) shared_futures[i] = pp_submit(server, sleep_seconds, &seconds, sizeof seconds);
        run_threads(wait_for_shared, THREADS);
        for (int i = 0; i < 8; i++) CHECK_INT(pp_release(shared_futures[i]), PP_OK);
    }
}

static void *error_of_a_thread(void *arg)
{
    int n = (int)(intptr_t)arg;
    char text[32];
    CHECK_INT(pp_last_error_code(), PP_OK);
    CHECK_INT(strcmp(pp_last_error(), ""), 0);
    snprintf(text, sizeof text, "thread %d", n);
    for (int i = 0; i < 100; i++) {
        pp_future f = pp_submit(server, fail, &n, sizeof n);
        CHECK_INT(pp_fetch(f, NULL, 0), PP_ERR_TASK);
        pp_release(f);
        uint64_t r = 0;
        pp_future good = pp_submit(server, add_one, &r, sizeof r);
        CHECK_INT(pp_fetch(good, &r, sizeof r), PP_OK);
        /* Success leaves it alone, and so do the others. */
        CHECK_INT(pp_last_error_code(), PP_ERR_TASK);
        CHECK_TEXT(pp_last_error(), text);
    }
    return NULL;
}

static void the_last_error_is_the_thread_s_own(void)
{
    pp_release((pp_future){0});
    CHECK_INT(pp_last_error_code(), PP_ERR_HANDLE);
    run_threads(error_of_a_thread, THREADS);
    CHECK_INT(pp_last_error_code(), PP_ERR_HANDLE);
}

static _Atomic int late, very_late;

/* A waiter that runs out of time while another drives, and one that drives while others come and go. */
static void *short_waits(void *arg)
{
    for (int i = 0; i < 30; i++) {
        double start = seconds_now(), seconds = 0.002 * (double)(1 + ((intptr_t)arg + i) % 5);
        CHECK_INT(pp_wait_for(shared_futures[0], seconds), PP_TIMEOUT);
        double took = seconds_now() - start;
        CHECK(took >= seconds);
        if (took > seconds + 0.05) late++;
        if (took > seconds + patience(2)) very_late++;
    }
    return NULL;
}

static void every_waiter_s_time_runs_out_on_its_own(void)
{
    double seconds = patience(3);
    shared_futures[0] = pp_submit(server, sleep_seconds, &seconds, sizeof seconds);
    run_threads(short_waits, 6);
    CHECK(late < 60); /* of 180: a busy machine delays some */
    CHECK_INT(very_late, 0);
    CHECK_INT(pp_fetch(shared_futures[0], NULL, 0), PP_OK);
}

/* The program computes and never waits: tasks go on all the same. */
static void tasks_go_on_while_the_program_computes(void)
{
    enum { N = 200 };
    pp_future f[N];
    double seconds = 0.001, start = seconds_now();
    for (int i = 0; i < N; i++) f[i] = pp_submit(server, sleep_seconds, &seconds, sizeof seconds);
    pp_stats stats = {.size = sizeof stats};
    do {
        pause_for(0.4); /* away from the library */
        CHECK_INT(pp_get_stats(server, &stats), PP_OK);
    } while (stats.queued + stats.running > 0 && seconds_now() < start + patience(5));
    CHECK_INT(stats.queued + stats.running, 0);
    for (int i = 0; i < N; i++) CHECK_INT(pp_fetch(f[i], NULL, 0), PP_OK);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(eight_threads_submit_and_fetch),
        TEST(one_future_is_fetched_or_released_once),
        TEST(a_future_may_be_fetched_by_another_thread),
        TEST(many_threads_may_wait_for_one_future),
        TEST(the_last_error_is_the_thread_s_own),
        TEST(every_waiter_s_time_runs_out_on_its_own),
        TEST(tasks_go_on_while_the_program_computes),
    };
    open_or_exit(&argc, &argv, NULL);
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
