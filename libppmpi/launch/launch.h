/* Were we started by an MPI launcher, by which, and as how many processes? Read from the environment alone. */
#ifndef PPI_LAUNCH_LAUNCH_H
#define PPI_LAUNCH_LAUNCH_H

struct ppi_launch {
    int launched;         /* an MPI launcher started this process */
    int size;             /* ranks that the environment promises; 0 = it does not say */
    int rank;             /* of this process; -1 = it does not say */
    const char *variable; /* the variable that told, for messages; "" */
    const char *launcher; /* "Open MPI", "MPICH or Slurm (PMI)", "PMIx", "Slurm", "PALS", …; "" */
};

void ppi_launch_detect(struct ppi_launch *out);

/* True for the name of an environment variable by which a launcher speaks to MPI (OMPI_*, PMIX_*, PMI*, …): removed
 * from the environment of workers, so that a task that runs an MPI program starts a new one. The variables of a Slurm
 * step are among them, those of the job are not. */
int ppi_launch_is_launcher_variable(const char *name);

/* Closes, for worker processes, the launcher's descriptors: sockets and pipes (≥ 3) that were open when the library was
 * loaded, which a constructor records. Files and terminals are the user's and stay, and so does a number that means
 * something else by now. Does nothing in a process that no launcher started. */
void ppi_launch_close_inherited(void);

#endif
