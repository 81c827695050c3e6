#include "carry.h"

#include "launch/hosts.h"
#include "launch/reach.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* What the rank on the other host needs: the user's variables, and what mpirun and PMIx have given this process. */
static int goes_along(const char *name)
{
    static const char *const theirs[] = {"OMPI_", "PMIX_", "ORTE_", "OPAL_"};
    for (size_t i = 0; i < sizeof theirs / sizeof theirs[0]; i++)
        if (strncmp(name, theirs[i], strlen(theirs[i])) == 0) return ppi_environment_is_name(name);
    return ppi_environment_travels(name);
}

static int write_variables(FILE *to)
{
    int fine = 1;
    for (char **variable = environ; *variable && fine; variable++) {
        size_t length = strcspn(*variable, "=");
        char *name = strndup(*variable, length), *value = ppi_words_quote(*variable + length + 1);
        fine = name && value;
        if (fine && goes_along(name)) fprintf(to, "export %s=%s; ", name, value);
        free(name);
        free(value);
    }
    return fine;
}

/* The rank makes folders for its session, as if it were on mpirun's own host, where mpirun would remove them. */
#define TIDY \
    "j=$OMPI_MCA_orte_jobfam_session_dir; " \
    "[ -z \"$j\" ] || rmdir \"$j/1/$OMPI_COMM_WORLD_RANK\" \"$j/1\" \"$j\" \"${j%%/*}\"; "

/* For the shell there. The end of its input is that of the connection, or of this process: then everything of the rank is ended. */
static char *script(char *const *words)
{
    char *text = NULL, *quoted = NULL, *line = ppi_words_line(words), folder[PATH_MAX];
    size_t size;
    FILE *to = line ? open_memstream(&text, &size) : NULL;
    int fine = to != NULL;
    if (fine && getcwd(folder, sizeof folder)) {
        char *where = ppi_words_quote(folder);
        fprintf(to, "cd %s 2>/dev/null; ", where ? where : ".");
        free(where);
    }
    fine = fine && write_variables(to);
    if (to) {
        fprintf(to, "exec 3<&0 </dev/null; { cat <&3; " TIDY "kill -9 0; } >/dev/null 2>&1 & exec %s 3<&-", line);
        fine = fclose(to) == 0 && fine;
    }
    if (fine) quoted = ppi_words_quote(text);
    free(text);
    text = NULL;
    if (quoted && asprintf(&text, "exec sh -c %s", quoted) < 0) text = NULL;
    free(quoted);
    free(line);
    return text;
}

static _Noreturn void become_shell(char *const *argv, int input, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    dup2(input, STDIN_FILENO);
    execvp(argv[0], argv);
    _exit(PLACE_NOT_FOUND);
}

/* The write end of the input stays open as long as this process lives. */
static int run_there(char *const *argv)
{
    int input[2], status;
    pid_t self = getpid();
    signal(SIGUSR1, SIG_IGN); /* mpirun gives them to all ranks; rank 0 is not here */
    signal(SIGUSR2, SIG_IGN);
    if (pipe2(input, O_CLOEXEC) != 0) return 1;
    pid_t pid = fork();
    if (pid == 0) become_shell(argv, input[0], self);
    close(input[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    return pid < 0 ? 1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int carry_to(char *host, char *const *words)
{
    /* ssh would not notice by itself that the host is gone. */
    static const char *const alive[] = {"-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=2"};
    struct ppi_words argv = {NULL, 0, 0};
    char *text = script(words);
    if (!text) wrong_use("no memory");
    if (strlen(text) >= CARRY_WORD_MOST)
        wrong_use("the environment is too large to be taken to %s by the remote shell; --plain-mpirun does without", host);
    if (ppi_reach_agent(PPI_LAUNCHER_MPIRUN, &argv) != PP_OK) wrong_use("%s", pp_last_error());
    const char *slash = strrchr(argv.word[0], '/');
    for (size_t i = 0; i < sizeof alive / sizeof alive[0] && strcmp(slash ? slash + 1 : argv.word[0], "ssh") == 0; i++)
        ppi_words_add(&argv, alive[i]);
    ppi_words_add(&argv, host);
    ppi_words_add(&argv, text);
    if (argv.failed) wrong_use("no memory");
    return run_there(argv.word);
}

int carry(const char *hosts, char *const *words)
{
    struct ppi_words names = {NULL, 0, 0};
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");
    int i = rank ? atoi(rank) : -1;
    if (ppi_hosts_parse(hosts, "--carry", &names) != PP_OK) wrong_use("%s", pp_last_error());
    if (i < 0 || i >= names.count) wrong_use("--carry is for mpirun, which pprun starts by itself");
    if (i > 0 && !ppi_host_is_local(names.word[i])) return carry_to(names.word[i], words);
    return place_become(place_find_program(words[0]), words);
}
