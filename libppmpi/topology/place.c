/* Sets of processing units, and which of them each worker gets. Plain data: no hwloc, fit for forked children. */
#include "base/status.h"
#include "topology/limits.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS (sizeof(struct ppi_cpus) / sizeof(unsigned long))

int ppi_cpus_overlap(const struct ppi_cpus *a, const struct ppi_cpus *b)
{
    for (size_t i = 0; i < WORDS; i++)
        if (a->bits[i] & b->bits[i]) return 1;
    return 0;
}

int ppi_cpus_equal(const struct ppi_cpus *a, const struct ppi_cpus *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

void ppi_cpus_or(struct ppi_cpus *a, const struct ppi_cpus *b)
{
    for (size_t i = 0; i < WORDS; i++)
        a->bits[i] |= b->bits[i];
}

int ppi_cpus_count(const struct ppi_cpus *a)
{
    int count = 0;
    for (size_t i = 0; i < WORDS; i++)
        count += __builtin_popcountl(a->bits[i]);
    return count;
}

int ppi_cpus_only(const struct ppi_cpus *a)
{
    size_t word = 0;
    if (ppi_cpus_count(a) != 1) return -1;
    while (!a->bits[word]) word++;
    return (int)(word * 8 * sizeof a->bits[0]) + __builtin_ctzl(a->bits[word]);
}

/* The cores of a set in the machine's order, each with a list of its units: ends and links are 1 + a unit, 0 = none. */
struct cores {
    int count;
    unsigned short first[PPI_CPUS_MAX]; /* by position in the set */
    unsigned short next[PPI_CPUS_MAX];  /* by unit */
};

static void collect_cores(const struct ppi_cpus *cpus, struct cores *out)
{
    unsigned short first[PPI_CPUS_MAX] = {0}; /* by core */
    int strangers = 0;
    /* From the back, so that the lists ascend. */
    for (int cpu = PPI_CPUS_MAX - 1; cpu >= 0; cpu--) {
        if (!ppi_cpus_has(cpus, cpu)) continue;
        int core = ppi_machine.core_of[cpu] - 1;
        /* A unit that hwloc did not show is taken for a core of its own. There are no more cores and strangers
         * together than units. */
        if (core < 0) core = ppi_machine.cores + strangers++;
        out->next[cpu] = first[core];
        first[core] = (unsigned short)(cpu + 1);
    }
    out->count = 0;
    for (int core = 0; core < PPI_CPUS_MAX; core++)
        if (first[core]) out->first[out->count++] = first[core];
}

int ppi_topology_cores_in(const struct ppi_cpus *cpus)
{
    struct cores cores;
    collect_cores(cpus, &cores);
    return cores.count;
}

/* End of the run of cores that belong to the same NUMA node as core `begin`. */
static int numa_end(const struct cores *cores, int begin)
{
    int end = begin, numa = ppi_machine.numa_of[cores->first[begin] - 1];
    while (end < cores->count && ppi_machine.numa_of[cores->first[end] - 1] == numa)
        end++;
    return end;
}

static void leave_out(struct cores *cores, int unit)
{
    for (int core = 0; core < cores->count; core++)
        for (int its = cores->first[core]; its; its = cores->next[its - 1])
            if (its == unit + 1) {
                cores->count--;
                memmove(cores->first + core, cores->first + core + 1, (size_t)(cores->count - core) * sizeof *cores->first);
                return;
            }
}

int ppi_topology_here(void)
{
    return ppi_machine.synthetic ? -1 : sched_getcpu();
}

int ppi_topology_place(const struct ppi_topology *topology, int n, int cores_per_worker, int beside, struct ppi_cpus *cpus)
{
    if (n < 1 || cores_per_worker < 1)
        return ppi_error(PP_ERR_ARG, "cannot place %d workers of %d cores each", n, cores_per_worker);

    struct cores cores;
    collect_cores(&topology->allowed, &cores);

    /* Too many workers: the kernel balances them better than a fixed share of cores could, as tasks differ.
     * A quota or a grant of Slurm smaller than the set: others use the same cores (as other containers of
     * the machine do), and if each of them bound its workers to the first ones, these would be crowded. */
    if (n > cores.count / cores_per_worker || (topology->limit > 0 && topology->limit < cores.count)) {
        for (int i = 0; i < n; i++)
            cpus[i] = topology->allowed;
        return PP_OK;
    }

    if (n <= (cores.count - 1) / cores_per_worker) leave_out(&cores, beside);

    /* Keep each worker within a NUMA node, unless that would leave too few places. */
    int places = 0;
    for (int begin = 0, end; begin < cores.count; begin = end) {
        end = numa_end(&cores, begin);
        places += (end - begin) / cores_per_worker;
    }
    int core = 0;
    for (int i = 0; i < n; i++) {
        while (places >= n && core + cores_per_worker > numa_end(&cores, core))
            core = numa_end(&cores, core);
        memset(&cpus[i], 0, sizeof cpus[i]);
        for (int last = core + cores_per_worker; core < last; core++)
            for (int unit = cores.first[core]; unit; unit = cores.next[unit - 1])
                ppi_cpus_add(&cpus[i], unit - 1);
    }
    return PP_OK;
}

int ppi_topology_near(const struct ppi_cpus *all, const struct ppi_cpus *own, struct ppi_cpus *out)
{
    struct ppi_cpus near = {{0}}, others = {{0}};
    int numa = 0;
    for (int cpu = 0; cpu < PPI_CPUS_MAX && !numa; cpu++)
        if (ppi_cpus_has(own, cpu)) numa = ppi_machine.numa_of[cpu];
    for (int cpu = 0; cpu < PPI_CPUS_MAX; cpu++) {
        if (!ppi_cpus_has(all, cpu) || ppi_cpus_has(own, cpu)) continue;
        ppi_cpus_add(&others, cpu);
        if (ppi_machine.numa_of[cpu] == numa) ppi_cpus_add(&near, cpu);
    }
    const struct ppi_cpus *found = ppi_cpus_count(&near) ? &near : &others;
    if (!ppi_cpus_count(found)) return 0;
    *out = *found;
    return 1;
}

int ppi_topology_bind(const struct ppi_cpus *cpus)
{
    if (ppi_machine.synthetic) return PP_OK;
    /* Same layout as cpu_set_t, of which the kernel takes as much as it has. */
    if (sched_setaffinity(0, sizeof cpus->bits, (const cpu_set_t *)(const void *)cpus->bits) != 0)
        return ppi_error_errno(PP_ERR_SYSTEM, errno, "cannot bind to %d processing units", ppi_cpus_count(cpus));
    return PP_OK;
}

static int is_bound_to(pid_t thread, const struct ppi_cpus *cpus)
{
    struct ppi_cpus now;
    memset(&now, 0, sizeof now);
    return sched_getaffinity(thread, sizeof now.bits, (cpu_set_t *)(void *)now.bits) == 0 && ppi_cpus_equal(&now, cpus);
}

int ppi_topology_move_process(long pid, const struct ppi_cpus *from, const struct ppi_cpus *to)
{
    char path[64];
    if (ppi_machine.synthetic || !is_bound_to((pid_t)pid, from)) return 0;
    snprintf(path, sizeof path, "/proc/%ld/task", pid);
    DIR *threads = opendir(path);
    if (!threads) return 0;
    int moved = 1;
    for (struct dirent *entry; (entry = readdir(threads));) {
        pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);
        if (thread <= 0 || !is_bound_to(thread, from)) continue;
        if (sched_setaffinity(thread, sizeof to->bits, (const cpu_set_t *)(const void *)to->bits) != 0 && thread == pid) moved = 0;
    }
    closedir(threads);
    return moved;
}
