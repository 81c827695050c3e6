/* Where workers run: together on all cores that their ranks may use, however the launcher has bound those. Ranks that share
 * cores do not crowd their workers on the same ones. ranks: 2 4 */
#define TEST_API_MAIN
#include "farm/test_api.h"
#include "farm/test_sides.h"

#include <sched.h>

enum { WORKERS_MOST = 1024, ROUNDS = 200 };

struct place {
    int worker;
    cpu_set_t worker_cpus, rank_cpus;
};

static void tell_place(pp_task *task)
{
    struct place *place = pp_task_result(task, sizeof *place);
    memset(place, 0, sizeof *place);
    place->worker = pp_task_worker(task);
    sched_getaffinity(0, sizeof place->worker_cpus, &place->worker_cpus);
    sched_getaffinity((pid_t)rank_pid_of((long)getpid()), sizeof place->rank_cpus, &place->rank_cpus);
    pause_for(0.002); /* so that the others get some, too */
}

static void workers_are_on_all_cores_of_their_ranks(void)
{
    static char seen[WORKERS_MOST];
    int workers = pp_get_ncpus(server), missing = workers;
    cpu_set_t theirs, ranks;
    CPU_ZERO(&theirs);
    CPU_ZERO(&ranks);
    for (int round = 0; round < ROUNDS && missing; round++) {
        pp_future f[64];
        for (int i = 0; i < 64; i++) f[i] = pp_submit(server, tell_place, NULL, 0);
        for (int i = 0; i < 64; i++) {
            struct place place;
            CHECK_INT(pp_fetch(f[i], &place, sizeof place), PP_OK);
            if (place.worker < 0 || place.worker >= workers || seen[place.worker]) continue;
            seen[place.worker] = 1;
            missing--;
            CPU_OR(&theirs, &theirs, &place.worker_cpus);
            CPU_OR(&ranks, &ranks, &place.rank_cpus);
        }
    }
    CHECK_INT(missing, 0);
    CHECK(CPU_COUNT(&ranks) > 0);
    CHECK(CPU_EQUAL(&theirs, &ranks));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {TEST(workers_are_on_all_cores_of_their_ranks)};
    open_or_exit(&argc, &argv, NULL);
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
