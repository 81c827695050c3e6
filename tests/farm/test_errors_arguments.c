/* Wrong arguments: the status says what to do, the text names the values, outputs stay as they were. ranks: 1 2 */
#define TEST_API_MAIN
#include "farm/test_api.h"

#include <math.h>
#include <sys/mman.h>

static void nothing(pp_task *task)
{
    (void)task;
}

static const char *hex(uint64_t n)
{
    static char text[32];
    snprintf(text, sizeof text, "%llx", (unsigned long long)n);
    return text;
}

#define CHECK_REFUSED(submission, code, part)                                                                  \
    do {                                                                                                       \
        CHECK_INT((submission).id, 0);                                                                         \
        CHECK_INT(pp_last_error_code(), code);                                                                 \
        CHECK_TEXT(pp_last_error(), part);                                                                     \
    } while (0)

/* Runs before the server is opened. */
static void without_a_server(void)
{
    pp_stats stats = {.size = sizeof stats};
    pp_task_info info = {.size = sizeof info};
    pp_node node;
    int dummy;
    CHECK_INT(pp_last_error_code(), PP_OK);
    CHECK_INT(strcmp(pp_last_error(), ""), 0);
    CHECK_REFUSED(pp_submit(NULL, nothing, NULL, 0), PP_ERR_ARG, "server is NULL");
    CHECK_REFUSED(pp_submit((pp_server *)&dummy, nothing, NULL, 0), PP_ERR_ARG, "not open");
    CHECK_REFUSED(pp_submit_with(NULL, nothing, NULL, 0, NULL), PP_ERR_ARG, "server is NULL");
    CHECK_ERROR(pp_fetch((pp_future){5}, NULL, 0), PP_ERR_HANDLE, "no server is open");
    CHECK_ERROR(pp_result((pp_future){5}, NULL, NULL), PP_ERR_HANDLE, "no server is open");
    CHECK_ERROR(pp_release((pp_future){5}), PP_ERR_HANDLE, "no server is open");
    CHECK_ERROR(pp_wait((pp_future){5}), PP_ERR_HANDLE, "no server is open");
    CHECK_ERROR(pp_wait_for((pp_future){5}, 1), PP_ERR_HANDLE, "no server is open");
    CHECK_ERROR(pp_done((pp_future){5}), PP_ERR_HANDLE, "no server is open");
    CHECK_ERROR(pp_info((pp_future){5}, &info), PP_ERR_HANDLE, "no server is open");
    /* Null futures belong to no server. */
    pp_future null[2] = {{0}, {0}}, mixed[2] = {{0}, {5}};
    size_t index = 77;
    CHECK_INT(pp_wait_all(null, 2, -1), PP_OK);
    CHECK_INT(pp_wait_any(null, 2, -1, &index), PP_END);
    CHECK_INT(pp_wait_failed(null, 2, -1, &index), PP_END);
    CHECK_INT(index, 77);
    CHECK_ERROR(pp_wait_all(mixed, 2, -1), PP_ERR_HANDLE, "no server is open");
    /* A text quotes the error before it, and not the quotations of that one. */
    for (int i = 0; i < 5; i++) CHECK_ERROR(pp_done((pp_future){5}), PP_ERR_HANDLE, "no server is open");
    CHECK(strlen(pp_last_error()) < 300);
    CHECK_ERROR(pp_server_close(NULL), PP_ERR_ARG, "NULL");
    CHECK_ERROR(pp_get_ncpus(NULL), PP_ERR_ARG, "NULL");
    CHECK_ERROR(pp_get_active_nodes(NULL, &node, 1), PP_ERR_ARG, "NULL");
    CHECK_ERROR(pp_get_stats(NULL, &stats), PP_ERR_ARG, "NULL");
    CHECK_ERROR(pp_print_stats(NULL, stdout), PP_ERR_ARG, "NULL");
    CHECK(pp_task_current() == NULL);
    CHECK(pp_task_alloc(1) == NULL);
}

/* The reason for which opening failed is told by what comes after it. */
static void a_program_that_ignores_a_failed_open_is_told(void)
{
    pp_options options = PP_OPTIONS_INIT;
    options.retries = -4711;
    CHECK(pp_server_open(NULL, NULL, &options) == NULL);
    CHECK_REFUSED(pp_submit(NULL, nothing, NULL, 0), PP_ERR_ARG, "-4711");
}

static void servers(void)
{
    int dummy;
    pp_server *wrong = (pp_server *)&dummy;
    pp_stats stats = {.size = sizeof stats, .done = 3};
    CHECK_ERROR(pp_server_close(NULL), PP_ERR_ARG, "server is NULL");
    CHECK_ERROR(pp_server_close(wrong), PP_ERR_ARG, hex((uint64_t)(uintptr_t)wrong));
    CHECK_ERROR(pp_get_ncpus(wrong), PP_ERR_ARG, "not open");
    CHECK_ERROR(pp_get_stats(wrong, &stats), PP_ERR_ARG, "not open");
    CHECK_ERROR(pp_get_stats(NULL, &stats), PP_ERR_ARG, "NULL");
    CHECK_ERROR(pp_print_stats(wrong, stderr), PP_ERR_ARG, "not open");
    CHECK_ERROR(pp_get_active_nodes(wrong, NULL, 0), PP_ERR_ARG, "not open");
    CHECK_REFUSED(pp_submit(wrong, nothing, NULL, 0), PP_ERR_ARG, "not open");
    CHECK_INT(stats.done, 3);
    CHECK(pp_get_ncpus(server) >= 1);
    CHECK(pp_server_open(NULL, NULL, NULL) == NULL);
    CHECK_INT(pp_last_error_code(), PP_ERR_STATE);
    CHECK_TEXT(pp_last_error(), "open already");
}

static void structs_must_have_their_size(void)
{
    static const size_t sizes[] = {0, 1, 8, 1u << 20, SIZE_MAX};
    pp_future f = pp_submit(server, nothing, NULL, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char text[32];
        snprintf(text, sizeof text, "%zu", sizes[i]);
        pp_stats stats = {.size = sizes[i], .done = 77};
        CHECK_ERROR(pp_get_stats(server, &stats), PP_ERR_ARG, text);
        CHECK_INT(stats.done, 77);
        pp_task_info info = {.size = sizes[i], .code = 77};
        CHECK_ERROR(pp_info(f, &info), PP_ERR_ARG, text);
        CHECK_INT(info.code, 77);
        pp_submit_options options = PP_SUBMIT_OPTIONS_INIT;
        options.size = sizes[i];
        CHECK_REFUSED(pp_submit_with(server, nothing, NULL, 0, &options), PP_ERR_ARG, text);
    }
    CHECK_ERROR(pp_get_stats(server, NULL), PP_ERR_ARG, "NULL");
    CHECK_ERROR(pp_info(f, NULL), PP_ERR_ARG, "NULL");
    CHECK_ERROR(pp_print_stats(server, NULL), PP_ERR_ARG, "NULL");
    CHECK_ERROR(pp_get_active_nodes(server, NULL, 3), PP_ERR_ARG, "3");
    pp_node node;
    CHECK_ERROR(pp_get_active_nodes(server, &node, -3), PP_ERR_ARG, "-3");
    CHECK_INT(pp_fetch(f, NULL, 0), PP_OK);
}

static void submissions(void)
{
    CHECK_REFUSED(pp_submit(server, NULL, "x", 1), PP_ERR_ARG, "function is NULL");
    CHECK_REFUSED(pp_submit(server, nothing, NULL, 17), PP_ERR_ARG, "17");
    CHECK_REFUSED(pp_submit_with(server, NULL, NULL, 0, NULL), PP_ERR_ARG, "function is NULL");
    pp_submit_options options = PP_SUBMIT_OPTIONS_INIT;
    static const double bad_times[] = {-2, -0.5, NAN, INFINITY, -INFINITY, -1e300};
    for (size_t i = 0; i < sizeof bad_times / sizeof bad_times[0]; i++) {
        char text[32];
        options.timeout = bad_times[i];
        snprintf(text, sizeof text, "%g", bad_times[i]);
        CHECK_REFUSED(pp_submit_with(server, nothing, NULL, 0, &options), PP_ERR_ARG, "timeout");
        CHECK_TEXT(pp_last_error(), text);
    }
    options = (pp_submit_options)PP_SUBMIT_OPTIONS_INIT;
    static const int bad_retries[] = {-2, -1000000, 1000000000};
    for (size_t i = 0; i < sizeof bad_retries / sizeof bad_retries[0]; i++) {
        char text[32];
        options.retries = bad_retries[i];
        snprintf(text, sizeof text, "%d", bad_retries[i]);
        CHECK_REFUSED(pp_submit_with(server, nothing, NULL, 0, &options), PP_ERR_ARG, "retries");
        CHECK_TEXT(pp_last_error(), text);
    }
    pp_stats stats = {.size = sizeof stats};
    CHECK_INT(pp_get_stats(server, &stats), PP_OK);
    CHECK_INT(stats.failed + stats.queued + stats.running + stats.done, stats.submitted);
}

static void extreme_values_that_are_allowed(void)
{
    pp_submit_options options = PP_SUBMIT_OPTIONS_INIT;
    static const double times[] = {0, 1e300, 1e18, 1e10, PP_INHERIT};
    static const int priorities[] = {0, 2147483647, -2147483647 - 1};
    for (size_t i = 0; i < 5; i++)
        for (size_t k = 0; k < 3; k++) {
            options.timeout = times[i];
            options.priority = priorities[k];
            options.retries = i % 2 ? 100 : 0;
            options.name = i % 2 ? "" : "%s%n"; /* a name, not a format */
            pp_future f = pp_submit_with(server, nothing, NULL, 0, &options);
            CHECK(f.id != 0);
            CHECK_INT(pp_fetch(f, NULL, 0), PP_OK);
        }
}

static void what_is_no_function_is_refused(void)
{
    static char data[64];
    void *heap = malloc(64);
    void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *bad[] = {data, heap, &heap, (void *)1, (void *)-1, (void *)&server, code == MAP_FAILED ? data : code};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        pp_function fn;
        memcpy(&fn, &bad[i], sizeof fn);
        CHECK_REFUSED(pp_submit(server, fn, NULL, 0), PP_ERR_FUNCTION, hex((uint64_t)(uintptr_t)bad[i]));
    }
    free(heap);
    if (code != MAP_FAILED) munmap(code, 4096);
}

static void fetching(void)
{
    size_t bytes = 9;
    pp_future f = pp_submit(server, nothing, NULL, 0);
    CHECK_ERROR(pp_fetch(f, NULL, 44), PP_ERR_ARG, "44");
    CHECK_ERROR(pp_fetch((pp_future){0}, NULL, 0), PP_ERR_HANDLE, "null");
    CHECK_ERROR(pp_release((pp_future){0}), PP_ERR_HANDLE, "null");
    CHECK_ERROR(pp_done((pp_future){0}), PP_ERR_HANDLE, "null");
    CHECK_ERROR(pp_result((pp_future){0}, NULL, &bytes), PP_ERR_HANDLE, "null");
    CHECK_ERROR(pp_wait((pp_future){0}), PP_ERR_HANDLE, "null");
    pp_future wrong = {f.id + (UINT64_C(7) << 32)};
    CHECK_ERROR(pp_fetch(wrong, NULL, 0), PP_ERR_HANDLE, hex(wrong.id));
    CHECK_ERROR(pp_release(wrong), PP_ERR_HANDLE, hex(wrong.id));
    CHECK_ERROR(pp_wait(wrong), PP_ERR_HANDLE, hex(wrong.id));
    CHECK_INT(bytes, 9);
    CHECK_INT(pp_fetch(f, NULL, 0), PP_OK);
}

/* The null future that a refused submission gave leads back to the reason. */
static void the_null_future_of_a_refused_submission_tells_why(void)
{
    pp_future f = pp_submit(server, nothing, NULL, 4321);
    CHECK_ERROR(pp_fetch(f, NULL, 0), PP_ERR_HANDLE, "4321");
}

static void success_leaves_the_last_error_alone(void)
{
    CHECK_INT(pp_fetch((pp_future){0}, NULL, 0), PP_ERR_HANDLE);
    char before[1024];
    snprintf(before, sizeof before, "%s", pp_last_error());
    pp_stats stats = {.size = sizeof stats};
    pp_task_info info = {.size = sizeof info};
    pp_node node;
    size_t index;
    pp_future f = pp_submit(server, nothing, NULL, 0);
    CHECK_INT(pp_wait_for(f, 10), PP_OK);
    CHECK_INT(pp_wait_all(&f, 1, -1), PP_OK);
    CHECK_INT(pp_wait_any(&f, 1, -1, &index), PP_OK);
    CHECK_INT(pp_wait_failed(&f, 1, -1, &index), PP_END);
    CHECK_INT(pp_info(f, &info), PP_OK);
    CHECK_INT(pp_get_stats(server, &stats), PP_OK);
    CHECK(pp_get_active_nodes(server, &node, 1) >= 1);
    CHECK(pp_get_ncpus(server) >= 1);
    CHECK_INT(pp_fetch(f, NULL, 0), PP_OK);
    CHECK_INT(pp_last_error_code(), PP_ERR_HANDLE);
    CHECK_INT(strcmp(pp_last_error(), before), 0);
}

static void texts_of_all_codes(void)
{
#define X(name, value, text)                                                                                   \
    CHECK_INT(PP_##name, value);                                                                               \
    CHECK_INT(strcmp(pp_strerror(PP_##name), text), 0);
    PP_STATUS_LIST(X)
#undef X
    static const int unknown[] = {3, -18, 1000, -1000, 2147483647, -2147483647 - 1};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) CHECK_TEXT(pp_strerror(unknown[i]), "unknown");
    int major, minor, patch;
    char rest;
    CHECK_INT(sscanf(pp_version(), "%d.%d.%d%c", &major, &minor, &patch, &rest), 3);
    CHECK_INT(major, PPMPI_VERSION_MAJOR);
}

int main(int argc, char **argv)
{
    static const struct test before[] = {
        TEST(without_a_server),
        TEST(texts_of_all_codes),
    };
    static const struct test tests[] = {
        TEST(servers),
        TEST(structs_must_have_their_size),
        TEST(submissions),
        TEST(extreme_values_that_are_allowed),
        TEST(what_is_no_function_is_refused),
        TEST(fetching),
        TEST(the_null_future_of_a_refused_submission_tells_why),
        TEST(success_leaves_the_last_error_alone),
        TEST(texts_of_all_codes),
    };
    /* Under a launcher the other ranks end with a failed open. */
    int launched = getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMI_SIZE") || getenv("PMIX_RANK");
    run_tests(before, sizeof before / sizeof before[0]);
    if (!launched) run_tests(&(struct test)TEST(a_program_that_ignores_a_failed_open_is_told), 1);
    open_or_exit(&argc, &argv, NULL);
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
