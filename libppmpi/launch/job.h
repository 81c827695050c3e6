/* What a batch job lets us use. */
#ifndef PPI_LAUNCH_JOB_H
#define PPI_LAUNCH_JOB_H

#include "launch/command.h"
#include "launch/words.h"

/* In a Slurm job, whether each host is one of its nodes: mpirun could start nothing elsewhere. PP_ERR_ARG names the first that is
 * not. Runs scontrol; PP_OK where that does not tell. source: where the hosts stand. */
int ppi_job_check_hosts(const struct ppi_allocation *allocation, const struct ppi_words *hosts, const char *source);

#endif
