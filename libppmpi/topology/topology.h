/* Which cores this process may use, how many workers that makes, and where each is bound.
 * The only place that knows hwloc. */
#ifndef PPI_TOPOLOGY_TOPOLOGY_H
#define PPI_TOPOLOGY_TOPOLOGY_H

#include <stddef.h>

/* A set of processing units as the kernel numbers them (cpu_set_t without its size): travels in messages. */
#define PPI_CPUS_MAX 4096
struct ppi_cpus {
    unsigned long bits[PPI_CPUS_MAX / (8 * sizeof(unsigned long))];
};

struct ppi_topology {
    int packages, numa_nodes;
    int cores;         /* physical cores of the machine, those outside of the cpuset included */
    int allowed_cores; /* cores with at least one processing unit in this process's affinity and cpuset */
    double quota;      /* CPUs' worth of time that cgroups grant, shared by all processes in the group; 0 = unlimited */
    int limit;         /* min(allowed_cores, quota, Slurm's grant), at least 1: workers by the rule.
                        * Quotas are rounded down. */
    struct ppi_cpus allowed;   /* the processing units behind allowed_cores */
    struct ppi_cpus online;    /* all of the machine's (as far as cgroup cpuset shows them to this process) */
    char limit_reason[128]; /* what made limit smaller than allowed_cores; "" if nothing */
    int synthetic;     /* HWLOC_SYNTHETIC or a loaded XML: binding does nothing */
};

/* Reads the machine (1 to 3 ms), on the main thread. Keeps which unit belongs to which core for the functions
 * below, which are cheap and work in forked children; before a load they take each unit for a core.
 * PP_ERR_SYSTEM when hwloc cannot. */
int ppi_topology_load(struct ppi_topology *out);

/* Splits topology->allowed among n workers of `cores_per_worker` neighbouring cores each, within a NUMA node
 * where there is room; consecutive workers get neighbouring cores. cpus[i] is what worker i is bound to: the whole
 * set where the cores do not suffice for all (then no binding helps) and where topology->limit is below their number
 * (then other jobs or containers run on the same cores, and would bind to the same first ones). Only one set is
 * written per worker. The core of the unit `beside` is left out where the others suffice: a thread that computes there would
 * share it for as long as the kernel takes to move it away. PP_ERR_ARG for n or cores_per_worker below 1. */
int ppi_topology_place(const struct ppi_topology *topology, int n, int cores_per_worker, int beside, struct ppi_cpus *cpus);

/* The unit that the calling thread runs on; -1 when it is not known. */
int ppi_topology_here(void);

/* Binds the calling thread, in a worker the only one. PP_OK also where binding does nothing (synthetic), PP_ERR_SYSTEM
 * where the kernel refuses. A worker that gets the whole set should be bound to it too: the thread that forks it may
 * be bound more narrowly (by OpenMP). */
int ppi_topology_bind(const struct ppi_cpus *cpus);

/* Binds the threads of another process to a set, those that are bound to the other one now: who has bound itself elsewhere stays
 * there. 0 where the kernel refuses, where binding does nothing, and when the process itself is elsewhere. */
int ppi_topology_move_process(long pid, const struct ppi_cpus *from, const struct ppi_cpus *to);

/* Those of all that are not our own: on the NUMA node of our own, if there are any; 0 = there are none anywhere. */
int ppi_topology_near(const struct ppi_cpus *all, const struct ppi_cpus *own, struct ppi_cpus *out);

/* Set operations that the rule for shared and exclusive binding needs. */
int ppi_cpus_overlap(const struct ppi_cpus *a, const struct ppi_cpus *b);
int ppi_cpus_equal(const struct ppi_cpus *a, const struct ppi_cpus *b);
void ppi_cpus_or(struct ppi_cpus *a, const struct ppi_cpus *b); /* a |= b */
int ppi_cpus_count(const struct ppi_cpus *a);
int ppi_cpus_only(const struct ppi_cpus *a); /* the one unit of the set; -1 when it has several, or none */

/* How many physical cores have a unit in this set. */
int ppi_topology_cores_in(const struct ppi_cpus *cpus);

#endif
