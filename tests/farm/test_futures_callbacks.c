/* Callbacks: when, where, in what order they run, and what they may do. ranks: 2 4 */
#include "farm/test_futures.h"

static pthread_t main_thread, callback_thread;
static _Atomic int inside, seen_thread, calls;

/* In every callback of these tests. */
static void enter(void)
{
    CHECK_INT(atomic_fetch_add(&inside, 1), 0);
    if (!atomic_exchange(&seen_thread, 1)) callback_thread = pthread_self();
    CHECK(pthread_equal(pthread_self(), callback_thread));
    CHECK(!pthread_equal(pthread_self(), main_thread));
    atomic_fetch_add(&calls, 1);
}

static void leave(void)
{
    atomic_fetch_sub(&inside, 1);
}

static void count(pp_future f, void *arg)
{
    enter();
    CHECK_INT(pp_done(f), 1);
    if (arg) ++*(int *)arg;
    leave();
}

static void count_slowly(pp_future f, void *arg)
{
    enter();
    (void)f;
    pause_for(0.1);
    ++*(int *)arg;
    leave();
}

static pp_future submit_with(struct job j, void (*callback)(pp_future, void *), void *arg)
{
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    o.callback = callback;
    o.callback_arg = arg;
    return submit_job(j, &o);
}

static void it_runs_before_any_wait_returns(void)
{
    for (int way = 0; way < 8; way++) {
        int n = 0; /* plain: the wait orders it */
        size_t index;
        pp_future g = {0}, f = submit_with((struct job){.value = 3, .seconds = way % 2 ? 0 : 0.02}, count_slowly, &n);
        if (way == 7 && pp_add_callback(f, count, &n) == PP_OK) n--;
        switch (way) {
        case 0: CHECK_INT(pp_wait(f), PP_OK); break;
        case 1: CHECK_INT(pp_wait_all(&f, 1, -1), PP_OK); break;
        case 2: CHECK_INT(pp_wait_any(&f, 1, -1, &index), PP_OK); break;
        case 3: CHECK_INT(pp_wait_failed(&f, 1, -1, &index), PP_END); break;
        case 4: CHECK_INT(pp_wait_group(server, NULL, -1), PP_OK); break;
        case 5: CHECK_INT(pp_next(server, NULL, -1, &g), PP_OK); break;
        case 6:
            while (pp_done(f) == 0) pause_for(0.002);
            break;
        default: CHECK_INT(pp_result(f, NULL, NULL), PP_OK);
        }
        CHECK_INT(n, 1);
        fetch_job(f, 3);
        while (pp_next(server, NULL, 0, &g) == PP_OK) {}
    }
}

static void it_runs_for_every_outcome_once(void)
{
    int fine = 0, failed = 0, crashed = 0, cancelled = 0, running = 0, released = 0, early = 0, late = 0;
    pp_future f[7] = {submit_with((struct job){.value = 1}, count, &fine),
                      submit_with((struct job){.value = 2, .how = FAILS}, count, &failed),
                      submit_with((struct job){.how = ABORTS}, count, &crashed)};
    f[6] = submit_with((struct job){.seconds = 60}, count, &running);
    CHECK(wait_for_state(f[6], PP_RUNNING));
    pp_future busy[64];
    int n = occupy(busy, 64, 0.05);
    f[3] = submit_with((struct job){.seconds = 60}, count, &cancelled);
    f[4] = submit_with((struct job){.value = 5}, count, &released);
    f[5] = submit_with((struct job){.value = 6}, count, &early);
    CHECK_INT(pp_cancel(f[3]), PP_OK);
    CHECK_INT(pp_cancel(f[6]), PP_OK);
    CHECK_INT(pp_release(f[4]), PP_OK);
    CHECK_INT(pp_add_callback(f[5], count, &late), PP_OK);
    CHECK_INT(pp_wait_group(server, NULL, -1), PP_OK);
    CHECK(fine == 1 && failed == 1 && crashed == 1 && cancelled == 1 && running == 1 && released == 1 && early == 1 && late == 1);
    for (int i = 0; i < 7; i++)
        if (i != 4) CHECK_INT(pp_release(f[i]), PP_OK);
    fetch_pauses(busy, n);
}

/* ---- several, in order; late ones */

static char order[64];

static void note(pp_future f, void *arg)
{
    enter();
    (void)f;
    size_t n = strlen(order);
    order[n] = *(const char *)arg;
    order[n + 1] = '\0';
    leave();
}

static void several_run_in_the_order_of_their_giving(void)
{
    static char letters[] = "abcdefghij";
    for (int round = 0; round < 50; round++) {
        order[0] = '\0';
        pp_future f = submit_with((struct job){.value = 2, .seconds = round % 5 ? 0 : 0.002}, note, letters);
        for (int i = 1; i < 10; i++) CHECK_INT(pp_add_callback(f, note, letters + i), PP_OK);
        CHECK_INT(pp_wait(f), PP_OK);
        CHECK_INT(pp_wait_group(server, NULL, -1), PP_OK); /* the late ones too */
        CHECK_INT(strcmp(order, "abcdefghij"), 0);
        fetch_job(f, 2);
    }
}

static void a_late_one_runs_at_once(void)
{
    pp_future f = submit_value(2), busy[64];
    CHECK_INT(pp_wait(f), PP_OK);
    int n = occupy(busy, 64, 0.3);
    for (int i = 0; i < 3; i++) {
        int before = atomic_load(&calls);
        CHECK_INT(pp_add_callback(f, count, NULL), PP_OK);
        double until = seconds_now() + patience(0.15);
        while (atomic_load(&calls) == before && seconds_now() < until) pause_for(0.001);
        CHECK_INT(atomic_load(&calls), before + 1);
    }
    /* Nobody waits for a late one. */
    int slow = 0;
    double began = seconds_now();
    CHECK_INT(pp_add_callback(f, count_slowly, &slow), PP_OK);
    CHECK_INT(pp_wait(f), PP_OK);
    fetch_job(f, 2);
    CHECK(seconds_now() - began < patience(0.08));
    CHECK_INT(pp_wait_group(server, NULL, -1), PP_OK);
    CHECK_INT(slow, 1);
    fetch_pauses(busy, n);
}

static void bad_arguments(void)
{
    pp_future f = submit_value(2), null = {0};
    CHECK_INT(pp_add_callback(f, NULL, NULL), PP_ERR_ARG);
    CHECK_INT(pp_add_callback(null, count, NULL), PP_ERR_HANDLE);
    fetch_job(f, 2);
    CHECK_INT(pp_add_callback(f, count, NULL), PP_ERR_HANDLE);
}

/* ---- what a callback does with its own future */

static void fetch_own(pp_future f, void *arg)
{
    enter();
    CHECK_INT(pp_wait_for(f, 0), PP_OK);
    *(long *)arg = fetch_job(f, 7).square;
    CHECK_INT(pp_done(f), PP_ERR_HANDLE);
    CHECK_INT(pp_fetch(f, NULL, 0), PP_ERR_HANDLE);
    leave();
}

static void release_own(pp_future f, void *arg)
{
    enter();
    CHECK_INT(pp_release(f), PP_OK);
    ++*(int *)arg;
    leave();
}

static void cancel_own(pp_future f, void *arg)
{
    enter();
    CHECK_INT(pp_cancel(f), PP_END);
    ++*(int *)arg;
    leave();
}

static void it_may_fetch_release_and_cancel_its_own(void)
{
    for (int round = 0; round < 100; round++) {
        long square = 0;
        int released = 0, cancelled = 0;
        pp_future f = submit_with((struct job){.value = 7}, fetch_own, &square);
        pp_future g = submit_with((struct job){.value = 8}, release_own, &released);
        pp_future h = submit_with((struct job){.value = 9}, cancel_own, &cancelled);
        if (round % 3 == 0) { /* somebody waits for what the callback takes away: the wait ends, and says so */
            int status = pp_wait(round % 2 ? f : g);
            CHECK(status == PP_OK || status == PP_ERR_HANDLE);
        }
        CHECK_INT(pp_wait_group(server, NULL, -1), PP_OK);
        CHECK(square == 49 && released == 1 && cancelled == 1);
        CHECK_INT(pp_done(f), PP_ERR_HANDLE);
        CHECK_INT(pp_done(g), PP_ERR_HANDLE);
        fetch_job(h, 9);
    }
}

/* The program gave it up; its callback can have the result all the same. */
static void it_may_fetch_what_the_program_has_released(void)
{
    long square = 0;
    pp_future f = submit_with((struct job){.value = 7, .seconds = 0.02}, fetch_own, &square);
    CHECK_INT(pp_release(f), PP_OK);
    CHECK_INT(pp_done(f), PP_ERR_HANDLE);
    CHECK_INT(pp_wait_group(server, NULL, -1), PP_OK);
    CHECK_INT(square, 49);
}

/* ---- what it does with others */

static void submit_and_fetch(pp_future f, void *arg)
{
    enter();
    (void)f;
    pp_future more[20], g = submit_job((struct job){.seconds = 60}, NULL);
    for (int i = 0; i < 20; i++) more[i] = submit_value(i);
    CHECK_INT(pp_wait_all(more, 20, 30), PP_OK);
    for (int i = 0; i < 20; i++) fetch_job(more[i], i);
    CHECK_INT(pp_cancel(g), PP_OK);
    CHECK_INT(pp_fetch(g, NULL, 0), PP_ERR_CANCELLED);
    CHECK_INT(pp_release(g), PP_OK);
    ++*(int *)arg;
    leave();
}

static void it_may_submit_wait_and_cancel(void)
{
    int n = 0;
    pp_future f[5];
    for (int i = 0; i < 5; i++) f[i] = submit_with((struct job){.value = i}, submit_and_fetch, &n);
    CHECK_INT(pp_wait_all(f, 5, 60), PP_OK);
    CHECK_INT(n, 5);
    for (int i = 0; i < 5; i++) fetch_job(f[i], i);
}

/* Each submits the next, with itself as callback: nobody is inside the library meanwhile. */
static void chain(pp_future f, void *arg)
{
    enter();
    int *left = arg;
    fetch_job(f, *left);
    if (--*left) submit_with((struct job){.value = *left}, chain, left);
    leave();
}

static void a_chain_of_callbacks_runs_by_itself(void)
{
    int left = 300;
    submit_with((struct job){.value = left}, chain, &left);
    pause_for(0.02);
    CHECK_INT(pp_wait_group(server, NULL, 60), PP_OK);
    CHECK_INT(left, 0);
}

static void try_to_close(pp_future f, void *arg)
{
    enter();
    (void)f;
    *(int *)arg = pp_server_close(server);
    CHECK_TEXT(pp_last_error(), "callback");
    leave();
}

static void it_may_not_close_the_server(void)
{
    int status = 42;
    pp_future f = submit_with((struct job){.value = 2}, try_to_close, &status);
    CHECK_INT(pp_wait(f), PP_OK);
    CHECK_INT(status, PP_ERR_STATE);
    fetch_job(f, 2);
    check_farm_works();
}

/* Two seconds of callbacks; the tasks take a moment. */
static void slow_ones_delay_no_scheduling(void)
{
    int n = 0;
    pp_future f[20];
    double began = seconds_now();
    for (int i = 0; i < 20; i++) f[i] = submit_with((struct job){.value = i}, count_slowly, &n);
    check_farm_works();
    CHECK(seconds_now() - began < 1.5);
    CHECK(atomic_load(&calls) > 0);
    double last = 0;
    CHECK_INT(pp_wait_all(f, 20, -1), PP_OK);
    CHECK(seconds_now() - began >= 2);
    for (int i = 0; i < 20; i++) {
        if (info_of(f[i]).finished > last) last = info_of(f[i]).finished;
        fetch_job(f[i], i);
    }
    CHECK_INT(n, 20);
    CHECK(stats_now().wall_time - last > 1); /* the last task had ended long before */
}

static void only_count(pp_future f, void *arg)
{
    enter();
    (void)f;
    (void)arg;
    leave();
}

/* A late callback runs while the result, large enough to be copied without the lock, is fetched. */
static void fill(pp_task *task)
{
    enum { BYTES = 300000 };
    memset(pp_task_result(task, BYTES), 42, BYTES);
}

static void a_late_one_beside_a_fetch(void)
{
    enum { BYTES = 300000 };
    char *data = malloc(BYTES);
    for (int i = 0; i < 400; i++) {
        pp_future f = pp_submit(server, fill, NULL, 0);
        CHECK_INT(pp_wait(f), PP_OK);
        CHECK_INT(pp_add_callback(f, only_count, NULL), PP_OK);
        memset(data, 0, BYTES);
        CHECK_INT(pp_fetch(f, data, BYTES), PP_OK);
        CHECK(data[0] == 42 && data[BYTES - 1] == 42);
        fetch_job(submit_value(3), 3);
    }
    free(data);
    CHECK_INT(pp_wait_group(server, NULL, -1), PP_OK);
    check_farm_works();
}

static int at_close;

static void the_close_waits_for_callbacks(void)
{
    submit_with((struct job){.value = 3}, count_slowly, &at_close);
    submit_with((struct job){.value = 3}, submit_and_fetch, &at_close);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(it_runs_before_any_wait_returns),
        TEST(it_runs_for_every_outcome_once),
        TEST(several_run_in_the_order_of_their_giving),
        TEST(a_late_one_runs_at_once),
        TEST(bad_arguments),
        TEST(it_may_fetch_release_and_cancel_its_own),
        TEST(it_may_fetch_what_the_program_has_released),
        TEST(it_may_submit_wait_and_cancel),
        TEST(a_chain_of_callbacks_runs_by_itself),
        TEST(it_may_not_close_the_server),
        TEST(slow_ones_delay_no_scheduling),
        TEST(a_late_one_beside_a_fetch),
        TEST(the_close_waits_for_callbacks),
    };
    open_or_exit(&argc, &argv, NULL);
    if (pp_get_ncpus(server) < 2) pp_set_ncpus(server, 2); /* one has a long task, on a machine with one core too */
    main_thread = pthread_self();
    RUN_TESTS(tests);
    CHECK_INT(at_close, 2);
    return failures ? 1 : 0;
}
