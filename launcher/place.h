/* Where pprun's program runs: on this machine, on hosts that the user named, or on the nodes of a batch job. */
#ifndef PPRUN_PLACE_H
#define PPRUN_PLACE_H

#include "options.h"

#include "launch/command.h"
#include "launch/watch.h"

struct place {
    int plain; /* here, without a launcher */
    struct ppi_allocation allocation;
    struct ppi_words hosts; /* none: the allocation's, or this machine */
    int nodes;
    enum ppi_mpi mpi;
    enum ppi_launcher launcher;
    char *launcher_file;
    struct ppi_carrier carrier; /* with a file when the ranks on other hosts are carried, see carry.h */
};

/* Ends pprun when the place cannot be had. */
void place_find(const struct options *options, struct place *out);

/* With the launcher, for this program; sets the MPI from options or from the program itself. */
void place_choose_launcher(const struct options *options, const char *program, struct place *place);

/* The command that runs `program` there; `watch` as in struct ppi_request. */
void place_command(const struct place *place, int ranks, char *const *program, const char *watch,
                   struct ppi_command *out);

/* Prints it, with the variables that it needs, for --dry-run; the program itself for a plain place. Returns the exit status. */
int place_print(const struct options *options, const struct place *place, char *const *program);

/* Runs it; returns the exit status. `captured` as in struct ppi_watch. */
int place_run(const struct place *place, int ranks, char *const *program, char **captured);

#define PLACE_NOT_FOUND 127 /* as shells have it */
#define PLACE_NOT_EXECUTABLE 126

/* The path of the program, which is looked for on the PATH; says what is wrong and ends with one of these when there is none. */
char *place_find_program(const char *name);

/* Replaces this process. When that fails, says why and returns one of these. */
int place_become(const char *file, char *const *words);

/* Where pprun itself is, in a text that lasts; NULL when /proc cannot be read. */
char *place_own_file(void);

/* Copies a file to every node, and gives the path that it has there; takes it away again. */
char *place_preload(const struct place *place, const char *file);
void place_unload(const struct place *place);

#endif
