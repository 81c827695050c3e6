/* The allocator of shared blocks: against a model, at its limits, and at its guards. */
#include "channel/arena.h"

#include "channel/segment.h"
#include "unit/random.h"
#include "unit/suite.h"

#include <check.h>
#include <ppmpi.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096

/* As ck_assert, which writes to a pipe each time: for inner loops. */
#define INSIST(condition) ((condition) ? (void)0 : ck_abort_msg("%s", #condition))

static struct ppi_segment segment;
static struct ppi_arena arena;

#define WARM_MAX ((uint64_t)512 << 20)

static void begin(size_t bytes, uint64_t start, size_t guard)
{
    ck_assert_int_eq(ppi_segment_create(&segment, "test-arena", bytes, bytes), PP_OK);
    ppi_arena_init(&arena, segment.base, start, bytes, guard);
    arena.warm_max = WARM_MAX;
}

static void end(void)
{
    ppi_arena_fini(&arena);
    ppi_segment_destroy(&segment);
}

/* ---- sizes */

static void check_size(uint64_t bytes)
{
    uint64_t block = ppi_arena_block_bytes(bytes);
    INSIST(block >= bytes && block >= 64);
    INSIST(block % 64 == 0);
    INSIST(bytes <= PAGE || block % PAGE == 0);
    /* No more than a quarter is wasted, and what rounding to the unit costs. */
    uint64_t unit = bytes > PAGE ? PAGE : 64;
    INSIST(block <= bytes + bytes / 4 + unit);
    INSIST(ppi_arena_block_bytes(block) == block);
}

START_TEST(block_sizes_fit_around_each_power_of_two)
{
    check_size(0);
    for (unsigned power = 0; power <= 40; power++) {
        uint64_t at = (uint64_t)1 << power;
        uint64_t quarter = at / 4;
        for (uint64_t q = 0; q < 4; q++)
            for (int64_t d = -3; d <= 3; d++) check_size((uint64_t)((int64_t)(at + q * quarter) + d < 0 ? 0 : (int64_t)(at + q * quarter) + d));
    }
    uint64_t last = 0;
    for (uint64_t bytes = 0; bytes < 100000; bytes++) {
        check_size(bytes);
        INSIST(ppi_arena_block_bytes(bytes) >= last);
        last = ppi_arena_block_bytes(bytes);
    }
}
END_TEST

START_TEST(there_are_four_sizes_to_a_doubling)
{
    for (unsigned power = 14; power < 40; power++) {
        int sizes = 0;
        uint64_t at = (uint64_t)1 << power, step = at / 64;
        for (uint64_t bytes = at + step; bytes <= 2 * at; bytes += step)
            sizes += ppi_arena_block_bytes(bytes) != ppi_arena_block_bytes(bytes - step);
        ck_assert_int_eq(sizes, 4);
    }
}
END_TEST

START_TEST(sizes_are_monotone_and_random_ones_fit)
{
    struct random r = random_begin("sizes_are_monotone");
    for (int i = 0; i < 1000000; i++) {
        uint64_t a = random_magnitude(&r, 40), b = random_magnitude(&r, 40);
        check_size(a);
        INSIST((a <= b) == (ppi_arena_block_bytes(a) <= ppi_arena_block_bytes(b)) ||
               ppi_arena_block_bytes(a) == ppi_arena_block_bytes(b));
    }
}
END_TEST

/* ---- against a model */

#define LIVE_MOST 400

struct block {
    uint64_t offset, bytes;
    unsigned char mark;
};

static void mark(const struct block *b)
{
    unsigned char *p = (unsigned char *)segment.base + b->offset;
    if (b->bytes == 0) return;
    p[0] = p[b->bytes - 1] = p[b->bytes / 2] = b->mark;
}

static int is_marked(const struct block *b)
{
    const unsigned char *p = (const unsigned char *)segment.base + b->offset;
    return b->bytes == 0 || (p[0] == b->mark && p[b->bytes - 1] == b->mark && p[b->bytes / 2] == b->mark);
}

static void check_place(const struct block *live, int count, const struct block *b, uint64_t start)
{
    uint64_t size = ppi_arena_block_bytes(b->bytes);
    INSIST(b->offset % 64 == 0);
    INSIST((size < PAGE && !arena.guard) || b->offset % PAGE == 0);
    INSIST(b->offset >= start + arena.guard && b->offset + size + arena.guard <= arena.end);
    for (int i = 0; i < count; i++) {
        uint64_t other = ppi_arena_block_bytes(live[i].bytes);
        /* The gap between two blocks is at least a guard. */
        INSIST(b->offset + size + arena.guard <= live[i].offset || live[i].offset + other + arena.guard <= b->offset);
    }
}

static void random_use(size_t guard, unsigned bits, int steps)
{
    struct random r = random_begin("random_use");
    static struct block live[LIVE_MOST];
    int count = 0, refused = 0;
    uint64_t start = random_below(&r, 3 * PAGE);
    begin((size_t)256 << 20, start, guard);
    for (int i = 0; i < steps; i++) {
        if (count < LIVE_MOST && random_below(&r, 100) < 55) {
            struct block b = {0, random_magnitude(&r, bits), (unsigned char)random_next(&r)};
            b.offset = ppi_arena_alloc(&arena, b.bytes, NULL);
            if (b.offset == 0) {
                refused++;
                continue;
            }
            check_place(live, count, &b, start);
            mark(&b);
            live[count++] = b;
        } else if (count) {
            int k = (int)random_below(&r, (uint64_t)count);
            INSIST(is_marked(&live[k]));
            ppi_arena_free(&arena, live[k].offset, live[k].bytes);
            live[k] = live[--count];
        }
    }
    for (int i = 0; i < count; i++) INSIST(is_marked(&live[i]));
    ck_assert_int_lt(refused, steps / 2);
    end();
}

START_TEST(blocks_never_overlap)
{
    random_use(0, 12, 100000);
    random_use(0, 23, 20000);
}
END_TEST

START_TEST(blocks_with_guards_never_overlap)
{
    random_use(PAGE, 17, 5000);
    random_use(64 << 10, 22, 3000);
}
END_TEST

START_TEST(freed_block_is_handed_out_again_warm)
{
    begin((size_t)64 << 20, PAGE, 0);
    static const uint64_t sizes[] = {1, 64, 65, 1000, 4096, 4097, 100000, 1 << 20, (1 << 20) + 1, 5 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t a = ppi_arena_alloc(&arena, sizes[i], NULL), b = ppi_arena_alloc(&arena, sizes[i], NULL);
        ck_assert(a && b);
        ppi_arena_free(&arena, a, sizes[i]);
        ppi_arena_free(&arena, b, sizes[i]);
        ck_assert_uint_eq(ppi_arena_alloc(&arena, sizes[i], NULL), b); /* the last freed */
        ck_assert_uint_eq(ppi_arena_alloc(&arena, sizes[i], NULL), a);
    }
    end();
}
END_TEST

START_TEST(full_arena_gives_zero_and_goes_on_when_something_is_freed)
{
    for (size_t guard = 0; guard <= PAGE; guard += PAGE) {
        static uint64_t offset[100000];
        int count = 0;
        begin((size_t)8 << 20, 100, guard);
        ck_assert_uint_eq(ppi_arena_alloc(&arena, (uint64_t)8 << 20, NULL), 0); /* the whole is never to be had */
        ck_assert_uint_eq(ppi_arena_alloc(&arena, (uint64_t)9 << 20, NULL), 0);
        ck_assert_uint_eq(ppi_arena_alloc(&arena, UINT64_MAX, NULL), 0);
        ck_assert_uint_eq(ppi_arena_alloc(&arena, (uint64_t)1 << 63, NULL), 0);
        while ((offset[count] = ppi_arena_alloc(&arena, 1000, NULL)) != 0) count++;
        ck_assert_int_gt(count, guard ? 900 : 7000);
        ck_assert_uint_eq(ppi_arena_alloc(&arena, 1000, NULL), 0);
        ppi_arena_free(&arena, offset[count / 2], 1000);
        ck_assert_uint_eq(ppi_arena_alloc(&arena, 1000, NULL), offset[count / 2]);
        ck_assert_uint_eq(ppi_arena_alloc(&arena, 1000, NULL), 0);
        end();
    }
}
END_TEST

START_TEST(no_block_lies_before_the_start)
{
    for (uint64_t start = 1; start < 10000; start += 999) {
        begin((size_t)1 << 20, start, _i ? PAGE : 0);
        ck_assert_uint_ge(ppi_arena_alloc(&arena, 10, NULL), start);
        end();
    }
}
END_TEST

START_TEST(large_memory_is_given_back_to_the_system)
{
    /* What is freed beyond the limit of warm memory comes back as zeros. */
    enum { N = 40 };
    uint64_t each = (uint64_t)16 << 20, offset[N];
    begin((size_t)1 << 30, PAGE, 0);
    for (int i = 0; i < N; i++) {
        offset[i] = ppi_arena_alloc(&arena, each, NULL);
        ck_assert_uint_ne(offset[i], 0);
        segment.base[offset[i]] = 'x';
    }
    for (int i = 0; i < N; i++) ppi_arena_free(&arena, offset[i], each);
    ppi_arena_purge(&arena);
    int kept = 0;
    for (int i = 0; i < N; i++) kept += segment.base[offset[i]] == 'x';
    ck_assert_int_eq(kept, (int)(WARM_MAX >> 20) / 16);
    end();
}
END_TEST

START_TEST(block_that_is_too_large_to_wait_loses_its_memory_at_once)
{
    uint64_t bytes = (WARM_MAX / 2) + 1;
    begin((size_t)2 << 30, PAGE, 0);
    uint64_t offset = ppi_arena_alloc(&arena, bytes, NULL);
    ck_assert_uint_ne(offset, 0);
    segment.base[offset] = segment.base[offset + bytes - 1] = 'x';
    ppi_arena_free(&arena, offset, bytes);
    struct ppi_range r;
    ck_assert_int_eq(ppi_arena_dying(&arena, &r), 1);
    ck_assert_uint_eq(r.offset, offset);
    ck_assert_uint_ge(r.bytes, bytes);
    ck_assert_int_eq(ppi_arena_dying(&arena, &r), 0);
    ppi_arena_died(&arena, r); /* whether it was done, the arena does not ask */
    end();
}
END_TEST

START_TEST(address_space_is_cut_anew_whatever_sizes_come)
{
    /* Each size alone nearly fills the arena, and there are many. */
    for (size_t guard = 0; guard <= 16 * PAGE; guard += 16 * PAGE) {
        begin((size_t)1 << 30, PAGE, guard);
        struct random r = random_begin("address_space_is_cut_anew");
        for (int round = 0; round < 60; round++) {
            static uint64_t offset[1000];
            uint64_t each = ((uint64_t)1 << 20) + random_below(&r, (uint64_t)300 << 20);
            uint64_t span = ppi_arena_block_bytes(each) + guard + PAGE;
            int most = (int)((((uint64_t)1 << 30) - ((uint64_t)1 << 20)) / span), count = 0;
            while (count < most && (offset[count] = ppi_arena_alloc(&arena, each, NULL)) != 0) {
                segment.base[offset[count]] = segment.base[offset[count] + each - 1] = 'x';
                count++;
            }
            ck_assert_int_ge(count, (most + 1) / 2); /* warm ones of other sizes lie between */
            while (count) {
                int k = (int)random_below(&r, (uint64_t)count);
                ppi_arena_free(&arena, offset[k], each);
                offset[k] = offset[--count];
            }
        }
        end();
    }
}
END_TEST

START_TEST(block_is_extended_where_it_is)
{
    uint64_t mib = (uint64_t)1 << 20;
    begin((size_t)256 << 20, PAGE, PAGE);
    uint64_t a = ppi_arena_alloc(&arena, mib, NULL);
    ck_assert_int_eq(ppi_arena_extend(&arena, a, mib, 8 * mib), 1); /* at the end of what is used */
    memset(segment.base + a, 'a', 8 * mib);
    uint64_t b = ppi_arena_alloc(&arena, mib, NULL), c = ppi_arena_alloc(&arena, mib, NULL);
    ck_assert_uint_eq(b, a + 8 * mib + PAGE);
    ck_assert_int_eq(ppi_arena_extend(&arena, a, 8 * mib, 9 * mib), 0); /* taken */
    ppi_arena_free(&arena, b, mib);
    ck_assert_int_eq(ppi_arena_extend(&arena, a, 8 * mib, 9 * mib), 0); /* it waits, warm */
    ppi_arena_free(&arena, ppi_arena_alloc(&arena, (WARM_MAX / 2) / 2, NULL), (WARM_MAX / 2) / 2);
    ck_assert_uint_eq(ppi_arena_alloc(&arena, mib, NULL), b);
    segment.base[c] = 'c';
    ck_assert_int_eq(segment.base[a + 8 * mib - 1], 'a');
    ck_assert_int_eq(ppi_arena_extend(&arena, a, 8 * mib, (uint64_t)1 << 40), 0);
    end();
}
END_TEST

START_TEST(fresh_blocks_are_told_from_warm_ones)
{
    static const uint64_t sizes[] = {100, 70000, 5 << 20};
    begin((size_t)64 << 20, PAGE, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int fresh = 2;
        uint64_t offset = ppi_arena_alloc(&arena, sizes[i], &fresh);
        ck_assert_int_eq(fresh, 1);
        ppi_arena_free(&arena, offset, sizes[i]);
        ck_assert_uint_eq(ppi_arena_alloc(&arena, sizes[i], &fresh), offset);
        ck_assert_int_eq(fresh, 0);
    }
    end();
}
END_TEST

/* ---- guards: each test ends by SIGSEGV */

static volatile char *guarded_block(uint64_t bytes, size_t guard)
{
    begin((size_t)16 << 20, 100, guard);
    ppi_arena_alloc(&arena, bytes, NULL); /* a neighbour */
    uint64_t offset = ppi_arena_alloc(&arena, bytes, NULL);
    ppi_arena_alloc(&arena, bytes, NULL);
    ck_assert_uint_ne(offset, 0);
    volatile char *p = segment.base + offset;
    p[0] = p[bytes - 1] = 1; /* the block itself may be written */
    return p;
}

START_TEST(byte_behind_a_block_is_out_of_reach)
{
    guarded_block(100000, PAGE)[(ppi_arena_block_bytes(100000) + PAGE - 1) / PAGE * PAGE] = 1;
}
END_TEST

START_TEST(last_byte_of_the_guard_behind_is_out_of_reach)
{
    guarded_block(100000, 64 << 10)[(ppi_arena_block_bytes(100000) + PAGE - 1) / PAGE * PAGE + (64 << 10) - 1] = 1;
}
END_TEST

START_TEST(byte_before_a_block_is_out_of_reach)
{
    guarded_block(100000, PAGE)[-1] = 1;
}
END_TEST

START_TEST(byte_before_the_first_block_is_out_of_reach)
{
    begin((size_t)16 << 20, 100, PAGE);
    volatile char *p = segment.base + ppi_arena_alloc(&arena, 5000, NULL);
    p[0] = 1;
    p[-1] = 1;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arena");
    TCase *c = tcase_create("sizes");
    tcase_set_timeout(c, 30);
    tcase_add_test(c, block_sizes_fit_around_each_power_of_two);
    tcase_add_test(c, there_are_four_sizes_to_a_doubling);
    tcase_add_test(c, sizes_are_monotone_and_random_ones_fit);
    suite_add_tcase(suite, c);
    c = tcase_create("blocks");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, blocks_never_overlap);
    tcase_add_test(c, blocks_with_guards_never_overlap);
    tcase_add_test(c, freed_block_is_handed_out_again_warm);
    tcase_add_test(c, full_arena_gives_zero_and_goes_on_when_something_is_freed);
    tcase_add_loop_test(c, no_block_lies_before_the_start, 0, 2);
    tcase_add_test(c, large_memory_is_given_back_to_the_system);
    tcase_add_test(c, block_that_is_too_large_to_wait_loses_its_memory_at_once);
    tcase_add_test(c, address_space_is_cut_anew_whatever_sizes_come);
    tcase_add_test(c, block_is_extended_where_it_is);
    tcase_add_test(c, fresh_blocks_are_told_from_warm_ones);
    suite_add_tcase(suite, c);
    c = tcase_create("guards");
    tcase_set_timeout(c, 30);
    tcase_add_test_raise_signal(c, byte_behind_a_block_is_out_of_reach, SIGSEGV);
    tcase_add_test_raise_signal(c, last_byte_of_the_guard_behind_is_out_of_reach, SIGSEGV);
    tcase_add_test_raise_signal(c, byte_before_a_block_is_out_of_reach, SIGSEGV);
    tcase_add_test_raise_signal(c, byte_before_the_first_block_is_out_of_reach, SIGSEGV);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
