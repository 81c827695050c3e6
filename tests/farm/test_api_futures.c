/* Submitting, fetching, releasing; futures that are stale, foreign, null or invented. ranks: 1 2 4 */
#define TEST_API_MAIN
#include "farm/test_api.h"

#include <limits.h>
#include <signal.h>

static void add_one(pp_task *task)
{
    size_t bytes;
    const long *n = pp_task_args(task, &bytes);
    long *result = pp_task_result(task, sizeof *result);
    if (result && bytes == sizeof *n) *result = *n + 1;
}

static void nothing(pp_task *task)
{
    (void)task;
}

static void sleep_seconds(pp_task *task)
{
    pause_for(*(const double *)pp_task_args(task, NULL));
}

static void fail_with(pp_task *task)
{
    int code = *(const int *)pp_task_args(task, NULL);
    pp_task_result(task, 100);
    pp_task_fail(task, code, "failed with code %d on purpose", code);
}

static void fail_at_length(pp_task *task)
{
    char text[2000];
    memset(text, 'm', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    pp_task_fail(task, *(const int *)pp_task_args(task, NULL), "%s", text);
}

static void die(pp_task *task)
{
    raise(*(const int *)pp_task_args(task, NULL));
}

/* Result: as many bytes as the argument says, patterned with it. */
static void make_bytes(pp_task *task)
{
    size_t bytes = *(const size_t *)pp_task_args(task, NULL);
    void *result = pp_task_result(task, bytes);
    if (result) fill_pattern(result, bytes, (unsigned)bytes);
}

static pp_future submit_long(long n)
{
    return pp_submit(server, add_one, &n, sizeof n);
}

static pp_future submit_sleep(double seconds)
{
    return pp_submit(server, sleep_seconds, &seconds, sizeof seconds);
}

static pp_future submit_fail(int code)
{
    return pp_submit(server, fail_with, &code, sizeof code);
}

static pp_future submit_bytes(size_t bytes)
{
    return pp_submit(server, make_bytes, &bytes, sizeof bytes);
}

static void arguments_are_copied_before_submit_returns(void)
{
    enum { N = 200 };
    pp_future f[N];
    long n;
    for (int i = 0; i < N; i++) {
        n = i;
        f[i] = pp_submit(server, add_one, &n, sizeof n);
        n = -1000;
    }
    for (int i = N - 1; i >= 0; i--) {
        long r = 0;
        CHECK_INT(pp_fetch(f[i], &r, sizeof r), PP_OK);
        CHECK_INT(r, i + 1);
    }
}

static void fetch_releases_and_a_second_is_a_handle_error(void)
{
    long r = 7;
    pp_future f = submit_long(1);
    CHECK_INT(pp_fetch(f, &r, sizeof r), PP_OK);
    CHECK_INT(r, 2);
    r = 7;
    CHECK_ERROR(pp_fetch(f, &r, sizeof r), PP_ERR_HANDLE, "stale");
    CHECK_INT(r, 7);
    CHECK_INT(pp_release(f), PP_ERR_HANDLE);
    CHECK_INT(pp_done(f), PP_ERR_HANDLE);
    CHECK_INT(pp_wait(f), PP_ERR_HANDLE);
}

static void wrong_size_keeps_the_future(void)
{
    unsigned char buffer[64];
    memset(buffer, 0x5a, sizeof buffer);
    pp_future f = submit_long(41);
    for (size_t bytes = 0; bytes < sizeof buffer; bytes++) {
        if (bytes == sizeof(long)) continue;
        CHECK_ERROR(pp_fetch(f, buffer, bytes), PP_ERR_SIZE, "8 bytes");
    }
    for (size_t i = 0; i < sizeof buffer; i++) CHECK_INT(buffer[i], 0x5a);
    long r = 0;
    CHECK_INT(pp_fetch(f, &r, sizeof r), PP_OK);
    CHECK_INT(r, 42);
    f = submit_bytes(100000);
    CHECK_ERROR(pp_fetch(f, buffer, sizeof buffer), PP_ERR_SIZE, "100000");
    CHECK_INT(pp_release(f), PP_OK);
}

static void empty_arguments_and_empty_results(void)
{
    pp_future f = pp_submit(server, nothing, NULL, 0), g = pp_submit(server, nothing, "", 0);
    CHECK_INT(pp_fetch(f, NULL, 0), PP_OK);
    const void *data;
    size_t bytes = 5;
    CHECK_INT(pp_result(g, &data, &bytes), PP_OK);
    CHECK_INT(bytes, 0);
    CHECK_INT(pp_release(g), PP_OK);
}

static void results_in_place_stay_until_released(void)
{
    static const size_t sizes[] = {1, 8, 16, 17, 24, 25, 100, 4096, 65535, 65536, 65537, 300000, (size_t)4 << 20};
    enum { N = sizeof sizes / sizeof sizes[0] };
    pp_future f[N];
    const void *data[N];
    size_t bytes[N];
    for (int i = 0; i < N; i++) f[i] = submit_bytes(sizes[i]);
    for (int i = 0; i < N; i++) {
        CHECK_INT(pp_result(f[i], &data[i], &bytes[i]), PP_OK);
        CHECK_INT(bytes[i], sizes[i]);
    }
    /* Other results come and go. */
    for (int round = 0; round < 20; round++)
        for (int i = 0; i < N; i++) {
            pp_future g = submit_bytes(sizes[i] + (size_t)round);
            CHECK_INT(pp_wait(g), PP_OK);
            CHECK_INT(pp_release(g), PP_OK);
        }
    for (int i = 0; i < N; i++) CHECK(has_pattern(data[i], sizes[i], (unsigned)sizes[i]));
    /* Their workers die. */
    int n = pp_get_ncpus(server), signal_number = SIGKILL;
    pp_future dead[64];
    for (int i = 0; i < 4 * n && i < 64; i++) dead[i] = pp_submit(server, die, &signal_number, sizeof signal_number);
    for (int i = 0; i < 4 * n && i < 64; i++) {
        CHECK_INT(pp_fetch(dead[i], NULL, 0), PP_ERR_CRASHED);
        CHECK_INT(pp_release(dead[i]), PP_OK);
    }
    for (int i = 0; i < N; i++) {
        const void *again;
        CHECK(has_pattern(data[i], sizes[i], (unsigned)sizes[i]));
        CHECK_INT(pp_result(f[i], &again, NULL), PP_OK);
        CHECK(again == data[i]);
        if (i % 2) {
            CHECK_INT(pp_release(f[i]), PP_OK);
        } else {
            char *copy = malloc(sizes[i]);
            CHECK_INT(pp_fetch(f[i], copy, sizes[i]), PP_OK);
            CHECK(has_pattern(copy, sizes[i], (unsigned)sizes[i]));
            free(copy);
        }
        CHECK_INT(pp_result(f[i], NULL, NULL), PP_ERR_HANDLE);
    }
}

static void released_before_done_still_runs(void)
{
    pp_stats before = {.size = sizeof before}, after = {.size = sizeof after};
    CHECK_INT(pp_get_stats(server, &before), PP_OK);
    for (int i = 0; i < 50; i++) {
        pp_future f = i % 2 ? submit_sleep(0.002) : submit_bytes(200000);
        CHECK_INT(pp_release(f), PP_OK);
        CHECK_INT(pp_done(f), PP_ERR_HANDLE);
        CHECK_INT(pp_release(f), PP_ERR_HANDLE);
        CHECK_INT(pp_wait_for(f, 0), PP_ERR_HANDLE);
    }
    double give_up = seconds_now() + patience(10);
    do {
        pause_for(0.005);
        CHECK_INT(pp_get_stats(server, &after), PP_OK);
    } while (after.done < before.done + 50 && seconds_now() < give_up);
    CHECK_INT(after.done - before.done, 50);
}

static void a_failed_task_keeps_its_future(void)
{
    char result[100] = "untouched";
    pp_future f = submit_fail(-77);
    for (int i = 0; i < 3; i++) {
        CHECK_ERROR(pp_fetch(f, result, sizeof result), PP_ERR_TASK, "failed with code -77 on purpose");
        CHECK_INT(strcmp(result, "untouched"), 0);
        const void *data = result;
        size_t bytes = 3;
        CHECK_ERROR(pp_result(f, &data, &bytes), PP_ERR_TASK, "on purpose");
        CHECK(data == result && bytes == 3);
    }
    CHECK_INT(pp_wait(f), PP_OK);
    CHECK_INT(pp_done(f), 1);
    pp_task_info info = {.size = sizeof info};
    CHECK_INT(pp_info(f, &info), PP_OK);
    CHECK_INT(info.state, PP_FINISHED);
    CHECK_INT(info.status, PP_ERR_TASK);
    CHECK_INT(info.code, -77);
    CHECK_INT(info.signal, 0);
    CHECK_INT(info.result_bytes, 0);
    CHECK_INT(strcmp(info.message, "failed with code -77 on purpose"), 0);
    CHECK_INT(pp_release(f), PP_OK);
    CHECK_INT(pp_info(f, &info), PP_ERR_HANDLE);
    CHECK_INT(info.code, -77);
}

static void a_crash_is_its_own_future_s(void)
{
    static const int signals[] = {SIGSEGV, SIGABRT, SIGKILL, SIGFPE, SIGTERM};
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        pp_future before = submit_long(1), f = pp_submit(server, die, &signals[i], sizeof(int)), after = submit_long(2);
        char text[32];
        pp_task_info info = {.size = sizeof info};
        CHECK_ERROR(pp_fetch(f, NULL, 0), PP_ERR_CRASHED, host);
        CHECK_INT(pp_info(f, &info), PP_OK);
        CHECK_INT(info.signal, signals[i]);
        CHECK_INT(info.status, PP_ERR_CRASHED);
        CHECK_INT(info.attempts, 1);
        snprintf(text, sizeof text, "pid %ld", info.pid);
        CHECK(info.pid > 1);
        CHECK_TEXT(info.message, text);
        CHECK_TEXT(info.message, host);
        long r = 0;
        CHECK_INT(pp_fetch(before, &r, sizeof r), PP_OK);
        CHECK_INT(r, 2);
        CHECK_INT(pp_fetch(after, &r, sizeof r), PP_OK);
        CHECK_INT(r, 3);
        CHECK_INT(pp_release(f), PP_OK);
    }
}

static void info_follows_a_task(void)
{
    pp_submit_options options = PP_SUBMIT_OPTIONS_INIT;
    char name[] = "a name";
    options.name = name;
    double seconds = 0.2, start = seconds_now();
    pp_future f = pp_submit_with(server, sleep_seconds, &seconds, sizeof seconds, &options);
    name[0] = 'X'; /* it was copied */
    pp_task_info info = {.size = sizeof info};
    CHECK_INT(pp_info(f, &info), PP_OK);
    CHECK(info.state == PP_QUEUED || info.state == PP_RUNNING);
    CHECK_INT(info.finished, 0);
    CHECK_INT(strcmp(info.name, "a name"), 0);
    CHECK_INT(pp_wait(f), PP_OK);
    double took = seconds_now() - start;
    CHECK_INT(pp_info(f, &info), PP_OK);
    CHECK_INT(info.state, PP_FINISHED);
    CHECK_INT(info.status, PP_OK);
    CHECK_INT(info.attempts, 1);
    CHECK(info.rank >= 0 && info.worker >= 0 && info.worker < pp_get_ncpus(server) && info.pid > 1);
    CHECK(info.submitted > 0 && info.submitted <= info.started && info.started < info.finished);
    CHECK(info.finished - info.started >= 0.199 && info.finished - info.started <= took + 0.001);
    CHECK_INT(info.message[0], 0);
    CHECK(*info.host != '\0');
    CHECK_INT(pp_release(f), PP_OK);

    char endless[300];
    memset(endless, 'n', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    options.name = endless;
    f = pp_submit_with(server, nothing, NULL, 0, &options);
    CHECK_INT(pp_info(f, &info), PP_OK);
    CHECK_INT(strlen(info.name), sizeof info.name - 1);
    CHECK_INT(pp_fetch(f, NULL, 0), PP_OK);
}

static void a_long_message_is_cut_not_lost(void)
{
    int code = INT_MIN;
    pp_future f = pp_submit(server, fail_at_length, &code, sizeof code);
    pp_task_info info = {.size = sizeof info};
    CHECK_INT(pp_wait(f), PP_OK);
    CHECK_INT(pp_info(f, &info), PP_OK);
    CHECK_INT(info.code, INT_MIN);
    CHECK_INT(strlen(info.message), sizeof info.message - 1);
    CHECK_INT(strspn(info.message, "m"), sizeof info.message - 1);
    CHECK_ERROR(pp_fetch(f, NULL, 0), PP_ERR_TASK, "mmmm");
    CHECK_INT(pp_release(f), PP_OK);
}

static void use_everything(pp_future f, int expected)
{
    unsigned char buffer[256];
    const void *data = buffer;
    size_t bytes = 9, index = 77;
    pp_task_info info = {.size = sizeof info, .task = 12345};
    memset(buffer, 3, sizeof buffer);
    CHECK_INT(pp_fetch(f, buffer, sizeof buffer), expected);
    CHECK_INT(pp_result(f, &data, &bytes), expected);
    CHECK_INT(pp_wait(f), expected);
    CHECK_INT(pp_wait_for(f, 0), expected);
    CHECK_INT(pp_done(f), expected);
    CHECK_INT(pp_info(f, &info), expected);
    CHECK_INT(pp_release(f), expected);
    if (f.id) {
        pp_future array[2] = {{0}, f};
        CHECK_ERROR(pp_wait_all(array, 2, 0), expected, "future 1 ");
        CHECK_INT(pp_wait_any(array, 2, 0, &index), expected);
        CHECK_INT(pp_wait_failed(array, 2, 0, &index), expected);
    }
    CHECK(data == buffer && bytes == 9 && index == 77 && info.task == 12345);
    for (size_t i = 0; i < sizeof buffer; i++) CHECK_INT(buffer[i], 3);
}

static void null_and_invented_futures_are_handle_errors(void)
{
    unsigned random = 12345;
    pp_future live = submit_sleep(0.3), stale = submit_long(1);
    CHECK_INT(pp_wait(stale), PP_OK);
    CHECK_INT(pp_release(stale), PP_OK);
    use_everything((pp_future){0}, PP_ERR_HANDLE);
    use_everything(stale, PP_ERR_HANDLE);
    use_everything((pp_future){UINT64_MAX}, PP_ERR_HANDLE);
    for (int bit = 0; bit < 64; bit++) {
        if (live.id != UINT64_C(1) << bit) use_everything((pp_future){UINT64_C(1) << bit}, PP_ERR_HANDLE);
        use_everything((pp_future){live.id ^ UINT64_C(1) << bit}, PP_ERR_HANDLE);
    }
    for (int i = 0; i < 100000; i++) {
        pp_future f = {(uint64_t)random_number(&random) << 32 | random_number(&random)};
        if (i % 3 == 0) f.id = (live.id & ~UINT64_C(0xffff)) | (random & 0xffff); /* near the truth */
        if (i % 3 == 1) f.id = (live.id & UINT32_MAX) | (uint64_t)(random & 0xff) << 32;
        if (f.id == live.id || f.id == 0) continue;
        switch (i % 8) {
        case 0: CHECK_INT(pp_fetch(f, NULL, 0), PP_ERR_HANDLE); break;
        case 1: CHECK_INT(pp_result(f, NULL, NULL), PP_ERR_HANDLE); break;
        case 2: CHECK_INT(pp_release(f), PP_ERR_HANDLE); break;
        case 3: CHECK_INT(pp_wait_for(f, 1), PP_ERR_HANDLE); break;
        case 4: CHECK_INT(pp_done(f), PP_ERR_HANDLE); break;
        case 5: CHECK_INT(pp_wait_all(&f, 1, -1), PP_ERR_HANDLE); break;
        case 6: CHECK_INT(pp_wait_any(&f, 1, -1, NULL), PP_ERR_HANDLE); break;
        default: CHECK_INT(pp_wait_failed(&f, 1, -1, NULL), PP_ERR_HANDLE);
        }
        if (failures) return;
    }
    CHECK_INT(pp_fetch(live, NULL, 0), PP_OK);
}

static void a_slot_used_again_does_not_revive_its_futures(void)
{
    pp_future old[100];
    for (int round = 0; round < 300; round++) {
        for (int i = 0; i < 100; i++) old[i] = submit_long(i);
        for (int i = 0; i < 100; i++) {
            long r;
            CHECK_INT(pp_fetch(old[i], &r, sizeof r), PP_OK);
        }
        pp_future fresh = submit_long(round);
        for (int i = 0; i < 100; i++) {
            CHECK(old[i].id != fresh.id);
            CHECK_INT(pp_done(old[i]), PP_ERR_HANDLE);
        }
        CHECK_INT(pp_release(fresh), PP_OK);
        if (failures) return;
    }
}

static void done_and_waits_of_one_future(void)
{
    pp_future f = submit_sleep(0.15);
    double start = seconds_now();
    CHECK_INT(pp_done(f), 0);
    CHECK_INT(pp_wait_for(f, 0), PP_TIMEOUT);
    CHECK_INT(pp_wait_for(f, 0.02), PP_TIMEOUT);
    CHECK(seconds_now() - start >= 0.02);
    CHECK_INT(pp_wait_for(f, -1), PP_OK);
    CHECK(seconds_now() - start >= 0.14);
    CHECK_INT(pp_done(f), 1);
    CHECK_INT(pp_wait_for(f, 0), PP_OK);
    CHECK_INT(pp_fetch(f, NULL, 0), PP_OK);
    f = submit_sleep(0.05);
    start = seconds_now();
    while (pp_done(f) == 0 && seconds_now() < start + 10) {}
    CHECK_INT(pp_done(f), 1);
    CHECK_INT(pp_release(f), PP_OK);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(arguments_are_copied_before_submit_returns),
        TEST(fetch_releases_and_a_second_is_a_handle_error),
        TEST(wrong_size_keeps_the_future),
        TEST(empty_arguments_and_empty_results),
        TEST(results_in_place_stay_until_released),
        TEST(released_before_done_still_runs),
        TEST(a_failed_task_keeps_its_future),
        TEST(a_crash_is_its_own_future_s),
        TEST(info_follows_a_task),
        TEST(a_long_message_is_cut_not_lost),
        TEST(null_and_invented_futures_are_handle_errors),
        TEST(a_slot_used_again_does_not_revive_its_futures),
        TEST(done_and_waits_of_one_future),
    };
    open_or_exit(&argc, &argv, NULL);
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
