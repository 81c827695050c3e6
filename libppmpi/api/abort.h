/* The end of the whole job. */
#ifndef PPI_API_ABORT_H
#define PPI_API_ABORT_H

/* Prints the message to stderr and aborts the whole job with a non-zero status, as MPI's default error handler
 * does. */
_Noreturn void ppi_abort_job(const char *message);

#endif
