/* Functions as references that hold in other processes. Plug-ins are built with cc while the tests run; without a cc
 * these tests are skipped with a message. */
#include "base/status.h"
#include "function/function.h"
#include "function/module.h"
#include "unit/shell.h"
#include "unit/suite.h"

#include <check.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[256]; /* of the plug-ins, one per test */
static int ran;

static void static_body(pp_task *task)
{
    (void)task;
    ran = 1;
}

void public_body(pp_task *task);
void public_body(pp_task *task)
{
    (void)task;
    ran = 2;
}

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/test_function.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
    ck_assert_int_eq(shell("rm -rf '%s'", folder), 0);
}

/* Builds folder/name, whose task functions report through the int that the task pointer really is. */
static void build(const char *name, int version, const char *flags)
{
    char *slash, sub[300];
    snprintf(sub, sizeof sub, "%s/%s", folder, name);
    if ((slash = strrchr(sub, '/')) != NULL) *slash = '\0';
    ck_assert_int_eq(shell("mkdir -p '%s' && cd '%s' && echo '"
                           "int data = 1; static void hidden(int *out) { *out = %d; }"
                           "void body(int *out) { *out = 10 * %d; } void (*get_hidden(void))(int *) { return hidden; }"
                           "' >'%s/source.c' && cc -shared -fPIC -O1 %s -o '%s' '%s/source.c'",
                           sub, folder, version, version, sub, flags, name, sub), 0);
}

static void *open_plugin(const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(handle != NULL, "%s", dlerror());
    return handle;
}

static pp_function body_of(void *handle)
{
    return (pp_function)(uintptr_t)dlsym(handle, "body");
}

static pp_function hidden_of(void *handle)
{
    pp_function (*get)(void) = (pp_function(*)(void))(uintptr_t)dlsym(handle, "get_hidden");
    return get();
}

static int call(pp_function fn)
{
    int out = -1;
    fn((pp_task *)(void *)&out);
    return out;
}

static struct ppi_function_ref described(pp_function fn)
{
    struct ppi_function_ref ref;
    ck_assert_msg(ppi_function_describe(fn, &ref) == PP_OK, "%s", pp_last_error());
    return ref;
}

static pp_function found(const struct ppi_function_ref *ref)
{
    pp_function fn = NULL;
    ck_assert_msg(ppi_function_find(ref, &fn) == PP_OK, "%s", pp_last_error());
    return fn;
}

static void ck_not_found(const struct ppi_function_ref *ref, int status)
{
    pp_function fn = static_body;
    int got = ppi_function_find(ref, &fn);
    ck_assert_msg(got == status, "got %d (%s), not %d", got, pp_last_error(), status);
    ck_assert_int_eq(pp_last_error_code(), status);
    ck_assert(fn == static_body);
}

static void ck_not_described(const void *p, int status)
{
    struct ppi_function_ref ref, before;
    memset(&ref, 0x5a, sizeof ref);
    before = ref;
    ck_assert_int_eq(ppi_function_describe((pp_function)(uintptr_t)p, &ref), status);
    ck_assert_mem_eq(&ref, &before, sizeof ref);
    if (p != NULL) {
        char number[32];
        snprintf(number, sizeof number, "0x%lx", (unsigned long)(uintptr_t)p);
        ck_assert_msg(strstr(pp_last_error(), number) != NULL, "no %s in: %s", number, pp_last_error());
    }
}

static void ck_text_has(const char *part)
{
    ck_assert_msg(strstr(pp_last_error(), part) != NULL, "no '%s' in: %s", part, pp_last_error());
}

/* ---- Functions of the program -------------------------------------------------------------------------- */

START_TEST(functions_of_the_program_are_found)
{
    char program[1024] = "";
    ck_assert(readlink("/proc/self/exe", program, sizeof program - 1) > 0);
    struct ppi_function_ref ref = described(static_body), ref2 = described(public_body);
    ck_assert_int_eq(ref.executable, 1);
    ck_assert_str_eq(ref.module, program);
    ck_assert_int_ge(ref.build_id_bytes, 1);
    ck_assert_uint_ne(ref.offset, ref2.offset);
    ck_assert_mem_eq(ref.build_id, ref2.build_id, (size_t)ref.build_id_bytes);
    ck_assert(found(&ref) == static_body);
    ck_assert(found(&ref2) == public_body);
    found(&ref)(NULL);
    ck_assert_int_eq(ran, 1);
}
END_TEST

START_TEST(functions_of_libc_are_found)
{
    pp_function fn = (pp_function)(uintptr_t)dlsym(RTLD_DEFAULT, "free");
    struct ppi_function_ref ref = described(fn);
    ck_assert_int_eq(ref.executable, 0);
    ck_assert(ref.module[0] == '/');
    ck_assert(found(&ref) == fn);
}
END_TEST

/* Runs this program again, whose modules then lie elsewhere, and has it find and run the function. */
static int run_elsewhere(const struct ppi_function_ref *ref)
{
    char input[300];
    snprintf(input, sizeof input, "%s/ref", folder);
    int fd = open(input, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_eq(write(fd, ref, sizeof *ref), (ssize_t)sizeof *ref);
    close(fd);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        execl("/proc/self/exe", "test_function", "--find", input, (char *)NULL);
        _exit(127);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int find_main(const char *input)
{
    struct ppi_function_ref ref;
    pp_function fn;
    int out = 0, fd = open(input, O_RDONLY);
    if (read(fd, &ref, sizeof ref) != (ssize_t)sizeof ref) return 126;
    if (ppi_function_find(&ref, &fn) != PP_OK) {
        fprintf(stderr, "%s\n", pp_last_error());
        return 125;
    }
    fn((pp_task *)(void *)&out);
    return ran != 0 ? ran : out;
}

START_TEST(functions_are_found_in_another_process)
{
    for (int i = 0; i < 3; i++) {
        struct ppi_function_ref ref = described(static_body);
        ck_assert_int_eq(run_elsewhere(&ref), 1);
        ref = described(public_body);
        ck_assert_int_eq(run_elsewhere(&ref), 2);
    }
    if (!have_cc()) return;
    build("with.so", 3, "");
    build("without.so", 4, "-Wl,--build-id=none");
    struct ppi_function_ref ref = described(hidden_of(open_plugin("with.so")));
    ck_assert_int_eq(run_elsewhere(&ref), 3);
    ref = described(hidden_of(open_plugin("without.so")));
    ck_assert_int_eq(run_elsewhere(&ref), 4);
}
END_TEST

/* ---- What is no function ------------------------------------------------------------------------------- */

START_TEST(null_is_an_argument_error)
{
    ck_not_described(NULL, PP_ERR_ARG);
}
END_TEST

START_TEST(data_heap_and_stack_are_refused)
{
    static int data = 1, bss;
    int stack = data + bss;
    ck_not_described(&data, PP_ERR_FUNCTION);
    ck_text_has("points to data of '/");
    ck_not_described(&bss, PP_ERR_FUNCTION);
    ck_not_described(&stack, PP_ERR_FUNCTION);
    void *heap = malloc(64);
    ck_not_described(heap, PP_ERR_FUNCTION);
    ck_text_has("points into no program or shared library");
    free(heap);
    ck_not_described((void *)(uintptr_t)1, PP_ERR_FUNCTION);
    ck_not_described((void *)UINTPTR_MAX, PP_ERR_FUNCTION);
}
END_TEST

START_TEST(generated_code_is_refused)
{
    void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(code, MAP_FAILED);
    ck_not_described(code, PP_ERR_FUNCTION);
    ck_text_has("nested function");
    munmap(code, 4096);
}
END_TEST

START_TEST(the_vdso_is_refused)
{
    uintptr_t vdso = getauxval(AT_SYSINFO_EHDR);
    if (vdso == 0) return;
    ck_not_described((void *)(vdso + 256), PP_ERR_FUNCTION);
    ck_text_has("vdso");
}
END_TEST

static void ck_trampoline(pp_function fn)
{
    ck_not_described((void *)(uintptr_t)fn, PP_ERR_FUNCTION);
    ck_text_has("nested function");
    ck_assert_int_eq(call(fn), 6);
}

/* In a plug-in, since it makes the stack of whatever contains it executable. */
START_TEST(trampolines_are_refused)
{
    if (!have_cc()) return;
    if (shell("cd '%s' && echo 'void with_nested(void (*use)(void (*)(int *)))"
              "{ volatile int local = 5; void nested(int *out) { *out = ++local; } use(nested); }' >nest.c && "
              "cc -shared -fPIC -o nest.so nest.c 2>/dev/null", folder) != 0) {
        printf("skipped: cc has no nested functions\n");
        return;
    }
    char path[300];
    snprintf(path, sizeof path, "%s/nest.so", folder);
    void *handle = dlopen(path, RTLD_NOW);
    if (handle == NULL) {
        printf("skipped: %s\n", dlerror());
        return;
    }
    void (*with_nested)(void (*)(pp_function)) =
        (void (*)(void (*)(pp_function)))(uintptr_t)dlsym(handle, "with_nested");
    with_nested(ck_trampoline);
}
END_TEST

/* ---- Plug-ins ------------------------------------------------------------------------------------------ */

START_TEST(functions_of_a_plugin_are_found)
{
    if (!have_cc()) return;
    build("plug.so", 1, "");
    void *handle = open_plugin("plug.so");
    struct ppi_function_ref ref = described(body_of(handle)), hidden = described(hidden_of(handle));
    ck_assert_int_eq(ref.executable, 0);
    ck_assert(strncmp(ref.module, folder, strlen(folder)) == 0);
    ck_assert(found(&ref) == body_of(handle));
    ck_assert(found(&hidden) == hidden_of(handle));
    ck_not_described(dlsym(handle, "data"), PP_ERR_FUNCTION);
}
END_TEST

START_TEST(a_plugin_that_is_not_loaded_is_opened)
{
    if (!have_cc()) return;
    build("plug.so", 3, "");
    void *handle = open_plugin("plug.so");
    struct ppi_function_ref ref = described(body_of(handle)), hidden = described(hidden_of(handle));
    ck_assert_int_eq(dlclose(handle), 0);
    ck_assert_int_eq(call(found(&ref)), 30);
    ck_assert_int_eq(call(found(&hidden)), 3);
}
END_TEST

START_TEST(a_plugin_opened_by_a_relative_path_gets_an_absolute_one)
{
    if (!have_cc()) return;
    build("plug.so", 3, "");
    ck_assert_int_eq(chdir(folder), 0);
    void *handle = dlopen("./plug.so", RTLD_NOW);
    ck_assert_ptr_nonnull(handle);
    ck_assert_int_eq(chdir("/"), 0);
    struct ppi_function_ref ref = described(body_of(handle));
    char path[300];
    snprintf(path, sizeof path, "%s/plug.so", folder);
    ck_assert_str_eq(ref.module, path);
    ck_assert_int_eq(dlclose(handle), 0);
    ck_assert_int_eq(call(found(&ref)), 30);
}
END_TEST

START_TEST(a_module_that_moved_is_found_by_its_build_id)
{
    if (!have_cc()) return;
    build("plug.so", 3, "");
    void *handle = open_plugin("plug.so");
    struct ppi_function_ref ref = described(body_of(handle));
    ck_assert_int_eq(dlclose(handle), 0);
    ck_assert_int_eq(shell("cd '%s' && mv plug.so other.so", folder), 0);
    handle = open_plugin("other.so");
    ck_assert(found(&ref) == body_of(handle));
    ref.executable = 1; /* not even this counts */
    ck_assert(found(&ref) == body_of(handle));
}
END_TEST

static void two_versions(const char *flags)
{
    build("v1/plug.so", 1, flags);
    build("v2/plug.so", 2, flags);
    void *one = open_plugin("v1/plug.so"), *two = open_plugin("v2/plug.so");
    struct ppi_function_ref ref1 = described(body_of(one)), ref2 = described(body_of(two));
    ck_assert(ref1.build_id_bytes != ref2.build_id_bytes ||
              memcmp(ref1.build_id, ref2.build_id, (size_t)ref1.build_id_bytes) != 0);
    ck_assert_int_eq(call(found(&ref1)), 10);
    ck_assert_int_eq(call(found(&ref2)), 20);
    /* Another version of the same name being loaded is no hindrance. */
    ck_assert_int_eq(dlclose(two), 0);
    ck_assert_int_eq(call(found(&ref2)), 20);
    ck_assert_int_eq(call(found(&ref1)), 10);
}

START_TEST(two_versions_of_a_plugin_are_told_apart)
{
    if (!have_cc()) return;
    two_versions("");
}
END_TEST

START_TEST(two_versions_without_build_id_are_told_apart)
{
    if (!have_cc()) return;
    two_versions("-Wl,--build-id=none");
}
END_TEST

static void ck_text_has_both(const struct ppi_function_ref *a, const struct ppi_function_ref *b)
{
    char text[2 * PPI_BUILD_ID_MAX + 1];
    ppi_build_id_text(a->build_id, a->build_id_bytes, text);
    ck_text_has(text);
    ppi_build_id_text(b->build_id, b->build_id_bytes, text);
    ck_text_has(text);
}

START_TEST(another_version_alone_is_refused_with_both_build_ids)
{
    if (!have_cc()) return;
    build("v1/plug.so", 1, "");
    build("v2/plug.so", 2, "");
    void *one = open_plugin("v1/plug.so"), *two = open_plugin("v2/plug.so");
    struct ppi_function_ref ref1 = described(body_of(one)), ref2 = described(body_of(two));
    ck_assert_int_eq(dlclose(two), 0);
    ck_assert_int_eq(shell("rm '%s/v2/plug.so'", folder), 0);
    ck_not_found(&ref2, PP_ERR_FUNCTION);
    ck_text_has_both(&ref1, &ref2);
    ck_text_has("v1/plug.so");
    ck_text_has("v2/plug.so");
}
END_TEST

START_TEST(a_replaced_file_is_refused_with_both_build_ids)
{
    if (!have_cc()) return;
    build("v1/plug.so", 1, "");
    build("v2/plug.so", 2, "");
    void *one = open_plugin("v1/plug.so");
    struct ppi_function_ref ref1 = described(body_of(one));
    ck_assert_int_eq(dlclose(one), 0);
    ck_assert_int_eq(shell("cd '%s' && mv v2/plug.so v1/plug.so", folder), 0);
    ck_not_found(&ref1, PP_ERR_FUNCTION);
    /* It was not left loaded. */
    char path[300];
    snprintf(path, sizeof path, "%s/v1/plug.so", folder);
    ck_assert_ptr_null(dlopen(path, RTLD_NOW | RTLD_NOLOAD));
    struct ppi_function_ref ref2 = described(body_of(open_plugin("v1/plug.so")));
    ck_not_found(&ref1, PP_ERR_FUNCTION);
    ck_text_has_both(&ref1, &ref2);
}
END_TEST

START_TEST(a_missing_module_is_a_module_error)
{
    if (!have_cc()) return;
    build("only_here.so", 1, "");
    void *handle = open_plugin("only_here.so");
    struct ppi_function_ref ref = described(body_of(handle));
    ck_assert_int_eq(dlclose(handle), 0);
    ck_assert_int_eq(shell("rm '%s/only_here.so'", folder), 0);
    ck_not_found(&ref, PP_ERR_MODULE);
    ck_text_has("only_here.so");
    ck_text_has("No such file or directory");
}
END_TEST

START_TEST(a_module_without_build_id_is_known_by_its_contents)
{
    if (!have_cc()) return;
    build("plug.so", 5, "-Wl,--build-id=none");
    void *handle = open_plugin("plug.so");
    struct ppi_function_ref ref = described(body_of(handle));
    ck_assert_int_eq(ref.build_id_bytes, PPI_MODULE_HASH_BYTES);
    ck_assert(found(&ref) == body_of(handle));
    /* Elsewhere in memory, the same. */
    ck_assert_int_eq(dlclose(handle), 0);
    void *block = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(block, MAP_FAILED);
    ck_assert_int_eq(call(found(&ref)), 50);
    munmap(block, 1 << 20);
}
END_TEST

START_TEST(a_hash_is_not_kept_beyond_its_module)
{
    if (!have_cc()) return;
    unsigned char before[PPI_BUILD_ID_MAX] = {0};
    for (int version = 1; version <= 6; version++) {
        char name[32];
        snprintf(name, sizeof name, "plug%d.so", version);
        build(name, version, "-Wl,--build-id=none");
        void *handle = open_plugin(name);
        struct ppi_function_ref ref = described(body_of(handle));
        ck_assert_int_ne(memcmp(ref.build_id, before, PPI_MODULE_HASH_BYTES), 0);
        memcpy(before, ref.build_id, sizeof before);
        ck_assert_int_eq(call(found(&ref)), 10 * version);
        ck_assert_int_eq(dlclose(handle), 0);
    }
}
END_TEST

/* A linker that is told an id of just the length of our hash. */
START_TEST(a_build_id_is_never_taken_for_a_hash)
{
    if (!have_cc()) return;
    build("plug.so", 1, "-Wl,--build-id=0x0102030405060708091011121314151617");
    build("long.so", 2, "-Wl,--build-id=0x000102030405060708091011121314151617181920212223242526272829303132");
    build("short.so", 3, "-Wl,--build-id=0x01");
    void *handle = open_plugin("plug.so");
    struct ppi_function_ref ref = described(body_of(handle));
    ck_assert_int_eq(ref.build_id_bytes, PPI_MODULE_HASH_BYTES);
    ck_assert_uint_eq(ref.build_id[0], 0);
    ck_assert_int_eq(call(found(&ref)), 10);
    ref = described(body_of(open_plugin("long.so")));
    ck_assert_int_eq(ref.build_id_bytes, PPI_MODULE_HASH_BYTES);
    ck_assert_int_eq(call(found(&ref)), 20);
    ref = described(body_of(open_plugin("short.so")));
    ck_assert_int_eq(ref.build_id_bytes, 1);
    ck_assert_int_eq(call(found(&ref)), 30);
}
END_TEST

/* ---- References from strangers ------------------------------------------------------------------------- */

START_TEST(another_build_of_the_program_is_refused_with_both_build_ids)
{
    struct ppi_function_ref ref = described(static_body), other = ref;
    other.build_id[0] ^= 1;
    snprintf(other.module, sizeof other.module, "/opt/prog");
    ck_not_found(&other, PP_ERR_FUNCTION);
    ck_text_has_both(&ref, &other);
    ck_text_has("program '/opt/prog'");
    ck_text_has("run the same build on every node");
    other.build_id_bytes = ref.build_id_bytes - 1;
    memcpy(other.build_id, ref.build_id, sizeof other.build_id);
    ck_not_found(&other, PP_ERR_FUNCTION);
}
END_TEST

START_TEST(offsets_outside_of_the_code_are_refused)
{
    static int data;
    struct ppi_function_ref ref = described(static_body), bad = ref;
    uintptr_t base = (uintptr_t)static_body - (uintptr_t)ref.offset;
    const uint64_t offsets[] = {UINT64_MAX, UINT64_MAX - base, ref.offset + (1ull << 40), (uintptr_t)&data - base,
                                (uintptr_t)&offsets - base, (uint64_t)0 - base};
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        if (base == 0 && offsets[i] == ref.offset) continue;
        bad.offset = offsets[i];
        ck_not_found(&bad, PP_ERR_FUNCTION);
        ck_text_has("outside of the code");
    }
}
END_TEST

START_TEST(malformed_build_ids_are_refused)
{
    const int lengths[] = {0, -1, PPI_BUILD_ID_MAX + 1, 1000000, -2147483647 - 1};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct ppi_function_ref ref = described(static_body);
        ref.build_id_bytes = lengths[i];
        ck_not_found(&ref, PP_ERR_FUNCTION);
        ck_text_has("malformed");
    }
}
END_TEST

START_TEST(malformed_paths_are_refused)
{
    struct ppi_function_ref ref = described(static_body);
    memset(ref.module, 'a', sizeof ref.module);
    ck_not_found(&ref, PP_ERR_FUNCTION);
    ck_text_has("malformed");
    ref.build_id[0] ^= 1;
    ref.executable = 0;
    ref.module[0] = '\0'; /* for dlopen, the program */
    ck_not_found(&ref, PP_ERR_FUNCTION);
    ck_text_has("malformed");
    memset(ref.module, 'a', sizeof ref.module);
    ref.module[sizeof ref.module - 1] = '\0';
    ck_not_found(&ref, PP_ERR_MODULE);
    snprintf(ref.module, sizeof ref.module, "/etc/passwd"); /* no library */
    ck_not_found(&ref, PP_ERR_MODULE);
}
END_TEST

START_TEST(build_id_text_is_hexadecimal)
{
    unsigned char id[PPI_BUILD_ID_MAX] = {0x01, 0x23, 0xab, 0xff};
    char text[2 * PPI_BUILD_ID_MAX + 1] = "x";
    ppi_build_id_text(id, 4, text);
    ck_assert_str_eq(text, "0123abff");
    ppi_build_id_text(id, 0, text);
    ck_assert_str_eq(text, "");
    ppi_build_id_text(id, -1, text);
    ck_assert_str_eq(text, "");
    ppi_build_id_text(id, PPI_BUILD_ID_MAX + 10, text);
    ck_assert_uint_eq(strlen(text), 2 * PPI_BUILD_ID_MAX);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--find") == 0) return find_main(argv[2]);
    Suite *suite = suite_create("function");
    TCase *tests = tcase_create("function");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, functions_of_the_program_are_found);
    tcase_add_test(tests, functions_of_libc_are_found);
    tcase_add_test(tests, functions_are_found_in_another_process);
    tcase_add_test(tests, null_is_an_argument_error);
    tcase_add_test(tests, data_heap_and_stack_are_refused);
    tcase_add_test(tests, generated_code_is_refused);
    tcase_add_test(tests, the_vdso_is_refused);
    tcase_add_test(tests, trampolines_are_refused);
    tcase_add_test(tests, functions_of_a_plugin_are_found);
    tcase_add_test(tests, a_plugin_that_is_not_loaded_is_opened);
    tcase_add_test(tests, a_plugin_opened_by_a_relative_path_gets_an_absolute_one);
    tcase_add_test(tests, a_module_that_moved_is_found_by_its_build_id);
    tcase_add_test(tests, two_versions_of_a_plugin_are_told_apart);
    tcase_add_test(tests, two_versions_without_build_id_are_told_apart);
    tcase_add_test(tests, another_version_alone_is_refused_with_both_build_ids);
    tcase_add_test(tests, a_replaced_file_is_refused_with_both_build_ids);
    tcase_add_test(tests, a_missing_module_is_a_module_error);
    tcase_add_test(tests, a_module_without_build_id_is_known_by_its_contents);
    tcase_add_test(tests, a_hash_is_not_kept_beyond_its_module);
    tcase_add_test(tests, a_build_id_is_never_taken_for_a_hash);
    tcase_add_test(tests, another_build_of_the_program_is_refused_with_both_build_ids);
    tcase_add_test(tests, offsets_outside_of_the_code_are_refused);
    tcase_add_test(tests, malformed_build_ids_are_refused);
    tcase_add_test(tests, malformed_paths_are_refused);
    tcase_add_test(tests, build_id_text_is_hexadecimal);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
