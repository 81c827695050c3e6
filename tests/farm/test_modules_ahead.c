/* options.modules: sent before there is a task; and an initializer that lies in a plug-in.
 * ranks: 2
 * nodes: 2/1 4/2 */
#define TEST_API_MAIN
#include "farm/plugins.h"

static void *first, *second;

static void their_functions_run_everywhere(void)
{
    runs_everywhere(body_of(first), 1, 0);
    runs_everywhere(body_of(second), 2, 3);
}

static void *initializer_handle;

static void the_initializer_has_run_in_every_worker(void)
{
    pp_function ask = (pp_function)(uintptr_t)dlsym(initializer_handle, "ask");
    for (int i = 0; i < 10 * pp_get_ncpus(server); i++) {
        int answer = -1;
        CHECK_INT(pp_fetch(pp_submit(server, ask, NULL, 0), &answer, sizeof answer), PP_OK);
        CHECK_INT(answer, 77);
    }
}

static void build_initializer(void)
{
    char path[256];
    if (shell("mkdir -p '%s/start' && cd '%s/start' && echo 'void *pp_task_result(void *, unsigned long); const void "
              "*pp_task_args(void *, unsigned long *);"
              "static int value; void start(void *t) { value = *(const int *)pp_task_args(t, (void *)0); }"
              "void ask(void *t) { *(int *)pp_task_result(t, sizeof value) = value; }' > start.c && cc -shared -fPIC "
              "-o start.so start.c",
              folder, folder) != 0)
        exit(1);
    snprintf(path, sizeof path, "%s/start/start.so", folder);
    if (!(initializer_handle = dlopen(path, RTLD_NOW))) fprintf(stderr, "%s\n", dlerror()), exit(1);
    hide("start");
}

static const struct test tests[] = {TEST(their_functions_run_everywhere),
                                    TEST(the_initializer_has_run_in_every_worker)};

static int is_rank_0(void)
{
    static const char *const ranks[] = {"OMPI_COMM_WORLD_RANK", "PMI_RANK"};
    for (int i = 0; i < 2; i++)
        if (getenv(ranks[i])) return atoi(getenv(ranks[i])) == 0;
    return 1;
}

static void refused(int *argc, char ***argv, const char *modules, int status, const char *part)
{
    pp_options options = PP_OPTIONS_INIT;
    options.modules = modules;
    CHECK(pp_server_open(argc, argv, &options) == NULL);
    CHECK_INT(pp_last_error_code(), status);
    CHECK_TEXT(pp_last_error(), part);
}

int main(int argc, char **argv)
{
    static const int value = 77;
    static char modules[300];
    pp_options options = PP_OPTIONS_INIT;
    if (!have_cc()) return 77;
    if (is_rank_0()) { /* only there: the others know nothing of it */
        make_folder();
        build("first", 1, "", 0, "");
        build("second", 2, "", 3, "");
        build_initializer();
        snprintf(modules, sizeof modules, "%s/first/plug.so:%s/second/plug.so", folder, folder);
        options.modules = modules;
        options.initializer = (pp_function)(uintptr_t)dlsym(initializer_handle, "start");
        options.initializer_args = &value;
        options.initializer_bytes = sizeof value;
    }
    if (!getenv("OMPI_COMM_WORLD_RANK") && !getenv("PMI_RANK")) { /* under a launcher it can be opened once */
        refused(&argc, &argv, "/nowhere/plug.so", PP_ERR_MODULE, "'/nowhere/plug.so' cannot be opened: ");
        refused(&argc, &argv, ":/nowhere/plug.so", PP_ERR_ARG, "a name is empty");
        refused(&argc, &argv, "/nowhere/plug.so:", PP_ERR_MODULE, "cannot be opened");
        char text[400];
        snprintf(text, sizeof text, "%s:", modules);
        refused(&argc, &argv, text, PP_ERR_ARG, "a name is empty");
        snprintf(text, sizeof text, "%s/first/plug.c", folder);
        refused(&argc, &argv, text, PP_ERR_MODULE, "cannot be opened");
    }
    open_or_exit(&argc, &argv, &options);
    first = open_plugin("first");
    second = open_plugin("second");
    hide("first");
    hide("second");
    int status = run_tests(tests, sizeof tests / sizeof *tests);
    remove_folder();
    return status;
}
