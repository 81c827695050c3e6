/* Lines leave whole, however their text comes in. */
#include "output/lines.h"

#include "unit/random.h"
#include "unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* As ck_assert, which writes to a pipe each time: for inner loops. */
#define INSIST(condition) ((condition) ? (void)0 : ck_abort_msg("%s", #condition))

static struct {
    char text[4 << 20];
    size_t bytes;
    int calls, broken; /* broken: calls that did not end with a line */
    int stream;
} got;

static void sink(void *ctx, int stream, const char *text, size_t bytes)
{
    INSIST(ctx == &got && bytes > 0 && got.bytes + bytes <= sizeof got.text);
    memcpy(got.text + got.bytes, text, bytes);
    got.bytes += bytes;
    got.calls++;
    got.stream = stream;
    got.broken += text[bytes - 1] != '\n';
}

static void forget(void)
{
    got.bytes = 0;
    got.calls = got.broken = 0;
}

/* Every way to cut a text into chunks. */
START_TEST(all_splits_give_the_same_whole_lines)
{
    static const char *const texts[] = {"one\ntwo\n\nfour", "\n\n\n", "no end of line", "a\nb\nc\nd\ne\nf\n", "long first\nx", "\nx\n"};
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
        const char *text = texts[t];
        size_t n = strlen(text);
        for (uint32_t cuts = 0; cuts < (uint32_t)1 << (n - 1); cuts++) {
            struct ppi_lines lines = {0};
            size_t from = 0;
            forget();
            for (size_t i = 1; i <= n; i++) {
                if (i < n && !(cuts >> (i - 1) & 1)) continue;
                ppi_lines_add(&lines, text + from, i - from, 1, sink, &got);
                from = i;
                /* All whole lines that came in have left, and nothing else. */
                size_t whole = i;
                while (whole > 0 && text[whole - 1] != '\n') whole--;
                INSIST(got.bytes == whole && memcmp(got.text, text, whole) == 0 && got.broken == 0);
            }
            ppi_lines_end(&lines, 1, sink, &got);
            int open = text[n - 1] != '\n';
            INSIST(got.bytes == n + (size_t)open && memcmp(got.text, text, n) == 0);
            INSIST(got.text[got.bytes - 1] == '\n' && got.broken == 0 && got.stream == 1);
            ppi_lines_end(&lines, 1, sink, &got); /* nothing is begun any more */
            INSIST(got.bytes == n + (size_t)open);
            ppi_lines_fini(&lines);
        }
    }
}
END_TEST

START_TEST(whole_lines_leave_in_one_call)
{
    struct ppi_lines lines = {0};
    forget();
    ppi_lines_add(&lines, "a\nb\nc\nd", 7, 0, sink, &got);
    ck_assert_int_eq(got.calls, 1);
    ppi_lines_add(&lines, "e\nf\n", 4, 0, sink, &got);
    ck_assert_int_eq(got.calls, 2);
    ck_assert_uint_eq(got.bytes, 11);
    ck_assert_int_eq(got.stream, 0);
    ppi_lines_fini(&lines);
}
END_TEST

START_TEST(nothing_in_nothing_out)
{
    struct ppi_lines lines = {0};
    forget();
    ppi_lines_add(&lines, "", 0, 0, sink, &got);
    ppi_lines_add(&lines, NULL, 0, 0, sink, &got);
    ppi_lines_end(&lines, 0, sink, &got);
    ck_assert_int_eq(got.calls, 0);
    ppi_lines_fini(&lines);
}
END_TEST

START_TEST(bytes_of_any_value_pass)
{
    struct ppi_lines lines = {0};
    char text[512];
    forget();
    for (int i = 0; i < 512; i++) text[i] = (char)i;
    for (int i = 0; i < 512; i++) ppi_lines_add(&lines, text + i, 1, 0, sink, &got);
    ppi_lines_end(&lines, 0, sink, &got);
    ck_assert_uint_eq(got.bytes, 513);
    ck_assert(memcmp(got.text, text, 512) == 0);
    ppi_lines_fini(&lines);
}
END_TEST

START_TEST(line_longer_than_a_mebibyte_leaves_in_parts_and_nothing_is_lost)
{
    static const size_t chunks[] = {1000, 4096, 65536, 3000000};
    static char text[3000001];
    for (size_t i = 0; i < sizeof text - 1; i++) text[i] = (char)('a' + i % 26);
    text[sizeof text - 1] = '\n';
    for (size_t c = 0; c < sizeof chunks / sizeof *chunks; c++) {
        struct ppi_lines lines = {0};
        forget();
        size_t most = 0;
        for (size_t at = 0; at < sizeof text; at += chunks[c]) {
            size_t n = sizeof text - at < chunks[c] ? sizeof text - at : chunks[c];
            ppi_lines_add(&lines, text + at, n, 0, sink, &got);
            if (lines.bytes > most) most = lines.bytes;
        }
        ck_assert_uint_eq(got.bytes, sizeof text);
        ck_assert(memcmp(got.text, text, sizeof text) == 0);
        ck_assert_uint_le(most, (size_t)1 << 20); /* memory is bounded */
        ppi_lines_fini(&lines);
    }
}
END_TEST

/* However much came in behind the beginning of a line: only a line makes one too long. */
START_TEST(much_text_behind_the_beginning_of_a_line_leaves_in_whole_lines)
{
    static char text[(3 << 20) + 50];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)(i % 100 == 99 ? '\n' : 'a' + i % 26);
    for (size_t head = 1; head < 200; head += 33) {
        struct ppi_lines lines = {0};
        forget();
        ppi_lines_add(&lines, text, head, 0, sink, &got);
        ppi_lines_add(&lines, text + head, sizeof text - head, 0, sink, &got);
        ck_assert_int_eq(got.broken, 0);
        ck_assert_uint_eq(got.bytes, sizeof text / 100 * 100);
        ppi_lines_end(&lines, 0, sink, &got);
        ck_assert_int_eq(got.broken, 0);
        ck_assert(memcmp(got.text, text, sizeof text) == 0);
        ppi_lines_fini(&lines);
    }
}
END_TEST

START_TEST(random_chunks_give_whole_lines)
{
    struct random r = random_begin("random_chunks");
    static char text[300000];
    for (int round = 0; round < 100; round++) {
        struct ppi_lines lines = {0};
        forget();
        size_t n = 1 + random_below(&r, sizeof text);
        for (size_t i = 0; i < n; i++) text[i] = random_below(&r, 40) ? (char)('a' + random_below(&r, 26)) : '\n';
        for (size_t at = 0; at < n;) {
            size_t chunk = random_magnitude(&r, 14);
            if (chunk > n - at) chunk = n - at;
            ppi_lines_add(&lines, text + at, chunk, 0, sink, &got);
            at += chunk;
        }
        ppi_lines_end(&lines, 0, sink, &got);
        ck_assert_int_eq(got.broken, 0);
        ck_assert_uint_eq(got.bytes, n + (text[n - 1] != '\n'));
        ck_assert(memcmp(got.text, text, n) == 0);
        ppi_lines_fini(&lines);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lines");
    TCase *c = tcase_create("lines");
    tcase_set_timeout(c, 30);
    tcase_add_test(c, all_splits_give_the_same_whole_lines);
    tcase_add_test(c, whole_lines_leave_in_one_call);
    tcase_add_test(c, nothing_in_nothing_out);
    tcase_add_test(c, bytes_of_any_value_pass);
    tcase_add_test(c, line_longer_than_a_mebibyte_leaves_in_parts_and_nothing_is_lost);
    tcase_add_test(c, much_text_behind_the_beginning_of_a_line_leaves_in_whole_lines);
    tcase_add_test(c, random_chunks_give_whole_lines);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
