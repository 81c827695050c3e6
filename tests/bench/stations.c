/* What a task costs at each station of its way, in nanoseconds.
 *
 *     stations [--tasks N] [--trips T]
 *
 * One at a time, by clocks that the task itself reads: the call of pp_submit (call), from there to the first line of
 * the task (down), and from its last line to the return of pp_fetch (up). Many at once, each part alone: pp_submit
 * while all workers are held (submit), handing out, running and collecting, from the release until all have finished
 * (through), pp_fetch of what has finished (fetch). What reading the clock costs is in the first three. Prints one
 * line of key=value.
 */
#include "farm.h"

struct visit {
    double begun, ended;
};

/* The clock is the same in all processes of a node. */
static void visit_task(pp_task *task)
{
    double begun = now_s();
    struct visit *result = pp_task_result(task, sizeof *result);

    if (result) {
        result->begun = begun;
        result->ended = now_s();
    }
}

static void one_at_a_time(pp_server *server, size_t trips)
{
    double *call = new_array(trips, sizeof *call), *down = new_array(trips, sizeof *down),
           *up = new_array(trips, sizeof *up);

    for (size_t i = 0; i < trips; i++) {
        double start = now_s(), submitted;
        struct visit visit;
        pp_future f = pp_submit(server, visit_task, &i, sizeof i);

        submitted = now_s();
        if (pp_fetch(f, &visit, sizeof visit) != PP_OK) die("pp_fetch");
        up[i] = 1e9 * (now_s() - visit.ended);
        call[i] = 1e9 * (submitted - start);
        down[i] = 1e9 * (visit.begun - start);
        if (visit.ended < visit.begun || down[i] < 0 || up[i] < 0) wrong("the clock goes backwards");
    }
    printf(" call_ns=%.1f down_ns=%.1f up_ns=%.1f", median(call, trips), median(down, trips), median(up, trips));
    free(call);
    free(down);
    free(up);
}

static void many_at_once(pp_server *server, struct hold *hold, size_t tasks)
{
    pp_future *futures = new_array(tasks, sizeof *futures);
    double start, submitted, finished, fetched;

    run_all(server, tasks, 0, futures); /* memory that is used again */
    hold_workers(server, hold);
    start = now_s();
    submit_all(server, tasks, 0, futures);
    submitted = now_s();
    release_workers(hold);
    if (pp_wait_all(futures, tasks, -1.0) != PP_OK) die("pp_wait_all");
    finished = now_s();
    fetch_all(tasks, 0, futures);
    fetched = now_s();
    end_hold(hold);
    printf(" submit_ns=%.1f through_ns=%.1f fetch_ns=%.1f", 1e9 * (submitted - start) / (double)tasks,
           1e9 * (finished - submitted) / (double)tasks, 1e9 * (fetched - finished) / (double)tasks);
    free(futures);
}

int main(int argc, char **argv)
{
    long tasks = 200000, trips = 20000;
    const struct bench_option options[] = {{"--tasks", BENCH_COUNT, &tasks}, {"--trips", BENCH_COUNT, &trips}};
    pp_server *server;
    struct hold hold;

    if (!BENCH_PARSE(argc, argv, options) || tasks > UINT32_MAX) {
        fprintf(stderr, "usage: stations [--tasks N] [--trips T]\n");
        return 2;
    }
    hold = new_hold();
    server = open_farm(&argc, &argv);
    warm_up(server);
    printf("program=stations workers=%d tasks=%ld trips=%ld", pp_get_ncpus(server), tasks, trips);
    one_at_a_time(server, (size_t)trips);
    many_at_once(server, &hold, (size_t)tasks);
    printf("\n");
    return close_farm(server);
}
