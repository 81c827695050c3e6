/* The smallest program: two calls of an ordinary function, run by the workers of the farm.
 *
 *     cc hello.c $(pkg-config --cflags --libs ppmpi) -o hello
 *     ./hello                     every core of this machine
 *     mpirun -np 4 ./hello        the same under MPI
 */
#include <ppmpi.h>
#include <stdio.h>

/* Sum of the primes below n, by trial division. Nothing in it knows about parallel work. */
static long sum_primes(long n)
{
    long sum = 0;

    for (long i = 2; i < n; i++) {
        long d = 2;

        while (d * d <= i && i % d != 0)
            d++;
        if (d * d > i)
            sum += i;
    }
    return sum;
}
PP_TASK(long, sum_primes, long) /* from here on it can be submitted; no semicolon */

int main(int argc, char **argv)
{
    pp_server *server = pp_server_open(&argc, &argv, NULL); /* a worker on every core there is */

    if (!server) {
        fprintf(stderr, "hello: %s\n", pp_last_error());
        return 1;
    }

    pp_future f1 = PP_SUBMIT(server, sum_primes, 100000); /* both calls are under way at once */
    pp_future f2 = PP_SUBMIT(server, sum_primes, 200000);

    long r1 = PP_FETCH(sum_primes, f1); /* waits for the result */
    long r2 = PP_FETCH(sum_primes, f2);

    printf("%ld %ld\n", r1, r2);
    return pp_server_close(server) == PP_OK ? 0 : 1;
}
