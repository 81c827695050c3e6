/* What else than affinity limits the workers: control groups, Slurm, and OpenMP's binding undone. */
#include "topology/limits.h"
#include "topology/topology.h"

#include "unit/suite.h"
#include "unit/tree.h"

#include <check.h>
#include <ppmpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void clear_slurm(void)
{
    static const char *const names[] = {"SLURM_STEP_ID", "SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE", "SLURM_NODEID",
                                        "SLURM_JOB_CPUS_PER_NODE", "SLURM_STEP_TASKS_PER_NODE",
                                        "OMPI_COMM_WORLD_SIZE", "MPI_LOCALNRANKS"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
}

static const struct {
    int cores;
    double quota;
    int slurm, limit;
    const char *reason;
} limits[] = {
    {8, 0, 0, 8, ""},
    {8, 0.5, 0, 1, "cgroup CPU quota of 0.5"},
    {8, 1.0, 0, 1, "cgroup CPU quota of 1"},
    {8, 1.99, 0, 1, "cgroup CPU quota of 1.99"},
    {8, 2.5, 0, 2, "cgroup CPU quota of 2.5"},
    {8, 7.9, 0, 7, "cgroup CPU quota of 7.9"},
    {8, 8.0, 0, 8, ""},
    {8, 1e9, 0, 8, ""},
    {1, 0.5, 0, 1, ""},
    {8, 0, 4, 4, "Slurm's grant of 4 CPUs (V)"},
    {8, 0, 1, 1, "Slurm's grant of 1 CPU (V)"},
    {8, 0, 8, 8, ""},
    {8, 0, 16, 8, ""},
    {8, 4.0, 2, 2, "Slurm's grant of 2 CPUs (V)"},
    {8, 2.0, 4, 2, "cgroup CPU quota of 2"},
    {0, 0, 0, 1, ""},
};

START_TEST(limit_is_the_least_and_says_why)
{
    struct ppi_topology t = {0};
    t.allowed_cores = limits[_i].cores;
    ppi_topology_apply_limits(&t, limits[_i].quota, limits[_i].slurm, "V");
    ck_assert_int_eq(t.limit, limits[_i].limit);
    ck_assert_str_eq(t.limit_reason, limits[_i].reason);
    ck_assert(t.quota == limits[_i].quota);
}
END_TEST

START_TEST(quota_below_one_core_gives_one_worker)
{
    struct ppi_topology t = {0};
    t.allowed_cores = 4;
    ppi_topology_apply_limits(&t, 0.01, 0, NULL);
    ck_assert_int_eq(t.limit, 1);
}
END_TEST

START_TEST(real_limits_do_not_touch_an_invented_machine)
{
    setenv("SLURM_CPUS_ON_NODE", "1", 1);
    setenv("HWLOC_SYNTHETIC", "core:16 pu:1", 1);
    struct ppi_topology t;
    ck_assert_int_eq(ppi_topology_load(&t), PP_OK);
    ck_assert_int_eq(t.limit, 16);
}
END_TEST

START_TEST(slurm_limits_the_real_machine)
{
    unsetenv("HWLOC_SYNTHETIC");
    clear_slurm();
    setenv("SLURM_CPUS_ON_NODE", "1", 1);
    struct ppi_topology t;
    ck_assert_int_eq(ppi_topology_load(&t), PP_OK);
    ck_assert_int_eq(t.limit, 1);
}
END_TEST

/* ---- Control groups: a tree of files under a temporary root ---- */

/* Each case is a list of files; path, text, path, text, … */
static const struct {
    const char *name;
    double quota;
    const char *file[24];
} trees[] = {
    {"nothing readable", 0, {NULL}},
    {"v2 own group", 1.5, {
        "/proc/self/cgroup", "0::/user/me\n",
        "/proc/self/mountinfo", "1 0 0:1 / /cg rw - cgroup2 cgroup2 rw\n",
        "/cg/user/me/cpu.max", "150000 100000\n"}},
    {"v2 max means none", 0, {
        "/proc/self/cgroup", "0::/user/me\n",
        "/proc/self/mountinfo", "1 0 0:1 / /cg rw - cgroup2 cgroup2 rw\n",
        "/cg/user/me/cpu.max", "max 100000\n"}},
    {"v2 default period", 2, {
        "/proc/self/cgroup", "0::/a\n",
        "/proc/self/mountinfo", "1 0 0:1 / /cg rw - cgroup2 cgroup2 rw\n",
        "/cg/a/cpu.max", "200000\n"}},
    {"v2 an ancestor is tighter", 0.25, {
        "/proc/self/cgroup", "0::/a/b/c\n",
        "/proc/self/mountinfo", "1 0 0:1 / /cg rw - cgroup2 cgroup2 rw\n",
        "/cg/a/b/c/cpu.max", "400000 100000\n", "/cg/a/b/cpu.max", "max 100000\n", "/cg/a/cpu.max", "25000 100000\n"}},
    {"v2 the group itself is tighter", 1, {
        "/proc/self/cgroup", "0::/a/b\n",
        "/proc/self/mountinfo", "1 0 0:1 / /cg rw - cgroup2 cgroup2 rw\n",
        "/cg/a/b/cpu.max", "50000 50000\n", "/cg/a/cpu.max", "400000 100000\n"}},
    {"v2 group without controller below one with it", 3, {
        "/proc/self/cgroup", "0::/a/b/c/d\n",
        "/proc/self/mountinfo", "1 0 0:1 / /cg rw - cgroup2 cgroup2 rw\n",
        "/cg/a/cpu.max", "300000 100000\n"}},
    {"v2 container with its own namespace", 2, {
        "/proc/self/cgroup", "0::/\n",
        "/proc/self/mountinfo", "1 0 0:1 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n",
        "/sys/fs/cgroup/cpu.max", "200000 100000\n"}},
    {"v2 container without: only its part is mounted", 2, {
        "/proc/self/cgroup", "0::/docker/1f\n",
        "/proc/self/mountinfo", "1 0 0:1 /docker/1f /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
        "/sys/fs/cgroup/cpu.max", "200000 100000\n", "/sys/fs/cgroup/docker/1f/cpu.max", "100000 100000\n"}},
    {"v2 group below the mounted part", 1, {
        "/proc/self/cgroup", "0::/docker/1f/job\n",
        "/proc/self/mountinfo", "1 0 0:1 /docker/1f /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
        "/sys/fs/cgroup/job/cpu.max", "100000 100000\n"}},
    {"similar name is not a prefix: the mount point counts", 4, {
        "/proc/self/cgroup", "0::/docker/1ff\n",
        "/proc/self/mountinfo", "1 0 0:1 /docker/1f /cg ro - cgroup2 cgroup rw\n",
        "/cg/cpu.max", "400000 100000\n", "/cg/f/cpu.max", "100000 100000\n"}},
    {"process outside of its namespace", 4, {
        "/proc/self/cgroup", "0::/../other\n",
        "/proc/self/mountinfo", "1 0 0:1 / /cg ro - cgroup2 cgroup rw\n",
        "/cg/cpu.max", "400000 100000\n", "/other/cpu.max", "100000 100000\n"}},
    {"mounted twice: the foreign part does not count", 2, {
        "/proc/self/cgroup", "0::/a\n",
        "/proc/self/mountinfo", "1 0 0:1 /foreign /mnt rw - cgroup2 cgroup rw\n2 0 0:1 / /cg rw - cgroup2 cgroup rw\n",
        "/mnt/cpu.max", "100000 100000\n", "/cg/a/cpu.max", "200000 100000\n"}},
    {"v1 own group", 1.5, {
        "/proc/self/cgroup", "3:cpuset:/x\n2:cpu,cpuacct:/a/b\n1:name=systemd:/y\n",
        "/proc/self/mountinfo", "1 0 0:1 / /cg/cpuset rw - cgroup cgroup rw,cpuset\n"
                                "2 0 0:2 / /cg/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n",
        "/cg/cpu,cpuacct/a/b/cpu.cfs_quota_us", "75000\n", "/cg/cpu,cpuacct/a/b/cpu.cfs_period_us", "50000\n"}},
    {"v1 minus one means none", 0, {
        "/proc/self/cgroup", "2:cpu:/a\n",
        "/proc/self/mountinfo", "2 0 0:2 / /cg rw - cgroup cgroup rw,cpu\n",
        "/cg/a/cpu.cfs_quota_us", "-1\n", "/cg/a/cpu.cfs_period_us", "100000\n"}},
    {"v1 an ancestor is tighter", 2, {
        "/proc/self/cgroup", "2:cpuacct,cpu:/slurm/uid_0/job_1\n",
        "/proc/self/mountinfo", "2 0 0:2 / /cg rw - cgroup cgroup rw,cpuacct,cpu\n",
        "/cg/slurm/uid_0/job_1/cpu.cfs_quota_us", "-1\n", "/cg/slurm/uid_0/job_1/cpu.cfs_period_us", "100000\n",
        "/cg/slurm/uid_0/cpu.cfs_quota_us", "200000\n", "/cg/slurm/uid_0/cpu.cfs_period_us", "100000\n"}},
    {"v1 cpuacct alone and cpuset are not cpu", 0, {
        "/proc/self/cgroup", "2:cpuacct:/a\n3:cpuset:/a\n",
        "/proc/self/mountinfo", "2 0 0:2 / /cg rw - cgroup cgroup rw,cpuacct\n"
                                "3 0 0:2 / /cg rw - cgroup cgroup rw,cpuset\n",
        "/cg/a/cpu.cfs_quota_us", "10000\n", "/cg/a/cpu.cfs_period_us", "100000\n"}},
    {"v1 container", 3, {
        "/proc/self/cgroup", "2:cpu:/docker/1f\n",
        "/proc/self/mountinfo", "2 0 0:2 /docker/1f /cg ro - cgroup cgroup rw,cpu\n",
        "/cg/cpu.cfs_quota_us", "300000\n", "/cg/cpu.cfs_period_us", "100000\n"}},
    {"hybrid: the tighter of the two", 1, {
        "/proc/self/cgroup", "2:cpu:/a\n0::/b\n",
        "/proc/self/mountinfo", "2 0 0:2 / /one rw - cgroup cgroup rw,cpu\n3 0 0:3 / /two rw - cgroup2 cgroup2 rw\n",
        "/one/a/cpu.cfs_quota_us", "200000\n", "/one/a/cpu.cfs_period_us", "100000\n",
        "/two/b/cpu.max", "100000 100000\n"}},
    {"blank in the mount point, colon in the group", 2, {
        "/proc/self/cgroup", "0::/a:b\n",
        "/proc/self/mountinfo", "3 0 0:3 / /my\\040cg rw - cgroup2 cgroup2 rw\n",
        "/my cg/a:b/cpu.max", "200000 100000\n"}},
    {"other mounts in between", 2, {
        "/proc/self/cgroup", "0::/a",
        "/proc/self/mountinfo", "\nrubbish\n1 2 - \n9 0 0:9 / / rw - ext4 /dev/sda rw\n8 0 0:8 / - - -\n"
                                "3 0 0:3 / /cg rw shared:1 master:2 - cgroup2 cgroup2 rw",
        "/cg/a/cpu.max", "200000 100000"}},
    {"rubbish in the files", 0, {
        "/proc/self/cgroup", "rubbish\n0:\n:\n0::/a\n2:cpu:/a\n",
        "/proc/self/mountinfo", "3 0 0:3 / /cg rw - cgroup2 cgroup2 rw\n4 0 0:3 / /cg rw - cgroup cgroup rw,cpu\n",
        "/cg/a/cpu.max", "lots\n", "/cg/cpu.max", "100000 0\n", "/cg/a/cpu.cfs_quota_us", "100000\n",
        "/cg/a/cpu.cfs_period_us", "0\n"}},
    {"empty files", 0, {
        "/proc/self/cgroup", "0::\n",
        "/proc/self/mountinfo", "3 0 0:3 / /cg rw - cgroup2 cgroup2 rw\n",
        "/cg/cpu.max", ""}},
    {"no mount", 0, {"/proc/self/cgroup", "0::/a\n", "/proc/self/mountinfo", ""}},
    {"no mountinfo", 0, {"/proc/self/cgroup", "0::/a\n"}},
};

START_TEST(quota_is_the_least_of_all_ancestors_that_can_be_seen)
{
    snprintf(root, sizeof root, "%s/%d", base, _i);
    for (int i = 0; trees[_i].file[i]; i += 2)
        put(trees[_i].file[i], trees[_i].file[i + 1]);
    double quota = ppi_cgroup_quota(root);
    ck_assert_msg(quota == trees[_i].quota, "%s: %g instead of %g", trees[_i].name, quota, trees[_i].quota);
}
END_TEST

/* ---- Slurm ---- */

static const struct {
    const char *text;
    int index, expected;
} lists[] = {
    {"4", 0, 4},          {"4", 1, 0},        {"2(x3),4", 0, 2},    {"2(x3),4", 2, 2},
    {"2(x3),4", 3, 4},    {"2(x3),4", 4, 0},  {"8,4(x2),1", 1, 4},  {"8,4(x2),1", 3, 1},
    {"128(x1000)", 999, 128}, {"", 0, 0},     {NULL, 0, 0},         {"x", 0, 0},
    {"-4", 0, 0},         {" 4", 0, 0},       {"4 ", 0, 0},         {"2(x", 0, 0},
    {"2(x3", 0, 0},       {"2(x0),4", 0, 0},  {"2(3),4", 0, 0},     {"2(x3)4", 3, 0},
    {"0", 0, 0},          {"4,", 1, 0},       {"99999999999999999999", 0, 0},
    {"2147483647(x2147483647),3", 5, 2147483647}, {"4294967298", 0, 0}, {"4", -1, 0},
};

START_TEST(slurm_lists_are_read_or_refused)
{
    ck_assert_int_eq(ppi_slurm_list_entry(lists[_i].text, lists[_i].index), lists[_i].expected);
}
END_TEST

static const struct {
    const char *environment[12]; /* name, value, … */
    int cpus;
    const char *variable;
} grants[] = {
    {{NULL}, 0, NULL},
    /* a plain program in a batch script */
    {{"SLURM_CPUS_ON_NODE", "8"}, 8, "SLURM_CPUS_ON_NODE"},
    {{"SLURM_CPUS_ON_NODE", "8", "SLURM_CPUS_PER_TASK", "2"}, 8, "SLURM_CPUS_ON_NODE"},
    {{"SLURM_CPUS_ON_NODE", "8", "SLURM_JOB_CPUS_PER_NODE", "2(x3),4"}, 8, "SLURM_CPUS_ON_NODE"},
    {{"SLURM_JOB_CPUS_PER_NODE", "2(x3),4"}, 2, "SLURM_JOB_CPUS_PER_NODE"},
    {{"SLURM_JOB_CPUS_PER_NODE", "2(x3),4", "SLURM_NODEID", "3"}, 4, "SLURM_JOB_CPUS_PER_NODE"},
    {{"SLURM_JOB_CPUS_PER_NODE", "2(x3),4", "SLURM_NODEID", "7"}, 0, NULL},
    /* tasks of srun */
    {{"SLURM_STEP_ID", "0", "SLURM_CPUS_PER_TASK", "2", "SLURM_CPUS_ON_NODE", "8"}, 2, "SLURM_CPUS_PER_TASK"},
    {{"SLURM_STEP_ID", "0", "SLURM_CPUS_ON_NODE", "8"}, 8, "SLURM_CPUS_ON_NODE"},
    {{"SLURM_STEP_ID", "0", "SLURM_CPUS_ON_NODE", "8", "SLURM_STEP_TASKS_PER_NODE", "4(x2)"}, 2, "SLURM_CPUS_ON_NODE"},
    {{"SLURM_STEP_ID", "0", "SLURM_CPUS_ON_NODE", "8", "SLURM_STEP_TASKS_PER_NODE", "4,1", "SLURM_NODEID", "1"},
     8, "SLURM_CPUS_ON_NODE"},
    {{"SLURM_STEP_ID", "0", "SLURM_CPUS_ON_NODE", "2", "SLURM_STEP_TASKS_PER_NODE", "5"}, 1, "SLURM_CPUS_ON_NODE"},
    /* a batch script's or an interactive shell's own step id */
    {{"SLURM_STEP_ID", "4294967291", "SLURM_CPUS_PER_TASK", "2", "SLURM_CPUS_ON_NODE", "8"}, 8, "SLURM_CPUS_ON_NODE"},
    /* ranks of mpirun and mpiexec: the task is their daemon */
    {{"SLURM_STEP_ID", "0", "SLURM_CPUS_PER_TASK", "1", "SLURM_CPUS_ON_NODE", "8", "OMPI_COMM_WORLD_SIZE", "2"},
     8, "SLURM_CPUS_ON_NODE"},
    {{"SLURM_STEP_ID", "0", "SLURM_CPUS_PER_TASK", "1", "SLURM_CPUS_ON_NODE", "8", "MPI_LOCALNRANKS", "2"},
     8, "SLURM_CPUS_ON_NODE"},
    /* malformed */
    {{"SLURM_CPUS_ON_NODE", "many"}, 0, NULL},
    {{"SLURM_CPUS_ON_NODE", ""}, 0, NULL},
    {{"SLURM_CPUS_ON_NODE", "-3"}, 0, NULL},
    {{"SLURM_CPUS_ON_NODE", "8x"}, 0, NULL},
    {{"SLURM_CPUS_ON_NODE", "0"}, 0, NULL},
    {{"SLURM_STEP_ID", "x", "SLURM_CPUS_PER_TASK", "2"}, 0, NULL},
    {{"SLURM_STEP_ID", "0", "SLURM_CPUS_PER_TASK", "two", "SLURM_CPUS_ON_NODE", "6"}, 6, "SLURM_CPUS_ON_NODE"},
    {{"SLURM_STEP_ID", "0", "SLURM_CPUS_ON_NODE", "6", "SLURM_STEP_TASKS_PER_NODE", "(x"}, 6, "SLURM_CPUS_ON_NODE"},
    {{"SLURM_NODEID", "99999999999", "SLURM_JOB_CPUS_PER_NODE", "3"}, 3, "SLURM_JOB_CPUS_PER_NODE"},
};

START_TEST(slurm_grant_follows_the_step_in_a_step_and_the_node_outside)
{
    clear_slurm();
    for (int i = 0; grants[_i].environment[i]; i += 2)
        setenv(grants[_i].environment[i], grants[_i].environment[i + 1], 1);
    const char *variable = NULL;
    ck_assert_int_eq(ppi_slurm_cpus(&variable), grants[_i].cpus);
    ck_assert_pstr_eq(variable, grants[_i].variable);
}
END_TEST

/* ---- OpenMP: a stand-in for its runtime, with as many places as the test wants ---- */

static int omp_places;

int omp_get_num_places(void);
int omp_get_num_places(void)
{
    return omp_places;
}

int omp_get_place_num_procs(int place);
int omp_get_place_num_procs(int place)
{
    return place == 1 ? 0 : 2;
}

void omp_get_place_proc_ids(int place, int *ids);
void omp_get_place_proc_ids(int place, int *ids)
{
    ids[0] = 2 * place;
    ids[1] = place == 3 ? PPI_CPUS_MAX : 2 * place + 1;
}

START_TEST(openmp_places_undo_the_binding_of_the_main_thread)
{
    struct ppi_cpus units = {{0}};
    unsetenv("OMP_PLACES");
    unsetenv("GOMP_CPU_AFFINITY");
    unsetenv("OMP_PROC_BIND");
    omp_places = 4;
    ck_assert_int_eq(ppi_openmp_units(&units), 0); /* nobody asked for binding */
    setenv("OMP_PROC_BIND", "true", 1);
    ck_assert_int_eq(ppi_openmp_units(&units), 1);
    ck_assert_int_eq(ppi_cpus_count(&units), 5);
    for (int i = 0; i < 7; i++)
        ck_assert_int_eq(ppi_cpus_has(&units, i), i != 2 && i != 3);
    omp_places = 0;
    struct ppi_cpus before = units;
    ck_assert_int_eq(ppi_openmp_units(&units), 0);
    ck_assert(ppi_cpus_equal(&units, &before));
}
END_TEST

#define LENGTH(array) ((int)(sizeof(array) / sizeof(array)[0]))

int main(void)
{
    Suite *suite = suite_create("topology_limits");
    TCase *c = tcase_create("limits");
    tcase_add_loop_test(c, limit_is_the_least_and_says_why, 0, LENGTH(limits));
    tcase_add_test(c, quota_below_one_core_gives_one_worker);
    tcase_add_test(c, real_limits_do_not_touch_an_invented_machine);
    tcase_add_test(c, slurm_limits_the_real_machine);
    tcase_add_loop_test(c, slurm_lists_are_read_or_refused, 0, LENGTH(lists));
    tcase_add_loop_test(c, slurm_grant_follows_the_step_in_a_step_and_the_node_outside, 0, LENGTH(grants));
    tcase_add_test(c, openmp_places_undo_the_binding_of_the_main_thread);
    suite_add_tcase(suite, c);

    c = tcase_create("cgroup");
    tcase_add_unchecked_fixture(c, make_base, remove_base);
    tcase_add_loop_test(c, quota_is_the_least_of_all_ancestors_that_can_be_seen, 0, LENGTH(trees));
    suite_add_tcase(suite, c);

    return run_suite(suite);
}
