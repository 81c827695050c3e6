#include "launch/choose.h"
#include "base/status.h"

#include <stdlib.h>
#include <unistd.h>

/* Open MPI's own rule. It is the user's to lift, not ours. */
static int refuses_root(void)
{
    return geteuid() == 0 && !(getenv("OMPI_ALLOW_RUN_AS_ROOT") && getenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"));
}

int ppi_launcher_choose(enum ppi_mpi mpi, const struct ppi_allocation *allocation, enum ppi_launcher *launcher,
                        char **file)
{
    const char *path = getenv("PATH");
    if (!path) path = "/usr/local/bin:/usr/bin:/bin";
    *launcher = mpi == PPI_MPI_OPENMPI ? PPI_LAUNCHER_MPIRUN : PPI_LAUNCHER_HYDRA;
    *file = ppi_find_launcher(mpi, path);
    if (!*file && allocation->kind == PPI_ALLOCATION_SLURM) {
        *launcher = PPI_LAUNCHER_SRUN;
        *file = ppi_find_program("srun", path);
    }
    if (!*file)
        return ppi_error(PP_ERR_SYSTEM, "the program is one of %s, and its launcher, %s, is not on the PATH",
                         ppi_mpi_name(mpi), mpi == PPI_MPI_OPENMPI ? "mpirun" : "mpiexec");
    if (*launcher == PPI_LAUNCHER_MPIRUN && refuses_root()) {
        free(*file);
        *file = NULL;
        return ppi_error(PP_ERR_STATE, "Open MPI does not start programs as root unless OMPI_ALLOW_RUN_AS_ROOT=1 and "
                                       "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 are set; set both, or be another user");
    }
    return PP_OK;
}
