#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

/* Atomic: ranks that are threads of one process set them while others log. */
static _Atomic int log_level = PP_LOG_WARNING;
static _Atomic int log_rank = -1;

void ppi_log_init(int level)
{
    log_level = level;
}

void ppi_log_rank(int rank)
{
    log_rank = rank;
}

int ppi_log_enabled(int level)
{
    return level <= log_level;
}

void ppi_log(int level, const char *format, ...)
{
    if (!ppi_log_enabled(level)) return;
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char line[2048], host[256] = "";
    int saved_errno = errno, used;
    gethostname(host, sizeof host - 1);
    if (log_rank >= 0)
        used = snprintf(line, sizeof line, "ppmpi: rank %d on %s: %s: ", log_rank, host, names[level]);
    else
        used = snprintf(line, sizeof line, "ppmpi: %s: %s: ", host, names[level]);
    va_list args;
    va_start(args, format);
    used += vsnprintf(line + used, sizeof line - (size_t)used - 1, format, args);
    va_end(args);
    if (used > (int)sizeof line - 2) used = (int)sizeof line - 2;
    line[used++] = '\n';
    /* One write, so that lines of several ranks do not mix. */
    if (write(STDERR_FILENO, line, (size_t)used) < 0) { /* nobody left to tell */ }
    errno = saved_errno;
}
