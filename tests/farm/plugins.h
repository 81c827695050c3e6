/* Plug-ins that are built with cc while a test runs, in a folder of rank 0's, and hidden from all others: a
 * folder that is renamed once a plug-in of it is open is found by nobody who knows the path only. */
#ifndef TEST_FARM_PLUGINS_H
#define TEST_FARM_PLUGINS_H

#include "farm/test_api.h"
#include "unit/shell.h"

#include <dlfcn.h>

#define WORKERS_SEEN_MOST 256

static char folder[64];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/ppmpi-test.XXXXXX");
    if (!mkdtemp(folder)) exit(1);
}

static void remove_folder(void)
{
    if (shell("rm -rf '%s' '%s'.*", folder, folder) != 0) exit(1);
}

/* A task of folder/sub/plug.so says which version it is, what its library says, and who runs it. Each call in a
 * process counts. */
static const char plugin_source[] =
    "#include <unistd.h>\n"
    "struct pp_task; void *pp_task_result(struct pp_task *, unsigned long); int pp_task_worker(const struct pp_task "
    "*);\n"
    "int helper(void); static int calls; __attribute__((visibility(\"default\"))) int version = VERSION;\n"
    "#ifdef BALLAST\nchar ballast[BALLAST] = {1};\n#endif\n"
    "static void run(struct pp_task *t) { usleep(2000); int *o = pp_task_result(t, 4 * sizeof(int));\n"
    "  o[0] = version; o[1] = HELPER; o[2] = pp_task_worker(t); o[3] = ++calls; }\n"
    "void (*body(void))(struct pp_task *) { return run; }\n";

/* flags: for the plug-in; with_library: 0, or the number that the library beside it returns, named by
 * library_flags. */
static void build(const char *sub, int version, const char *flags, int with_library, const char *library_flags)
{
    if (shell("mkdir -p '%s/%s'", folder, sub) != 0) exit(1);
    char path[256];
    snprintf(path, sizeof path, "%s/plug.c", folder);
    FILE *f = fopen(path, "w");
    if (!f) exit(1);
    fputs(plugin_source, f);
    fclose(f);
    int failed = with_library ? shell("cd '%s/%s' && echo 'int helper(void) { return %d; }' > dep.c && cc -shared "
                                      "-fPIC -O1 %s -o libdep.so dep.c",
                                      folder, sub, with_library, library_flags)
                              : 0;
    if (!failed)
        failed = shell("cd '%s/%s' && cc -shared -fPIC -O1 -Wl,-soname,plug.so -DVERSION=%d -DHELPER='%s' %s -o "
                       "plug.so ../plug.c %s",
                       folder, sub, version, with_library ? "helper()" : "0", flags,
                       with_library ? "-L. -ldep -Wl,-rpath,'$ORIGIN'" : "");
    if (failed) {
        fprintf(stderr, "plug-in %s cannot be built\n", sub);
        exit(1);
    }
}

static void *open_plugin(const char *sub)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s/plug.so", folder, sub);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) fprintf(stderr, "%s\n", dlerror()), exit(1);
    return handle;
}

static pp_function body_of(void *handle)
{
    pp_function (*body)(void) = (pp_function(*)(void))(uintptr_t)dlsym(handle, "body");
    return body();
}

static void hide(const char *sub)
{
    if (shell("mv '%s/%s' '%s.%s'", folder, sub, folder, sub) != 0) exit(1);
}

/* Builds it, and has it open where nobody else finds it. */
static inline void *open_hidden(const char *sub, int version, const char *flags, int with_library,
                                const char *library_flags)
{
    build(sub, version, flags, with_library, library_flags);
    void *handle = open_plugin(sub);
    hide(sub);
    return handle;
}

/* Runs it on every worker there is: each time it must say that. */
static void runs_everywhere(pp_function fn, int version, int library)
{
    char seen[WORKERS_SEEN_MOST] = {0};
    int ncpus = pp_get_ncpus(server), missing = ncpus;
    double until = seconds_now() + patience(20);
    while (missing > 0 && seconds_now() < until) {
        pp_future f[64];
        int n = 4 * ncpus < 64 ? 4 * ncpus : 64;
        for (int i = 0; i < n; i++)
            f[i] = pp_submit(server, fn, NULL, 0);
        for (int i = 0; i < n; i++) {
            int out[4] = {-1, -1, -1, -1};
            CHECK(f[i].id != 0);
            int status = pp_fetch(f[i], out, sizeof out);
            if (status != PP_OK) fprintf(stderr, "%s\n", pp_last_error());
            CHECK_INT(status, PP_OK);
            if (status != PP_OK) return;
            CHECK_INT(out[0], version);
            CHECK_INT(out[1], library);
            if (out[2] < 0 || out[2] >= WORKERS_SEEN_MOST || seen[out[2]]) continue;
            seen[out[2]] = 1;
            missing--;
        }
    }
    CHECK_INT(missing, 0);
}

#endif
