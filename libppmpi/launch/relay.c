#include "launch/relay.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

int ppi_relay_is_held_up(const struct ppi_relay *relay)
{
    return relay->written < relay->bytes;
}

int ppi_relay_wants(const struct ppi_relay *relay, short *events)
{
    *events = ppi_relay_is_held_up(relay) ? POLLOUT : POLLIN;
    return ppi_relay_is_held_up(relay) ? relay->to : relay->from;
}

void ppi_relay_close(struct ppi_relay *relay)
{
    if (relay->from >= 0) close(relay->from);
    relay->from = -1;
}

static void keep(struct ppi_relay *relay, const char *data, size_t bytes)
{
    memcpy(relay->data + relay->bytes, data, bytes);
    relay->bytes += bytes;
}

/* It looked like a report. */
static void keep_report(struct ppi_relay *relay, const char *end)
{
    keep(relay, "\036", 1);
    keep(relay, relay->report, relay->report_bytes);
    keep(relay, end, strlen(end));
    relay->in_report = 0;
}

static void take_reports_out(struct ppi_relay *relay, const char *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (!relay->in_report && data[i] == '\036') {
            relay->in_report = 1;
            relay->report_bytes = 0;
        } else if (!relay->in_report) {
            relay->data[relay->bytes++] = data[i];
        } else if (data[i] == '\037') {
            relay->report[relay->report_bytes] = '\0';
            if (relay->on_report(relay->closure, relay->report))
                relay->in_report = 0;
            else
                keep_report(relay, "\037");
        } else if (relay->report_bytes < PPI_REPORT_MAX - 1) {
            relay->report[relay->report_bytes++] = data[i];
        } else {
            keep_report(relay, "");
            relay->data[relay->bytes++] = data[i];
        }
    }
}

static void read_piece(struct ppi_relay *relay)
{
    char data[4096];
    ssize_t n = read(relay->from, data, sizeof data);
    if (n < 0 && errno == EINTR) return;
    relay->bytes = relay->written = 0;
    if (n <= 0) {
        if (relay->in_report) keep_report(relay, "");
        ppi_relay_close(relay);
    } else if (relay->captured) {
        fwrite(data, 1, (size_t)n, relay->captured);
    } else if (relay->on_report) {
        take_reports_out(relay, data, (size_t)n);
    } else {
        keep(relay, data, (size_t)n);
    }
}

static void write_piece(struct ppi_relay *relay)
{
    size_t left = relay->bytes - relay->written;
    ssize_t n =
        write(relay->to, relay->data + relay->written, left < PIPE_BUF ? left : PIPE_BUF); /* so much does not block */
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    relay->written = n < 0 ? relay->bytes : relay->written + (size_t)n; /* nobody reads it any more: away with it */
}

void ppi_relay_move(struct ppi_relay *relay)
{
    if (ppi_relay_is_held_up(relay))
        write_piece(relay);
    else if (relay->from >= 0)
        read_piece(relay);
}
