#include "base/status.h"

#include <ppmpi_binding.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 1024

/* A thread's own, made with its first error. Not in its static memory: of that a library that is opened by dlopen gets some
 * hundred bytes, and with variables of the model initial-exec all of ours must be there. */
struct errors {
    int status;
    char text[TEXT_MAX], before[TEXT_MAX];
};

static _Thread_local struct errors *mine;
static struct errors without_memory;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* for its destructor */
static int has_key;

static void thread_ends(void *errors)
{
    mine = NULL;
    free(errors);
}

static void make_key(void)
{
    has_key = pthread_key_create(&key, thread_ends) == 0;
}

__attribute__((destructor)) static void delete_key(void)
{
    if (has_key) pthread_key_delete(key); /* the library may be closed before the program's threads end */
    has_key = 0;
}

static struct errors *errors(void)
{
    if (mine && mine != &without_memory) return mine;
    pthread_once(&once, make_key);
    struct errors *own = calloc(1, sizeof *own);
    if (own && has_key) pthread_setspecific(key, own);
    return mine = own ? own : &without_memory; /* which the thread reads from then on */
}

int ppi_error_v(int status, const char *format, va_list args)
{
    /* The format's arguments may point into the old text. */
    char text[TEXT_MAX];
    vsnprintf(text, sizeof text, format, args);
    struct errors *e = errors();
    memcpy(e->text, text, sizeof text);
    e->status = status;
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
    struct errors *e = errors();
    size_t used = strlen(e->text);
    char reason[128];
    snprintf(e->text + used, sizeof e->text - used, ": %s", strerror_r(error, reason, sizeof reason));
    return status;
}

int pp_binding_error(int status, const char *text)
{
    return ppi_error(status, "%s", text);
}

const char *ppi_error_before(void)
{
    static const char link[] = "; the last error was: ";
    struct errors *e = errors();
    const char *root = strstr(e->text, link);
    root = root ? root + strlen(link) : e->text;
    if (!*root) return "";
    snprintf(e->before, sizeof e->before, "%s%.900s", link, root);
    return e->before;
}

void ppi_error_clear(void)
{
    if (!mine) return;
    mine->status = PP_OK;
    mine->text[0] = '\0';
}

const char *pp_last_error(void)
{
    return mine ? mine->text : "";
}

int pp_last_error_code(void)
{
    return mine ? mine->status : PP_OK;
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
