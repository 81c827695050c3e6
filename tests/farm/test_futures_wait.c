/* Futures as in Python's concurrent.futures: submit, failures, wait in its three ways, time-outs. ranks: 2 4 */
#include "farm/test_futures.h"

static void a_call_has_its_result(void)
{
    pp_future f = submit_value(16), g = submit_value(-3);
    fetch_job(g, -3);
    fetch_job(f, 16);
    CHECK_INT(pp_fetch(f, NULL, 0), PP_ERR_HANDLE);
}

static void a_failure_is_given_each_time_it_is_asked_for(void)
{
    pp_future f = submit_job((struct job){.value = 7, .how = FAILS}, NULL), g = submit_value(2);
    struct report r = {.square = 77};
    for (int i = 0; i < 3; i++) {
        CHECK_ERROR(pp_fetch(f, &r, sizeof r), PP_ERR_TASK, "failure 7");
        CHECK_ERROR(pp_result(f, NULL, NULL), PP_ERR_TASK, "failure 7");
    }
    CHECK_INT(r.square, 77);
    pp_task_info i = info_of(f);
    CHECK_INT(i.status, PP_ERR_TASK);
    CHECK_INT(i.code, 7);
    CHECK_INT(i.result_bytes, 0);
    CHECK_INT(strcmp(i.message, "failure 7"), 0);
    CHECK_INT(pp_release(f), PP_OK);
    fetch_job(g, 2);
}

static void states_go_from_queued_over_running_to_finished(void)
{
    pp_future busy[64], f;
    int n = occupy(busy, 64, 0.15);
    f = submit_job((struct job){.value = 3, .seconds = 0.3}, NULL);
    CHECK_INT(info_of(f).state, PP_QUEUED);
    CHECK_INT(info_of(f).worker, -1);
    CHECK_INT(pp_done(f), 0);
    CHECK(wait_for_state(f, PP_RUNNING));
    CHECK_INT(pp_done(f), 0);
    CHECK_INT(pp_wait(f), PP_OK);
    pp_task_info i = info_of(f);
    CHECK_INT(i.state, PP_FINISHED);
    CHECK_INT(i.status, PP_OK);
    CHECK_INT(i.result_bytes, sizeof(struct report));
    CHECK(i.submitted <= i.started && i.started + 0.3 <= i.finished);
    fetch_job(f, 3);
    fetch_pauses(busy, n);
}

static void a_wait_that_times_out_can_be_repeated(void)
{
    pp_future f = submit_pause(0.2);
    CHECK_INT(pp_wait_for(f, 0), PP_TIMEOUT);
    CHECK_INT(pp_wait_for(f, 0.01), PP_TIMEOUT);
    CHECK_INT(pp_wait_for(f, 30), PP_OK);
    CHECK_INT(pp_wait_for(f, 0), PP_OK);
    fetch_job(f, 1);
}

static void fetch(void *out, pp_future f)
{
    *(struct report *)out = fetch_job(f, 5);
}

static void *fetch_in_thread(void *arg)
{
    struct report r;
    fetch(&r, *(pp_future *)arg);
    return NULL;
}

static void another_thread_may_fetch_it(void)
{
    pp_future f = submit_job((struct job){.value = 5, .seconds = 0.05}, NULL);
    pthread_t thread;
    pthread_create(&thread, NULL, fetch_in_thread, &f);
    pthread_join(thread, NULL);
    CHECK_INT(pp_done(f), PP_ERR_HANDLE);
}

/* ---- wait: FIRST_COMPLETED */

static void first_completed(void)
{
    pp_future f[3] = {submit_pause(0.6), submit_value(6), {0}};
    size_t index = 9;
    CHECK_INT(pp_wait_any(f, 3, -1, &index), PP_OK);
    if (pp_get_ncpus(server) > 1) CHECK_INT(index, 1);
    fetch_job(f[1], 6);
    fetch_job(f[0], 1);
}

static void first_completed_of_some_that_have_already(void)
{
    pp_future f[3] = {submit_pause(0.3), submit_value(6), submit_value(7)};
    size_t index = 9;
    CHECK_INT(pp_wait(f[2]), PP_OK);
    CHECK_INT(pp_wait(f[1]), PP_OK);
    double began = seconds_now();
    CHECK_INT(pp_wait_any(f + 1, 2, -1, &index), PP_OK);
    CHECK_INT(index, 0);
    CHECK(seconds_now() - began < 0.2);
    fetch_job(f[0], 1);
    fetch_job(f[1], 6);
    fetch_job(f[2], 7);
}

/* ---- wait: FIRST_EXCEPTION */

static void first_exception(void)
{
    if (pp_get_ncpus(server) < 2) return;
    pp_future f[3] = {submit_value(2), submit_job((struct job){.value = 5, .seconds = 0.05, .how = FAILS}, NULL), submit_pause(1)};
    size_t index = 9;
    CHECK_INT(pp_wait_failed(f, 3, -1, &index), PP_OK);
    CHECK_INT(index, 1);
    CHECK_INT(pp_done(f[2]), 0);
    fetch_job(f[0], 2);
    fetch_job(f[2], 1);
    CHECK_INT(pp_release(f[1]), PP_OK);
}

static void first_exception_when_one_has_failed_already(void)
{
    pp_future f[2] = {submit_job((struct job){.how = FAILS}, NULL), {0}};
    size_t index = 9;
    CHECK_INT(pp_wait(f[0]), PP_OK);
    f[1] = submit_pause(0.2);
    CHECK_INT(pp_wait_failed(f, 2, 0, &index), PP_OK);
    CHECK_INT(index, 0);
    fetch_job(f[1], 1);
    CHECK_INT(pp_release(f[0]), PP_OK);
}

static void first_exception_counts_the_cancelled(void)
{
    pp_future f[2] = {submit_pause(0.05), submit_pause(30)};
    size_t index = 9;
    CHECK_INT(pp_cancel(f[1]), PP_OK);
    CHECK_INT(pp_wait_failed(f, 2, -1, &index), PP_OK);
    CHECK_INT(index, 1);
    CHECK_INT(pp_release(f[1]), PP_OK);
    fetch_job(f[0], 1);
}

static void first_exception_without_any(void)
{
    pp_future f[3] = {submit_value(2), submit_pause(0.03), submit_value(4)};
    size_t index = 9;
    CHECK_INT(pp_wait_failed(f, 3, -1, &index), PP_END);
    CHECK_INT(index, 9);
    fetch_job(f[0], 2);
    fetch_job(f[1], 1);
    fetch_job(f[2], 4);
}

/* ---- wait: ALL_COMPLETED */

static void all_completed(void)
{
    pp_future f[4] = {submit_value(1), submit_job((struct job){.value = 1, .how = FAILS}, NULL), submit_pause(0.05),
                      submit_job((struct job){.how = ABORTS}, NULL)};
    CHECK_INT(pp_wait_all(f, 4, -1), PP_OK);
    for (int i = 0; i < 4; i++) {
        CHECK_INT(pp_done(f[i]), 1);
        CHECK_INT(pp_release(f[i]), PP_OK);
    }
}

static void a_time_out_tells_the_finished_from_the_rest(void)
{
    pp_future f[3] = {submit_value(1), submit_pause(patience(0.6)), submit_value(3)};
    CHECK_INT(pp_wait_all(f, 3, 0.2), PP_TIMEOUT);
    CHECK_INT(pp_done(f[1]), 0);
    if (pp_get_ncpus(server) > 1) {
        CHECK_INT(pp_done(f[0]), 1);
        CHECK_INT(pp_done(f[2]), 1);
    }
    for (int i = 0; i < 3; i++) CHECK_INT(pp_wait(f[i]), PP_OK);
    for (int i = 0; i < 3; i++) CHECK_INT(pp_release(f[i]), PP_OK);
}

/* A crash breaks no pool: what waited and what comes later runs. */
static void a_crash_breaks_nothing(void)
{
    enum { N = 60 };
    pp_future f[N];
    for (int i = 0; i < N; i++) f[i] = submit_job((struct job){.value = i % 100, .how = i % 6 == 5 ? ABORTS : FINE}, NULL);
    for (int i = 0; i < N; i++) {
        if (i % 6 != 5) {
            fetch_job(f[i], i);
            continue;
        }
        CHECK_INT(pp_fetch(f[i], NULL, 0), PP_ERR_CRASHED);
        CHECK_INT(info_of(f[i]).signal, SIGABRT);
        CHECK_INT(pp_release(f[i]), PP_OK);
    }
    check_farm_works();
}

/* ---- retries and names */

static void retries_are_counted_and_end(void)
{
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    o.retries = 3;
    uint64_t before = stats_now().retried;
    pp_future f = submit_job((struct job){.value = 4, .how = ABORTS, .until = 3}, &o);
    pp_future g = submit_job((struct job){.value = 5, .how = LEAVES}, &o);
    pp_future h = submit_job((struct job){.value = 6, .how = FAILS}, &o);
    CHECK_INT(pp_wait(f), PP_OK);
    CHECK_INT(info_of(f).attempts, 3);
    CHECK_INT(fetch_job(f, 4).attempt, 3);
    CHECK_INT(pp_fetch(g, NULL, 0), PP_ERR_CRASHED);
    CHECK_INT(info_of(g).attempts, 4);
    CHECK_INT(info_of(g).code, 5);
    CHECK_INT(pp_fetch(h, NULL, 0), PP_ERR_TASK);
    CHECK_INT(info_of(h).attempts, 1);
    CHECK_INT(stats_now().retried - before, 2 + 3);
    CHECK_INT(pp_release(g), PP_OK);
    CHECK_INT(pp_release(h), PP_OK);
}

static void a_name_is_told(void)
{
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    char name[100];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    o.name = name;
    pp_future f = submit_job((struct job){.value = 1, .seconds = 0.05}, &o);
    strcpy(name, "changed");
    pp_future g = submit_job((struct job){.how = FAILS}, &o), h = submit_value(1);
    CHECK_INT(strlen(info_of(f).name), 63);
    CHECK_INT(info_of(f).name[62], 'n');
    CHECK_INT(pp_wait(g), PP_OK);
    CHECK_INT(strcmp(info_of(g).name, "changed"), 0);
    CHECK_INT(pp_wait(f), PP_OK);
    CHECK_INT(strlen(info_of(f).name), 63);
    CHECK_INT(*info_of(h).name, 0);
    fetch_job(f, 1);
    fetch_job(h, 1);
    CHECK_INT(pp_release(g), PP_OK);
}

static void a_template_is_its_function_with_its_options(void)
{
    pp_template t = {do_job, PP_SUBMIT_OPTIONS_INIT};
    t.options.name = "of the template";
    t.options.group = "templates";
    t.options.retries = 1;
    struct job fine = {.value = 8, .how = ABORTS, .until = 2}, crashes = {.how = ABORTS};
    for (int i = 0; i < 5; i++) {
        pp_future f = pp_template_submit(server, &t, &fine, sizeof fine), g = pp_template_submit(server, &t, &crashes, sizeof crashes);
        CHECK_INT(pp_wait_group(server, "templates", -1), PP_OK);
        CHECK_INT(pp_done(f), 1);
        CHECK_INT(strcmp(info_of(f).name, "of the template"), 0);
        CHECK_INT(fetch_job(f, 8).attempt, 2);
        CHECK_INT(info_of(g).attempts, 2);
        CHECK_INT(pp_release(g), PP_OK);
    }
    CHECK_INT(pp_template_submit(server, NULL, NULL, 0).id, 0);
    CHECK_INT(pp_last_error_code(), PP_ERR_ARG);
    t.function = NULL;
    CHECK_INT(pp_template_submit(server, &t, NULL, 0).id, 0);
    CHECK_INT(pp_last_error_code(), PP_ERR_ARG);
}

/* The close waits for what is pending: what ran has left its mark. */
static long pending_mark;

static void work_is_left_to_the_close(void)
{
    pending_mark = (long)getpid();
    for (int i = 0; i < 30; i++) submit_job((struct job){.value = i, .seconds = 0.01, .mark = pending_mark}, NULL);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_call_has_its_result),
        TEST(a_failure_is_given_each_time_it_is_asked_for),
        TEST(states_go_from_queued_over_running_to_finished),
        TEST(a_wait_that_times_out_can_be_repeated),
        TEST(another_thread_may_fetch_it),
        TEST(first_completed),
        TEST(first_completed_of_some_that_have_already),
        TEST(first_exception),
        TEST(first_exception_when_one_has_failed_already),
        TEST(first_exception_counts_the_cancelled),
        TEST(first_exception_without_any),
        TEST(all_completed),
        TEST(a_time_out_tells_the_finished_from_the_rest),
        TEST(a_crash_breaks_nothing),
        TEST(retries_are_counted_and_end),
        TEST(a_name_is_told),
        TEST(a_template_is_its_function_with_its_options),
        TEST(work_is_left_to_the_close),
    };
    open_or_exit(&argc, &argv, NULL);
    RUN_TESTS(tests);
    char path[64];
    long values[40];
    mark_path(pending_mark, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK_INT(read(fd, values, sizeof values), 30 * sizeof(long));
    close(fd);
    unlink(path);
    return failures ? 1 : 0;
}
