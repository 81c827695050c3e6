/* How many turns of the benchmark's work (bench.h) an undisturbed core makes in a microsecond.
 *
 *     calibrate [--processes P] [--chunks N] [--touch M]
 *
 * With --touch it first writes to M mebibytes and gives them back: in a virtual machine the host finds memory for a page when the
 * guest first uses it, and takes it away when it has not been used for a while. That costs more than a task, and is no matter of
 * any program's.
 *
 * P processes at once, as many as there will be workers, time N short chunks each. Whatever disturbs, another
 * process, an interrupt, a host that takes the core away, makes a chunk longer and never shorter: so each process
 * reports its fastest chunk, and the program their mean. By the wall clock: in virtual machines the CPU clocks leave
 * out an estimate of the time that the host took away, and have been seen to run slow by half.
 */
#include "bench.h"
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES_MAX 1024
#define CHUNK_TURNS 20000 /* some 25 microseconds: most of them pass between two disturbances */

static double fastest_chunk(long chunks)
{
    double best = 0;

    for (long i = 0; i < chunks; i++) {
        double start = now_s(), rate;

        work(CHUNK_TURNS);
        rate = CHUNK_TURNS / (1e6 * (now_s() - start));
        if (rate > best && isfinite(rate)) best = rate;
    }
    return best;
}

/* As much of it as there is. */
static void touch(size_t bytes)
{
    char *p = bytes ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;

    if (p == MAP_FAILED) return;
    madvise(p, bytes, MADV_HUGEPAGE); /* those are what is hard to find */
    for (size_t at = 0; at < bytes; at += 4096) p[at] = 1;
    munmap(p, bytes);
}

int main(int argc, char **argv)
{
    long processes = 2, chunks = 4000, mebibytes = 0;
    const struct bench_option options[] = {{"--processes", BENCH_COUNT, &processes},
                                           {"--chunks", BENCH_COUNT, &chunks},
                                           {"--touch", BENCH_COUNT, &mebibytes}};
    double *rates, sum = 0;

    if (!BENCH_PARSE(argc, argv, options) || processes > PROCESSES_MAX) {
        fprintf(stderr, "usage: calibrate [--processes P] [--chunks N] [--touch M], P up to %d\n", PROCESSES_MAX);
        return 2;
    }
    touch((size_t)mebibytes << 20);
    rates = mmap(NULL, (size_t)processes * sizeof *rates, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (rates == MAP_FAILED) {
        perror("calibrate");
        return 1;
    }
    for (long p = 0; p < processes; p++) {
        pid_t child = fork();

        if (child < 0) {
            perror("calibrate: fork");
            return 1;
        }
        if (child == 0) {
            rates[p] = fastest_chunk(chunks);
            _exit(0);
        }
    }
    while (wait(NULL) > 0)
        ;
    for (long p = 0; p < processes; p++) {
        if (!(rates[p] > 0)) {
            fprintf(stderr, "calibrate: a process measured nothing\n");
            return 1;
        }
        sum += rates[p];
    }
    printf("program=calibrate processes=%ld turns_per_us=%.3f\n", processes, sum / (double)processes);
    return 0;
}
