/* What holds for plug-ins wherever tasks run. */
#ifndef TEST_FARM_PLUGIN_TESTS_H
#define TEST_FARM_PLUGIN_TESTS_H

#include "farm/plugins.h"

static int is_rank_0_the_worker; /* for want of others, or of processes */

/* Fails with that status, and this in its message, on whatever worker it runs. */
static void fails_with(pp_function fn, int status, const char *text)
{
    for (int i = 0; i < 20; i++) {
        pp_future f = pp_submit(server, fn, NULL, 0);
        CHECK_INT(pp_fetch(f, NULL, 0), status);
        pp_task_info info = {.size = sizeof info};
        CHECK_INT(pp_info(f, &info), PP_OK);
        CHECK_TEXT(info.message, text);
        CHECK_INT(pp_release(f), PP_OK);
    }
}

static void a_plugin_that_all_have_runs_everywhere(void)
{
    build("all", 1, "", 0, "");
    runs_everywhere(body_of(open_plugin("all")), 1, 0);
}

static void a_plugin_that_only_rank_0_has_runs_everywhere(void)
{
    runs_everywhere(body_of(open_hidden("alone", 2, "", 0, "")), 2, 0);
}

static void a_plugin_without_build_id_runs_everywhere(void)
{
    runs_everywhere(body_of(open_hidden("unnamed", 3, "-Wl,--build-id=none", 0, "")), 3, 0);
}

/* Same file name, same SONAME. */
static void two_versions_run_their_own_code(void)
{
    pp_function f1 = body_of(open_hidden("v1", 11, "", 0, "")), f2 = body_of(open_hidden("v2", 12, "", 0, ""));
    for (int i = 0; i < 3; i++) {
        runs_everywhere(f1, 11, 0);
        runs_everywhere(f2, 12, 0);
    }
}

/* At the same path; and the loader likes to put the second where the first was. */
static void a_plugin_that_is_rebuilt_and_opened_again_is_another(void)
{
    int places = 0;
    pp_function before = NULL;
    for (int version = 20; version < 24; version++) {
        build("again", version, "", 0, "");
        void *handle = open_plugin("again");
        pp_function fn = body_of(handle);
        places += fn != before;
        before = fn;
        runs_everywhere(fn, version, 0);
        CHECK_INT(dlclose(handle), 0);
    }
    CHECK(places >= 1);
    /* The first is not forgotten where it is still open. */
    build("again", 30, "", 0, "");
    void *old = open_plugin("again");
    pp_function fn = body_of(old);
    runs_everywhere(fn, 30, 0);
    if (shell("rm '%s/again/plug.so'", folder) != 0) exit(1);
    build("again", 31, "", 0, "");
    runs_everywhere(fn, 30, 0);
    /* Nor when it has to be looked for again, since one that was closed could have lain there: its file was read
     * in time, and the privileged alone could read it now. */
    build("passing", 32, "", 0, "");
    CHECK_INT(dlclose(open_plugin("passing")), 0);
    runs_everywhere(fn, 30, 0);
    CHECK_INT(dlclose(old), 0);
}

/* Submitted for the first time when its file is another one already. */
static void a_plugin_that_has_been_replaced_is_read_as_it_is_mapped_or_refused(void)
{
    build("late", 40, "", 0, "");
    void *handle = open_plugin("late");
    if (shell("rm '%s/late/plug.so'", folder) != 0) exit(1);
    build("late", 41, "", 0, "");
    pp_function fn = body_of(handle);
    pp_future f = pp_submit(server, fn, NULL, 0);
    if (f.id) { /* the privileged may read it */
        CHECK_INT(pp_release(f), PP_OK);
        runs_everywhere(fn, 40, 0);
    } else {
        CHECK_INT(pp_last_error_code(), PP_ERR_MODULE);
        CHECK_TEXT(pp_last_error(), "late/plug.so");
        CHECK_TEXT(pp_last_error(), "has been replaced by another build");
    }
}

static void libraries_beside_it_come_along(void)
{
    void *handle = open_hidden("named", 50, "", 51, "-Wl,-soname,libdep.so");
    runs_everywhere(body_of(handle), 50, 51);
    CHECK_INT(dlclose(handle), 0);
}

/* Found by the name of its file only, which it does not have where it comes to. And it is not the one of before. */
static void libraries_without_a_soname_come_along(void)
{
    void *handle = open_hidden("nameless", 60, "", 61, "");
    runs_everywhere(body_of(handle), 60, 61);
    CHECK_INT(dlclose(handle), 0);
}

/* The workers have to give one up for the other, as this process has. */
static void two_builds_of_a_library_take_turns(void)
{
    for (int i = 0; i < 4; i++) {
        char sub[32];
        snprintf(sub, sizeof sub, "turn%d", i);
        build(sub, 70 + i, "", 80 + i, i % 2 ? "" : "-Wl,-soname,libdep.so");
        void *handle = open_plugin(sub);
        if (i < 3) hide(sub);
        runs_everywhere(body_of(handle), 70 + i, 80 + i);
        CHECK_INT(dlclose(handle), 0);
    }
}

/* What rank 0's process happens to have, and the plug-in does not say that it needs. */
static void what_cannot_be_loaded_fails_its_tasks_with_the_loaders_words(void)
{
    if (is_rank_0_the_worker) return; /* which has it loaded */
    build("good", 90, "", 0, "");
    void *good = open_plugin("good");
    if (shell("mkdir -p '%s/bad' && cd '%s/bad' && echo 'int not_here(void) { return 1; }' > need.c && cc -shared "
              "-fPIC -o libneed.so need.c && "
              "echo 'int not_here(void); void body(void *t) { (void)t; not_here(); }' > bad.c && cc -shared -fPIC -o "
              "bad.so bad.c",
              folder, folder) != 0)
        exit(1);
    char path[256];
    snprintf(path, sizeof path, "%s/bad/libneed.so", folder);
    CHECK(dlopen(path, RTLD_NOW | RTLD_GLOBAL) != NULL);
    snprintf(path, sizeof path, "%s/bad/bad.so", folder);
    void *handle = dlopen(path, RTLD_NOW);
    CHECK(handle != NULL);
    if (!handle) return;
    hide("bad");
    fails_with((pp_function)(uintptr_t)dlsym(handle, "body"), PP_ERR_MODULE, "undefined symbol: not_here");
    runs_everywhere(body_of(good), 90, 0);
}

static void large_ones_come_in_pieces(void)
{
    runs_everywhere(body_of(open_hidden("large", 100, "-DBALLAST=20000000", 0, "")), 100, 0);
}

#define PLUGIN_TESTS \
    TEST(a_plugin_that_all_have_runs_everywhere), TEST(a_plugin_that_only_rank_0_has_runs_everywhere), \
        TEST(a_plugin_without_build_id_runs_everywhere), TEST(two_versions_run_their_own_code), \
        TEST(a_plugin_that_is_rebuilt_and_opened_again_is_another), \
        TEST(a_plugin_that_has_been_replaced_is_read_as_it_is_mapped_or_refused), \
        TEST(libraries_beside_it_come_along), TEST(libraries_without_a_soname_come_along), \
        TEST(two_builds_of_a_library_take_turns), TEST(what_cannot_be_loaded_fails_its_tasks_with_the_loaders_words), \
        TEST(large_ones_come_in_pieces)

/* Opens the server, with options that may be NULL, and runs them; the exit status of the program. */
static int run_with_plugins(int argc, char **argv, const pp_options *options, const struct test *tests, size_t count)
{
    if (!have_cc()) return 77;
    open_or_exit(&argc, &argv, options);
    pp_node nodes[8];
    int count_of_nodes = pp_get_active_nodes(server, nodes, 8);
    is_rank_0_the_worker =
        options && options->isolation == PP_ISOLATE_NONE && count_of_nodes == 1 && nodes[0].ranks == 1;
    make_folder();
    int status = run_tests(tests, count);
    remove_folder();
    return status;
}

#endif
