/* Messages to stderr, one write(2) per line, prefixed with who speaks: "ppmpi: rank 2 on node-1: warning: …". */
#ifndef PPI_BASE_LOG_H
#define PPI_BASE_LOG_H

#include <ppmpi.h>

void ppi_log_init(int level);
void ppi_log_rank(int rank); /* from then on the rank is named */
int ppi_log_enabled(int level);
void ppi_log(int level, const char *format, ...) PP_PRINTF(2, 3);

#endif
