#include "launch/command.h"
#include "base/status.h"
#include "launch/launch.h"
#include "launch/watch.h"

#include <stdlib.h>
#include <string.h>

#define CONNECT "-o ConnectTimeout=10" /* seconds; a host that answers nothing would hold everything up for minutes */

/* How many of `ranks` the i-th of n hosts gets: the first ones get the rest. */
static int share(int ranks, int n, int i)
{
    return ranks / n + (i < ranks % n);
}

enum list { EACH_RANK, SHARES, NAMES };

/* "a,b,a", a name for each rank; "a:2,b:1"; "a,b". */
static void add_hosts(const struct ppi_words *hosts, const char *option, int ranks, enum list form,
                      struct ppi_words *words)
{
    char *list = NULL;
    size_t size;
    FILE *stream = open_memstream(&list, &size);
    for (int i = 0; stream && i < (form == EACH_RANK || ranks < hosts->count ? ranks : hosts->count); i++) {
        fprintf(stream, "%s%s", i ? "," : "", hosts->word[i % hosts->count]);
        if (form == SHARES) fprintf(stream, ":%d", share(ranks, hosts->count, i));
    }
    if (!stream || fclose(stream) != 0)
        words->failed = 1;
    else {
        ppi_words_add(words, option);
        ppi_words_add(words, list);
    }
    free(list);
}

void ppi_command_add_nodelist(const struct ppi_words *hosts, int ranks, struct ppi_words *words)
{
    add_hosts(hosts, "--nodelist", ranks, NAMES, words);
}

static int has(const struct ppi_request *request, const char *name)
{
    const char *value = ppi_environment_get(request->environment, name);
    return value && *value;
}

static void set_unless_given(const struct ppi_request *request, const char *name, const char *value,
                             struct ppi_command *out)
{
    if (!has(request, name)) ppi_words_format(&out->set, "%s=%s", name, value);
}

static void unset_if_given(const struct ppi_request *request, const char *name, struct ppi_command *out)
{
    if (ppi_environment_get(request->environment, name)) ppi_words_add(&out->unset, name);
}

static void mpirun_here(const struct ppi_request *request, struct ppi_command *out)
{
    struct ppi_words *words = &out->words;
    ppi_words_add(words, "--host");
    ppi_words_format(words, "localhost:%d", out->ranks);
    ppi_words_add(words, "-n");
    ppi_words_format(words, "%d", out->ranks);
    ppi_words_add(words, "--oversubscribe");
    ppi_words_add(words, "--bind-to");
    ppi_words_add(words, "none");
    ppi_words_add(words, request->carrier->file);
    add_hosts(request->hosts, "--carry", out->ranks, NAMES, words);
    ppi_words_add(words, "--");
    /* Ranks believe that they share a host: neither messages nor what PMIx knows may go by shared memory. */
    ppi_words_add(&out->set, "OMPI_MCA_btl=^vader,sm");
    ppi_words_add(&out->set, "PMIX_MCA_gds=hash");
    ppi_words_add(&out->set, "PMIX_MCA_ptl_tcp_remote_connections=1");
    ppi_words_format(&out->set, "PMIX_MCA_ptl_tcp_if_include=%s", request->carrier->interface);
}

static void watched(const struct ppi_request *request, struct ppi_command *out)
{
    if (!request->watch) return;
    /* Without it mpirun ends the job when one rank dies; and with it it tells nothing of how they ended: hence the watch. */
    set_unless_given(request, "OMPI_MCA_orte_enable_recovery", "1", out);
    /* Where mpirun ends ranks it sleeps a second for each node in turn; the watch has given them their time before. */
    set_unless_given(request, "OMPI_MCA_odls_base_sigkill_timeout", "0", out);
}

static void mpirun(const struct ppi_request *request, int nodes, struct ppi_command *out)
{
    struct ppi_words *words = &out->words;
    int alone = !request->hosts && request->allocation.kind != PPI_ALLOCATION_SLURM;
    if (request->hosts) {
        add_hosts(request->hosts, "--host", out->ranks, EACH_RANK, words);
        ppi_words_add(words, "--map-by");
        ppi_words_add(words, "seq"); /* any other policy begins with the local host, wherever it stands */
    } else if (!alone && out->ranks == nodes) {
        ppi_words_add(words, "--map-by");
        ppi_words_add(words, "ppr:1:node");
    } else {
        ppi_words_add(words, "-n");
        ppi_words_format(words, "%d", out->ranks);
        if (!alone) {
            ppi_words_add(words, "--map-by");
            ppi_words_add(words, "node");
        }
        ppi_words_add(words, "--oversubscribe");
    }
    ppi_words_add(words, "--bind-to");
    ppi_words_add(words, "none");
    for (char *const *variable = request->environment; variable && *variable && !alone; variable++) {
        char *name = strndup(*variable, strcspn(*variable, "="));
        if (!name)
            words->failed = 1;
        else if (ppi_environment_travels(name)) {
            ppi_words_add(words, "-x");
            ppi_words_add(words, name);
        }
        free(name);
    }
    if (request->hosts && !has(request, "OMPI_MCA_plm_rsh_agent") && request->allocation.kind == PPI_ALLOCATION_NONE)
        set_unless_given(request, "OMPI_MCA_plm_rsh_args", CONNECT, out);
}

static void hydra(const struct ppi_request *request, int nodes, struct ppi_command *out)
{
    struct ppi_words *words = &out->words;
    int one_each = out->ranks == nodes;
    ppi_words_add(words, "-n");
    ppi_words_format(words, "%d", out->ranks);
    if (request->hosts) add_hosts(request->hosts, "-hosts", out->ranks, one_each ? NAMES : SHARES, words);
    if (one_each && nodes > 1) {
        ppi_words_add(words, "-ppn");
        ppi_words_add(words, "1");
    }
    ppi_words_add(words, "-bind-to");
    ppi_words_add(words, "none");
    if (request->hosts && request->allocation.kind == PPI_ALLOCATION_NONE && !has(request, "HYDRA_LAUNCHER_EXEC") &&
        !has(request, "HYDRA_LAUNCHER"))
        set_unless_given(request, "HYDRA_LAUNCHER_EXTRA_ARGS", CONNECT, out);
}

static void srun(const struct ppi_request *request, int nodes, struct ppi_command *out)
{
    struct ppi_words *words = &out->words;
    if (request->hosts) ppi_command_add_nodelist(request->hosts, out->ranks, words);
    ppi_words_format(words, "--nodes=%d", out->ranks < nodes ? out->ranks : nodes);
    ppi_words_format(words, "--ntasks=%d", out->ranks);
    if (out->ranks == nodes) ppi_words_add(words, "--ntasks-per-node=1");
    ppi_words_add(words, "--cpu-bind=none");
    /* In a step it says what that one had. */
    if (!has(request, "SLURM_MPI_TYPE") || request->allocation.in_step)
        ppi_words_format(words, "--mpi=%s", request->mpi == PPI_MPI_MPICH ? "pmi2" : "pmix");
    ppi_words_add(words, "--export=ALL");
    ppi_words_add(words, "--quit-on-interrupt");
}

/* The variable by which a rank knows its number. */
static const char *rank_variable(enum ppi_launcher launcher)
{
    return launcher == PPI_LAUNCHER_MPIRUN  ? "OMPI_COMM_WORLD_RANK"
           : launcher == PPI_LAUNCHER_HYDRA ? "PMI_RANK"
                                            : "SLURM_PROCID";
}

static void add_program(const struct ppi_request *request, struct ppi_words *words)
{
    /* A lone colon begins another program for mpirun and mpiexec, wherever it stands: then a shell carries the words. */
    int colon = 0;
    for (char *const *word = request->program; *word; word++)
        colon |= strcmp(*word, ":") == 0;
    if (!request->watch && !colon) {
        for (char *const *word = request->program; *word; word++)
            ppi_words_add(words, *word);
        return;
    }
    char *line = colon ? ppi_words_line(request->program) : NULL;
    if (colon && !line) words->failed = 1;
    ppi_words_add(words, "sh");
    ppi_words_add(words, "-c");
    if (request->watch && colon)
        ppi_words_format(words, "set -- %s; " PPI_WATCH_SCRIPT, line ? line : "", rank_variable(request->launcher),
                         request->watch);
    else if (request->watch)
        ppi_words_format(words, PPI_WATCH_SCRIPT, rank_variable(request->launcher), request->watch);
    else
        ppi_words_format(words, "exec %s", line ? line : "");
    free(line);
    if (colon) return;
    ppi_words_add(words, "sh");
    for (char *const *word = request->program; *word; word++)
        ppi_words_add(words, *word);
}

/* A step inside of a step waits for the outer one's end unless it may share its cores; it has the whole job's nodes, not the outer
 * step's; and it is no part of that for MPI. */
static void leave_step(const struct ppi_request *request, struct ppi_command *out)
{
    ppi_words_add(&out->set, "SLURM_OVERLAP=1");
    ppi_words_format(&out->set, "SLURM_NNODES=%d", request->allocation.nodes);
    ppi_words_format(&out->set, "SLURM_TASKS_PER_NODE=1(x%d)", request->allocation.nodes);
    for (char *const *variable = request->environment; variable && *variable; variable++) {
        char *name = strndup(*variable, strcspn(*variable, "="));
        if (!name)
            out->unset.failed = 1;
        else if (strncmp(name, "OMPI_", 5) != 0 && strncmp(name, "HYD", 3) != 0 &&
                 ppi_launch_is_launcher_variable(name))
            ppi_words_add(&out->unset, name);
        free(name);
    }
}

int ppi_command_build(const struct ppi_request *request, struct ppi_command *out)
{
    struct ppi_command command;
    memset(&command, 0, sizeof command);
    int slurm = request->allocation.kind == PPI_ALLOCATION_SLURM;
    int nodes = request->hosts ? request->hosts->count : slurm ? request->allocation.nodes : 1;
    if (!request->program[0]) return ppi_error(PP_ERR_ARG, "there is no program to run");
    if (request->launcher == PPI_LAUNCHER_SRUN && !slurm)
        return ppi_error(PP_ERR_ARG, "srun starts programs inside a Slurm allocation only");
    command.ranks = request->ranks > 0 ? request->ranks : nodes;

    ppi_words_add(&command.words, request->file);
    if (request->launcher == PPI_LAUNCHER_MPIRUN && request->carrier)
        mpirun_here(request, &command);
    else if (request->launcher == PPI_LAUNCHER_MPIRUN)
        mpirun(request, nodes, &command);
    else if (request->launcher == PPI_LAUNCHER_HYDRA)
        hydra(request, nodes, &command);
    else
        srun(request, nodes, &command);
    if (request->launcher == PPI_LAUNCHER_MPIRUN) watched(request, &command);
    add_program(request, &command.words);

    /* The user's numbers of CPUs and tasks are about ranks that he starts; ours is one on each node, with all that was granted. */
    if (slurm) unset_if_given(request, "SLURM_CPUS_PER_TASK", &command);
    unset_if_given(request, "PPMPI_HOSTS", &command);
    if (slurm && request->allocation.in_step) leave_step(request, &command);

    int status = ppi_words_status(&command.words);
    if (status == PP_OK) status = ppi_words_status(&command.set);
    if (status == PP_OK) status = ppi_words_status(&command.unset);
    if (status == PP_OK)
        *out = command;
    else
        ppi_command_free(&command);
    return status;
}

void ppi_command_free(struct ppi_command *command)
{
    ppi_words_free(&command->words);
    ppi_words_free(&command->set);
    ppi_words_free(&command->unset);
}

char *ppi_command_line(const struct ppi_command *command)
{
    struct ppi_words words = {NULL, 0, 0};
    if (command->set.count + command->unset.count > 0) ppi_words_add(&words, "env");
    for (int i = 0; i < command->unset.count; i++) {
        ppi_words_add(&words, "-u");
        ppi_words_add(&words, command->unset.word[i]);
    }
    for (int i = 0; i < command->set.count; i++)
        ppi_words_add(&words, command->set.word[i]);
    for (int i = 0; i < command->words.count; i++)
        ppi_words_add(&words, command->words.word[i]);
    char *line = words.failed ? NULL : ppi_words_line(words.word);
    ppi_words_free(&words);
    return line;
}
