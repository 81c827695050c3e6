/* What a task sees and can do: the pp_task_ functions. ranks: 1 2 4 */
#define TEST_API_MAIN
#include "farm/test_api.h"

#include <sys/wait.h>

#define MIB ((size_t)1 << 20)

/* In a task: fails it with the place and the condition. */
#define TASK_CHECK(condition)                                                                                  \
    do {                                                                                                       \
        if (!(condition)) {                                                                                    \
            pp_task_fail(task, __LINE__, "line %d: not so: %s", __LINE__, #condition);                         \
            return;                                                                                            \
        }                                                                                                      \
    } while (0)

static void run_all(pp_function fn, const void *args, size_t bytes, int count)
{
    pp_future *f = calloc((size_t)count, sizeof *f);
    for (int i = 0; i < count; i++) f[i] = pp_submit(server, fn, args, bytes);
    for (int i = 0; i < count; i++) {
        int status = pp_wait(f[i]) == PP_OK ? pp_result(f[i], NULL, NULL) : -1000;
        CHECK_INT(status, PP_OK);
        CHECK_INT(pp_release(f[i]), PP_OK);
    }
    free(f);
}

static void result_grows_and_shrinks(pp_task *task)
{
    static const size_t sizes[] = {1, 10, 3, 64, 65, 100, 4096, 5000, 4000, 65536, 65537, 65535, 200000, 100, 300000,
                                   3 * MIB, 5, 0, 17, 20 * MIB, 1000, 20 * MIB, 7};
    size_t before = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *result = pp_task_result(task, sizes[i]);
        size_t kept = before < sizes[i] ? before : sizes[i];
        TASK_CHECK(result != NULL);
        TASK_CHECK((uintptr_t)result % 64 == 0);
        TASK_CHECK(has_pattern(result, kept, 5));
        fill_pattern(result, sizes[i], 5);
        TASK_CHECK(has_pattern(result, sizes[i], 5));
        before = sizes[i];
    }
}

static void a_result_can_be_resized_and_keeps_its_contents(void)
{
    for (int i = 0; i < 4; i++) {
        unsigned char back[7];
        pp_future f = pp_submit(server, result_grows_and_shrinks, NULL, 0);
        CHECK_INT(pp_fetch(f, back, sizeof back), PP_OK);
        CHECK(has_pattern(back, sizeof back, 5));
    }
}

/* A sequence of sizes from a random number generator: what was written stays, whatever the way. */
static void random_resizes(pp_task *task)
{
    unsigned random = *(const unsigned *)pp_task_args(task, NULL);
    size_t before = 0;
    for (int i = 0; i < 40; i++) {
        unsigned r = random_number(&random);
        size_t bytes = r % 5 == 0 ? r / 8 % (2 * MIB) : r % 5 < 3 ? r / 8 % 200 : r / 8 % 70000;
        unsigned char *result = pp_task_result(task, bytes);
        size_t kept = before < bytes ? before : bytes;
        TASK_CHECK(result && (uintptr_t)result % 64 == 0 && has_pattern(result, kept, 9));
        fill_pattern(result, bytes, 9);
        before = bytes;
    }
}

static void random_resizes_keep_the_contents(void)
{
    unsigned seed = (unsigned)time(NULL) | 1;
    for (unsigned i = 0; i < 100; i++) {
        unsigned start = seed + 2 * i;
        const void *data;
        size_t bytes;
        pp_future f = pp_submit(server, random_resizes, &start, sizeof start);
        CHECK_INT(pp_result(f, &data, &bytes), PP_OK);
        CHECK(has_pattern(data, bytes, 9));
        if (failures) fprintf(stderr, "seed %u\n", start);
        if (failures) return;
        CHECK_INT(pp_release(f), PP_OK);
    }
}

static void look_at_arguments(pp_task *task)
{
    size_t bytes = 99999;
    const unsigned char *args = pp_task_args(task, &bytes);
    TASK_CHECK(args != NULL);
    TASK_CHECK((uintptr_t)args % 64 == 0);
    TASK_CHECK(args == pp_task_args(task, NULL));
    TASK_CHECK(has_pattern(args, bytes, (unsigned)bytes));
    *(size_t *)pp_task_result(task, sizeof bytes) = bytes;
    TASK_CHECK(has_pattern(args, bytes, (unsigned)bytes)); /* apart from the result */
}

static void arguments_are_aligned_whatever_their_size(void)
{
    unsigned char *data = malloc(MIB);
    for (size_t bytes = 0; bytes < MIB; bytes += 1 + bytes / 3) {
        size_t seen = 1;
        fill_pattern(data, bytes, (unsigned)bytes);
        pp_future f = pp_submit(server, look_at_arguments, data, bytes);
        CHECK_INT(pp_fetch(f, &seen, sizeof seen), PP_OK);
        CHECK_INT(seen, bytes);
    }
    free(data);
}

static void write_to_large_arguments(pp_task *task)
{
    *(volatile char *)(uintptr_t)pp_task_args(task, NULL) = 1;
}

static void arguments_are_read_only(void)
{
    static char data[100000];
    pp_future f = pp_submit(server, write_to_large_arguments, data, sizeof data), g = pp_submit(server, write_to_large_arguments, data, 4);
    CHECK_INT(pp_fetch(f, NULL, 0), PP_ERR_CRASHED);
    CHECK_INT(pp_fetch(g, NULL, 0), PP_ERR_CRASHED);
    CHECK_INT(pp_release(f), PP_OK);
    CHECK_INT(pp_release(g), PP_OK);
}

struct identity {
    uint64_t id;
    int attempt, worker;
    long pid;
};

static void tell_identity(pp_task *task)
{
    struct identity *who = pp_task_result(task, sizeof *who);
    TASK_CHECK(pp_task_current() == task);
    *who = (struct identity){pp_task_id(task), pp_task_attempt(task), pp_task_worker(task), (long)getpid()};
}

/* Runs first: the very first task has number 1. */
static void tasks_are_numbered_from_one_in_order(void)
{
    enum { N = 500 };
    pp_future f[N];
    int ncpus = pp_get_ncpus(server), used[1024] = {0};
    long pid_of[1024] = {0};
    CHECK(ncpus >= 1 && ncpus <= 1024);
    for (int i = 0; i < N; i++) f[i] = pp_submit(server, tell_identity, NULL, 0);
    for (int i = 0; i < N; i++) {
        struct identity who = {0, 0, -1, 0};
        pp_task_info info = {.size = sizeof info};
        CHECK_INT(pp_wait(f[i]), PP_OK);
        CHECK_INT(pp_info(f[i], &info), PP_OK);
        CHECK_INT(pp_fetch(f[i], &who, sizeof who), PP_OK);
        CHECK_INT(who.id, i + 1);
        CHECK_INT(who.attempt, 1);
        CHECK(who.worker >= 0 && who.worker < ncpus);
        if (failures) return;
        used[who.worker]++;
        CHECK(pid_of[who.worker] == 0 || pid_of[who.worker] == who.pid);
        pid_of[who.worker] = who.pid;
        CHECK_INT(info.task, who.id);
        CHECK_INT(info.worker, who.worker);
        CHECK_INT(info.pid, who.pid);
        CHECK_INT(info.result_bytes, sizeof who);
    }
    for (int i = 0; i < ncpus; i++)
        for (int k = 0; k < i; k++) CHECK(!pid_of[i] || pid_of[i] != pid_of[k]);
}

static void sleep_a_while(pp_task *task)
{
    tell_identity(task);
    pause_for(patience(0.3));
}

static void every_worker_works(void)
{
    int ncpus = pp_get_ncpus(server), used[1024] = {0};
    pp_future f[1024];
    for (int i = 0; i < ncpus; i++) f[i] = pp_submit(server, sleep_a_while, NULL, 0);
    for (int i = 0; i < ncpus; i++) {
        struct identity who = {0, 0, -1, 0};
        CHECK_INT(pp_fetch(f[i], &who, sizeof who), PP_OK);
        CHECK(who.worker >= 0 && who.worker < ncpus);
        if (who.worker >= 0 && who.worker < 1024) used[who.worker]++;
    }
    for (int i = 0; i < ncpus; i++) CHECK_INT(used[i], 1);
}

static void crash_until(pp_task *task)
{
    int good = *(const int *)pp_task_args(task, NULL);
    if (pp_task_attempt(task) < good) abort();
    *(int *)pp_task_result(task, sizeof(int)) = pp_task_attempt(task);
}

static void attempts_count_from_one(void)
{
    pp_submit_options options = PP_SUBMIT_OPTIONS_INIT;
    options.retries = 5;
    for (int good = 1; good <= 6; good++) {
        int attempt = 0;
        pp_future f = pp_submit_with(server, crash_until, &good, sizeof good, &options);
        CHECK_INT(pp_fetch(f, &attempt, sizeof attempt), PP_OK);
        CHECK_INT(attempt, good);
    }
    int too_late = 7;
    pp_future f = pp_submit_with(server, crash_until, &too_late, sizeof too_late, &options);
    pp_task_info info = {.size = sizeof info};
    CHECK_INT(pp_fetch(f, NULL, 0), PP_ERR_CRASHED);
    CHECK_INT(pp_info(f, &info), PP_OK);
    CHECK_INT(info.attempts, 6);
    CHECK_INT(pp_release(f), PP_OK);
}

static void fail_and_go_on(pp_task *task)
{
    pp_task_fail(task, 1, "first %s", "reason");
    pp_task_fail(task, 2, "second reason of %d", 2);
    memset(pp_task_result(task, 1000), 1, 1000);
}

static void fail_without_text(pp_task *task)
{
    pp_task_fail(task, 3, NULL);
}

static void fail_goes_on_and_the_last_word_counts(void)
{
    pp_task_info info = {.size = sizeof info};
    pp_future f = pp_submit(server, fail_and_go_on, NULL, 0);
    CHECK_ERROR(pp_fetch(f, NULL, 0), PP_ERR_TASK, "second reason of 2");
    CHECK_INT(pp_info(f, &info), PP_OK);
    CHECK_INT(info.code, 2);
    CHECK_INT(pp_release(f), PP_OK);
    f = pp_submit(server, fail_without_text, NULL, 0);
    CHECK_INT(pp_fetch(f, NULL, 0), PP_ERR_TASK);
    CHECK_INT(pp_info(f, &info), PP_OK);
    CHECK_INT(info.code, 3);
    CHECK(*info.message != '\0');
    CHECK_INT(pp_release(f), PP_OK);
}

static void allocate(pp_task *task)
{
    unsigned char *blocks[100];
    for (size_t i = 0; i < 100; i++) {
        size_t bytes = i * i * 10;
        blocks[i] = pp_task_alloc(bytes);
        TASK_CHECK(blocks[i] != NULL);
        TASK_CHECK((uintptr_t)blocks[i] % 64 == 0);
        fill_pattern(blocks[i], bytes, (unsigned)i);
    }
    for (size_t i = 0; i < 100; i++) TASK_CHECK(has_pattern(blocks[i], i * i * 10, (unsigned)i));
    TASK_CHECK(pp_task_alloc(SIZE_MAX) == NULL);
    TASK_CHECK(pp_task_alloc(SIZE_MAX - 70) == NULL);
    if (patience(1) == 1) TASK_CHECK(pp_task_alloc((size_t)1 << 60) == NULL); /* a sanitizer ends the process */
}

/* Result: bytes of memory that this worker has. */
static void allocate_much(pp_task *task)
{
    void *p = pp_task_alloc(8 * MIB);
    TASK_CHECK(p != NULL);
    memset(p, 1, 8 * MIB);
    size_t pages[2] = {0};
    FILE *file = fopen("/proc/self/statm", "r");
    TASK_CHECK(file && fscanf(file, "%zu %zu", &pages[0], &pages[1]) == 2);
    fclose(file);
    *(size_t *)pp_task_result(task, sizeof(size_t)) = pages[1] * (size_t)sysconf(_SC_PAGESIZE);
}

static void task_memory_is_freed_at_its_end(void)
{
    run_all(allocate, NULL, 0, 50);
    for (int i = 0; i < 40 * pp_get_ncpus(server); i++) {
        size_t resident = 0;
        pp_future f = pp_submit(server, allocate_much, NULL, 0);
        CHECK_INT(pp_fetch(f, &resident, sizeof resident), PP_OK);
        if (patience(1) == 1) CHECK(resident > 8 * MIB && resident < 100 * MIB);
        if (failures) return;
    }
}

static void outside_of_a_task_there_is_none(void)
{
    CHECK(pp_task_current() == NULL);
    CHECK(pp_task_alloc(10) == NULL);
    size_t bytes = 4;
    CHECK(pp_task_args(NULL, &bytes) == NULL);
    CHECK_INT(bytes, 4);
    CHECK(pp_task_result(NULL, 10) == NULL);
    pp_task_fail(NULL, 1, "nobody");
    CHECK_INT(pp_task_id(NULL), 0);
    CHECK(pp_task_attempt(NULL) < 0);
    CHECK(pp_task_worker(NULL) < 0);
}

static void read_stdin(pp_task *task)
{
    char c;
    TASK_CHECK(read(0, &c, 1) == 0);
    TASK_CHECK(getchar() == EOF);
}

static void a_task_s_stdin_is_empty(void)
{
    run_all(read_stdin, NULL, 0, 8);
}

/* The child returns from the task's function and must end there: the result is the parent's. */
static void fork_and_return(pp_task *task)
{
    pid_t child = fork();
    TASK_CHECK(child >= 0);
    int *result = pp_task_result(task, sizeof *result);
    if (child == 0) {
        *result = -1;
        return;
    }
    int status = -1;
    TASK_CHECK(waitpid(child, &status, 0) == child);
    TASK_CHECK(WIFEXITED(status));
    *result = 7;
}

static void a_forked_child_ends_with_the_task_s_function(void)
{
    for (int i = 0; i < 20; i++) {
        int r = 0;
        pp_future f = pp_submit(server, fork_and_return, NULL, 0);
        CHECK_INT(pp_fetch(f, &r, sizeof r), PP_OK);
        CHECK_INT(r, 7);
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(tasks_are_numbered_from_one_in_order),
        TEST(every_worker_works),
        TEST(a_result_can_be_resized_and_keeps_its_contents),
        TEST(random_resizes_keep_the_contents),
        TEST(arguments_are_aligned_whatever_their_size),
        TEST(arguments_are_read_only),
        TEST(attempts_count_from_one),
        TEST(fail_goes_on_and_the_last_word_counts),
        TEST(task_memory_is_freed_at_its_end),
        TEST(outside_of_a_task_there_is_none),
        TEST(a_task_s_stdin_is_empty),
        TEST(a_forked_child_ends_with_the_task_s_function),
    };
    open_or_exit(&argc, &argv, NULL);
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
