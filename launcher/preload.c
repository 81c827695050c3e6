/* --preload: the program's file on every node, in a folder of its own there. */
#include "place.h"

#include "launch/reach.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>

static char folder[64]; /* on the nodes; "" = none */

/* srun takes its input to all tasks. */
static int by_srun(const struct place *place, const char *command, const char *input)
{
    static const char *const others[] = {"--ntasks-per-node=1", "--overlap", "--mpi=none", "--cpu-bind=none", "--quit-on-interrupt",
                                         "sh", "-c"};
    struct ppi_words words = {NULL, 0, 0};
    int status = -1;
    ppi_words_add(&words, "srun");
    ppi_words_format(&words, "--nodes=%d", place->nodes);
    ppi_words_format(&words, "--ntasks=%d", place->nodes);
    if (place->hosts.count > 0) ppi_command_add_nodelist(&place->hosts, place->hosts.count, &words);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) ppi_words_add(&words, others[i]);
    ppi_words_add(&words, command);
    if (words.failed) wrong_use("--preload: no memory");
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int in = open(input ? input : "/dev/null", O_RDONLY);
        if (in < 0 || dup2(in, STDIN_FILENO) < 0) _exit(126);
        execvp("srun", words.word);
        _exit(127);
    }
    ppi_words_free(&words);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    if (pid > 0 && status == 0) return 0;
    fprintf(stderr, "pprun: --preload: srun could not do it on all nodes\n");
    return 1;
}

static int everywhere(const struct place *place, const char *command, const char *input, int seconds)
{
    if (!ppi_allocation_is_by_shell(&place->allocation))
        return by_srun(place, command, input);
    struct ppi_errand errand = {command, input, 1, input ? "did not get the program" : "may still have the program",
                                seconds};
    return ppi_reach_all("pprun", place->launcher, &place->hosts, &errand);
}

char *place_preload(const struct place *place, const char *file)
{
    struct stat info;
    char token[PPI_WATCH_TOKEN_BYTES], *command = NULL, *path = NULL, *name;
    const char *slash = strrchr(file, '/');
    if (stat(file, &info) != 0) wrong_use("--preload: %s: %s", file, strerror(errno));
    ppi_watch_token(token);
    snprintf(folder, sizeof folder, "/tmp/%s", token);
    name = ppi_words_quote(slash ? slash + 1 : file);
    /* The size is checked, for a connection that breaks looks like the end of the file. */
    if (!name || asprintf(&path, "%s/%s", folder, slash ? slash + 1 : file) < 0 ||
        asprintf(&command,
                 "umask 077; mkdir %s && cat > %s/%s && test `wc -c < %s/%s` -eq %lld && chmod 700 %s/%s || { rm -rf "
                 "%s; exit 1; }",
                 folder, folder, name, folder, name, (long long)info.st_size, folder, name, folder) < 0)
        wrong_use("--preload: no memory");
    int failed = everywhere(place, command, file, 600);
    free(command);
    free(name);
    if (failed > 0) {
        place_unload(place);
        exit(WRONG_USE);
    }
    return path;
}

void place_unload(const struct place *place)
{
    char command[96];
    if (!*folder) return;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    everywhere(place, command, NULL, 12);
    *folder = '\0';
}
