/* Closing waits for what was submitted; in a plain run a server can be opened again. ranks: 1 2 */
#define TEST_API_MAIN
#include "farm/test_api.h"

#include <signal.h>
#include <sys/wait.h>

/* Tasks append a byte each to a file, to see what they did after the server is gone. */
struct how {
    double seconds;
    char path[64];
};
static struct how how = {0, "/tmp/ppmpi-test-XXXXXX"};
static int counter;

static void count(pp_task *task)
{
    const struct how *h = pp_task_args(task, NULL);
    pause_for(h->seconds);
    FILE *f = fopen(h->path, "a");
    if (!f || fputc('x', f) == EOF || fclose(f) != 0) pp_task_fail(task, 1, "cannot write to %s", h->path);
}

static int counted(void)
{
    return (int)lseek(counter, 0, SEEK_END);
}

static pp_future submit(double seconds)
{
    how.seconds = seconds;
    return pp_submit(server, count, &how, sizeof how);
}

static int launched(void)
{
    return getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMI_SIZE") || getenv("PMIX_RANK");
}

static int children(void)
{
    /* The library's processes are hidden from wait(); /proc shows them. */
    char path[64];
    int count = 0;
    long pid;
    snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)getpid());
    FILE *file = fopen(path, "r");
    while (file && fscanf(file, "%ld", &pid) == 1) count++;
    if (file) fclose(file);
    return count;
}

static int descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        char path[64], target[256];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (readlink(path, target, sizeof target) >= 0) count++;
    }
    return count;
}

static void close_waits_for_unfinished_tasks(void)
{
    CHECK_INT(ftruncate(counter, 0), 0);
    for (int i = 0; i < 20; i++) {
        pp_future f = submit(0.01);
        if (i % 2) CHECK_INT(pp_release(f), PP_OK);
    }
    pp_future kept = submit(0.05);
    double start = seconds_now();
    CHECK_INT(pp_server_close(server), PP_OK);
    CHECK_INT(counted(), 21);
    CHECK(seconds_now() - start < patience(5));
    /* It released everything. */
    CHECK_ERROR(pp_fetch(kept, NULL, 0), PP_ERR_HANDLE, "no server is open");
    CHECK_INT(pp_done(kept), PP_ERR_HANDLE);
    pp_server *closed = server;
    server = NULL;
    CHECK_ERROR(pp_server_close(closed), PP_ERR_ARG, "not open");
    CHECK_INT(pp_get_ncpus(closed), PP_ERR_ARG);
    CHECK_INT(pp_submit(closed, count, NULL, 0).id, 0);
    CHECK_INT(pp_last_error_code(), PP_ERR_ARG);
}

static void under_a_launcher_it_opens_once(void)
{
    if (!launched()) return;
    CHECK(pp_server_open(NULL, NULL, NULL) == NULL);
    CHECK_INT(pp_last_error_code(), PP_ERR_STATE);
    CHECK_TEXT(pp_last_error(), "once");
}

static void a_plain_run_opens_again(void)
{
    if (launched()) return;
    int fds = descriptors();
    pp_future old = {0};
    for (int i = 0; i < 20; i++) {
        CHECK_INT(ftruncate(counter, 0), 0);
        CHECK_INT(pp_release((pp_future){0}), PP_ERR_HANDLE); /* leaves an error, which opening clears */
        server = pp_server_open(NULL, NULL, NULL);
        CHECK(server != NULL);
        if (!server) return;
        CHECK_INT(pp_last_error_code(), PP_OK);
        CHECK_INT(strcmp(pp_last_error(), ""), 0);
        if (old.id) CHECK_INT(pp_done(old), PP_ERR_HANDLE); /* of the server before */
        pp_future f[50];
        for (int k = 0; k < 50; k++) f[k] = submit(0);
        if (old.id) CHECK_INT(pp_release(old), PP_ERR_HANDLE);
        old = f[0];
        for (int k = 0; k < 40; k++) CHECK_INT(pp_fetch(f[k], NULL, 0), PP_OK);
        pp_task_info info = {.size = sizeof info};
        CHECK_INT(pp_info(f[45], &info), PP_OK);
        CHECK_INT(info.task, 46); /* numbers start again */
        CHECK_INT(pp_server_close(server), PP_OK);
        server = NULL;
        CHECK_INT(counted(), 50);
        CHECK_INT(children(), 0);
        CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
    }
    CHECK_INT(descriptors(), fds);
}

static int remembered;

static void tell(pp_task *task)
{
    *(int *)pp_task_result(task, sizeof(int)) = remembered;
}

static void each_opening_gives_tasks_the_memory_of_its_time(void)
{
    if (launched()) return;
    for (int i = 1; i < 4; i++) {
        int seen = -1;
        remembered = i;
        open_or_exit(NULL, NULL, NULL);
        remembered = 100;
        CHECK_INT(pp_fetch(pp_submit(server, tell, NULL, 0), &seen, sizeof seen), PP_OK);
        CHECK_INT(seen, i);
        CHECK_INT(pp_server_close(server), PP_OK);
    }
    server = NULL;
}

/* A child that the program forks, and that lives on, does not hold the server up. */
static void a_forked_child_does_not_hold_up_the_close(void)
{
    if (launched()) return;
    open_or_exit(NULL, NULL, NULL);
    CHECK_INT(pp_wait(submit(0)), PP_OK);
    pid_t child = fork();
    if (child == 0) {
        pause_for(30);
        _exit(0);
    }
    double start = seconds_now();
    CHECK_INT(pp_server_close(server), PP_OK);
    CHECK(seconds_now() - start < patience(2));
    server = NULL;
    kill(child, SIGKILL);
    CHECK_INT(waitpid(child, NULL, 0), child);
}

/* What a program that ends without closing leaves: its exit status, and nothing that runs. */
static void exit_without_close_cancels_and_keeps_the_status(void)
{
    if (launched()) return;
    CHECK_INT(ftruncate(counter, 0), 0);
    double start = seconds_now();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        open_or_exit(NULL, NULL, NULL);
        for (int i = 0; i < 50; i++) submit(i < 10 ? 0 : 5);
        pause_for(0.2);
        exit(42);
    }
    int status = 0;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 42);
    CHECK(seconds_now() - start < patience(3));
    int ran = counted();
    pause_for(0.1);
    CHECK_INT(counted(), ran);
    CHECK(ran >= 1 && ran <= 10);
}

static void closing_at_once_is_quick(void)
{
    if (launched()) return;
    double start = seconds_now();
    for (int i = 0; i < 5; i++) {
        open_or_exit(NULL, NULL, NULL);
        CHECK_INT(pp_server_close(server), PP_OK);
    }
    server = NULL;
    CHECK(seconds_now() - start < patience(2));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(close_waits_for_unfinished_tasks),
        TEST(under_a_launcher_it_opens_once),
        TEST(a_plain_run_opens_again),
        TEST(each_opening_gives_tasks_the_memory_of_its_time),
        TEST(a_forked_child_does_not_hold_up_the_close),
        TEST(exit_without_close_cancels_and_keeps_the_status),
        TEST(closing_at_once_is_quick),
    };
    open_or_exit(&argc, &argv, NULL);
    counter = mkstemp(how.path);
    if (counter < 0) return 1;
    int status = run_tests(tests, sizeof tests / sizeof tests[0]);
    unlink(how.path);
    return status;
}
