/* What the library costs, measured through its public functions: tasks of 8 bytes each way, as in manager_worker.c.
 *
 *     farm --tasks N [--times T]           submit N, then fetch all: tasks per second, the median of T times
 *     farm --latency [--tasks N]           one at a time, submit to result; [--remote] those that another rank ran
 *     farm --sweep --turns-per-us R        efficiency against the size of tasks
 *     farm --open-close                    nothing; the whole process is timed from outside
 *
 * PPMPI_WORKERS says how many workers; under a launcher there are ranks. Prints one line of key=value per
 * measurement.
 */
#include "farm.h"

struct options {
    long tasks, times;
    bool latency, remote, sweep, open_close;
    struct sweep sizes;
};

/* The pid of this rank, written before the server is opened: tasks see it, and so know whose worker they run in. */
static long opened_by;

static void throughput(pp_server *server, size_t tasks, size_t times)
{
    pp_future *futures = new_array(tasks, sizeof *futures);
    double *seconds = new_array(times, sizeof *seconds);

    warm_up(server);
    if (times == 1) find_memory(tasks); /* of several the first is not the median */
    for (size_t i = 0; i < times; i++)
        seconds[i] = run_all(server, tasks, 0, futures);
    printf("program=farm measure=throughput workers=%d tasks=%zu times=%zu tasks_per_s=%.0f\n", pp_get_ncpus(server),
           tasks, times, (double)tasks / median(seconds, times));
    free(futures);
    free(seconds);
}

static void where_task(pp_task *task)
{
    reply(task, *(const uint64_t *)pp_task_args(task, NULL) + (uint64_t)opened_by);
}

/* One task there and back; whether it ran at this rank. */
static bool there_and_back(pp_server *server, uint64_t number)
{
    pp_future f = pp_submit(server, where_task, &number, sizeof number);
    uint64_t result;

    if (pp_fetch(f, &result, sizeof result) != PP_OK) die("pp_fetch");
    return result - number == (uint64_t)opened_by;
}

/* With several ranks the tasks go to rank 0's own workers, unless those are held: then to the other's, one at a time. */
static void latency(pp_server *server, size_t tasks, bool remote)
{
    double *us = new_array(tasks, sizeof *us);
    size_t n = 0;

    warm_up(server);
    for (size_t i = 0; n < tasks && i < 100 * tasks; i++) {
        double start = now_s();
        bool here = there_and_back(server, i);

        us[n] = 1e6 * (now_s() - start);
        n += remote ? !here : here;
    }
    if (n < tasks) wrong(remote ? "hardly any task ran at another rank" : "hardly any task ran at this rank");
    printf("program=farm measure=latency workers=%d remote=%d tasks=%zu median_us=%.3f p99_us=%.3f\n",
           pp_get_ncpus(server), remote, tasks, median(us, tasks), quantile(us, tasks, 0.99));
    free(us);
}

static void sweep(pp_server *server, const struct sweep *s)
{
    int workers = pp_get_ncpus(server);
    pp_future *futures = new_array((size_t)s->most + SWEEP_FEWEST, sizeof *futures);
    double seconds[SWEEP_REPEATS_MAX];

    warm_up(server);
    for (int i = 0; sweep_has(s, i); i++) {
        for (long r = 0; r < s->repeats; r++)
            seconds[r] = run_all(server, sweep_tasks(s, i, workers), sweep_turns(s, i), futures);
        sweep_print("farm", s, i, workers, seconds);
    }
    free(futures);
}

static bool parse(int argc, char **argv, struct options *o)
{
    const struct bench_option options[] = {{"--tasks", BENCH_COUNT, &o->tasks},
                                           {"--times", BENCH_COUNT, &o->times},
                                           {"--latency", BENCH_FLAG, &o->latency},
                                           {"--remote", BENCH_FLAG, &o->remote},
                                           {"--sweep", BENCH_FLAG, &o->sweep},
                                           {"--open-close", BENCH_FLAG, &o->open_close},
                                           SWEEP_OPTIONS(o->sizes)};

    return BENCH_PARSE(argc, argv, options) && o->tasks <= UINT32_MAX && o->latency + o->sweep + o->open_close <= 1 &&
           (o->latency || !o->remote) && o->sweep == (o->sizes.turns_per_us > 0) &&
           (!o->sweep || sweep_is_sane(&o->sizes));
}

int main(int argc, char **argv)
{
    struct options o = {.tasks = 100000, .times = 1, .sizes = SWEEP_INIT};
    pp_server *server;

    if (!parse(argc, argv, &o)) {
        fprintf(stderr,
                "usage: farm [--tasks N] [--times T | --latency [--remote] | --sweep --turns-per-us R " SWEEP_USAGE
                " | --open-close]\n");
        return 2;
    }
    opened_by = getpid();
    prepare_own_hold();
    server = open_farm(&argc, &argv);
    if (o.remote) hold_own_workers(server);
    if (o.latency)
        latency(server, (size_t)o.tasks, o.remote);
    else if (o.sweep)
        sweep(server, &o.sizes);
    else if (o.open_close)
        printf("program=farm measure=open-close workers=%d\n", pp_get_ncpus(server));
    else
        throughput(server, (size_t)o.tasks, (size_t)o.times);
    release_own_workers();
    return close_farm(server);
}
