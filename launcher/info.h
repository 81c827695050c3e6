/* --info: what hwloc finds on every node. */
#ifndef PPRUN_INFO_H
#define PPRUN_INFO_H

#include "options.h"

int info_print_line(void);                           /* this node's, for the table of another pprun */
int info_print_table(const struct options *options); /* all nodes'; returns the exit status */

#endif
