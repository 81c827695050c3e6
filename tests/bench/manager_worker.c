/* The baseline of the benchmarks: the manager-worker loop that a good MPI programmer writes by hand. Rank 0 hands out
 * tasks, the other ranks compute; 8 bytes go each way; blocking MPI_Recv(MPI_ANY_SOURCE) and MPI_Send. It has no
 * queue, no futures, no isolation: it is the floor.
 *
 *     mpirun -np 3 manager_worker --tasks 200000 --in-flight 1      textbook: a worker gets a task for each result
 *     mpirun -np 3 manager_worker --tasks 200000 --in-flight 8      each worker has some in stock
 *     mpirun -np 3 manager_worker --latency --tasks 20000           one task at a time, there and back
 *
 * --work-us X makes each task busy for X microseconds. Prints one line of key=value.
 */
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAG_WORK = 1, TAG_STOP = 2, TAG_RESULT = 3 };

struct options {
    long tasks, in_flight;
    double work_us;
    bool latency;
};

/* Checksum of what the tasks return: task i returns i + 1. */
static uint64_t expected_sum(uint64_t tasks)
{
    return tasks * (tasks + 1) / 2;
}

static void worker(double work_us)
{
    for (;;) {
        MPI_Status status;
        uint64_t value;

        MPI_Recv(&value, 1, MPI_UINT64_T, 0, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
        if (status.MPI_TAG == TAG_STOP)
            return;
        if (work_us > 0) {
            double end = MPI_Wtime() + 1e-6 * work_us;

            while (MPI_Wtime() < end)
                ;
        }
        value++;
        MPI_Send(&value, 1, MPI_UINT64_T, 0, TAG_RESULT, MPI_COMM_WORLD);
    }
}

/* All tasks through the farm, at most in_flight of them at each worker. Returns the checksum. */
static uint64_t farm(uint64_t tasks, long in_flight, int workers)
{
    uint64_t sent = 0, sum = 0;

    for (long k = 0; k < in_flight; k++)
        for (int w = 1; w <= workers && sent < tasks; w++, sent++)
            MPI_Send(&sent, 1, MPI_UINT64_T, w, TAG_WORK, MPI_COMM_WORLD);

    for (uint64_t received = 0; received < tasks; received++) {
        MPI_Status status;
        uint64_t value;

        MPI_Recv(&value, 1, MPI_UINT64_T, MPI_ANY_SOURCE, TAG_RESULT, MPI_COMM_WORLD, &status);
        sum += value;
        if (sent < tasks) {
            MPI_Send(&sent, 1, MPI_UINT64_T, status.MPI_SOURCE, TAG_WORK, MPI_COMM_WORLD);
            sent++;
        }
    }
    return sum;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* One task at a time. As in the loop above, the next task goes to where the result came from. */
static uint64_t round_trips(uint64_t tasks, double *us)
{
    uint64_t sum = 0;
    int to = 1;

    for (uint64_t i = 0; i < tasks; i++) {
        double start = MPI_Wtime();
        MPI_Status status;
        uint64_t value;

        MPI_Send(&i, 1, MPI_UINT64_T, to, TAG_WORK, MPI_COMM_WORLD);
        MPI_Recv(&value, 1, MPI_UINT64_T, MPI_ANY_SOURCE, TAG_RESULT, MPI_COMM_WORLD, &status);
        us[i] = 1e6 * (MPI_Wtime() - start);
        to = status.MPI_SOURCE;
        sum += value;
    }
    return sum;
}

static int manager(const struct options *o, int workers)
{
    uint64_t tasks = (uint64_t)o->tasks, warm_up = tasks < 2000 ? tasks : 2000, sum;
    double start, seconds;

    if (o->work_us > 0 && warm_up > 20)
        warm_up = 20;
    farm(warm_up, o->in_flight, workers); /* connections, caches; not timed */

    if (o->latency) {
        double *us = malloc(tasks * sizeof *us);

        if (!us)
            return 1;
        sum = round_trips(tasks, us);
        qsort(us, tasks, sizeof *us, by_size);
        printf("program=manager_worker measure=latency workers=%d tasks=%ld median_us=%.3f p99_us=%.3f\n", workers,
               o->tasks, us[tasks / 2], us[tasks * 99 / 100]);
        free(us);
    } else {
        start = MPI_Wtime();
        sum = farm(tasks, o->in_flight, workers);
        seconds = MPI_Wtime() - start;
        printf("program=manager_worker measure=throughput workers=%d tasks=%ld in_flight=%ld work_us=%g seconds=%.6f "
               "tasks_per_s=%.0f efficiency=%.4f\n",
               workers, o->tasks, o->in_flight, o->work_us, seconds, (double)tasks / seconds,
               1e-6 * o->work_us * (double)tasks / (seconds * workers));
    }
    if (sum != expected_sum(tasks)) {
        fprintf(stderr, "manager_worker: wrong results\n");
        return 1;
    }
    return 0;
}

static bool parse(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        char rest[] = "x", *end = rest;

        if (strcmp(argv[i], "--latency") == 0) {
            o->latency = true;
            continue;
        }
        if (i + 1 == argc)
            return false;
        if (strcmp(argv[i], "--tasks") == 0)
            o->tasks = strtol(argv[++i], &end, 10);
        else if (strcmp(argv[i], "--in-flight") == 0)
            o->in_flight = strtol(argv[++i], &end, 10);
        else if (strcmp(argv[i], "--work-us") == 0)
            o->work_us = strtod(argv[++i], &end);
        if (*end != '\0')
            return false;
    }
    return o->tasks > 0 && o->in_flight > 0 && o->work_us >= 0;
}

int main(int argc, char **argv)
{
    struct options o = {100000, 1, 0.0, false};
    int rank, size, status = 0;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (!parse(argc, argv, &o) || size < 2) {
        if (rank == 0)
            fprintf(stderr, "usage: mpirun -np N manager_worker [--tasks N] [--in-flight K] [--work-us X] [--latency], "
                            "with 2 ranks or more\n");
        MPI_Finalize();
        return 2;
    }
    if (rank == 0) {
        uint64_t none = 0;

        status = manager(&o, size - 1);
        for (int w = 1; w < size; w++)
            MPI_Send(&none, 1, MPI_UINT64_T, w, TAG_STOP, MPI_COMM_WORLD);
    } else {
        worker(o.work_us);
    }
    MPI_Finalize();
    return status;
}
