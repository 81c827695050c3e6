/* Tasks that fork, and tasks that close what is not theirs: nothing outlives a crashed task, and a child is not the task.
 * ranks: 2 4 */
#include "fault/fault.h"

#include <fcntl.h>
#include <sys/wait.h>

enum how { CRASH, EXIT_0, HANG };

struct family {
    enum how how;
    char file[64]; /* where the task says which processes it has started */
};

static void tell_pid(const char *file)
{
    char line[32];
    int fd = open(file, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int n = snprintf(line, sizeof line, "%ld\n", (long)getpid());
    if (fd < 0 || write(fd, line, (size_t)n) != n) abort();
    close(fd);
}

static void run_for_ever(const char *file)
{
    tell_pid(file);
    for (;;) pause();
}

/* A child, its child, and a daemon: double-forked, of a session of its own. And one that execs. */
static void start_family(const char *file)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (fork() == 0) run_for_ever(file);
        run_for_ever(file);
    }
    pid = fork();
    if (pid == 0) {
        setsid();
        signal(SIGTERM, SIG_IGN);
        if (fork() == 0) run_for_ever(file);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    pid = fork();
    if (pid == 0) {
        tell_pid(file);
        execlp("sleep", "sleep", "1000", (char *)NULL);
        _exit(1);
    }
}

static int count_lines(const char *file, long *pids, int most)
{
    FILE *f = fopen(file, "re");
    int n = 0;
    if (!f) return 0;
    while (n < most && fscanf(f, "%ld", &pids[n]) == 1) n++;
    fclose(f);
    return n;
}

static void leave_family(pp_task *task)
{
    const struct family *family = pp_task_args(task, NULL);
    long pids[4];
    start_family(family->file);
    while (count_lines(family->file, pids, 4) < 4) fault_sleep(0.001);
    if (family->how == CRASH) raise(SIGSEGV);
    if (family->how == EXIT_0) exit(0);
    pause();
}

static void family_dies_with_the_task(pp_server *server, enum how how)
{
    struct family family = {.how = how};
    long pids[4] = {0};
    pp_submit_options options = PP_SUBMIT_OPTIONS_INIT;
    snprintf(family.file, sizeof family.file, "/tmp/ppmpi-test-family-%ld-%d", (long)getpid(), how);
    options.timeout = how == HANG ? 0.5 : 0;
    pp_future f = pp_submit_with(server, leave_family, &family, sizeof family, &options);
    pp_future g = fault_submit_square(server, 7);
    int status = pp_fetch(f, NULL, 0);
    CHECK(status == (how == HANG ? PP_ERR_TIMEOUT : PP_ERR_CRASHED), "how %d: %s", how, pp_last_error());
    int n = count_lines(family.file, pids, 4);
    CHECK(n == 4, "how %d: %d processes started", how, n);
    for (int i = 0; i < n; i++) {
        int gone = fault_gone_within(pids[i], 2);
        CHECK(gone, "how %d: process %ld, number %d, outlived its task", how, pids[i], i);
        if (!gone) kill((pid_t)pids[i], SIGKILL);
    }
    fault_check_square(g, 7, "families");
    pp_release(f);
    unlink(family.file);
}

/* ---- a child that comes back */

enum back { RETURNS, FAILS_AND_RETURNS, EXITS, WRITES_RESULT };

static void fork_and_return(pp_task *task)
{
    const enum back *back = pp_task_args(task, NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (*back == FAILS_AND_RETURNS) pp_task_fail(task, 1, "the child is not the task");
        if (*back == WRITES_RESULT) *(long *)pp_task_result(task, sizeof(long)) = -1;
        if (*back == EXITS) exit(4);
        printf("child\n");
        return;
    }
    long *r = pp_task_result(task, sizeof *r);
    int status = -1;
    if (waitpid(pid, &status, 0) != pid) pp_task_fail(task, errno, "waitpid: %s", strerror(errno));
    *r = WIFEXITED(status) ? WEXITSTATUS(status) : -2;
}

static void a_child_is_not_the_task(pp_server *server, enum back back)
{
    pp_future f[4], g[4];
    for (int i = 0; i < 4; i++) {
        f[i] = pp_submit(server, fork_and_return, &back, sizeof back);
        g[i] = fault_submit_square(server, i);
    }
    for (int i = 0; i < 4; i++) {
        long r = -3;
        int status = pp_fetch(f[i], &r, sizeof r);
        CHECK(status == PP_OK, "child %d: %s", (int)back, pp_last_error());
        CHECK(r == (back == EXITS ? 4 : 0), "child %d ended with status %ld", (int)back, r);
        fault_check_square(g[i], i, "a child that returns");
    }
}

/* ---- descriptors */

static void close_everything(pp_task *task)
{
    long *r = pp_task_result(task, sizeof *r);
    *r = 77;
    printf("before closing\n");
    fflush(stdout);
    for (int fd = 0; fd < 4096; fd++) close(fd);
}

/* Its numbers are taken by files of the task. */
static void close_and_reuse(pp_task *task)
{
    long *r = pp_task_result(task, sizeof *r);
    *r = 78;
    for (int fd = 0; fd < 4096; fd++) close(fd);
    for (int i = 0; i < 300; i++)
        if (open("/dev/zero", O_RDWR) < 0) break;
}

static void print(pp_task *task)
{
    const int *n = pp_task_args(task, NULL);
    printf("line %d\n", *n);
}

static void closed_descriptors_harm_nobody(pp_server *server, pp_function closer, long expected)
{
    enum { LINES = 40 };
    pp_future c[8], f[LINES];
    int seen[LINES] = {0}, before = 0;
    FILE *file = tmpfile();
    CHECK(file != NULL, "%s", strerror(errno));
    if (!file) return;
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    dup2(fileno(file), STDOUT_FILENO);
    for (int i = 0; i < 8; i++) c[i] = pp_submit(server, closer, NULL, 0);
    for (int i = 0; i < LINES; i++) f[i] = pp_submit(server, print, &i, sizeof i);
    for (int i = 0; i < 8; i++) {
        long r = 0;
        CHECK(pp_fetch(c[i], &r, sizeof r) == PP_OK, "a task that closes all: %s", pp_last_error());
        CHECK(r == expected, "result %ld instead of %ld", r, expected);
    }
    for (int i = 0; i < LINES; i++)
        CHECK(pp_fetch(f[i], NULL, 0) == PP_OK, "after a task that closed all: %s", pp_last_error());
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    rewind(file);
    char line[256];
    while (fgets(line, sizeof line, file)) {
        int n;
        if (sscanf(line, "line %d", &n) == 1 && n >= 0 && n < LINES)
            seen[n]++;
        else if (strcmp(line, "before closing\n") == 0)
            before++;
        else
            CHECK(0, "unexpected output '%s'", line);
    }
    fclose(file);
    for (int i = 0; i < LINES; i++) CHECK(seen[i] == 1, "line %d of a later task arrived %d times", i, seen[i]);
    if (closer == close_everything) CHECK(before == 8, "%d of 8 lines arrived that were printed before closing", before);
}

int main(int argc, char **argv)
{
    pp_server *server = fault_open(&argc, &argv, NULL);
    int workers;
    fault_ranks(server, &workers);
    for (int i = 0; i < 3; i++) {
        family_dies_with_the_task(server, CRASH);
        family_dies_with_the_task(server, EXIT_0);
        family_dies_with_the_task(server, HANG);
    }
    for (enum back back = RETURNS; back <= WRITES_RESULT; back++) a_child_is_not_the_task(server, back);
    for (int i = 0; i < 3; i++) {
        closed_descriptors_harm_nobody(server, close_everything, 77);
        closed_descriptors_harm_nobody(server, close_and_reuse, 78);
    }
    CHECK(pp_get_ncpus(server) == workers, "%d workers instead of %d", pp_get_ncpus(server), workers);
    return fault_end(server);
}
