/* The baseline of the benchmarks: the manager-worker loop that a good MPI programmer writes by hand. Rank 0 hands out
 * tasks, the other ranks compute; 8 bytes go each way; blocking MPI_Recv(MPI_ANY_SOURCE) and MPI_Send. It has no
 * queue, no futures, no isolation: it is the floor.
 *
 *     mpirun -np 3 manager_worker --tasks 200000 --in-flight 1      textbook: a worker gets a task for each result
 *     mpirun -np 3 manager_worker --tasks 200000 --in-flight 8      each worker has some in stock
 *     mpirun -np 3 manager_worker --latency --tasks 20000           one task at a time, there and back
 *     mpirun -np 3 manager_worker --sweep --turns-per-us R          efficiency against the size of tasks
 *
 * Prints one line of key=value per measurement. Where the results are wrong it says so and fails.
 */
#include "bench.h"
#include <mpi.h>

enum { TAG_WORK = 1, TAG_STOP = 2, TAG_RESULT = 3 };

struct options {
    long tasks, in_flight;
    bool latency, sweep;
    struct sweep sizes;
};

static void worker(void)
{
    for (;;) {
        MPI_Status status;
        uint64_t value;

        MPI_Recv(&value, 1, MPI_UINT64_T, 0, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
        if (status.MPI_TAG == TAG_STOP) return;
        value = carry_out(value);
        MPI_Send(&value, 1, MPI_UINT64_T, 0, TAG_RESULT, MPI_COMM_WORLD);
    }
}

static void send_task(int worker, uint64_t order)
{
    MPI_Send(&order, 1, MPI_UINT64_T, worker, TAG_WORK, MPI_COMM_WORLD);
}

/* All tasks through the farm, at most in_flight of them at each worker. Returns the seconds it took. */
static double farm(uint64_t tasks, uint64_t turns, long in_flight, int workers)
{
    double start = MPI_Wtime(), seconds;
    uint64_t sent = 0, sum = 0;

    for (long k = 0; k < in_flight; k++)
        for (int w = 1; w <= workers && sent < tasks; w++, sent++)
            send_task(w, order(sent, turns));

    for (uint64_t received = 0; received < tasks; received++) {
        MPI_Status status;
        uint64_t value;

        MPI_Recv(&value, 1, MPI_UINT64_T, MPI_ANY_SOURCE, TAG_RESULT, MPI_COMM_WORLD, &status);
        sum += value;
        if (sent < tasks) {
            send_task(status.MPI_SOURCE, order(sent, turns));
            sent++;
        }
    }
    seconds = MPI_Wtime() - start;
    if (sum != sum_of_results(tasks, turns)) {
        fprintf(stderr, "manager_worker: wrong results\n");
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
    return seconds;
}

/* One task at a time. As in the loop above, the next task goes to where the result came from. */
static void round_trips(uint64_t tasks, double *us)
{
    uint64_t sum = 0;
    int to = 1;

    for (uint64_t i = 0; i < tasks; i++) {
        double start = MPI_Wtime();
        MPI_Status status;
        uint64_t value;

        send_task(to, order(i, 0));
        MPI_Recv(&value, 1, MPI_UINT64_T, MPI_ANY_SOURCE, TAG_RESULT, MPI_COMM_WORLD, &status);
        us[i] = 1e6 * (MPI_Wtime() - start);
        to = status.MPI_SOURCE;
        sum += value;
    }
    if (sum != sum_of_results(tasks, 0)) {
        fprintf(stderr, "manager_worker: wrong results\n");
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
}

static void latency(uint64_t tasks, int workers)
{
    double *us = calloc(tasks, sizeof *us);

    if (!us) {
        fprintf(stderr, "manager_worker: out of memory\n");
        MPI_Abort(MPI_COMM_WORLD, 1);
        return;
    }
    round_trips(tasks, us);
    printf("program=manager_worker measure=latency workers=%d tasks=%lu median_us=%.3f p99_us=%.3f\n", workers,
           (unsigned long)tasks, median(us, tasks), quantile(us, tasks, 0.99));
    free(us);
}

static void sweep(const struct sweep *s, long in_flight, int workers)
{
    double seconds[SWEEP_REPEATS_MAX];

    for (int i = 0; sweep_has(s, i); i++) {
        for (long r = 0; r < s->repeats; r++)
            seconds[r] = farm(sweep_tasks(s, i, workers), sweep_turns(s, i), in_flight, workers);
        sweep_print("manager_worker", s, i, workers, seconds);
    }
}

static void manager(const struct options *o, int workers)
{
    uint64_t tasks = (uint64_t)o->tasks;
    double seconds;

    farm(2000, 0, o->in_flight, workers); /* connections, caches; not timed */
    if (o->latency) {
        latency(tasks, workers);
    } else if (o->sweep) {
        sweep(&o->sizes, o->in_flight, workers);
    } else {
        seconds = farm(tasks, 0, o->in_flight, workers);
        printf("program=manager_worker measure=throughput workers=%d tasks=%lu in_flight=%ld seconds=%.6f "
               "tasks_per_s=%.0f\n",
               workers, (unsigned long)tasks, o->in_flight, seconds, (double)tasks / seconds);
    }
}

static bool parse(int argc, char **argv, struct options *o)
{
    const struct bench_option options[] = {{"--tasks", BENCH_COUNT, &o->tasks},
                                           {"--in-flight", BENCH_COUNT, &o->in_flight},
                                           {"--latency", BENCH_FLAG, &o->latency},
                                           {"--sweep", BENCH_FLAG, &o->sweep},
                                           SWEEP_OPTIONS(o->sizes)};

    return BENCH_PARSE(argc, argv, options) && o->tasks <= UINT32_MAX && !(o->latency && o->sweep) &&
           o->sweep == (o->sizes.turns_per_us > 0) && (!o->sweep || sweep_is_sane(&o->sizes));
}

int main(int argc, char **argv)
{
    struct options o = {.tasks = 100000, .in_flight = 1, .sizes = SWEEP_INIT};
    int rank, size;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (!parse(argc, argv, &o) || size < 2) {
        if (rank == 0)
            fprintf(stderr, "usage: mpirun -np N manager_worker [--tasks N] [--in-flight K] "
                            "[--latency | --sweep --turns-per-us R " SWEEP_USAGE "], with 2 ranks or more\n");
        MPI_Finalize();
        return 2;
    }
    if (rank == 0) {
        uint64_t none = 0;

        manager(&o, size - 1);
        for (int w = 1; w < size; w++)
            MPI_Send(&none, 1, MPI_UINT64_T, w, TAG_STOP, MPI_COMM_WORLD);
    } else {
        worker();
    }
    MPI_Finalize();
    return 0;
}
