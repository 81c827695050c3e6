#include "fortran/library.h"

#include <stdarg.h>
#include <string.h>

static _Thread_local struct {
    int status, fresh; /* fresh: set by the call that is under way */
    char text[1024];
} own;

int ppf_error(int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(own.text, sizeof own.text, format, args);
    va_end(args);
    own.status = status;
    own.fresh = 1;
    return status;
}

void ppf_error_settle(int status)
{
    if (status < 0 && !own.fresh) own.status = PP_OK; /* the library has failed since */
    own.fresh = 0;
}

void ppf_error_clear(void)
{
    own.status = PP_OK;
}

const char *ppf_last_error(void)
{
    return own.status < 0 ? own.text : pp_last_error();
}

int ppf_last_error_code(void)
{
    return own.status < 0 ? own.status : pp_last_error_code();
}

/* The library lets a task fail with PP_ERR_TASK only; the status is the code. */
void ppf_fail(pp_task *task, int status, const char *message)
{
    pp_task_fail(task, status, "%s", message);
}

/* The library carries bytes only. */
void ppf_tag_next(unsigned tag)
{
    (void)tag;
}

unsigned ppf_tag(const pp_task *task)
{
    (void)task;
    return 0;
}
