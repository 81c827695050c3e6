/* sum_primes.c with a template: the function and what its submissions share, a group, a name, a time-out and one
 * further try here, are written down once. It also shows the functions under the typed macros: a task takes its
 * arguments and gives its result as bytes.
 *
 *     cc sum_primes_template.c $(pkg-config --cflags --libs ppmpi) -o sum_primes_template
 */
#include <ppmpi.h>
#include <stdbool.h>
#include <stdio.h>

enum { TASKS = 8 };

static bool is_prime(long n)
{
    if (n < 2)
        return false;
    for (long d = 2; d * d <= n; d++)
        if (n % d == 0)
            return false;
    return true;
}

static void sum_primes(pp_task *task)
{
    size_t bytes;
    const long *n = pp_task_args(task, &bytes);

    if (bytes != sizeof *n) {
        pp_task_fail(task, 1, "sum_primes: %zu bytes of arguments", bytes);
        return;
    }

    long *sum = pp_task_result(task, sizeof *sum);

    if (!sum)
        return; /* no memory: the task has failed by itself */
    *sum = 0;
    for (long i = 2; i < *n; i++)
        if (is_prime(i))
            *sum += i;
}

int main(int argc, char **argv)
{
    pp_server *server = pp_server_open(&argc, &argv, NULL);
    pp_template sum_of_primes = {sum_primes, PP_SUBMIT_OPTIONS_INIT};
    pp_future sums[TASKS];
    int failed = 0;

    if (!server) {
        fprintf(stderr, "sum_primes_template: %s\n", pp_last_error());
        return 1;
    }

    sum_of_primes.options.group = "primes";
    sum_of_primes.options.name = "sum of primes";
    sum_of_primes.options.timeout = 60.0; /* seconds for each try */
    sum_of_primes.options.retries = 1;

    for (int i = 0; i < TASKS; i++) {
        long n = 100000L + 100L * i;

        sums[i] = pp_template_submit(server, &sum_of_primes, &n, sizeof n);
    }

    for (int i = 0; i < TASKS; i++) {
        long sum;

        if (pp_fetch(sums[i], &sum, sizeof sum) == PP_OK) {
            printf("Sum of primes below %ld is %ld\n", 100000L + 100L * i, sum);
        } else {
            fprintf(stderr, "sum_primes_template: %s\n", pp_last_error());
            failed = 1;
        }
    }

    pp_print_stats(server, stdout);
    return pp_server_close(server) == PP_OK && !failed ? 0 : 1;
}
