/* What the shim needs of the library and <ppmpi.h> does not have, gathered in one place. */
#ifndef PPF_LIBRARY_H
#define PPF_LIBRARY_H

#include <ppmpi.h>

/* The last error of Fortran's calls on this thread: that of the library, or of the shim when that is later.
 * ppf_error returns status. ppf_error_settle is called once at the end of each call with its status. */
int ppf_error(int status, const char *format, ...) PP_PRINTF(2, 3);
void ppf_error_settle(int status);
void ppf_error_clear(void);
const char *ppf_last_error(void);
int ppf_last_error_code(void);

/* The task has failed with a status of the library. */
void ppf_fail(pp_task *task, int status, const char *message);

/* A number of 15 bits that would go with the bytes of what this thread submits next, and its value in the task; 0 when
 * there is none. */
void ppf_tag_next(unsigned tag);
unsigned ppf_tag(const pp_task *task);

#endif
