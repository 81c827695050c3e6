/* SIGPIPE inside MPI. A peer that dies closes its connections; MPI may write into one of them before it knows, and the signal
 * would end this process, too. */
#ifndef PPI_BASE_PIPE_H
#define PPI_BASE_PIPE_H

/* From now on the signal passes without effect between enter and leave, on the thread that called them. Everywhere else it does what it
 * did. Without effect when the program handles it, or ignores it. Not for processes that are forked later and start another
 * program. */
void ppi_pipe_guard(void);

void ppi_pipe_enter(void);
void ppi_pipe_leave(void);

#endif
