/* The transport inside one process: order, streams in chunks, ends in threads of their own. */
#include "transport/transport.h"

#include "unit/random.h"
#include "unit/suite.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* As ck_assert, which writes to a pipe each time: for inner loops. */
#define INSIST(condition) ((condition) ? (void)0 : ck_abort_msg("%s", #condition))
#define ENDS_MOST 8

static struct ppi_transport *end[ENDS_MOST];

static void begin(int n)
{
    ck_assert_int_eq(ppi_transport_loopback(end, n), 0);
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(end[i]->rank, i);
        ck_assert_int_eq(end[i]->size, n);
    }
}

static void finish(int n)
{
    for (int i = 0; i < n; i++) end[i]->ops->close(end[i]);
}

static int send_text(int from, int to, const char *text)
{
    return end[from]->ops->send(end[from], to, strdup(text), strlen(text) + 1);
}

static int progress(int at)
{
    return end[at]->ops->progress(end[at]);
}

static int busy(int at)
{
    return end[at]->ops->busy(end[at]);
}

static void expect(int at, int from, const char *text)
{
    char *message;
    int peer;
    size_t bytes;
    ck_assert_int_eq(end[at]->ops->receive(end[at], &peer, &message, &bytes), 1);
    ck_assert_int_eq(peer, from);
    ck_assert_uint_eq(bytes, strlen(text) + 1);
    ck_assert_str_eq(message, text);
    free(message);
}

static void expect_nothing(int at)
{
    char *message;
    int peer;
    size_t bytes;
    ck_assert_int_eq(end[at]->ops->receive(end[at], &peer, &message, &bytes), 0);
}

START_TEST(messages_arrive_in_order_after_a_progress)
{
    begin(3);
    send_text(0, 1, "a");
    send_text(0, 1, "b");
    send_text(2, 1, "c");
    send_text(0, 2, "d");
    send_text(1, 1, "to myself");
    expect_nothing(1);
    ck_assert_int_eq(progress(1), 4);
    expect(1, 0, "a");
    expect(1, 0, "b");
    expect(1, 2, "c");
    expect(1, 1, "to myself");
    expect_nothing(1);
    ck_assert_int_eq(progress(1), 0);
    ck_assert_int_eq(progress(2), 1);
    expect(2, 0, "d");
    finish(3);
}
END_TEST

START_TEST(end_is_busy_until_what_it_sent_and_got_is_delivered)
{
    begin(2);
    ck_assert(!busy(0) && !busy(1));
    send_text(0, 1, "a");
    ck_assert(busy(0) && busy(1));
    progress(0);
    ck_assert(busy(0) && busy(1));
    progress(1);
    ck_assert(!busy(0) && busy(1));
    expect(1, 0, "a");
    ck_assert(!busy(0) && !busy(1));
    finish(2);
}
END_TEST

/* ---- streams */

static void count_done(void *ctx)
{
    ++*(int *)ctx;
}

static char *pattern(size_t bytes, unsigned seed)
{
    char *p = malloc(bytes);
    ck_assert_ptr_nonnull(p);
    for (size_t i = 0; i < bytes; i++) p[i] = (char)(i * 31 + seed + (i >> 12));
    return p;
}

static void stream(int at, int peer, int outgoing, void *data, uint64_t bytes, int *done)
{
    ck_assert_int_eq(end[at]->ops->stream(end[at], peer, outgoing, data, bytes, count_done, done), 0);
}

START_TEST(stream_moves_in_parts_and_only_when_both_sides_have_begun_it)
{
    size_t bytes = 1000003;
    char *from = pattern(bytes, 1), *to = calloc(1, bytes);
    int sent = 0, arrived = 0, steps = 0;
    begin(2);
    stream(0, 1, 1, from, bytes, &sent);
    for (int i = 0; i < 5; i++) ck_assert_int_eq(progress(0) + progress(1), 0);
    ck_assert(busy(0) && !sent);
    stream(1, 0, 0, to, bytes, &arrived);
    ck_assert_int_eq(arrived, 0); /* done is never called from the call itself */
    while (!arrived) {
        ck_assert_int_eq(sent, 0);
        ck_assert_int_gt(progress(1), 0);
        steps++;
    }
    ck_assert_int_gt(steps, 3); /* partial progress was seen */
    ck_assert(memcmp(from, to, bytes) == 0);
    ck_assert(!busy(1) && busy(0) && !sent);
    ck_assert_int_gt(progress(0), 0);
    ck_assert_int_eq(sent, 1);
    ck_assert_int_eq(arrived, 1);
    ck_assert(!busy(0));
    free(from);
    free(to);
    finish(2);
}
END_TEST

START_TEST(what_is_not_there_yet_is_not_sent)
{
    size_t bytes = 1000003;
    char *from = pattern(bytes, 1), *to = calloc(1, bytes);
    int sent = 0, arrived = 0;
    _Atomic uint64_t there = 0;
    begin(2);
    ck_assert_int_eq(end[0]->ops->stream_growing(end[0], 1, from, bytes, &there, count_done, &sent), 0);
    stream(1, 0, 0, to, bytes, &arrived);
    while (progress(1) + progress(0)) {}
    ck_assert(to[0] == 0 && !sent && !arrived);
    atomic_store(&there, 700000);
    while (progress(1) + progress(0)) {}
    ck_assert(to[1] == from[1] && to[700000] == 0 && to[bytes - 1] == 0 && !sent && !arrived);
    atomic_store(&there, bytes);
    while (progress(1) + progress(0)) {}
    ck_assert(sent == 1 && arrived == 1 && memcmp(from, to, bytes) == 0);
    free(from);
    free(to);
    finish(2);
}
END_TEST

START_TEST(receiver_may_begin_first)
{
    char from[100], to[100];
    int sent = 0, arrived = 0;
    begin(2);
    memset(from, 'x', sizeof from);
    stream(1, 0, 0, to, sizeof to, &arrived);
    ck_assert_int_eq(progress(1), 0);
    stream(0, 1, 1, from, sizeof from, &sent);
    progress(1);
    progress(0);
    ck_assert(sent && arrived && memcmp(from, to, sizeof to) == 0);
    finish(2);
}
END_TEST

START_TEST(streams_between_two_ends_arrive_in_order_and_do_not_mix_with_others)
{
    enum { N = 20 };
    char *from[3][N], *to[3][N];
    int sent = 0, arrived = 0;
    begin(3);
    for (int i = 0; i < N; i++)
        for (int p = 0; p < 3; p++) {
            if (p == 1) continue;
            size_t bytes = 1 + (size_t)i * 40000;
            from[p][i] = pattern(bytes, (unsigned)(p * 100 + i));
            to[p][i] = malloc(bytes);
            stream(p, 1, 1, from[p][i], bytes, &sent);
            stream(1, p, 0, i % 5 == 4 ? NULL : to[p][i], bytes, &arrived); /* each fifth is thrown away */
        }
    while (progress(1) + progress(0) + progress(2)) {}
    ck_assert_int_eq(sent, 2 * N);
    ck_assert_int_eq(arrived, 2 * N);
    for (int i = 0; i < N; i++)
        for (int p = 0; p < 3; p += 2) {
            if (i % 5 != 4) ck_assert(memcmp(from[p][i], to[p][i], 1 + (size_t)i * 40000) == 0);
            free(from[p][i]);
            free(to[p][i]);
        }
    for (int i = 0; i < 3; i++) ck_assert(!busy(i));
    finish(3);
}
END_TEST

static void begin_another(void *ctx)
{
    static int rounds;
    if (++rounds < 10)
        end[1]->ops->stream(end[1], 0, 0, ctx, 8, begin_another, ctx);
    else
        memcpy(ctx, "finished", 8);
}

START_TEST(done_may_begin_another_stream)
{
    char to[9] = "", from[8] = "12345678";
    int sent = 0;
    begin(2);
    for (int i = 0; i < 10; i++) stream(0, 1, 1, from, 8, &sent);
    ck_assert_int_eq(end[1]->ops->stream(end[1], 0, 0, to, 8, begin_another, to), 0);
    while (progress(1) + progress(0)) {}
    ck_assert_int_eq(sent, 10);
    ck_assert_str_eq(to, "finished");
    finish(2);
}
END_TEST

/* ---- closing */

START_TEST(closing_drops_what_was_not_delivered)
{
    int sent = 0, arrived = 0;
    char data[100] = "", *large = calloc(1, 1000000), *to = calloc(1, 1000000);
    begin(3);
    send_text(0, 1, "never received");
    send_text(2, 1, "never received");
    progress(1);
    send_text(0, 1, "never progressed");
    stream(0, 1, 1, data, sizeof data, &sent);      /* its receiver never begins */
    stream(2, 1, 1, large, 1000000, &sent);         /* half way */
    stream(1, 2, 0, to, 1000000, &arrived);
    stream(1, 0, 0, data, sizeof data - 1, &arrived); /* would not fit, but nothing is moved any more */
    end[1]->ops->close(end[1]);
    send_text(0, 1, "into the void");
    stream(0, 1, 1, data, sizeof data, &sent);
    progress(0);
    progress(2);
    ck_assert_int_eq(sent, 3); /* their data is free again */
    ck_assert_int_eq(arrived, 0);
    ck_assert(!busy(0) && !busy(2));
    end[0]->ops->close(end[0]);
    end[2]->ops->close(end[2]);
    free(large);
    free(to);
}
END_TEST

START_TEST(sender_who_closes_takes_its_data_back)
{
    int sent = 0, arrived = 0;
    size_t bytes = 1000000;
    char *from = calloc(1, bytes), *to = calloc(1, bytes);
    begin(2);
    stream(0, 1, 1, from, bytes, &sent);
    stream(1, 0, 0, to, bytes, &arrived);
    ck_assert_int_gt(progress(1), 0);
    end[0]->ops->close(end[0]);
    free(from);
    for (int i = 0; i < 100; i++) progress(1); /* AddressSanitizer would see a read */
    ck_assert_int_eq(arrived, 0);
    end[1]->ops->close(end[1]);
    free(to);
}
END_TEST

/* ---- each end in a thread: all send to all, messages and streams */

#define MESSAGES 2000
#define STREAMS 12

struct party {
    int rank, n;
    uint64_t seed;
    int wrong, sent, arrived;
    uint64_t next[ENDS_MOST]; /* number of the next message from each */
    char *in[ENDS_MOST][STREAMS], *out[ENDS_MOST][STREAMS];
};

/* The same on both sides. */
static size_t stream_bytes(int from, int to, int k)
{
    return 1 + (size_t)(from * 7919 + to * 104729 + k * 15485863) % 300000;
}

static void *party(void *arg)
{
    struct party *p = arg;
    struct ppi_transport *t = end[p->rank];
    struct random r = {p->seed};
    int said[ENDS_MOST] = {0}, offered[ENDS_MOST] = {0}, asked[ENDS_MOST] = {0}, open = 1;
    while (open) {
        int to = (int)random_below(&r, (uint64_t)p->n);
        for (uint64_t k = random_below(&r, 20); k > 0 && said[to] < MESSAGES; k--) {
            uint64_t *m = malloc(16);
            m[0] = (uint64_t)said[to]++;
            m[1] = (uint64_t)p->rank;
            t->ops->send(t, to, (char *)m, 16);
        }
        if (offered[to] < STREAMS && random_below(&r, 8) == 0) {
            int k = offered[to]++;
            size_t n = stream_bytes(p->rank, to, k);
            p->out[to][k] = pattern(n, (unsigned)(p->rank * 100 + k));
            t->ops->stream(t, to, 1, p->out[to][k], n, count_done, &p->sent);
        }
        if (asked[to] < STREAMS && random_below(&r, 8) == 0) {
            int k = asked[to]++;
            size_t n = stream_bytes(to, p->rank, k);
            p->in[to][k] = malloc(n);
            t->ops->stream(t, to, 0, k % 7 == 6 ? NULL : p->in[to][k], n, count_done, &p->arrived);
        }
        int moved = t->ops->progress(t), peer;
        char *message;
        size_t bytes;
        while (t->ops->receive(t, &peer, &message, &bytes)) {
            uint64_t m[2];
            memcpy(m, message, sizeof m);
            if (bytes != 16 || m[0] != p->next[peer]++ || m[1] != (uint64_t)peer) p->wrong = 1;
            free(message);
            moved++;
        }
        if (!moved) sched_yield();
        open = p->sent < p->n * STREAMS || p->arrived < p->n * STREAMS || t->ops->busy(t);
        for (int i = 0; i < p->n; i++) open |= said[i] < MESSAGES || p->next[i] < MESSAGES;
    }
    for (int i = 0; i < p->n; i++)
        for (int k = 0; k < STREAMS; k++) {
            char *expected = pattern(stream_bytes(i, p->rank, k), (unsigned)(i * 100 + k));
            if (k % 7 != 6 && memcmp(expected, p->in[i][k], stream_bytes(i, p->rank, k)) != 0) p->wrong = 1;
            free(expected);
            free(p->in[i][k]);
            free(p->out[i][k]);
        }
    t->ops->close(t);
    return NULL;
}

START_TEST(all_send_to_all_from_threads_of_their_own)
{
    struct random r = random_begin("all_send_to_all");
    static struct party parties[ENDS_MOST];
    pthread_t thread[ENDS_MOST];
    int n = _i;
    begin(n);
    memset(parties, 0, sizeof parties);
    for (int i = 0; i < n; i++) {
        parties[i].rank = i;
        parties[i].n = n;
        parties[i].seed = random_next(&r);
        ck_assert_int_eq(pthread_create(&thread[i], NULL, party, &parties[i]), 0);
    }
    for (int i = 0; i < n; i++) pthread_join(thread[i], NULL);
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(parties[i].wrong, 0);
        ck_assert_int_eq(parties[i].sent, n * STREAMS);
        ck_assert_int_eq(parties[i].arrived, n * STREAMS);
    }
}
END_TEST

START_TEST(abort_ends_the_process_with_the_code)
{
    begin(2);
    end[1]->ops->abort(end[1], 7);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loopback");
    TCase *c = tcase_create("steps");
    tcase_set_timeout(c, 30);
    tcase_add_test(c, messages_arrive_in_order_after_a_progress);
    tcase_add_test(c, end_is_busy_until_what_it_sent_and_got_is_delivered);
    tcase_add_test(c, stream_moves_in_parts_and_only_when_both_sides_have_begun_it);
    tcase_add_test(c, what_is_not_there_yet_is_not_sent);
    tcase_add_test(c, receiver_may_begin_first);
    tcase_add_test(c, streams_between_two_ends_arrive_in_order_and_do_not_mix_with_others);
    tcase_add_test(c, done_may_begin_another_stream);
    tcase_add_test(c, closing_drops_what_was_not_delivered);
    tcase_add_test(c, sender_who_closes_takes_its_data_back);
    tcase_add_exit_test(c, abort_ends_the_process_with_the_code, 7);
    suite_add_tcase(suite, c);
    c = tcase_create("threads");
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, all_send_to_all_from_threads_of_their_own, 1, 6);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
