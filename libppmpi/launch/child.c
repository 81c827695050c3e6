#include "launch/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void become_launcher(const struct ppi_child *child, int errors, int output, pid_t parent)
{
    const struct ppi_command *command = child->command;
    /* When we are killed it ends the job. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);
    for (int i = 0; i < command->unset.count; i++) unsetenv(command->unset.word[i]);
    for (int i = 0; i < command->set.count; i++) putenv(command->set.word[i]);
    dup2(output, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    signal(SIGPIPE, SIG_DFL);
    sigset_t blocked = *child->mask;
    if (child->launcher == PPI_LAUNCHER_MPIRUN) { /* a terminal sends these to it, too; its ranks do not inherit that */
        sigaddset(&blocked, SIGINT);
        sigaddset(&blocked, SIGQUIT);
        sigaddset(&blocked, SIGHUP);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, NULL);
    execvp(command->words.word[0], command->words.word);
    fprintf(stderr, "%s: %s: %s\n", child->who, command->words.word[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

int ppi_child_start(struct ppi_child *child)
{
    int errors[2], output[2];
    pid_t self = getpid();
    if (pipe2(errors, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) return errno;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    fflush(NULL);
    child->pid = fork();
    if (child->pid < 0) return errno;
    if (child->pid == 0) become_launcher(child, errors[1], output[1], self);
    close(errors[1]);
    close(output[1]);
    child->errors = errors[0];
    child->output = output[0];
    return 0;
}

void ppi_child_kill_all(pid_t launcher, int *status)
{
    kill(launcher, SIGKILL);
    for (int round = 0; round < 400; round++) {
        /* Children of ours, adopted ones too, and theirs as they come. */
        FILE *list = fopen("/proc/thread-self/children", "re");
        int children = 0, ended;
        for (long pid; list && fscanf(list, "%ld", &pid) == 1; children++) kill((pid_t)pid, SIGKILL);
        if (list) fclose(list);
        for (pid_t pid; (pid = waitpid(-1, &ended, WNOHANG)) > 0;)
            if (pid == launcher) *status = ended;
        if (children == 0 && *status >= 0) return;
        usleep(5000);
    }
}
