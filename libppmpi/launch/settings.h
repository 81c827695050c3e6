/* The library's PPMPI_ variables, checked before a program starts. */
#ifndef PPI_LAUNCH_SETTINGS_H
#define PPI_LAUNCH_SETTINGS_H

#include <stddef.h>

/* Whether pp_server_open will take the value that `variable` has; `why` tells what is allowed when it will not. */
int ppi_setting_is_right(const char *variable, char *why, size_t room);

/* Whether it will take all of them; PP_ERR_ARG names the variable, its value and what is allowed. */
int ppi_settings_check(void);

/* What PPMPI_WORKERS and PPMPI_CORES_PER_WORKER make of so many cores. */
int ppi_settings_workers(int cores);

#endif
