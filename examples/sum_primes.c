/* Sums of the primes below 100000, 100100, … 100700: the classic example of Parallel Python, eight independent
 * calls of one function. The results are printed in the order of submission, whoever finishes first; the table at
 * the end says which node did how much of the work.
 *
 *     cc sum_primes.c $(pkg-config --cflags --libs ppmpi) -o sum_primes
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

static long sum_primes(long n)
{
    long sum = 0;

    for (long i = 2; i < n; i++)
        if (is_prime(i))
            sum += i;
    return sum;
}
PP_TASK(long, sum_primes, long)

int main(int argc, char **argv)
{
    pp_server *server = pp_server_open(&argc, &argv, NULL);
    pp_future sums[TASKS];

    if (!server) {
        fprintf(stderr, "sum_primes: %s\n", pp_last_error());
        return 1;
    }

    for (int i = 0; i < TASKS; i++)
        sums[i] = PP_SUBMIT(server, sum_primes, 100000L + 100L * i);

    for (int i = 0; i < TASKS; i++) {
        long sum = PP_FETCH(sum_primes, sums[i]);

        printf("Sum of primes below %ld is %ld\n", 100000L + 100L * i, sum);
    }

    pp_print_stats(server, stdout);
    return pp_server_close(server) == PP_OK ? 0 : 1;
}
