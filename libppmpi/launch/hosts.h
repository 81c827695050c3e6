/* Names of hosts: from a list, and from a host file as Open MPI, MPICH, PBS and Torque write it. */
#ifndef PPI_LAUNCH_HOSTS_H
#define PPI_LAUNCH_HOSTS_H

#include "launch/words.h"

/* "node-1,node-2", each name once. `source` is where the list stands (--hosts, PPMPI_HOSTS), for the text of PP_ERR_ARG, which
 * quotes the list and what is wrong in it. */
int ppi_hosts_parse(const char *list, const char *source, struct ppi_words *out);

/* One host a line, with "slots=4" or ":4" behind it, which do not matter here; # begins a comment. A host that stands there
 * again is the same host. PP_ERR_ARG with path, line and its text; PP_ERR_SYSTEM when the file cannot be read. */
int ppi_hosts_read(const char *path, struct ppi_words *out);

/* True when the name means this machine: by its spelling, or by its address. May ask the resolver. */
int ppi_host_is_local(const char *name);

#endif
