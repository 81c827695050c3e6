/* Arguments and results up to and beyond 4 GiB, to a local worker and to another rank: what arrives is what was sent, and
 * no side ever holds more than two copies. A side is a rank with its workers. Sizes for which there is not the memory
 * are left out, and that is said. TEST_LARGE=all in the environment takes every size in every way (10 minutes); without it the
 * test takes one. ranks: 2; timeout: 300 */
#define TEST_API_MAIN
#include "farm/test_api.h"
#include "farm/test_sides.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)
#define MULTIPLIER 0x9E3779B97F4A7C15u
#define SLACK (192 * MIB) /* programs, libraries */

enum way { ARGUMENT = 1, RESULT = 2, ECHO = 4, ALL = 7 };

static int skipped, every_way; /* every_way: ALL or 0 */

/* ---- data that depends on its place, at the speed of memory */

static void fill(void *data, size_t bytes, uint64_t seed)
{
    uint64_t *word = data, last;
    for (size_t i = 0; i < bytes / 8; i++) word[i] = (i + seed) * MULTIPLIER;
    last = (bytes / 8 + seed) * MULTIPLIER;
    if (bytes % 8) memcpy(word + bytes / 8, &last, bytes % 8);
}

static int is_filled(const void *data, size_t bytes, uint64_t seed)
{
    const uint64_t *word = data;
    uint64_t wrong = 0, last = (bytes / 8 + seed) * MULTIPLIER;
    for (size_t i = 0; i < bytes / 8; i++) wrong |= word[i] ^ (i + seed) * MULTIPLIER;
    return wrong == 0 && (bytes % 8 == 0 || memcmp(word + bytes / 8, &last, bytes % 8) == 0);
}

static void consume(pp_task *task)
{
    size_t bytes;
    const void *args = pp_task_args(task, &bytes);
    int *good = pp_task_result(task, sizeof *good);
    *good = is_filled(args, bytes, bytes);
}

static void produce(pp_task *task)
{
    size_t bytes = *(const size_t *)pp_task_args(task, NULL);
    void *result = pp_task_result(task, bytes);
    if (result) fill(result, bytes, bytes);
}

static void echo(pp_task *task)
{
    size_t bytes;
    const void *args = pp_task_args(task, &bytes);
    void *result = pp_task_result(task, bytes);
    if (result) memcpy(result, args, bytes);
}

/* Asks for more and more, keeps what there is, and prints. */
static void grow(pp_task *task)
{
    size_t most = *(const size_t *)pp_task_args(task, NULL);
    for (size_t had = 0, bytes = 10; had < most; bytes *= 3) {
        if (bytes > most) bytes = most;
        unsigned char *result = pp_task_result(task, bytes);
        if (!result) return;
        if (bytes == most) {
            printf("%zu bytes\n", bytes);
            for (size_t i = 0; i < had; i += 4093)
                if (result[i] != (unsigned char)i) pp_task_fail(task, 1, "byte %zu is %u", i, result[i]);
            fill(result, bytes, bytes);
        } else {
            for (size_t i = had; i < bytes; i++) result[i] = (unsigned char)i;
        }
        had = bytes;
    }
}

/* ---- one size */

static void *filled(size_t bytes)
{
    void *data = malloc(bytes ? bytes : 1);
    if (data) fill(data, bytes, bytes);
    return data;
}

/* A task whose argument the program gives up at once. */
static pp_future submit_filled(pp_function fn, size_t bytes)
{
    pp_future f = {0};
    void *data = filled(bytes);
    CHECK(data != NULL);
    if (!data) return f;
    f = pp_submit(server, fn, data, bytes);
    if (f.id == 0) complain(__FILE__, __LINE__, "pp_submit");
    free(data);
    return f;
}

static void check_lent(pp_future f, size_t bytes)
{
    const void *data = NULL;
    size_t got = 0;
    CHECK_INT(pp_result(f, &data, &got), PP_OK);
    CHECK_INT(got, bytes);
    if (got == bytes) CHECK(is_filled(data, bytes, bytes));
    CHECK_INT(info_of(f).rank, sides_count() - 1);
    CHECK_INT(pp_release(f), PP_OK);
}

static void one_way(enum way way, size_t bytes)
{
    int good = 0, before = failures;
    double began = seconds_now();
    if (bytes >= 256 * MIB) sides_watch();
    if (way == ARGUMENT) {
        pp_future f = submit_filled(consume, bytes);
        CHECK_INT(pp_fetch(f, &good, sizeof good), PP_OK);
        CHECK_INT(good, 1);
    } else if (way == RESULT) {
        check_lent(pp_submit(server, produce, &bytes, sizeof bytes), bytes);
    } else {
        check_lent(submit_filled(echo, bytes), bytes);
    }
    const char *name = way == ARGUMENT ? "argument" : way == RESULT ? "result" : "echo";
    for (int i = 0; bytes >= 256 * MIB && i < sides_count(); i++) {
        size_t peak = sides_peak(i);
        if (getenv("TEST_VERBOSE"))
            fprintf(stderr, "%s of %zu bytes: side %d held %.2f times that\n", name, bytes, i, (double)peak / (double)bytes);
        CHECK(peak <= 2 * bytes + SLACK);
    }
    if (getenv("TEST_VERBOSE")) fprintf(stderr, "%s of %zu bytes: %.2f s\n", name, bytes, seconds_now() - began);
    if (failures > before) fprintf(stderr, "%s of %zu bytes\n", name, bytes);
}

/* Two copies on each of the sides, and something for the others on this machine. */
static int there_is_memory_for(size_t bytes)
{
    size_t needed = 2 * (size_t)sides_count() * bytes + bytes / 4 + GIB;
    if (bytes < 256 * MIB) return 1;
    if (patience(1) == 1 && memory_available() >= needed) return 1;
    fprintf(stderr, "left out: %zu bytes need %.1f GiB of memory and no sanitizer\n", bytes, (double)needed / (double)GIB);
    skipped++;
    return 0;
}

static void size(size_t bytes, int ways)
{
    if (every_way) ways = every_way;
    for (enum way way = ARGUMENT; way <= ECHO; way *= 2)
        if (ways & way && there_is_memory_for(bytes)) one_way(way, bytes);
}

/* ---- the tests */

static void around_the_limits_of_each_way_of_travelling(void)
{
    static const size_t sizes[] = {0,           1,        23,           24,           25,           64 * KIB - 1,
                                   64 * KIB,    64 * KIB + 1, 512 * KIB - 1, 512 * KIB + 1, 1 * MIB,  2 * MIB + 1,
                                   64 * MIB - 1, 64 * MIB, 64 * MIB + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) size(sizes[i], ALL);
}

/* Where 32-bit counts with a sign end. */
static void around_two_gibibytes(void)
{
    size(2 * GIB - 1, RESULT);
    size(2 * GIB, ARGUMENT);
    size(2 * GIB + 1, ECHO);
}

/* Where 32-bit counts end. */
static void around_four_gibibytes(void)
{
    size(4 * GIB - 1, every_way);
    size(4 * GIB, every_way);
    size(4 * GIB + 4097, ECHO);
}

static void result_that_grows_is_never_there_twice(void)
{
    size_t bytes = GIB + 4;
    if (!there_is_memory_for(bytes)) return;
    sides_watch();
    check_lent(pp_submit(server, grow, &bytes, sizeof bytes), bytes);
    for (int i = 0; i < sides_count(); i++) CHECK(sides_peak(i) <= bytes + SLACK);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(sides_begin),
        TEST(result_that_grows_is_never_there_twice),
        TEST(around_two_gibibytes),
        TEST(around_four_gibibytes),
        TEST(around_the_limits_of_each_way_of_travelling),
        TEST(sides_end),
    };
    const char *all = getenv("TEST_LARGE");
    if (all && strcmp(all, "all") == 0) every_way = ALL;
    open_or_exit(&argc, &argv, NULL);
    int status = run_tests(tests, sizeof tests / sizeof tests[0]);
    return status == 0 && skipped ? 77 : status;
}
