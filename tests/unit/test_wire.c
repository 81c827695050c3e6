/* Messages: what is written is read back. */
#include "unit/suite.h"
#include "unit/wire_samples.h"

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
    static const enum ppi_wire_kind kinds[] = {PPI_WIRE_TASK, PPI_WIRE_RESULT, PPI_WIRE_SHARE};
    for (int i = 0; i < 3; i++) {
        struct ppi_wire_writer w = {0};
        union fixed f = sample(&r, kinds[i], (size_t)5 << 30);
        ck_assert_int_eq(ppi_wire_put(&w, kinds[i], PPI_WIRE_STREAMED, &f, NULL, 0), PP_OK);
        struct ppi_wire_reader reader;
        struct ppi_wire_record record;
        ck_assert_int_eq(ppi_wire_open(&reader, w.message, w.bytes), PP_OK);
        ck_assert_int_eq(ppi_wire_next(&reader, &record), 1);
        ck_assert_uint_eq(record.flags, PPI_WIRE_STREAMED);
        ck_assert_uint_eq(i == 0   ? record.as.TASK.bytes
                          : i == 1 ? record.as.RESULT.bytes
                                   : record.as.SHARE.bytes,
                          (uint64_t)5 << 30);
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
    return run_suite(suite);
}
