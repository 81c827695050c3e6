/* Ends processes that a task has left behind. */
#include "worker/forkserver.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PASSES 1000 /* a fork bomb may outrun us; the job's end must not wait for it for ever */

/* Kills a child that is not ours; 1 if it was such a one. */
static int end_child(long pid, int (*is_ours)(long pid))
{
    if (is_ours(pid)) return 0;
    kill((pid_t)pid, SIGKILL);
    waitpid((pid_t)pid, NULL, 0);
    return 1;
}

/* Kernels without CONFIG_PROC_CHILDREN: every process tells its parent. */
static int search_proc(int (*is_ours)(long pid))
{
    DIR *proc = opendir("/proc");
    int found = 0;
    if (!proc) return 0;
    for (struct dirent *e; (e = readdir(proc));) {
        char path[300], text[512];
        long pid = strtol(e->d_name, NULL, 10), parent;
        if (pid <= 0) continue;
        snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
        FILE *file = fopen(path, "re");
        if (!file) continue;
        char *end = fgets(text, sizeof text, file) ? strrchr(text, ')') : NULL;
        fclose(file);
        if (end && sscanf(end + 1, " %*c %ld", &parent) == 1 && parent == getpid()) found += end_child(pid, is_ours);
    }
    closedir(proc);
    return found;
}

void ppi_kill_strangers(int (*is_ours)(long pid))
{
    /* Killing one gives us its children: again, until there is none. */
    for (int pass = 0, found = 1; found && pass < PASSES; pass++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)getpid());
        FILE *file = fopen(path, "re");
        if (!file) {
            found = search_proc(is_ours);
            continue;
        }
        long pid;
        found = 0;
        while (fscanf(file, "%ld", &pid) == 1) found += end_child(pid, is_ours);
        fclose(file);
    }
}
