/* pp_map, and many threads at once. ranks: 2 4 */
#include "farm/test_futures.h"

static void square(pp_task *task)
{
    const long *x = pp_task_args(task, NULL);
    long *y = pp_task_result(task, sizeof *y);
    *y = *x * *x;
}

/* Fails on the items that are divisible by seven, crashes on those that end with 3. */
static void fussy(pp_task *task)
{
    const long *x = pp_task_args(task, NULL);
    if (*x % 10 == 3) abort();
    if (*x % 7 == 0) pp_task_fail(task, (int)*x, "%ld is divisible by seven", *x);
    square(task);
}

static void slow_first(pp_task *task)
{
    const long *x = pp_task_args(task, NULL);
    pause_for(*x < 4 ? 0.05 - 0.01 * (double)*x : 0);
    square(task);
}

static void map_squares(size_t n)
{
    long *items = malloc(n * sizeof *items), *results = calloc(n, sizeof *results);
    for (size_t i = 0; i < n; i++) items[i] = (long)i - 5;
    CHECK_INT(pp_map(server, square, items, sizeof *items, n, results, sizeof *results), PP_OK);
    size_t wrong = 0;
    for (size_t i = 0; i < n; i++) wrong += results[i] != items[i] * items[i];
    CHECK_INT(wrong, 0);
    free(items);
    free(results);
}

static void results_are_in_order(void)
{
    long items[50], results[50];
    for (long i = 0; i < 50; i++) items[i] = i;
    CHECK_INT(pp_map(server, slow_first, items, sizeof *items, 50, results, sizeof *results), PP_OK);
    for (long i = 0; i < 50; i++) CHECK_INT(results[i], i * i);
}

static void none_one_and_many(void)
{
    long x = 3, y = 0;
    CHECK_INT(pp_map(server, square, NULL, sizeof(long), 0, NULL, sizeof(long)), PP_OK);
    CHECK_INT(pp_map(server, square, &x, sizeof x, 0, &y, sizeof y), PP_OK);
    CHECK_INT(y, 0);
    map_squares(1);
    map_squares(2);
    map_squares(100000);
}

static void the_lowest_failure_is_told_and_the_others_are_delivered(void)
{
    enum { N = 40 };
    long items[N], results[N];
    for (long i = 0; i < N; i++) items[i] = i + 1, results[i] = -i;
    /* 3 crashes first in the array, 7 fails after it. */
    CHECK_ERROR(pp_map(server, fussy, items, sizeof *items, N, results, sizeof *results), PP_ERR_CRASHED, "item 2");
    for (long i = 0; i < N; i++)
        CHECK_INT(results[i], (i + 1) % 10 == 3 || (i + 1) % 7 == 0 ? -i : (i + 1) * (i + 1));
    for (long i = 0; i < N; i++) items[i] = i + 4, results[i] = -i;
    CHECK_ERROR(pp_map(server, fussy, items, sizeof *items, N, results, sizeof *results), PP_ERR_TASK, "7 is divisible by seven");
    CHECK_TEXT(pp_last_error(), "item 3");
    for (long i = 0; i < N; i++)
        CHECK_INT(results[i], (i + 4) % 10 == 3 || (i + 4) % 7 == 0 ? -i : (i + 4) * (i + 4));
    check_farm_works();
}

static void a_result_of_another_size_is_a_size_error(void)
{
    long items[3] = {1, 2, 3}, results[6] = {7, 7, 7, 7, 7, 7};
    CHECK_ERROR(pp_map(server, square, items, sizeof *items, 3, results, 2 * sizeof *results), PP_ERR_SIZE, "item 0");
    CHECK_INT(pp_map(server, square, items, sizeof *items, 3, results, sizeof *results - 1), PP_ERR_SIZE);
    CHECK_INT(pp_map(server, square, items, sizeof *items, 3, NULL, 0), PP_ERR_SIZE);
    for (int i = 0; i < 6; i++) CHECK_INT(results[i], 7);
}

static void bad_arguments_change_nothing(void)
{
    long x[2] = {1, 2}, y[2] = {7, 7};
    uint64_t before = stats_now().submitted;
    CHECK_INT(pp_map(NULL, square, x, 8, 2, y, 8), PP_ERR_ARG);
    CHECK_INT(pp_map(server, NULL, x, 8, 2, y, 8), PP_ERR_ARG);
    CHECK_INT(pp_map(server, square, NULL, 8, 2, y, 8), PP_ERR_ARG);
    CHECK_INT(pp_map(server, square, x, 8, 2, NULL, 8), PP_ERR_ARG);
    CHECK(y[0] == 7 && y[1] == 7);
    CHECK_INT(stats_now().submitted, before);
}

static void nothing(pp_task *task)
{
    (void)task;
}

static void echo(pp_task *task)
{
    size_t bytes;
    const void *in = pp_task_args(task, &bytes);
    memcpy(pp_task_result(task, bytes), in, bytes);
}

static void items_and_results_of_all_sizes(void)
{
    static const size_t sizes[] = {0, 1, 15, 24, 25, 1000, 70000};
    CHECK_INT(pp_map(server, nothing, NULL, 0, 20, NULL, 0), PP_OK);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        enum { N = 12 };
        unsigned char *items = malloc(N * sizes[s] + 1), *results = calloc(1, N * sizes[s] + 1);
        fill_pattern(items, N * sizes[s], (unsigned)s);
        results[N * sizes[s]] = 99;
        CHECK_INT(pp_map(server, echo, items, sizes[s], N, results, sizes[s]), PP_OK);
        CHECK(has_pattern(results, N * sizes[s], (unsigned)s));
        CHECK_INT(results[N * sizes[s]], 99);
        free(items);
        free(results);
    }
}

/* ---- threads */

static void *submit_and_fetch(void *arg)
{
    unsigned state = 12345 + (unsigned)(size_t)arg;
    pp_future f[50];
    long value[50];
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 50; i++) {
            value[i] = random_number(&state) % 1000;
            f[i] = submit_value(value[i]);
        }
        for (int i = 50; i-- > 0;) fetch_job(f[i], value[i]);
    }
    return NULL;
}

static void *map_in_thread(void *arg)
{
    (void)arg;
    map_squares(3000);
    return NULL;
}

static void many_threads_submit_at_once(void)
{
    enum { N = 16 };
    pthread_t thread[N];
    uint64_t before = stats_now().submitted;
    for (size_t i = 0; i < N; i++) pthread_create(&thread[i], NULL, i % 4 ? submit_and_fetch : map_in_thread, (void *)i);
    for (size_t i = 0; i < N; i++) pthread_join(thread[i], NULL);
    CHECK_INT(stats_now().submitted - before, 12 * 2000 + 4 * 3000);
    CHECK_INT(stats_now().running + stats_now().queued, 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(results_are_in_order),
        TEST(none_one_and_many),
        TEST(the_lowest_failure_is_told_and_the_others_are_delivered),
        TEST(a_result_of_another_size_is_a_size_error),
        TEST(bad_arguments_change_nothing),
        TEST(items_and_results_of_all_sizes),
        TEST(many_threads_submit_at_once),
    };
    open_or_exit(&argc, &argv, NULL);
    return RUN_TESTS(tests);
}
