/* What the user of pprun wrote. */
#ifndef PPRUN_OPTIONS_H
#define PPRUN_OPTIONS_H

#include "launch/find.h"
#include "launch/words.h"

struct options {
    const char *hosts, *hostfile; /* at most one of them */
    int ranks;                    /* 0 = one on each node */
    int info, dry_run, preload;
    int plain_mpirun; /* mpirun starts the ranks on other hosts itself, by a daemon on each */
    int info_line;   /* for our own use: this node's line of --info */
    const char *carry; /* the same, see carry.h */
    const char *mpi; /* NULL = the program's */
    struct ppi_words variables; /* NAME=value: options for the program, which are in the environment, too */
    char **program;  /* with its arguments; empty with --info */
};

#define WRONG_USE 2

/* Says what is wrong, and what is right, and ends with WRONG_USE. */
_Noreturn void wrong_use(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/* Reads the command line; puts what concerns the program into PPMPI_ variables. Does not return after --help, --version, and wrong
 * use. */
void options_read(int argc, char **argv, struct options *out);

#endif
