/* One gibibyte of arguments and of result. Skipped where there is not the memory for it. ranks: 2 */
#define TEST_API_MAIN
#include "farm/test_api.h"

#define GIB ((size_t)1 << 30)

/* Adds one to each word. */
static void add_one(pp_task *task)
{
    size_t bytes;
    const uint64_t *args = pp_task_args(task, &bytes);
    uint64_t *result = pp_task_result(task, bytes);
    if (!result) return;
    for (size_t i = 0; i < bytes / 8; i++) result[i] = args[i] + 1;
}

static void a_gibibyte_there_and_back(void)
{
    uint64_t *data = malloc(GIB + 8);
    CHECK(data != NULL);
    if (!data) return;
    for (size_t i = 0; i < GIB / 8 + 1; i++) data[i] = i * 0x9E3779B97F4A7C15u;
    pp_future f = pp_submit(server, add_one, data, GIB + 8);
    const void *lent;
    size_t bytes = 0;
    CHECK_INT(pp_result(f, &lent, &bytes), PP_OK);
    CHECK_INT(bytes, GIB + 8);
    const uint64_t *result = lent;
    size_t wrong = 0;
    for (size_t i = 0; i < bytes / 8; i++) wrong += result[i] != data[i] + 1;
    CHECK_INT(wrong, 0);
    CHECK_INT(pp_fetch(f, data, GIB + 8), PP_OK);
    wrong = 0;
    for (size_t i = 0; i < bytes / 8; i++) wrong += data[i] != i * 0x9E3779B97F4A7C15u + 1;
    CHECK_INT(wrong, 0);
    free(data);
}

static unsigned long long available_kib(void)
{
    char line[128];
    unsigned long long kib = 0;
    FILE *file = fopen("/proc/meminfo", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %llu", &kib) == 1) break;
    if (file) fclose(file);
    return kib;
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {TEST(a_gibibyte_there_and_back)};
    if (patience(1) > 1 || available_kib() < 8 * (GIB >> 10)) {
        fprintf(stderr, "skipped: needs 8 GiB of memory and no sanitizer\n");
        return 77;
    }
    open_or_exit(&argc, &argv, NULL);
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
