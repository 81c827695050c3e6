#include "base/options.h"

#include "base/status.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "PPMPI_"

/* strtol and strtod take blanks, signs and hexadecimal digits before a number: in a variable these are mistakes. */
static int begins_as_number(const char *text)
{
    if (*text == '-') text++;
    return *text >= '0' && *text <= '9' && text[1] != 'x' && text[1] != 'X';
}

static int whole_number(const char *text, long long *out)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (!begins_as_number(text) || *end || errno || (value == 0 && *text == '-')) return 0;
    *out = value;
    return 1;
}

static int read_int(const char *name, const char *variable, int least, int most, int *field)
{
    const char *text = getenv(variable);
    if (text) {
        long long value;
        if (!whole_number(text, &value) || value < least || value > most)
            return ppi_error(PP_ERR_ARG, "%s=\"%s\": a whole number from %d to %d is allowed", variable, text, least, most);
        *field = (int)value;
    } else if (*field < least || *field > most) {
        return ppi_error(PP_ERR_ARG, "options.%s is %d: a whole number from %d to %d is allowed", name, *field, least,
                         most);
    }
    return PP_OK;
}

static int read_real(const char *name, const char *variable, double least, double *field)
{
    const char *text = getenv(variable);
    if (text) {
        /* The program may have set a locale with a decimal comma. */
        char *end;
        locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        errno = 0;
        double value = plain ? strtod_l(text, &end, plain) : strtod(text, &end);
        int usable = begins_as_number(text[0] == '.' ? text + 1 : text) && *text != '-' && errno == 0;
        if (plain) freelocale(plain);
        if (!usable || *end || !(value >= least) || isinf(value))
            return ppi_error(PP_ERR_ARG, "%s=\"%s\": a number of seconds from %g on is allowed", variable, text, least);
        *field = value;
    } else if (!(*field >= least) || isinf(*field)) {
        return ppi_error(PP_ERR_ARG, "options.%s is %g: a number of seconds from %g on is allowed", name, *field, least);
    }
    return PP_OK;
}

static int read_size(const char *variable, size_t *field)
{
    const char *text = getenv(variable);
    long long value;
    if (!text) return PP_OK;
    if (!whole_number(text, &value) || value < 0)
        return ppi_error(PP_ERR_ARG, "%s=\"%s\": a whole number from 0 on is allowed", variable, text);
    *field = (size_t)value;
    return PP_OK;
}

static void read_text(const char *variable, const char **field)
{
    const char *text = getenv(variable);
    if (text) *field = text;
}

static int read_named(const char *name, const char *variable, const char *const *names, int *field)
{
    const char *text = getenv(variable);
    char allowed[128] = "";
    int count = 0;
    for (; names[count]; count++) {
        if (text && strcmp(text, names[count]) == 0) {
            *field = count;
            return PP_OK;
        }
        strcat(strcat(allowed, count ? " or " : ""), names[count]);
    }
    if (text) return ppi_error(PP_ERR_ARG, "%s=\"%s\": %s is allowed", variable, text, allowed);
    if (*field < 0 || *field >= count)
        return ppi_error(PP_ERR_ARG, "options.%s is %d: %s (0 to %d) is allowed", name, *field, allowed, count - 1);
    return PP_OK;
}

int ppi_options_resolve(const pp_options *user, pp_options *out)
{
    pp_options o = PP_OPTIONS_INIT;
    if (user) {
        if (user->size < offsetof(pp_options, workers) + sizeof(int) || user->size > 4096)
            return ppi_error(PP_ERR_ARG, "options.size is %zu: start from PP_OPTIONS_INIT", user->size);
        /* A program compiled against an older header has fewer fields: the rest keep their defaults. */
        memcpy(&o, user, user->size < sizeof o ? user->size : sizeof o);
        o.size = sizeof o;
    }
    int status;
#define INT(field, name, least, most) \
    if ((status = read_int(#field, PREFIX name, least, most, &o.field)) != PP_OK) return status;
#define REAL(field, name, least) \
    if ((status = read_real(#field, PREFIX name, least, &o.field)) != PP_OK) return status;
#define SIZE(field, name) \
    if ((status = read_size(PREFIX name, &o.field)) != PP_OK) return status;
#define TEXT(field, name) read_text(PREFIX name, &o.field);
#define NAMED(field, name, ...)                                                \
    {                                                                          \
        static const char *const names[] = {__VA_ARGS__};                      \
        if ((status = read_named(#field, PREFIX name, names, &o.field)) != PP_OK) return status; \
    }
    PPI_OPTIONS_LIST(INT, REAL, SIZE, TEXT, NAMED)
#undef INT
#undef REAL
#undef SIZE
#undef TEXT
#undef NAMED
    if (o.initializer_bytes > 0 && !o.initializer_args)
        return ppi_error(PP_ERR_ARG, "initializer_bytes is %zu, but initializer_args is NULL", o.initializer_bytes);
    *out = o;
    return PP_OK;
}
