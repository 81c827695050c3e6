/* How well uneven tasks are spread: the time until all have ended, against the lower bound that no schedule can beat,
 * max(sum of the work / min(workers, cores), longest).
 *
 *     uneven --turns-per-us R [--tasks N] [--mean-us X] [--sigma S] [--seed K]
 *
 * The sizes are drawn from the lognormal distribution and scaled to the mean that is asked for. The work of a task is
 * a number of turns (bench.h); the bound supposes that they run at the speed R of bare processes. Prints one line of
 * key=value.
 */
#include "farm.h"

struct sizes {
    uint64_t *turns;
    double sum_s, longest_s;
};

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* In (0, 1). */
static double uniform(uint64_t *state)
{
    return ((double)(next_random(state) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(uint64_t *state)
{
    double u = uniform(state), v = uniform(state);

    return sqrt(-2.0 * log(u)) * cos(2.0 * 3.14159265358979323846 * v);
}

static struct sizes draw(size_t n, double mean_us, double sigma, uint64_t seed, double turns_per_us)
{
    struct sizes sizes = {new_array(n, sizeof *sizes.turns), 0, 0};
    double *us = new_array(n, sizeof *us), sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += us[i] = exp(sigma * normal(&seed));
    for (size_t i = 0; i < n; i++) {
        double turns = us[i] * mean_us * (double)n / sum * turns_per_us, s;

        if (turns > 4e9) wrong("a task has more work than can be said in 32 bits");
        sizes.turns[i] = (uint64_t)llround(turns);
        s = 1e-6 * (double)sizes.turns[i] / turns_per_us;
        sizes.sum_s += s;
        if (s > sizes.longest_s) sizes.longest_s = s;
    }
    free(us);
    return sizes;
}

#define NODES_MOST 1024

/* Those that the farm's ranks may use. */
static int cores(pp_server *server)
{
    pp_node *nodes = new_array(NODES_MOST, sizeof *nodes);
    int n = pp_get_active_nodes(server, nodes, NODES_MOST), sum = 0;

    if (n < 1 || n > NODES_MOST) wrong("the number of cores is not known");
    for (int i = 0; i < n; i++) sum += nodes[i].cores;
    free(nodes);
    return sum;
}

/* The time until all have ended, submission included. */
static double makespan_s(pp_server *server, const struct sizes *sizes, size_t n)
{
    pp_future *futures = new_array(n, sizeof *futures);
    double start = now_s(), seconds;

    for (size_t i = 0; i < n; i++) {
        uint64_t args = order(i, sizes->turns[i]);

        futures[i] = pp_submit(server, order_task, &args, sizeof args);
        if (futures[i].id == 0) die("pp_submit");
    }
    if (pp_wait_group(server, NULL, -1.0) != PP_OK) die("pp_wait_group");
    seconds = now_s() - start;
    for (size_t i = 0; i < n; i++) {
        uint64_t value;

        if (pp_fetch(futures[i], &value, sizeof value) != PP_OK) die("pp_fetch");
        if (i % 64 == 0 && value != carry_out(order(i, sizes->turns[i]))) /* as long again, so not for all */
            wrong("wrong results");
    }
    free(futures);
    return seconds;
}

int main(int argc, char **argv)
{
    long tasks = 10000, seed = 1;
    double mean_us = 100.0, sigma = 1.5, turns_per_us = 0, bound, took;
    const struct bench_option options[] = {{"--tasks", BENCH_COUNT, &tasks},
                                           {"--seed", BENCH_COUNT, &seed},
                                           {"--mean-us", BENCH_NUMBER, &mean_us},
                                           {"--sigma", BENCH_NUMBER, &sigma},
                                           {"--turns-per-us", BENCH_NUMBER, &turns_per_us}};
    struct sizes sizes;
    pp_server *server;
    int at_once;

    if (!BENCH_PARSE(argc, argv, options) || !(turns_per_us > 0) || !(mean_us > 0) || tasks > UINT32_MAX) {
        fprintf(stderr, "usage: uneven --turns-per-us R [--tasks N] [--mean-us X] [--sigma S] [--seed K]\n");
        return 2;
    }
    server = open_farm(&argc, &argv);
    at_once = cores(server);
    if (pp_get_ncpus(server) < at_once) at_once = pp_get_ncpus(server);
    sizes = draw((size_t)tasks, mean_us, sigma, (uint64_t)seed, turns_per_us);
    bound = sizes.sum_s / at_once > sizes.longest_s ? sizes.sum_s / at_once : sizes.longest_s;
    warm_up(server);
    took = makespan_s(server, &sizes, (size_t)tasks);
    printf("program=uneven measure=makespan workers=%d at_once=%d tasks=%ld seed=%ld longest_ms=%.3f bound_ms=%.3f "
           "makespan_ms=%.3f\n",
           pp_get_ncpus(server), at_once, tasks, seed, 1e3 * sizes.longest_s, 1e3 * bound, 1e3 * took);
    free(sizes.turns);
    return close_farm(server);
}
