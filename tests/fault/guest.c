/* guest PART: the library is a guest in the program's process. Its children, signals, standard input, descriptors, threads
 * and memory stay the program's own. For test_guest.sh. */
#include "fault/fault.h"

#include <malloc.h>
#include <pthread.h>
#include <sys/time.h>
#include <sys/wait.h>

static volatile sig_atomic_t heard[NSIG];

static void hear(int signal_number)
{
    heard[signal_number]++;
}

static void handle(int signal_number, int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = hear;
    action.sa_flags = flags;
    sigaction(signal_number, &action, NULL);
}

static void crash(pp_task *task)
{
    (void)task;
    raise(SIGSEGV);
}

static void nap(pp_task *task)
{
    const double *seconds = pp_task_args(task, NULL);
    double *r = pp_task_result(task, sizeof *r);
    fault_sleep(*seconds);
    *r = *seconds;
}

static void large(pp_task *task)
{
    char *r = pp_task_result(task, 300000);
    if (r) memset(r, 'a', 300000);
}

static void run_some(pp_server *server, int crashes)
{
    pp_future f[60], bad[3];
    for (int i = 0; i < crashes; i++) bad[i] = pp_submit(server, crash, NULL, 0);
    for (int i = 0; i < 60; i++) f[i] = fault_submit_square(server, i);
    for (int i = 0; i < 60; i++) fault_check_square(f[i], i, "a guest");
    for (int i = 0; i < crashes; i++) fault_check_crash(bad[i], "a guest", SIGSEGV, 0);
}

/* ---- children */

static pid_t fork_child(int status)
{
    pid_t pid = fork();
    if (pid == 0) {
        fault_sleep(0.05);
        _exit(status);
    }
    return pid;
}

static void children(int *argc, char ***argv)
{
    handle(SIGCHLD, SA_RESTART);
    pp_server *server = fault_open(argc, argv, NULL);
    run_some(server, 3);
    CHECK(heard[SIGCHLD] == 0, "%d SIGCHLD of children that are not the program's", (int)heard[SIGCHLD]);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "waitpid(-1) finds a child");
    for (int round = 0; round < 3; round++) {
        int count = 0, status, sum = 0;
        pp_future f = pp_submit(server, crash, NULL, 0);
        for (int i = 0; i < 3; i++) fork_child(1 << i);
        while (wait(&status) > 0) { /* the program's own loop: must end, and find these three */
            count++;
            sum += WEXITSTATUS(status);
        }
        CHECK(errno == ECHILD && count == 3 && sum == 7, "%d children, sum of statuses %d", count, sum);
        fault_check_crash(f, "a loop of wait", SIGSEGV, 0);
    }
    CHECK(heard[SIGCHLD] >= 1 && heard[SIGCHLD] <= 9, "%d SIGCHLD for 9 children", (int)heard[SIGCHLD]);
    int before = heard[SIGCHLD], status = system("exit 5");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5, "system: 0x%x", (unsigned)status);
    FILE *pipe = popen("echo hello", "r");
    char line[32] = "";
    CHECK(pipe && fgets(line, sizeof line, pipe) && strcmp(line, "hello\n") == 0, "popen: '%s'", line);
    CHECK(pipe && pclose(pipe) == 0, "pclose");
    before = heard[SIGCHLD];
    run_some(server, 3);
    CHECK(pp_server_close(server) == PP_OK, "%s", pp_last_error());
    CHECK(heard[SIGCHLD] == before, "closing gave %d SIGCHLD", (int)heard[SIGCHLD] - before);
    CHECK(wait(NULL) == -1 && errno == ECHILD, "a child is left after close");
    struct fault_process p[4];
    int n = fault_children(getpid(), p, 4);
    CHECK(n == 0, "child %ld (%s, %c) is left after close", p[0].pid, p[0].name, p[0].state);
}

/* ---- signals */

static void handlers(int *argc, char ***argv)
{
    static const int handled[] = {SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGHUP, SIGALRM, SIGCHLD, SIGPIPE};
    static const int left[] = {SIGQUIT, SIGVTALRM, SIGWINCH, SIGURG};
    size_t n = sizeof handled / sizeof handled[0];
    sigset_t mask, now;
    for (size_t i = 0; i < n; i++) handle(handled[i], i % 2 ? SA_RESTART : 0);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    pp_server *server = fault_open(argc, argv, NULL);
    for (int closed = 0; closed < 2; closed++) {
        struct sigaction action;
        for (size_t i = 0; i < n; i++) {
            /* MPICH puts a handler of its own before the program's, which it calls. */
            if (handled[i] == SIGUSR1 && getenv("PMI_RANK")) continue;
            sigaction(handled[i], NULL, &action);
            CHECK(action.sa_handler == hear && (action.sa_flags & SA_RESTART) == (i % 2 ? SA_RESTART : 0),
                  "signal %d has another handler after %s", handled[i], closed ? "close" : "open");
        }
        for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
            sigaction(left[i], NULL, &action);
            CHECK(action.sa_handler == SIG_DFL, "signal %d has a handler after %s", left[i], closed ? "close" : "open");
        }
        sigprocmask(SIG_SETMASK, NULL, &now);
        for (int i = 1; i < 32; i++)
            CHECK(sigismember(&now, i) == sigismember(&mask, i), "signal %d in the mask after %s", i,
                  closed ? "close" : "open");
        for (size_t i = 0; i < n; i++) {
            int before = heard[handled[i]];
            /* To the process: must come to this thread, as the program has no other. */
            kill(getpid(), handled[i]);
            if (handled[i] == SIGUSR2) continue; /* blocked */
            for (int k = 0; k < 200 && heard[handled[i]] == before; k++) fault_sleep(0.005);
            CHECK(heard[handled[i]] == before + 1, "signal %d was not heard after %s", handled[i], closed ? "close" : "open");
        }
        if (!closed) {
            run_some(server, 1);
            CHECK(pp_server_close(server) == PP_OK, "%s", pp_last_error());
        }
    }
    CHECK(heard[SIGUSR2] == 0, "a blocked signal was heard");
}

/* Waits are not disturbed by signals, whether system calls are restarted or not. */
static void interruptions(int *argc, char ***argv)
{
    pp_server *server = fault_open(argc, argv, NULL);
    for (int flags = 0; flags < 2; flags++) {
        struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
        pp_future f[200];
        double seconds = 0.001;
        handle(SIGALRM, flags ? SA_RESTART : 0);
        setitimer(ITIMER_REAL, &often, NULL);
        for (int i = 0; i < 200; i++) f[i] = pp_submit(server, nap, &seconds, sizeof seconds);
        for (int i = 0; i < 200; i++) {
            double r = 0;
            CHECK(pp_fetch(f[i], &r, sizeof r) == PP_OK && r == seconds, "task %d: %s", i, pp_last_error());
        }
        run_some(server, 3);
        setitimer(ITIMER_REAL, &never, NULL);
    }
    CHECK(heard[SIGALRM] > 20, "only %d interruptions", (int)heard[SIGALRM]);
    CHECK(pp_server_close(server) == PP_OK, "%s", pp_last_error());
}

/* Ctrl-C goes to the whole process group; a program that handles it finishes its tasks. */
static void ctrl_c(int *argc, char ***argv)
{
    setpgid(0, 0);
    handle(SIGINT, 0);
    pp_server *server = fault_open(argc, argv, NULL);
    int workers;
    fault_ranks(server, &workers);
    pp_future f[64];
    double seconds = 0.3;
    int n = 2 * workers < 64 ? 2 * workers : 64;
    for (int i = 0; i < n; i++) f[i] = pp_submit(server, nap, &seconds, sizeof seconds);
    fault_sleep(0.1);
    CHECK(kill(0, SIGINT) == 0, "kill: %s", strerror(errno));
    fault_sleep(0.1);
    CHECK(heard[SIGINT] == 1, "%d SIGINT", (int)heard[SIGINT]);
    for (int i = 0; i < n; i++) {
        double r = 0;
        CHECK(pp_fetch(f[i], &r, sizeof r) == PP_OK && r == seconds, "task %d: %s", i, pp_last_error());
    }
    run_some(server, 1);
    CHECK(pp_server_close(server) == PP_OK, "%s", pp_last_error());
}

/* ---- standard input */

static void read_input(pp_task *task)
{
    char line[16];
    ssize_t *r = pp_task_result(task, sizeof *r);
    *r = read(STDIN_FILENO, line, sizeof line);
    if (*r == 0 && fgets(line, sizeof line, stdin)) *r = 1000;
}

/* Expects "line 0" to "line 999" there. */
static void standard_input(int *argc, char ***argv)
{
    char line[32], expected[32];
    pp_server *server = fault_open(argc, argv, NULL);
    for (int i = 0; i < 1000; i++) {
        if (i % 100 == 0) {
            ssize_t r = -1;
            pp_future f = pp_submit(server, read_input, NULL, 0);
            CHECK(pp_fetch(f, &r, sizeof r) == PP_OK, "%s", pp_last_error());
            CHECK(r == 0, "read in a task returned %zd", r);
        }
        snprintf(expected, sizeof expected, "line %d\n", i);
        char *got = fgets(line, sizeof line, stdin);
        CHECK(got && strcmp(line, expected) == 0, "line %d: '%s'", i, got ? line : "(end)");
        if (!got) break;
    }
    CHECK(!fgets(line, sizeof line, stdin), "input does not end");
    CHECK(pp_server_close(server) == PP_OK, "%s", pp_last_error());
}

/* ---- descriptors, threads, memory */

static int count_entries(const char *path)
{
    DIR *dir = opendir(path);
    int n = -1; /* its own descriptor, where it lists descriptors */
    if (!dir) return -1;
    while (readdir(dir)) n++;
    closedir(dir);
    return n;
}

static long count_maps(void)
{
    FILE *file = fopen("/proc/self/maps", "re");
    long n = 0;
    int c;
    if (!file) return 0;
    while ((c = getc(file)) != EOF) n += c == '\n';
    fclose(file);
    return n;
}

static void leaks(int *argc, char ***argv)
{
    enum { ROUNDS = 20, WARM = 4 };
    const char *sanitizers = getenv("TEST_SANITIZE");
    int fds = count_entries("/proc/self/fd"), threads = count_entries("/proc/self/task");
    long maps = 0;
    size_t heap = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct fault_process p[4];
        pp_server *server = fault_open(argc, argv, NULL);
        run_some(server, round % 2 ? 2 : 0);
        pp_future f[20];
        for (int i = 0; i < 20; i++) f[i] = pp_submit(server, large, NULL, 0);
        for (int i = 0; i < 20; i++) CHECK(pp_wait(f[i]) == PP_OK, "%s", pp_last_error()); /* released by close */
        CHECK(pp_server_close(server) == PP_OK, "%s", pp_last_error());
        int now = count_entries("/proc/self/fd");
        CHECK(now == fds, "round %d: %d descriptors instead of %d", round, now, fds);
        now = count_entries("/proc/self/task");
        CHECK(now == threads, "round %d: %d threads instead of %d", round, now, threads);
        now = fault_children(getpid(), p, 4);
        CHECK(now == 0, "round %d: child %ld (%s, %c) is left", round, p[0].pid, p[0].name, p[0].state);
        if (round == WARM) {
            maps = count_maps();
            heap = mallinfo2().uordblks;
        }
    }
    if (sanitizers && *sanitizers) return;
    CHECK(count_maps() <= maps + 2, "%ld mappings after %d rounds, %ld after %d", count_maps(), ROUNDS, maps, WARM);
    size_t end = mallinfo2().uordblks;
    CHECK(end < heap + 20000, "%zu bytes of heap after %d rounds, %zu after %d", end, ROUNDS, heap, WARM);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(int *argc, char ***argv);
    } parts[] = {{"children", children}, {"handlers", handlers}, {"interruptions", interruptions},
                 {"ctrl_c", ctrl_c},     {"input", standard_input}, {"leaks", leaks}};
    for (size_t i = 0; argc > 1 && i < sizeof parts / sizeof parts[0]; i++) {
        if (strcmp(argv[1], parts[i].name) != 0) continue;
        parts[i].run(&argc, &argv);
        return fault_end(NULL);
    }
    return 98;
}
