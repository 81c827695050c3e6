#include "launch/settings.h"
#include "base/options.h"
#include "base/status.h"

#include <string.h>

int ppi_setting_is_right(const char *variable, char *why, size_t room)
{
    pp_options options;
    size_t length = strlen(variable);
    if (ppi_options_resolve(NULL, &options) == PP_OK) return 1;
    /* PPMPI_NAME="value": what is allowed */
    const char *text = pp_last_error();
    if (strncmp(text, variable, length) != 0 || text[length] != '=') return 1; /* it is another that is wrong */
    const char *allowed = strstr(text + length, "\": ");
    snprintf(why, room, "%s", allowed ? allowed + 3 : text);
    ppi_error_clear();
    return 0;
}

int ppi_settings_check(void)
{
    pp_options options;
    return ppi_options_resolve(NULL, &options);
}

int ppi_settings_workers(int cores)
{
    pp_options options;
    if (ppi_options_resolve(NULL, &options) != PP_OK) return 0;
    if (options.workers > 0) return options.workers;
    int workers = cores / options.cores_per_worker;
    return workers > 0 ? workers : 1;
}
