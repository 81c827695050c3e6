/* The same work with 1, 2, 4 workers and then one on each core: pp_set_ncpus changes their number while the program
 * runs. The results are the same to the last bit, since they are added up in the order of submission. Times go to
 * stderr.
 *
 *     cc dynamic_ncpus.c $(pkg-config --cflags --libs ppmpi) -o dynamic_ncpus
 *     ./dynamic_ncpus             under a launcher, the ranks of rank 0's node share the workers, other nodes keep theirs
 */
#include <ppmpi.h>
#include <stdio.h>
#include <time.h>

enum { PARTS = 64, TERMS = 1000000 };

/* Terms first … last - 1 of pi = 4 - 4/3 + 4/5 - 4/7 + … */
static double part_sum(long first, long last)
{
    double sum = 0.0;

    for (long i = last - 1; i >= first; i--) /* small terms first */
        sum += (i % 2 ? -4.0 : 4.0) / (2.0 * (double)i + 1.0);
    return sum;
}
PP_TASK(double, part_sum, long, long)

static double pi(pp_server *server)
{
    pp_future parts[PARTS];
    double sum = 0.0;

    for (long i = 0; i < PARTS; i++)
        parts[i] = PP_SUBMIT(server, part_sum, i * TERMS, (i + 1) * TERMS);
    for (int i = 0; i < PARTS; i++)
        sum += PP_FETCH(part_sum, parts[i]);
    return sum;
}

static double now(void)
{
    struct timespec t;

    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    static const int wanted[] = {1, 2, 4, PP_AUTODETECT};
    pp_server *server = pp_server_open(&argc, &argv, NULL);

    if (!server) {
        fprintf(stderr, "dynamic_ncpus: %s\n", pp_last_error());
        return 1;
    }

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (pp_set_ncpus(server, wanted[i]) != PP_OK) {
            fprintf(stderr, "dynamic_ncpus: %s\n", pp_last_error());
            pp_server_close(server);
            return 1;
        }

        double start = now();

        if (wanted[i] == PP_AUTODETECT)
            printf("a worker on each core: pi is about %.12f\n", pi(server));
        else
            printf("%d worker%s pi is about %.12f\n", wanted[i], wanted[i] == 1 ? ": " : "s:", pi(server));
        fprintf(stderr, "%d workers in the farm: %.3f s\n", pp_get_ncpus(server), now() - start);
    }
    return pp_server_close(server) == PP_OK ? 0 : 1;
}
