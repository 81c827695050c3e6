/* Inside launch/: the files that mpirun keeps on this node while it runs, and leaves when it is killed. */
#ifndef PPI_LAUNCH_SCRATCH_H
#define PPI_LAUNCH_SCRATCH_H

#include <sys/types.h>

/* For an mpirun that was killed: Open MPI 4's session folder of that process. Does nothing where there is none. */
void ppi_scratch_remove(pid_t mpirun);

#endif
