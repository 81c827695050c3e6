/* What Slurm grants, from its environment variables. Where Slurm binds tasks or confines them to a cpuset, the
 * affinity says it already; where it does neither, these numbers are all there is. */
#include "topology/limits.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A number from 0 to INT_MAX at *text, which moves behind it; -1 when there is none. */
static int take_number(const char **text)
{
    if (**text < '0' || **text > '9') return -1; /* strtol would take signs and blanks */
    char *end;
    errno = 0;
    long value = strtol(*text, &end, 10);
    if (errno || value > INT_MAX) return -1;
    *text = end;
    return (int)value;
}

int ppi_environment_number(const char *name, int fallback)
{
    const char *text = getenv(name);
    int value = text ? take_number(&text) : -1;
    return value < 0 || *text != '\0' ? fallback : value;
}

int ppi_slurm_list_entry(const char *text, int index)
{
    while (text && index >= 0) {
        int value = take_number(&text), times = 1;
        if (value <= 0) return 0;
        if (strncmp(text, "(x", 2) == 0) {
            text += 2;
            times = take_number(&text);
            if (times <= 0 || *text++ != ')') return 0;
        }
        if (*text != ',' && *text != '\0') return 0;
        if (index < times) return value;
        index -= times;
        text = *text == ',' ? text + 1 : NULL;
    }
    return 0;
}

int ppi_slurm_in_step(void)
{
    /* The ids from 0xfffffff0 on, which some versions show, are those of batch scripts and interactive shells;
     * they are above INT_MAX. */
    return ppi_environment_number("SLURM_STEP_ID", -1) >= 0;
}

int ppi_slurm_cpus(const char **variable)
{
    int node = ppi_environment_number("SLURM_NODEID", 0), tasks = 1, cpus;

    /* Under mpirun and mpiexec the Slurm task is the launcher's daemon, not this process: what is said of tasks
     * does not concern us, what is said of the node does. */
    if (ppi_slurm_in_step() && !getenv("OMPI_COMM_WORLD_SIZE") && !getenv("MPI_LOCALNRANKS")) {
        cpus = ppi_environment_number("SLURM_CPUS_PER_TASK", 0);
        if (cpus > 0) {
            *variable = "SLURM_CPUS_PER_TASK";
            return cpus;
        }
        /* The tasks of a step share its CPUs on the node. */
        tasks = ppi_slurm_list_entry(getenv("SLURM_STEP_TASKS_PER_NODE"), node);
        if (tasks < 1) tasks = 1;
    }
    const char *name = "SLURM_CPUS_ON_NODE";
    cpus = ppi_environment_number(name, 0);
    if (cpus == 0) {
        name = "SLURM_JOB_CPUS_PER_NODE";
        cpus = ppi_slurm_list_entry(getenv(name), node);
    }
    if (cpus == 0) return 0;
    *variable = name;
    return cpus >= tasks ? cpus / tasks : 1;
}
