/* How long a command takes from start to end.
 *
 *     stopwatch TIMES COMMAND [ARGUMENT…]
 *
 * Runs it TIMES times, its output thrown away, and prints the median. A command that fails ends the program with 1.
 */
#include "bench.h"
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

/* Seconds; negative when the command could not be started, or failed. */
static double run(char **command, posix_spawn_file_actions_t *quiet)
{
    double start = now_s();
    int status, error;
    pid_t pid;

    error = posix_spawnp(&pid, command[0], quiet, NULL, command, environ);
    if (error != 0) {
        fprintf(stderr, "stopwatch: %s: %s\n", command[0], strerror(error));
        return -1;
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return -1;
    if (status != 0) {
        fprintf(stderr, "stopwatch: %s failed\n", command[0]);
        return -1;
    }
    return now_s() - start;
}

int main(int argc, char **argv)
{
    struct bench_option times_option = {"TIMES", BENCH_COUNT, NULL};
    posix_spawn_file_actions_t quiet;
    double *seconds;
    long times = 0;

    times_option.value = &times;
    if (argc < 3 || !bench_value(&times_option, argv[1])) {
        fprintf(stderr, "usage: stopwatch TIMES COMMAND [ARGUMENT...]\n");
        return 2;
    }
    seconds = calloc((size_t)times, sizeof *seconds);
    if (!seconds || posix_spawn_file_actions_init(&quiet) != 0 ||
        posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0) != 0) {
        fprintf(stderr, "stopwatch: out of memory\n");
        return 1;
    }
    for (long i = 0; i < times; i++) {
        seconds[i] = run(argv + 2, &quiet);
        if (seconds[i] < 0) return 1;
    }
    printf("program=stopwatch times=%ld median_ms=%.3f\n", times, 1e3 * median(seconds, (size_t)times));
    posix_spawn_file_actions_destroy(&quiet);
    free(seconds);
    return 0;
}
