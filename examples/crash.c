/* A program whose tasks fail in every way there is: one in ten stores through a null pointer, divides by zero, aborts,
 * leaves the process, runs for ever or reports that it cannot go on. Each failure stays with its own future; the
 * others are computed as if nothing had happened, and the program ends with status 0.
 *
 *     cc crash.c $(pkg-config --cflags --libs ppmpi) -o crash
 *     ./crash                     also: mpirun -np 3 ./crash
 */
#include <ppmpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { TASKS = 60 };

static int square(int n)
{
    volatile int *volatile nowhere = NULL; /* volatile: or the compiler would leave the bugs out */
    volatile int zero = 0;

    switch (n) {
    case 9: /* a bug: SIGSEGV */
        *nowhere = n;
        break;
    case 19: /* another: SIGFPE */
        zero = n / zero;
        raise(SIGFPE); /* on processors that divide by zero without a word */
        break;
    case 29: /* a failed assertion ends so: SIGABRT */
        abort();
    case 39: /* a library that gives up for the whole process */
        exit(3);
    case 49: /* an endless loop; the time-out of the submission ends it */
        for (;;)
            zero = 0;
    case 59: /* a failure that the task reports itself, with a code and a text of its own */
        pp_task_fail(pp_task_current(), 42, "%d is not to my taste", n);
        break;
    default:
        break;
    }
    return n * n;
}
PP_TASK(int, square, int)

static void report(int n, pp_future f)
{
    pp_task_info info = {.size = sizeof info};

    if (pp_info(f, &info) != PP_OK) {
        printf("task %2d: %s\n", n, pp_last_error());
        return;
    }
    printf("task %2d: %s", n, pp_strerror(info.status));
    if (info.status == PP_ERR_CRASHED && info.signal)
        printf(" (signal %d)\n", info.signal);
    else if (info.status == PP_ERR_CRASHED)
        printf(" (exit status %d)\n", info.code);
    else if (info.status == PP_ERR_TASK)
        printf(" (code %d: %s)\n", info.code, info.message);
    else
        printf("\n");
}

int main(int argc, char **argv)
{
    pp_server *server = pp_server_open(&argc, &argv, NULL);
    pp_submit_options options = PP_SUBMIT_OPTIONS_INIT;
    pp_future squares[TASKS];
    long sum = 0;
    int failed = 0;

    if (!server) {
        fprintf(stderr, "crash: %s\n", pp_last_error());
        return 1;
    }

    options.timeout = 1.0; /* seconds for each task */
    for (int n = 0; n < TASKS; n++)
        squares[n] = PP_SUBMIT_WITH(server, &options, square, n);

    for (int n = 0; n < TASKS; n++) {
        int result;

        if (PP_TRY_FETCH(square, squares[n], &result) == PP_OK) {
            sum += result;
        } else {
            failed++;
            report(n, squares[n]);
            pp_release(squares[n]); /* the future of a failed task stays until here */
        }
    }
    printf("%d of %d tasks failed; the squares of the others add up to %ld\n", failed, TASKS, sum);

    return pp_server_close(server) == PP_OK ? 0 : 1;
}
