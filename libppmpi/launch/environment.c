/* Which variables of the environment go along to other nodes, and what a batch system says in them. */
#include "launch/command.h"
#include "launch/launch.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

const char *ppi_environment_get(char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (; environment && *environment; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=') return *environment + length + 1;
    return NULL;
}

int ppi_environment_is_name(const char *name)
{
    if (!isalpha((unsigned char)*name) && *name != '_')
        return 0; /* "BASH_FUNC_x%%" cannot be passed on by all launchers */
    while (*name && (isalnum((unsigned char)*name) || *name == '_'))
        name++;
    return *name == '\0';
}

int ppi_environment_travels(const char *name)
{
    static const char *const stay[] = {
        "_",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "MAIL",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "HOSTNAME",
        "HOST",
        "HOSTTYPE",
        "MACHTYPE",
        "OSTYPE",
        "TERM",
        "TERMCAP",
        "LINES",
        "COLUMNS",
        "LS_COLORS",
        "DISPLAY",
        "XAUTHORITY",
        "WAYLAND_DISPLAY",
        "WINDOWID",
        "TMPDIR",
        "TMP",
        "TEMP",
        "TMUX",
        "TMUX_PANE",
        "STY",
        "KRB5CCNAME",
        "ENVIRONMENT",
        "PPMPI_HOSTS",
        "OMPI_ALLOW_RUN_AS_ROOT",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM",
    };
    static const char *const prefixes[] = {"SSH_",    "XDG_",    "DBUS_", "SUDO_", "SYSTEMD_", "SLURM",
                                           "SBATCH_", "SALLOC_", "SRUN_", "PBS_",  "LSB_",     "BASH"};
    if (!ppi_environment_is_name(name) || ppi_launch_is_launcher_variable(name)) return 0;
    for (size_t i = 0; i < sizeof stay / sizeof stay[0]; i++)
        if (strcmp(name, stay[i]) == 0) return 0;
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) return 0;
    return 1;
}

/* A whole number from 0 on; -1 when the variable is unset or something else. */
static long number(char *const *environment, const char *name)
{
    const char *text = ppi_environment_get(environment, name);
    char *end;
    if (!text || !isdigit((unsigned char)*text)) return -1;
    long value = strtol(text, &end, 10);
    return *end == '\0' ? value : -1;
}

void ppi_allocation_detect(char *const *environment, struct ppi_allocation *out)
{
    *out = (struct ppi_allocation){PPI_ALLOCATION_NONE, 0, 0, NULL};
    const char *job = ppi_environment_get(environment, "SLURM_JOB_ID");
    if (job && *job) {
        long nodes = number(environment, "SLURM_JOB_NUM_NODES"), step = number(environment, "SLURM_STEP_ID");
        if (nodes < 1) nodes = number(environment, "SLURM_NNODES");
        out->kind = PPI_ALLOCATION_SLURM;
        out->nodes = nodes >= 1 && nodes <= INT_MAX ? (int)nodes : 1;
        out->in_step = step >= 0 && step <= INT_MAX; /* larger: a batch script or an interactive shell */
        return;
    }
    const char *file = ppi_environment_get(environment, "PBS_NODEFILE");
    if (file && *file) {
        out->kind = PPI_ALLOCATION_PBS;
        out->nodefile = file;
    }
}
