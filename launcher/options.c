#include "options.h"

#include "launch/settings.h"

#include <errno.h>
#include <limits.h>
#include <ppmpi.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: pprun [options] program [arguments]\n"
    "       pprun --info [options]\n"
    "Runs a program of libppmpi with one rank on each node, and workers on all its cores.\n"
    "The nodes are those of --hosts or --hostfile, or those that Slurm or PBS has given; without, this one.\n"
    "\n"
    "  --hosts LIST      on these hosts: node-1,node-2\n"
    "  --hostfile FILE   on the hosts that stand in this file, one on each line\n"
    "  -n RANKS          so many ranks, in turn on the nodes, in place of one on each\n"
    "  --preload         take the program to the nodes first, for nodes that do not share the file system\n"
    "  --mpi NAME        openmpi or mpich; the program itself tells which, as a rule\n"
    "  --plain-mpirun    let mpirun reach the other hosts; the job then ends when one of them dies\n"
    "\n"
    "  --workers N       workers of each rank, in place of one on each core\n"
    "  --timeout SECONDS for one try of a task\n"
    "  --retries N       further tries after a crash or a time-out of a task\n"
    "  --progress        a line of progress on stderr\n"
    "  --stats           the table of statistics at the end\n"
    "\n"
    "  --info            show the cores and workers of every node, run nothing\n"
    "  --dry-run         show the command, run nothing\n"
    "  --version, --help\n"
    "  --                ends the options\n";

void wrong_use(const char *format, ...)
{
    va_list args;
    fputs("pprun: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(WRONG_USE);
}

static _Noreturn void print_and_exit(const char *text)
{
    fputs(text, stdout);
    exit(fflush(stdout) == 0 ? 0 : 1);
}

static _Noreturn void print_version(void)
{
    printf("pprun %d.%d.%d, libppmpi for %s\n", PPMPI_VERSION_MAJOR, PPMPI_VERSION_MINOR, PPMPI_VERSION_PATCH,
           ppi_mpi_name(ppi_mpi_built()));
    exit(fflush(stdout) == 0 ? 0 : 1);
}

/* Into a variable that the program reads when it opens the server; checked here as it will be there. */
static void set_variable(const char *option, const char *variable, const char *value, struct options *o)
{
    char why[512];
    setenv(variable, value, 1);
    ppi_words_format(&o->variables, "%s=%s", variable, value);
    if (!ppi_setting_is_right(variable, why, sizeof why)) wrong_use("%s \"%s\": %s", option, value, why);
}

static int positive(const char *option, const char *value, int most, const char *what)
{
    char *end;
    errno = 0;
    long n = strtol(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || errno || n < 1 || n > most)
        wrong_use("%s \"%s\": %s is right", option, value, what);
    return (int)n;
}

enum kind {
    HOSTS,
    HOSTFILE,
    RANKS,
    WORKERS,
    TIMEOUT,
    RETRIES,
    MPI,
    PRELOAD,
    PROGRESS,
    STATS,
    INFO,
    DRY_RUN,
    INFO_LINE,
    PLAIN_MPIRUN,
    CARRY,
    VERSION,
    HELP
};

static const struct {
    const char *name, *value; /* what stands behind it, NULL = nothing */
    enum kind kind;
} known[] = {
    {"--hosts", "names of hosts, such as node-1,node-2,", HOSTS},
    {"--hostfile", "the name of a file", HOSTFILE},
    {"-n", "a number of ranks", RANKS},
    {"--workers", "a number of workers", WORKERS},
    {"--timeout", "a number of seconds", TIMEOUT},
    {"--retries", "a number of tries", RETRIES},
    {"--mpi", "openmpi or mpich", MPI},
    {"--preload", NULL, PRELOAD},
    {"--progress", NULL, PROGRESS},
    {"--stats", NULL, STATS},
    {"--info", NULL, INFO},
    {"--dry-run", NULL, DRY_RUN},
    {"--info-line", NULL, INFO_LINE},
    {"--plain-mpirun", NULL, PLAIN_MPIRUN},
    {"--carry", "names of hosts", CARRY},
    {"--version", NULL, VERSION},
    {"--help", NULL, HELP},
    {"-h", NULL, HELP},
};
#define KNOWN (sizeof known / sizeof known[0])

static void apply(enum kind kind, const char *name, const char *value, struct options *o)
{
    char number[16];
    switch (kind) {
    case HOSTS: o->hosts = value; break;
    case HOSTFILE: o->hostfile = value; break;
    case RANKS: o->ranks = positive(name, value, INT_MAX, "a number of ranks from 1 on"); break;
    case WORKERS:
        snprintf(
            number, sizeof number, "%d",
            positive(name, value, INT_MAX, "a number of workers from 1 on (without the option: one on each core)"));
        set_variable(name, "PPMPI_WORKERS", number, o);
        break;
    case TIMEOUT: set_variable(name, "PPMPI_TIMEOUT", value, o); break;
    case RETRIES: set_variable(name, "PPMPI_RETRIES", value, o); break;
    case MPI:
        if (strcmp(value, "openmpi") != 0 && strcmp(value, "mpich") != 0)
            wrong_use("--mpi \"%s\": openmpi or mpich is right", value);
        o->mpi = value;
        break;
    case PRELOAD: o->preload = 1; break;
    case PROGRESS: set_variable(name, "PPMPI_PROGRESS", "1", o); break;
    case STATS: set_variable(name, "PPMPI_STATS", "1", o); break;
    case INFO: o->info = 1; break;
    case DRY_RUN: o->dry_run = 1; break;
    case INFO_LINE: o->info_line = 1; break;
    case PLAIN_MPIRUN: o->plain_mpirun = 1; break;
    case CARRY: o->carry = value; break;
    case VERSION: print_version();
    case HELP: print_and_exit(help);
    }
}

/* Reads argv[i] and, where it has one, its value; returns how many words these are. */
static int read_option(char **argv, int i, struct options *o)
{
    const char *word = argv[i];
    size_t length = strcspn(word, "=");
    if (strcmp(word, "-np") == 0) wrong_use("unknown option -np; -n RANKS is right");
    for (size_t k = 0; k < KNOWN; k++) {
        const char *name = known[k].name;
        int joined = strncmp(word, "--", 2) == 0 && word[length] == '=';
        if (strlen(name) != (joined ? length : strlen(word)) || strncmp(word, name, strlen(name)) != 0) continue;
        if (!known[k].value) {
            if (joined) wrong_use("%s takes no value, but \"%s\" was given", name, word + length + 1);
            apply(known[k].kind, name, NULL, o);
            return 1;
        }
        const char *value = joined ? word + length + 1 : argv[i + 1];
        if (!value) wrong_use("%s needs %s behind it", name, known[k].value);
        apply(known[k].kind, name, value, o);
        return joined ? 1 : 2;
    }
    if (strncmp(word, "-n", 2) == 0 && word[2] >= '0' && word[2] <= '9') {
        apply(RANKS, "-n", word + 2, o);
        return 1;
    }
    wrong_use("unknown option %s; pprun --help names those that there are", word);
}

void options_read(int argc, char **argv, struct options *out)
{
    struct options o;
    int i = 1;
    memset(&o, 0, sizeof o);
    while (i < argc && argv[i][0] == '-' && argv[i][1] != '\0') {
        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        i += read_option(argv, i, &o);
    }
    o.program = argv + i;
    if (o.hosts && o.hostfile) wrong_use("--hosts and --hostfile cannot stand together; one of them is right");
    if (o.info && o.program[0])
        wrong_use("--info runs nothing, but a program was given: %s; leave one of them away", o.program[0]);
    if (o.info && o.ranks) wrong_use("--info asks each node once; leave -n away");
    if (!o.info && !o.info_line && (!o.program[0] || !*o.program[0]))
        wrong_use("the program is missing; pprun [options] program [arguments] is right (pprun --help)");
    *out = o;
}
