#include "launch/launch.h"
#include "topology/limits.h"

#include <stdlib.h>
#include <string.h>

/* Who says that this process is one of a job. The first that is set and not empty wins, so those that name their
 * launcher come before those that several launchers set. */
static const struct {
    const char *variable, *launcher, *size, *rank;
    int maybe_slurm; /* srun may be the launcher, and then its variables know what is missing */
} known[] = {
    {"OMPI_COMM_WORLD_SIZE", "Open MPI", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", 0},
    {"MV2_COMM_WORLD_SIZE", "MVAPICH2", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK", 0},
    {"JSM_NAMESPACE_SIZE", "JSM", "JSM_NAMESPACE_SIZE", "JSM_NAMESPACE_RANK", 0},
    {"FLUX_TASK_RANK", "Flux", "FLUX_JOB_SIZE", "FLUX_TASK_RANK", 0},
    {"PALS_RANKID", "PALS", "PMI_SIZE", "PALS_RANKID", 0},
    {"ALPS_APP_PE", "ALPS", "PMI_SIZE", "ALPS_APP_PE", 0},
    {"MPI_LOCALNRANKS", "MPICH", "PMI_SIZE", "PMI_RANK", 0},
    {"PMIX_RANK", "PMIx", "", "PMIX_RANK", 1},
    {"PMIX_NAMESPACE", "PMIx", "", "PMIX_RANK", 1},
    {"PMI_RANK", "MPICH or Slurm (PMI)", "PMI_SIZE", "PMI_RANK", 1},
    {"PMI_SIZE", "MPICH or Slurm (PMI)", "PMI_SIZE", "PMI_RANK", 1},
    {"PMI_FD", "MPICH or Slurm (PMI)", "PMI_SIZE", "PMI_RANK", 1},
};

void ppi_launch_detect(struct ppi_launch *out)
{
    struct ppi_launch launch = {0, 0, -1, "", ""};
    int step_size = ppi_slurm_in_step() ? ppi_environment_number("SLURM_STEP_NUM_TASKS", 0) : 0;
    int step_rank = ppi_environment_number("SLURM_PROCID", -1);

    for (size_t i = 0; i < sizeof known / sizeof known[0] && !launch.launched; i++) {
        const char *value = getenv(known[i].variable);
        if (!value || !*value) continue;
        launch.launched = 1;
        launch.variable = known[i].variable;
        launch.launcher = known[i].launcher;
        launch.size = ppi_environment_number(known[i].size, 0);
        launch.rank = ppi_environment_number(known[i].rank, -1);
        /* Only where the ranks agree: otherwise the step is that of another launcher's daemons. */
        if (known[i].maybe_slurm && launch.size == 0 && step_size > 0 &&
            (launch.rank < 0 || launch.rank == step_rank)) {
            launch.size = step_size;
            launch.rank = step_rank;
        }
    }
    /* A step of one task is an interactive shell as likely as not; it needs no MPI. */
    if (!launch.launched && step_size > 1)
        launch = (struct ppi_launch){1, step_size, step_rank, "SLURM_STEP_ID", "Slurm"};
    *out = launch;
}

int ppi_launch_is_launcher_variable(const char *name)
{
    /* Names that a user sets and no launcher does; without them root's nested mpirun would refuse. */
    static const char *const keep[] = {"OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"};
    static const char *const prefixes[] = {
        "OMPI_", "ORTE_", "PRTE_", "PMIX_",      /* Open MPI, PRRTE; their settings (OMPI_MCA_*) cannot be told from */
                                                 /* what mpirun itself passes in such variables */
        "PMI", "HYD", "MPI_LOCAL", "MPISPAWN_",  /* MPICH, Intel MPI, MVAPICH2; PMI also Slurm, PALS */
        "MV2_COMM_WORLD_", "PALS_", "ALPS_APP_", "JSM_", "FLUX_TASK_", "FLUX_JOB_",
        /* Slurm: what makes a process a task of a step. The job's own variables stay: they are true of the worker
         * as they are of a batch script, and tell a nested srun or mpirun what there is. */
        "SLURM_STEP_", "SLURM_STEPID", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_GTIDS", "SLURM_TASK_PID",
        "SLURM_SRUN_", "SLURM_LAUNCH_", "SLURM_MPI_TYPE", "SLURM_PMI", "SLURM_CPU_BIND",
        "MPIR_CVAR_CH3_INTERFACE_HOSTNAME",      /* hydra sets it for each host */
        "PPMPI_MOVED", "PPMPI_WATCHED",          /* our own: hosts= and pprun */
    };
    for (size_t i = 0; i < sizeof keep / sizeof keep[0]; i++)
        if (strcmp(name, keep[i]) == 0) return 0;
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) return 1;
    return 0;
}
