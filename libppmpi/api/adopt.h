/* A server that was not made by pp_server_open, for tests: over another transport, with threads as workers. */
#ifndef PPI_API_ADOPT_H
#define PPI_API_ADOPT_H

#include <ppmpi.h>

/* From now on the server, made by ppi_server_create, is the open one; pp_server_close closes it. */
void ppi_server_adopt(pp_server *server);

#endif
