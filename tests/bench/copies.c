/* The baseline of large data: what it costs to carry so many bytes there and back without any library.
 *
 *     copies --bytes N [--rounds R]                      a process copies its data into shared memory; another copies
 *                                                        it from there into other shared memory, where it is read
 *     mpirun -np 2 copies --mpi --bytes N [--rounds R]   MPI_Send to the other rank, MPI_Recv of the same from there
 *
 * Both wait by polling, on a core each, and use the same memory again and again. Prints one line of key=value.
 */
#include "bench.h"
#include <mpi.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define WARM_UP 3

struct turns {
    _Alignas(64) _Atomic long asked;
    _Alignas(64) _Atomic long done;
};

static void *shared(size_t bytes)
{
    int fd = memfd_create("ppmpi-bench", MFD_CLOEXEC);
    void *p = fd >= 0 && ftruncate(fd, (off_t)bytes) == 0
                  ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                  : MAP_FAILED;

    if (p == MAP_FAILED) {
        perror("copies");
        exit(1);
    }
    close(fd);
    return p;
}

/* Keeps the compiler from dropping a copy that nobody looks at. */
static void use(const void *p)
{
    __asm__ volatile("" : : "r"(p) : "memory");
}

static void through_shared_memory(char *data, size_t bytes, long rounds, double *us)
{
    struct turns *turns = shared(sizeof *turns);
    char *there = shared(bytes), *back = shared(bytes);
    pid_t child = fork();

    if (child < 0) {
        perror("copies: fork");
        exit(1);
    }
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* it would poll for ever */
        for (long i = 1; i <= WARM_UP + rounds; i++) {
            while (atomic_load(&turns->asked) < i)
                ;
            memcpy(back, there, bytes);
            atomic_store(&turns->done, i);
        }
        _exit(0);
    }
    for (long i = 1; i <= WARM_UP + rounds; i++) {
        double start = now_s();

        memcpy(there, data, bytes);
        atomic_store(&turns->asked, i);
        while (atomic_load(&turns->done) < i)
            ;
        use(back);
        if (i > WARM_UP) us[i - WARM_UP - 1] = 1e6 * (now_s() - start);
    }
    if (memcmp(back, data, bytes) != 0) {
        fprintf(stderr, "copies: wrong data\n");
        exit(1);
    }
    waitpid(child, NULL, 0);
}

/* A message of more than 2 GiB would need a derived type. */
static void by_mpi(char *data, char *back, int bytes, int rank, long rounds, double *us)
{
    for (long i = 0; i < WARM_UP + rounds; i++) {
        if (rank == 0) {
            double start = now_s();

            MPI_Send(data, bytes, MPI_BYTE, 1, 1, MPI_COMM_WORLD);
            MPI_Recv(back, bytes, MPI_BYTE, 1, 2, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            if (i >= WARM_UP) us[i - WARM_UP] = 1e6 * (now_s() - start);
        } else {
            MPI_Recv(back, bytes, MPI_BYTE, 0, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            MPI_Send(back, bytes, MPI_BYTE, 0, 2, MPI_COMM_WORLD);
        }
    }
    if (rank == 0 && memcmp(back, data, (size_t)bytes) != 0) {
        fprintf(stderr, "copies: wrong data\n");
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
}

int main(int argc, char **argv)
{
    long bytes = 0, rounds = 20;
    bool mpi = false, wrong;
    const struct bench_option options[] = {
        {"--bytes", BENCH_COUNT, &bytes}, {"--rounds", BENCH_COUNT, &rounds}, {"--mpi", BENCH_FLAG, &mpi}};
    int rank = 0, size = 2;

    wrong = !BENCH_PARSE(argc, argv, options);
    if (mpi) {
        MPI_Init(&argc, &argv);
        MPI_Comm_rank(MPI_COMM_WORLD, &rank);
        MPI_Comm_size(MPI_COMM_WORLD, &size);
    }
    if (wrong || bytes < 1 || bytes > 0x7fffffff || size != 2) {
        if (rank == 0)
            fprintf(stderr, "usage: [mpirun -np 2] copies [--mpi] --bytes N [--rounds R], N up to 2 GiB - 1\n");
        if (mpi) MPI_Finalize();
        return 2;
    }
    char *data = malloc((size_t)bytes), *back = malloc((size_t)bytes);
    double *us = calloc((size_t)rounds, sizeof *us);

    if (!data || !back || !us) {
        fprintf(stderr, "copies: out of memory\n");
        return 1;
    }
    memset(data, 1, (size_t)bytes);
    memset(back, 2, (size_t)bytes);
    if (mpi)
        by_mpi(data, back, (int)bytes, rank, rounds, us);
    else
        through_shared_memory(data, (size_t)bytes, rounds, us);
    if (rank == 0)
        printf("program=copies measure=%s bytes=%ld rounds=%ld median_us=%.3f gb_per_s=%.4f\n",
               mpi ? "mpi" : "shared", bytes, rounds, median(us, (size_t)rounds),
               1e-3 * (double)bytes / median(us, (size_t)rounds));
    if (mpi) MPI_Finalize();
    free(data);
    free(back);
    free(us);
    return 0;
}
