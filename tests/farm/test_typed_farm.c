/* Typed tasks through the whole farm. ranks: 1 2 4 */
#define TEST_API_MAIN
#include "farm/test_api.h"

#include <complex.h>
#include <math.h>
#include <stdbool.h>

typedef enum { LOW = -3, HIGH = 7 } level;

struct point {
    char tag;
    double x, y;
};

struct big {
    int n;
    double v[1000];
    level l;
};

static int p0(void)
{
    return 1234;
}
PP_TASK(int, p0)

static char p1(char a)
{
    return (char)(a + 1);
}
PP_TASK(char, p1, char)

static short p2(short a, long b)
{
    return (short)(a - b);
}
PP_TASK(short, p2, short, long)

static double p3(float a, double b, int c)
{
    return (double)a * b / c;
}
PP_TASK(double, p3, float, double, int)

static uint64_t p4(uint8_t a, uint16_t b, uint32_t c, uint64_t d)
{
    return a + ((uint64_t)b << 8) + ((uint64_t)c << 24) + d;
}
PP_TASK(uint64_t, p4, uint8_t, uint16_t, uint32_t, uint64_t)

static long double p5(long double a, float b, char c, _Bool d, level e)
{
    return a + b + c + d + e;
}
PP_TASK(long double, p5, long double, float, char, _Bool, level)

static int p6(int a, int b, int c, int d, int e, int f)
{
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f;
}
PP_TASK(int, p6, int, int, int, int, int, int)

static int p7(int a, int b, int c, int d, int e, int f, int g)
{
    return p6(a, b, c, d, e, f) + 7 * g;
}
PP_TASK(int, p7, int, int, int, int, int, int, int)

static int p8(int a, int b, int c, int d, int e, int f, int g, int h)
{
    return p7(a, b, c, d, e, f, g) + 8 * h;
}
PP_TASK(int, p8, int, int, int, int, int, int, int, int)

static int p9(int a, int b, int c, int d, int e, int f, int g, int h, int i)
{
    return p8(a, b, c, d, e, f, g, h) + 9 * i;
}
PP_TASK(int, p9, int, int, int, int, int, int, int, int, int)

static int p10(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j)
{
    return p9(a, b, c, d, e, f, g, h, i) + 10 * j;
}
PP_TASK(int, p10, int, int, int, int, int, int, int, int, int, int)

static int p11(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j, int k)
{
    return p10(a, b, c, d, e, f, g, h, i, j) + 11 * k;
}
PP_TASK(int, p11, int, int, int, int, int, int, int, int, int, int, int)

static double p12(char a, double b, short c, float d, struct point e, long f, level g, char h, double i, char j, int k,
                  char l)
{
    return a + 2 * b + 3 * c + 4 * (double)d + 5 * e.x + 6 * (double)f + 7 * g + 8 * h + 9 * i + 10 * j + 11 * k + 12 * l;
}
PP_TASK(double, p12, char, double, short, float, struct point, long, level, char, double, char, int, char)

static void every_number_of_parameters(void)
{
    struct point e = {'e', 5, 0};
    CHECK_INT(PP_FETCH(p0, PP_SUBMIT(server, p0)), 1234);
    CHECK_INT(PP_FETCH(p1, PP_SUBMIT(server, p1, 'a')), 'b');
    CHECK_INT(PP_FETCH(p2, PP_SUBMIT(server, p2, 10, 30000000000L)), p2(10, 30000000000L));
    CHECK(PP_FETCH(p3, PP_SUBMIT(server, p3, 1.5, 3, 2)) == 2.25);
    CHECK(PP_FETCH(p4, PP_SUBMIT(server, p4, 1, 2, 3, 1ull << 63)) == p4(1, 2, 3, 1ull << 63));
    CHECK(PP_FETCH(p5, PP_SUBMIT(server, p5, 1.25L, 2, 3, 17, HIGH)) == 1.25L + 2 + 3 + 1 + 7);
    CHECK_INT(PP_FETCH(p6, PP_SUBMIT(server, p6, 1, 2, 3, 4, 5, 6)), 91);
    CHECK_INT(PP_FETCH(p7, PP_SUBMIT(server, p7, 1, 2, 3, 4, 5, 6, 7)), 140);
    CHECK_INT(PP_FETCH(p8, PP_SUBMIT(server, p8, 1, 2, 3, 4, 5, 6, 7, 8)), 204);
    CHECK_INT(PP_FETCH(p9, PP_SUBMIT(server, p9, 1, 2, 3, 4, 5, 6, 7, 8, 9)), 285);
    CHECK_INT(PP_FETCH(p10, PP_SUBMIT(server, p10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)), 385);
    CHECK_INT(PP_FETCH(p11, PP_SUBMIT(server, p11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)), 506);
    CHECK(PP_FETCH(p12, PP_SUBMIT(server, p12, 1, 2, 3, 4, e, 6, LOW, 8, 9, 10, 11, 12)) ==
          p12(1, 2, 3, 4, e, 6, LOW, 8, 9, 10, 11, 12));
}

static struct point mirror(struct point p, struct point about)
{
    return (struct point){p.tag, 2 * about.x - p.x, 2 * about.y - p.y};
}
PP_TASK(struct point, mirror, struct point, struct point)

static struct big scale(struct big b, double by)
{
    for (int i = 0; i < 1000; i++) b.v[i] *= by;
    b.n++;
    return b;
}
PP_TASK(struct big, scale, struct big, double)

static level flip(level l)
{
    return l == LOW ? HIGH : LOW;
}
PP_TASK(level, flip, level)

static double complex turn(double complex z, float complex w)
{
    return z * w;
}
PP_TASK(double complex, turn, double complex, float complex)
PP_TASK(double, sqrt, double)

static void structs_enums_and_numbers_are_values(void)
{
    struct point p = PP_FETCH(mirror, PP_SUBMIT(server, mirror, ((struct point){'m', 1, 2}), ((struct point){'a', 5, 5})));
    CHECK(p.tag == 'm' && p.x == 9 && p.y == 8);
    static struct big b = {.n = 1, .l = HIGH};
    for (int i = 0; i < 1000; i++) b.v[i] = i;
    struct big c = PP_FETCH(scale, PP_SUBMIT(server, scale, b, 2));
    CHECK(c.n == 2 && c.l == HIGH);
    for (int i = 0; i < 1000; i++) CHECK(c.v[i] == 2 * i);
    CHECK_INT(PP_FETCH(flip, PP_SUBMIT(server, flip, LOW)), HIGH);
    CHECK(PP_FETCH(turn, PP_SUBMIT(server, turn, 1 + 2 * I, I)) == -2 + I);
    CHECK(PP_FETCH(sqrt, PP_SUBMIT(server, sqrt, 2)) == sqrt(2)); /* an argument is converted as in a call */
    int i = 0;
    CHECK_INT(PP_FETCH(p2, PP_SUBMIT(server, p2, (short)i++, 5)), -5);
    CHECK_INT(i, 1);
}

static pp_bytes doubled(pp_bytes in)
{
    unsigned char *out = pp_task_alloc(2 * in.size);
    if (in.size) memcpy(out, in.data, in.size), memcpy(out + in.size, in.data, in.size);
    return (pp_bytes){out, 2 * in.size};
}
PP_TASK(pp_bytes, doubled, pp_bytes)

static size_t many(int a, pp_bytes x, char b, pp_bytes y, pp_bytes z, double c)
{
    if (!has_pattern(x.data, x.size, 1) || !has_pattern(y.data, y.size, 2) || !has_pattern(z.data, z.size, 3)) return 0;
    if ((uintptr_t)x.data % 16 || (uintptr_t)y.data % 16 || (uintptr_t)z.data % 16) return 1;
    return x.size + y.size + z.size + (size_t)a + (size_t)b + (size_t)c;
}
PP_TASK(size_t, many, int, pp_bytes, char, pp_bytes, pp_bytes, double)

static void bytes_travel_both_ways(void)
{
    static const size_t sizes[] = {0, 1, 7, 16, 24, 25, 1000, 65536, 70000, 3000000};
    unsigned char *data = malloc(3000000);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t n = sizes[i];
        fill_pattern(data, n, 4);
        pp_bytes r = PP_FETCH(doubled, PP_SUBMIT(server, doubled, ((pp_bytes){data, n})));
        CHECK_INT(r.size, 2 * n);
        if (r.size == 2 * n && n) CHECK(memcmp(r.data, data, n) == 0 && memcmp((const char *)r.data + n, data, n) == 0);
        pp_bytes_free(r);
        unsigned char *x = malloc(n + 1), *y = malloc(n / 2 + 1), *z = malloc(n + 100);
        fill_pattern(x, n, 1);
        fill_pattern(y, n / 2, 2);
        fill_pattern(z, n + 100, 3);
        size_t total = PP_FETCH(many, PP_SUBMIT(server, many, 1000000, ((pp_bytes){x, n}), 7, ((pp_bytes){y, n / 2}),
                                                ((pp_bytes){z, n + 100}), 0.9));
        CHECK_INT(total, 1000007 + n + n / 2 + n + 100);
        free(x);
        free(y);
        free(z);
    }
    free(data);
    pp_bytes_free((pp_bytes){NULL, 0});
}

static void nothing(void)
{
}
PP_TASK_VOID(nothing)

static void fail_if(int code, pp_bytes text)
{
    if (code) pp_task_fail(pp_task_current(), code, "%.*s", (int)text.size, (const char *)text.data);
}
PP_TASK_VOID(fail_if, int, pp_bytes)

static int crash_now(int signal_number)
{
    if (signal_number) abort();
    return 5;
}
PP_TASK(int, crash_now, int)

static pp_bytes no_bytes(int size)
{
    return (pp_bytes){NULL, (size_t)size};
}
PP_TASK(pp_bytes, no_bytes, int)

static void void_functions(void)
{
    PP_FETCH(nothing, PP_SUBMIT(server, nothing));
    CHECK_INT(PP_TRY_FETCH(nothing, PP_SUBMIT(server, nothing), NULL), PP_OK);
    pp_bytes text = {"a reason", 8};
    PP_FETCH(fail_if, PP_SUBMIT(server, fail_if, 0, text));
    pp_future f = PP_SUBMIT(server, fail_if, 12, text);
    CHECK_ERROR(PP_TRY_FETCH(fail_if, f, NULL), PP_ERR_TASK, "a reason");
    CHECK_INT(pp_release(f), PP_OK);
}

static void try_fetch_keeps_what_failed(void)
{
    int r = -1;
    pp_future f = PP_SUBMIT(server, crash_now, 1);
    CHECK_INT(PP_TRY_FETCH(crash_now, f, &r), PP_ERR_CRASHED);
    CHECK_INT(PP_TRY_FETCH(crash_now, f, &r), PP_ERR_CRASHED);
    CHECK_INT(r, -1);
    pp_task_info info = {.size = sizeof info};
    CHECK_INT(pp_info(f, &info), PP_OK);
    CHECK_INT(info.signal, 6);
    CHECK_INT(pp_release(f), PP_OK);
    CHECK_INT(PP_TRY_FETCH(crash_now, f, &r), PP_ERR_HANDLE);
    f = PP_SUBMIT(server, crash_now, 0);
    CHECK_INT(PP_TRY_FETCH(crash_now, f, &r), PP_OK);
    CHECK_INT(r, 5);
    CHECK_INT(PP_TRY_FETCH(crash_now, f, &r), PP_ERR_HANDLE);
    CHECK_INT(PP_TRY_FETCH(crash_now, (pp_future){0}, &r), PP_ERR_HANDLE);
    CHECK_INT(r, 5);
    pp_bytes b = {&r, 3};
    f = PP_SUBMIT(server, no_bytes, 10);
    CHECK(PP_TRY_FETCH(no_bytes, f, &b) < 0);
    CHECK(b.data == &r && b.size == 3);
    CHECK_INT(pp_release(f), PP_OK);
}

static void submit_options_are_taken(void)
{
    pp_submit_options options = PP_SUBMIT_OPTIONS_INIT;
    options.name = "typed";
    options.retries = 2;
    pp_future f = PP_SUBMIT_WITH(server, &options, crash_now, 1);
    pp_task_info info = {.size = sizeof info};
    CHECK_INT(pp_wait(f), PP_OK);
    CHECK_INT(pp_info(f, &info), PP_OK);
    CHECK_INT(info.attempts, 3);
    CHECK_INT(strcmp(info.name, "typed"), 0);
    CHECK_INT(pp_release(f), PP_OK);
    CHECK_INT(PP_FETCH(crash_now, PP_SUBMIT_WITH(server, NULL, crash_now, 0)), 5);
}

static void impossible_bytes_are_refused(void)
{
    CHECK_INT(PP_SUBMIT(server, doubled, ((pp_bytes){NULL, 5})).id, 0);
    CHECK_INT(pp_last_error_code(), PP_ERR_ARG);
    CHECK_TEXT(pp_last_error(), "doubled");
    CHECK_INT(PP_SUBMIT(server, doubled, ((pp_bytes){&server, SIZE_MAX - 3})).id, 0);
    CHECK(pp_last_error_code() == PP_ERR_ARG || pp_last_error_code() == PP_ERR_NOMEM);
    CHECK_INT(PP_SUBMIT(NULL, p1, 'a').id, 0);
    CHECK_INT(pp_last_error_code(), PP_ERR_ARG);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(every_number_of_parameters),
        TEST(structs_enums_and_numbers_are_values),
        TEST(bytes_travel_both_ways),
        TEST(void_functions),
        TEST(try_fetch_keeps_what_failed),
        TEST(submit_options_are_taken),
        TEST(impossible_bytes_are_refused),
    };
    open_or_exit(&argc, &argv, NULL);
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
