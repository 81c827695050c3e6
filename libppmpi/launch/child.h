/* The launcher as a child of ours: how it begins, and how it ends by force with all that it has started here. */
#ifndef PPI_LAUNCH_CHILD_H
#define PPI_LAUNCH_CHILD_H

#include "launch/command.h"

#include <signal.h>
#include <sys/types.h>

struct ppi_child {
    const char *who; /* begins its messages, should the launcher not be there */
    const struct ppi_command *command;
    enum ppi_launcher launcher;
    const sigset_t *mask; /* its signal mask */
    pid_t pid;            /* by start, with these ends of pipes: */
    int errors, output;   /* … what it writes to stderr and to stdout */
};

/* Returns 0, or an errno: then nothing runs. What a killed launcher leaves behind comes to this process from now on. */
int ppi_child_start(struct ppi_child *child);

/* Kills the launcher and what it has left, as it comes, for up to two seconds. *status is -1 while the launcher has not been waited
 * for, and becomes what waitpid says of it. */
void ppi_child_kill_all(pid_t launcher, int *status);

#endif
