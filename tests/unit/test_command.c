/* The command lines of mpirun, mpiexec and srun, from what is asked for and from the environment. */
#include "launch/command.h"
#include "launch/watch.h"
#include "unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH(a) (sizeof(a) / sizeof *(a))
#define NO_HOSTS {NULL}
#define SLURM "SLURM_JOB_ID=7", "SLURM_JOB_NUM_NODES=3"

static const struct {
    enum ppi_mpi mpi;
    enum ppi_launcher launcher;
    const char *hosts[4];
    int ranks;
    const char *environment[8];
    const char *program[5];
    const char *line;
    int expected_ranks;
} cases[] = {
    /* mpirun: on this machine, on hosts, in Slurm */
    {PPI_MPI_OPENMPI, PPI_LAUNCHER_MPIRUN, NO_HOSTS, 4, {NULL}, {"./prog", "a b"},
     "mpirun -n 4 --oversubscribe --bind-to none ./prog 'a b'", 4},
    {PPI_MPI_OPENMPI, PPI_LAUNCHER_MPIRUN, {"a"}, 0, {NULL}, {"./prog"},
     "env 'OMPI_MCA_plm_rsh_args=-o ConnectTimeout=10' mpirun --host a --map-by seq --bind-to none ./prog", 1},
    {PPI_MPI_OPENMPI, PPI_LAUNCHER_MPIRUN, {"a", "b", "c"}, 0, {"PPMPI_WORKERS=2", "OMP_NUM_THREADS=1", "HOME=/root", "PMI_RANK=1"},
     {"./prog"}, "env 'OMPI_MCA_plm_rsh_args=-o ConnectTimeout=10' mpirun --host a,b,c --map-by seq --bind-to none "
     "-x PPMPI_WORKERS -x OMP_NUM_THREADS ./prog", 3},
    {PPI_MPI_OPENMPI, PPI_LAUNCHER_MPIRUN, {"a", "b", "c"}, 3, {"OMPI_MCA_plm_rsh_agent=rsh"}, {"./prog"},
     "mpirun --host a,b,c --map-by seq --bind-to none ./prog", 3},
    {PPI_MPI_OPENMPI, PPI_LAUNCHER_MPIRUN, {"a", "b", "c"}, 5, {"OMPI_MCA_plm_rsh_agent=rsh"}, {"./prog"},
     "mpirun --host a,b,c,a,b --map-by seq --bind-to none ./prog", 5},
    {PPI_MPI_OPENMPI, PPI_LAUNCHER_MPIRUN, {"a", "b", "c"}, 2, {"OMPI_MCA_plm_rsh_args=-q"}, {"./prog"},
     "mpirun --host a,b --map-by seq --bind-to none ./prog", 2},
    {PPI_MPI_OPENMPI, PPI_LAUNCHER_MPIRUN, {"a", "b"}, 0, {"PPMPI_HOSTS=a,b", "OMPI_MCA_plm_rsh_agent=rsh"}, {"./prog"},
     "env -u PPMPI_HOSTS mpirun --host a,b --map-by seq --bind-to none ./prog", 2},
    {PPI_MPI_OPENMPI, PPI_LAUNCHER_MPIRUN, NO_HOSTS, 0, {SLURM, "SLURM_CPUS_PER_TASK=1"}, {"./prog"},
     "env -u SLURM_CPUS_PER_TASK mpirun --map-by ppr:1:node --bind-to none ./prog", 3},
    {PPI_MPI_OPENMPI, PPI_LAUNCHER_MPIRUN, NO_HOSTS, 7, {SLURM}, {"./prog"},
     "mpirun -n 7 --map-by node --oversubscribe --bind-to none ./prog", 7},
    {PPI_MPI_OPENMPI, PPI_LAUNCHER_MPIRUN, {"a", "b"}, 0, {SLURM}, {"./prog"},
     "mpirun --host a,b --map-by seq --bind-to none ./prog", 2},
    {PPI_MPI_OPENMPI, PPI_LAUNCHER_MPIRUN, NO_HOSTS, 0, {SLURM, "SLURM_STEP_ID=0", "SLURM_PROCID=0", "PMIX_RANK=0"}, {"./prog"},
     "env -u SLURM_STEP_ID -u SLURM_PROCID -u PMIX_RANK SLURM_OVERLAP=1 SLURM_NNODES=3 'SLURM_TASKS_PER_NODE=1(x3)' "
     "mpirun --map-by ppr:1:node --bind-to none ./prog", 3},
    {PPI_MPI_OPENMPI, PPI_LAUNCHER_MPIRUN, {"a", "b"}, 0, {"PBS_NODEFILE=/f", "PBS_JOBID=1"}, {"./prog"},
     "mpirun --host a,b --map-by seq --bind-to none ./prog", 2},
    /* a lone colon would begin another program */
    {PPI_MPI_OPENMPI, PPI_LAUNCHER_MPIRUN, NO_HOSTS, 2, {NULL}, {"./prog", "a", ":", "it's"},
     "mpirun -n 2 --oversubscribe --bind-to none sh -c 'exec ./prog a : '\\''it'\\''\\'\\'''\\''s'\\'''", 2},
    /* mpiexec of MPICH */
    {PPI_MPI_MPICH, PPI_LAUNCHER_HYDRA, NO_HOSTS, 2, {NULL}, {"./prog"}, "mpirun -n 2 -bind-to none ./prog", 2},
    {PPI_MPI_MPICH, PPI_LAUNCHER_HYDRA, {"a", "b"}, 0, {NULL}, {"./prog"},
     "env 'HYDRA_LAUNCHER_EXTRA_ARGS=-o ConnectTimeout=10' mpirun -n 2 -hosts a,b -ppn 1 -bind-to none ./prog", 2},
    {PPI_MPI_MPICH, PPI_LAUNCHER_HYDRA, {"a", "b"}, 3, {"HYDRA_LAUNCHER_EXEC=rsh"}, {"./prog"},
     "mpirun -n 3 -hosts a:2,b:1 -bind-to none ./prog", 3},
    {PPI_MPI_MPICH, PPI_LAUNCHER_HYDRA, NO_HOSTS, 0, {SLURM}, {"./prog"}, "mpirun -n 3 -ppn 1 -bind-to none ./prog", 3},
    /* srun */
    {PPI_MPI_OPENMPI, PPI_LAUNCHER_SRUN, NO_HOSTS, 0, {SLURM}, {"./prog"},
     "mpirun --nodes=3 --ntasks=3 --ntasks-per-node=1 --cpu-bind=none --mpi=pmix --export=ALL --quit-on-interrupt ./prog", 3},
    {PPI_MPI_MPICH, PPI_LAUNCHER_SRUN, {"a", "b"}, 4, {SLURM}, {"./prog", ":"},
     "mpirun --nodelist a,b --nodes=2 --ntasks=4 --cpu-bind=none --mpi=pmi2 --export=ALL --quit-on-interrupt "
     "sh -c 'exec ./prog :'", 4},
    {PPI_MPI_OPENMPI, PPI_LAUNCHER_SRUN, NO_HOSTS, 2, {SLURM, "SLURM_MPI_TYPE=cray_shasta"}, {"./prog"},
     "mpirun --nodes=2 --ntasks=2 --cpu-bind=none --export=ALL --quit-on-interrupt ./prog", 2},
    {PPI_MPI_OPENMPI, PPI_LAUNCHER_SRUN, NO_HOSTS, 0, {SLURM, "SLURM_STEP_ID=0", "SLURM_MPI_TYPE=pmi2"}, {"./prog"},
     "env -u SLURM_STEP_ID -u SLURM_MPI_TYPE SLURM_OVERLAP=1 SLURM_NNODES=3 'SLURM_TASKS_PER_NODE=1(x3)' mpirun --nodes=3 "
     "--ntasks=3 --ntasks-per-node=1 --cpu-bind=none --mpi=pmix --export=ALL --quit-on-interrupt ./prog", 3},
};

static void build(int i, const char *watch, struct ppi_command *out)
{
    struct ppi_words hosts = {NULL, 0, 0};
    char *environment[9];
    for (int h = 0; h < 4 && cases[i].hosts[h]; h++)
        ppi_words_add(&hosts, cases[i].hosts[h]);
    memcpy(environment, cases[i].environment, sizeof cases[i].environment);
    environment[8] = NULL;
    struct ppi_request request = {.mpi = cases[i].mpi, .launcher = cases[i].launcher, .file = "mpirun", .ranks = cases[i].ranks,
                                  .hosts = hosts.count ? &hosts : NULL, .program = (char *const *)cases[i].program,
                                  .watch = watch, .environment = environment};
    ppi_allocation_detect(environment, &request.allocation);
    ck_assert_int_eq(ppi_command_build(&request, out), PP_OK);
    ppi_words_free(&hosts);
}

START_TEST(each_launcher_gets_its_own_words)
{
    struct ppi_command command;
    build(_i, NULL, &command);
    char *line = ppi_command_line(&command);
    ck_assert_str_eq(line, cases[_i].line);
    ck_assert_int_eq(command.ranks, cases[_i].expected_ranks);
    free(line);
    ppi_command_free(&command);
}
END_TEST

START_TEST(carried_ranks_are_local_processes_without_shared_memory)
{
    static const char *const words[] = {"./prog", "x", NULL};
    char *names[] = {(char[]){"a"}, (char[]){"b"}, (char[]){"c"}}, *environment[] = {(char[]){"MINE=1"}, NULL};
    struct ppi_words hosts = {names, 3, 0};
    struct ppi_carrier carrier = {"/bin/pprun", "eth1"};
    struct ppi_request request = {.mpi = PPI_MPI_OPENMPI, .file = "mpirun", .ranks = 2, .hosts = &hosts,
                                  .program = (char *const *)words, .environment = environment, .carrier = &carrier};
    struct ppi_command command;
    ck_assert_int_eq(ppi_command_build(&request, &command), PP_OK);
    char *line = ppi_command_line(&command);
    ck_assert_str_eq(line, "env 'OMPI_MCA_btl=^vader,sm' PMIX_MCA_gds=hash PMIX_MCA_ptl_tcp_remote_connections=1 "
                           "PMIX_MCA_ptl_tcp_if_include=eth1 mpirun --host localhost:2 -n 2 --oversubscribe --bind-to none "
                           "/bin/pprun --carry a,b -- ./prog x");
    ck_assert_int_eq(command.ranks, 2);
    free(line);
    ppi_command_free(&command);
}
END_TEST

START_TEST(a_watched_rank_is_run_by_a_shell_that_reports)
{
    struct ppi_command command;
    build(_i, "ppmpi-token", &command);
    int shell = 0;
    while (shell < command.words.count && strcmp(command.words.word[shell], "sh") != 0)
        shell++;
    ck_assert_int_lt(shell + 2, command.words.count);
    ck_assert_str_eq(command.words.word[shell + 1], "-c");
    const char *script = command.words.word[shell + 2], *variables[] = {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID"};
    ck_assert_ptr_nonnull(strstr(script, "t=ppmpi-token;"));
    ck_assert_ptr_nonnull(strstr(script, variables[cases[_i].launcher]));
    for (int i = 0; i < command.words.count; i++)
        ck_assert_str_ne(command.words.word[i], ":");
    int recovers = 0;
    for (int i = 0; i < command.set.count; i++)
        recovers |= strcmp(command.set.word[i], "OMPI_MCA_orte_enable_recovery=1") == 0;
    ck_assert_int_eq(recovers, cases[_i].launcher == PPI_LAUNCHER_MPIRUN);
    ppi_command_free(&command);
}
END_TEST

START_TEST(what_the_user_has_set_for_mpirun_stays)
{
    char *environment[] = {(char[]){"OMPI_MCA_orte_enable_recovery=0"}, (char[]){"OMPI_MCA_plm_rsh_agent=rsh"},
                                  (char[]){"OMPI_MCA_odls_base_sigkill_timeout=3"}, NULL};
    char *program[] = {(char[]){"./prog"}, NULL};
    struct ppi_request request = {.mpi = PPI_MPI_OPENMPI, .file = "mpirun", .ranks = 2, .program = program, .watch = "t",
                                  .environment = environment};
    struct ppi_command command;
    ck_assert_int_eq(ppi_command_build(&request, &command), PP_OK);
    ck_assert_int_eq(command.set.count, 0);
    ppi_command_free(&command);
}
END_TEST

START_TEST(srun_needs_an_allocation_and_everything_a_program)
{
    char *program[] = {(char[]){"./prog"}, NULL}, *nothing[] = {NULL};
    struct ppi_request request = {.launcher = PPI_LAUNCHER_SRUN, .file = "srun", .program = program};
    struct ppi_command command;
    memset(&command, 0x5a, sizeof command);
    ck_assert_int_eq(ppi_command_build(&request, &command), PP_ERR_ARG);
    request.launcher = PPI_LAUNCHER_MPIRUN;
    request.program = nothing;
    ck_assert_int_eq(ppi_command_build(&request, &command), PP_ERR_ARG);
    ck_assert_int_eq(command.ranks, 0x5a5a5a5a);
}
END_TEST

static const struct {
    const char *environment[6];
    enum ppi_allocation_kind kind;
    int nodes, in_step;
    const char *nodefile;
} allocations[] = {
    {{NULL}, PPI_ALLOCATION_NONE, 0, 0, NULL},
    {{"SLURM_JOB_ID="}, PPI_ALLOCATION_NONE, 0, 0, NULL},
    {{"PBS_NODEFILE="}, PPI_ALLOCATION_NONE, 0, 0, NULL},
    {{"PBS_JOBID=1"}, PPI_ALLOCATION_NONE, 0, 0, NULL},
    {{"SLURM_JOB_ID=7"}, PPI_ALLOCATION_SLURM, 1, 0, NULL},
    {{"SLURM_JOB_ID=7", "SLURM_JOB_NUM_NODES=4"}, PPI_ALLOCATION_SLURM, 4, 0, NULL},
    {{"SLURM_JOB_ID=7", "SLURM_NNODES=5"}, PPI_ALLOCATION_SLURM, 5, 0, NULL},
    {{"SLURM_JOB_ID=7", "SLURM_JOB_NUM_NODES=many", "SLURM_NNODES=-1"}, PPI_ALLOCATION_SLURM, 1, 0, NULL},
    {{"SLURM_JOB_ID=7", "SLURM_JOB_NUM_NODES=99999999999999999999"}, PPI_ALLOCATION_SLURM, 1, 0, NULL},
    {{"SLURM_JOB_ID=7", "SLURM_JOB_NUM_NODES=4", "SLURM_STEP_ID=0"}, PPI_ALLOCATION_SLURM, 4, 1, NULL},
    {{"SLURM_JOB_ID=7", "SLURM_STEP_ID=4294967291"}, PPI_ALLOCATION_SLURM, 1, 0, NULL},
    {{"PBS_NODEFILE=/var/spool/1"}, PPI_ALLOCATION_PBS, 0, 0, "/var/spool/1"},
    {{"SLURM_JOB_ID=7", "PBS_NODEFILE=/var/spool/1"}, PPI_ALLOCATION_SLURM, 1, 0, NULL},
};

START_TEST(allocations_are_known_by_their_variables)
{
    struct ppi_allocation allocation;
    memset(&allocation, 0x5a, sizeof allocation);
    ppi_allocation_detect((char *const *)allocations[_i].environment, &allocation);
    ck_assert_int_eq(allocation.kind, allocations[_i].kind);
    ck_assert_int_eq(allocation.nodes, allocations[_i].nodes);
    ck_assert_int_eq(allocation.in_step, allocations[_i].in_step);
    if (allocations[_i].nodefile)
        ck_assert_str_eq(allocation.nodefile, allocations[_i].nodefile);
    else
        ck_assert_ptr_null(allocation.nodefile);
}
END_TEST

START_TEST(the_users_variables_travel_and_the_machines_stay)
{
    static const char *const travel[] = {"PPMPI_WORKERS", "PPMPI_STATS", "OMP_NUM_THREADS", "LD_LIBRARY_PATH", "PATH", "MY_DATA", "LANG",
                                         "UCX_TLS", "_private"};
    static const char *const stay[] = {"HOME", "PWD", "HOSTNAME", "TMPDIR", "DISPLAY", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "SLURM_JOB_ID",
                                       "SLURMD_NODENAME", "PBS_NODEFILE", "PPMPI_HOSTS", "PPMPI_WATCHED", "OMPI_MCA_btl", "PMIX_RANK",
                                       "PMI_FD", "HYDRA_LAUNCHER", "BASH_FUNC_x%%", "A-B", "", "1X"};
    for (size_t i = 0; i < LENGTH(travel); i++)
        ck_assert_msg(ppi_environment_travels(travel[i]), "%s stays", travel[i]);
    for (size_t i = 0; i < LENGTH(stay); i++)
        ck_assert_msg(!ppi_environment_travels(stay[i]), "%s travels", stay[i]);
}
END_TEST

START_TEST(a_shell_reads_quoted_words_as_they_were)
{
    char *words[] = {(char[]){"printf"}, (char[]){"<%s>"}, (char[]){"a b"}, (char[]){""}, (char[]){"it's"}, (char[]){"$HOME `x` \"y\" \\"},
                     (char[]){"*"}, (char[]){"two\nlines"}, (char[]){"plain-1.2_x/y:z=,%@+"}, (char[]){"~"}, (char[]){"#"}, NULL};
    char *line = ppi_words_line(words), text[256];
    FILE *shell = popen(line, "r");
    ck_assert_ptr_nonnull(shell);
    size_t bytes = fread(text, 1, sizeof text - 1, shell);
    text[bytes] = '\0';
    ck_assert_int_eq(pclose(shell), 0);
    ck_assert_str_eq(text, "<a b><><it's><$HOME `x` \"y\" \\><*><two\nlines><plain-1.2_x/y:z=,%@+><~><#>");
    free(line);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("command");
    TCase *c = tcase_create("lines");
    tcase_add_loop_test(c, each_launcher_gets_its_own_words, 0, LENGTH(cases));
    tcase_add_loop_test(c, a_watched_rank_is_run_by_a_shell_that_reports, 0, LENGTH(cases));
    tcase_add_test(c, what_the_user_has_set_for_mpirun_stays);
    tcase_add_test(c, carried_ranks_are_local_processes_without_shared_memory);
    tcase_add_test(c, srun_needs_an_allocation_and_everything_a_program);
    suite_add_tcase(suite, c);
    c = tcase_create("environment");
    tcase_add_loop_test(c, allocations_are_known_by_their_variables, 0, LENGTH(allocations));
    tcase_add_test(c, the_users_variables_travel_and_the_machines_stay);
    tcase_add_test(c, a_shell_reads_quoted_words_as_they_were);
    suite_add_tcase(suite, c);

    return run_suite(suite);
}
