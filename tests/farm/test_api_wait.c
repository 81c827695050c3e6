/* Waiting for several futures. ranks: 1 2 4 */
#define TEST_API_MAIN
#include "farm/test_api.h"

#include <math.h>

static void sleep_seconds(pp_task *task)
{
    pause_for(*(const double *)pp_task_args(task, NULL));
}

/* Arguments: seconds, whether to fail. */
struct how {
    double seconds;
    int fails;
};

static void sleep_and_fail(pp_task *task)
{
    const struct how *how = pp_task_args(task, NULL);
    pause_for(how->seconds);
    if (how->fails) pp_task_fail(task, how->fails, "as told");
}

static void crash(pp_task *task)
{
    (void)task;
    abort();
}

static pp_future submit(double seconds)
{
    return pp_submit(server, sleep_seconds, &seconds, sizeof seconds);
}

static pp_future submit_how(double seconds, int fails)
{
    struct how how = {seconds, fails};
    return pp_submit(server, sleep_and_fail, &how, sizeof how);
}

static void release_all(const pp_future *f, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (f[i].id) CHECK_INT(pp_release(f[i]), PP_OK);
}

static void nothing_to_wait_for(void)
{
    pp_future nulls[3] = {{0}, {0}, {0}};
    size_t index = 42;
    static const double times[] = {-1, 0, 0.5, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        CHECK_INT(pp_wait_all(nulls, 3, times[i]), PP_OK);
        CHECK_INT(pp_wait_any(nulls, 3, times[i], &index), PP_END);
        CHECK_INT(pp_wait_failed(nulls, 3, times[i], &index), PP_END);
        CHECK_INT(pp_wait_all(NULL, 0, times[i]), PP_OK);
        CHECK_INT(pp_wait_any(NULL, 0, times[i], &index), PP_END);
        CHECK_INT(pp_wait_failed(NULL, 0, times[i], NULL), PP_END);
    }
    CHECK_INT(index, 42);
}

static void any_gives_the_one_that_finished(void)
{
    pp_future f[5] = {submit(patience(0.4)), {0}, submit(0.01), {0}, {0}};
    size_t index = 42;
    if (pp_get_ncpus(server) < 2) { /* one worker: the first to be submitted is the first to finish */
        CHECK_INT(pp_wait_any(f, 5, -1, &index), PP_OK);
        CHECK_INT(index, 0);
    } else {
        CHECK_INT(pp_wait_any(f, 5, 0, &index), PP_TIMEOUT);
        CHECK_INT(index, 42);
        CHECK_INT(pp_wait_any(f, 5, -1, &index), PP_OK);
        CHECK_INT(index, 2);
        CHECK_INT(pp_done(f[0]), 0);
        CHECK_INT(pp_wait_any(f, 5, 0, NULL), PP_OK);
        CHECK_INT(pp_release(f[2]), PP_OK);
        f[2].id = 0;
        CHECK_INT(pp_wait_any(f, 5, 0.01, &index), PP_TIMEOUT);
        CHECK_INT(index, 2);
        CHECK_INT(pp_wait_any(f, 5, -1, &index), PP_OK);
        CHECK_INT(index, 0);
    }
    release_all(f, 5);
}

static void any_gives_the_lowest_of_those_that_have_finished(void)
{
    pp_future f[6];
    size_t index = 42;
    for (int i = 0; i < 6; i++) f[i] = submit(0);
    CHECK_INT(pp_wait_all(f, 6, -1), PP_OK);
    for (size_t i = 0; i < 6; i++) {
        CHECK_INT(pp_wait_any(f, 6, 0, &index), PP_OK);
        CHECK_INT(index, i);
        CHECK_INT(pp_release(f[i]), PP_OK);
        f[i].id = 0;
    }
    CHECK_INT(pp_wait_any(f, 6, 0, &index), PP_END);
    CHECK_INT(index, 5);
}

/* The usual loop: each future comes up once. */
static void any_in_a_loop_gives_each_once(void)
{
    enum { N = 60 };
    pp_future f[N];
    int seen[N] = {0};
    size_t index;
    for (int i = 0; i < N; i++) f[i] = submit(0.001 * (i * 7 % 5));
    for (int left = N; left > 0; left--) {
        CHECK_INT(pp_wait_any(f, N, -1, &index), PP_OK);
        CHECK(index < N && !seen[index]);
        if (failures) return;
        seen[index] = 1;
        CHECK_INT(pp_fetch(f[index], NULL, 0), PP_OK);
        f[index].id = 0;
    }
    CHECK_INT(pp_wait_any(f, N, -1, &index), PP_END);
}

static void all_waits_for_the_last(void)
{
    pp_future f[6] = {submit(0.05), {0}, submit(0), submit(0.1), {0}, submit(0.02)};
    double start = seconds_now();
    CHECK_INT(pp_wait_all(f, 6, 0), PP_TIMEOUT);
    CHECK_INT(pp_wait_all(f, 6, 0.03), PP_TIMEOUT);
    CHECK_INT(pp_wait_all(f, 6, -1), PP_OK);
    CHECK(seconds_now() - start >= 0.1);
    for (int i = 0; i < 6; i++)
        if (f[i].id) CHECK_INT(pp_done(f[i]), 1);
    CHECK_INT(pp_wait_all(f, 6, 0), PP_OK);
    release_all(f, 6);
}

static void all_counts_failures_as_finished(void)
{
    pp_future f[3] = {submit_how(0.01, 5), pp_submit(server, crash, NULL, 0), submit(0)};
    CHECK_INT(pp_wait_all(f, 3, patience(10)), PP_OK);
    CHECK_INT(pp_fetch(f[0], NULL, 0), PP_ERR_TASK);
    CHECK_INT(pp_fetch(f[1], NULL, 0), PP_ERR_CRASHED);
    release_all(f, 3);
}

static void failed_gives_the_one_that_failed(void)
{
    pp_future f[5] = {submit(0.02), {0}, submit(0), submit_how(0.05, 3), submit(0)};
    size_t index = 42;
    CHECK_INT(pp_wait_failed(f, 5, 0, &index), PP_TIMEOUT);
    CHECK_INT(index, 42);
    CHECK_INT(pp_wait_failed(f, 5, -1, &index), PP_OK);
    CHECK_INT(index, 3);
    CHECK_INT(pp_release(f[3]), PP_OK);
    f[3].id = 0;
    index = 42;
    CHECK_INT(pp_wait_failed(f, 5, -1, &index), PP_END);
    CHECK_INT(index, 42);
    CHECK_INT(pp_wait_failed(f, 5, 0, NULL), PP_END);
    release_all(f, 5);

    pp_future g[2] = {submit(0.01), pp_submit(server, crash, NULL, 0)};
    CHECK_INT(pp_wait_failed(g, 2, -1, &index), PP_OK);
    CHECK_INT(index, 1);
    release_all(g, 2);
}

static void one_future_may_stand_there_twice(void)
{
    pp_future a = submit(0.05), b = submit_how(0.05, 1);
    pp_future f[6] = {a, a, b, a, b, a};
    size_t index = 42;
    CHECK_INT(pp_wait_all(f, 6, 0), PP_TIMEOUT);
    CHECK_INT(pp_wait_any(f, 6, 0.001, &index), PP_TIMEOUT);
    CHECK_INT(pp_wait_failed(f, 6, -1, &index), PP_OK);
    CHECK(index == 2 || index == 4);
    CHECK_INT(pp_wait_all(f, 6, -1), PP_OK);
    CHECK_INT(pp_wait_any(f, 6, -1, &index), PP_OK);
    CHECK_INT(index, 0);
    CHECK_INT(pp_wait_failed(f, 6, -1, &index), PP_OK);
    CHECK_INT(index, 2);
    pp_future only[2] = {a, a};
    CHECK_INT(pp_wait_failed(only, 2, -1, &index), PP_END);
    CHECK_INT(pp_release(a), PP_OK);
    CHECK_INT(pp_release(b), PP_OK);
}

static void a_stale_future_is_told_with_its_index(void)
{
    pp_future f[4] = {submit(0), {0}, submit(0), submit(0)};
    size_t index = 42;
    CHECK_INT(pp_fetch(f[2], NULL, 0), PP_OK);
    CHECK_ERROR(pp_wait_all(f, 4, -1), PP_ERR_HANDLE, "future 2 ");
    CHECK_ERROR(pp_wait_any(f, 4, -1, &index), PP_ERR_HANDLE, "future 2 ");
    CHECK_ERROR(pp_wait_failed(f, 4, -1, &index), PP_ERR_HANDLE, "future 2 ");
    CHECK_INT(index, 42);
    CHECK_INT(pp_release(f[0]), PP_OK);
    CHECK_INT(pp_release(f[3]), PP_OK);
}

static void time_outs_are_kept(void)
{
    static const double times[] = {0, 0.0001, 0.001, 0.005, 0.02, 0.1, 0.25};
    pp_future f[2] = {submit(patience(4)), {0}};
    size_t index;
    pause_for(0.02); /* it runs */
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        for (int kind = 0; kind < 4; kind++) {
            double took = 0;
            /* A busy machine may delay one, but not all. */
            for (int attempt = 0; attempt < 5; attempt++) {
                double start = seconds_now();
                int status = kind == 0   ? pp_wait_for(f[0], times[i])
                             : kind == 1 ? pp_wait_all(f, 2, times[i])
                             : kind == 2 ? pp_wait_any(f, 2, times[i], &index)
                                         : pp_wait_failed(f, 2, times[i], &index);
                took = seconds_now() - start;
                CHECK_INT(status, PP_TIMEOUT);
                CHECK(took >= times[i]);
                if (took < times[i] + 0.02) break;
            }
            if (took > times[i] + patience(0.02)) fprintf(stderr, "%g s took %g s\n", times[i], took), failures++;
        }
    CHECK_INT(pp_wait_for(f[0], 1e300), PP_OK);
    CHECK_INT(pp_wait_for(f[0], -1e300), PP_OK);
    CHECK_INT(pp_wait_for(f[0], INFINITY), PP_OK);
    release_all(f, 1);
}

static void not_a_number_is_no_time(void)
{
    pp_future f = submit(0);
    size_t index = 42;
    CHECK_ERROR(pp_wait_for(f, NAN), PP_ERR_ARG, "seconds");
    CHECK_ERROR(pp_wait_all(&f, 1, NAN), PP_ERR_ARG, "seconds");
    CHECK_ERROR(pp_wait_any(&f, 1, NAN, &index), PP_ERR_ARG, "seconds");
    CHECK_ERROR(pp_wait_failed(&f, 1, NAN, &index), PP_ERR_ARG, "seconds");
    CHECK_INT(index, 42);
    CHECK_ERROR(pp_wait_all(NULL, 3, 0), PP_ERR_ARG, "3");
    CHECK_ERROR(pp_wait_any(NULL, 3, 0, &index), PP_ERR_ARG, "3");
    CHECK_ERROR(pp_wait_failed(NULL, 3, 0, &index), PP_ERR_ARG, "3");
    CHECK_INT(pp_fetch(f, NULL, 0), PP_OK);
}

static void waiting_for_many_is_quick(void)
{
    enum { N = 100000 };
    pp_future *f = calloc(N, sizeof *f);
    size_t index;
    double start = seconds_now();
    for (int i = 0; i < N; i++) f[i] = submit(0);
    CHECK_INT(pp_wait_any(f, N, -1, &index), PP_OK);
    CHECK_INT(pp_wait_all(f, N, -1), PP_OK);
    CHECK_INT(pp_wait_failed(f, N, -1, &index), PP_END);
    CHECK(seconds_now() - start < patience(20));
    release_all(f, N);
    free(f);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(nothing_to_wait_for),
        TEST(any_gives_the_one_that_finished),
        TEST(any_gives_the_lowest_of_those_that_have_finished),
        TEST(any_in_a_loop_gives_each_once),
        TEST(all_waits_for_the_last),
        TEST(all_counts_failures_as_finished),
        TEST(failed_gives_the_one_that_failed),
        TEST(one_future_may_stand_there_twice),
        TEST(a_stale_future_is_told_with_its_index),
        TEST(time_outs_are_kept),
        TEST(not_a_number_is_no_time),
        TEST(waiting_for_many_is_quick),
    };
    open_or_exit(&argc, &argv, NULL);
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
