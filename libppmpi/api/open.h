/* What the two ways of opening a server share. */
#ifndef PPI_API_OPEN_H
#define PPI_API_OPEN_H

#include "server/server.h"

/* PP_ERR_STATE inside a task, and while a server is open. */
int ppi_open_check_place(const char *call);

/* The program's options with the environment's on top, checked for what fits together. */
int ppi_open_read_options(const pp_options *options, pp_options *out);

/* What workers need, and what makes them: before MPI where they are processes. Nothing is left of it on failure. */
int ppi_open_make_workers(enum ppi_pool_kind kind, struct ppi_topology *topology, struct ppi_workspace *workspace,
                          struct ppi_pool **pool);

/* ppi_server is open, and this process may use it; it is closed when the program leaves without that. */
void ppi_open_done(void);

/* Closes the server, if this process has one, as when the program leaves: what has not finished is given up. */
void ppi_open_abandon(void);

/* Opening has failed, for the reason in pp_last_error(): calls with the NULL that the program got will tell. */
void ppi_open_failed(void);

/* The reason why the last opening failed, "" if it did not. */
const char *ppi_open_why_not(void);

/* In a child that the program has forked while a server was open: the process that the server belongs to; otherwise 0. */
long ppi_open_belongs_to(void);

/* Signals that a launcher sends to every rank and only rank 0 heeds: ignored while a rank serves, where the program has not
 * decided otherwise. restore: with what was there before. */
struct sigaction;
void ppi_open_ignore_signals(struct sigaction *before);
void ppi_open_restore_signals(const struct sigaction *before);

#endif
