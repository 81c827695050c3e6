/* Code that travels, step by step: identity of files, what a function needs, the table of a node, images,
 * loading. Each test is a process of its own. Plug-ins are built with cc; without one the tests that need it are
 * skipped with a message. */
#include "base/status.h"
#include "function/identity.h"
#include "function/module.h"
#include "module/alias.h"
#include "module/closure.h"
#include "module/hold.h"
#include "module/load.h"
#include "unit/shell.h"
#include "unit/suite.h"

#include <check.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARENA ((uint64_t)32 << 20)

static char folder[256];
static struct ppi_workspace workspace;
static struct ppi_module_store store;

/* Instead of the system's, for the whole program: of so many calls the last finds no memory; 0 = none. */
static int calls_to_failure;

static void *memory(size_t bytes)
{
    return calls_to_failure > 0 && --calls_to_failure == 0 ? NULL : malloc(bytes);
}

char *strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = memory(bytes);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

#ifndef __SANITIZE_THREAD__ /* which calls it for threads that it does not know yet */
void *calloc(size_t count, size_t size)
{
    size_t bytes;
    void *zeros = __builtin_mul_overflow(count, size, &bytes) ? NULL : memory(bytes);
    if (zeros) explicit_bzero(zeros, bytes); /* with memset the compiler makes it a call of calloc */
    return zeros;
}
#endif

static void set_up(void)
{
    snprintf(folder, sizeof folder, "/tmp/test_module.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(ppi_workspace_create(&workspace, ARENA), PP_OK);
    ppi_module_store_init(&store, &workspace);
}

static void tear_down(void)
{
    ppi_module_store_fini(&store);
    ppi_workspace_destroy(&workspace);
    ck_assert_int_eq(shell("rm -rf '%s' '%s'.*", folder, folder), 0);
}

/* folder/sub/NAME.so, whose function says what it was told to, and what the library beside it says. */
static void build(const char *sub, const char *name, const char *body, const char *flags)
{
    ck_assert_int_eq(shell("mkdir -p '%s/%s' && cd '%s/%s' && echo 'int helper(void); int value(void); int value(void) "
                           "{ return %s; }' > %s.c && "
                           "cc -shared -fPIC -O1 -o %s.so %s.c %s",
                           folder, sub, folder, sub, body, name, name, name, flags),
                     0);
}

static void build_helper(const char *sub, int value, const char *flags)
{
    ck_assert_int_eq(shell("mkdir -p '%s/%s' && cd '%s/%s' && echo 'int helper(void) { return %d; }' > dep.c && cc "
                           "-shared -fPIC -O1 -o libdep.so dep.c %s",
                           folder, sub, folder, sub, value, flags),
                     0);
}

/* folder/sub/plug.so, whose function adds 10 to the 5 of the library beside it. */
static void build_with_library(const char *sub)
{
    build_helper(sub, 5, "");
    build(sub, "plug", "helper() + 10", "-L. -ldep -lm -Wl,-rpath,'$ORIGIN'");
}

static const char *path_of(const char *file)
{
    static char path[800];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return path;
}

static void *opened(const char *file)
{
    void *handle = dlopen(path_of(file), RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(handle != NULL, "%s", dlerror());
    return handle;
}

static uintptr_t value_of(void *handle)
{
    return (uintptr_t)dlsym(handle, "value");
}

static struct ppi_module_found *closure(uintptr_t address, size_t expected)
{
    struct ppi_module_found *list;
    size_t count;
    ck_assert_int_eq(ppi_module_closure(address, &list, &count), PP_OK);
    ck_assert_uint_eq(count, expected);
    return list;
}

/* What rank 0 finds of a plug-in, which this process then closes again. */
static struct ppi_module_found *looked_at(const char *file, size_t expected, struct ppi_function_ref *ref)
{
    void *handle = opened(file);
    ck_assert_int_eq(ppi_function_describe((pp_function)value_of(handle), ref), PP_OK);
    struct ppi_module_found *list = closure(value_of(handle), expected);
    ck_assert_int_eq(dlclose(handle), 0);
    return list;
}

/* ---- identity */

START_TEST(a_file_has_the_id_that_it_has_when_it_is_loaded)
{
    if (!have_cc()) return;
    build("a", "with", "1", "");
    build("a", "without", "2", "-Wl,--build-id=none");
    for (int i = 0; i < 2; i++) {
        const char *file = i ? "a/without.so" : "a/with.so";
        unsigned char id[PPI_BUILD_ID_MAX];
        struct ppi_function_ref ref;
        ck_assert_int_eq(ppi_function_describe((pp_function)value_of(opened(file)), &ref), PP_OK);
        int fd = open(path_of(file), O_RDONLY);
        ck_assert_int_eq(ppi_file_id(fd, id), ref.build_id_bytes);
        ck_assert_mem_eq(id, ref.build_id, (size_t)ref.build_id_bytes);
        /* And so have its bytes, when they are all there. */
        struct stat s;
        ck_assert_int_eq(fstat(fd, &s), 0);
        char *image = malloc((size_t)s.st_size);
        ck_assert_int_eq(read(fd, image, (size_t)s.st_size), s.st_size);
        ck_assert_int_eq(ppi_image_id(image, (uint64_t)s.st_size, id), ref.build_id_bytes);
        ck_assert_mem_eq(id, ref.build_id, (size_t)ref.build_id_bytes);
        for (size_t n = 0; n < 64; n++)
            ck_assert_int_eq(ppi_image_id(image, n, id), 0);
        image[1] ^= 1;
        ck_assert_int_eq(ppi_image_id(image, (uint64_t)s.st_size, id), 0);
        free(image);
        close(fd);
        fd = ppi_file_open(path_of(file), ref.build_id, ref.build_id_bytes);
        ck_assert_int_ge(fd, 0);
        close(fd);
        ref.build_id[3] ^= 1;
        ck_assert_int_eq(ppi_file_open(path_of(file), ref.build_id, ref.build_id_bytes), -1);
    }
}
END_TEST

START_TEST(what_is_no_module_has_no_id_and_keeps_nobody_waiting)
{
    unsigned char id[PPI_BUILD_ID_MAX] = {0};
    ck_assert_int_eq(mkfifo(path_of("fifo"), 0600), 0);
    ck_assert_int_eq(shell("echo text > '%s/text' && : > '%s/empty'", folder, folder), 0);
    static const char *const files[] = {"fifo", "text", "empty", "", "missing"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        ck_assert_int_eq(ppi_file_open(path_of(files[i]), id, 20), -1);
    ck_assert_int_eq(ppi_file_open("", id, 20), -1);
}
END_TEST

/* ---- what a function needs */

START_TEST(the_program_and_the_system_do_not_travel)
{
    closure((uintptr_t)&set_up, 0);
    closure((uintptr_t)dlsym(RTLD_DEFAULT, "free"), 0);
    closure(1, 0);
}
END_TEST

START_TEST(a_plugin_travels_with_what_it_needs_in_the_order_of_loading)
{
    if (!have_cc()) return;
    build_with_library("b");
    uintptr_t value = value_of(opened("b/plug.so"));
    struct ppi_module_found *list = closure(value, 2);
    ck_assert_str_eq(list[0].info.path, path_of("b/libdep.so"));
    ck_assert_str_eq(list[0].info.alias, "libdep.so");
    ck_assert_str_eq(list[1].info.path, path_of("b/plug.so"));
    for (int i = 0; i < 2; i++) {
        struct stat s;
        ck_assert_int_eq(fstat(list[i].fd, &s), 0);
        ck_assert_uint_eq(list[i].info.bytes, (uint64_t)s.st_size);
        ck_assert_int_eq(list[i].inherited, 0);
        ck_assert_int_eq(list[i].info.linked, 0);
    }
    ppi_module_free(list, 2);
    ppi_module_note_inherited();
    list = closure(value, 2);
    ck_assert_int_eq(list[0].inherited && list[1].inherited, 1);
    ppi_module_free(list, 2);
}
END_TEST

START_TEST(a_file_that_was_moved_is_found_and_one_that_was_replaced_is_not_taken_for_it)
{
    if (!have_cc()) return;
    build("c", "plug", "1", "");
    uintptr_t value = value_of(opened("c/plug.so"));
    struct ppi_function_ref ref;
    ck_assert_int_eq(ppi_function_describe((pp_function)value, &ref), PP_OK);
    ck_assert_int_eq(shell("mv '%s/c/plug.so' '%s/c/moved.so'", folder, folder), 0);
    build("c", "plug", "2", "");
    struct ppi_module_found *list = closure(value, 1);
    unsigned char id[PPI_BUILD_ID_MAX];
    ck_assert_int_ge(list[0].fd, 0);
    ck_assert_int_eq(ppi_file_id(list[0].fd, id), ref.build_id_bytes);
    ck_assert_mem_eq(id, ref.build_id, (size_t)ref.build_id_bytes);
    ppi_module_free(list, 1);
    /* Without a name only the privileged can read it. */
    ck_assert_int_eq(shell("rm '%s/c/moved.so'", folder), 0);
    list = closure(value, 1);
    if (list[0].fd < 0)
        ck_assert_str_eq(list[0].why, "its file has been replaced by another build since it was opened");
    else
        ck_assert_int_eq(ppi_file_id(list[0].fd, id), ref.build_id_bytes);
    ppi_module_free(list, 1);
}
END_TEST

/* A list that lacks something would be worse than none. */
START_TEST(without_memory_there_is_no_list)
{
    if (!have_cc()) return;
    build_with_library("i");
    uintptr_t value = value_of(opened("i/plug.so"));
    int failures = 0;
    for (;; failures++) {
        struct ppi_module_found *list = NULL;
        size_t count = 0;
        calls_to_failure = failures + 1;
        int status = ppi_module_closure(value, &list, &count);
        int was_met = calls_to_failure == 0;
        calls_to_failure = 0;
        if (!was_met) {
            ck_assert_int_eq(status, PP_OK);
            ck_assert_uint_eq(count, 2);
            ppi_module_free(list, count);
            break;
        }
        ck_assert_int_eq(status, PP_ERR_NOMEM);
        ck_assert_ptr_null(list);
        ck_assert_uint_eq(count, 0);
    }
    ck_assert_int_gt(failures, 8);
}
END_TEST

/* ---- the table, images and loading: everything in this process, which has closed the plug-in again */

/* The whole way of a module that its holder does not have. */
static struct ppi_module_info send(uint32_t number, const struct ppi_module_found *found, const char *path)
{
    struct ppi_module_info info = found->info;
    if (path) snprintf(info.path, sizeof info.path, "%s", path);
    ck_assert_int_eq(ppi_module_offer(&store, number, &info), 0);
    ck_assert_int_eq(ppi_module_offer(&store, number, &info), -1); /* numbers have one meaning */
    ck_assert_int_eq(ppi_module_is_arriving(&store, number), 0);
    char *to = ppi_module_receive(&store, number);
    ck_assert_ptr_nonnull(to);
    ck_assert_int_eq(ppi_module_is_arriving(&store, number), 1);
    ck_assert_int_eq(pread(found->fd, to, info.bytes, 0), (ssize_t)info.bytes);
    ppi_module_arrived(&store, number);
    return info;
}

static int loaded_value(struct ppi_module_loader *loader, const struct ppi_function_ref *ref)
{
    pp_function fn;
    int status = ppi_module_load(loader, ref);
    ck_assert_msg(status == PP_OK, "%s", pp_last_error());
    ck_assert_int_eq(ppi_function_find_loaded(ref, &fn), PP_OK);
    return ((int (*)(void))(uintptr_t)fn)();
}

START_TEST(an_image_is_loaded_and_cannot_be_written_any_more)
{
    if (!have_cc()) return;
    struct ppi_module_loader loader = {.workspace = &workspace};
    build_with_library("d");
    struct ppi_function_ref ref;
    struct ppi_module_found *list = looked_at("d/plug.so", 2, &ref);
    ck_assert_int_eq(shell("mv '%s/d' '%s.d'", folder, folder), 0);
    send(3, &list[0], NULL);
    send(4, &list[1], NULL);
    ppi_module_free(list, 2);
    ref.travels = 1 + 4;
    ref.need_count = 1;
    ref.needs[0] = 3;
    ck_assert_int_eq(loaded_value(&loader, &ref), 15);
    ck_assert_int_eq(loaded_value(&loader, &ref), 15);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", ppi_module_entry(&workspace, 4)->fd);
    int fd = open(path, O_RDWR);
    if (fd >= 0) ck_assert_int_eq(write(fd, "x", 1), -1);
    ppi_module_loader_fini(&loader);
}
END_TEST

START_TEST(a_node_that_has_the_build_takes_its_own)
{
    if (!have_cc()) return;
    struct ppi_module_loader loader = {.workspace = &workspace};
    build("e", "plug", "7", "");
    struct ppi_function_ref ref;
    struct ppi_module_found *list = looked_at("e/plug.so", 1, &ref);
    ck_assert_int_eq(ppi_module_offer(&store, 0, &list[0].info), 1);
    ppi_module_free(list, 1);
    /* It keeps it, whatever becomes of its path. */
    ck_assert_int_eq(shell("rm '%s/e/plug.so'", folder), 0);
    build("e", "plug", "8", "");
    ref.travels = 1;
    ck_assert_int_eq(loaded_value(&loader, &ref), 7);
    ppi_module_loader_fini(&loader);
}
END_TEST

START_TEST(what_does_not_come_says_why)
{
    struct ppi_module_loader loader = {.workspace = &workspace};
    struct ppi_module_info info = {.build_id_bytes = 20, .bytes = 100, .path = "/no/where.so"};
    struct ppi_function_ref ref;
    memset(&ref, 0, sizeof ref);
    ref.build_id_bytes = 20;
    ck_assert_int_eq(ppi_module_offer(&store, 1023, &info), 0);
    ppi_module_fail(&store, 1023, PP_ERR_MODULE, "it was eaten");
    ref.travels = 1 + 1023;
    ck_assert_int_eq(ppi_module_load(&loader, &ref), PP_ERR_MODULE);
    ck_assert_str_eq(pp_last_error(), "module '/no/where.so' cannot be loaded: it was eaten");
    /* And so does what another one needs. */
    info.build_id[0] = 1;
    ck_assert_int_eq(ppi_module_offer(&store, 1, &info), 0);
    memset(ppi_module_receive(&store, 1), 0, 100);
    ppi_module_arrived(&store, 1);
    ref.travels = 1 + 1;
    ref.need_count = 1;
    ref.needs[0] = 1023;
    ck_assert_int_eq(ppi_module_load(&loader, &ref), PP_ERR_MODULE);
    ck_assert_str_eq(pp_last_error(), "module '/no/where.so' cannot be loaded: it was eaten");
    /* Rubbish is not even shown to the loader. */
    ref.need_count = 0;
    ck_assert_int_eq(ppi_module_load(&loader, &ref), PP_ERR_MODULE);
    ck_assert_str_eq(pp_last_error(), "module '/no/where.so' cannot be loaded: its image is another build");
    ppi_module_loader_fini(&loader);
}
END_TEST

START_TEST(the_loaders_words_are_told_to_the_end)
{
    if (!have_cc()) return;
    char deep[300];
    memset(deep, 'x', 200);
    strcpy(deep + 200, "/h");
    struct ppi_module_loader loader = {.workspace = &workspace};
    ck_assert_int_eq(shell("mkdir -p '%s/%s'", folder, deep), 0);
    build(deep, "plug", "helper()", "");
    build_helper("h", 1, "");
    void *helper = dlopen(path_of("h/libdep.so"), RTLD_LAZY | RTLD_GLOBAL);
    char file[500];
    snprintf(file, sizeof file, "%s/plug.so", deep);
    struct ppi_function_ref ref;
    struct ppi_module_found *list = looked_at(file, 1, &ref);
    ck_assert_int_eq(dlclose(helper), 0);
    ref.travels = 1 + 7;
    ppi_module_hold(&store, 7, &list[0].info, -1);
    ppi_module_free(list, 1);
    ck_assert_int_eq(ppi_module_load(&loader, &ref), PP_ERR_MODULE);
    const char *end = "/plug.so' cannot be loaded: undefined symbol: helper";
    ck_assert_str_eq(pp_last_error() + strlen(pp_last_error()) - strlen(end), end);
    ppi_module_loader_fini(&loader);
}
END_TEST

START_TEST(there_is_no_memory_for_the_largest)
{
    struct ppi_module_info info = {.build_id_bytes = 20, .bytes = (uint64_t)1 << 60, .path = "/no/where.so"};
    ck_assert_int_eq(ppi_module_offer(&store, 0, &info), 0);
    ck_assert_ptr_null(ppi_module_receive(&store, 0));
    const struct ppi_module_entry *entry = ppi_module_wait(&workspace, 0, NULL, NULL);
    ck_assert_int_eq(ppi_module_state(entry), PPI_MODULE_FAILED);
    ck_assert_int_eq(entry->status, PP_ERR_NOMEM);
    ck_assert_ptr_nonnull(strstr(entry->why, "no memory for its 1152921504606846976 bytes"));
}
END_TEST

START_TEST(where_no_file_can_be_opened_it_says_so)
{
    struct ppi_module_info info = {.build_id_bytes = 20, .bytes = 100, .path = "/no/where.so"};
    struct rlimit before, none;
    ck_assert_int_eq(ppi_module_offer(&store, 0, &info), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    void *memory = ppi_module_receive(&store, 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_ptr_null(memory);
    const struct ppi_module_entry *entry = ppi_module_wait(&workspace, 0, NULL, NULL);
    ck_assert_int_eq(entry->status, PP_ERR_NOMEM);
    ck_assert_str_eq(entry->why, "no memory for its 100 bytes: Too many open files");
}
END_TEST

static void *publish_later(void *arg)
{
    struct ppi_module_info info = {.build_id_bytes = 20, .bytes = 1, .path = "/no/where.so"};
    usleep(20000);
    ck_assert_int_eq(ppi_module_offer(&store, 5, &info), 0);
    usleep(20000);
    ppi_module_fail(&store, 5, PP_ERR_MODULE, "late");
    return arg;
}

START_TEST(who_waits_is_woken)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, publish_later, NULL), 0);
    const struct ppi_module_entry *entry = ppi_module_wait(&workspace, 5, NULL, NULL);
    ck_assert_str_eq(entry->why, "late");
    pthread_join(thread, NULL);
}
END_TEST

static int bring(void *ctx)
{
    int *calls = ctx;
    struct ppi_module_info info = {.build_id_bytes = 20, .bytes = 1, .path = "/no/where.so"};
    if (++*calls == 3) ppi_module_hold(&store, 6, &info, -1);
    return *calls % 2;
}

START_TEST(who_has_to_receive_it_is_called_meanwhile)
{
    int calls = 0;
    const struct ppi_module_entry *entry = ppi_module_wait(&workspace, 6, bring, &calls);
    ck_assert_int_eq(calls, 3);
    ck_assert_int_eq(ppi_module_state(entry), PPI_MODULE_READY);
    ck_assert_int_eq(entry->fd, -1);
}
END_TEST

START_TEST(a_library_is_found_by_a_name_that_it_was_given)
{
    if (!have_cc()) return;
    build_helper("f", 9, "");
    build("f", "plug", "helper()", "-L. -ldep");
    ck_assert_int_eq(shell("mv '%s/f/libdep.so' '%s/f/other.so'", folder, folder), 0);
    void *handle = dlopen(path_of("f/other.so"), RTLD_NOW | RTLD_LOCAL);
    ck_assert_ptr_nonnull(handle);
    ck_assert_ptr_null(dlopen(path_of("f/plug.so"), RTLD_NOW));
    void *called = ppi_module_call(path_of("f/other.so"), "libdep.so");
    ck_assert_msg(called != NULL, "%s", pp_last_error());
    void *plug = opened("f/plug.so");
    ck_assert_int_eq(((int (*)(void))(uintptr_t)value_of(plug))(), 9);
    /* It is in nobody's way afterwards. */
    dlclose(plug);
    dlclose(called);
    ck_assert_ptr_null(dlopen("libdep.so", RTLD_NOW | RTLD_NOLOAD));
}
END_TEST

/* The loader would take it for the file that was there before. */
START_TEST(what_a_descriptor_is_of_now_has_a_path_of_its_own)
{
    if (!have_cc()) return;
    static const char *const values[] = {"0", "1", "2"};
    char path[256], file[24];
    void *plug[3];
    int fd = open("/dev/null", O_RDONLY);
    for (int i = 0; i < 3; i++) {
        build("j", values[i], values[i], "");
        snprintf(file, sizeof file, "j/%d.so", i);
        int other = open(path_of(file), O_RDONLY);
        ck_assert_int_eq(dup2(other, fd), fd);
        close(other);
        ck_assert_int_eq(ppi_module_new_path("/proc/self/fd/", fd, path, sizeof path), 1);
        plug[i] = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        ck_assert_msg(plug[i] != NULL, "%s", dlerror());
    }
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(((int (*)(void))value_of(plug[i]))(), i);
    /* There is none for what is loaded, nor where there is no room. */
    ck_assert_int_eq(ppi_module_new_path("/proc/self/fd/", fd, path, sizeof path), 0);
    ck_assert_int_eq(dlclose(plug[2]), 0);
    ck_assert_int_eq(ppi_module_new_path("/proc/self/fd/", fd, path, sizeof path), 1);
    ck_assert_int_eq(ppi_module_new_path("/proc/self/fd/", fd, path, strlen("/proc/self/fd/")), 0);
}
END_TEST

START_TEST(descriptors_are_given_back)
{
    if (!have_cc()) return;
    build("g", "plug", "1", "");
    struct ppi_function_ref ref;
    struct ppi_module_found *list = looked_at("g/plug.so", 1, &ref);
    send(0, &list[0], "/no/where.so");
    int fd = ppi_module_entry(&workspace, 0)->fd;
    ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    ppi_module_store_fini(&store);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
    ppi_module_free(list, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("module");
    TCase *tests = tcase_create("module");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_file_has_the_id_that_it_has_when_it_is_loaded);
    tcase_add_test(tests, what_is_no_module_has_no_id_and_keeps_nobody_waiting);
    tcase_add_test(tests, the_program_and_the_system_do_not_travel);
    tcase_add_test(tests, a_plugin_travels_with_what_it_needs_in_the_order_of_loading);
    tcase_add_test(tests, a_file_that_was_moved_is_found_and_one_that_was_replaced_is_not_taken_for_it);
    tcase_add_test(tests, without_memory_there_is_no_list);
    tcase_add_test(tests, an_image_is_loaded_and_cannot_be_written_any_more);
    tcase_add_test(tests, a_node_that_has_the_build_takes_its_own);
    tcase_add_test(tests, what_does_not_come_says_why);
    tcase_add_test(tests, the_loaders_words_are_told_to_the_end);
    tcase_add_test(tests, there_is_no_memory_for_the_largest);
    tcase_add_test(tests, where_no_file_can_be_opened_it_says_so);
    tcase_add_test(tests, who_waits_is_woken);
    tcase_add_test(tests, who_has_to_receive_it_is_called_meanwhile);
    tcase_add_test(tests, a_library_is_found_by_a_name_that_it_was_given);
    tcase_add_test(tests, what_a_descriptor_is_of_now_has_a_path_of_its_own);
    tcase_add_test(tests, descriptors_are_given_back);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
