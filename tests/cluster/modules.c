/* The program of test_modules.sh: modules TASKS PLUGIN…: opens the plug-ins, and runs so many tasks of each, in
 * turn. For each it prints what its tasks said, sorted, with the number of times. */
#include <dlfcn.h>
#include <ppmpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLUGINS_MOST 8
#define SAYINGS_MOST 64

struct saying {
    char text[700];
    int times;
};

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct saying *)a)->text, ((const struct saying *)b)->text);
}

static void note(struct saying *sayings, int *count, const char *text)
{
    int i = 0;
    while (i < *count && strcmp(sayings[i].text, text) != 0)
        i++;
    if (i == SAYINGS_MOST) return;
    if (i == *count) snprintf(sayings[(*count)++].text, sizeof sayings[i].text, "%s", text);
    sayings[i].times++;
}

int main(int argc, char **argv)
{
    static struct saying sayings[PLUGINS_MOST][SAYINGS_MOST];
    pp_server *server = pp_server_open(&argc, &argv, NULL);
    if (!server) {
        printf("refused: %s\n", pp_last_error());
        return 1;
    }
    int tasks = argc > 2 ? atoi(argv[1]) : 0, plugins = argc - 2 < PLUGINS_MOST ? argc - 2 : PLUGINS_MOST,
        counts[PLUGINS_MOST] = {0};
    pp_future *f = calloc((size_t)(tasks * plugins) + 1, sizeof *f);
    pp_function body[PLUGINS_MOST] = {NULL};
    for (int p = 0; p < plugins; p++) {
        const char *path = argv[2 + p];
        int global = *path == '+';
        void *handle = dlopen(path + global, RTLD_NOW | (global ? RTLD_GLOBAL : RTLD_LOCAL));
        if (!handle || !f) {
            printf("not opened: %s\n", dlerror());
            return 1;
        }
        if (!global) body[p] = (pp_function)(uintptr_t)dlsym(handle, "body");
    }
    for (int i = 0; i < tasks * plugins; i++)
        if (body[i % plugins] && !(f[i] = pp_submit(server, body[i % plugins], NULL, 0)).id)
            printf("not submitted: %s\n", pp_last_error());
    for (int i = 0; i < tasks * plugins; i++) {
        char text[700] = "";
        if (!f[i].id) continue;
        if (pp_fetch(f[i], text, 128) != PP_OK) {
            snprintf(text, sizeof text, "failed (%d): %s", pp_last_error_code(), pp_last_error());
            pp_release(f[i]);
        }
        note(sayings[i % plugins], &counts[i % plugins], text);
    }
    for (int p = 0; p < plugins; p++) {
        qsort(sayings[p], (size_t)counts[p], sizeof sayings[p][0], compare);
        for (int i = 0; i < counts[p]; i++)
            printf("%d %s %d\n", p, sayings[p][i].text, sayings[p][i].times);
    }
    free(f);
    return pp_server_close(server);
}
