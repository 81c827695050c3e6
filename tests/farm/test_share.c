/* Shared data: the same for every task on every rank, read-only, until it is unshared.
 * ranks: 2 4
 * nodes: 2/1 4/2 */
#define TEST_API_MAIN
#include "farm/test_api.h"

#include <pthread.h>
#include <signal.h>

#define MIB ((size_t)1 << 20)

/* A task is asked to look at shared data, and says what it saw. */
struct question {
    pp_shared shared;
    unsigned seed;
    int linger_ms; /* before it looks */
};

struct answer {
    int status, right, aligned, worker;
    size_t bytes;
};

static struct answer look(pp_shared shared, unsigned seed)
{
    struct answer a = {.status = PP_OK};
    const void *data = pp_shared_data(shared, &a.bytes);
    if (!data) {
        a.status = pp_last_error_code();
        return a;
    }
    a.right = has_pattern(data, a.bytes, seed);
    a.aligned = (uintptr_t)data % 64 == 0;
    return a;
}

static void asked(pp_task *task)
{
    const struct question *q = pp_task_args(task, NULL);
    if (q->linger_ms) pause_for(q->linger_ms / 1e3);
    struct answer a = look(q->shared, q->seed);
    a.worker = pp_task_worker(task);
    memcpy(pp_task_result(task, sizeof a), &a, sizeof a);
}

static pp_future ask(pp_shared shared, unsigned seed, int linger_ms)
{
    struct question q = {shared, seed, linger_ms};
    return pp_submit(server, asked, &q, sizeof q);
}

static void expect(pp_future f, size_t bytes)
{
    struct answer a;
    CHECK_INT(pp_fetch(f, &a, sizeof a), PP_OK);
    CHECK_INT(a.status, PP_OK);
    CHECK_INT(a.bytes, bytes);
    CHECK(a.right);
    CHECK(a.aligned);
}

static void expect_error(pp_future f, int status)
{
    struct answer a = {0};
    CHECK_INT(pp_fetch(f, &a, sizeof a), PP_OK);
    CHECK_INT(a.status, status);
    CHECK_INT(a.bytes, 0);
}

static pp_shared share(size_t bytes, unsigned seed)
{
    pp_shared shared = {0};
    void *data = malloc(bytes + 1);
    fill_pattern(data, bytes, seed);
    CHECK_INT(pp_share(server, data, bytes, &shared), PP_OK);
    memset(data, 0x5a, bytes); /* the copy has been made */
    free(data);
    CHECK(shared.id != 0);
    return shared;
}

/* Until every worker of the farm has looked. */
static void every_worker_sees(pp_shared shared, unsigned seed, size_t bytes)
{
    enum { ROUND = 32 };
    char seen[1024] = {0};
    int missing = pp_get_ncpus(server);
    double give_up = seconds_now() + patience(20);
    while (missing > 0 && seconds_now() < give_up) {
        pp_future f[ROUND];
        for (int i = 0; i < ROUND; i++) f[i] = ask(shared, seed, 2);
        for (int i = 0; i < ROUND; i++) {
            struct answer a = {0};
            CHECK_INT(pp_fetch(f[i], &a, sizeof a), PP_OK);
            CHECK_INT(a.status, PP_OK);
            CHECK_INT(a.bytes, bytes);
            CHECK(a.right && a.aligned);
            if (a.worker >= 0 && a.worker < 1024 && !seen[a.worker]) seen[a.worker] = 1, missing--;
        }
    }
    CHECK_INT(missing, 0);
}

static void every_worker_sees_what_was_shared(void)
{
    pp_shared shared = share(5 * MIB + 3, 1);
    every_worker_sees(shared, 1, 5 * MIB + 3);
    CHECK_INT(pp_unshare(server, shared), PP_OK);
}

static void any_size(void)
{
    static const size_t sizes[] = {0, 1, 23, 24, 25, 63, 64, 65, 4095, 4096, 4097, 65535, 65536, 65537, MIB, 3 * MIB + 1, 64 * MIB};
    enum { N = sizeof sizes / sizeof *sizes };
    pp_shared shared[N];
    pp_future f[N][4];
    for (unsigned i = 0; i < N; i++) {
        shared[i] = share(sizes[i], i);
        /* At once: where it has not arrived the tasks wait for it. */
        for (int k = 0; k < 4; k++) f[i][k] = ask(shared[i], i, 0);
    }
    for (unsigned i = 0; i < N; i++)
        for (int k = 0; k < 4; k++) expect(f[i][k], sizes[i]);
    for (unsigned i = 0; i < N; i++) CHECK_INT(pp_unshare(server, shared[i]), PP_OK);
}

static void die(pp_task *task)
{
    (void)task;
    raise(SIGKILL);
}

static void a_worker_that_is_replaced_sees_it(void)
{
    pp_shared shared = share(MIB, 7);
    int workers = pp_get_ncpus(server);
    for (int i = 0; i < 3 * workers; i++) {
        pp_future f = pp_submit(server, die, NULL, 0);
        CHECK_INT(pp_fetch(f, NULL, 0), PP_ERR_CRASHED);
        pp_release(f);
        expect(ask(shared, 7, 0), MIB);
    }
    every_worker_sees(shared, 7, MIB);
    CHECK_INT(pp_unshare(server, shared), PP_OK);
}

static void a_worker_that_is_started_later_sees_it(void)
{
    pp_shared shared = share(MIB, 8);
    int before = pp_get_ncpus(server);
    CHECK_INT(pp_set_ncpus(server, 4), PP_OK);
    expect(ask(shared, 8, 0), MIB);
    CHECK(pp_get_ncpus(server) >= before);
    pp_future f[64];
    for (int i = 0; i < 64; i++) f[i] = ask(shared, 8, 5);
    for (int i = 0; i < 64; i++) expect(f[i], MIB);
    CHECK_INT(pp_set_ncpus(server, PP_AUTODETECT), PP_OK);
    CHECK_INT(pp_unshare(server, shared), PP_OK);
}

static void tasks_before_the_unshare_have_it_and_tasks_behind_do_not(void)
{
    for (int round = 0; round < 5; round++) {
        pp_shared shared = share(200000, 3);
        pp_future before[40], behind[40];
        for (int i = 0; i < 40; i++) before[i] = ask(shared, 3, i % 8 == 0 ? 50 : 0);
        CHECK_INT(pp_unshare(server, shared), PP_OK);
        for (int i = 0; i < 40; i++) behind[i] = ask(shared, 3, 0);
        /* Memory that would be free too early would be used again. */
        pp_shared other[8];
        for (int i = 0; i < 8; i++) other[i] = share(200000, 90);
        for (int i = 0; i < 40; i++) expect(before[i], 200000);
        for (int i = 0; i < 40; i++) expect_error(behind[i], PP_ERR_HANDLE);
        for (int i = 0; i < 8; i++) expect(ask(other[i], 90, 0), 200000);
        for (int i = 0; i < 8; i++) CHECK_INT(pp_unshare(server, other[i]), PP_OK);
    }
}

/* Objects that wait for different tasks; cancelled, crashed and repeated ones count too. */
static void unshares_in_a_queue_of_tasks(void)
{
    enum { N = 60 };
    pp_shared shared[N];
    pp_future f[N], odd[N];
    for (unsigned i = 0; i < N; i++) {
        shared[i] = share(10000, i);
        f[i] = ask(shared[i], i, 3);
        odd[i] = i % 3 == 0 ? pp_submit(server, die, NULL, 0) : ask(shared[i], i, 3);
        CHECK_INT(pp_unshare(server, shared[i]), PP_OK);
        if (i % 3 == 1) pp_cancel(odd[i]);
        if (i % 7 == 0) expect_error(ask(shared[i], i, 0), PP_ERR_HANDLE);
    }
    for (unsigned i = 0; i < N; i++) expect(f[i], 10000);
    for (unsigned i = 0; i < N; i++) {
        pp_wait(odd[i]);
        pp_release(odd[i]);
        expect_error(ask(shared[i], i, 0), PP_ERR_HANDLE);
    }
}

static void unshared_twice_is_a_handle_error(void)
{
    pp_shared shared = share(100, 1), null = {0}, made_up = {shared.id + 1}, other = {0x123456789abcdefull};
    pp_future f = ask(shared, 1, 30);
    CHECK_INT(pp_unshare(server, shared), PP_OK);
    CHECK_ERROR(pp_unshare(server, shared), PP_ERR_HANDLE, "already");
    expect(f, 100);
    CHECK_ERROR(pp_unshare(server, shared), PP_ERR_HANDLE, "already");
    CHECK_ERROR(pp_unshare(server, null), PP_ERR_HANDLE, "null");
    CHECK_ERROR(pp_unshare(server, made_up), PP_ERR_HANDLE, "pp_unshare");
    CHECK_ERROR(pp_unshare(server, other), PP_ERR_HANDLE, "0x123456789abcdef");
}

static void garbage_is_a_handle_error(void)
{
    pp_shared live = share(100, 1);
    unsigned state = 12345;
    for (int i = 0; i < 200; i++) {
        uint64_t id = (uint64_t)random_number(&state) << 32 | random_number(&state);
        if (i < 64) id = (uint64_t)1 << i;
        if (i == 64) id = 0;
        if (i == 65) id = UINT64_MAX;
        if (i >= 66 && i < 98) id = live.id ^ (uint64_t)1 << (i - 66);
        if (id == live.id) continue;
        pp_shared garbage = {id};
        if (i % 4 == 0) expect_error(ask(garbage, 0, 0), PP_ERR_HANDLE);
        CHECK(pp_shared_data(garbage, NULL) == NULL);
        CHECK_INT(pp_last_error_code(), PP_ERR_HANDLE);
        CHECK_INT(pp_unshare(server, garbage), PP_ERR_HANDLE);
    }
    expect(ask(live, 1, 0), 100);
    CHECK_INT(pp_unshare(server, live), PP_OK);
}

/* The place of one that was unshared is used again; its old name is not good for the new one. */
static void a_stale_name_does_not_open_what_came_after(void)
{
    pp_shared old[50];
    for (int i = 0; i < 50; i++) {
        old[i] = share(5000, 1);
        CHECK_INT(pp_unshare(server, old[i]), PP_OK);
    }
    pp_shared live = share(5000, 2);
    for (int i = 0; i < 50; i++) expect_error(ask(old[i], 1, 0), PP_ERR_HANDLE);
    expect(ask(live, 2, 0), 5000);
    CHECK_INT(pp_unshare(server, live), PP_OK);
}

/* A name is eight bytes like others. */
static void in_any_place(pp_task *task)
{
    size_t bytes;
    const unsigned char *args = pp_task_args(task, &bytes);
    int right = 0;
    for (size_t at = 3; at + sizeof(pp_shared) <= bytes; at += 37) {
        pp_shared shared;
        memcpy(&shared, args + at, sizeof shared);
        struct answer a = look(shared, (unsigned)(at / 37));
        right += a.status == PP_OK && a.right && a.bytes == 1000 + at / 37;
    }
    memcpy(pp_task_result(task, sizeof right), &right, sizeof right);
}

static void many_names_in_any_place_of_the_arguments(void)
{
    static const int counts[] = {1, 10, 3000};
    for (int k = 0; k < 3; k++) {
        int n = counts[k], right;
        size_t bytes = 3 + 37 * (size_t)n;
        unsigned char *args = malloc(bytes);
        pp_shared *shared = malloc((size_t)n * sizeof *shared);
        memset(args, 0xee, bytes);
        for (int i = 0; i < n; i++) {
            shared[i] = share(1000 + (size_t)i, (unsigned)i);
            memcpy(args + 3 + 37 * i, &shared[i], sizeof *shared);
        }
        pp_future f[4];
        for (int i = 0; i < 4; i++) f[i] = pp_submit(server, in_any_place, args, bytes);
        for (int i = 0; i < 4; i++) {
            CHECK_INT(pp_fetch(f[i], &right, sizeof right), PP_OK);
            CHECK_INT(right, n);
        }
        for (int i = 0; i < n; i++) CHECK_INT(pp_unshare(server, shared[i]), PP_OK);
        free(shared);
        free(args);
    }
}

static void ten_thousand(void)
{
    enum { N = 10000 };
    pp_shared *shared = malloc(N * sizeof *shared);
    pp_future *f = malloc(N * sizeof *f);
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < N; i++) {
            shared[i] = share(i % 300, i);
            f[i] = ask(shared[i], i, 0);
        }
        for (unsigned i = 0; i < N; i++) expect(f[i], i % 300);
        for (unsigned i = 0; i < N; i++) CHECK_INT(pp_unshare(server, shared[i]), PP_OK);
    }
    free(f);
    free(shared);
}

static void write_to(pp_task *task)
{
    pp_shared shared;
    memcpy(&shared, pp_task_args(task, NULL), sizeof shared);
    char *data = (char *)pp_shared_data(shared, NULL);
    if (data) data[100] = 1;
}

static void a_task_that_writes_to_it_crashes(void)
{
    pp_shared shared = share(MIB, 4);
    pp_future f = pp_submit(server, write_to, &shared, sizeof shared);
    pp_task_info info = {.size = sizeof info};
    CHECK_INT(pp_fetch(f, NULL, 0), PP_ERR_CRASHED);
    CHECK_INT(pp_info(f, &info), PP_OK);
    CHECK_INT(info.signal, SIGSEGV);
    pp_release(f);
    every_worker_sees(shared, 4, MIB);
    CHECK_INT(pp_unshare(server, shared), PP_OK);
}

struct thread_look {
    struct question q;
    struct answer a;
};

static void *look_in_thread(void *arg)
{
    struct thread_look *t = arg;
    t->a = look(t->q.shared, t->q.seed);
    return NULL;
}

static void asked_by_a_thread(pp_task *task)
{
    struct thread_look t = {.q = *(const struct question *)pp_task_args(task, NULL)};
    pthread_t thread;
    pthread_create(&thread, NULL, look_in_thread, &t);
    pthread_join(thread, NULL);
    memcpy(pp_task_result(task, sizeof t.a), &t.a, sizeof t.a);
}

static void threads_of_a_task_see_it(void)
{
    struct question q = {share(MIB, 5), 5, 0};
    expect(pp_submit(server, asked_by_a_thread, &q, sizeof q), MIB);
    CHECK_INT(pp_unshare(server, q.shared), PP_OK);
    expect_error(pp_submit(server, asked_by_a_thread, &q, sizeof q), PP_ERR_HANDLE);
}

static void the_program_sees_it(void)
{
    pp_shared shared = share(MIB, 6), empty = share(0, 0);
    size_t bytes = 1;
    CHECK(look(shared, 6).right);
    CHECK(pp_shared_data(empty, &bytes) != NULL);
    CHECK_INT(bytes, 0);
    CHECK_INT(pp_unshare(server, shared), PP_OK);
    bytes = 77;
    CHECK(pp_shared_data(shared, &bytes) == NULL);
    CHECK_INT(pp_last_error_code(), PP_ERR_HANDLE);
    CHECK_INT(bytes, 77);
    CHECK_INT(pp_unshare(server, empty), PP_OK);
}

static void *share_and_ask(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;
    for (unsigned i = 0; i < 60; i++) {
        size_t bytes = i % 10 == 0 ? MIB : 100 * i;
        pp_shared shared = share(bytes, seed + i);
        pp_future f = ask(shared, seed + i, 0), g = ask(shared, seed + i, 1);
        if (i % 2) CHECK_INT(pp_unshare(server, shared), PP_OK);
        expect(f, bytes);
        expect(g, bytes);
        if (i % 2 == 0) CHECK_INT(pp_unshare(server, shared), PP_OK);
        CHECK_INT(pp_unshare(server, shared), PP_ERR_HANDLE);
    }
    return NULL;
}

static void threads_share_at_once(void)
{
    enum { N = 6 };
    pthread_t threads[N];
    for (uintptr_t i = 0; i < N; i++) pthread_create(&threads[i], NULL, share_and_ask, (void *)(1000 * i));
    for (int i = 0; i < N; i++) pthread_join(threads[i], NULL);
}

static void share_inside(pp_task *task)
{
    int *r = pp_task_result(task, 3 * sizeof *r);
    pp_shared out = {99};
    r[0] = pp_share(NULL, "x", 1, &out);
    r[1] = pp_unshare(NULL, out);
    r[2] = (int)out.id;
}

static void wrong_arguments(void)
{
    pp_shared out = {99};
    CHECK_ERROR(pp_share(NULL, "x", 1, &out), PP_ERR_ARG, "server is NULL");
    CHECK_ERROR(pp_share((pp_server *)&out, "x", 1, &out), PP_ERR_ARG, "not open");
    CHECK_ERROR(pp_share(server, NULL, 17, &out), PP_ERR_ARG, "17");
    CHECK_ERROR(pp_share(server, "x", 1, NULL), PP_ERR_ARG, "NULL");
    CHECK_ERROR(pp_share(server, "x", SIZE_MAX, &out), PP_ERR_NOMEM, "18446744073709551615");
    CHECK_ERROR(pp_share(server, "x", (size_t)1 << 50, &out), PP_ERR_NOMEM, "1125899906842624");
    CHECK_ERROR(pp_share(server, (void *)8, 100000, &out), PP_ERR_ARG, "100000");
    CHECK_INT(out.id, 99);
    CHECK_ERROR(pp_unshare(NULL, out), PP_ERR_ARG, "server is NULL");
    int r[3];
    pp_future f = pp_submit(server, share_inside, NULL, 0);
    CHECK_INT(pp_fetch(f, r, sizeof r), PP_OK);
    CHECK_INT(r[0], PP_ERR_STATE);
    CHECK_INT(r[1], PP_ERR_STATE);
    CHECK_INT(r[2], 99);
    CHECK_INT(pp_share(server, NULL, 0, &out), PP_OK);
    CHECK_INT(pp_unshare(server, out), PP_OK);
}

static void what_is_left_goes_with_the_server(void)
{
    /* On its way, waited for, and waiting to go. */
    share(30 * MIB, 1);
    pp_shared shared = share(30 * MIB, 2);
    for (int i = 0; i < 10; i++) pp_release(ask(shared, 2, 5));
    CHECK_INT(pp_unshare(server, shared), PP_OK);
    CHECK_INT(pp_server_close(server), PP_OK);
    server = NULL;
    CHECK(pp_shared_data(shared, NULL) == NULL);
    CHECK_INT(pp_last_error_code(), PP_ERR_HANDLE);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(every_worker_sees_what_was_shared),
        TEST(any_size),
        TEST(a_worker_that_is_replaced_sees_it),
        TEST(a_worker_that_is_started_later_sees_it),
        TEST(tasks_before_the_unshare_have_it_and_tasks_behind_do_not),
        TEST(unshares_in_a_queue_of_tasks),
        TEST(unshared_twice_is_a_handle_error),
        TEST(garbage_is_a_handle_error),
        TEST(a_stale_name_does_not_open_what_came_after),
        TEST(many_names_in_any_place_of_the_arguments),
        TEST(ten_thousand),
        TEST(a_task_that_writes_to_it_crashes),
        TEST(threads_of_a_task_see_it),
        TEST(the_program_sees_it),
        TEST(threads_share_at_once),
        TEST(wrong_arguments),
        TEST(what_is_left_goes_with_the_server),
    };
    open_or_exit(&argc, &argv, NULL);
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
