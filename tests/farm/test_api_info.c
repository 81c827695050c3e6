/* What pp_info and the counts say of tasks that run, on whatever rank; futures that are given up under a waiter; more
 * functions than the table holds. ranks: 1 2 4 */
#define TEST_API_MAIN
#include "farm/test_api.h"

#include <pthread.h>

static void sleep_seconds(pp_task *task)
{
    pause_for(*(const double *)pp_task_args(task, NULL));
    *(int *)pp_task_result(task, sizeof(int)) = pp_task_worker(task);
}

static pp_future submit(double seconds)
{
    return pp_submit(server, sleep_seconds, &seconds, sizeof seconds);
}

static void running_tasks_are_told_with_their_place(void)
{
    pp_future f[64], queued[3];
    int n = pp_get_ncpus(server) < 64 ? pp_get_ncpus(server) : 64, taken[1024] = {0};
    double seconds = patience(1);
    for (int i = 0; i < n; i++) f[i] = submit(seconds);
    CHECK_INT(pp_wait_all(f, (size_t)n, 0.05), PP_TIMEOUT);
    for (int i = 0; i < 3; i++) queued[i] = submit(0);
    CHECK_INT(pp_wait_all(f, (size_t)n, seconds * 0.4), PP_TIMEOUT);
    for (int i = 0; i < n; i++) {
        pp_task_info info = {.size = sizeof info};
        CHECK_INT(pp_info(f[i], &info), PP_OK);
        CHECK_INT(info.state, PP_RUNNING);
        CHECK_INT(info.attempts, 1);
        CHECK_INT(info.finished, 0);
        CHECK(info.rank >= 0 && info.worker >= 0 && info.worker < pp_get_ncpus(server) && info.pid > 1);
        CHECK(info.submitted > 0 && info.started >= info.submitted - 0.001);
        CHECK(*info.host != '\0');
        if (info.worker >= 0 && info.worker < 1024) CHECK(!taken[info.worker]++);
    }
    for (int i = 0; i < 3; i++) {
        pp_task_info info = {.size = sizeof info};
        CHECK_INT(pp_info(queued[i], &info), PP_OK);
        CHECK_INT(info.state, PP_QUEUED);
        CHECK_INT(info.started, 0);
        CHECK_INT(info.attempts, 0);
        CHECK_INT(info.rank, -1);
        CHECK_INT(info.worker, -1);
    }
    for (int i = 0; i < n; i++) {
        pp_task_info info = {.size = sizeof info};
        int worker = -1;
        CHECK_INT(pp_wait(f[i]), PP_OK);
        CHECK_INT(pp_info(f[i], &info), PP_OK);
        CHECK_INT(pp_fetch(f[i], &worker, sizeof worker), PP_OK);
        CHECK_INT(info.worker, worker);
        CHECK(info.finished - info.started > seconds * 0.99);
    }
    CHECK_INT(pp_wait_all(queued, 3, -1), PP_OK);
    for (int i = 0; i < 3; i++) CHECK_INT(pp_release(queued[i]), PP_OK);
}

static pp_future given_up[2];

static void *wait_in_some_way(void *arg)
{
    size_t index = 9;
    int status;
    switch ((intptr_t)arg) {
    case 0: status = pp_wait(given_up[0]); break;
    case 1: status = pp_wait_all(given_up, 2, 10); break;
    case 2: status = pp_wait_any(given_up, 2, 10, &index); break;
    case 3: status = pp_wait_failed(given_up, 2, 10, &index); break;
    case 4: status = pp_result(given_up[0], NULL, NULL); break;
    default: status = pp_fetch(given_up[0], &index, sizeof(int));
    }
    /* Either is right; that the wait ends is what counts. */
    CHECK(status == PP_OK || status == PP_END || status == PP_ERR_HANDLE);
    return NULL;
}

static void giving_a_future_up_ends_the_waits_for_it(void)
{
    for (intptr_t way = 0; way < 6; way++) {
        pthread_t thread;
        double start = seconds_now();
        given_up[0] = submit(0.1);
        given_up[1] = submit(0.1);
        pthread_create(&thread, NULL, wait_in_some_way, (void *)way);
        pause_for(0.03);
        CHECK_INT(pp_release(given_up[0]), PP_OK);
        CHECK_INT(pp_release(given_up[1]), PP_OK);
        pthread_join(thread, NULL);
        CHECK(seconds_now() - start < patience(3));
    }
}

/* 4112 functions, each with its number. */
static void answer(pp_task *task, int number)
{
    *(int *)pp_task_result(task, sizeof(int)) = number;
}
#define HEX(X, p) X(p##0) X(p##1) X(p##2) X(p##3) X(p##4) X(p##5) X(p##6) X(p##7) X(p##8) X(p##9) X(p##a) X(p##b) X(p##c) X(p##d) X(p##e) X(p##f)
#define HEX2(X, p) HEX(X, p##0) HEX(X, p##1) HEX(X, p##2) HEX(X, p##3) HEX(X, p##4) HEX(X, p##5) HEX(X, p##6) HEX(X, p##7) HEX(X, p##8) HEX(X, p##9) HEX(X, p##a) HEX(X, p##b) HEX(X, p##c) HEX(X, p##d) HEX(X, p##e) HEX(X, p##f)
#define HEX3(X, p) HEX2(X, p##0) HEX2(X, p##1) HEX2(X, p##2) HEX2(X, p##3) HEX2(X, p##4) HEX2(X, p##5) HEX2(X, p##6) HEX2(X, p##7) HEX2(X, p##8) HEX2(X, p##9) HEX2(X, p##a) HEX2(X, p##b) HEX2(X, p##c) HEX2(X, p##d) HEX2(X, p##e) HEX2(X, p##f)
#define DEFINE(number)                                                                                         \
    static void function_##number(pp_task *task)                                                               \
    {                                                                                                          \
        answer(task, number);                                                                                  \
    }
#define NAME(number) function_##number,
HEX3(DEFINE, 0x) HEX(DEFINE, 0x100)
static const pp_function functions[] = {HEX3(NAME, 0x) HEX(NAME, 0x100)};

/* Runs last: the table stays full. */
static void functions_beyond_the_table_are_refused(void)
{
    enum { N = sizeof functions / sizeof functions[0] };
    static pp_future f[N];
    int refused = 0;
    for (int i = 0; i < N; i++) {
        f[i] = pp_submit(server, functions[i], NULL, 0);
        if (f[i].id) {
            CHECK_INT(refused, 0);
            continue;
        }
        refused++;
        CHECK_INT(pp_last_error_code(), PP_ERR_LIMIT);
        CHECK_TEXT(pp_last_error(), "4096");
    }
    CHECK(refused >= 16 && refused <= 20);
    for (int i = 0; i < N; i++) {
        int number = -1;
        if (!f[i].id) continue;
        CHECK_INT(pp_fetch(f[i], &number, sizeof number), PP_OK);
        CHECK_INT(number, i);
    }
    int worker = -1;
    CHECK_INT(pp_fetch(submit(0), &worker, sizeof worker), PP_OK); /* one that is known */
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(running_tasks_are_told_with_their_place),
        TEST(giving_a_future_up_ends_the_waits_for_it),
        TEST(functions_beyond_the_table_are_refused),
    };
    open_or_exit(&argc, &argv, NULL);
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
