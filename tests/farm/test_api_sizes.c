/* Arguments and results of every size, there and back. ranks: 1 2 4 */
#define TEST_API_MAIN
#include "farm/test_api.h"

#define MIB ((size_t)1 << 20)

/* The result is the arguments, after the arguments were found to be what the first byte's seed makes of them. */
static void echo(pp_task *task)
{
    size_t bytes;
    const unsigned char *args = pp_task_args(task, &bytes);
    if ((uintptr_t)args % 64 != 0) pp_task_fail(task, 1, "arguments at %p", (const void *)args);
    unsigned char *result = pp_task_result(task, bytes);
    if (!result) return;
    if ((uintptr_t)result % 64 != 0) pp_task_fail(task, 2, "result at %p", (void *)result);
    memcpy(result, args, bytes);
}

/* Arguments: how many bytes of result. */
static void produce(pp_task *task)
{
    size_t bytes = *(const size_t *)pp_task_args(task, NULL);
    unsigned char *result = pp_task_result(task, bytes);
    if (result) fill_pattern(result, bytes, (unsigned)bytes);
}

static void consume(pp_task *task)
{
    size_t bytes;
    const void *args = pp_task_args(task, &bytes);
    *(int *)pp_task_result(task, sizeof(int)) = has_pattern(args, bytes, (unsigned)bytes);
}

static size_t machine_bytes(void)
{
    return (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
}

static void check_echo(pp_future f, unsigned char *back, size_t bytes, unsigned seed)
{
    CHECK_INT(pp_fetch(f, back, bytes), PP_OK);
    CHECK(has_pattern(back, bytes, seed));
    if (failures) fprintf(stderr, "%zu bytes\n", bytes);
}

static void every_size_around_every_boundary(void)
{
    static const size_t around[] = {0, 8, 16, 24, 32, 64, 128, 1000, 4096, 32768, 65536, 262144, MIB};
    enum { MOST = 6 };
    unsigned char *data = malloc(2 * MIB), *back = malloc(2 * MIB);
    for (size_t i = 0; i < sizeof around / sizeof around[0]; i++)
        for (long delta = -2; delta <= 2; delta++) {
            if ((long)around[i] + delta < 0) continue;
            size_t bytes = (size_t)((long)around[i] + delta);
            pp_future f[MOST];
            for (unsigned k = 0; k < MOST; k++) {
                fill_pattern(data, bytes, k);
                f[k] = pp_submit(server, echo, data, bytes);
                CHECK(f[k].id != 0);
            }
            for (unsigned k = 0; k < MOST; k++) check_echo(f[k], back, bytes, k);
            if (failures) return;
        }
    free(data);
    free(back);
}

static void all_small_sizes_at_once(void)
{
    enum { N = 3000 };
    static pp_future f[N];
    static unsigned char data[N], back[N];
    for (size_t i = 0; i < N; i++) {
        fill_pattern(data, i, (unsigned)i);
        f[i] = pp_submit(server, echo, data, i);
    }
    for (size_t i = N; i-- > 0;) check_echo(f[i], back, i, (unsigned)i);
}

static void large_ones_of_several_sizes_under_way_together(void)
{
    static const size_t sizes[] = {3 * MIB + 1, 10, 16 * MIB, 70000, 5 * MIB, 0, 1 * MIB, 65537, 24, 8 * MIB - 1};
    enum { SIZES = sizeof sizes / sizeof sizes[0], N = 3 * SIZES };
    unsigned char *data = malloc(16 * MIB), *back = malloc(16 * MIB);
    pp_future f[N];
    for (unsigned i = 0; i < N; i++) {
        fill_pattern(data, sizes[i % SIZES], i);
        f[i] = pp_submit(server, echo, data, sizes[i % SIZES]);
        CHECK(f[i].id != 0);
    }
    for (unsigned i = 0; i < N; i++) {
        unsigned k = (i * 7) % N;
        check_echo(f[k], back, sizes[k % SIZES], k);
    }
    free(data);
    free(back);
}

static void sixty_four_mebibytes_each_way(void)
{
    size_t bytes = 64 * MIB;
    unsigned char *data = malloc(bytes), *back = malloc(bytes);
    pp_future f[3];
    fill_pattern(data, bytes, (unsigned)bytes);
    for (unsigned i = 0; i < 3; i++) f[i] = pp_submit(server, echo, data, bytes);
    for (unsigned i = 0; i < 3; i++) {
        const void *lent;
        size_t n;
        int status = pp_result(f[i], &lent, &n);
        CHECK_INT(status, PP_OK);
        if (status != PP_OK) continue;
        CHECK_INT(n, bytes);
        if (n == bytes) CHECK(memcmp(lent, data, bytes) == 0);
        CHECK_INT(pp_fetch(f[i], back, bytes), PP_OK);
        CHECK(memcmp(back, data, bytes) == 0);
    }
    int good = 0;
    pp_future one_way = pp_submit(server, consume, data, bytes);
    CHECK_INT(pp_fetch(one_way, &good, sizeof good), PP_OK);
    CHECK_INT(good, 1);
    one_way = pp_submit(server, produce, &bytes, sizeof bytes);
    CHECK_INT(pp_fetch(one_way, back, bytes), PP_OK);
    CHECK(memcmp(back, data, bytes) == 0);
    free(data);
    free(back);
}

/* What was used is used again: this takes far more memory than there is if it is not. */
static void memory_is_given_back(void)
{
    size_t bytes = 8 * MIB;
    unsigned char *data = malloc(bytes);
    fill_pattern(data, bytes, (unsigned)bytes);
    for (int i = 0; i < 200; i++) {
        pp_future f = pp_submit(server, i % 2 ? echo : consume, data, bytes);
        CHECK(f.id != 0);
        CHECK_INT(pp_wait(f), PP_OK);
        CHECK_INT(pp_release(f), PP_OK);
    }
    FILE *file = fopen("/proc/self/statm", "r");
    long pages[3] = {0};
    CHECK(file && fscanf(file, "%ld %ld %ld", &pages[0], &pages[1], &pages[2]) == 3);
    if (file) fclose(file);
    if (patience(1) == 1) CHECK(pages[2] * 4096.0 < 1.2e9); /* shared, touched by this process */
    free(data);
}

static void a_task_may_ask_for_more_than_there_is(void)
{
    size_t sizes[] = {(size_t)1 << 46, SIZE_MAX, SIZE_MAX - 100, machine_bytes() + machine_bytes() / 2};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char text[32];
        snprintf(text, sizeof text, "%zu", sizes[i]);
        pp_future f = pp_submit(server, produce, &sizes[i], sizeof sizes[i]);
        CHECK_ERROR(pp_fetch(f, NULL, 0), PP_ERR_NOMEM, text);
        pp_task_info info = {.size = sizeof info};
        CHECK_INT(pp_info(f, &info), PP_OK);
        CHECK_TEXT(info.message, text);
        CHECK_INT(pp_release(f), PP_OK);
    }
}

static void arguments_larger_than_memory_are_refused(void)
{
    const size_t sizes[] = {(size_t)1 << 46, SIZE_MAX,         SIZE_MAX - 1,       SIZE_MAX / 2 + 1,
                            SIZE_MAX - 4095, (size_t)1 << 62, 2 * machine_bytes()};
    pp_stats before = {.size = sizeof before}, after = {.size = sizeof after};
    pp_get_stats(server, &before);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char text[32];
        pp_future f = pp_submit(server, echo, text, sizes[i]);
        CHECK_INT(f.id, 0);
        CHECK_INT(pp_last_error_code(), PP_ERR_NOMEM);
        snprintf(text, sizeof text, "%zu bytes", sizes[i]);
        CHECK_TEXT(pp_last_error(), text);
    }
    pp_get_stats(server, &after);
    CHECK_INT(after.submitted, before.submitted);
    CHECK_INT(after.bytes_in, before.bytes_in);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(every_size_around_every_boundary),
        TEST(all_small_sizes_at_once),
        TEST(large_ones_of_several_sizes_under_way_together),
        TEST(sixty_four_mebibytes_each_way),
        TEST(memory_is_given_back),
        TEST(a_task_may_ask_for_more_than_there_is),
        TEST(arguments_larger_than_memory_are_refused),
    };
    open_or_exit(&argc, &argv, NULL);
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
