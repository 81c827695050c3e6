/* How many turns of the benchmark's work (bench.h) bare processes make in a microsecond, as many at once as there will be workers.
 *
 *     calibrate [--processes P] [--chunks N]
 *
 * P processes at once time N short chunks each. turns_per_us is the mean over all chunks and processes: the peak to which
 * efficiency refers, as in Task Bench (Slaughter et al., SC 2020), where it is measured with all cores at work. Cores that share a
 * cache, their clock or a host with others do less together than one of them alone. undisturbed_turns_per_us is the mean of each
 * process's fastest chunk: whatever disturbs, another process, an interrupt, a host that takes the core away, makes a chunk
 * longer and never shorter. By the wall clock: in virtual machines the CPU clocks leave out an estimate of the time that the host
 * took away, and have been seen to run slow by half.
 */
#include "bench.h"
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES_MAX 1024
#define CHUNK_TURNS 20000 /* some 25 microseconds: most of them pass between two disturbances */

struct rates {
    double mean, fastest;
};

static struct rates measure(long chunks)
{
    double began = now_s(), start = began, best = 0;

    for (long i = 0; i < chunks; i++) {
        double end, rate;

        work(CHUNK_TURNS);
        end = now_s();
        rate = CHUNK_TURNS / (1e6 * (end - start));
        if (rate > best && isfinite(rate)) best = rate;
        start = end;
    }
    return (struct rates){CHUNK_TURNS * (double)chunks / (1e6 * (start - began)), best};
}

int main(int argc, char **argv)
{
    long processes = 2, chunks = 4000;
    const struct bench_option options[] = {{"--processes", BENCH_COUNT, &processes},
                                           {"--chunks", BENCH_COUNT, &chunks}};
    struct rates *rates, sum = {0, 0};

    if (!BENCH_PARSE(argc, argv, options) || processes > PROCESSES_MAX) {
        fprintf(stderr, "usage: calibrate [--processes P] [--chunks N], P up to %d\n", PROCESSES_MAX);
        return 2;
    }
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
            rates[p] = measure(chunks);
            _exit(0);
        }
    }
    while (wait(NULL) > 0)
        ;
    for (long p = 0; p < processes; p++) {
        if (!(rates[p].fastest > 0)) {
            fprintf(stderr, "calibrate: a process measured nothing\n");
            return 1;
        }
        sum.mean += rates[p].mean;
        sum.fastest += rates[p].fastest;
    }
    printf("program=calibrate processes=%ld turns_per_us=%.3f undisturbed_turns_per_us=%.3f bare=%.4f\n", processes,
           sum.mean / (double)processes, sum.fastest / (double)processes, sum.mean / sum.fastest);
    return 0;
}
