/* A program that loads the library while it runs, as interpreters do: dlopen LIBRARY. Then a task goes there and back, and errors are
 * told in threads of their own. */
#include <dlfcn.h>
#include <ppmpi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static __typeof__(&pp_task_args) task_args;
static __typeof__(&pp_task_result) task_result;
static __typeof__(&pp_wait) wait_for;
static __typeof__(&pp_last_error) last_error;

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "dlopen: %s: %s\n", what, why);
    exit(1);
}

static void *find(void *library, const char *name)
{
    void *at = dlsym(library, name);
    if (!at) fail(name, dlerror());
    return at;
}

static void double_it(pp_task *task)
{
    long *result = task_result(task, sizeof *result);
    if (result) *result = 2 * *(const long *)task_args(task, NULL);
}

static void *make_an_error(void *arg)
{
    pp_future none = {0};
    if (*last_error()) fail("a new thread", "has an error already");
    if (wait_for(none) != PP_ERR_HANDLE || !strstr(last_error(), "null")) fail("pp_wait of nothing", last_error());
    return arg;
}

int main(int argc, char **argv)
{
    void *library = dlopen(argc > 1 ? argv[1] : "", RTLD_NOW | RTLD_LOCAL);
    if (!library) fail("cannot open the library", dlerror());
    __typeof__(&pp_server_open) open_server = find(library, "pp_server_open");
    __typeof__(&pp_server_close) close_server = find(library, "pp_server_close");
    __typeof__(&pp_submit) submit = find(library, "pp_submit");
    __typeof__(&pp_fetch) fetch = find(library, "pp_fetch");
    task_args = find(library, "pp_task_args");
    task_result = find(library, "pp_task_result");
    wait_for = find(library, "pp_wait");
    last_error = find(library, "pp_last_error");

    pp_server *server = open_server(NULL, NULL, NULL);
    if (!server) fail("pp_server_open", last_error());
    long args = 21, result = 0;
    pp_future f = submit(server, double_it, &args, sizeof args);
    if (fetch(f, &result, sizeof result) != PP_OK || result != 42) fail("pp_fetch", last_error());
    for (int i = 0; i < 100; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, make_an_error, NULL) != 0) fail("pthread_create", "failed");
        pthread_join(thread, NULL);
    }
    if (close_server(server) != PP_OK) fail("pp_server_close", last_error());
    return 0;
}
