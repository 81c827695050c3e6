/* The program of test_modules.sh: fault_modules TASKS PLUGIN: opens the plug-in, moves its folder out of the
 * way, and runs so many tasks of its function `body`, with the number of the task as argument. Prints how many
 * gave 10 times that, on how many ranks' workers. */
#include <dlfcn.h>
#include <ppmpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS_MOST 64

int main(int argc, char **argv)
{
    pp_server *server = pp_server_open(&argc, &argv, NULL);
    char folder[1000], hidden[1100];
    if (!server || argc < 3) {
        printf("refused: %s\n", pp_last_error());
        return 1;
    }
    void *handle = dlopen(argv[2], RTLD_NOW);
    pp_function body = handle ? (pp_function)(uintptr_t)dlsym(handle, "body") : NULL;
    if (!body) {
        printf("not opened: %s\n", dlerror());
        return 1;
    }
    snprintf(folder, sizeof folder, "%s", argv[2]);
    *strrchr(folder, '/') = '\0';
    snprintf(hidden, sizeof hidden, "%s.hidden", folder);
    if (rename(folder, hidden) != 0) perror(folder);
    int tasks = atoi(argv[1]), right = 0, workers = 0;
    char seen[WORKERS_MOST] = {0};
    pp_future *f = calloc((size_t)tasks, sizeof *f);
    for (int i = 0; f && i < tasks; i++)
        f[i] = pp_submit(server, body, &i, sizeof i);
    for (int i = 0; f && i < tasks; i++) {
        int result[2] = {0, 0}; /* and the worker */
        if (pp_fetch(f[i], result, sizeof result) != PP_OK) printf("task %d: %s\n", i, pp_last_error());
        right += result[0] == 10 * i;
        if (result[1] < 0 || result[1] >= WORKERS_MOST || seen[result[1]]) continue;
        seen[result[1]] = 1;
        workers++;
    }
    free(f);
    printf("%d of %d right, %s\n", right, tasks, workers == pp_get_ncpus(server) ? "on all workers" : "not everywhere");
    return pp_server_close(server);
}
