/* The loop that the farm is compared with, in the same simulation: a manager that sends each worker its next task when a result
 * comes, and has --in-flight of them at each worker.
 *
 *     smpirun … loop.so --tasks-each 100 --ms 10 --in-flight 1
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAG_WORK = 1, TAG_STOP = 2, TAG_RESULT = 3 };

struct order {
    uint64_t x;
    double seconds;
};

static void worker(void)
{
    for (;;) {
        MPI_Status status;
        struct order order;
        MPI_Recv(&order, sizeof order, MPI_BYTE, 0, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
        if (status.MPI_TAG == TAG_STOP) return;
        simulated_use(order.seconds);
        order.x++;
        MPI_Send(&order.x, sizeof order.x, MPI_BYTE, 0, TAG_RESULT, MPI_COMM_WORLD);
    }
}

static void send_task(int to, uint64_t x, double ms)
{
    struct order order = {x, ms / 1e3};
    MPI_Send(&order, sizeof order, MPI_BYTE, to, TAG_WORK, MPI_COMM_WORLD);
}

static int manager(int workers, uint64_t tasks_each, double ms, int in_flight)
{
    uint64_t tasks = tasks_each * (uint64_t)workers, sent = 0, sum = 0;
    double began = MPI_Wtime();
    for (int k = 0; k < in_flight; k++)
        for (int w = 1; w <= workers && sent < tasks; w++) send_task(w, sent++, ms);
    for (uint64_t received = 0; received < tasks; received++) {
        MPI_Status status;
        uint64_t x;
        MPI_Recv(&x, sizeof x, MPI_BYTE, MPI_ANY_SOURCE, TAG_RESULT, MPI_COMM_WORLD, &status);
        sum += x;
        if (sent < tasks) send_task(status.MPI_SOURCE, sent++, ms);
    }
    double seconds = MPI_Wtime() - began;
    for (int w = 1; w <= workers; w++) MPI_Send(NULL, 0, MPI_BYTE, w, TAG_STOP, MPI_COMM_WORLD);
    printf("program=loop ranks=%d workers=%d tasks=%llu ms=%g in_flight=%d seconds=%.4f efficiency=%.4f\n", workers + 1, workers,
           (unsigned long long)tasks, ms, in_flight, seconds, (double)tasks * ms / 1e3 / (seconds * workers));
    fflush(stdout);
    if (sum == tasks * (tasks + 1) / 2) return 0;
    fprintf(stderr, "loop: wrong results\n");
    return 1;
}

int main(int argc, char **argv)
{
    uint64_t tasks_each = 100;
    double ms = 10;
    int rank, size, in_flight = 1, status = 0, sane = argc % 2;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--tasks-each") == 0)
            tasks_each = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--ms") == 0)
            ms = strtod(argv[i + 1], NULL);
        else if (strcmp(argv[i], "--in-flight") == 0)
            in_flight = atoi(argv[i + 1]);
        else
            sane = 0;
    }
    if (!sane || size < 2 || tasks_each == 0 || !(ms > 0) || in_flight < 1) {
        if (rank == 0) fprintf(stderr, "usage: loop [--tasks-each N] [--ms MS] [--in-flight K], with 2 ranks or more\n");
        status = 2;
    } else if (rank == 0) {
        status = manager(size - 1, tasks_each, ms, in_flight);
    } else {
        worker();
    }
    MPI_Finalize();
    return status;
}
