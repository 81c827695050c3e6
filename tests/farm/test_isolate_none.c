/* Tasks that run in the ranks themselves, opened by pp_server_open. ranks: 2 4 */
#define TEST_API_MAIN
#include "farm/test_api.h"

#include <sys/wait.h>

static int state = 1; /* changed after the server was opened */
static int initialized;
static long first_pid;
static int ranks_of_workers;

static void initialize(pp_task *task)
{
    initialized = *(const int *)pp_task_args(task, NULL);
}

struct seen {
    int state, initialized, runs, worker;
    long pid;
};

static void look(pp_task *task)
{
    static int runs;
    struct seen *s = pp_task_result(task, sizeof *s);
    *s = (struct seen){state, initialized, ++runs, pp_task_worker(task), (long)getpid()};
}

static void sleep_for(pp_task *task)
{
    pause_for(*(const double *)pp_task_args(task, NULL));
}

static void echo(pp_task *task)
{
    size_t bytes;
    const void *args = pp_task_args(task, &bytes);
    void *to = pp_task_result(task, bytes);
    if (to && bytes) memcpy(to, args, bytes);
}

static void fail(pp_task *task)
{
    pp_task_fail(task, 5, "five");
}

static void fork_and_return(pp_task *task)
{
    pid_t pid = fork();
    if (pid == 0) return; /* ends here, and does not go on as a second rank */
    int status = -1;
    waitpid(pid, &status, 0);
    *(int *)pp_task_result(task, sizeof(int)) = status;
}

static void print(pp_task *task)
{
    printf("task %llu\n", (unsigned long long)pp_task_id(task));
}

static int alone(void)
{
    return ranks_of_workers == 0;
}

static void one_worker_in_each_rank(void)
{
    pp_node node;
    CHECK_INT(pp_get_active_nodes(server, &node, 1), 1);
    ranks_of_workers = node.ranks - 1;
    CHECK_INT(pp_get_ncpus(server), alone() ? 1 : ranks_of_workers);
    CHECK_INT(node.workers, alone() ? 1 : ranks_of_workers);
    CHECK_ERROR(pp_set_ncpus(server, 2), PP_ERR_UNSUPPORTED, "PP_ISOLATE_NONE");
}

static void tasks_see_and_change_the_rank(void)
{
    enum { N = 200, WORKERS_MOST = 8 };
    pp_future f[N];
    int tasks[WORKERS_MOST] = {0}, runs[WORKERS_MOST] = {0};
    state = 2;
    for (int i = 0; i < N; i++) f[i] = pp_submit(server, look, NULL, 0);
    for (int i = 0; i < N; i++) {
        struct seen s = {0};
        CHECK_INT(pp_fetch(f[i], &s, sizeof s), PP_OK);
        CHECK_INT(s.state, alone() ? 2 : 1);
        CHECK_INT(s.initialized, 77);
        CHECK(s.worker >= 0 && s.worker < pp_get_ncpus(server));
        if (s.worker == 0) {
            if (!first_pid) first_pid = s.pid;
            CHECK_INT(s.pid, first_pid);
        }
        if (s.worker >= 0 && s.worker < WORKERS_MOST) {
            tasks[s.worker]++;
            if (s.runs > runs[s.worker]) runs[s.worker] = s.runs;
        }
        CHECK((s.pid == (long)getpid()) == alone());
    }
    for (int i = 0; i < WORKERS_MOST; i++)
        CHECK_INT(runs[i], tasks[i]); /* static variables stay */
}

static void outcomes_and_sizes(void)
{
    CHECK_ERROR(pp_fetch(pp_submit(server, fail, NULL, 0), NULL, 0), PP_ERR_TASK, "five");
    static const size_t sizes[] = {0, 1, 24, 25, 65536, 65537, 5000000};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *data = malloc(sizes[i] + 1), *back = malloc(sizes[i] + 1);
        fill_pattern(data, sizes[i], i);
        CHECK_INT(pp_fetch(pp_submit(server, echo, data, sizes[i]), back, sizes[i]), PP_OK);
        CHECK(has_pattern(back, sizes[i], i));
        free(data);
        free(back);
    }
    int status = -1;
    CHECK_INT(pp_fetch(pp_submit(server, fork_and_return, NULL, 0), &status, sizeof status), PP_OK);
    CHECK_INT(status, 0);
}

static void a_time_out_is_told_when_the_task_returns(void)
{
    double seconds = 0.3;
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    o.timeout = 0.05;
    pp_future f = pp_submit_with(server, sleep_for, &seconds, sizeof seconds, &o);
    double began = seconds_now();
    CHECK_ERROR(pp_fetch(f, NULL, 0), PP_ERR_TIMEOUT, "0.05 s");
    CHECK(seconds_now() - began >= 0.25);
    CHECK_INT(pp_release(f), PP_OK);
    o.timeout = 5;
    CHECK_INT(pp_fetch(pp_submit_with(server, sleep_for, &seconds, sizeof seconds, &o), NULL, 0), PP_OK);
    o.timeout = 0.05;
    o.retries = 2;
    f = pp_submit_with(server, sleep_for, &seconds, sizeof seconds, &o);
    CHECK_INT(pp_fetch(f, NULL, 0), PP_ERR_TIMEOUT);
    pp_task_info info = {.size = sizeof info};
    CHECK_INT(pp_info(f, &info), PP_OK);
    CHECK_INT(info.attempts, 3);
}

static void a_running_task_cannot_be_cancelled_a_queued_one_can(void)
{
    double seconds = 0.5;
    pp_future running = pp_submit(server, sleep_for, &seconds, sizeof seconds), queued[20];
    for (int i = 0; i < 20; i++) queued[i] = pp_submit(server, sleep_for, &seconds, sizeof seconds);
    if (!alone()) {
        pause_for(0.1);
        CHECK_ERROR(pp_cancel(running), PP_ERR_UNSUPPORTED, "cannot be ended");
    }
    for (int i = 0; i < 20; i++)
        if (alone() || i >= ranks_of_workers) CHECK_INT(pp_cancel(queued[i]), PP_OK);
    CHECK_INT(pp_wait_all(queued, 20, 60), PP_OK);
    CHECK_INT(pp_fetch(queued[19], NULL, 0), PP_ERR_CANCELLED);
    CHECK_INT(pp_fetch(running, NULL, 0), PP_OK);
}

/* Long tasks are handed out one at a time: none waits behind another while a rank is idle. */
static void long_tasks_are_shared_evenly(void)
{
    if (ranks_of_workers < 2) return;
    double seconds = 0.2;
    pp_future f[12];
    int workers = pp_get_ncpus(server), jobs[8] = {0};
    for (int i = 0; i < 4 * workers; i++) f[i] = pp_submit(server, sleep_for, &seconds, sizeof seconds);
    CHECK_INT(pp_wait_all(f, (size_t)(4 * workers), 60), PP_OK);
    for (int i = 0; i < 4 * workers; i++) {
        pp_task_info info = {.size = sizeof info};
        CHECK_INT(pp_info(f[i], &info), PP_OK);
        if (info.worker >= 0 && info.worker < 8) jobs[info.worker]++;
        CHECK_INT(pp_release(f[i]), PP_OK);
    }
    for (int i = 0; i < workers; i++) CHECK(jobs[i] >= 3);
}

static void what_tasks_print_is_out_when_they_have_finished(void)
{
    CHECK_INT(pp_fetch(pp_submit(server, print, NULL, 0), NULL, 0), PP_OK);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {TEST(one_worker_in_each_rank),
                                        TEST(tasks_see_and_change_the_rank),
                                        TEST(outcomes_and_sizes),
                                        TEST(a_time_out_is_told_when_the_task_returns),
                                        TEST(a_running_task_cannot_be_cancelled_a_queued_one_can),
                                        TEST(long_tasks_are_shared_evenly),
                                        TEST(what_tasks_print_is_out_when_they_have_finished)};
    int value = 77;
    pp_options o = PP_OPTIONS_INIT;
    o.isolation = PP_ISOLATE_NONE;
    o.initializer = initialize;
    o.initializer_args = &value;
    o.initializer_bytes = sizeof value;
    open_or_exit(&argc, &argv, &o);
    return run_tests(tests, sizeof tests / sizeof *tests);
}
