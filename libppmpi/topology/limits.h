/* Inside topology/ (and launch/, which asks for the step): what else than affinity limits the cores, and what load
 * keeps for later calls. */
#ifndef PPI_TOPOLOGY_LIMITS_H
#define PPI_TOPOLOGY_LIMITS_H

#include "topology/topology.h"

/* What ppi_topology_load keeps as plain data, so that workers, which are forked later, need no hwloc. */
struct ppi_machine {
    int synthetic;
    int cores;
    unsigned short core_of[PPI_CPUS_MAX]; /* by unit: 1 + logical number of its core, 0 = unknown unit */
    unsigned short numa_of[PPI_CPUS_MAX]; /* by unit: 1 + logical number of its NUMA node, 0 = unknown */
};
extern struct ppi_machine ppi_machine;

static inline int ppi_cpus_has(const struct ppi_cpus *a, int cpu)
{
    const int width = 8 * (int)sizeof a->bits[0];
    return (int)(a->bits[cpu / width] >> (cpu % width) & 1ul);
}

static inline void ppi_cpus_add(struct ppi_cpus *a, int cpu)
{
    const int width = 8 * (int)sizeof a->bits[0];
    a->bits[cpu / width] |= 1ul << (cpu % width);
}

/* CPUs' worth of time that the control groups of this process grant, the least over all ancestors; 0 = unlimited.
 * root is put before every path that is read: "" outside of tests. */
double ppi_cgroup_quota(const char *root);

/* The index-th number of a list such as "2(x3),4"; 0 when it is malformed or shorter. */
int ppi_slurm_list_entry(const char *text, int index);

/* True in a process of a job step, which srun started; false in a batch script. */
int ppi_slurm_in_step(void);

/* A whole environment variable as a number, or fallback when it is unset, malformed, negative or above INT_MAX. */
int ppi_environment_number(const char *name, int fallback);

/* CPUs that Slurm grants this process, and the variable that says so; 0 = it says nothing. */
int ppi_slurm_cpus(const char **variable);

/* Units where OpenMP places threads, when its runtime has bound this thread to the first of them. Returns 0 = no. */
int ppi_openmp_units(struct ppi_cpus *out);

/* Sets quota, limit and limit_reason from allowed_cores and what was granted; 0 = no limit. */
void ppi_topology_apply_limits(struct ppi_topology *topology, double quota, int slurm_cpus, const char *variable);

#endif
