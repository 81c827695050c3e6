#include "launch/reach.h"
#include "base/clock.h"
#include "base/status.h"
#include "launch/hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define AT_ONCE 64

static const char *agents_told(enum ppi_launcher launcher)
{
    const char *told = getenv(launcher == PPI_LAUNCHER_HYDRA ? "HYDRA_LAUNCHER_EXEC" : "OMPI_MCA_plm_rsh_agent");
    return told && *told ? told : launcher == PPI_LAUNCHER_HYDRA ? "ssh" : "ssh : rsh";
}

static int is_there(const char *name)
{
    const char *path = getenv("PATH");
    char *file = ppi_find_program(name, path ? path : "/usr/bin:/bin");
    free(file);
    return file != NULL;
}

static void add_agent(const char *word, struct ppi_words *out)
{
    /* A question for a password would be waited for. */
    static const char *const options[] = {"-o", "BatchMode=yes", "-o", "ConnectTimeout=10"};
    const char *slash = strrchr(word, '/');
    ppi_words_add(out, word);
    for (size_t i = 0; i < sizeof options / sizeof options[0] && strcmp(slash ? slash + 1 : word, "ssh") == 0; i++)
        ppi_words_add(out, options[i]);
}

/* What the user wants it to be given beside. */
static void add_told_arguments(enum ppi_launcher launcher, struct ppi_words *out)
{
    const char *told = getenv(launcher == PPI_LAUNCHER_HYDRA ? "HYDRA_LAUNCHER_EXTRA_ARGS" : "OMPI_MCA_plm_rsh_args");
    char *copy = strdup(told ? told : ""), *save = NULL;
    if (!copy) out->failed = 1;
    for (char *word = copy ? strtok_r(copy, " \t", &save) : NULL; word; word = strtok_r(NULL, " \t", &save))
        ppi_words_add(out, word);
    free(copy);
}

int ppi_reach_agent(enum ppi_launcher launcher, struct ppi_words *out)
{
    /* Open MPI's form: of "ssh -q : rsh" the first that there is. */
    const char *told = agents_told(launcher);
    char *copy = strdup(told), *save = NULL;
    enum { FIRST, ARGUMENTS, SKIP } next = FIRST;
    for (char *word = copy ? strtok_r(copy, " \t", &save) : NULL; word; word = strtok_r(NULL, " \t", &save)) {
        if (strcmp(word, ":") == 0) {
            if (next == ARGUMENTS) break;
            next = FIRST;
        } else if (next == ARGUMENTS) {
            ppi_words_add(out, word);
        } else if (next == FIRST) {
            next = is_there(word) ? ARGUMENTS : SKIP;
            if (next == ARGUMENTS) add_agent(word, out);
        }
    }
    free(copy);
    if (out->count == 0 && !out->failed)
        return ppi_error(PP_ERR_SYSTEM, "other hosts are started by \"%s\", and there is no such program on the PATH",
                         told);
    add_told_arguments(launcher, out);
    return ppi_words_status(out);
}

/* ---- one host */

struct trip {
    const char *host;
    pid_t pid;
    int errors; /* read end of its stderr */
};

static _Noreturn void travel(char *const *argv, const char *input, int errors, pid_t parent)
{
    int null = open("/dev/null", O_RDWR), in = input ? open(input, O_RDONLY) : null;
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (in < 0 || getppid() != parent) _exit(1);
    dup2(in, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    execvp(argv[0], argv);
    _exit(127);
}

static int begin(struct trip *trip, struct ppi_words *argv, const struct ppi_errand *errand)
{
    int ends[2];
    pid_t self = getpid();
    if (argv->failed || pipe2(ends, O_CLOEXEC) != 0) return 0;
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    trip->errors = ends[0];
    trip->pid = fork();
    if (trip->pid == 0) travel(argv->word, errand->input, ends[1], self);
    close(ends[1]);
    if (trip->pid < 0) close(ends[0]);
    return trip->pid > 0;
}

static int begin_at(struct trip *trip, const char *host, const struct ppi_words *agent, const struct ppi_errand *errand)
{
    struct ppi_words argv = {NULL, 0, 0};
    int local = ppi_host_is_local(host);
    if (local && !errand->local_too) return 0;
    trip->host = host;
    for (int i = 0; i < agent->count && !local; i++)
        ppi_words_add(&argv, agent->word[i]);
    ppi_words_add(&argv, local ? "sh" : host);
    if (local) ppi_words_add(&argv, "-c");
    ppi_words_add(&argv, errand->command);
    int begun = begin(trip, &argv, errand);
    ppi_words_free(&argv);
    return begun;
}

/* The last line that it wrote, in `text`. */
static const char *last_line(int fd, char *text, size_t room)
{
    ssize_t n = read(fd, text, room - 1);
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    text[n > 0 ? n : 0] = '\0';
    char *line = strrchr(text, '\n');
    return line ? line + 1 : text;
}

/* Ctrl-C, which a caller that watches has blocked. */
static int is_interrupted(void)
{
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM) || sigismember(&pending, SIGHUP);
}

/* 1 when it failed. */
static int end(const char *who, const char *agent, struct trip *trip, const struct ppi_errand *errand, uint64_t until)
{
    int status = 0, late = 0;
    char text[4096];
    while (waitpid(trip->pid, &status, WNOHANG) == 0) {
        if (ppi_now_ns() < until && !is_interrupted()) {
            usleep(5000);
            continue;
        }
        late = 1;
        kill(trip->pid, SIGKILL);
        waitpid(trip->pid, &status, 0);
        break;
    }
    const char *line = last_line(trip->errors, text, sizeof text);
    close(trip->errors);
    if (!late && status == 0) return 0;
    if (is_interrupted()) return 1;
    fprintf(stderr, "%s: %s %s: ", who, trip->host, errand->failure);
    if (late)
        fprintf(stderr, "%s had no answer within %d seconds\n", agent, errand->seconds);
    else if (*line)
        fprintf(stderr, "%s\n", line);
    else if (WIFSIGNALED(status))
        fprintf(stderr, "%s was ended by signal %d\n", agent, WTERMSIG(status));
    else
        fprintf(stderr, "%s ended with status %d\n", agent, WEXITSTATUS(status));
    return 1;
}

/* ---- all hosts */

int ppi_reach_all(const char *who, enum ppi_launcher launcher, const struct ppi_words *hosts,
                  const struct ppi_errand *errand)
{
    struct trip trips[AT_ONCE];
    struct ppi_words agent = {NULL, 0, 0};
    int failed = 0;
    if (ppi_reach_agent(launcher, &agent) != PP_OK) {
        fprintf(stderr, "%s: %s\n", who, pp_last_error());
        ppi_words_free(&agent);
        return hosts->count;
    }
    for (int next = 0; next < hosts->count;) {
        int begun = 0;
        uint64_t until = ppi_deadline_ns(errand->seconds);
        for (; next < hosts->count && begun < AT_ONCE; next++)
            begun += begin_at(&trips[begun], hosts->word[next], &agent, errand);
        for (int i = 0; i < begun; i++)
            failed += end(who, agent.word[0], &trips[i], errand, until);
    }
    ppi_words_free(&agent);
    return failed;
}

int ppi_reach_ask(const char *who, enum ppi_launcher launcher, const struct ppi_words *hosts)
{
    static const struct ppi_errand errand = {"true", NULL, 0, "cannot be reached", 12};
    return ppi_reach_all(who, launcher, hosts, &errand);
}
