#include "base/status.h"

#include <ppmpi_binding.h>
#include <string.h>

#define TEXT_MAX 1024

static _Thread_local struct {
    int status;
    char text[TEXT_MAX];
} last;

int ppi_error_v(int status, const char *format, va_list args)
{
    /* The format's arguments may point into the old text. */
    char text[TEXT_MAX];
    vsnprintf(text, sizeof text, format, args);
    memcpy(last.text, text, sizeof text);
    last.status = status;
    return status;
}

int ppi_error(int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    ppi_error_v(status, format, args);
    va_end(args);
    return status;
}

int ppi_error_errno(int status, int error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    ppi_error_v(status, format, args);
    va_end(args);
    size_t used = strlen(last.text);
    char reason[128];
    snprintf(last.text + used, sizeof last.text - used, ": %s", strerror_r(error, reason, sizeof reason));
    return status;
}

int pp_binding_error(int status, const char *text)
{
    return ppi_error(status, "%s", text);
}

const char *ppi_error_before(void)
{
    static _Thread_local char before[TEXT_MAX];
    static const char link[] = "; the last error was: ";
    const char *root = strstr(last.text, link);
    root = root ? root + strlen(link) : last.text;
    if (!*root) return "";
    snprintf(before, sizeof before, "%s%.900s", link, root);
    return before;
}

void ppi_error_clear(void)
{
    last.status = PP_OK;
    last.text[0] = '\0';
}

const char *pp_last_error(void)
{
    return last.text;
}

int pp_last_error_code(void)
{
    return last.status;
}

const char *pp_strerror(int status)
{
    switch (status) {
#define CASE(name, value, text) \
    case value: return text;
        PP_STATUS_LIST(CASE)
#undef CASE
    default: return "unknown status";
    }
}
