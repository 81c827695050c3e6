/* Rank 0 is bound to one core: its worker leaves that to the program while tasks are the shortest, where other ranks have cores,
 * and comes back for longer ones. ranks: 2, not plain */
#define TEST_API_MAIN
#include "farm/test_api.h"

#include <sched.h>

#define PATIENCE 20 /* seconds */

static int own_core = -1, other_core = -1; /* of rank 0; that of the other rank */

struct place {
    int worker, core; /* -1: several */
};

static void nothing(pp_task *task)
{
    (void)task;
}

static void long_task(pp_task *task)
{
    (void)task;
    pause_for(0.001);
}

static void tell_place(pp_task *task)
{
    struct place *place = pp_task_result(task, sizeof *place);
    cpu_set_t cpus;
    *place = (struct place){pp_task_worker(task), -1};
    sched_getaffinity(0, sizeof cpus, &cpus);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&cpus) == 1; i++)
        if (CPU_ISSET(i, &cpus)) place->core = i;
}

/* Runs such tasks until rank 0's worker is bound to the core. */
static int comes_to(int core, pp_function task, int tasks)
{
    static pp_future f[2000];
    double until = seconds_now() + PATIENCE;
    struct place place = {-1, -1};
    while (seconds_now() < until) {
        for (int i = 0; i < tasks; i++) f[i] = pp_submit(server, task, NULL, 0);
        for (int i = 0; i < tasks; i++) CHECK_INT(pp_fetch(f[i], NULL, 0), PP_OK);
        CHECK_INT(pp_fetch(pp_submit(server, tell_place, NULL, 0), &place, sizeof place), PP_OK);
        if (place.worker == 0 && place.core == core) return 1;
    }
    fprintf(stderr, "the last task was run by worker %d on core %d\n", place.worker, place.core);
    return 0;
}

/* Whether an empty task takes less time here than to send it would: not where reading the clock is slow. */
static int tasks_are_the_shortest(void)
{
    double sum = 0;
    for (int i = 0; i < 1000; i++) {
        pp_future f = pp_submit(server, nothing, NULL, 0);
        pp_task_info info = {.size = sizeof info};
        CHECK_INT(pp_wait(f), PP_OK);
        CHECK_INT(pp_info(f, &info), PP_OK);
        CHECK_INT(pp_fetch(f, NULL, 0), PP_OK);
        sum += info.finished - info.started < 1e-6 ? info.finished - info.started : 1e-6; /* some are interrupted */
    }
    return sum < 1000 * 200e-9;
}

static void the_worker_makes_way_for_the_program_and_comes_back(void)
{
    if (!tasks_are_the_shortest()) {
        printf("nothing to be seen: empty tasks take too long here\n");
        return;
    }
    for (int round = 0; round < 3; round++) {
        CHECK(comes_to(other_core, nothing, 2000));
        CHECK(comes_to(own_core, long_task, 50));
    }
}

/* Each rank to a core of its own, as launchers do. */
static void bind_to_a_core(void)
{
    const char *rank = getenv("OMPI_COMM_WORLD_RANK") ? getenv("OMPI_COMM_WORLD_RANK") : getenv("PMI_RANK");
    cpu_set_t mine, cpus;
    sched_getaffinity(1, sizeof cpus, &cpus); /* of what is not bound yet */
    int seen = 0;
    CPU_ZERO(&mine);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET(i, &cpus) || seen > 1) continue;
        if (seen == 0) own_core = i;
        if (seen == 1) other_core = i;
        if (rank && atoi(rank) == seen) CPU_SET(i, &mine);
        seen++;
    }
    if (!rank || seen < 2 || sched_setaffinity(0, sizeof mine, &mine) != 0) {
        printf("skipped: two ranks and two cores are needed\n");
        exit(77);
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {TEST(the_worker_makes_way_for_the_program_and_comes_back)};
    bind_to_a_core();
    open_or_exit(&argc, &argv, NULL);
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
