/* The initializer: once in each worker, before its first task; one that fails or crashes fails every task, soon. Plainly all
 * ways, one after the other; under a launcher, where a server is opened once, the good one. ranks: 2 */
#include "farm/test_futures.h"

struct setting {
    int magic, padding[100]; /* too large to travel inline */
    long mark;
};

static int initialized, value; /* in the worker */

static void initialize(pp_task *task)
{
    size_t bytes;
    const struct setting *s = pp_task_args(task, &bytes);
    if (bytes != sizeof *s) pp_task_fail(task, 1, "%zu bytes", bytes);
    initialized++;
    value = s->magic;
    printf("initialized\n");
}

static void initialize_slowly(pp_task *task)
{
    pause_for(0.3);
    initialize(task);
}

static void leave_mark(pp_task *task)
{
    char path[64];
    mark_path(((const struct setting *)pp_task_args(task, NULL))->mark, path);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (write(fd, "x", 1) == 1) close(fd);
}

static void fail(pp_task *task)
{
    leave_mark(task);
    pp_task_fail(task, 77, "no table of %s", "constants");
    printf("this initializer fails\n");
}

static void crash(pp_task *task)
{
    leave_mark(task);
    abort();
}

static void leave_process(pp_task *task)
{
    leave_mark(task);
    exit(9);
}

struct seen {
    int initialized, value;
    long pid;
};

static void look(pp_task *task)
{
    struct seen *s = pp_task_result(task, sizeof *s);
    *s = (struct seen){initialized, value, (long)getpid()};
}

/* Runs `what` with stdout going into a file; returns how many of its lines are `line`. */
static int lines_of(void (*what)(void), const char *line)
{
    char text[256];
    int n = 0, old = dup(STDOUT_FILENO);
    FILE *file = tmpfile();
    fflush(stdout);
    dup2(fileno(file), STDOUT_FILENO);
    what();
    fflush(stdout);
    dup2(old, STDOUT_FILENO);
    close(old);
    rewind(file);
    while (fgets(text, sizeof text, file)) n += strcmp(text, line) == 0;
    fclose(file);
    return n;
}

static pp_options options = PP_OPTIONS_INIT;
static struct setting setting = {.magic = 4711};
static int workers_begun, crashes;

static void run_with_crashes(void)
{
    enum { N = 200 };
    pp_future f[N];
    long pids[N];
    int pid_count = 0;
    open_or_exit(NULL, NULL, &options);
    setting.magic = 1; /* a copy was taken */
    for (int i = 0; i < N; i++)
        f[i] = i % 50 == 20 ? submit_job((struct job){.how = ABORTS}, NULL) : pp_submit(server, look, NULL, 0);
    for (int i = 0; i < N; i++) {
        struct seen s;
        if (i % 50 == 20) {
            CHECK_INT(pp_fetch(f[i], NULL, 0), PP_ERR_CRASHED);
            crashes++;
            continue;
        }
        CHECK_INT(pp_fetch(f[i], &s, sizeof s), PP_OK);
        CHECK_INT(s.initialized, 1);
        CHECK_INT(s.value, 4711);
        int known = 0;
        for (int k = 0; k < pid_count; k++) known |= pids[k] == s.pid;
        if (!known) pids[pid_count++] = s.pid;
    }
    workers_begun = pp_get_ncpus(server);
    CHECK(pid_count >= 1 && pid_count <= workers_begun + crashes);
    CHECK_INT(pp_server_close(server), PP_OK);
    server = NULL;
    setting.magic = 4711;
}

static void it_runs_once_in_each_worker(void)
{
    options.initializer = initialize;
    options.initializer_args = &setting;
    options.initializer_bytes = sizeof setting;
    int lines = lines_of(run_with_crashes, "initialized\n");
    if (!launched()) CHECK(lines >= workers_begun && lines <= workers_begun + crashes);
}

static void its_tasks_wait_for_it(void)
{
    options.initializer = initialize_slowly;
    open_or_exit(NULL, NULL, &options);
    double began = seconds_now();
    struct seen s;
    pp_future f = pp_submit(server, look, NULL, 0);
    CHECK_INT(pp_fetch(f, &s, sizeof s), PP_OK);
    CHECK_INT(s.initialized, 1);
    CHECK(seconds_now() - began < patience(2));
    CHECK_INT(pp_server_close(server), PP_OK);
    server = NULL;
}

/* In how many processes the initializer has begun. */
static int begun(void)
{
    char path[64];
    mark_path(setting.mark, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    if (fd >= 0) close(fd);
    unlink(path);
    return (int)size;
}

static void every_task_fails(int status, int code, const char *message)
{
    enum { N = 300 };
    pp_future f[N];
    pp_submit_options o = PP_SUBMIT_OPTIONS_INIT;
    double began = seconds_now();
    setting.mark = (long)getpid();
    open_or_exit(NULL, NULL, &options);
    int workers = pp_get_ncpus(server);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < N; i++) {
            o.retries = i % 3;
            o.priority = i % 2;
            f[i] = pp_submit_with(server, look, NULL, 0, &o);
            CHECK(f[i].id != 0);
        }
        for (int i = 0; i < N; i++) {
            struct seen s;
            CHECK_ERROR(pp_fetch(f[i], &s, sizeof s), status, message);
            pp_task_info info = info_of(f[i]);
            CHECK_INT(info.status, status);
            if (status == PP_ERR_TASK) CHECK_INT(info.code, code);
            CHECK_TEXT(info.message, message);
            CHECK_INT(pp_release(f[i]), PP_OK);
        }
        pause_for(0.1);
    }
    CHECK_INT(stats_now().failed, 2 * N);
    CHECK_INT(pp_server_close(server), PP_OK);
    server = NULL;
    CHECK(seconds_now() - began < patience(3));
    int processes = begun();
    CHECK(processes >= 1 && processes <= (workers > 2 ? workers : 2) + 2); /* no restarting without end */
}

static void one_that_fails(void)
{
    options.initializer = fail;
    every_task_fails(PP_ERR_TASK, 77, "no table of constants");
}

static void one_that_crashes(void)
{
    options.initializer = crash;
    every_task_fails(PP_ERR_CRASHED, 0, "initializer");
}

static void one_that_leaves(void)
{
    options.initializer = leave_process;
    every_task_fails(PP_ERR_CRASHED, 0, "9");
}

static void output_of_one_that_fails(void)
{
    CHECK(lines_of(one_that_fails, "this initializer fails\n") >= 1);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(its_tasks_wait_for_it), TEST(one_that_fails),  TEST(output_of_one_that_fails),
        TEST(one_that_crashes),      TEST(one_that_leaves), TEST(it_runs_once_in_each_worker),
    };
    (void)argc;
    (void)argv;
    options.initializer_args = &setting;
    options.initializer_bytes = sizeof setting;
    if (launched()) return run_tests(tests + 5, 1);
    return RUN_TESTS(tests);
}
