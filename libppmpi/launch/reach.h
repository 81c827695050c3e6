/* Commands on other hosts by the remote shell that MPI's launcher uses. */
#ifndef PPI_LAUNCH_REACH_H
#define PPI_LAUNCH_REACH_H

#include "launch/command.h"

/* The words before the host's name: ssh, or what MPI's launcher was told to use. PP_ERR_SYSTEM when there is no such program. */
int ppi_reach_agent(enum ppi_launcher launcher, struct ppi_words *out);

struct ppi_errand {
    const char *command; /* for the shell there */
    const char *input;   /* the file that it reads; NULL = nothing */
    int local_too;       /* here as well, where this host is among them */
    const char *failure; /* "cannot be reached", for the message */
    int seconds;         /* that a host is given; each group of 64 */
};

/* Runs it on all hosts at once, and writes a sentence to stderr for each where it failed. Returns how many these are. */
int ppi_reach_all(const char *who, enum ppi_launcher launcher, const struct ppi_words *hosts,
                  const struct ppi_errand *errand);

/* Which hosts are not reached? Asked once a job did not start, since launchers say little about it. */
int ppi_reach_ask(const char *who, enum ppi_launcher launcher, const struct ppi_words *hosts);

#endif
