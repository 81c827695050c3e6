/* What <ppmpi_binding.h> adds: tags that go with arguments, and tasks that end where they fail. ranks: 2 4 */
#define TEST_API_MAIN
#include "farm/test_api.h"

#include <ppmpi_binding.h>

static void tag_task(pp_task *task)
{
    size_t bytes;
    pp_task_args(task, &bytes);
    uint64_t *result = pp_task_result(task, 2 * sizeof *result);
    if (!result) return;
    result[0] = pp_binding_tag(task);
    result[1] = bytes;
}

static void fail_task(pp_task *task)
{
    const int *how = pp_task_args(task, NULL);
    if (!pp_task_result(task, 100)) return;
    pp_binding_fail(task, *how, "told to end");
    abort(); /* does not get here */
}

static void check_tag(pp_future f, uint64_t tag, size_t bytes)
{
    uint64_t result[2] = {0};
    CHECK_INT(pp_fetch(f, result, sizeof result), PP_OK);
    CHECK_INT(result[0], tag);
    CHECK_INT(result[1], bytes);
}

/* Every way that arguments take: in the record, in a block, as a stream. */
static void a_tag_goes_with_the_arguments_of_any_size(void)
{
    static const size_t sizes[] = {0, 1, 24, 25, 1000, 65536, 65537, 3000000};
    static const uint32_t tags[] = {0, 1, 0x8000, 0x800001, PP_BINDING_TAG_MAX};
    char *args = calloc(1, 3000000);
    pp_future f[8][5];
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < 5; k++)
            f[i][k] = pp_binding_submit(server, tag_task, args, sizes[i], tags[k], NULL);
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < 5; k++)
            check_tag(f[i][k], tags[k], sizes[i]);
    check_tag(pp_submit(server, tag_task, args, 5), 0, 5);
    free(args);
}

static void a_map_sends_its_tag_with_each_item(void)
{
    enum { N = 300 };
    int items[N] = {0};
    uint64_t results[N][2];
    CHECK_INT(pp_binding_map(server, tag_task, items, sizeof *items, 77, N, results, sizeof *results), PP_OK);
    for (int i = 0; i < N; i++)
        CHECK_INT(results[i][0], 77);
    CHECK_INT(pp_map(server, tag_task, items, sizeof *items, N, results, sizeof *results), PP_OK);
    for (int i = 0; i < N; i++)
        CHECK_INT(results[i][0], 0);
}

static void a_tag_that_is_too_large_is_refused(void)
{
    uint64_t result[2];
    CHECK_INT(pp_binding_submit(server, tag_task, NULL, 0, PP_BINDING_TAG_MAX + 1, NULL).id, 0);
    CHECK_INT(pp_last_error_code(), PP_ERR_ARG);
    CHECK_TEXT(pp_last_error(), "16777216");
    CHECK_ERROR(pp_binding_map(server, tag_task, result, 8, 1u << 31, 1, result, sizeof result), PP_ERR_ARG,
                "2147483648");
}

static void a_task_ends_where_it_fails(void)
{
    enum { N = 40 };
    pp_future failing[N], f[N];
    int how = PP_ERR_SIZE;
    for (int i = 0; i < N; i++) {
        failing[i] = pp_submit(server, fail_task, &how, sizeof how);
        f[i] = pp_submit(server, tag_task, &how, sizeof how);
    }
    for (int i = 0; i < N; i++) {
        pp_task_info info = {.size = sizeof info};
        CHECK_ERROR(pp_fetch(failing[i], NULL, 0), PP_ERR_SIZE, "told to end");
        CHECK_INT(pp_info(failing[i], &info), PP_OK);
        CHECK_INT(info.status, PP_ERR_SIZE);
        CHECK_INT(info.code, PP_ERR_SIZE);
        CHECK_INT(info.attempts, 1);
        CHECK_INT(info.signal, 0);
        CHECK_TEXT(info.message, "told to end");
        CHECK(info.started <= info.finished);
        CHECK_INT(pp_release(failing[i]), PP_OK);
        check_tag(f[i], 0, sizeof how);
    }
}

static void it_is_not_tried_again(void)
{
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    pp_task_info info = {.size = sizeof info};
    int how = PP_ERR_ARG;
    o.retries = 5;
    o.timeout = 20;
    pp_future f = pp_submit_with(server, fail_task, &how, sizeof how, &o);
    CHECK_ERROR(pp_fetch(f, NULL, 0), PP_ERR_ARG, "told to end");
    CHECK_INT(pp_info(f, &info), PP_OK);
    CHECK_INT(info.attempts, 1);
    CHECK_INT(pp_release(f), PP_OK);
}

static void what_is_no_error_becomes_internal(void)
{
    static const int wrong[] = {PP_OK, PP_END, PP_ERR_INTERNAL - 1, -1000};
    for (int i = 0; i < 4; i++) {
        pp_future f = pp_submit(server, fail_task, &wrong[i], sizeof wrong[i]);
        CHECK_ERROR(pp_fetch(f, NULL, 0), PP_ERR_INTERNAL, "told to end");
        CHECK_INT(pp_release(f), PP_OK);
    }
}

static void an_error_can_be_made_the_last_one(void)
{
    CHECK_ERROR(pp_binding_error(PP_ERR_LIMIT, "of the binding: 100 %"), PP_ERR_LIMIT, "of the binding: 100 %");
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_tag_goes_with_the_arguments_of_any_size),
        TEST(a_map_sends_its_tag_with_each_item),
        TEST(a_tag_that_is_too_large_is_refused),
        TEST(a_task_ends_where_it_fails),
        TEST(it_is_not_tried_again),
        TEST(what_is_no_error_becomes_internal),
        TEST(an_error_can_be_made_the_last_one),
    };
    open_or_exit(&argc, &argv, NULL);
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
