/* Which launcher is there, and right, for a program of this MPI in this place. */
#ifndef PPI_LAUNCH_CHOOSE_H
#define PPI_LAUNCH_CHOOSE_H

#include "launch/command.h"

/* The MPI's own launcher, which knows Slurm's and PBS's allocations; where it is not installed and Slurm gave the nodes, srun.
 * `file` is the caller's to free. PP_ERR_SYSTEM when there is none, PP_ERR_STATE when it refuses to run as root. */
int ppi_launcher_choose(enum ppi_mpi mpi, const struct ppi_allocation *allocation, enum ppi_launcher *launcher,
                        char **file);

#endif
