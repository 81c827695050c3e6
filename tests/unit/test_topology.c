/* The machine, invented ones and the real one, and where workers are placed and bound. */
#include "base/status.h"
#include "topology/limits.h"
#include "topology/topology.h"
#include "unit/suite.h"

#include <check.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct ppi_topology synthetic(const char *description)
{
    struct ppi_topology t;
    setenv("HWLOC_SYNTHETIC", description, 1);
    ck_assert_int_eq(ppi_topology_load(&t), PP_OK);
    return t;
}

/* "0-1,4": the units of a set. */
static const char *show(const struct ppi_cpus *cpus)
{
    static char text[4][512];
    static int turn;
    char *out = text[turn = (turn + 1) % 4];
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < PPI_CPUS_MAX; i++) {
        if (!ppi_cpus_has(cpus, i)) continue;
        int first = i;
        while (i + 1 < PPI_CPUS_MAX && ppi_cpus_has(cpus, i + 1))
            i++;
        used += (size_t)snprintf(out + used, 512 - used, first == i ? "%s%d" : "%s%d-%d", used ? "," : "", first, i);
        if (used > 480) break;
    }
    return out;
}

/* ---- Machines ---- */

static const struct {
    const char *description;
    int numa_nodes, cores, units;
} machines[] = {
    {"node:2 core:16 pu:2", 2, 32, 64}, {"pu:4", 1, 4, 4},
    {"core:1 pu:1", 1, 1, 1},           {"core:4 pu:8", 1, 4, 32},
    {"package:2 core:64 pu:2", 2, 128, 256}, {"package:2 numa:4 core:12 pu:1", 8, 96, 96},
    {"node:1 core:512 pu:4", 1, 512, 2048}, {"node:8 core:128 pu:1", 8, 1024, 1024},
    {"package:2 l3:8 l2:4 core:2 pu:2", 2, 128, 256},
};

START_TEST(cores_are_counted_not_hardware_threads)
{
    struct ppi_topology t = synthetic(machines[_i].description);
    ck_assert_int_eq(t.synthetic, 1);
    ck_assert_int_eq(t.cores, machines[_i].cores);
    ck_assert_int_eq(t.allowed_cores, machines[_i].cores);
    ck_assert_int_eq(t.limit, machines[_i].cores);
    ck_assert_int_eq(ppi_cpus_count(&t.online), machines[_i].units);
    ck_assert_int_eq(ppi_cpus_count(&t.allowed), machines[_i].units);
    ck_assert_str_eq(t.limit_reason, "");
    ck_assert(t.quota == 0);
    ck_assert_int_ge(t.packages, 1);
    ck_assert_int_ge(t.numa_nodes, 1);
    if (!strstr(machines[_i].description, "package")) ck_assert_int_eq(t.numa_nodes, machines[_i].numa_nodes);
}
END_TEST

START_TEST(one_worker_per_core_covers_every_unit_once)
{
    struct ppi_topology t = synthetic(machines[_i].description);
    struct ppi_cpus *cpus = calloc((size_t)t.cores, sizeof *cpus), all = {{0}};
    ck_assert_int_eq(ppi_topology_place(&t, t.cores, 1, -1, cpus), PP_OK);
    for (int i = 0; i < t.cores; i++) {
        ck_assert_int_eq(ppi_topology_cores_in(&cpus[i]), 1);
        ck_assert_int_eq(ppi_cpus_overlap(&all, &cpus[i]), 0);
        ppi_cpus_or(&all, &cpus[i]);
    }
    ck_assert(ppi_cpus_equal(&all, &t.allowed));
    free(cpus);
}
END_TEST

START_TEST(units_above_the_largest_set_are_left_out)
{
    struct ppi_topology t = synthetic("core:4 pu:1(indexes=4094,4095,4096,70000)");
    ck_assert_int_eq(t.cores, 2);
    ck_assert_int_eq(t.limit, 2);
    ck_assert_str_eq(show(&t.allowed), "4094-4095");
}
END_TEST

START_TEST(malformed_machine_keeps_the_outputs_or_falls_back_to_the_real_one)
{
    struct ppi_topology t;
    memset(&t, 0x5a, sizeof t);
    struct ppi_topology before = t;
    setenv("HWLOC_SYNTHETIC", "nonsense:0", 1);
    if (ppi_topology_load(&t) != PP_OK)
        ck_assert_mem_eq(&t, &before, sizeof t);
    else
        ck_assert_int_ge(t.limit, 1);
}
END_TEST

START_TEST(affinity_of_the_real_machine_bounds_the_allowed_set)
{
    unsetenv("HWLOC_SYNTHETIC");
    cpu_set_t mask;
    ck_assert_int_eq(sched_getaffinity(0, sizeof mask, &mask), 0);
    size_t last = CPU_SETSIZE - 1;
    while (!CPU_ISSET(last, &mask))
        last--;
    CPU_ZERO(&mask);
    CPU_SET(last, &mask);
    ck_assert_int_eq(sched_setaffinity(0, sizeof mask, &mask), 0);
    struct ppi_topology t;
    ck_assert_int_eq(ppi_topology_load(&t), PP_OK);
    ck_assert_int_eq(t.synthetic, 0);
    ck_assert_int_eq(t.allowed_cores, 1);
    ck_assert_int_eq(t.limit, 1);
    ck_assert_int_ge(t.cores, 1);
    ck_assert_int_eq(ppi_cpus_count(&t.allowed), 1);
    ck_assert(ppi_cpus_has(&t.allowed, (int)last));
    ck_assert(ppi_cpus_overlap(&t.allowed, &t.online));
}
END_TEST

/* ---- Placement ---- */

static const struct {
    const char *machine;
    int n, cores_per_worker;
    const char *expected[4]; /* of the first workers */
} placements[] = {
    {"core:4 pu:1", 4, 1, {"0", "1", "2", "3"}},
    {"core:4 pu:2", 4, 1, {"0-1", "2-3", "4-5", "6-7"}},
    {"core:4 pu:1", 2, 1, {"0", "1"}},
    {"core:4 pu:1", 2, 2, {"0-1", "2-3"}},
    {"core:4 pu:1", 1, 4, {"0-3"}},
    {"core:4 pu:1", 1, 3, {"0-2"}},
    {"core:4 pu:1", 5, 1, {"0-3", "0-3", "0-3", "0-3"}},
    {"core:4 pu:1", 8, 1, {"0-3", "0-3", "0-3", "0-3"}},
    {"core:4 pu:1", 1, 5, {"0-3"}},
    {"core:4 pu:1", 3, 2, {"0-3", "0-3", "0-3"}},
    /* Two of three cores fit into each node of four; with a third worker one must straddle. */
    {"node:2 core:4 pu:1", 2, 3, {"0-2", "4-6"}},
    {"node:2 core:5 pu:1", 3, 3, {"0-2", "3-5", "6-8"}},
    {"node:2 core:5 pu:1", 4, 2, {"0-1", "2-3", "5-6", "7-8"}},
    {"node:2 core:5 pu:1", 5, 2, {"0-1", "2-3", "4-5", "6-7"}},
    {"node:2 core:2 pu:1", 1, 3, {"0-2"}},
    {"node:2 core:2 pu:2", 2, 2, {"0-3", "4-7"}},
    /* Cores that the kernel numbers alternately: neighbours by place, not by number. */
    {"node:2(indexes=0,1) core:2 pu:2(indexes=node:core)", 4, 1, {"0,4", "2,6", "1,5", "3,7"}},
};

START_TEST(workers_get_neighbouring_cores_of_their_own_or_else_the_whole_set)
{
    struct ppi_topology t = synthetic(placements[_i].machine);
    struct ppi_cpus cpus[16];
    memset(cpus, 0x5a, sizeof cpus);
    struct ppi_cpus untouched = cpus[0];
    ck_assert_int_eq(ppi_topology_place(&t, placements[_i].n, placements[_i].cores_per_worker, -1, cpus), PP_OK);
    for (int i = 0; i < 4 && placements[_i].expected[i]; i++)
        ck_assert_str_eq(show(&cpus[i]), placements[_i].expected[i]);
    ck_assert(ppi_cpus_equal(&cpus[placements[_i].n], &untouched));
}
END_TEST

START_TEST(placement_over_all_counts_is_disjoint_and_complete_or_shared_by_all)
{
    struct ppi_topology t = synthetic("node:3 core:5 pu:2");
    struct ppi_cpus cpus[20];
    for (int n = 1; n <= 20; n++)
        for (int per = 1; per <= 16; per++) {
            ck_assert_int_eq(ppi_topology_place(&t, n, per, -1, cpus), PP_OK);
            for (int i = 0; i < n; i++) {
                if (n * per > 15) {
                    ck_assert(ppi_cpus_equal(&cpus[i], &t.allowed));
                    continue;
                }
                ck_assert_int_eq(ppi_topology_cores_in(&cpus[i]), per);
                ck_assert_int_eq(ppi_cpus_count(&cpus[i]), 2 * per);
                for (int j = 0; j < i; j++)
                    ck_assert(!ppi_cpus_overlap(&cpus[i], &cpus[j]));
            }
        }
}
END_TEST

START_TEST(only_allowed_units_are_given_out)
{
    struct ppi_topology t = synthetic("core:4 pu:2");
    struct ppi_cpus cpus[2];
    memset(&t.allowed, 0, sizeof t.allowed);
    ppi_cpus_add(&t.allowed, 3); /* one thread of core 1, both of core 3 */
    ppi_cpus_add(&t.allowed, 6);
    ppi_cpus_add(&t.allowed, 7);
    ck_assert_int_eq(ppi_topology_cores_in(&t.allowed), 2);
    ck_assert_int_eq(ppi_topology_place(&t, 2, 1, -1, cpus), PP_OK);
    ck_assert_str_eq(show(&cpus[0]), "3");
    ck_assert_str_eq(show(&cpus[1]), "6-7");
}
END_TEST

START_TEST(workers_roam_where_a_limit_says_that_cores_are_shared_with_others)
{
    struct ppi_topology t = synthetic("core:8 pu:1");
    struct ppi_cpus cpus[2];
    ppi_topology_apply_limits(&t, 2.0, 0, NULL);
    ck_assert_int_eq(ppi_topology_place(&t, 2, 1, -1, cpus), PP_OK);
    ck_assert_str_eq(show(&cpus[0]), "0-7");
    ck_assert_str_eq(show(&cpus[1]), "0-7");
}
END_TEST

START_TEST(the_core_of_the_opener_is_left_to_it_where_others_suffice)
{
    struct ppi_topology t = synthetic("numa:2 core:2 pu:2");
    struct ppi_cpus cpus[4];
    ck_assert_int_eq(ppi_topology_place(&t, 3, 1, 3, cpus), PP_OK); /* the second thread of core 1 */
    ck_assert_str_eq(show(&cpus[0]), "0-1");
    ck_assert_str_eq(show(&cpus[1]), "4-5");
    ck_assert_str_eq(show(&cpus[2]), "6-7");
    ck_assert_int_eq(ppi_topology_place(&t, 1, 2, 0, cpus), PP_OK);
    ck_assert_str_eq(show(&cpus[0]), "4-7"); /* within a NUMA node still */
    ck_assert_int_eq(ppi_topology_place(&t, 4, 1, 3, cpus), PP_OK);
    ck_assert_str_eq(show(&cpus[1]), "2-3");
    ck_assert_int_eq(ppi_topology_place(&t, 2, 2, 3, cpus), PP_OK);
    ck_assert_str_eq(show(&cpus[0]), "0-3");
    ck_assert_int_eq(ppi_topology_place(&t, 1, 1, 99, cpus), PP_OK); /* a unit of none of them */
    ck_assert_str_eq(show(&cpus[0]), "0-1");
}
END_TEST

START_TEST(near_are_the_others_on_the_same_numa_node_or_else_all_others)
{
    struct ppi_topology t = synthetic("numa:2 core:2 pu:2");
    struct ppi_cpus own = {{0}}, near = {{0}};
    ppi_cpus_add(&own, 4);
    ppi_cpus_add(&own, 5);
    ck_assert_int_eq(ppi_topology_near(&t.allowed, &own, &near), 1);
    ck_assert_str_eq(show(&near), "6-7");
    struct ppi_cpus far = own;
    ppi_cpus_add(&far, 1);
    ppi_cpus_add(&far, 2);
    ck_assert_int_eq(ppi_topology_near(&far, &own, &near), 1);
    ck_assert_str_eq(show(&near), "1-2");
    ck_assert_int_eq(ppi_topology_near(&own, &own, &near), 0);
    ck_assert_str_eq(show(&near), "1-2"); /* untouched */
}
END_TEST

START_TEST(placing_no_workers_or_no_cores_is_an_argument_error)
{
    struct ppi_topology t = synthetic("core:4 pu:1");
    struct ppi_cpus cpus, before;
    memset(&cpus, 0x5a, sizeof cpus);
    before = cpus;
    ck_assert_int_eq(ppi_topology_place(&t, 0, 1, -1, &cpus), PP_ERR_ARG);
    ck_assert_int_eq(ppi_topology_place(&t, -1, 1, -1, &cpus), PP_ERR_ARG);
    ck_assert_int_eq(ppi_topology_place(&t, 1, 0, -1, &cpus), PP_ERR_ARG);
    ck_assert_int_eq(pp_last_error_code(), PP_ERR_ARG);
    ck_assert(ppi_cpus_equal(&cpus, &before));
}
END_TEST

/* ---- Sets and binding ---- */

START_TEST(set_operations)
{
    struct ppi_cpus a = {{0}}, b = {{0}};
    ck_assert_int_eq(ppi_cpus_count(&a), 0);
    ck_assert(ppi_cpus_equal(&a, &b));
    ck_assert(!ppi_cpus_overlap(&a, &b));
    ppi_cpus_add(&a, 0);
    ppi_cpus_add(&a, 64);
    ppi_cpus_add(&b, PPI_CPUS_MAX - 1);
    ck_assert(!ppi_cpus_overlap(&a, &b));
    ck_assert(!ppi_cpus_equal(&a, &b));
    ppi_cpus_or(&a, &b);
    ck_assert_int_eq(ppi_cpus_count(&a), 3);
    ck_assert_int_eq(ppi_cpus_count(&b), 1);
    ck_assert(ppi_cpus_overlap(&a, &b));
    ck_assert_str_eq(show(&a), "0,64,4095");
    ck_assert_int_eq(ppi_topology_cores_in(&a), 3); /* nothing loaded: each unit is a core */
}
END_TEST

START_TEST(binding_binds_a_forked_child)
{
    unsetenv("HWLOC_SYNTHETIC");
    struct ppi_topology t;
    struct ppi_cpus *cpus;
    ck_assert_int_eq(ppi_topology_load(&t), PP_OK);
    cpus = calloc((size_t)t.allowed_cores, sizeof *cpus);
    t.limit = t.allowed_cores; /* whatever limits this test */
    ck_assert_int_eq(ppi_topology_place(&t, t.allowed_cores, 1, -1, cpus), PP_OK);
    for (int i = 0; i < t.allowed_cores; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct ppi_cpus now = {{0}};
            if (ppi_topology_bind(&cpus[i]) != PP_OK) _exit(1);
            if (sched_getaffinity(0, sizeof now, (cpu_set_t *)(void *)&now) != 0) _exit(2);
            _exit(ppi_cpus_equal(&now, &cpus[i]) ? 0 : 3);
        }
        int status;
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
    }
    free(cpus);
}
END_TEST

START_TEST(binding_that_the_kernel_refuses_is_a_system_error)
{
    struct ppi_cpus none = {{0}};
    ck_assert_int_eq(ppi_topology_bind(&none), PP_ERR_SYSTEM);
    ck_assert_ptr_nonnull(strstr(pp_last_error(), "Invalid argument"));
}
END_TEST

START_TEST(binding_does_nothing_on_an_invented_machine)
{
    struct ppi_topology t = synthetic("core:64 pu:1");
    struct ppi_cpus far = {{0}}, before = {{0}}, after = {{0}};
    ppi_cpus_add(&far, 63);
    ck_assert(ppi_cpus_overlap(&t.allowed, &far));
    sched_getaffinity(0, sizeof before, (cpu_set_t *)(void *)&before);
    ck_assert_int_eq(ppi_topology_bind(&far), PP_OK);
    sched_getaffinity(0, sizeof after, (cpu_set_t *)(void *)&after);
    ck_assert(ppi_cpus_equal(&before, &after));
}
END_TEST

#define LENGTH(array) ((int)(sizeof(array) / sizeof(array)[0]))

int main(void)
{
    Suite *suite = suite_create("topology");
    TCase *c = tcase_create("machine");
    tcase_add_loop_test(c, cores_are_counted_not_hardware_threads, 0, LENGTH(machines));
    tcase_add_loop_test(c, one_worker_per_core_covers_every_unit_once, 0, LENGTH(machines));
    tcase_add_test(c, units_above_the_largest_set_are_left_out);
    tcase_add_test(c, malformed_machine_keeps_the_outputs_or_falls_back_to_the_real_one);
    tcase_add_test(c, affinity_of_the_real_machine_bounds_the_allowed_set);
    tcase_set_timeout(c, 60);
    suite_add_tcase(suite, c);

    c = tcase_create("place");
    tcase_add_loop_test(c, workers_get_neighbouring_cores_of_their_own_or_else_the_whole_set, 0, LENGTH(placements));
    tcase_add_test(c, placement_over_all_counts_is_disjoint_and_complete_or_shared_by_all);
    tcase_add_test(c, only_allowed_units_are_given_out);
    tcase_add_test(c, workers_roam_where_a_limit_says_that_cores_are_shared_with_others);
    tcase_add_test(c, the_core_of_the_opener_is_left_to_it_where_others_suffice);
    tcase_add_test(c, near_are_the_others_on_the_same_numa_node_or_else_all_others);
    tcase_add_test(c, placing_no_workers_or_no_cores_is_an_argument_error);
    tcase_add_test(c, set_operations);
    tcase_add_test(c, binding_binds_a_forked_child);
    tcase_add_test(c, binding_that_the_kernel_refuses_is_a_system_error);
    tcase_add_test(c, binding_does_nothing_on_an_invented_machine);
    suite_add_tcase(suite, c);

    return run_suite(suite);
}
