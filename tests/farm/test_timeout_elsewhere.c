/* A task that is tried again after a crash or a time-out runs on another worker than the one that it failed on, as long as
 * there is another in the farm, and on the same when there is none. ranks: 2 4 */
#include "farm/test_futures.h"

enum { TRIES_MOST = 64 };

struct tries {
    int count, worker[TRIES_MOST];
    double begun[TRIES_MOST];
};

struct order {
    char file[64]; /* where each try leaves its worker's number */
    int fail;      /* so many tries */
    int hang;      /* 1: they run past their time-out instead of crashing */
};

static void fail_first(pp_task *task)
{
    const struct order *o = pp_task_args(task, NULL);
    struct {
        int worker;
        double begun;
    } mark = {pp_task_worker(task), seconds_now()};
    int fd = open(o->file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (write(fd, &mark, sizeof mark) != (ssize_t)sizeof mark) exit(99);
    close(fd);
    if (pp_task_attempt(task) > o->fail) return;
    if (o->hang) pause_for(60);
    raise(SIGKILL);
}

static pp_future submit_failing(struct order *o, int number, int fail, int hang)
{
    pp_submit_options options = PP_SUBMIT_OPTIONS_INIT;
    *o = (struct order){.fail = fail, .hang = hang};
    snprintf(o->file, sizeof o->file, "/tmp/ppmpi-test-%ld-%d", (long)getpid(), number);
    unlink(o->file);
    options.retries = TRIES_MOST - 1;
    if (hang) options.timeout = 0.05;
    pp_future f = pp_submit_with(server, fail_first, o, sizeof *o, &options);
    CHECK(f.id != 0);
    return f;
}

static struct tries tries_of(const struct order *o)
{
    struct tries t = {0};
    struct {
        int worker;
        double begun;
    } mark;
    FILE *file = fopen(o->file, "re");
    while (file && t.count < TRIES_MOST && fread(&mark, sizeof mark, 1, file) == 1) {
        t.worker[t.count] = mark.worker;
        t.begun[t.count++] = mark.begun;
    }
    if (file) fclose(file);
    unlink(o->file);
    return t;
}

/* Until one more task has been put back to be tried again, and a little longer. */
static void wait_for_retry(uint64_t before)
{
    double until = seconds_now() + 20;
    while (stats_now().retried == before && seconds_now() < until) pause_for(0.001);
    pause_for(0.02);
}

/* Waits for it, and looks where its tries ran. */
static void check_tries(pp_future f, const struct order *o, int others)
{
    CHECK_INT(pp_wait_for(f, 30), PP_OK);
    CHECK_INT(pp_fetch(f, NULL, 0), PP_OK);
    struct tries t = tries_of(o);
    CHECK_INT(t.count, o->fail + 1);
    for (int i = 1; i < t.count; i++) {
        if (others)
            CHECK(t.worker[i] != t.worker[i - 1]);
        else
            CHECK_INT(t.worker[i], t.worker[i - 1]);
    }
}

static void each_try_runs_on_another_worker_than_the_one_before(void)
{
    for (int hang = 0; hang < 2; hang++) {
        struct order o;
        pp_future f = submit_failing(&o, 0, 8, hang);
        check_tries(f, &o, 1);
    }
}

static void so_it_is_when_many_fail_among_others(void)
{
    enum { N = 40 };
    struct order o[N];
    pp_future f[N], fine[4 * N];
    for (int i = 0; i < N; i++) {
        f[i] = submit_failing(&o[i], i, 1 + i % 4, i % 10 == 9);
        for (int k = 0; k < 4; k++) fine[4 * i + k] = submit_job((struct job){.value = i, .seconds = 0.0005 * k}, NULL);
    }
    for (int i = 0; i < N; i++) check_tries(f[i], &o[i], 1);
    for (int i = 0; i < 4 * N; i++) fetch_job(fine[i], i / 4);
}

/* Workers of the others nodes' ranks stay when rank 0's node has only one. */
static int alone(void)
{
    CHECK_INT(pp_set_ncpus(server, 1), PP_OK);
    return pp_get_ncpus(server) == 1;
}

static void a_single_worker_tries_again_itself(void)
{
    if (!alone()) return;
    for (int hang = 0; hang < 2; hang++) {
        struct order o;
        pp_future f = submit_failing(&o, 0, 3, hang);
        check_tries(f, &o, 0);
    }
}

/* While all others are busy the task waits, and those behind it do not. */
static void it_waits_for_a_busy_one_and_nobody_waits_behind_it(void)
{
    if (!alone()) return;
    CHECK_INT(pp_set_ncpus(server, 2), PP_OK);
    pp_future busy = submit_job((struct job){.value = 1, .seconds = patience(0.6)}, NULL);
    CHECK(wait_for_state(busy, PP_RUNNING));
    struct order o;
    pp_future f = submit_failing(&o, 0, 1, 0), fine[20];
    for (int i = 0; i < 20; i++) fine[i] = submit_value(i);
    for (int i = 0; i < 20; i++) fetch_job(fine[i], i);
    CHECK_INT(pp_done(busy), 0);
    struct report r = fetch_job(busy, 1);
    CHECK_INT(pp_fetch(f, NULL, 0), PP_OK);
    struct tries t = tries_of(&o);
    CHECK_INT(t.count, 2);
    CHECK(t.worker[0] != r.worker);
    CHECK_INT(t.worker[1], r.worker);
    CHECK(t.begun[1] >= r.ended);
}

/* … but not for one that goes. */
static void it_does_not_wait_for_one_that_is_taken_away(void)
{
    if (!alone()) return;
    CHECK_INT(pp_set_ncpus(server, 2), PP_OK);
    /* It is worker 1 that is taken away, and has to be busy. */
    pp_future busy = submit_job((struct job){.value = 1, .seconds = patience(0.6)}, NULL);
    CHECK(wait_for_state(busy, PP_RUNNING));
    if (info_of(busy).worker == 0) {
        pp_future other = submit_job((struct job){.value = 1, .seconds = patience(0.6)}, NULL);
        CHECK(wait_for_state(other, PP_RUNNING));
        CHECK_INT(pp_cancel(busy), PP_OK);
        CHECK_INT(pp_wait(busy), PP_OK);
        pp_release(busy);
        busy = other;
    }
    CHECK_INT(info_of(busy).worker, 1);
    struct order o;
    uint64_t before = stats_now().retried;
    pp_future f = submit_failing(&o, 0, 1, 0);
    wait_for_retry(before);
    CHECK_INT(pp_set_ncpus(server, 1), PP_OK);
    CHECK_INT(pp_wait_for(f, 20), PP_OK);
    CHECK_INT(pp_done(busy), 0);
    check_tries(f, &o, 0);
    fetch_job(busy, 1);
}

static void one_that_waits_can_be_cancelled(void)
{
    if (!alone()) return;
    CHECK_INT(pp_set_ncpus(server, 2), PP_OK);
    pp_future busy = submit_job((struct job){.value = 1, .seconds = patience(0.4)}, NULL);
    CHECK(wait_for_state(busy, PP_RUNNING));
    struct order o;
    uint64_t before = stats_now().retried;
    pp_future f = submit_failing(&o, 0, 5, 0);
    wait_for_retry(before);
    CHECK_INT(pp_cancel(f), PP_OK);
    CHECK_INT(pp_wait_for(f, 20), PP_OK);
    CHECK_INT(pp_done(busy), 0);
    CHECK_INT(pp_fetch(f, NULL, 0), PP_ERR_CANCELLED);
    pp_release(f);
    CHECK_INT(tries_of(&o).count, 1);
    fetch_job(busy, 1);
}

static void one_that_fails_each_time_says_so(void)
{
    struct order o;
    pp_submit_options options = PP_SUBMIT_OPTIONS_INIT;
    pp_future f = submit_failing(&o, 0, 1000, 0);
    CHECK_INT(pp_cancel(f) >= 0, 1);
    CHECK_INT(pp_wait(f), PP_OK);
    pp_release(f);
    for (int retries = 0; retries < 4; retries++) {
        options.retries = retries;
        f = pp_submit_with(server, fail_first, &o, sizeof o, &options);
        CHECK_INT(pp_wait_for(f, 20), PP_OK);
        pp_task_info info = info_of(f);
        char told[32];
        snprintf(told, sizeof told, "each of its %d tries", retries + 1);
        CHECK_INT(info.status, PP_ERR_CRASHED);
        CHECK_INT(info.attempts, retries + 1);
        CHECK(strstr(info.message, "signal 9"));
        CHECK_INT(strstr(info.message, told) != NULL, retries > 0);
        CHECK_INT(strstr(info.message, "tries") != NULL, retries > 0);
        pp_release(f);
    }
    tries_of(&o);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(each_try_runs_on_another_worker_than_the_one_before),
        TEST(so_it_is_when_many_fail_among_others),
        TEST(one_that_fails_each_time_says_so),
        TEST(it_does_not_wait_for_one_that_is_taken_away),
        TEST(it_waits_for_a_busy_one_and_nobody_waits_behind_it),
        TEST(one_that_waits_can_be_cancelled),
        TEST(a_single_worker_tries_again_itself),
    };
    pp_options options = PP_OPTIONS_INIT;
    if (!launched()) options.workers = 3;
    open_or_exit(&argc, &argv, &options);
    return RUN_TESTS(tests);
}
