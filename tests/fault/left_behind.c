/* left_behind MODE STATE DIR: a program that ends in many ways, for test_left_behind.sh.
 * STATE says what its workers do at the end: idle, busy (a task on each, more waiting), family (the tasks have children,
 * grandchildren and daemons). MODE says how main ends. DIR gets pid.RANK, a line in `tasks` for each task that
 * has begun, `processes` with the pids of the families, and `ready` when all is as STATE says. */
#include "fault/fault.h"

#include <fcntl.h>
#include <mpi.h>
#include <pthread.h>
#include <sys/wait.h>

struct order {
    char dir[128];
    double seconds;
    int family;
};

static void say(const char *dir, const char *name)
{
    char path[160], line[32];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int n = snprintf(line, sizeof line, "%ld\n", (long)getpid());
    if (fd < 0 || write(fd, line, (size_t)n) != n) abort();
    close(fd);
}

static int count_lines(const char *dir, const char *name)
{
    char path[160];
    int n = 0, c;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    while ((c = getc(file)) != EOF) n += c == '\n';
    fclose(file);
    return n;
}

static void live(const char *dir)
{
    say(dir, "processes");
    for (;;) pause();
}

static void start_family(const char *dir)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (fork() == 0) live(dir);
        live(dir);
    }
    pid = fork();
    if (pid == 0) {
        setsid();
        for (int i = 1; i < NSIG; i++) signal(i, SIG_IGN);
        if (fork() == 0) live(dir);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    if (fork() == 0) {
        say(dir, "processes");
        execlp("sleep", "sleep", "1000", (char *)NULL);
        _exit(1);
    }
}

static void work(pp_task *task)
{
    const struct order *o = pp_task_args(task, NULL);
    if (o->family) start_family(o->dir);
    say(o->dir, "tasks");
    printf("a task of process %ld runs\n", (long)getpid());
    fault_sleep(o->seconds);
}

static int crash(int n)
{
    raise(SIGSEGV);
    return n;
}
PP_TASK(int, crash, int)

static void wait_for(const char *dir, const char *name, int lines)
{
    double until = fault_now() + 20;
    while (count_lines(dir, name) < lines) {
        if (fault_now() > until) {
            fprintf(stderr, "only %d of %d lines in %s\n", count_lines(dir, name), lines, name);
            exit(99);
        }
        fault_sleep(0.005);
    }
}

static void *wait_in_thread(void *future)
{
    pp_wait(*(pp_future *)future);
    return NULL;
}

static int my_rank(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMI_RANK"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (getenv(names[i])) return atoi(getenv(names[i]));
    return 0;
}

static void on_term(int signal_number)
{
    _exit(20 + signal_number);
}

int main(int argc, char **argv)
{
    if (argc != 4) return 98;
    static pp_future f[256];
    struct order o = {.seconds = 60};
    const char *mode = argv[1], *state = argv[2];
    char name[32];
    int workers;
    snprintf(o.dir, sizeof o.dir, "%s", argv[3]);
    snprintf(name, sizeof name, "pid.%d", my_rank());
    signal(SIGINT, SIG_DFL); /* a shell starts background commands without */
    say(o.dir, name);
    if (strcmp(mode, "fail-open") == 0) setenv("PPMPI_WORKERS", "none", 1);
    pp_server *server = fault_open(NULL, NULL, NULL);
    fault_ranks(server, &workers);
    if (strncmp(mode, "close", 5) == 0) o.seconds = 0.2; /* it waits for its tasks */
    o.family = strcmp(state, "family") == 0;
    int n = 2 * workers < 256 ? 2 * workers : 256;
    if (strcmp(state, "idle") == 0) {
        for (long i = 0; i < 20; i++) fault_check_square(fault_submit_square(server, i), i, "nothing");
        n = 0;
    }
    pp_future crashed = PP_SUBMIT(server, crash, 1);
    pp_wait(crashed);
    for (int i = 0; i < n; i++) f[i] = pp_submit(server, work, &o, sizeof o);
    if (n) wait_for(o.dir, "tasks", workers);
    if (n && o.family) wait_for(o.dir, "processes", 4 * workers);
    say(o.dir, "ready");

    if (strcmp(mode, "close") == 0) return pp_server_close(server) == PP_OK ? 0 : 97;
    if (strcmp(mode, "close-return3") == 0) return pp_server_close(server) == PP_OK ? 3 : 97;
    if (strcmp(mode, "return") == 0) return 0;
    if (strcmp(mode, "return3") == 0) return 3;
    if (strcmp(mode, "exit7") == 0) exit(7);
    if (strcmp(mode, "_exit4") == 0) _exit(4);
    if (strcmp(mode, "segv") == 0) raise(SIGSEGV);
    if (strcmp(mode, "abort") == 0) MPI_Abort(MPI_COMM_WORLD, 5);
    if (strcmp(mode, "fetch") == 0) return PP_FETCH(crash, crashed);
    if (strcmp(mode, "thread-exit6") == 0) {
        pthread_t thread;
        if (n == 0) f[0] = pp_submit(server, work, &o, sizeof o);
        pthread_create(&thread, NULL, wait_in_thread, &f[0]);
        fault_sleep(0.1);
        exit(6);
    }
    if (strcmp(mode, "handler") == 0) signal(SIGTERM, on_term);
    fault_sleep(60);
    return 96;
}
