#include "place.h"

#include "launch/choose.h"
#include "launch/hosts.h"
#include "launch/job.h"
#include "launch/launch.h"
#include "launch/settings.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static void or_end(int status)
{
    if (status != PP_OK) wrong_use("%s", pp_last_error());
}

static void read_hosts(const struct options *options, struct place *place)
{
    const char *variable = getenv("PPMPI_HOSTS");
    const char *source = options->hosts ? "--hosts" : options->hostfile ? options->hostfile : "PPMPI_HOSTS";
    if (options->hosts) {
        or_end(ppi_hosts_parse(options->hosts, source, &place->hosts));
    } else if (options->hostfile) {
        or_end(ppi_hosts_read(source, &place->hosts));
    } else if (variable) {
        or_end(ppi_hosts_parse(variable, source, &place->hosts));
    } else if (place->allocation.kind == PPI_ALLOCATION_PBS) {
        or_end(ppi_hosts_read(place->allocation.nodefile, &place->hosts));
    }
    or_end(ppi_job_check_hosts(&place->allocation, &place->hosts, source));
}

/* True in a process that runs on the one node that Slurm gave; salloc's shell stays where it was called. */
static int is_on_the_node(void)
{
    const char *nodes = getenv("SLURM_JOB_NODELIST");
    return getenv("SLURMD_NODENAME") || (nodes && ppi_host_is_local(nodes));
}

void place_find(const struct options *options, struct place *out)
{
    struct ppi_launch launch;
    memset(out, 0, sizeof *out);
    or_end(ppi_settings_check());
    ppi_launch_detect(&launch);
    ppi_allocation_detect(environ, &out->allocation);
    /* One process of a step is a shell in a batch job, whatever MPI it was prepared for. */
    int one_of_step = out->allocation.in_step && launch.size <= 1;
    if (launch.launched && !one_of_step) {
        if (options->hosts || options->hostfile || options->ranks)
            wrong_use(
                "%s has started pprun as one process of a job; leave that launcher away, or --hosts, --hostfile and -n",
                launch.launcher);
        out->plain = 1;
        out->nodes = 1;
        return;
    }
    read_hosts(options, out);
    int slurm = out->allocation.kind == PPI_ALLOCATION_SLURM, here = !slurm || is_on_the_node();
    out->nodes = out->hosts.count > 0 ? out->hosts.count : slurm ? out->allocation.nodes : 1;
    if (out->hosts.count > 0) here = ppi_host_is_local(out->hosts.word[0]);
    /* With -n 1, on the first of several hosts. */
    out->plain = here && options->ranks <= 1 && (out->nodes == 1 || (options->ranks == 1 && out->hosts.count > 0));
}

void place_choose_launcher(const struct options *options, const char *program, struct place *place)
{
    enum ppi_mpi own = ppi_mpi_of_program(program);
    place->mpi = own != PPI_MPI_OTHER ? own : ppi_mpi_built();
    if (options->mpi) {
        place->mpi = strcmp(options->mpi, "openmpi") == 0 ? PPI_MPI_OPENMPI : PPI_MPI_MPICH;
        if (own != PPI_MPI_OTHER && own != place->mpi)
            wrong_use("--mpi %s, but %s is linked to %s: each process would be a job of its own; leave --mpi away",
                      options->mpi, program, ppi_mpi_name(own));
    }
    or_end(ppi_launcher_choose(place->mpi, &place->allocation, &place->launcher, &place->launcher_file));
}

void place_command(const struct place *place, int ranks, char *const *program, const char *watch,
                   struct ppi_command *out)
{
    struct ppi_request request = {place->mpi,
                                  place->launcher,
                                  place->launcher_file,
                                  place->allocation,
                                  place->hosts.count > 0 ? &place->hosts : NULL,
                                  ranks,
                                  program,
                                  watch,
                                  environ,
                                  place->carrier.file ? &place->carrier : NULL};
    or_end(ppi_command_build(&request, out));
}

int place_print(const struct options *options, const struct place *place, char *const *program)
{
    struct ppi_command command;
    memset(&command, 0, sizeof command);
    if (!place->plain) {
        place_command(place, options->ranks, program, NULL, &command);
    } else {
        for (; *program; program++) ppi_words_add(&command.words, *program);
        if (getenv("PPMPI_HOSTS")) ppi_words_add(&command.unset, "PPMPI_HOSTS");
    }
    for (int i = 0; i < options->variables.count; i++) ppi_words_add(&command.set, options->variables.word[i]);
    int failed = options->variables.failed || command.words.failed || command.set.failed || command.unset.failed;
    char *line = failed ? NULL : ppi_command_line(&command);
    ppi_command_free(&command);
    if (!line) wrong_use("--dry-run: no memory");
    int status = puts(line) >= 0 && fflush(stdout) == 0 ? 0 : 1;
    free(line);
    return status;
}

int place_run(const struct place *place, int ranks, char *const *program, char **captured)
{
    struct ppi_command command;
    char token[PPI_WATCH_TOKEN_BYTES];
    ppi_watch_token(token);
    place_command(place, ranks, program, token, &command);
    int by_shell = place->hosts.count > 0 && ppi_allocation_is_by_shell(&place->allocation);
    struct ppi_watch watch = {"pprun", &command, token, place->launcher, by_shell ? &place->hosts : NULL, captured};
    int status = ppi_watch_run(&watch);
    ppi_command_free(&command);
    return status;
}

static int not_executable(const char *file, int error)
{
    fprintf(stderr, "pprun: %s cannot be executed: %s\n", file, strerror(error));
    return error == ENOENT ? PLACE_NOT_FOUND : PLACE_NOT_EXECUTABLE;
}

char *place_find_program(const char *name)
{
    const char *path = getenv("PATH");
    char *file = ppi_find_program(name, path ? path : "/usr/local/bin:/usr/bin:/bin");
    if (file) return file;
    if (errno != ENOENT) exit(not_executable(name, errno));
    fprintf(stderr, "pprun: there is no program %s%s\n", name, strchr(name, '/') ? "" : " on the PATH");
    exit(PLACE_NOT_FOUND);
}

int place_become(const char *file, char *const *words)
{
    execv(file, words);
    return not_executable(file, errno);
}

char *place_own_file(void)
{
    static char file[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", file, sizeof file - 1);
    if (length < 0) return NULL;
    file[length] = '\0';
    return file;
}
