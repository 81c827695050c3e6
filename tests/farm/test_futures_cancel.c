/* pp_cancel in every state a task can be in. ranks: 2 4 */
#include "farm/test_futures.h"

static long mark;

static int marks(void)
{
    char path[64];
    mark_path(mark, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    off_t size = lseek(fd, 0, SEEK_END);
    close(fd);
    unlink(path);
    return (int)(size / (off_t)sizeof(long));
}

static void check_cancelled(pp_future f)
{
    struct report r = {.square = 77};
    CHECK_INT(pp_wait_for(f, 30), PP_OK);
    CHECK_INT(pp_fetch(f, &r, sizeof r), PP_ERR_CANCELLED);
    CHECK_INT(r.square, 77);
    CHECK_INT(pp_last_error_code(), PP_ERR_CANCELLED);
    pp_task_info i = info_of(f);
    CHECK_INT(i.state, PP_FINISHED);
    CHECK_INT(i.status, PP_ERR_CANCELLED);
    CHECK(*i.message);
    CHECK_INT(pp_cancel(f), PP_END); /* again: it has finished */
    CHECK_INT(pp_release(f), PP_OK);
    CHECK_INT(pp_cancel(f), PP_ERR_HANDLE);
}

static void a_queued_task_never_starts(void)
{
    enum { N = 30 };
    pp_future busy[64], f[N];
    int n = occupy(busy, 64, 0.1);
    uint64_t before = stats_now().cancelled;
    for (int i = 0; i < N; i++) f[i] = submit_job((struct job){.value = i, .mark = mark}, NULL);
    for (int i = N; i-- > 0;) {
        CHECK_INT(info_of(f[i]).state, PP_QUEUED);
        CHECK_INT(pp_cancel(f[i]), PP_OK);
    }
    CHECK_INT(pp_wait_all(f, N, 30), PP_OK);
    CHECK_INT(stats_now().cancelled - before, N);
    for (int i = 0; i < N; i++) check_cancelled(f[i]);
    fetch_pauses(busy, n);
    check_farm_works();
    CHECK_INT(marks(), 0);
}

static void one_in_the_middle_of_the_queue(void)
{
    enum { N = 200 };
    pp_future f[N];
    for (int i = 0; i < N; i++) f[i] = submit_job((struct job){.value = i, .seconds = 0.001, .mark = mark}, NULL);
    int cancelled = 0, asked[N] = {0};
    for (int i = N - 1; i > 0; i -= 3) asked[i] = pp_cancel(f[i]) == PP_OK, cancelled += asked[i];
    CHECK(cancelled > 10);
    for (int i = 0; i < N; i++) {
        if (asked[i])
            check_cancelled(f[i]);
        else
            fetch_job(f[i], i);
    }
    CHECK(marks() >= N - cancelled);
}

static void a_running_task_is_killed_with_its_worker(void)
{
    pp_future f = submit_pause(60);
    CHECK(wait_for_state(f, PP_RUNNING));
    pp_task_info i = info_of(f);
    CHECK(i.pid > 1 && i.rank >= 0 && i.worker >= 0);
    double began = seconds_now();
    int status = pp_cancel(f);
    CHECK(seconds_now() - began < patience(0.2)); /* does not wait */
    CHECK_INT(status, PP_OK);
    status = pp_cancel(f);
    CHECK(status == PP_OK || status == PP_END); /* again: perhaps it is gone by now */
    CHECK_INT(pp_wait_for(f, patience(5)), PP_OK);
    CHECK(kill((pid_t)i.pid, 0) != 0);
    CHECK_INT(info_of(f).pid, i.pid);
    CHECK_INT(info_of(f).attempts, 1);
    check_cancelled(f);
    int workers = pp_get_ncpus(server);
    check_farm_works();
    CHECK_INT(pp_get_ncpus(server), workers);
}

/* On every worker of every rank. */
static void all_running_tasks_at_once(void)
{
    pp_future f[64];
    int n = pp_get_ncpus(server);
    if (n > 64) return;
    for (int round = 0; round < 5; round++) {
        int on[64] = {0};
        for (int i = 0; i < n; i++) f[i] = submit_pause(60);
        for (int i = 0; i < n; i++) {
            CHECK(wait_for_state(f[i], PP_RUNNING));
            on[info_of(f[i]).worker & 63]++;
        }
        for (int i = 0; i < n; i++) CHECK_INT(on[i], 1);
        for (int i = 0; i < n; i++) CHECK_INT(pp_cancel(f[i]), PP_OK);
        for (int i = 0; i < n; i++) check_cancelled(f[i]);
        check_farm_works();
    }
}

/* What waits behind a task that is killed is not harmed, and not charged. */
static void those_behind_a_running_task_are_spared(void)
{
    for (int round = 0; round < 10; round++) {
        int n = 8 * pp_get_ncpus(server);
        pp_future f[512];
        if (n > 512) return;
        pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
        o.retries = 0;
        for (int i = 0; i < n; i++) f[i] = submit_job((struct job){.value = i, .seconds = i % 2 ? 0 : 60}, &o);
        for (int i = 0; i < n; i += 2) CHECK_INT(pp_cancel(f[i]), PP_OK);
        for (int i = 1; i < n; i += 2) CHECK_INT(fetch_job(f[i], i).attempt, 1);
        for (int i = 0; i < n; i += 2) check_cancelled(f[i]);
    }
}

/* Handed to a worker, where it waits behind another. */
static void a_task_that_waits_in_a_worker_never_starts(void)
{
    for (int round = 0; round < 20; round++) {
        int n = 2 * pp_get_ncpus(server);
        pp_future f[128];
        if (n > 128) return;
        for (int i = 0; i < n; i++) f[i] = submit_job((struct job){.value = i, .seconds = 0.01, .mark = mark}, NULL);
        int running[128], cancelled = 0;
        for (int i = 0; i < n; i++) running[i] = 1;
        for (int i = n - 1; i >= n / 2; i--) {
            running[i] = info_of(f[i]).state != PP_QUEUED;
            if (!running[i]) running[i] = pp_cancel(f[i]) != PP_OK, cancelled += !running[i];
        }
        for (int i = 0; i < n; i++) {
            if (running[i])
                fetch_job(f[i], i);
            else
                check_cancelled(f[i]);
        }
        CHECK(marks() >= n - cancelled);
    }
}

static void a_finished_task_stays_as_it_is(void)
{
    pp_future f = submit_value(9), g = submit_job((struct job){.value = 3, .how = FAILS}, NULL),
              h = submit_job((struct job){.how = ABORTS}, NULL);
    CHECK_INT(pp_wait(f), PP_OK);
    CHECK_INT(pp_wait(g), PP_OK);
    CHECK_INT(pp_wait(h), PP_OK);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(pp_cancel(f), PP_END);
        CHECK_INT(pp_cancel(g), PP_END);
        CHECK_INT(pp_cancel(h), PP_END);
    }
    fetch_job(f, 9);
    CHECK_INT(pp_fetch(g, NULL, 0), PP_ERR_TASK);
    CHECK_INT(pp_fetch(h, NULL, 0), PP_ERR_CRASHED);
    CHECK_INT(pp_release(g), PP_OK);
    CHECK_INT(pp_release(h), PP_OK);
}

static void a_null_or_stale_future_is_a_handle_error(void)
{
    pp_future f = submit_value(9), null = {0}, strange = {0x1234567890abcdef};
    fetch_job(f, 9);
    CHECK_INT(pp_cancel(f), PP_ERR_HANDLE);
    CHECK_INT(pp_cancel(null), PP_ERR_HANDLE);
    CHECK_INT(pp_cancel(strange), PP_ERR_HANDLE);
}

static void it_is_not_tried_again(void)
{
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    o.retries = 50;
    o.timeout = 30;
    pp_future f = submit_job((struct job){.seconds = 60}, &o);
    uint64_t before = stats_now().retried;
    CHECK(wait_for_state(f, PP_RUNNING));
    CHECK_INT(pp_cancel(f), PP_OK);
    check_cancelled(f);
    CHECK_INT(stats_now().retried, before);
    /* Between two tries. */
    for (int i = 0; i < 30; i++) {
        f = submit_job((struct job){.how = ABORTS}, &o);
        pause_for(0.0007 * i);
        int status = pp_cancel(f);
        CHECK(status == PP_OK || (status == PP_END && info_of(f).attempts == 51));
        CHECK_INT(pp_wait_for(f, 30), PP_OK);
        CHECK_INT(info_of(f).status, status == PP_OK ? PP_ERR_CANCELLED : PP_ERR_CRASHED);
        CHECK_INT(pp_release(f), PP_OK);
    }
}

static void *wait_for_it(void *arg)
{
    CHECK_INT(pp_wait(*(pp_future *)arg), PP_OK);
    CHECK_INT(pp_fetch(*(pp_future *)arg, NULL, 0), PP_ERR_CANCELLED);
    return NULL;
}

static void a_waiter_is_woken(void)
{
    pp_future busy[64], f[2];
    int n = occupy(busy, 64, 0.3);
    pthread_t thread[2];
    f[0] = submit_pause(60); /* behind the others */
    CHECK_INT(info_of(f[0]).state, PP_QUEUED);
    pthread_create(&thread[0], NULL, wait_for_it, &f[0]);
    pause_for(0.05);
    double began = seconds_now();
    CHECK_INT(pp_cancel(f[0]), PP_OK);
    pthread_join(thread[0], NULL);
    CHECK(seconds_now() - began < patience(0.15));
    fetch_pauses(busy, n);
    f[1] = submit_pause(60);
    CHECK(wait_for_state(f[1], PP_RUNNING));
    pthread_create(&thread[1], NULL, wait_for_it, &f[1]);
    pause_for(0.05);
    began = seconds_now();
    CHECK_INT(pp_cancel(f[1]), PP_OK);
    pthread_join(thread[1], NULL);
    CHECK(seconds_now() - began < patience(1));
    check_cancelled(f[0]);
    check_cancelled(f[1]);
}

/* Arguments and results that travel in pieces. */
static void reverse(pp_task *task)
{
    size_t bytes;
    const char *in = pp_task_args(task, &bytes);
    char *out = pp_task_result(task, bytes);
    for (size_t i = 0; i < bytes; i++) out[i] = in[bytes - 1 - i];
}

static void large_ones_on_their_way(void)
{
    enum { N = 24, BYTES = 1 << 20 };
    pp_future f[N];
    char *data = malloc(BYTES), *back = malloc(BYTES);
    for (int i = 0; i < BYTES; i++) data[i] = (char)(i % 251);
    for (int round = 0; round < 5; round++) {
        int cancelled[N] = {0};
        for (int i = 0; i < N; i++) CHECK((f[i] = pp_submit(server, reverse, data, BYTES)).id != 0);
        for (int i = round % 3; i < N; i += 3) {
            pause_for(0.0005 * round);
            cancelled[i] = pp_cancel(f[i]) == PP_OK;
        }
        for (int i = 0; i < N; i++) {
            if (cancelled[i]) {
                check_cancelled(f[i]);
                continue;
            }
            memset(back, 0, BYTES);
            CHECK_INT(pp_fetch(f[i], back, BYTES), PP_OK);
            int wrong = 0;
            for (int k = 0; k < BYTES; k++) wrong += back[k] != data[BYTES - 1 - k];
            CHECK_INT(wrong, 0);
        }
    }
    free(data);
    free(back);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_queued_task_never_starts),
        TEST(one_in_the_middle_of_the_queue),
        TEST(a_running_task_is_killed_with_its_worker),
        TEST(all_running_tasks_at_once),
        TEST(those_behind_a_running_task_are_spared),
        TEST(a_task_that_waits_in_a_worker_never_starts),
        TEST(a_finished_task_stays_as_it_is),
        TEST(a_null_or_stale_future_is_a_handle_error),
        TEST(it_is_not_tried_again),
        TEST(a_waiter_is_woken),
        TEST(large_ones_on_their_way),
    };
    open_or_exit(&argc, &argv, NULL);
    mark = (long)getpid();
    int status = RUN_TESTS(tests);
    marks();
    return status;
}
