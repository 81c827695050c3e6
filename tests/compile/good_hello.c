/* The program of the documentation. */
#include <ppmpi.h>
#include <stdio.h>

long sum_primes(long n);
PP_TASK(long, sum_primes, long)

int main(int argc, char **argv)
{
    pp_server *server = pp_server_open(&argc, &argv, NULL);

    pp_future f1 = PP_SUBMIT(server, sum_primes, 100000);
    pp_future f2 = PP_SUBMIT(server, sum_primes, 200000);

    long r1 = PP_FETCH(sum_primes, f1);
    long r2 = PP_FETCH(sum_primes, f2);

    printf("%ld %ld\n", r1, r2);
    pp_print_stats(server, stdout);
    pp_server_close(server);
}

long sum_primes(long n)
{
    return n;
}
