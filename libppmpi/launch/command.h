/* The command lines of mpirun, mpiexec and srun: what is to run where, and the environment, in; words out. Pure: nothing here looks
 * at this machine. */
#ifndef PPI_LAUNCH_COMMAND_H
#define PPI_LAUNCH_COMMAND_H

#include "launch/find.h"
#include "launch/words.h"

enum ppi_allocation_kind { PPI_ALLOCATION_NONE, PPI_ALLOCATION_SLURM, PPI_ALLOCATION_PBS };

/* What a batch system has given us. */
struct ppi_allocation {
    enum ppi_allocation_kind kind;
    int nodes;            /* Slurm: of the whole job */
    int in_step;          /* Slurm: srun started this process */
    const char *nodefile; /* PBS, Torque */
};

/* Named hosts are reached by a remote shell, which the batch system has let in if there is one; Slurm starts its nodes itself. */
static inline int ppi_allocation_is_by_shell(const struct ppi_allocation *allocation)
{
    return allocation->kind != PPI_ALLOCATION_SLURM;
}

void ppi_allocation_detect(char *const *environment, struct ppi_allocation *out);

enum ppi_launcher { PPI_LAUNCHER_MPIRUN, PPI_LAUNCHER_HYDRA, PPI_LAUNCHER_SRUN };

/* Ranks are local processes for mpirun, and each that is to run elsewhere is carried there by the remote shell, without a daemon of
 * mpirun's on that host. A host that dies then takes its rank along, and nothing else; see launcher/carry.h. */
struct ppi_carrier {
    const char *file;      /* pprun */
    const char *interface; /* of this host, which the others reach */
};

struct ppi_request {
    enum ppi_mpi mpi;
    enum ppi_launcher launcher;
    const char *file; /* of the launcher */
    struct ppi_allocation allocation;
    const struct ppi_words *hosts; /* none: the allocation's, or this machine */
    int ranks;                     /* 0: one on each host */
    char *const *program;          /* with its arguments */
    const char *watch;             /* NULL, or the token of launch/watch.h: each rank reports how it ended */
    char *const *environment;
    const struct ppi_carrier *carrier; /* mpirun with hosts, of which the first is this one, and no more ranks than hosts: or NULL */
};

struct ppi_command {
    struct ppi_words words; /* launcher, its options, the program */
    struct ppi_words set;   /* NAME=value, into the launcher's environment */
    struct ppi_words unset; /* names, out of it */
    int ranks;              /* that it starts; 0 = not known */
};

/* PP_ERR_ARG when the request cannot be met, with the reason. */
int ppi_command_build(const struct ppi_request *request, struct ppi_command *out);
void ppi_command_free(struct ppi_command *command);

/* For srun: the first `ranks` of the hosts, all of them when there are fewer. */
void ppi_command_add_nodelist(const struct ppi_words *hosts, int ranks, struct ppi_words *words);

/* One line for a shell; NULL without memory. */
char *ppi_command_line(const struct ppi_command *command);

/* The value of NAME in such a list, NULL when it is not there. */
const char *ppi_environment_get(char *const *environment, const char *name);

/* True for what a shell takes for the name of a variable. */
int ppi_environment_is_name(const char *name);

/* True for a variable of the user's that every rank should have: all but those that belong to this machine, session, batch job
 * or launcher. */
int ppi_environment_travels(const char *name);

#endif
