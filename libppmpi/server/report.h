/* What the server says by itself: the progress line, and the statistics when a signal asks for them. By the background
 * thread, without the lock. */
#ifndef PPI_SERVER_REPORT_H
#define PPI_SERVER_REPORT_H

struct pp_server;

/* Takes SIGUSR1, if the option says so and the program does not handle it. */
void ppi_report_start(struct pp_server *s);
void ppi_report_stop(struct pp_server *s); /* gives it back; ends the progress line */

/* To be called now and then: prints what is due. */
void ppi_report_tick(struct pp_server *s);

#endif
