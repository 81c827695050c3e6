/* Rank 0 of a watched job says when the farm is open, by the token that tells our reports from everything else. */
#include "launch/watch.h"
#include "base/clock.h"

#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

void ppi_watch_token(char out[PPI_WATCH_TOKEN_BYTES])
{
    uint64_t number;
    if (getrandom(&number, sizeof number, GRND_NONBLOCK) != (ssize_t)sizeof number) number = ppi_now_ns() ^ (uint64_t)getpid() << 40;
    snprintf(out, PPI_WATCH_TOKEN_BYTES, "ppmpi-%016llx", (unsigned long long)number);
}

static char token[PPI_WATCH_TOKEN_BYTES];

void ppi_watch_take_token(void)
{
    const char *value = getenv(PPI_WATCH_VARIABLE);
    if (!value) return;
    snprintf(token, sizeof token, "%s", value);
    unsetenv(PPI_WATCH_VARIABLE);
}

void ppi_watch_report_open(void)
{
    char report[64];
    if (!*token) return;
    int bytes = snprintf(report, sizeof report, "\036%s open 0 0 - 0\037", token);
    if (write(STDERR_FILENO, report, (size_t)bytes) < 0) return; /* then nobody watches */
    *token = '\0';
}
