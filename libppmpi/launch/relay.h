/* Inside launch/: a stream from the launcher to one of ours. It never blocks: a pager at the other end may hold the output for as
 * long as it likes, while signals are still attended to. */
#ifndef PPI_LAUNCH_RELAY_H
#define PPI_LAUNCH_RELAY_H

#include <stddef.h>
#include <stdio.h>

#define PPI_REPORT_MAX 512

struct ppi_relay {
    int from; /* -1 = at its end */
    int to;
    FILE *captured; /* in place of `to`; NULL = none */
    /* stderr has reports between 036 and 037, which are taken out and handed over; NULL = there are none. Returns 0 for what is
     * none of ours. */
    int (*on_report)(void *closure, const char *report);
    void *closure;
    char report[PPI_REPORT_MAX];
    size_t report_bytes;
    int in_report;
    char data[8192 + PPI_REPORT_MAX + 2]; /* to be written */
    size_t bytes, written;
};

/* What poll should wait for: returns the descriptor and sets the events; -1 for nothing. */
int ppi_relay_wants(const struct ppi_relay *relay, short *events);

/* Reads or writes a piece. To be called when poll has said that it can. */
void ppi_relay_move(struct ppi_relay *relay);

int ppi_relay_is_held_up(const struct ppi_relay *relay); /* something is there that nobody takes */
void ppi_relay_close(struct ppi_relay *relay);

#endif
