/* A small program for the scripts of this folder: program MODE [NUMBER]
 *   sum N      N tasks; prints "sum OK of N by W workers" and ends with 0
 *   quiet N    the same without a word
 *   fail       PP_FETCH of a task that fails
 *   leave      returns 5 without closing while tasks run
 *   huge       arguments and results that there is no memory for, then ordinary ones
 *   stdin      prints its own standard input, which tasks cannot take away
 *   builds N   N tasks; tells how many ran, how many were refused, and the first refusal
 * When the server cannot be opened it prints "refused: REASON" to stderr and ends with 1. */
#include <ppmpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef BUILD
#define BUILD 0 /* two values give two builds */
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

int main(int argc, char **argv)
{
    server = pp_server_open(&argc, &argv, NULL);
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
    fprintf(stderr, "unknown mode %s\n", mode);
    return 99;
}
