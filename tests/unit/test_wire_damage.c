/* Damaged messages: nothing that arrives makes the decoder read where it must not. They lie in blocks of exactly their
 * size, so that AddressSanitizer sees a byte too far. */
#include "unit/suite.h"
#include "unit/wire_samples.h"

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
    SPOILED(WELCOME, 0, extra_number, -1);
    SPOILED(WELCOME, 0, extra_gap, -1);
    SPOILED(WELCOME, 0, spin_below, -1);
    SPOILED(RESIZE, 0, workers, -1);
    SPOILED(RESIZE, 0, workers, PPI_WIRE_WORKERS_MAX + 1);
    SPOILED(READY, 0, status, 1);
    SPOILED(READY, 0, status, PP_ERR_INTERNAL - 1);
    SPOILED(READY, 0, workers, -1);
    SPOILED(FUNCTION, 10, build_id_bytes, 0);
    SPOILED(FUNCTION, 10, build_id_bytes, -1);
    SPOILED(FUNCTION, 10, build_id_bytes, 33);
    SPOILED(FUNCTION, 10, module, PPI_WIRE_MODULES_MAX + 1);
    SPOILED(FUNCTION, 10, need_count, PPI_WIRE_NEEDS_MAX + 1);
    SPOILED(MODULE, 10, number, PPI_WIRE_MODULES_MAX);
    SPOILED(MODULE, 10, build_id_bytes, 0);
    SPOILED(MODULE, 10, build_id_bytes, 33);
    SPOILED(MODULE, 10, bytes, UINT64_MAX);
    SPOILED(MODULE, 10, linked, 2);
    SPOILED(MODULE, 10, path_bytes, 11);
    SPOILED(MODULE, 10, path_bytes, UINT32_MAX);
    SPOILED(MODULE, 10, alias_bytes, 11);
    SPOILED(MODULE, 200, alias_bytes, 128);
    SPOILED(WANT, 0, number, PPI_WIRE_MODULES_MAX);
    SPOILED(IMAGE, 10, number, PPI_WIRE_MODULES_MAX);
    SPOILED(IMAGE, 10, bytes, 9);
    SPOILED(IMAGE, 10, bytes, UINT64_MAX);
    SPOILED(IMAGE, 10, status, 1);
    SPOILED(INIT, 10, bytes, 11);
    SPOILED(TASK, 10, bytes, 9);
    SPOILED(TASK, 10, bytes, 11);
    SPOILED(TASK, 0, bytes, 1);
    SPOILED(TASK, 10, bytes, UINT64_MAX);
    SPOILED(SHARE, 10, bytes, 9);
    SPOILED(SHARE, 10, bytes, UINT64_MAX);
    SPOILED(SHARE, 10, id, 0);
    SPOILED(SHARE, 10, elsewhere, 1); /* and yet it is here */
    SPOILED(SHARE, 0, elsewhere, 2);
    SPOILED(UNSHARE, 0, id, 0);
    SPOILED(DROP, 0, id, 0);
    SPOILED(READY, 0, is_holder, 2);
    SPOILED(READY, 0, is_holder, -1);
    SPOILED(READY, 0, reads_arguments, 2);
    SPOILED(READY, 0, reads_arguments, -1);
    SPOILED(SEGMENT, 0, fd, -1);
    SPOILED(MAPPED, 0, mapped, 2);
    SPOILED(MAPPED, 0, mapped, -1);
    SPOILED(TASK, 10, avoid, PPI_WIRE_WORKERS_MAX + 1);
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

    w = (struct ppi_wire_writer){0};
    f = sample(&r, PPI_WIRE_FUNCTION, 10);
    f.FUNCTION.need_count = PPI_WIRE_NEEDS_MAX;
    f.FUNCTION.needs[PPI_WIRE_NEEDS_MAX - 1] = PPI_WIRE_MODULES_MAX; /* there is no such module */
    ck_assert_int_eq(ppi_wire_put(&w, PPI_WIRE_FUNCTION, 0, &f, data, 10), PP_OK);
    ck_assert_int_eq(read_exactly(w.message, w.bytes), PP_ERR_MPI);
    free(w.message);

    /* Only tasks, results, shared data and images are streamed, and then nothing is inline, and it is large. */
    for (int kind = 1; kind < PPI_WIRE_KINDS; kind++) {
        int can = kind == PPI_WIRE_TASK || kind == PPI_WIRE_RESULT || kind == PPI_WIRE_SHARE || kind == PPI_WIRE_IMAGE;
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

/* Reads one record of that kind, of a task or a result of so many bytes, with n bytes behind it. */
static int read_with_flags(struct random *r, enum ppi_wire_kind kind, unsigned flags, size_t bytes, size_t n)
{
    struct ppi_wire_writer w = {0};
    union fixed f = sample(r, kind, bytes);
    ck_assert_int_eq(ppi_wire_put(&w, kind, flags, &f, data, n), PP_OK);
    int status = read_exactly(w.message, w.bytes);
    free(w.message);
    return status;
}

START_TEST(only_large_tasks_and_results_stay_in_place_and_say_where)
{
    struct random r = random_begin("in_place");
    const size_t large = PPI_WIRE_INLINE_MAX + 1, place = sizeof(struct ppi_wire_place);
    for (int k = 1; k < PPI_WIRE_KINDS; k++) {
        enum ppi_wire_kind kind = (enum ppi_wire_kind)k;
        int can = kind == PPI_WIRE_TASK || kind == PPI_WIRE_RESULT;
        ck_assert_int_eq(read_with_flags(&r, kind, PPI_WIRE_IN_PLACE, large, place), can ? 1 : PP_ERR_MPI);
        ck_assert_int_eq(read_with_flags(&r, kind, PPI_WIRE_IN_PLACE, large, 0), PP_ERR_MPI);
        ck_assert_int_eq(read_with_flags(&r, kind, PPI_WIRE_IN_PLACE, large, place - 8), PP_ERR_MPI);
        ck_assert_int_eq(read_with_flags(&r, kind, PPI_WIRE_IN_PLACE, large, place + 8), PP_ERR_MPI);
        ck_assert_int_eq(read_with_flags(&r, kind, PPI_WIRE_IN_PLACE, large - 1, place), PP_ERR_MPI);
        ck_assert_int_eq(read_with_flags(&r, kind, PPI_WIRE_IN_PLACE | PPI_WIRE_STREAMED, large, place), PP_ERR_MPI);
        ck_assert_int_eq(read_with_flags(&r, kind, PPI_WIRE_IN_PLACE | PPI_WIRE_STREAMED, large, 0), PP_ERR_MPI);
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
    Suite *suite = suite_create("wire damage");
    TCase *c = tcase_create("damage");
    tcase_set_timeout(c, 30);
    tcase_add_loop_test(c, message_cut_anywhere_is_damaged, 1, PPI_WIRE_KINDS);
    tcase_add_test(c, foreign_messages_are_refused_and_say_what_they_are);
    tcase_add_test(c, outputs_are_untouched_on_damage);
    tcase_add_test(c, unknown_kinds_are_damage);
    tcase_add_test(c, record_larger_than_the_message_is_damage);
    tcase_add_test(c, fields_that_cannot_be_right_are_damage);
    tcase_add_test(c, only_large_tasks_and_results_stay_in_place_and_say_where);
    tcase_add_test(c, flipped_bits_never_lead_out_of_bounds);
    tcase_add_test(c, each_single_flipped_bit_is_harmless);
    tcase_add_test(c, random_bytes_behind_a_good_header_never_lead_out_of_bounds);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
