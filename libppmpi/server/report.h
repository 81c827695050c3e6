/* What the server says by itself: the progress line, and the statistics when a signal asks for them. By the background
 * thread, without the lock. What others print makes the line give way. */
#ifndef PPI_SERVER_REPORT_H
#define PPI_SERVER_REPORT_H

struct pp_server;

/* Whether nobody handles SIGUSR1. To be asked before MPI is initialised, which may install a handler. */
int ppi_report_signal_is_free(void);

/* Takes SIGUSR1, if the option says so and nobody handles it, or nobody did before MPI was initialised: what MPI has
 * installed since is called after ours. */
void ppi_report_start(struct pp_server *s, int signal_was_free);
void ppi_report_stop(struct pp_server *s); /* gives it back; ends the progress line */

/* Around what is printed to these streams, without the lock: where the progress line may stand on the same terminal, it is
 * erased, and drawn again when the next one is due, and not in between. Takes what ppi_report_make_way has returned. */
int ppi_report_make_way(struct pp_server *s, int on_stdout, int on_stderr);
void ppi_report_go_on(struct pp_server *s, int made_way);

/* To be called now and then: prints what is due. */
void ppi_report_tick(struct pp_server *s);

#endif
