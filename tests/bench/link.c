/* Large arguments to another host: what the library makes of a link, and what plain messages do.
 *
 *     mpirun -np 2 link --bytes N [--rounds R]          R tasks with N bytes each, on rank 1; two are under way
 *     mpirun -np 2 link --mpi --bytes N [--rounds R]    R times MPI_Send of N bytes to rank 1, which answers with 8 bytes
 *
 * The receiver reads each page. Prints one line of key=value.
 */
#include "farm.h"
#include <mpi.h>

#define PAGE 4096

static long sum_of(const unsigned char *data, size_t bytes)
{
    long sum = 0;
    for (size_t i = 0; i < bytes; i += PAGE) sum += data[i];
    return sum;
}

static void sum_task(pp_task *task)
{
    size_t bytes;
    const unsigned char *data = pp_task_args(task, &bytes);
    *(long *)pp_task_result(task, sizeof(long)) = sum_of(data, bytes);
}

static void tell(const char *what, size_t bytes, int rounds, double seconds)
{
    printf("what=%s bytes=%zu rounds=%d seconds=%.4f mb_per_s=%.1f\n", what, bytes, rounds, seconds,
           1e-6 * (double)bytes * rounds / seconds);
}

static void check(long sum, long expected)
{
    if (sum != expected) wrong("other data arrived than was sent");
}

static pp_future begin(pp_server *server, const unsigned char *data, size_t bytes)
{
    pp_future f = pp_submit(server, sum_task, data, bytes);

    if (f.id == 0) die("pp_submit");
    return f;
}

static void finish(pp_future f, long expected)
{
    long sum = 0;

    if (pp_fetch(f, &sum, sizeof sum) != PP_OK) die("pp_fetch");
    check(sum, expected);
}

/* In the ranks themselves, of which the first runs none then: every argument crosses the link. */
static int by_tasks(int argc, char **argv, unsigned char *data, size_t bytes, int rounds)
{
    pp_options options = PP_OPTIONS_INIT;
    options.isolation = PP_ISOLATE_NONE;
    pp_server *server = pp_server_open(&argc, &argv, &options);
    if (!server) die("pp_server_open");
    long expected = sum_of(data, bytes);
    finish(begin(server, data, bytes), expected); /* warm */
    double began = now_s();
    pp_future before = begin(server, data, bytes);
    for (int i = 1; i < rounds; i++) {
        pp_future f = begin(server, data, bytes);
        finish(before, expected);
        before = f;
    }
    finish(before, expected);
    tell("ppmpi", bytes, rounds, now_s() - began);
    return pp_server_close(server) == PP_OK ? 0 : 1;
}

static void send_large(unsigned char *data, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += (size_t)1 << 30) /* a count is an int */
        MPI_Send(data + at, (int)(bytes - at < (size_t)1 << 30 ? bytes - at : (size_t)1 << 30), MPI_BYTE, 1, 1, MPI_COMM_WORLD);
}

static void receive_large(unsigned char *data, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += (size_t)1 << 30)
        MPI_Recv(data + at, (int)(bytes - at < (size_t)1 << 30 ? bytes - at : (size_t)1 << 30), MPI_BYTE, 0, 1, MPI_COMM_WORLD,
                 MPI_STATUS_IGNORE);
}

static int by_messages(int argc, char **argv, unsigned char *data, size_t bytes, int rounds)
{
    int rank;
    long sum = 0, expected = sum_of(data, bytes);
    double began = 0;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    for (int i = -1; i < rounds; i++) { /* the first is to warm up */
        if (i == 0) began = now_s();
        if (rank == 0) {
            send_large(data, bytes);
            MPI_Recv(&sum, sizeof sum, MPI_BYTE, 1, 2, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            check(sum, expected);
        } else {
            receive_large(data, bytes);
            sum = sum_of(data, bytes);
            MPI_Send(&sum, sizeof sum, MPI_BYTE, 0, 2, MPI_COMM_WORLD);
        }
    }
    if (rank == 0) tell("mpi", bytes, rounds, now_s() - began);
    MPI_Finalize();
    return 0;
}

int main(int argc, char **argv)
{
    size_t bytes = (size_t)1 << 20;
    int rounds = 10, plain = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--mpi") == 0) plain = 1;
        if (strcmp(argv[i], "--bytes") == 0 && argv[i + 1]) bytes = (size_t)strtoull(argv[++i], NULL, 10);
        if (strcmp(argv[i], "--rounds") == 0 && argv[i + 1]) rounds = atoi(argv[++i]);
    }
    unsigned char *data = bytes ? malloc(bytes) : NULL;
    if (!data || rounds < 1) {
        fprintf(stderr, "usage: link [--mpi] --bytes N [--rounds R]\n");
        return 2;
    }
    for (size_t i = 0; i < bytes; i++) data[i] = (unsigned char)(i * 31 + i / PAGE);
    int status = plain ? by_messages(argc, argv, data, bytes, rounds) : by_tasks(argc, argv, data, bytes, rounds);
    free(data);
    return status;
}
