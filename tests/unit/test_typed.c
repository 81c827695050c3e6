/* Typed tasks over a fake farm of one process: a submission runs its task at once, on a copy of the arguments that has
 * exactly their size, so that a sanitizer sees every byte too many. */
#include "api/abort.h"
#include "base/status.h"
#include "unit/suite.h"

#include <check.h>
#include <complex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---- The fake farm ------------------------------------------------------------------------------------- */

struct pp_task {
    unsigned char *args, *result;
    size_t bytes, result_bytes;
    int status, code;
    char message[512];
    pp_function function;
};

static struct pp_task record[64]; /* future id = index */
static unsigned submissions;
static pp_submit_options last_options;
static int with_options, fail_next_submission;
static struct pp_task *current;
static jmp_buf aborted;
static char abort_message[2048];

static void fresh_farm(void)
{
    for (unsigned i = 1; i <= submissions; i++) {
        free(record[i].args);
        free(record[i].result);
    }
    memset(record, 0, sizeof record);
    submissions = 0;
    ppi_error_clear();
}

static pp_server *server(void)
{
    static int anything;
    return (pp_server *)(void *)&anything;
}

static unsigned char *exact_copy(const void *data, size_t bytes)
{
    unsigned char *p = malloc(bytes > 0 ? bytes : 1);
    ck_assert_ptr_nonnull(p);
    if (bytes > 0) memcpy(p, data, bytes);
    return p;
}

static void run(struct pp_task *task)
{
    current = task;
    task->function(task);
    current = NULL;
}

pp_future pp_submit_with(pp_server *s, pp_function fn, const void *args, size_t bytes, const pp_submit_options *options)
{
    if (s == NULL || fail_next_submission) {
        fail_next_submission = 0;
        ppi_error(PP_ERR_ARG, "the fake farm refuses");
        return (pp_future){0};
    }
    ck_assert(args != NULL || bytes == 0);
    ck_assert_uint_lt(submissions + 1, sizeof record / sizeof record[0]);
    with_options = options != NULL;
    if (with_options) last_options = *options;
    struct pp_task *task = &record[++submissions];
    task->args = exact_copy(args, bytes);
    task->bytes = bytes;
    task->function = fn;
    run(task);
    return (pp_future){submissions};
}

const void *pp_task_args(const pp_task *task, size_t *bytes)
{
    *bytes = task->bytes;
    return task->args;
}

void *pp_task_result(pp_task *task, size_t bytes)
{
    unsigned char *p = realloc(task->result, bytes > 0 ? bytes : 1);
    ck_assert_ptr_nonnull(p);
    task->result = p;
    task->result_bytes = bytes;
    return p;
}

void pp_task_fail(pp_task *task, int code, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(task->message, sizeof task->message, format, list);
    va_end(list);
    task->status = PP_ERR_TASK;
    task->code = code;
}

pp_task *pp_task_current(void)
{
    return current;
}

int pp_result(pp_future f, const void **data, size_t *bytes)
{
    if (f.id == 0 || f.id > submissions || record[f.id].args == NULL) return ppi_error(PP_ERR_HANDLE, "no such future");
    if (record[f.id].status != PP_OK) return ppi_error(record[f.id].status, "%s", record[f.id].message);
    *data = record[f.id].result;
    *bytes = record[f.id].result_bytes;
    return PP_OK;
}

int pp_release(pp_future f)
{
    if (f.id == 0 || f.id > submissions || record[f.id].args == NULL) return ppi_error(PP_ERR_HANDLE, "no such future");
    free(record[f.id].args);
    free(record[f.id].result);
    memset(&record[f.id], 0, sizeof record[f.id]);
    return PP_OK;
}

int pp_fetch(pp_future f, void *result, size_t bytes)
{
    const void *data = NULL;
    size_t there = 0;
    int status = pp_result(f, &data, &there);
    if (status != PP_OK) return status;
    if (there != bytes) return ppi_error(PP_ERR_SIZE, "the result has %zu bytes, not %zu", there, bytes);
    if (bytes > 0) memcpy(result, data, bytes);
    return pp_release(f);
}

_Noreturn void ppi_abort_job(const char *message)
{
    snprintf(abort_message, sizeof abort_message, "%s", message);
    longjmp(aborted, 1);
}

/* Runs the task of a future again on other arguments, as if a stranger had sent them. */
static void rerun(pp_future f, const void *args, size_t bytes)
{
    struct pp_task *task = &record[f.id];
    unsigned char *copy = exact_copy(args, bytes);
    free(task->args);
    free(task->result);
    task->result = NULL;
    task->result_bytes = 0;
    task->status = task->code = 0;
    task->args = copy;
    task->bytes = bytes;
    run(task);
}

/* ---- Tasks --------------------------------------------------------------------------------------------- */

static int calls;

static int n0(void) { return 42; }
static int n1(int a) { return a; }
static int n2(int a, int b) { return a + 2 * b; }
static int n3(int a, int b, int c) { return n2(a, b) + 3 * c; }
static int n4(int a, int b, int c, int d) { return n3(a, b, c) + 4 * d; }
static int n5(int a, int b, int c, int d, int e) { return n4(a, b, c, d) + 5 * e; }
static int n6(int a, int b, int c, int d, int e, int f) { return n5(a, b, c, d, e) + 6 * f; }
static int n7(int a, int b, int c, int d, int e, int f, int g) { return n6(a, b, c, d, e, f) + 7 * g; }
static int n8(int a, int b, int c, int d, int e, int f, int g, int h) { return n7(a, b, c, d, e, f, g) + 8 * h; }
static int n9(int a, int b, int c, int d, int e, int f, int g, int h, int i)
{
    return n8(a, b, c, d, e, f, g, h) + 9 * i;
}
static int n10(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j)
{
    return n9(a, b, c, d, e, f, g, h, i) + 10 * j;
}
static int n11(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j, int k)
{
    return n10(a, b, c, d, e, f, g, h, i, j) + 11 * k;
}
static int n12(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j, int k, int l)
{
    return n11(a, b, c, d, e, f, g, h, i, j, k) + 12 * l;
}
PP_TASK(int, n0)
PP_TASK(int, n1, int)
PP_TASK(int, n2, int, int)
PP_TASK(int, n3, int, int, int)
PP_TASK(int, n4, int, int, int, int)
PP_TASK(int, n5, int, int, int, int, int)
PP_TASK(int, n6, int, int, int, int, int, int)
PP_TASK(int, n7, int, int, int, int, int, int, int)
PP_TASK(int, n8, int, int, int, int, int, int, int, int)
PP_TASK(int, n9, int, int, int, int, int, int, int, int, int)
PP_TASK(int, n10, int, int, int, int, int, int, int, int, int, int)
PP_TASK(int, n11, int, int, int, int, int, int, int, int, int, int, int)
PP_TASK(int, n12, int, int, int, int, int, int, int, int, int, int, int, int)

static void v0(void) { calls++; }
static void v1(int a) { calls += a; }
static void v12(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j, int k, int l)
{
    calls += n12(a, b, c, d, e, f, g, h, i, j, k, l);
}
PP_TASK_VOID(v0)
PP_TASK_VOID(v1, int)
PP_TASK_VOID(v12, int, int, int, int, int, int, int, int, int, int, int, int)

/* For each arithmetic type a function that returns what it was given. */
#define IDENTITY(T, name) \
    static T name(char before, T value, char after) \
    { \
        ck_assert_int_eq(before, 'b'); \
        ck_assert_int_eq(after, 'a'); \
        return value; \
    } \
    PP_TASK(T, name, char, T, char)
IDENTITY(_Bool, id_bool)
IDENTITY(char, id_char)
IDENTITY(signed char, id_schar)
IDENTITY(unsigned char, id_uchar)
IDENTITY(short, id_short)
IDENTITY(unsigned short, id_ushort)
IDENTITY(int, id_int)
IDENTITY(unsigned, id_unsigned)
IDENTITY(long, id_long)
IDENTITY(unsigned long, id_ulong)
IDENTITY(long long, id_llong)
IDENTITY(unsigned long long, id_ullong)
IDENTITY(float, id_float)
IDENTITY(double, id_double)
IDENTITY(long double, id_ldouble)
IDENTITY(float complex, id_cfloat)
IDENTITY(double complex, id_cdouble)
IDENTITY(long double complex, id_cldouble)

enum color { RED, GREEN = 7, BLUE = -3 };
union number {
    int i;
    double d;
};
struct point {
    char tag;
    double x;
    short s[3];
};
struct big {
    double values[1000];
};
IDENTITY(enum color, id_enum)
IDENTITY(struct point, id_struct)
IDENTITY(struct big, id_big)
IDENTITY(union number, id_union)

static double constants(const int i, const struct point p, const double d) { return i + p.x + d; }
PP_TASK(double, constants, const int, const struct point, const double)

/* Concatenation, with what lies between. */
static pp_bytes join(pp_bytes a, int n, const pp_bytes b, char c, pp_bytes d)
{
    static char text[8192];
    size_t used = 0;
    const pp_bytes all[] = {a, b, d};
    for (int i = 0; i < 3; i++) {
        ck_assert_ptr_nonnull(all[i].data);
        ck_assert_uint_eq(((size_t)((const unsigned char *)all[i].data - current->args)) % PP_TYPED_ALIGN, 0);
        memcpy(text + used, all[i].data, all[i].size);
        used += all[i].size;
    }
    used += (size_t)snprintf(text + used, 64, "%d%c", n, c);
    return (pp_bytes){text, used};
}
PP_TASK(pp_bytes, join, pp_bytes, int, const pp_bytes, char, pp_bytes)

static size_t length(pp_bytes b) { return b.size; }
PP_TASK(size_t, length, pp_bytes)
static int first12(pp_bytes a, pp_bytes b, pp_bytes c, pp_bytes d, pp_bytes e, pp_bytes f, pp_bytes g, pp_bytes h,
                   pp_bytes i, pp_bytes j, pp_bytes k, pp_bytes l)
{
    const pp_bytes all[] = {a, b, c, d, e, f, g, h, i, j, k, l};
    int ok = 1;
    for (int n = 0; n < 12; n++) ok = ok && all[n].size == (size_t)n + 1 && *(const char *)all[n].data == 'a' + n;
    return ok;
}
PP_TASK(int, first12, pp_bytes, pp_bytes, pp_bytes, pp_bytes, pp_bytes, pp_bytes, pp_bytes, pp_bytes, pp_bytes, pp_bytes,
        pp_bytes, pp_bytes)
static void swallow(pp_bytes b) { calls += (int)b.size; }
PP_TASK_VOID(swallow, pp_bytes)
static pp_bytes strange(int kind)
{
    static const char none = 0;
    return kind == 0 ? (pp_bytes){NULL, 0} : kind == 1 ? (pp_bytes){NULL, 5} : (pp_bytes){&none, 0};
}
PP_TASK(pp_bytes, strange, int)
static pp_bytes echo(int before, pp_bytes b)
{
    calls += before;
    return b;
}
PP_TASK(pp_bytes, echo, int, pp_bytes)

static int failing(int code)
{
    pp_task_fail(pp_task_current(), code, "code %d", code);
    return 1;
}
PP_TASK(int, failing, int)
static void failing_void(void) { pp_task_fail(pp_task_current(), 3, "void code"); }
PP_TASK_VOID(failing_void)
static pp_bytes failing_bytes(void)
{
    pp_task_fail(pp_task_current(), 4, "bytes code");
    return (pp_bytes){NULL, 0};
}
PP_TASK(pp_bytes, failing_bytes)

/* ---- Tests --------------------------------------------------------------------------------------------- */

START_TEST(every_number_of_parameters_arrives_in_order)
{
    pp_server *s = server();
    ck_assert_int_eq(PP_FETCH(n0, PP_SUBMIT(s, n0)), n0());
    ck_assert_int_eq(PP_FETCH(n1, PP_SUBMIT(s, n1, 9)), n1(9));
    ck_assert_int_eq(PP_FETCH(n2, PP_SUBMIT(s, n2, 9, 8)), n2(9, 8));
    ck_assert_int_eq(PP_FETCH(n3, PP_SUBMIT(s, n3, 9, 8, 7)), n3(9, 8, 7));
    ck_assert_int_eq(PP_FETCH(n4, PP_SUBMIT(s, n4, 9, 8, 7, 6)), n4(9, 8, 7, 6));
    ck_assert_int_eq(PP_FETCH(n5, PP_SUBMIT(s, n5, 9, 8, 7, 6, 5)), n5(9, 8, 7, 6, 5));
    ck_assert_int_eq(PP_FETCH(n6, PP_SUBMIT(s, n6, 9, 8, 7, 6, 5, 4)), n6(9, 8, 7, 6, 5, 4));
    ck_assert_int_eq(PP_FETCH(n7, PP_SUBMIT(s, n7, 9, 8, 7, 6, 5, 4, 3)), n7(9, 8, 7, 6, 5, 4, 3));
    ck_assert_int_eq(PP_FETCH(n8, PP_SUBMIT(s, n8, 9, 8, 7, 6, 5, 4, 3, 2)), n8(9, 8, 7, 6, 5, 4, 3, 2));
    ck_assert_int_eq(PP_FETCH(n9, PP_SUBMIT(s, n9, 9, 8, 7, 6, 5, 4, 3, 2, 1)), n9(9, 8, 7, 6, 5, 4, 3, 2, 1));
    ck_assert_int_eq(PP_FETCH(n10, PP_SUBMIT(s, n10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 11)),
                     n10(9, 8, 7, 6, 5, 4, 3, 2, 1, 11));
    ck_assert_int_eq(PP_FETCH(n11, PP_SUBMIT(s, n11, 9, 8, 7, 6, 5, 4, 3, 2, 1, 11, 13)),
                     n11(9, 8, 7, 6, 5, 4, 3, 2, 1, 11, 13));
    ck_assert_int_eq(PP_FETCH(n12, PP_SUBMIT(s, n12, 9, 8, 7, 6, 5, 4, 3, 2, 1, 11, 13, 17)),
                     n12(9, 8, 7, 6, 5, 4, 3, 2, 1, 11, 13, 17));
    calls = 0;
    PP_FETCH(v0, PP_SUBMIT(s, v0));
    PP_FETCH(v1, PP_SUBMIT(s, v1, 5));
    PP_FETCH(v12, PP_SUBMIT(s, v12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
    ck_assert_int_eq(calls, 1 + 5 + n12(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
}
END_TEST

#define SAME(T, name, ...) \
    do { \
        const T values[] = {__VA_ARGS__}; \
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) \
            ck_assert(PP_FETCH(name, PP_SUBMIT(server(), name, 'b', values[i], 'a')) == values[i]); \
        fresh_farm(); \
    } while (0)

START_TEST(every_arithmetic_type_arrives_and_returns)
{
    SAME(_Bool, id_bool, false, true);
    SAME(char, id_char, 0, 'x', 127);
    SAME(signed char, id_schar, -128, 127);
    SAME(unsigned char, id_uchar, 0, 255);
    SAME(short, id_short, -32768, 32767);
    SAME(unsigned short, id_ushort, 65535);
    SAME(int, id_int, -2147483647 - 1, 2147483647);
    SAME(unsigned, id_unsigned, 4294967295u);
    SAME(long, id_long, -9223372036854775807L - 1);
    SAME(unsigned long, id_ulong, 18446744073709551615ul);
    SAME(long long, id_llong, -9223372036854775807LL - 1);
    SAME(unsigned long long, id_ullong, 18446744073709551615ull);
    SAME(float, id_float, 1.5f, -3e38f);
    SAME(double, id_double, 1.0 / 3, -1e308);
    SAME(long double, id_ldouble, 1.0L / 3, -1e4000L);
    SAME(float complex, id_cfloat, 1.5f + 2.5f * I);
    SAME(double complex, id_cdouble, 1.0 / 3 - 2.5 * I);
    SAME(long double complex, id_cldouble, 1.0L / 3 + 1.0L / 7 * I);
    SAME(enum color, id_enum, RED, GREEN, BLUE);
}
END_TEST

START_TEST(structs_travel_by_value)
{
    pp_server *s = server();
    struct point p = {'p', 2.5, {1, 2, 3}};
    struct point q = PP_FETCH(id_struct, PP_SUBMIT(s, id_struct, 'b', p, 'a'));
    ck_assert(q.tag == 'p' && q.x == 2.5 && q.s[0] == 1 && q.s[2] == 3);
    q = PP_FETCH(id_struct, PP_SUBMIT(s, id_struct, 'b', (struct point){'q', 1, {4, 5, 6}}, 'a'));
    ck_assert(q.tag == 'q' && q.s[2] == 6);
    struct big big;
    for (int i = 0; i < 1000; i++) big.values[i] = i;
    struct big back = PP_FETCH(id_big, PP_SUBMIT(s, id_big, 'b', big, 'a'));
    ck_assert_mem_eq(&back, &big, sizeof big);
    union number u = PP_FETCH(id_union, PP_SUBMIT(s, id_union, 'b', (union number){.d = 0.5}, 'a'));
    ck_assert(u.d == 0.5);
    ck_assert(PP_FETCH(constants, PP_SUBMIT(s, constants, 1, p, 0.25)) == 3.75);
}
END_TEST

START_TEST(arguments_are_converted_as_in_the_call)
{
    pp_server *s = server();
    int minus_one = -1, low_byte_zero = 256;
    short small = -7;
    ck_assert(PP_FETCH(id_double, PP_SUBMIT(s, id_double, 98, 7, 97)) == 7.0);
    ck_assert(PP_FETCH(id_double, PP_SUBMIT(s, id_double, 'b', 0.5f, 'a')) == 0.5);
    ck_assert(PP_FETCH(id_cdouble, PP_SUBMIT(s, id_cdouble, 'b', 3, 'a')) == 3.0);
    ck_assert(PP_FETCH(id_bool, PP_SUBMIT(s, id_bool, 'b', low_byte_zero, 'a')));
    ck_assert_int_eq(PP_FETCH(id_llong, PP_SUBMIT(s, id_llong, 'b', minus_one, 'a')), -1);
    ck_assert_int_eq(PP_FETCH(n1, PP_SUBMIT(s, n1, small)), -7);
    ck_assert_int_eq(PP_FETCH(n1, PP_SUBMIT(s, n1, 'x')), 'x');
}
END_TEST

START_TEST(arguments_are_evaluated_once)
{
    pp_server *s = server();
    int i = 1;
    pp_future f[3], *next = f;
    *next++ = PP_SUBMIT(s, n1, i++);
    *next++ = PP_SUBMIT_WITH(s, NULL, n1, i++);
    *next++ = PP_SUBMIT(s, length, ((pp_bytes){&i, (size_t)i++}));
    ck_assert_int_eq(i, 4);
    next = f;
    ck_assert_int_eq(PP_FETCH(n1, *next++), 1);
    int r[2], *out = r;
    ck_assert_int_eq(PP_TRY_FETCH(n1, *next++, out++), PP_OK);
    ck_assert_ptr_eq(out, r + 1);
    ck_assert_int_eq(r[0], 2);
    ck_assert_uint_eq(PP_FETCH(length, *next++), 3);
}
END_TEST

START_TEST(calls_nest)
{
    pp_server *s = server();
    ck_assert_int_eq(PP_FETCH(n2, PP_SUBMIT(s, n2, PP_FETCH(n1, PP_SUBMIT(s, n1, 3)), PP_FETCH(n0, PP_SUBMIT(s, n0)))), 87);
}
END_TEST

START_TEST(options_arrive)
{
    pp_submit_options options = PP_SUBMIT_OPTIONS_INIT;
    options.priority = 17;
    PP_SUBMIT_WITH(server(), &options, n0);
    ck_assert(with_options && last_options.priority == 17);
    options.priority = 18;
    PP_SUBMIT_WITH(server(), &options, n2, 1, 2);
    ck_assert(with_options && last_options.priority == 18);
    options.priority = 19;
    PP_SUBMIT_WITH(server(), &options, length, (pp_bytes){"abc", 3});
    ck_assert(with_options && last_options.priority == 19);
    PP_SUBMIT(server(), n2, 1, 2);
    ck_assert(!with_options);
}
END_TEST

/* Leaves garbage where the next call has its variables. */
static int __attribute__((noinline)) dirty_stack(int value)
{
    volatile unsigned char garbage[4096];
    for (size_t i = 0; i < sizeof garbage; i++) garbage[i] = (unsigned char)value;
    return garbage[value];
}

START_TEST(no_uninitialised_bytes_travel)
{
    pp_server *s = server();
    dirty_stack(0xa5);
    pp_future f = PP_SUBMIT(s, id_double, 'b', 1.5, 'a');
    dirty_stack(0x5a);
    pp_future g = PP_SUBMIT(s, id_double, 'b', 1.5, 'a');
    ck_assert_uint_eq(record[f.id].bytes, 24);
    ck_assert_mem_eq(record[f.id].args, record[g.id].args, 24);
    for (int i = 1; i < 8; i++) ck_assert(record[f.id].args[i] == 0 && record[f.id].args[16 + i] == 0);

    dirty_stack(0xa5);
    f = PP_SUBMIT(s, id_cldouble, 'b', 1.5L + 2.5L * I, 'a');
    dirty_stack(0x5a);
    g = PP_SUBMIT(s, id_cldouble, 'b', 1.5L + 2.5L * I, 'a');
    ck_assert_mem_eq(record[f.id].args, record[g.id].args, record[f.id].bytes);
    ck_assert_mem_eq(record[f.id].result, record[g.id].result, sizeof(long double complex));

    /* Between the fixed part and the bytes, too. */
    f = PP_SUBMIT(s, join, (pp_bytes){"x", 1}, 1, (pp_bytes){"yy", 2}, 'c', (pp_bytes){"zzz", 3});
    g = PP_SUBMIT(s, join, (pp_bytes){"x", 1}, 1, (pp_bytes){"yy", 2}, 'c', (pp_bytes){"zzz", 3});
    ck_assert_mem_eq(record[f.id].args, record[g.id].args, record[f.id].bytes);
}
END_TEST

START_TEST(bytes_travel_in_any_position)
{
    pp_server *s = server();
    char large[3000];
    memset(large, 'L', sizeof large);
    pp_bytes r = PP_FETCH(join, PP_SUBMIT(s, join, (pp_bytes){"one", 3}, -7, (pp_bytes){"three", 5}, '!',
                                          (pp_bytes){"four", 4}));
    ck_assert_uint_eq(r.size, 15);
    ck_assert_mem_eq(r.data, "onethreefour-7!", 15);
    pp_bytes_free(r);
    /* Longer than what is encoded on the stack, and empty ones. */
    r = PP_FETCH(join, PP_SUBMIT(s, join, (pp_bytes){NULL, 0}, 1, (pp_bytes){large, sizeof large}, '.', (pp_bytes){"", 0}));
    ck_assert_uint_eq(r.size, sizeof large + 2);
    ck_assert_mem_eq(r.data, large, sizeof large);
    pp_bytes_free(r);

    pp_bytes b[12];
    char letters[12][12];
    for (int i = 0; i < 12; i++) {
        memset(letters[i], 'a' + i, 12);
        b[i] = (pp_bytes){letters[i], (size_t)i + 1};
    }
    ck_assert_int_eq(PP_FETCH(first12, PP_SUBMIT(s, first12, b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9],
                                                 b[10], b[11])), 1);
    calls = 0;
    PP_FETCH(swallow, PP_SUBMIT(s, swallow, b[4]));
    ck_assert_int_eq(calls, 5);
}
END_TEST

START_TEST(every_length_of_bytes_around_the_small_call)
{
    static char data[2100];
    for (size_t n = 0; n < sizeof data; n += n < 960 || n > 1060 ? 37 : 1) {
        ck_assert_uint_eq(PP_FETCH(length, PP_SUBMIT(server(), length, (pp_bytes){data, n})), n);
        fresh_farm();
    }
}
END_TEST

START_TEST(bytes_results)
{
    pp_server *s = server();
    pp_bytes r = PP_FETCH(strange, PP_SUBMIT(s, strange, 0));
    ck_assert(r.size == 0 && r.data == NULL);
    pp_bytes_free(r);
    r = PP_FETCH(strange, PP_SUBMIT(s, strange, 2));
    ck_assert_uint_eq(r.size, 0);
    pp_bytes_free(r);
    pp_future f = PP_SUBMIT(s, strange, 1);
    r.size = 77;
    ck_assert_int_eq(PP_TRY_FETCH(strange, f, &r), PP_ERR_TASK);
    ck_assert_uint_eq(r.size, 77);
    ck_assert_int_eq(record[f.id].code, PP_ERR_ARG);
    ck_assert_str_eq(record[f.id].message, "strange: the result has 5 bytes, but its data is NULL");
    r = PP_FETCH(echo, PP_SUBMIT(s, echo, 1, (pp_bytes){"a parameter as the result", 25}));
    ck_assert_uint_eq(r.size, 25);
    ck_assert_mem_eq(r.data, "a parameter as the result", 25);
    pp_bytes_free(r);
}
END_TEST

START_TEST(bytes_without_data_are_an_argument_error)
{
    pp_future f = PP_SUBMIT(server(), join, (pp_bytes){"a", 1}, 1, (pp_bytes){NULL, 5}, 'c', (pp_bytes){"b", 1});
    ck_assert_uint_eq(f.id, 0);
    ck_assert_int_eq(pp_last_error_code(), PP_ERR_ARG);
    ck_assert_str_eq(pp_last_error(), "PP_SUBMIT of join: argument 3 has 5 bytes, but its data is NULL");
    f = PP_SUBMIT(server(), length, (pp_bytes){"a", (size_t)-3});
    ck_assert_uint_eq(f.id, 0);
    ck_assert_int_eq(pp_last_error_code(), PP_ERR_ARG);
    ck_assert_uint_eq(submissions, 0);
}
END_TEST

START_TEST(failed_submission_gives_the_null_future)
{
    fail_next_submission = 1;
    ck_assert_uint_eq(PP_SUBMIT(server(), n1, 1).id, 0);
    fail_next_submission = 1;
    ck_assert_uint_eq(PP_SUBMIT(server(), length, (pp_bytes){"a", 1}).id, 0);
    ck_assert_uint_eq(PP_SUBMIT(NULL, n0).id, 0);
    ck_assert_str_eq(pp_last_error(), "the fake farm refuses");
}
END_TEST

START_TEST(try_fetch_keeps_a_failed_future_and_the_output)
{
    pp_server *s = server();
    pp_future f = PP_SUBMIT(s, failing, 5);
    int r = 77;
    ck_assert_int_eq(PP_TRY_FETCH(failing, f, &r), PP_ERR_TASK);
    ck_assert_int_eq(PP_TRY_FETCH(failing, f, &r), PP_ERR_TASK);
    ck_assert_int_eq(r, 77);
    ck_assert_str_eq(pp_last_error(), "code 5");
    ck_assert_int_eq(pp_release(f), PP_OK);
    ck_assert_int_eq(PP_TRY_FETCH(failing, f, &r), PP_ERR_HANDLE);

    ck_assert_int_eq(PP_TRY_FETCH(failing_void, PP_SUBMIT(s, failing_void), NULL), PP_ERR_TASK);
    pp_bytes b = {"x", 1};
    ck_assert_int_eq(PP_TRY_FETCH(failing_bytes, PP_SUBMIT(s, failing_bytes), &b), PP_ERR_TASK);
    ck_assert_uint_eq(b.size, 1);

    ck_assert_int_eq(PP_TRY_FETCH(v0, PP_SUBMIT(s, v0), NULL), PP_OK);
    f = PP_SUBMIT(s, n1, 6);
    ck_assert_int_eq(PP_TRY_FETCH(n1, f, NULL), PP_ERR_ARG);
    ck_assert_int_eq(PP_TRY_FETCH(n1, f, &r), PP_OK);
    ck_assert_int_eq(r, 6);
    ck_assert_int_eq(PP_TRY_FETCH(n1, f, &r), PP_ERR_HANDLE);
    f = PP_SUBMIT(s, strange, 0);
    ck_assert_int_eq(PP_TRY_FETCH(strange, f, &b), PP_OK);
    ck_assert_int_eq(PP_TRY_FETCH(strange, f, &b), PP_ERR_HANDLE);
}
END_TEST

START_TEST(a_result_of_another_function_is_a_size_error)
{
    pp_future f = PP_SUBMIT(server(), id_double, 'b', 1.5, 'a');
    int r = 5;
    ck_assert_int_eq(PP_TRY_FETCH(n1, f, &r), PP_ERR_SIZE);
    ck_assert_int_eq(r, 5);
    ck_assert(PP_FETCH(id_double, f) == 1.5);
}
END_TEST

#define ABORTS_WITH(expression, text) \
    do { \
        abort_message[0] = '\0'; \
        if (setjmp(aborted) == 0) { \
            (void)(expression); \
            ck_abort_msg("did not abort"); \
        } \
        ck_assert_str_eq(abort_message, text); \
    } while (0)

START_TEST(fetch_of_a_failed_task_aborts_with_its_message)
{
    pp_future f = PP_SUBMIT(server(), failing, 5);
    ABORTS_WITH(PP_FETCH(failing, f), "PP_FETCH(failing, …): the task failed: code 5");
    f = PP_SUBMIT(server(), failing_void);
    ABORTS_WITH(PP_FETCH(failing_void, f), "PP_FETCH(failing_void, …): the task failed: void code");
    f = PP_SUBMIT(server(), failing_bytes);
    ABORTS_WITH(PP_FETCH(failing_bytes, f), "PP_FETCH(failing_bytes, …): the task failed: bytes code");
}
END_TEST

START_TEST(fetch_of_no_future_aborts_with_the_reason)
{
    pp_future none = {0}, stale = {55};
    ABORTS_WITH(PP_FETCH(n1, none), "PP_FETCH(n1, …): no such future");
    ppi_error_clear();
    ABORTS_WITH(PP_FETCH(n1, stale), "PP_FETCH(n1, …): no such future");
    ABORTS_WITH(PP_FETCH(n1, PP_SUBMIT(NULL, n1, 2)),
                "PP_FETCH(n1, …): the future is null; the last error before was: the fake farm refuses");
    ABORTS_WITH(PP_FETCH(strange, none),
                "PP_FETCH(strange, …): the future is null; the last error before was: no such future");
}
END_TEST

START_TEST(arguments_of_another_size_fail_the_task)
{
    unsigned char zeros[256] = {0};
    pp_future f = PP_SUBMIT(server(), n2, 1, 2);
    for (size_t bytes = 0; bytes < 64; bytes++) {
        rerun(f, zeros, bytes);
        ck_assert_int_eq(record[f.id].status, bytes == 2 * sizeof(int) ? PP_OK : PP_ERR_TASK);
    }
    ck_assert_int_eq(record[f.id].code, PP_ERR_SIZE);
    ck_assert_str_eq(record[f.id].message, "n2: the arguments have 63 bytes, but 8 are needed");
    f = PP_SUBMIT(server(), n0);
    rerun(f, zeros, 1);
    ck_assert_int_eq(record[f.id].code, PP_ERR_SIZE);
    rerun(f, zeros, 0);
    ck_assert_int_eq(record[f.id].status, PP_OK);
}
END_TEST

START_TEST(truncated_bytes_fail_the_task)
{
    pp_future f = PP_SUBMIT(server(), join, (pp_bytes){"one", 3}, -7, (pp_bytes){"three", 5}, '!', (pp_bytes){"four", 4});
    size_t whole = record[f.id].bytes;
    unsigned char *args = exact_copy(record[f.id].args, whole);
    for (size_t bytes = 0; bytes < whole; bytes++) {
        rerun(f, args, bytes);
        ck_assert_int_eq(record[f.id].status, PP_ERR_TASK);
        ck_assert_int_eq(record[f.id].code, PP_ERR_SIZE);
        ck_assert_uint_eq(record[f.id].result_bytes, 0);
    }
    rerun(f, args, whole);
    ck_assert_int_eq(record[f.id].status, PP_OK);
    free(args);
}
END_TEST

START_TEST(forged_bytes_fail_the_task)
{
    pp_future f = PP_SUBMIT(server(), length, (pp_bytes){"0123456789abcdef", 16});
    const size_t total = record[f.id].bytes, max = (size_t)-1;
    ck_assert_uint_eq(total, 32);
    const struct {
        size_t start, size;
        int ok;
    } cases[] = {{16, 16, 1}, {16, 0, 1},    {32, 0, 1},       {16, 17, 0}, {32, 1, 0},         {0, 16, 0},
                 {17, 1, 0},  {48, 0, 0},    {max - 15, 0, 0}, {16, max, 0}, {max - 15, 16, 0}, {max, 1, 0},
                 {15, 1, 0},  {16, max - 15, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned char args[32] = {0};
        memcpy(args, &cases[i].start, sizeof(size_t));
        memcpy(args + sizeof(size_t), &cases[i].size, sizeof(size_t));
        rerun(f, args, total);
        ck_assert_msg((record[f.id].status == PP_OK) == cases[i].ok, "case %zu: %s", i, record[f.id].message);
    }
}
END_TEST

START_TEST(random_arguments_never_read_out_of_bounds)
{
    unsigned seed = 20240607;
    printf("random_arguments_never_read_out_of_bounds: seed %u\n", seed);
    pp_future f = PP_SUBMIT(server(), join, (pp_bytes){"one", 3}, -7, (pp_bytes){"three", 5}, '!', (pp_bytes){"four", 4});
    for (int round = 0; round < 20000; round++) {
        unsigned char args[160];
        for (size_t i = 0; i < sizeof args; i++) args[i] = 0;
        /* Small numbers, so that many of them are nearly right. */
        for (size_t i = 0; i < sizeof args; i += 8) {
            seed = seed * 1103515245u + 12345u;
            args[i] = (unsigned char)(seed >> 16 & 0xf0);
            if (seed >> 28 == 0) args[i + 7] = 0xff;
        }
        rerun(f, args, seed >> 8 & 127);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("typed");
    TCase *tests = tcase_create("typed");
    tcase_add_checked_fixture(tests, fresh_farm, fresh_farm);
    tcase_add_test(tests, every_number_of_parameters_arrives_in_order);
    tcase_add_test(tests, every_arithmetic_type_arrives_and_returns);
    tcase_add_test(tests, structs_travel_by_value);
    tcase_add_test(tests, arguments_are_converted_as_in_the_call);
    tcase_add_test(tests, arguments_are_evaluated_once);
    tcase_add_test(tests, calls_nest);
    tcase_add_test(tests, options_arrive);
    tcase_add_test(tests, no_uninitialised_bytes_travel);
    tcase_add_test(tests, bytes_travel_in_any_position);
    tcase_add_test(tests, every_length_of_bytes_around_the_small_call);
    tcase_add_test(tests, bytes_results);
    tcase_add_test(tests, bytes_without_data_are_an_argument_error);
    tcase_add_test(tests, failed_submission_gives_the_null_future);
    tcase_add_test(tests, try_fetch_keeps_a_failed_future_and_the_output);
    tcase_add_test(tests, a_result_of_another_function_is_a_size_error);
    tcase_add_test(tests, fetch_of_a_failed_task_aborts_with_its_message);
    tcase_add_test(tests, fetch_of_no_future_aborts_with_the_reason);
    tcase_add_test(tests, arguments_of_another_size_fail_the_task);
    tcase_add_test(tests, truncated_bytes_fail_the_task);
    tcase_add_test(tests, forged_bytes_fail_the_task);
    tcase_add_test(tests, random_arguments_never_read_out_of_bounds);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
