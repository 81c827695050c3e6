/* Tasks that know nothing of the job they run in: one that initialises MPI, one that starts an MPI program.
 * ranks: 2 4 */
#include "fault/fault.h"

#include <dlfcn.h>
#include <sys/wait.h>

/* MPI is looked up where the library has loaded it, so that the same test is built without MPI. */
static void initialise_mpi(pp_task *task)
{
    int (*init)(int *, char ***), (*initialized)(int *), (*finalize)(void), already = 0;
    const int *finalize_too = pp_task_args(task, NULL);
    *(void **)&init = dlsym(RTLD_DEFAULT, "MPI_Init");
    *(void **)&initialized = dlsym(RTLD_DEFAULT, "MPI_Initialized");
    *(void **)&finalize = dlsym(RTLD_DEFAULT, "MPI_Finalize");
    if (!init || !initialized || !finalize) {
        pp_task_fail(task, 77, "MPI is not to be found");
        return;
    }
    initialized(&already);
    if (already) return; /* by an earlier task of this worker */
    int status = init(NULL, NULL);
    if (status != 0) pp_task_fail(task, status, "MPI_Init: %d", status);
    if (status == 0 && *finalize_too) finalize();
}

/* It may fail in its own way, where MPI cannot start alone; it must not hang, and nobody else may notice. */
static void a_task_may_initialise_mpi(pp_server *server)
{
    pp_submit_options options = PP_SUBMIT_OPTIONS_INIT;
    pp_future f[4], g[20];
    options.timeout = 20;
    for (int i = 0; i < 20; i++) g[i] = fault_submit_square(server, i);
    for (int i = 0; i < 4; i++) {
        int finalize_too = i % 2;
        f[i] = pp_submit_with(server, initialise_mpi, &finalize_too, sizeof finalize_too, &options);
    }
    for (int i = 0; i < 4; i++) {
        CHECK(pp_wait_for(f[i], 60) == PP_OK, "task %d with MPI_Init does not end", i);
        pp_task_info info = fault_info(f[i]);
        CHECK(info.status != PP_ERR_TIMEOUT, "MPI_Init in a task hangs: %s", info.message);
        if (info.status != PP_OK) printf("MPI_Init in a task: %s\n", info.message);
        pp_release(f[i]);
    }
    for (int i = 0; i < 20; i++) fault_check_square(g[i], i, "MPI_Init in a task");
    for (int i = 0; i < 20; i++) fault_check_square(fault_submit_square(server, i), i, "after MPI_Init in a task");
}

struct nested {
    int exit_status;
    char output[512];
};

static void start_mpi_program(pp_task *task)
{
    struct nested *r = pp_task_result(task, sizeof *r);
    size_t n = 0;
    memset(r, 0, sizeof *r);
    FILE *pipe = popen(pp_task_args(task, NULL), "r");
    if (!pipe) {
        pp_task_fail(task, errno, "popen: %s", strerror(errno));
        return;
    }
    while (n + 1 < sizeof r->output && fgets(r->output + n, (int)(sizeof r->output - n), pipe)) n = strlen(r->output);
    int status = pclose(pipe);
    r->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

static void a_task_may_start_an_mpi_program(pp_server *server)
{
    const char *launcher = getenv("TEST_MPIEXEC"), *mpi = getenv("TEST_MPI");
    char command[512], *line;
    if (!launcher || !*launcher) launcher = "mpirun", mpi = "openmpi";
    snprintf(command, sizeof command, "%s -n 2 %s hostname 2>&1", launcher,
             mpi && strcmp(mpi, "openmpi") == 0 ? "--oversubscribe" : "");
    pp_submit_options options = PP_SUBMIT_OPTIONS_INIT;
    options.timeout = 30;
    pp_future g = fault_submit_square(server, 5);
    pp_future f = pp_submit_with(server, start_mpi_program, command, strlen(command) + 1, &options);
    struct nested r;
    int status = pp_fetch(f, &r, sizeof r), lines = 0;
    CHECK(status == PP_OK, "'%s' in a task: %s", command, pp_last_error());
    if (status == PP_OK) {
        for (line = r.output; (line = strchr(line, '\n')); line++) lines++;
        CHECK(r.exit_status == 0 && lines == 2, "'%s' in a task: exit status %d, output:\n%s", command, r.exit_status,
              r.output);
    }
    fault_check_square(g, 5, "an MPI program in a task");
}

/* What a launcher says to the ranks it has started must not reach what a task starts. */
static void list_launcher_variables(pp_task *task)
{
    extern char **environ;
    char *r = pp_task_result(task, 1024);
    memset(r, 0, 1024);
    for (char **e = environ; *e; e++) {
        if (strncmp(*e, "OMPI_COMM_", 10) && strncmp(*e, "PMI", 3) && strncmp(*e, "HYD", 3)) continue;
        strncat(r, *e, strcspn(*e, "="));
        strcat(r, " ");
        if (strlen(r) > 800) break;
    }
}

int main(int argc, char **argv)
{
    char variables[1024];
    pp_server *server = fault_open(&argc, &argv, NULL);
    pp_future f = pp_submit(server, list_launcher_variables, NULL, 0);
    CHECK(pp_fetch(f, variables, sizeof variables) == PP_OK && !*variables, "a task sees the launcher's %s", variables);
    a_task_may_start_an_mpi_program(server);
    a_task_may_initialise_mpi(server);
    return fault_end(server);
}
