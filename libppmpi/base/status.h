/* Status codes and the text of the last error of each thread. */
#ifndef PPI_BASE_STATUS_H
#define PPI_BASE_STATUS_H

#include <ppmpi.h>
#include <stdarg.h>

/* Records status and text as this thread's last error and returns status, so that a function can end with
 * `return ppi_error(PP_ERR_ARG, "timeout is %g, but …", timeout);`. */
int ppi_error(int status, const char *format, ...) PP_PRINTF(2, 3);
int ppi_error_v(int status, const char *format, va_list args);

/* The same with ": " and strerror(error) behind the text. */
int ppi_error_errno(int status, int error, const char *format, ...) PP_PRINTF(3, 4);

void ppi_error_clear(void);

/* "; the last error was: …" for the end of a text, or "": with the error at the root when the last one was such a text
 * itself. Valid until the next error. */
const char *ppi_error_before(void);

#endif
