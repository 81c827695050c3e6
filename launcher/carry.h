/* Ranks on other hosts without a daemon of mpirun's there. mpirun starts pprun once for each rank, here; that carries the rank to its
 * host by the remote shell, and is what mpirun sees of it. A host that dies, hangs or is cut off takes its rank along and nothing
 * else, while mpirun ends the whole job when it loses a daemon. PMIx, by which ranks learn of each other, goes by TCP. */
#ifndef PPRUN_CARRY_H
#define PPRUN_CARRY_H

#include "options.h"
#include "place.h"

/* Of one word of a command, for Linux: what goes to the other host is one. */
#define CARRY_WORD_MOST ((size_t)128 << 10)

/* Fills in *out, whose texts last, when the program's ranks are to be carried to these hosts. Not where mpirun's own way
 * is better or the only one: in a batch job; with several ranks on a host, which would do without shared memory; when the
 * first host is not this one; for a program that calls MPI itself, which might want to know who shares a host, or
 * pp_prepare, or whose file does not call pp_server_open; with another mpirun than that of Open MPI 4.1; where
 * OMPI_MCA_btl, OMPI_MCA_pml or PMIX_MCA_gds say how messages go; where hosts are reached by several interfaces, unless
 * OMPI_MCA_oob_tcp_if_include names one; and when environment and arguments may be too large for one word. */
void carry_decide(const struct options *options, const struct place *place, const char *program, struct ppi_carrier *out);

/* What mpirun starts: carries the words to the host of this process's rank, and waits for their end. Returns the exit status. */
int carry(const char *hosts, char *const *words);

#endif
