/* A program linked to GNU OpenMP that is started with OMP_PROC_BIND, OMP_PLACES or GOMP_CPU_AFFINITY has its main
 * thread bound to the first place before main (libgomp does it in a library constructor). Read as the affinity of
 * the process that would make one worker. The runtime still knows all places: their union is what it was given. */
#include "topology/limits.h"

#include <stdlib.h>

/* Weak: present only when the program itself uses OpenMP. */
extern int omp_get_num_places(void) __attribute__((weak));
extern int omp_get_place_num_procs(int place) __attribute__((weak));
extern void omp_get_place_proc_ids(int place, int *ids) __attribute__((weak));
extern void __kmpc_fork_call(void) __attribute__((weak));

static int is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

int ppi_openmp_units(struct ppi_cpus *out)
{
    if (!omp_get_num_places || !omp_get_place_num_procs || !omp_get_place_proc_ids) return 0;
    /* LLVM's and Intel's runtimes bind at the first use, so nothing is bound yet, and asking would be that use. */
    if (__kmpc_fork_call) return 0;
    if (!is_set("OMP_PROC_BIND") && !is_set("OMP_PLACES") && !is_set("GOMP_CPU_AFFINITY")) return 0;

    struct ppi_cpus units = {{0}};
    int places = omp_get_num_places();
    for (int place = 0; place < places; place++) {
        int n = omp_get_place_num_procs(place);
        int *ids = n > 0 ? malloc((size_t)n * sizeof *ids) : NULL;
        if (!ids) continue;
        omp_get_place_proc_ids(place, ids);
        for (int i = 0; i < n; i++)
            if (ids[i] >= 0 && ids[i] < PPI_CPUS_MAX) ppi_cpus_add(&units, ids[i]);
        free(ids);
    }
    if (ppi_cpus_count(&units) == 0) return 0;
    *out = units;
    return 1;
}
