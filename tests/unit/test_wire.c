/* Messages: what is written is read back, and nothing that arrives makes the decoder read where it must not. Damaged
 * messages lie in blocks of exactly their size, so that AddressSanitizer sees a byte too far. */
#include "wire/wire.h"

#include "unit/random.h"

#include <check.h>
#include <ppmpi.h>
#include <stdlib.h>
#include <string.h>

#define HEADER 8
#define RECORD_HEADER 8

union fixed {
#define X(name, type) struct type name;
    PPI_WIRE_RECORDS(X)
#undef X
    unsigned char bytes[2048];
};

static const size_t fixed_bytes[] = {
#define X(name, type) [PPI_WIRE_##name] = sizeof(struct type),
    PPI_WIRE_RECORDS(X)
#undef X
};

/* As ck_assert, which writes to a pipe each time: for inner loops. */
#define INSIST(condition) ((condition) ? (void)0 : ck_abort_msg("%s", #condition))

/* A record of each kind that says something true, with n bytes behind it. Random where anything goes. */
static union fixed sample(struct random *r, enum ppi_wire_kind kind, size_t n)
{
    union fixed f;
    memset(&f, 0, sizeof f);
    switch (kind) {
    case PPI_WIRE_HELLO:
        strcpy(f.HELLO.host, "node-1");
        f.HELLO.pid = (int64_t)random_next(r);
        f.HELLO.bell_nonce = random_next(r);
        f.HELLO.bell_fd = (int32_t)random_next(r);
        f.HELLO.limit = 1 + (int32_t)random_below(r, 1000);
        f.HELLO.cores = f.HELLO.allowed_cores = f.HELLO.limit;
        for (int i = 0; i < 64; i++) f.HELLO.allowed[i] = random_next(r);
        break;
    case PPI_WIRE_WELCOME:
        f.WELCOME.workers = 1 + (int32_t)random_below(r, 1000);
        f.WELCOME.first_number = (int32_t)random_below(r, 1000);
        f.WELCOME.cores_per_worker = 1;
        f.WELCOME.bell_nonce = random_next(r);
        break;
    case PPI_WIRE_READY: f.READY.workers = (int32_t)random_below(r, 1000); break;
    case PPI_WIRE_FUNCTION:
        f.FUNCTION.index = (uint32_t)random_next(r);
        f.FUNCTION.offset = random_next(r);
        f.FUNCTION.build_id_bytes = 1 + (int32_t)random_below(r, 32);
        for (int i = 0; i < 32; i++) f.FUNCTION.build_id[i] = (unsigned char)random_next(r);
        break;
    case PPI_WIRE_INIT:
        f.INIT.function = (uint32_t)random_next(r);
        f.INIT.bytes = n;
        break;
    case PPI_WIRE_TASK:
        f.TASK.id = random_next(r);
        f.TASK.number = random_next(r);
        f.TASK.timeout_ns = random_next(r);
        f.TASK.function = (uint32_t)random_next(r);
        f.TASK.attempt = (uint16_t)random_next(r);
        f.TASK.bytes = n;
        break;
    case PPI_WIRE_RESULT:
        f.RESULT.id = random_next(r);
        f.RESULT.duration_ns = random_next(r);
        f.RESULT.age_ns = random_next(r);
        f.RESULT.status = -(int32_t)random_below(r, 18);
        f.RESULT.code = (int32_t)random_next(r);
        f.RESULT.worker = (int32_t)random_next(r);
        f.RESULT.bytes = n;
        break;
    case PPI_WIRE_OUTPUT: f.OUTPUT.stream = (int32_t)random_below(r, 2); break;
    default: break;
    }
    return f;
}

static size_t most_bytes(enum ppi_wire_kind kind)
{
    return kind == PPI_WIRE_FUNCTION ? 1023 : kind == PPI_WIRE_OUTPUT ? PPI_WIRE_TEXT_MAX : PPI_WIRE_INLINE_MAX;
}

static size_t padded(size_t bytes)
{
    return (bytes + 7) / 8 * 8;
}

static unsigned char data[PPI_WIRE_INLINE_MAX + 8];

static void fill_data(struct random *r)
{
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)random_next(r);
}

/* A copy in a block of its own. */
static char *exactly(const void *message, size_t bytes)
{
    char *copy = malloc(bytes ? bytes : 1);
    ck_assert_ptr_nonnull(copy);
    if (bytes) memcpy(copy, message, bytes);
    return copy;
}

/* Reads the whole message and touches every byte that a record promises. Returns the records, or the error. */
static int read_all(const void *message, size_t bytes)
{
    struct ppi_wire_reader reader;
    struct ppi_wire_record record;
    int status = ppi_wire_open(&reader, message, bytes), count = 0;
    if (status != PP_OK) return status;
    while ((status = ppi_wire_next(&reader, &record)) > 0) {
        const unsigned char *p = record.data;
        unsigned sum = 0;
        INSIST(record.kind > PPI_WIRE_NONE && record.kind < PPI_WIRE_KINDS);
        INSIST(record.bytes == 0 || ((const char *)p >= (const char *)message &&
                                     (const char *)p + record.bytes <= (const char *)message + bytes));
        for (size_t i = 0; i < record.bytes; i++) sum += p[i];
        INSIST(sum < UINT32_MAX);
        INSIST(ppi_wire_name(record.kind)[0] != 'u');
        if (record.kind == PPI_WIRE_HELLO) INSIST(strlen(record.as.HELLO.host) < sizeof record.as.HELLO.host);
        if (record.kind == PPI_WIRE_OUTPUT) INSIST(record.as.OUTPUT.stream == 0 || record.as.OUTPUT.stream == 1);
        if (record.kind == PPI_WIRE_TASK && !(record.flags & PPI_WIRE_STREAMED))
            INSIST(record.as.TASK.bytes == record.bytes);
        if (record.kind == PPI_WIRE_RESULT) {
            INSIST(record.as.RESULT.status <= 0 && record.as.RESULT.status >= PP_ERR_INTERNAL);
            if (!(record.flags & PPI_WIRE_STREAMED)) INSIST(record.as.RESULT.bytes == record.bytes);
        }
        if (record.kind == PPI_WIRE_FUNCTION)
            INSIST(record.as.FUNCTION.build_id_bytes >= 1 && record.as.FUNCTION.build_id_bytes <= 32 && record.bytes < 1024);
        count++;
    }
    if (status == 0) INSIST(reader.at == bytes);
    return status < 0 ? status : count;
}

/* Of a block of exactly that size. */
static int read_exactly(const void *message, size_t bytes)
{
    char *copy = exactly(message, bytes);
    int status = read_all(copy, bytes);
    free(copy);
    return status;
}

static struct ppi_wire_writer message_of(struct random *r, enum ppi_wire_kind kind, size_t n)
{
    struct ppi_wire_writer w = {0};
    union fixed f = sample(r, kind, n);
    ck_assert_int_eq(ppi_wire_put(&w, kind, 0, &f, data, n), PP_OK);
    return w;
}

static struct ppi_wire_writer message_of_each(struct random *r, size_t most)
{
    struct ppi_wire_writer w = {0};
    for (int kind = 1; kind < PPI_WIRE_KINDS; kind++) {
        size_t n = random_below(r, most);
        if (n > most_bytes((enum ppi_wire_kind)kind)) n = most_bytes((enum ppi_wire_kind)kind);
        union fixed f = sample(r, (enum ppi_wire_kind)kind, n);
        ck_assert_int_eq(ppi_wire_put(&w, (enum ppi_wire_kind)kind, 0, &f, data, n), PP_OK);
    }
    return w;
}

/* ---- what is written is read */

START_TEST(each_kind_comes_back_as_it_was)
{
    struct random r = random_begin("each_kind");
    enum ppi_wire_kind kind = (enum ppi_wire_kind)_i;
    fill_data(&r);
    static const size_t sizes[] = {0, 1, 7, 8, 9, 23, 24, 25, 1000, 1023, 32767, 32768, 65535, 65536};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i];
        if (n > most_bytes(kind)) continue;
        union fixed f = sample(&r, kind, n);
        struct ppi_wire_writer w = {0};
        ck_assert_int_eq(ppi_wire_put(&w, kind, 0, &f, data, n), PP_OK);
        ck_assert_uint_eq(w.bytes, HEADER + RECORD_HEADER + fixed_bytes[kind] + padded(n));
        char *copy = exactly(w.message, w.bytes);
        struct ppi_wire_reader reader;
        struct ppi_wire_record record;
        ck_assert_int_eq(ppi_wire_open(&reader, copy, w.bytes), PP_OK);
        ck_assert_int_eq(ppi_wire_next(&reader, &record), 1);
        ck_assert_int_eq(record.kind, kind);
        ck_assert_uint_eq(record.flags, 0);
        ck_assert_uint_eq(record.bytes, n);
        ck_assert(memcmp(&record.as, &f, fixed_bytes[kind]) == 0);
        ck_assert(n == 0 || memcmp(record.data, data, n) == 0);
        ck_assert_uint_eq((uintptr_t)record.data % 8, (uintptr_t)copy % 8);
        ck_assert_int_eq(ppi_wire_next(&reader, &record), 0);
        ck_assert_int_eq(ppi_wire_next(&reader, &record), 0); /* and stays there */
        free(copy);
        free(w.message);
    }
}
END_TEST

START_TEST(announced_streams_come_back)
{
    struct random r = random_begin("announced_streams");
    static const enum ppi_wire_kind kinds[] = {PPI_WIRE_TASK, PPI_WIRE_RESULT};
    for (int i = 0; i < 2; i++) {
        struct ppi_wire_writer w = {0};
        union fixed f = sample(&r, kinds[i], (size_t)5 << 30);
        ck_assert_int_eq(ppi_wire_put(&w, kinds[i], PPI_WIRE_STREAMED, &f, NULL, 0), PP_OK);
        struct ppi_wire_reader reader;
        struct ppi_wire_record record;
        ck_assert_int_eq(ppi_wire_open(&reader, w.message, w.bytes), PP_OK);
        ck_assert_int_eq(ppi_wire_next(&reader, &record), 1);
        ck_assert_uint_eq(record.flags, PPI_WIRE_STREAMED);
        ck_assert_uint_eq(i ? record.as.RESULT.bytes : record.as.TASK.bytes, (uint64_t)5 << 30);
        free(w.message);
    }
}
END_TEST

START_TEST(many_records_come_back_in_order)
{
    struct random r = random_begin("many_records");
    fill_data(&r);
    enum { N = 20000 };
    struct ppi_wire_writer w = {0};
    static struct {
        enum ppi_wire_kind kind;
        size_t n;
        union fixed fixed;
    } said[N];
    for (int i = 0; i < N; i++) {
        said[i].kind = (enum ppi_wire_kind)(1 + random_below(&r, PPI_WIRE_KINDS - 1));
        said[i].n = random_magnitude(&r, 9);
        said[i].fixed = sample(&r, said[i].kind, said[i].n);
        INSIST(ppi_wire_put(&w, said[i].kind, 0, &said[i].fixed, data + i % 64, said[i].n) == PP_OK);
    }
    struct ppi_wire_reader reader;
    struct ppi_wire_record record;
    ck_assert_int_eq(ppi_wire_open(&reader, w.message, w.bytes), PP_OK);
    for (int i = 0; i < N; i++) {
        INSIST(ppi_wire_next(&reader, &record) == 1);
        INSIST(record.kind == said[i].kind && record.bytes == said[i].n);
        INSIST(memcmp(&record.as, &said[i].fixed, fixed_bytes[record.kind]) == 0);
        INSIST(said[i].n == 0 || memcmp(record.data, data + i % 64, said[i].n) == 0);
    }
    ck_assert_int_eq(ppi_wire_next(&reader, &record), 0);
    free(w.message);
}
END_TEST

START_TEST(empty_message_has_no_records)
{
    struct random r = random_begin("empty_message");
    struct ppi_wire_writer w = message_of(&r, PPI_WIRE_BYE, 0);
    ck_assert_int_eq(read_exactly(w.message, HEADER), 0);
    free(w.message);
}
END_TEST

START_TEST(names_are_those_of_the_list)
{
#define X(name, type) ck_assert_str_eq(ppi_wire_name(PPI_WIRE_##name), #name);
    PPI_WIRE_RECORDS(X)
#undef X
    ck_assert_str_eq(ppi_wire_name(PPI_WIRE_NONE), "unknown");
    ck_assert_str_eq(ppi_wire_name(PPI_WIRE_KINDS), "unknown");
    ck_assert_str_eq(ppi_wire_name((enum ppi_wire_kind)-1), "unknown");
}
END_TEST

/* ---- nothing that arrives is believed */

START_TEST(message_cut_anywhere_is_damaged)
{
    struct random r = random_begin("message_cut");
    fill_data(&r);
    struct ppi_wire_writer w = message_of(&r, (enum ppi_wire_kind)_i, 37);
    for (size_t n = 0; n < w.bytes; n++) {
        int status = read_exactly(w.message, n);
        ck_assert_int_eq(status, n == HEADER ? 0 : PP_ERR_MPI);
    }
    ck_assert_int_eq(read_exactly(w.message, w.bytes), 1);
    free(w.message);

    w = message_of_each(&r, 100);
    for (size_t n = 0; n < w.bytes; n++) {
        int status = read_exactly(w.message, n); /* fewer records, or damaged */
        ck_assert(status == PP_ERR_MPI || (status >= 0 && status < PPI_WIRE_KINDS - 1));
    }
    ck_assert_int_eq(read_exactly(w.message, w.bytes), PPI_WIRE_KINDS - 1);
    free(w.message);
}
END_TEST

START_TEST(foreign_messages_are_refused_and_say_what_they_are)
{
    struct random r = random_begin("foreign_messages");
    struct ppi_wire_writer w = message_of(&r, PPI_WIRE_BYE, 0);
    for (int i = 0; i < HEADER; i++) {
        for (int bit = 0; bit < 8; bit++) {
            w.message[i] = (char)(w.message[i] ^ 1 << bit);
            ck_assert_int_eq(read_exactly(w.message, w.bytes), PP_ERR_MPI);
            ck_assert_ptr_nonnull(strstr(pp_last_error(), "another version"));
            w.message[i] = (char)(w.message[i] ^ 1 << bit);
        }
    }
    /* The other byte order. */
    for (int i = 0; i < HEADER; i += 4) {
        char *p = w.message + i, swapped[4] = {p[3], p[2], p[1], p[0]};
        memcpy(p, swapped, 4);
    }
    ck_assert_int_eq(read_exactly(w.message, w.bytes), PP_ERR_MPI);
    free(w.message);
    ck_assert_int_eq(read_exactly("", 0), PP_ERR_MPI);
}
END_TEST

START_TEST(outputs_are_untouched_on_damage)
{
    struct random r = random_begin("outputs_are_untouched");
    struct ppi_wire_writer w = message_of(&r, PPI_WIRE_RESULT, 8);
    struct ppi_wire_reader reader, before;
    struct ppi_wire_record record, record_before;
    memset(&reader, 0x5a, sizeof reader);
    memset(&record, 0x5a, sizeof record);
    before = reader;
    record_before = record;
    w.message[0] ^= 1;
    ck_assert_int_eq(ppi_wire_open(&reader, w.message, w.bytes), PP_ERR_MPI);
    ck_assert(memcmp(&reader, &before, sizeof reader) == 0);
    w.message[0] ^= 1;
    w.message[HEADER + 1] = 0x7f; /* the kind */
    ck_assert_int_eq(ppi_wire_open(&reader, w.message, w.bytes), PP_OK);
    before = reader;
    ck_assert_int_eq(ppi_wire_next(&reader, &record), PP_ERR_MPI);
    ck_assert(memcmp(&reader, &before, sizeof reader) == 0);
    ck_assert(memcmp(&record, &record_before, sizeof record) == 0);
    free(w.message);
}
END_TEST

START_TEST(unknown_kinds_are_damage)
{
    struct random r = random_begin("unknown_kinds");
    struct ppi_wire_writer w = message_of(&r, PPI_WIRE_STOP, 0);
    for (unsigned kind = 0; kind <= 0xffff; kind++) {
        uint16_t k = (uint16_t)kind;
        memcpy(w.message + HEADER, &k, sizeof k);
        if (kind == 0 || kind >= PPI_WIRE_KINDS) INSIST(read_all(w.message, w.bytes) == PP_ERR_MPI);
    }
    free(w.message);
}
END_TEST

START_TEST(record_larger_than_the_message_is_damage)
{
    struct random r = random_begin("record_larger");
    fill_data(&r);
    struct ppi_wire_writer w = message_of(&r, PPI_WIRE_OUTPUT, 64);
    static const uint32_t sizes[] = {65, 72, 73, 128, 0x7fffffff, 0x80000000, 0xfffffff0, 0xfffffff8, 0xfffffff9, 0xffffffff};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        memcpy(w.message + HEADER + 4, &sizes[i], 4);
        ck_assert_int_eq(read_exactly(w.message, w.bytes), PP_ERR_MPI);
    }
    free(w.message);
}
END_TEST

/* One field of a good record is replaced; the record is then damaged. */
#define SPOILED(kind_, n, field, value)                                                             \
    do {                                                                                            \
        struct ppi_wire_writer w_ = {0};                                                            \
        union fixed f_ = sample(&r, PPI_WIRE_##kind_, n);                                           \
        f_.kind_.field = value;                                                                     \
        ck_assert_int_eq(ppi_wire_put(&w_, PPI_WIRE_##kind_, 0, &f_, data, n), PP_OK);              \
        ck_assert_msg(read_exactly(w_.message, w_.bytes) == PP_ERR_MPI, #kind_ "." #field " " #value); \
        free(w_.message);                                                                           \
    } while (0)

START_TEST(fields_that_cannot_be_right_are_damage)
{
    struct random r = random_begin("fields");
    SPOILED(HELLO, 0, limit, 0);
    SPOILED(HELLO, 0, limit, -1);
    SPOILED(HELLO, 0, limit, INT32_MAX);
    SPOILED(HELLO, 0, quota, -1);
    SPOILED(WELCOME, 0, workers, 0);
    SPOILED(WELCOME, 0, workers, -5);
    SPOILED(WELCOME, 0, first_number, -1);
    SPOILED(WELCOME, 0, cores_per_worker, 0);
    SPOILED(READY, 0, status, 1);
    SPOILED(READY, 0, status, PP_ERR_INTERNAL - 1);
    SPOILED(READY, 0, workers, -1);
    SPOILED(FUNCTION, 10, build_id_bytes, 0);
    SPOILED(FUNCTION, 10, build_id_bytes, -1);
    SPOILED(FUNCTION, 10, build_id_bytes, 33);
    SPOILED(INIT, 10, bytes, 11);
    SPOILED(TASK, 10, bytes, 9);
    SPOILED(TASK, 10, bytes, 11);
    SPOILED(TASK, 0, bytes, 1);
    SPOILED(TASK, 10, bytes, UINT64_MAX);
    SPOILED(RESULT, 10, bytes, 9);
    SPOILED(RESULT, 10, bytes, 16);
    SPOILED(RESULT, 10, status, 1);
    SPOILED(RESULT, 10, status, INT32_MAX);
    SPOILED(RESULT, 10, status, PP_ERR_INTERNAL - 1);
    SPOILED(RESULT, 10, status, INT32_MIN);
    SPOILED(OUTPUT, 10, stream, 2);
    SPOILED(OUTPUT, 10, stream, -1);

    struct ppi_wire_writer w = {0};
    union fixed f = sample(&r, PPI_WIRE_HELLO, 0);
    memset(f.HELLO.host, 'x', sizeof f.HELLO.host); /* does not end */
    ck_assert_int_eq(ppi_wire_put(&w, PPI_WIRE_HELLO, 0, &f, NULL, 0), PP_OK);
    ck_assert_int_eq(read_exactly(w.message, w.bytes), PP_ERR_MPI);
    free(w.message);

    w = (struct ppi_wire_writer){0};
    f = sample(&r, PPI_WIRE_FUNCTION, 1024); /* a path that is too long */
    ck_assert_int_eq(ppi_wire_put(&w, PPI_WIRE_FUNCTION, 0, &f, data, 1024), PP_OK);
    ck_assert_int_eq(read_exactly(w.message, w.bytes), PP_ERR_MPI);
    free(w.message);

    /* Only tasks and results are streamed, and then nothing is inline, and it is large. */
    for (int kind = 1; kind < PPI_WIRE_KINDS; kind++) {
        int can = kind == PPI_WIRE_TASK || kind == PPI_WIRE_RESULT;
        for (size_t n = 0; n <= 8; n += 8) {
            w = (struct ppi_wire_writer){0};
            f = sample(&r, (enum ppi_wire_kind)kind, can ? 100000 : n);
            ck_assert_int_eq(ppi_wire_put(&w, (enum ppi_wire_kind)kind, PPI_WIRE_STREAMED, &f, data, n), PP_OK);
            ck_assert_int_eq(read_exactly(w.message, w.bytes), can && n == 0 ? 1 : PP_ERR_MPI);
            free(w.message);
        }
        if (!can) continue;
        for (size_t n = 0; n <= PPI_WIRE_INLINE_MAX; n += 8192) { /* these travel inside messages */
            w = (struct ppi_wire_writer){0};
            f = sample(&r, (enum ppi_wire_kind)kind, n);
            ck_assert_int_eq(ppi_wire_put(&w, (enum ppi_wire_kind)kind, PPI_WIRE_STREAMED, &f, NULL, 0), PP_OK);
            ck_assert_int_eq(read_exactly(w.message, w.bytes), PP_ERR_MPI);
            free(w.message);
        }
    }
}
END_TEST

START_TEST(flipped_bits_never_lead_out_of_bounds)
{
    struct random r = random_begin("flipped_bits");
    fill_data(&r);
    for (int round = 0; round < 200; round++) {
        struct ppi_wire_writer w = message_of_each(&r, 60);
        char *copy = exactly(w.message, w.bytes);
        free(w.message);
        for (int n = 0; n < 50; n++) {
            for (uint64_t k = 1 + random_below(&r, 3); k > 0; k--) {
                size_t at = random_below(&r, w.bytes);
                copy[at] = (char)(copy[at] ^ 1 << random_below(&r, 8));
            }
            read_all(copy, w.bytes);
        }
        free(copy);
    }
}
END_TEST

START_TEST(each_single_flipped_bit_is_harmless)
{
    struct random r = random_begin("each_single");
    fill_data(&r);
    struct ppi_wire_writer w = message_of_each(&r, 20);
    char *copy = exactly(w.message, w.bytes);
    free(w.message);
    for (size_t at = 0; at < w.bytes; at++)
        for (int bit = 0; bit < 8; bit++) {
            copy[at] = (char)(copy[at] ^ 1 << bit);
            read_all(copy, w.bytes);
            copy[at] = (char)(copy[at] ^ 1 << bit);
        }
    ck_assert_int_eq(read_all(copy, w.bytes), PPI_WIRE_KINDS - 1);
    free(copy);
}
END_TEST

START_TEST(random_bytes_behind_a_good_header_never_lead_out_of_bounds)
{
    struct random r = random_begin("random_bytes");
    struct ppi_wire_writer w = message_of(&r, PPI_WIRE_BYE, 0);
    for (int round = 0; round < 20000; round++) {
        size_t n = HEADER + random_below(&r, 2000);
        char *copy = malloc(n);
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, w.message, HEADER);
        for (size_t i = HEADER; i < n; i++) copy[i] = (char)random_next(&r);
        /* Most kinds would be unknown: make the first a known one, with a length that could be. */
        uint16_t kind = (uint16_t)(1 + random_below(&r, PPI_WIRE_KINDS - 1));
        uint32_t bytes = (uint32_t)random_magnitude(&r, 11);
        if (n >= HEADER + RECORD_HEADER) {
            memcpy(copy + HEADER, &kind, sizeof kind);
            memcpy(copy + HEADER + 4, &bytes, sizeof bytes);
        }
        read_all(copy, n);
        free(copy);
    }
    free(w.message);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire");
    TCase *c = tcase_create("round trip");
    tcase_set_timeout(c, 30);
    tcase_add_loop_test(c, each_kind_comes_back_as_it_was, 1, PPI_WIRE_KINDS);
    tcase_add_test(c, announced_streams_come_back);
    tcase_add_test(c, many_records_come_back_in_order);
    tcase_add_test(c, empty_message_has_no_records);
    tcase_add_test(c, names_are_those_of_the_list);
    suite_add_tcase(suite, c);
    c = tcase_create("damage");
    tcase_set_timeout(c, 30);
    tcase_add_loop_test(c, message_cut_anywhere_is_damaged, 1, PPI_WIRE_KINDS);
    tcase_add_test(c, foreign_messages_are_refused_and_say_what_they_are);
    tcase_add_test(c, outputs_are_untouched_on_damage);
    tcase_add_test(c, unknown_kinds_are_damage);
    tcase_add_test(c, record_larger_than_the_message_is_damage);
    tcase_add_test(c, fields_that_cannot_be_right_are_damage);
    tcase_add_test(c, flipped_bits_never_lead_out_of_bounds);
    tcase_add_test(c, each_single_flipped_bit_is_harmless);
    tcase_add_test(c, random_bytes_behind_a_good_header_never_lead_out_of_bounds);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
