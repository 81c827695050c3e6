/* Reads the machine through hwloc, once, and keeps plain tables. */
#include "topology/topology.h"
#include "base/status.h"
#include "topology/limits.h"

#include <errno.h>
#include <hwloc.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

struct ppi_machine ppi_machine;

static int open_hwloc(hwloc_topology_t *out)
{
    hwloc_topology_t hw;
    if (hwloc_topology_init(&hw) != 0) return -1;
    /* Only what is used: caches and devices would cost time. Units, NUMA nodes and the machine are always there. */
    hwloc_topology_set_all_types_filter(hw, HWLOC_TYPE_FILTER_KEEP_NONE);
    hwloc_topology_set_type_filter(hw, HWLOC_OBJ_PACKAGE, HWLOC_TYPE_FILTER_KEEP_ALL);
    hwloc_topology_set_type_filter(hw, HWLOC_OBJ_CORE, HWLOC_TYPE_FILTER_KEEP_ALL);
    /* Where nodes are smaller than packages, a group holds each of them. */
    hwloc_topology_set_type_filter(hw, HWLOC_OBJ_GROUP, HWLOC_TYPE_FILTER_KEEP_STRUCTURE);
    /* Disallowed cores are counted as the machine's; the allowed set tells them apart. */
    hwloc_topology_set_flags(hw, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
    if (hwloc_topology_load(hw) != 0) {
        int error = errno;
        hwloc_topology_destroy(hw);
        errno = error;
        return -1;
    }
    *out = hw;
    return 0;
}

static void fill_machine(hwloc_topology_t hw, struct ppi_machine *machine)
{
    memset(machine, 0, sizeof *machine);
    machine->synthetic = !hwloc_topology_is_thissystem(hw);

    /* Logical order: units of a core, and cores of a node, are neighbours. A unit without a core (some virtual
     * machines do not tell) counts as one. */
    hwloc_obj_t core = NULL;
    for (hwloc_obj_t pu = NULL; (pu = hwloc_get_next_obj_by_type(hw, HWLOC_OBJ_PU, pu)) != NULL;) {
        if (pu->os_index >= PPI_CPUS_MAX) continue;
        hwloc_obj_t above = hwloc_get_ancestor_obj_by_type(hw, HWLOC_OBJ_CORE, pu);
        if (!above || above != core) machine->cores++;
        core = above;
        machine->core_of[pu->os_index] = (unsigned short)machine->cores;
    }
    /* Two nodes may have the same units (different kinds of memory): the first one names them. */
    for (hwloc_obj_t node = NULL; (node = hwloc_get_next_obj_by_type(hw, HWLOC_OBJ_NUMANODE, node)) != NULL;) {
        int cpu = -1;
        while ((cpu = hwloc_bitmap_next(node->cpuset, cpu)) >= 0 && cpu < PPI_CPUS_MAX)
            if (machine->numa_of[cpu] == 0) machine->numa_of[cpu] = (unsigned short)(node->logical_index + 1);
    }
}

static void copy_bitmap(hwloc_const_bitmap_t bitmap, struct ppi_cpus *out)
{
    memset(out, 0, sizeof *out);
    for (int cpu = -1; (cpu = hwloc_bitmap_next(bitmap, cpu)) >= 0 && cpu < PPI_CPUS_MAX;)
        ppi_cpus_add(out, cpu);
}

/* a &= b, unless nothing would remain. */
static void restrict_to(struct ppi_cpus *a, const struct ppi_cpus *b)
{
    if (!ppi_cpus_overlap(a, b)) return;
    for (size_t i = 0; i < sizeof a->bits / sizeof a->bits[0]; i++)
        a->bits[i] &= b->bits[i];
}

/* Units that the kernel lets this process run on. */
static int read_affinity(struct ppi_cpus *out)
{
    struct ppi_cpus mask = {{0}}, openmp;
    if (sched_getaffinity(0, sizeof mask.bits, (cpu_set_t *)(void *)mask.bits) != 0) return 0;
    if (ppi_openmp_units(&openmp) && ppi_cpus_overlap(&mask, &openmp)) ppi_cpus_or(&mask, &openmp);
    *out = mask;
    return 1;
}

void ppi_topology_apply_limits(struct ppi_topology *topology, double quota, int slurm_cpus, const char *variable)
{
    topology->quota = quota;
    topology->limit = topology->allowed_cores > 0 ? topology->allowed_cores : 1;
    topology->limit_reason[0] = '\0';

    /* Rounded down: a group that exceeds its quota is stopped as a whole for the rest of the period, the server
     * with its workers. What is left of a CPU serves the server and the agent. */
    if (quota > 0 && quota < topology->limit) {
        topology->limit = quota < 1 ? 1 : (int)quota;
        if (topology->limit < topology->allowed_cores)
            snprintf(topology->limit_reason, sizeof topology->limit_reason, "cgroup CPU quota of %.4g", quota);
    }
    /* Slurm's CPUs may be cores or hardware threads, by its configuration, and nothing here tells which. Either way
     * a worker keeps one of them busy, so that as many workers as CPUs use what was granted and no more;
     * where Slurm confines us to the threads of half as many cores, allowed_cores is the smaller number. */
    if (slurm_cpus > 0 && slurm_cpus < topology->limit) {
        topology->limit = slurm_cpus;
        snprintf(topology->limit_reason, sizeof topology->limit_reason, "Slurm's grant of %d CPU%s (%s)", slurm_cpus,
                 slurm_cpus == 1 ? "" : "s", variable);
    }
}

int ppi_topology_load(struct ppi_topology *out)
{
    hwloc_topology_t hw;
    if (open_hwloc(&hw) != 0) return ppi_error_errno(PP_ERR_SYSTEM, errno, "hwloc cannot read the machine");

    struct ppi_topology topology = {0};
    fill_machine(hw, &ppi_machine);
    topology.synthetic = ppi_machine.synthetic;
    topology.cores = ppi_machine.cores;
    topology.packages = hwloc_get_nbobjs_by_type(hw, HWLOC_OBJ_PACKAGE);
    if (topology.packages < 1) topology.packages = 1; /* not every machine tells */
    topology.numa_nodes = hwloc_get_nbobjs_by_type(hw, HWLOC_OBJ_NUMANODE);
    copy_bitmap(hwloc_topology_get_topology_cpuset(hw), &topology.online);
    struct ppi_cpus cpuset;
    copy_bitmap(hwloc_topology_get_allowed_cpuset(hw), &cpuset);
    restrict_to(&topology.online, &cpuset);
    hwloc_topology_destroy(hw);

    topology.allowed = topology.online;
    struct ppi_cpus mask;
    /* Where the mask and what hwloc read of the cpuset contradict each other, the kernel's mask is right. */
    if (!topology.synthetic && read_affinity(&mask)) {
        restrict_to(&mask, &topology.online);
        topology.allowed = mask;
    }
    topology.allowed_cores = ppi_topology_cores_in(&topology.allowed);

    /* An invented machine has none of the real one's limits. */
    const char *variable = NULL;
    double quota = topology.synthetic ? 0 : ppi_cgroup_quota("");
    int slurm_cpus = topology.synthetic ? 0 : ppi_slurm_cpus(&variable);
    ppi_topology_apply_limits(&topology, quota, slurm_cpus, variable);
    *out = topology;
    return PP_OK;
}
