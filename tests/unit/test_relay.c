/* The stream from a launcher: reports are taken out wherever a read cuts them, everything else comes through as it was. */
#include "launch/relay.h"
#include "unit/suite.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define R(text) "\036" text "\037"

static char seen[4096];

static int on_report(void *closure, const char *report)
{
    ck_assert_ptr_eq(closure, seen);
    if (strncmp(report, "ours ", 5) != 0) return 0;
    strcat(strcat(seen, report + 5), ";");
    return 1;
}

/* Sends text in pieces of so many bytes, and returns what comes out. */
static char *send_through(const char *text, size_t piece)
{
    static char out[65536];
    int in[2], to[2];
    size_t got = 0;
    *seen = '\0';
    ck_assert_int_eq(pipe(in), 0);
    ck_assert_int_eq(pipe2(to, O_NONBLOCK), 0);
    struct ppi_relay relay = {.from = in[0], .to = to[1], .on_report = on_report, .closure = seen};
    for (size_t at = 0, bytes = strlen(text); at <= bytes; at += piece) {
        size_t n = bytes - at < piece ? bytes - at : piece;
        if (n > 0) ck_assert_int_eq(write(in[1], text + at, n), (ssize_t)n);
        if (at + piece > bytes) close(in[1]);
        do ppi_relay_move(&relay);
        while (ppi_relay_is_held_up(&relay));
        for (ssize_t r; (r = read(to[0], out + got, sizeof out - got)) > 0;)
            got += (size_t)r;
    }
    while (relay.from >= 0 || ppi_relay_is_held_up(&relay))
        ppi_relay_move(&relay);
    for (ssize_t r; (r = read(to[0], out + got, sizeof out - got)) > 0;)
        got += (size_t)r;
    out[got] = '\0';
    close(to[0]);
    close(to[1]);
    return out;
}

static const struct {
    const char *text, *out, *reports;
} cases[] = {
    {"", "", ""},
    {"plain\n", "plain\n", ""},
    {R("ours a"), "", "a;"},
    {"x" R("ours a") "y" R("ours b") R("ours c") "z", "xyz", "a;b;c;"},
    {R("theirs a") "x", R("theirs a") "x", ""},
    {"x\036unfinished", "x\036unfinished", ""},
    {"\037\037x\036\037y", "\037\037x\036\037y", ""},
    {"\033[31mred\033[0m" R("ours a"), "\033[31mred\033[0m", "a;"},
};

START_TEST(reports_are_taken_out_and_nothing_else)
{
    for (size_t piece = 1; piece < 40; piece++) {
        ck_assert_str_eq(send_through(cases[_i].text, piece), cases[_i].out);
        ck_assert_str_eq(seen, cases[_i].reports);
    }
}
END_TEST

START_TEST(what_is_too_long_for_a_report_comes_through)
{
    static char text[6000];
    memset(text, 'x', sizeof text - 1);
    text[10] = '\036';
    text[4000] = '\036';
    ck_assert_str_eq(send_through(text, 4096), text);
    ck_assert_str_eq(send_through(text, 100), text);
    text[4010] = '\037';
    memcpy(text + 4001, "ours long", 9);
    char *out = send_through(text, 777);
    ck_assert_int_eq(strlen(out), sizeof text - 1 - 11);
    ck_assert_str_eq(seen, "long;");
}
END_TEST

START_TEST(a_reader_that_stops_is_waited_for_without_blocking)
{
    int in[2], to[2];
    static char data[4096];
    size_t written = 0, got = 0;
    ck_assert_int_eq(pipe(in), 0);
    ck_assert_int_eq(pipe(to), 0);
    struct ppi_relay relay = {.from = in[0], .to = to[1]};
    struct pollfd polled;
    fcntl(in[1], F_SETFL, O_NONBLOCK);
    fcntl(to[0], F_SETFL, O_NONBLOCK);
    /* Until nothing goes any more: poll must say so, for a write would block. */
    for (int idle = 0; idle < 3;) {
        ssize_t n = write(in[1], data, sizeof data);
        if (n > 0) written += (size_t)n;
        polled.fd = ppi_relay_wants(&relay, &polled.events);
        if (poll(&polled, 1, 0) > 0) ppi_relay_move(&relay);
        else idle++;
        ck_assert_int_lt(written, 1 << 24);
    }
    ck_assert(ppi_relay_is_held_up(&relay));
    close(in[1]);
    while (relay.from >= 0 || ppi_relay_is_held_up(&relay)) {
        ssize_t n = read(to[0], data, sizeof data);
        if (n > 0) got += (size_t)n;
        polled.fd = ppi_relay_wants(&relay, &polled.events);
        if (poll(&polled, 1, 0) > 0) ppi_relay_move(&relay);
    }
    for (ssize_t n; (n = read(to[0], data, sizeof data)) > 0;)
        got += (size_t)n;
    ck_assert_uint_eq(got, written);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("relay");
    TCase *c = tcase_create("relay");
    tcase_add_loop_test(c, reports_are_taken_out_and_nothing_else, 0, sizeof cases / sizeof cases[0]);
    tcase_add_test(c, what_is_too_long_for_a_report_comes_through);
    tcase_add_test(c, a_reader_that_stops_is_waited_for_without_blocking);
    suite_add_tcase(suite, c);

    return run_suite(suite);
}
