/* The options of a server: the program's, with the environment's on top, checked. */
#ifndef PPI_BASE_OPTIONS_H
#define PPI_BASE_OPTIONS_H

#include <ppmpi.h>

/* Every option that has a variable: field, type, variable, and what it may be. The parser and the error texts
 * are made from this list.
 *   INT(field, least, most)  REAL(field, least)  SIZE(field)  TEXT(field)  NAMED(field, names in order of value, …) */
#define PPI_OPTIONS_LIST(INT, REAL, SIZE, TEXT, NAMED)          \
    INT(workers, "WORKERS", 0, 1024)                            \
    INT(cores_per_worker, "CORES_PER_WORKER", 1, 4096)          \
    TEXT(hosts, "HOSTS")                                        \
    REAL(timeout, "TIMEOUT", 0)                                 \
    INT(retries, "RETRIES", 0, 60000)                           \
    INT(restart, "RESTART", 0, 1000000000)                      \
    NAMED(isolation, "ISOLATION", "process", "none", NULL)      \
    NAMED(mpi, "MPI", "auto", "always", NULL)                   \
    TEXT(modules, "MODULES")                                    \
    SIZE(queue_limit, "QUEUE_LIMIT")                            \
    REAL(heartbeat, "HEARTBEAT", 0.001)                         \
    INT(stats, "STATS", 0, 1)                                   \
    INT(progress, "PROGRESS", 0, 1)                             \
    INT(signal_stats, "SIGNAL_STATS", 0, 1)                     \
    NAMED(log_level, "LOG_LEVEL", "error", "warning", "info", "debug", NULL)

/* user may be NULL. PP_ERR_ARG naming field or variable, value, and what is allowed. */
int ppi_options_resolve(const pp_options *user, pp_options *out);

#endif
