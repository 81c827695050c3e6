/* What the fault tests share: checks that count, tasks that die in every way, looks at the processes of this machine. */
#ifndef TESTS_FAULT_FAULT_H
#define TESTS_FAULT_FAULT_H

#include <ppmpi.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int fault_failures;

/* A check that failed is reported and the test goes on: one run shows all that is wrong. */
#define CHECK(condition, ...)                                                            \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            fault_failures++;                                                            \
            fprintf(stderr, "%s:%d: failed: %s: ", __FILE__, __LINE__, #condition);      \
            fprintf(stderr, __VA_ARGS__);                                                \
            fputc('\n', stderr);                                                         \
        }                                                                                \
    } while (0)

static inline double fault_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline void fault_sleep(double seconds)
{
    struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&t, &t) != 0 && errno == EINTR) {}
}

/* Opens the server, or ends the test. */
static inline pp_server *fault_open(int *argc, char ***argv, const pp_options *options)
{
    pp_server *server = pp_server_open(argc, argv, options);
    if (server) return server;
    fprintf(stderr, "pp_server_open: %s\n", pp_last_error());
    exit(1);
}

static inline pp_task_info fault_info(pp_future f)
{
    pp_task_info info = {.size = sizeof info};
    CHECK(pp_info(f, &info) == PP_OK, "%s", pp_last_error());
    return info;
}

/* How many ranks the farm has; workers of all of them in *workers. */
static inline int fault_ranks(pp_server *server, int *workers)
{
    static pp_node nodes[64];
    int n = pp_get_active_nodes(server, nodes, 64), ranks = 0;
    for (int i = 0; i < n && i < 64; i++) ranks += nodes[i].ranks;
    if (workers) *workers = pp_get_ncpus(server);
    return ranks;
}

/* The task of f has ended with signal or exit status, and its info and message say where. Releases f. Returns its rank. */
static inline int fault_check_crash(pp_future f, const char *what, int signal_number, int code)
{
    char byte, pid[32];
    int status = pp_fetch(f, &byte, 0);
    CHECK(status == PP_ERR_CRASHED, "%s: fetched as %d (%s) %s", what, status, pp_strerror(status), pp_last_error());
    pp_task_info info = fault_info(f);
    CHECK(info.state == PP_FINISHED && info.status == PP_ERR_CRASHED, "%s: state %d, status %d", what, info.state,
          info.status);
    CHECK(info.signal == signal_number, "%s: signal %d instead of %d", what, info.signal, signal_number);
    CHECK(info.code == code, "%s: code %d instead of %d", what, info.code, code);
    CHECK(info.pid > 1 && info.rank >= 0 && info.worker >= 0 && info.attempts == 1 && *info.host,
          "%s: pid %ld, rank %d, worker %d, attempts %d, host '%s'", what, info.pid, info.rank, info.worker, info.attempts,
          info.host);
    CHECK(info.finished >= info.started && info.started >= info.submitted, "%s: submitted %g, started %g, finished %g", what,
          info.submitted, info.started, info.finished);
    snprintf(pid, sizeof pid, "%ld", info.pid);
    CHECK(strstr(info.message, info.host) && strstr(info.message, pid), "%s: message '%s' without host %s and pid %s", what,
          info.message, info.host, pid);
    CHECK(kill((pid_t)info.pid, 0) != 0, "%s: process %ld is still there", what, info.pid);
    CHECK(pp_release(f) == PP_OK, "%s: %s", what, pp_last_error());
    return info.rank;
}

/* ---- tasks that go well */

static inline void fault_square(pp_task *task)
{
    const long *n = pp_task_args(task, NULL);
    long *r = pp_task_result(task, sizeof *r);
    if (r) *r = *n * *n;
}

static inline pp_future fault_submit_square(pp_server *server, long n)
{
    pp_future f = pp_submit(server, fault_square, &n, sizeof n);
    CHECK(f.id != 0, "%s", pp_last_error());
    return f;
}

static inline void fault_check_square(pp_future f, long n, const char *beside)
{
    long r = -1;
    int status = pp_fetch(f, &r, sizeof r);
    CHECK(status == PP_OK && r == n * n, "square of %ld beside %s: %s: %ld, %s", n, beside, pp_strerror(status), r,
          status ? pp_last_error() : "");
}

/* ---- processes */

struct fault_process {
    long pid, parent;
    char state, name[32];
};

/* 1 when the process exists; a zombie exists. */
static inline int fault_look(long pid, struct fault_process *out)
{
    char path[64], text[1024], *open, *close;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    out->pid = pid;
    open = strchr(text, '('), close = strrchr(text, ')');
    if (!open || !close || sscanf(close + 1, " %c %ld", &out->state, &out->parent) != 2) return 0;
    snprintf(out->name, sizeof out->name, "%.*s", (int)(close - open - 1), open + 1);
    return 1;
}

/* Fills in the processes whose parent is `parent` (0: all); returns how many there are. */
static inline int fault_children(long parent, struct fault_process *out, int most)
{
    DIR *proc = opendir("/proc");
    int n = 0;
    if (!proc) return 0;
    for (struct dirent *e; (e = readdir(proc)) != NULL;) {
        struct fault_process p;
        if (!isdigit((unsigned char)e->d_name[0]) || !fault_look(atol(e->d_name), &p)) continue;
        if (parent && p.parent != parent) continue;
        if (n < most) out[n] = p;
        n++;
    }
    closedir(proc);
    return n < most ? n : most;
}

/* The first process below `ancestor` with this name, 0 when there is none. */
static inline long fault_find_below(long ancestor, const char *name)
{
    struct fault_process p[64];
    int n = fault_children(ancestor, p, 64);
    for (int i = 0; i < n; i++) {
        if (strcmp(p[i].name, name) == 0) return p[i].pid;
        long below = fault_find_below(p[i].pid, name);
        if (below) return below;
    }
    return 0;
}

/* 1 once the process is gone, or a zombie. */
static inline int fault_gone(long pid)
{
    struct fault_process p;
    return !fault_look(pid, &p) || p.state == 'Z' || p.state == 'X';
}

static inline int fault_gone_within(long pid, double seconds)
{
    double until = fault_now() + seconds;
    while (!fault_gone(pid)) {
        if (fault_now() > until) return 0;
        fault_sleep(0.005);
    }
    return 1;
}

/* ---- time on a busy machine */

/* How much later than asked for a thread that sleeps was woken, at most: nothing else can be more in time than that. */
static pthread_mutex_t fault_noise_lock = PTHREAD_MUTEX_INITIALIZER;
static double fault_noise;
static pthread_t fault_noise_thread;

static inline void *fault_listen_to_noise(void *unused)
{
    (void)unused;
    for (;;) {
        double before = fault_now();
        fault_sleep(0.005);
        double late = fault_now() - before - 0.005;
        pthread_mutex_lock(&fault_noise_lock);
        if (late > fault_noise) fault_noise = late;
        pthread_mutex_unlock(&fault_noise_lock);
    }
    return NULL;
}

/* To be called when the server is open: it is opened by programs without threads. */
static inline void fault_noise_start(void)
{
    CHECK(pthread_create(&fault_noise_thread, NULL, fault_listen_to_noise, NULL) == 0, "no thread");
}

static inline void fault_noise_stop(void)
{
    pthread_cancel(fault_noise_thread); /* in its sleep */
    pthread_join(fault_noise_thread, NULL);
}

/* 0.25 s, and the wake-ups between a time-out and its outcome, each as late as the latest was. */
static inline double fault_patience(void)
{
    pthread_mutex_lock(&fault_noise_lock);
    double seconds = 0.25 + 4 * fault_noise;
    pthread_mutex_unlock(&fault_noise_lock);
    return seconds;
}

/* ---- ends */

/* Closes the server; 0 when all checks held. */
static inline int fault_end(pp_server *server)
{
    if (server) CHECK(pp_server_close(server) == PP_OK, "%s", pp_last_error());
    if (fault_failures) fprintf(stderr, "%d checks failed\n", fault_failures);
    return fault_failures != 0;
}

#endif
