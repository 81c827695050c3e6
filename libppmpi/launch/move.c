#include "launch/move.h"
#include "base/log.h"
#include "base/status.h"
#include "launch/choose.h"
#include "launch/hosts.h"
#include "launch/job.h"
#include "launch/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MARK "PPMPI_MOVED" /* set for the second start, so that there is no third where a launcher is not recognised */

extern char **environ;

static const char *source(void)
{
    return getenv("PPMPI_HOSTS") ? "PPMPI_HOSTS" : "options.hosts";
}

static int parse(const char *hosts, struct ppi_words *out)
{
    return ppi_hosts_parse(hosts, source(), out);
}

/* An empty variable is a mistake, an empty option is none. */
static int is_absent(const char *hosts)
{
    return !hosts || (!*hosts && !getenv("PPMPI_HOSTS"));
}

int ppi_move_check(const char *hosts)
{
    struct ppi_words names = {NULL, 0, 0};
    if (is_absent(hosts)) return PP_OK;
    int status = parse(hosts, &names);
    if (status == PP_OK) ppi_words_free(&names);
    return status;
}

/* Executable and arguments of this process, as it was started. */
static int own_command(struct ppi_words *out)
{
    char exe[PATH_MAX], *word = NULL;
    size_t room = 0;
    ssize_t length = readlink("/proc/self/exe", exe, sizeof exe - 1);
    FILE *file = fopen("/proc/self/cmdline", "re");
    if (length < 0 || !file) {
        int error = errno;
        if (file) fclose(file);
        return ppi_error_errno(PP_ERR_SYSTEM, error, "hosts: this process cannot read in /proc how it was started");
    }
    exe[length] = '\0';
    for (int i = 0; getdelim(&word, &room, '\0', file) > 0; i++)
        ppi_words_add(out, i == 0 ? exe : word);
    free(word);
    fclose(file);
    if (out->count == 0) ppi_words_add(out, exe);
    if (access(exe, X_OK) != 0)
        return ppi_error(PP_ERR_SYSTEM, "hosts: the program %s cannot be started again: it is gone", exe);
    return ppi_words_status(out);
}

static int start_again(const struct ppi_words *hosts)
{
    struct ppi_words program = {NULL, 0, 0};
    struct ppi_command command;
    struct ppi_request request;
    char token[PPI_WATCH_TOKEN_BYTES], *launcher_file = NULL;
    memset(&request, 0, sizeof request);
    ppi_watch_token(token);
    setenv(MARK, "1", 1);
    ppi_allocation_detect(environ, &request.allocation);
    int status = ppi_job_check_hosts(&request.allocation, hosts, source());
    if (status == PP_OK) status = own_command(&program);
    if (status == PP_OK)
        status = ppi_launcher_choose(ppi_mpi_built(), &request.allocation, &request.launcher, &launcher_file);
    if (status == PP_OK) {
        request.mpi = ppi_mpi_built();
        request.file = launcher_file;
        request.hosts = hosts;
        request.program = program.word;
        request.watch = token;
        request.environment = environ;
        status = ppi_command_build(&request, &command);
    }
    if (status == PP_OK) {
        struct ppi_watch watch = {
            "ppmpi", &command, token, request.launcher, ppi_allocation_is_by_shell(&request.allocation) ? hosts : NULL,
            NULL};
        fflush(NULL);
        _exit(ppi_watch_run(&watch));
    }
    unsetenv(MARK);
    free(launcher_file);
    ppi_words_free(&program);
    return status;
}

int ppi_move(const char *hosts, const struct ppi_launch *launch, int opened_before)
{
    struct ppi_words names = {NULL, 0, 0};
    int moved = getenv(MARK) != NULL;
    unsetenv(MARK); /* not for programs that this one starts */
    ppi_watch_take_token();
    if (is_absent(hosts)) return PP_OK;
    if (launch->launched || moved) {
        ppi_log(PP_LOG_INFO, "hosts \"%s\" has no effect: a launcher%s%s has started this process", hosts,
                *launch->launcher ? ", that of " : "", launch->launcher);
        return PP_OK;
    }
    int status = parse(hosts, &names);
    if (status != PP_OK) return status;
    if (names.count > 1 || !ppi_host_is_local(names.word[0]))
        status = opened_before
                     ? ppi_error(PP_ERR_STATE,
                                 "hosts \"%s\": the program starts itself again there, which it can do when it "
                                 "opens the server for the first time only",
                                 hosts)
                     : start_again(&names);
    ppi_words_free(&names);
    return status;
}
