/* Checks that most public functions begin with. */
#ifndef PPI_API_CHECK_H
#define PPI_API_CHECK_H

#include "server/server.h"

/* PP_ERR_STATE inside a task, in a worker and in a forked child of the program. */
int ppi_check_place(const char *call);

/* The same, and that the server is the open one. */
int ppi_check_server(const pp_server *server, const char *call);

/* The same for calls that take a future: *server is the open server; PP_ERR_HANDLE when there is none. */
int ppi_check_open(pp_server **server, const char *call);

#endif
