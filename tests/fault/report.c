/* A small program for test_report.sh: report MODE [SECONDS]. Runs tasks for so long and prints "sum OK".
 *   wait     sleeping tasks; the program waits for them
 *   call     tiny tasks; the program calls all the time
 *   print    the same, and the tasks print to stdout and stderr
 *   compute  the program is outside of the library
 *   handler  has a handler of SIGUSR1 of its own, and prints "own handler: COUNT" at the end
 *   off      signal_stats = 0 */
#include <ppmpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t signals;

static void count(int number)
{
    (void)number;
    signals = signals + 1;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void square(pp_task *task)
{
    const long *n = pp_task_args(task, NULL);
    long *r = pp_task_result(task, sizeof *r);
    *r = *n * *n;
}

static void nap(pp_task *task)
{
    struct timespec t = {0, 10000000};
    nanosleep(&t, NULL);
    square(task);
}

static void speak(pp_task *task)
{
    long n = *(const long *)pp_task_args(task, NULL);
    if (n % 10 == 0) fprintf(n % 20 ? stderr : stdout, "task %ld says so\n", n);
    nap(task);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "wait";
    double until = now() + (argc > 2 ? atof(argv[2]) : 1);
    pp_options options = PP_OPTIONS_INIT;
    if (strcmp(mode, "handler") == 0) signal(SIGUSR1, count);
    if (strcmp(mode, "off") == 0) options.signal_stats = 0;
    pp_server *server = pp_server_open(&argc, &argv, &options);
    if (!server) {
        fprintf(stderr, "refused: %s\n", pp_last_error());
        return 1;
    }
    printf("open %ld\n", (long)getpid());
    fflush(stdout);
    pp_function function = strcmp(mode, "call") == 0 ? square : strcmp(mode, "print") == 0 ? speak : nap;
    long wrong = 0;
    do {
        pp_future f[20];
        for (long i = 0; i < 20; i++) f[i] = pp_submit(server, function, &i, sizeof i);
        if (strcmp(mode, "compute") == 0)
            for (double end = now() + 0.3; now() < end;) {}
        for (long i = 0; i < 20; i++) {
            long r = 0;
            wrong += pp_fetch(f[i], &r, sizeof r) != PP_OK || r != i * i;
        }
    } while (now() < until);
    if (pp_server_close(server) != PP_OK) wrong++;
    if (strcmp(mode, "handler") == 0) printf("own handler: %d\n", (int)signals);
    printf("sum %s\n", wrong ? "WRONG" : "OK");
    return wrong != 0;
}
