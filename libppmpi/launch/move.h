/* hosts= in a program that was started plainly: the program starts itself again there, under MPI's launcher. */
#ifndef PPI_LAUNCH_MOVE_H
#define PPI_LAUNCH_MOVE_H

#include "launch/launch.h"

/* PP_ERR_ARG, naming PPMPI_HOSTS or options.hosts, when they are no list of hosts. */
int ppi_move_check(const char *hosts);

/* First thing in pp_server_open. Returns PP_OK when there is nothing to do: no hosts, a launcher has started this process, or
 * they are this machine alone. Otherwise this process runs the program once more, with its own words, on each host, waits for it
 * and exits with its status, without the program's exit handlers; or an error is returned and nothing has happened. A program
 * that had a server before has done too much to do it all again: PP_ERR_STATE. */
int ppi_move(const char *hosts, const struct ppi_launch *launch, int opened_before);

#endif
