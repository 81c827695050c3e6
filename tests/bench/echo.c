/* What large data costs: submit copies it, the task copies it, pp_result lends what came back.
 *
 *     echo --bytes N [--rounds R] [--remote]       there and back, one at a time
 *
 * --remote, under a launcher: those that another rank ran count. Prints one line of key=value. The data is checked.
 */
#include "farm.h"

#define WARM_UP 3

static void echo_task(pp_task *task)
{
    size_t bytes;
    const void *args = pp_task_args(task, &bytes);
    void *result = pp_task_result(task, bytes);

    if (result) memcpy(result, args, bytes);
}

/* One time there and back, in microseconds; *rank is the rank that ran it. */
static double there_and_back(pp_server *server, const char *data, size_t bytes, bool compare, int *rank)
{
    double start = now_s(), us;
    pp_future f = pp_submit(server, echo_task, data, bytes);
    pp_task_info info = {.size = sizeof info};
    const void *result;
    size_t got;

    if (pp_result(f, &result, &got) != PP_OK) die("pp_result");
    us = 1e6 * (now_s() - start);
    if (got != bytes || memcmp((const char *)result + bytes - 1, data + bytes - 1, 1) != 0 ||
        (compare && memcmp(result, data, bytes) != 0))
        wrong("wrong data");
    if (pp_info(f, &info) != PP_OK || pp_release(f) != PP_OK) die("pp_info");
    *rank = info.rank;
    return us;
}

static void echo(pp_server *server, size_t bytes, size_t rounds, bool remote)
{
    char *data = new_array(bytes, 1);
    double *us = new_array(rounds, sizeof *us);
    size_t seen = 0, n = 0;
    int rank;

    for (size_t i = 0; i < bytes; i += 4096)
        data[i] = (char)(i / 4096);
    warm_up(server);
    for (size_t i = 0; n < rounds && i < 100 * (rounds + WARM_UP); i++) {
        double took = there_and_back(server, data, bytes, seen < WARM_UP, &rank);

        if (remote ? rank == 0 : rank != 0) continue;
        if (++seen > WARM_UP) us[n++] = took;
    }
    if (n < rounds) wrong(remote ? "hardly any task ran at another rank" : "hardly any task ran at this rank");
    printf("program=echo measure=echo bytes=%zu rounds=%zu remote=%d median_us=%.3f gb_per_s=%.4f\n", bytes, rounds,
           remote, median(us, rounds), 1e-3 * (double)bytes / median(us, rounds));
    free(data);
    free(us);
}

int main(int argc, char **argv)
{
    long bytes = 0, rounds = 20;
    bool remote = false;
    const struct bench_option options[] = {
        {"--bytes", BENCH_COUNT, &bytes}, {"--rounds", BENCH_COUNT, &rounds}, {"--remote", BENCH_FLAG, &remote}};
    pp_server *server;

    if (!BENCH_PARSE(argc, argv, options) || bytes < 1) {
        fprintf(stderr, "usage: echo --bytes N [--rounds R] [--remote]\n");
        return 2;
    }
    prepare_own_hold();
    server = open_farm(&argc, &argv);
    if (remote) hold_own_workers(server);
    echo(server, (size_t)bytes, (size_t)rounds, remote);
    release_own_workers();
    return close_farm(server);
}
