/* Who started this process, from every launcher's variables, and what of a launcher workers must not keep. */
#include "launch/launch.h"
#include "unit/suite.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
    const char *environment[14]; /* name, value, … */
    int launched, size, rank;
    const char *variable, *launcher;
} cases[] = {
    {{NULL}, 0, 0, -1, "", ""},
    {{"OMPI_COMM_WORLD_SIZE", "4", "OMPI_COMM_WORLD_RANK", "3", "PMIX_RANK", "3", "PMIX_NAMESPACE", "n"},
     1, 4, 3, "OMPI_COMM_WORLD_SIZE", "Open MPI"},
    {{"OMPI_COMM_WORLD_SIZE", "1"}, 1, 1, -1, "OMPI_COMM_WORLD_SIZE", "Open MPI"},
    {{"PMI_RANK", "1", "PMI_SIZE", "2", "PMI_FD", "7", "MPI_LOCALNRANKS", "2"}, 1, 2, 1, "MPI_LOCALNRANKS", "MPICH"},
    {{"PMI_RANK", "1", "PMI_SIZE", "2"}, 1, 2, 1, "PMI_RANK", "MPICH or Slurm (PMI)"},
    {{"PMI_SIZE", "2"}, 1, 2, -1, "PMI_SIZE", "MPICH or Slurm (PMI)"},
    {{"PMI_FD", "7"}, 1, 0, -1, "PMI_FD", "MPICH or Slurm (PMI)"},
    {{"PMIX_RANK", "5"}, 1, 0, 5, "PMIX_RANK", "PMIx"},
    {{"PMIX_NAMESPACE", "slurm.pmix.1.0"}, 1, 0, -1, "PMIX_NAMESPACE", "PMIx"},
    {{"MV2_COMM_WORLD_SIZE", "8", "MV2_COMM_WORLD_RANK", "7"}, 1, 8, 7, "MV2_COMM_WORLD_SIZE", "MVAPICH2"},
    {{"PALS_RANKID", "2", "PMI_SIZE", "6", "PMI_RANK", "2"}, 1, 6, 2, "PALS_RANKID", "PALS"},
    {{"ALPS_APP_PE", "9"}, 1, 0, 9, "ALPS_APP_PE", "ALPS"},
    {{"FLUX_TASK_RANK", "1", "FLUX_JOB_SIZE", "3", "PMI_RANK", "1"}, 1, 3, 1, "FLUX_TASK_RANK", "Flux"},
    {{"JSM_NAMESPACE_SIZE", "12", "JSM_NAMESPACE_RANK", "11"}, 1, 12, 11, "JSM_NAMESPACE_SIZE", "JSM"},
    /* srun */
    {{"SLURM_STEP_ID", "0", "SLURM_STEP_NUM_TASKS", "4", "SLURM_PROCID", "2"}, 1, 4, 2, "SLURM_STEP_ID", "Slurm"},
    {{"SLURM_STEP_ID", "0", "SLURM_STEP_NUM_TASKS", "4", "SLURM_PROCID", "2", "PMIX_RANK", "2", "PMIX_NAMESPACE", "n"},
     1, 4, 2, "PMIX_RANK", "PMIx"},
    {{"SLURM_STEP_ID", "0", "SLURM_STEP_NUM_TASKS", "4", "SLURM_PROCID", "2", "PMI_FD", "3"},
     1, 4, 2, "PMI_FD", "MPICH or Slurm (PMI)"},
    {{"SLURM_STEP_ID", "3", "SLURM_STEP_NUM_TASKS", "1", "SLURM_PROCID", "0"}, 0, 0, -1, "", ""},
    /* the step is that of another launcher's daemons */
    {{"SLURM_STEP_ID", "0", "SLURM_STEP_NUM_TASKS", "2", "SLURM_PROCID", "1", "OMPI_COMM_WORLD_SIZE", "16",
      "OMPI_COMM_WORLD_RANK", "9"}, 1, 16, 9, "OMPI_COMM_WORLD_SIZE", "Open MPI"},
    {{"SLURM_STEP_ID", "0", "SLURM_STEP_NUM_TASKS", "2", "SLURM_PROCID", "1", "PMIX_RANK", "9"},
     1, 0, 9, "PMIX_RANK", "PMIx"},
    /* batch script, salloc, interactive step */
    {{"SLURM_JOB_ID", "7", "SLURM_PROCID", "0", "SLURM_NTASKS", "4"}, 0, 0, -1, "", ""},
    {{"SLURM_JOB_ID", "7", "SLURM_STEP_NUM_TASKS", "4"}, 0, 0, -1, "", ""},
    {{"SLURM_STEP_ID", "4294967291", "SLURM_STEP_NUM_TASKS", "4", "SLURM_PROCID", "0"}, 0, 0, -1, "", ""},
    /* malformed and empty */
    {{"OMPI_COMM_WORLD_SIZE", "four", "OMPI_COMM_WORLD_RANK", "-1"}, 1, 0, -1, "OMPI_COMM_WORLD_SIZE", "Open MPI"},
    {{"OMPI_COMM_WORLD_SIZE", "99999999999999999999999", "OMPI_COMM_WORLD_RANK", "3 "},
     1, 0, -1, "OMPI_COMM_WORLD_SIZE", "Open MPI"},
    {{"OMPI_COMM_WORLD_SIZE", ""}, 0, 0, -1, "", ""},
    {{"PMI_RANK", "0x1", "PMI_SIZE", "2147483648"}, 1, 0, -1, "PMI_RANK", "MPICH or Slurm (PMI)"},
    {{"SLURM_STEP_ID", "x", "SLURM_STEP_NUM_TASKS", "4"}, 0, 0, -1, "", ""},
    {{"SLURM_STEP_ID", "0", "SLURM_STEP_NUM_TASKS", "4x"}, 0, 0, -1, "", ""},
    {{"SLURM_STEP_ID", "0", "SLURM_STEP_NUM_TASKS", "4", "SLURM_PROCID", "?"}, 1, 4, -1, "SLURM_STEP_ID", "Slurm"},
    /* what a user sets is no launcher */
    {{"OMPI_MCA_btl", "self", "HYDRA_LAUNCHER", "ssh", "OMPI_ALLOW_RUN_AS_ROOT", "1"}, 0, 0, -1, "", ""},
};

START_TEST(each_launcher_is_known_by_its_variables)
{
    clearenv();
    for (int i = 0; cases[_i].environment[i]; i += 2)
        setenv(cases[_i].environment[i], cases[_i].environment[i + 1], 1);
    struct ppi_launch launch;
    memset(&launch, 0x5a, sizeof launch);
    ppi_launch_detect(&launch);
    ck_assert_int_eq(launch.launched, cases[_i].launched);
    ck_assert_int_eq(launch.size, cases[_i].size);
    ck_assert_int_eq(launch.rank, cases[_i].rank);
    ck_assert_str_eq(launch.variable, cases[_i].variable);
    ck_assert_str_eq(launch.launcher, cases[_i].launcher);
}
END_TEST

static const char *const launcher_variables[] = {
    "OMPI_COMM_WORLD_SIZE", "OMPI_MCA_ess", "OMPI_UNIVERSE_SIZE", "PMIX_RANK", "PMIX_SERVER_URI4", "PMI_RANK", "PMI_FD",
    "PMI2_PORT", "HYDI_CONTROL_FD", "MPI_LOCALNRANKS", "MPI_LOCALRANKID", "MV2_COMM_WORLD_SIZE", "PALS_RANKID",
    "ALPS_APP_PE", "FLUX_TASK_RANK", "FLUX_JOB_SIZE", "JSM_NAMESPACE_SIZE", "SLURM_STEP_ID", "SLURM_STEPID",
    "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_PMIX_MAPPING_SERV", "SLURM_CPU_BIND",
    "PRTE_MCA_x", "MPIR_CVAR_CH3_INTERFACE_HOSTNAME",
};
static const char *const other_variables[] = {
    "PATH", "HOME", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "OPAL_PREFIX", "OMPI_ALLOW_RUN_AS_ROOT",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "SLURM_JOB_ID", "SLURM_CPUS_ON_NODE", "SLURM_JOB_CPUS_PER_NODE", "SLURM_TMPDIR",
    "MPICH_VERSION", "UCX_TLS", "FLUX_URI", "MV2_ENABLE_AFFINITY", "PPMPI_WORKERS", "OMPI", "", "MY_PMI_RANK", "pmi_rank",
};

START_TEST(launcher_variables_are_known_and_others_are_left_alone)
{
    for (size_t i = 0; i < sizeof launcher_variables / sizeof launcher_variables[0]; i++)
        ck_assert_msg(ppi_launch_is_launcher_variable(launcher_variables[i]) == 1, "%s", launcher_variables[i]);
    for (size_t i = 0; i < sizeof other_variables / sizeof other_variables[0]; i++)
        ck_assert_msg(ppi_launch_is_launcher_variable(other_variables[i]) == 0, "%s", other_variables[i]);
}
END_TEST

/* Every variable that detection goes by must also be removed, or a task's MPI program would take itself for a rank. */
START_TEST(without_launcher_variables_nothing_is_launched)
{
    clearenv();
    for (int i = 0; cases[_i].environment[i]; i += 2)
        if (!ppi_launch_is_launcher_variable(cases[_i].environment[i]))
            setenv(cases[_i].environment[i], cases[_i].environment[i + 1], 1);
    struct ppi_launch launch;
    ppi_launch_detect(&launch);
    ck_assert_int_eq(launch.launched, 0);
}
END_TEST

/* ---- Descriptors: this program runs itself, so that the constructor sees what was open before ---- */

enum { PIPE_READ = 20, PIPE_WRITE, SOCKET, REPLACED, PLAIN_FILE };

static int is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* In the second run, once main is reached. Returns a bit per question that was answered wrongly. */
static int close_and_look(int launched)
{
    int wrong = 0, own[2];
    dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), REPLACED);
    if (pipe(own) != 0) return 64;
    ppi_launch_close_inherited();
    if (is_open(PIPE_READ) == launched || is_open(PIPE_WRITE) == launched) wrong |= 1;
    if (is_open(SOCKET) == launched) wrong |= 2;
    if (!is_open(REPLACED)) wrong |= 4;
    if (!is_open(PLAIN_FILE)) wrong |= 8;
    if (!is_open(own[0]) || !is_open(own[1])) wrong |= 16;
    if (!is_open(0) || !is_open(1) || !is_open(2)) wrong |= 32;
    ppi_launch_close_inherited();
    return wrong;
}

static int run_again(const char *argument)
{
    pid_t pid = fork();
    if (pid == 0) {
        int ends[2];
        clearenv();
        /* Even standard streams may be pipes of the launcher, and must stay. */
        if (pipe(ends) != 0 || dup2(ends[0], 0) < 0 || dup2(ends[0], PIPE_READ) < 0 || dup2(ends[1], PIPE_WRITE) < 0)
            _exit(100);
        if (dup2(ends[0], REPLACED) < 0 || dup2(open("/proc/self/exe", O_RDONLY), PLAIN_FILE) < 0) _exit(101);
        if (dup2(socket(AF_UNIX, SOCK_STREAM, 0), SOCKET) < 0) _exit(102);
        if (strcmp(argument, "launched") == 0) setenv("PMI_FD", "20", 1);
        execl("/proc/self/exe", "test_launch", argument, (char *)NULL);
        _exit(103);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(connections_of_the_launcher_are_closed_and_nothing_else)
{
    ck_assert_int_eq(run_again("launched"), 0);
}
END_TEST

START_TEST(nothing_is_closed_in_a_program_started_plainly)
{
    ck_assert_int_eq(run_again("plain"), 0);
}
END_TEST

#define LENGTH(array) ((int)(sizeof(array) / sizeof(array)[0]))

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "launched") == 0) return close_and_look(1);
    if (argc == 2 && strcmp(argv[1], "plain") == 0) return close_and_look(0);

    Suite *suite = suite_create("launch");
    TCase *c = tcase_create("detect");
    tcase_add_loop_test(c, each_launcher_is_known_by_its_variables, 0, LENGTH(cases));
    tcase_add_test(c, launcher_variables_are_known_and_others_are_left_alone);
    tcase_add_loop_test(c, without_launcher_variables_nothing_is_launched, 0, LENGTH(cases));
    suite_add_tcase(suite, c);
    c = tcase_create("descriptors");
    tcase_add_test(c, connections_of_the_launcher_are_closed_and_nothing_else);
    tcase_add_test(c, nothing_is_closed_in_a_program_started_plainly);
    suite_add_tcase(suite, c);

    return run_suite(suite);
}
