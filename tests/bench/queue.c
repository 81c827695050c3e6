/* What it costs to have many tasks queued.
 *
 *     queue --memory --tasks N              resident memory of this process per queued task of 8 bytes
 *     queue --cost --tasks N --few F        nanoseconds per task, submit all then fetch all, with F tasks and with N
 *
 * --cost runs the few often and takes the median, then the many twice: at first in memory that is new to the process,
 * which the system has to clear, then in the same again. Prints one line of key=value.
 */
#include "farm.h"

#define FEW_IN_ALL 2000000 /* the few are run so often that they are so many, 200 times at most */

static double resident_bytes(void)
{
    FILE *in = fopen("/proc/self/status", "r");
    char line[256];
    double kib = 0;

    while (in && fgets(line, sizeof line, in))
        if (strncmp(line, "VmRSS:", 6) == 0) kib = strtod(line + 6, NULL);
    if (in) fclose(in);
    if (!(kib > 0)) wrong("/proc/self/status does not say how much memory is resident");
    return 1024 * kib;
}

static void memory(pp_server *server, struct hold *hold, size_t tasks)
{
    pp_future *futures = new_array(tasks, sizeof *futures);
    pp_stats stats = {.size = sizeof stats};
    double before, after;

    warm_up(server);
    hold_workers(server, hold);
    before = resident_bytes();
    submit_all(server, tasks, 0, futures);
    after = resident_bytes();
    if (pp_get_stats(server, &stats) != PP_OK) die("pp_get_stats");
    if (stats.running != (uint64_t)hold->n || stats.queued != tasks)
        wrong("tasks were not queued while their memory was measured");
    release_workers(hold);
    fetch_all(tasks, 0, futures);
    printf(
        "program=queue measure=memory workers=%d queued=%zu before_bytes=%.0f after_bytes=%.0f bytes_per_task=%.2f\n",
        hold->n, tasks, before, after, (after - before) / (double)tasks);
    end_hold(hold);
    free(futures);
}

static double ns_per_task(pp_server *server, size_t tasks, pp_future *futures)
{
    return 1e9 * run_all(server, tasks, 0, futures) / (double)tasks;
}

static void cost(pp_server *server, size_t tasks, size_t few)
{
    pp_future *futures = new_array(tasks, sizeof *futures);
    size_t times = FEW_IN_ALL / few < 3 ? 3 : FEW_IN_ALL / few > 200 ? 200 : FEW_IN_ALL / few;
    double *ns = new_array(times, sizeof *ns), cold, warm;

    warm_up(server);
    for (size_t i = 0; i < times; i++)
        ns[i] = ns_per_task(server, few, futures);
    find_memory(tasks);
    cold = ns_per_task(server, tasks, futures);
    warm = ns_per_task(server, tasks, futures);
    printf("program=queue measure=cost workers=%d few=%zu few_ns=%.2f tasks=%zu new_ns=%.2f warm_ns=%.2f\n",
           pp_get_ncpus(server), few, median(ns, times), tasks, cold, warm);
    free(futures);
    free(ns);
}

int main(int argc, char **argv)
{
    bool want_memory = false, want_cost = false;
    long tasks = 1000000, few = 10000;
    const struct bench_option options[] = {{"--memory", BENCH_FLAG, &want_memory},
                                           {"--cost", BENCH_FLAG, &want_cost},
                                           {"--tasks", BENCH_COUNT, &tasks},
                                           {"--few", BENCH_COUNT, &few}};
    pp_server *server;
    struct hold hold;

    if (!BENCH_PARSE(argc, argv, options) || want_memory == want_cost || (want_cost && few > tasks) ||
        tasks > UINT32_MAX) {
        fprintf(stderr, "usage: queue --memory [--tasks N] | --cost [--tasks N] [--few F], F up to N\n");
        return 2;
    }
    hold = new_hold();
    server = open_farm(&argc, &argv);
    if (want_memory)
        memory(server, &hold, (size_t)tasks);
    else
        cost(server, (size_t)tasks, (size_t)few);
    return close_farm(server);
}
