/* A small program for the scripts of this folder: program MODE [NUMBER]
 *   sum N      N tasks; prints "sum OK of N by W workers" and ends with 0
 *   quiet N    the same without a word
 *   fail       PP_FETCH of a task that fails
 *   leave      returns 5 without closing while tasks run
 *   huge       arguments and results that there is no memory for, then ordinary ones
 *   stdin      prints its own standard input, which tasks cannot take away
 *   print N    N lines, while the farm is open
 *   nodes      prints "NODES nodes, WORKERS workers" and a line for each node
 *   wait       prints "up" once tasks run, and waits to be ended
 *   save       the same; ends with 42 at SIGTERM and SIGINT, and says so
 *   again      closes the server, and opens it with PPMPI_HOSTS
 *   words …    prints its words, one on each line, in brackets
 *   builds N   N tasks; tells how many ran, how many were refused, and the first refusal
 * When the server cannot be opened it prints "refused: REASON" to stderr and ends with 1. */
#include <ppmpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef BUILD
#define BUILD 0 /* two values give two builds */
#endif
#ifndef HOSTS
#define HOSTS NULL /* the option */
#endif

static pp_server *server;

static void square(pp_task *task)
{
    size_t bytes;
    const long *n = pp_task_args(task, &bytes);
    long *r = pp_task_result(task, sizeof *r);
    struct timespec t = {0, 1000000 + BUILD};
    nanosleep(&t, NULL);
    *r = *n * *n;
}

static void produce(pp_task *task)
{
    size_t bytes = *(const size_t *)pp_task_args(task, NULL);
    char *result = pp_task_result(task, bytes);
    if (result) memset(result, 7, bytes);
}

static long broken(long n)
{
    if (n) pp_task_fail(pp_task_current(), 3, "broken on purpose");
    return n;
}
PP_TASK(long, broken, long)

static int sum(long n, int quiet)
{
    pp_future *f = calloc((size_t)n, sizeof *f);
    long total = 0, expected = 0;
    for (long i = 0; i < n; i++) f[i] = pp_submit(server, square, &i, sizeof i);
    for (long i = 0; i < n; i++) {
        long r = 0;
        int status = pp_fetch(f[i], &r, sizeof r);
        if (status != PP_OK) {
            fprintf(stderr, "task: %s\n", pp_last_error());
            return 3;
        }
        total += r;
        expected += i * i;
    }
    free(f);
    int workers = pp_get_ncpus(server);
    if (pp_server_close(server) != PP_OK) return 4;
    if (!quiet) printf("sum %s of %ld by %d workers\n", total == expected ? "OK" : "WRONG", n, workers);
    return total == expected ? 0 : 2;
}

static int huge(void)
{
    /* Under a limit these fail one after the other; none of them may end the program. */
    static const size_t sizes[] = {(size_t)1 << 20, (size_t)1 << 30, (size_t)1 << 34, (size_t)1 << 40};
    char *data = calloc(1, (size_t)1 << 20);
    int refused = 0, done = 0, failed = 0;
    for (int i = 0; i < 4; i++) {
        /* What cannot be queued is not read either. */
        if (i == 0 || i == 3) {
            pp_future f = pp_submit(server, square, data, sizes[i]);
            if (f.id) {
                long r;
                if (pp_fetch(f, &r, sizeof r) != PP_OK) return 3;
                done++;
            } else if (pp_last_error_code() == PP_ERR_NOMEM) {
                refused++;
            }
        }
        pp_future f = pp_submit(server, produce, &sizes[i], sizeof sizes[i]);
        const void *result;
        size_t bytes;
        int status = pp_result(f, &result, &bytes);
        if (status == PP_OK) {
            if (bytes != sizes[i] || *(const char *)result != 7) return 3;
            done++;
        } else if (status == PP_ERR_NOMEM || status == PP_ERR_CRASHED) {
            failed++;
        } else {
            fprintf(stderr, "huge: %s\n", pp_last_error());
        }
        pp_release(f);
    }
    printf("huge: %d refused, %d failed, %d done\n", refused, failed, done);
    free(data);
    return sum(20, 0);
}

static void read_input(pp_task *task)
{
    char c;
    *(int *)pp_task_result(task, sizeof(int)) = getchar() != EOF || fread(&c, 1, 1, stdin) != 0;
}

static int copy_input(void)
{
    char line[256];
    pp_future f[20];
    for (int i = 0; i < 20; i++) f[i] = pp_submit(server, read_input, NULL, 0);
    while (fgets(line, sizeof line, stdin)) fputs(line, stdout);
    for (int i = 0; i < 20; i++) {
        int got = 1;
        if (pp_fetch(f[i], &got, sizeof got) != PP_OK || got) return 2;
    }
    return pp_server_close(server) == PP_OK ? 0 : 4;
}

static int builds(long n)
{
    pp_future *f = calloc((size_t)n, sizeof *f);
    int good = 0, refused = 0, other = 0;
    char first[2048] = "";
    for (long i = 0; i < n; i++) f[i] = pp_submit(server, square, &i, sizeof i);
    for (long i = 0; i < n; i++) {
        long r = 0;
        int status = pp_fetch(f[i], &r, sizeof r);
        if (status == PP_OK && r == i * i)
            good++;
        else if (status == PP_ERR_FUNCTION)
            refused++;
        else
            other++;
        if (status != PP_OK && !*first) snprintf(first, sizeof first, "%s", pp_last_error());
    }
    free(f);
    printf("ran %d, refused %d, other %d\n", good, refused, other);
    if (*first) printf("first: %s\n", first);
    return pp_server_close(server) == PP_OK ? 0 : 4;
}

static int nodes(void)
{
    pp_node node[16];
    int count = pp_get_active_nodes(server, node, 16);
    printf("%d nodes, %d workers\n", count, pp_get_ncpus(server));
    for (int i = 0; i < count && i < 16; i++)
        printf("%s: rank %d, %d ranks, %d workers\n", node[i].host, node[i].first_rank, node[i].ranks, node[i].workers);
    return sum(100, 0);
}

static void nap(pp_task *task)
{
    (void)task;
    sleep(60);
}

static void on_end(int signal)
{
    (void)signal;
    if (write(STDOUT_FILENO, "saved\n", 6) == 6) _exit(42);
}

static int wait_for_end(int save)
{
    if (save) {
        signal(SIGTERM, on_end);
        signal(SIGINT, on_end);
    }
    int workers = pp_get_ncpus(server);
    for (int i = 0; i < 4 * workers; i++) pp_submit(server, nap, NULL, 0);
    pp_stats stats = {.size = sizeof stats};
    while (pp_get_stats(server, &stats) == PP_OK && stats.running < (uint64_t)workers) usleep(10000);
    printf("up\n");
    fflush(stdout);
    pp_wait_group(server, NULL, -1);
    return 98;
}

int main(int argc, char **argv)
{
    pp_options options = PP_OPTIONS_INIT;
    options.hosts = HOSTS;
    server = pp_server_open(&argc, &argv, &options);
    if (!server) {
        fprintf(stderr, "refused: %s\n", pp_last_error());
        return 1;
    }
    const char *mode = argc > 1 ? argv[1] : "sum";
    long n = argc > 2 ? atol(argv[2]) : 50;
    if (strcmp(mode, "sum") == 0) return sum(n, 0);
    if (strcmp(mode, "quiet") == 0) return sum(n, 1);
    if (strcmp(mode, "huge") == 0) return huge();
    if (strcmp(mode, "stdin") == 0) return copy_input();
    for (long i = 1; strcmp(mode, "print") == 0 && i <= n; i++) printf("%ld\n", i);
    if (strcmp(mode, "print") == 0) return pp_server_close(server) == PP_OK ? 0 : 4;
    for (int i = 2; strcmp(mode, "words") == 0 && i < argc; i++) printf("<%s>\n", argv[i]);
    if (strcmp(mode, "again") == 0) {
        pp_server_close(server);
        setenv("PPMPI_HOSTS", "node-1,node-2", 1);
        printf("%s\n", pp_server_open(&argc, &argv, &options) ? "opened" : pp_last_error());
        return 0;
    }
    if (strcmp(mode, "nodes") == 0) return nodes();
    if (strcmp(mode, "wait") == 0) return wait_for_end(0);
    if (strcmp(mode, "save") == 0) return wait_for_end(1);
    if (strcmp(mode, "builds") == 0) return builds(n);
    if (strcmp(mode, "leave") == 0) {
        for (long i = 0; i < 100000; i++) pp_submit(server, square, &i, sizeof i);
        return 5;
    }
    if (strcmp(mode, "fail") == 0) {
        printf("printed before\n");
        long r = PP_FETCH(broken, PP_SUBMIT(server, broken, 1));
        printf("not reached %ld\n", r);
        return 0;
    }
    if (strcmp(mode, "words") == 0) return pp_server_close(server) == PP_OK ? 0 : 4;
    fprintf(stderr, "unknown mode %s\n", mode);
    return 99;
}
