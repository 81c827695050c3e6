/* Under ulimit -v: what has no room in the address space fails that one future, with its size, and all else goes on.
 * ranks: 2 */
#define TEST_API_MAIN
#include "farm/test_api.h"

#include <sys/resource.h>

#define MIB ((size_t)1 << 20)
#define LIMIT (4096 * MIB)

static void produce(pp_task *task)
{
    size_t bytes = *(const size_t *)pp_task_args(task, NULL);
    unsigned char *result = pp_task_result(task, bytes);
    if (result) memset(result, 7, bytes);
}

static void first_byte(pp_task *task)
{
    const unsigned char *args = pp_task_args(task, NULL);
    unsigned char *result = pp_task_result(task, 1);
    *result = args[0];
}

static void check_works(void)
{
    static unsigned char data[20 * 1024 * 1024] = {9};
    unsigned char byte = 0;
    CHECK_INT(pp_fetch(pp_submit(server, first_byte, data, sizeof data), &byte, 1), PP_OK);
    CHECK_INT(byte, 9);
}

static void results_without_room_fail(void)
{
    for (size_t bytes = LIMIT / 4; bytes <= 4 * LIMIT; bytes *= 2) {
        char text[32];
        snprintf(text, sizeof text, "%zu bytes", bytes);
        pp_future f = pp_submit(server, produce, &bytes, sizeof bytes);
        CHECK_ERROR(pp_fetch(f, NULL, 0), PP_ERR_NOMEM, text);
        CHECK_INT(pp_release(f), PP_OK);
        check_works();
    }
}

static void arguments_without_room_are_refused(void)
{
    char *data = malloc(LIMIT / 4 + MIB);
    CHECK(data != NULL);
    if (!data) return;
    for (int i = 0; i < 3; i++) {
        CHECK_INT(pp_submit(server, first_byte, data, LIMIT / 4 + MIB).id, 0);
        CHECK_INT(pp_last_error_code(), PP_ERR_NOMEM);
        CHECK_TEXT(pp_last_error(), "1074790400 bytes");
        check_works();
    }
    free(data);
}

static void what_has_room_comes_and_goes(void)
{
    for (int i = 0; i < 30; i++) {
        size_t bytes = (5 + (size_t)i) * MIB, got = 0;
        const void *data;
        pp_future f = pp_submit(server, produce, &bytes, sizeof bytes);
        CHECK_INT(pp_result(f, &data, &got), PP_OK);
        CHECK_INT(got, bytes);
        CHECK_INT(pp_release(f), PP_OK);
    }
    check_works();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(results_without_room_fail),
        TEST(arguments_without_room_are_refused),
        TEST(what_has_room_comes_and_goes),
    };
    struct rlimit limit = {LIMIT, LIMIT};
    if (patience(1) > 1 || setrlimit(RLIMIT_AS, &limit) != 0) {
        fprintf(stderr, "skipped: sanitizers need all address space\n");
        return 77;
    }
    open_or_exit(&argc, &argv, NULL);
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
