/* How much memory can be had, under every limit; and memory that is taken and given back. */
#include "base/memory.h"

#include "channel/segment.h"
#include "unit/suite.h"
#include "unit/tree.h"

#include <ppmpi.h>

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

/* least … most: something is left to others, but not much. */
static const struct {
    const char *name;
    uint64_t least, most;
    const char *file[16];
} trees[] = {
    {"nothing readable", UINT64_MAX, UINT64_MAX, {NULL}},
    {"the system", 100 * GIB - GIB, 100 * GIB - 1, {"/proc/meminfo", "MemTotal: 1 kB\nMemAvailable:   104857600 kB\n"}},
    {"the system has next to nothing", 0, 0, {"/proc/meminfo", "MemAvailable:   1000 kB\n"}},
    {"v2 group", 600 * MIB, 768 * MIB - 1, {
        "/proc/self/cgroup", "0::/a\n", "/proc/self/mountinfo", "1 0 0:1 / /cg rw - cgroup2 cgroup2 rw\n",
        "/cg/a/memory.max", "1073741824\n", "/cg/a/memory.current", "268435456\n"}},
    {"v2 files that can be thrown out do not count", 800 * MIB, 1024 * MIB - 1, {
        "/proc/self/cgroup", "0::/a\n", "/proc/self/mountinfo", "1 0 0:1 / /cg rw - cgroup2 cgroup2 rw\n",
        "/cg/a/memory.max", "1073741824\n", "/cg/a/memory.current", "268435456\n",
        "/cg/a/memory.stat", "anon 1\ninactive_file 268435456\n"}},
    {"v2 without limit", UINT64_MAX, UINT64_MAX, {
        "/proc/self/cgroup", "0::/a\n", "/proc/self/mountinfo", "1 0 0:1 / /cg rw - cgroup2 cgroup2 rw\n",
        "/cg/a/memory.max", "max\n", "/cg/a/memory.current", "268435456\n"}},
    {"v2 an ancestor is tighter", 1, 50 * MIB, {
        "/proc/self/cgroup", "0::/a/b\n", "/proc/self/mountinfo", "1 0 0:1 / /cg rw - cgroup2 cgroup2 rw\n",
        "/cg/a/b/memory.max", "1073741824\n", "/cg/a/b/memory.current", "0\n",
        "/cg/a/memory.max", "104857600\n", "/cg/a/memory.current", "52428800\n"}},
    {"v2 more is used than is allowed", 0, 0, {
        "/proc/self/cgroup", "0::/a\n", "/proc/self/mountinfo", "1 0 0:1 / /cg rw - cgroup2 cgroup2 rw\n",
        "/cg/a/memory.max", "1000000\n", "/cg/a/memory.current", "2000000\n"}},
    {"v1 group", 600 * MIB, 768 * MIB - 1, {
        "/proc/self/cgroup", "3:cpu:/x\n2:memory:/a\n", "/proc/self/mountinfo", "1 0 0:1 / /cg rw - cgroup cgroup rw,memory\n",
        "/cg/a/memory.limit_in_bytes", "1073741824\n", "/cg/a/memory.usage_in_bytes", "536870912\n",
        "/cg/a/memory.stat", "inactive_file 1\ntotal_inactive_file 268435456\n"}},
    {"v1 without limit", 8 * MIB * MIB, UINT64_MAX, {
        "/proc/self/cgroup", "2:memory:/\n", "/proc/self/mountinfo", "1 0 0:1 / /cg rw - cgroup cgroup rw,memory\n",
        "/cg/memory.limit_in_bytes", "9223372036854771712\n", "/cg/memory.usage_in_bytes", "1\n"}},
    {"the tighter of group and system", 600 * MIB, 768 * MIB - 1, {
        "/proc/self/cgroup", "0::/a\n", "/proc/self/mountinfo", "1 0 0:1 / /cg rw - cgroup2 cgroup2 rw\n",
        "/cg/a/memory.max", "1073741824\n", "/cg/a/memory.current", "268435456\n",
        "/proc/meminfo", "MemAvailable:   104857600 kB\n"}},
};

START_TEST(room_is_the_least_of_what_limits_it)
{
    snprintf(root, sizeof root, "%s/%d", base, _i);
    for (int i = 0; trees[_i].file[i]; i += 2) put(trees[_i].file[i], trees[_i].file[i + 1]);
    uint64_t room = ppi_memory_room(root, UINT64_MAX);
    ck_assert_msg(room >= trees[_i].least && room <= trees[_i].most, "%s: %llu", trees[_i].name, (unsigned long long)room);
}
END_TEST

START_TEST(real_machine_has_some_and_not_everything)
{
    uint64_t room = ppi_memory_room("", UINT64_MAX);
    ck_assert_uint_gt(room, 0);
    ck_assert_uint_lt(room, ppi_memory_physical());
    ck_assert_int_eq(ppi_memory_populate(NULL, 2 * ppi_memory_physical(), NULL), 0); /* not a byte was touched */
}
END_TEST

START_TEST(what_others_were_promised_is_not_there)
{
    _Atomic uint64_t promised = 0;
    ck_assert_int_eq(ppi_memory_is_there(1, NULL), 1);
    ck_assert_int_eq(ppi_memory_is_there(1, &promised), 1);
    promised = ppi_memory_physical();
    ck_assert_int_eq(ppi_memory_is_there(1, &promised), 0);
    ck_assert_int_eq(ppi_memory_populate(NULL, PPI_MEMORY_STEP, &promised), 0);
}
END_TEST

START_TEST(copies_arrive_in_fresh_and_in_used_memory)
{
    static const uint64_t sizes[] = {1, 4095, 256 << 10, (256 << 10) + 1, (1 << 20) + 5, (64 << 20) + 4097};
    struct ppi_segment segment;
    unsigned char *data = malloc(80 * MIB);
    ck_assert_ptr_nonnull(data);
    for (uint64_t i = 0; i < 80 * MIB; i++) data[i] = (unsigned char)(i * 31 >> 3);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int fresh = 1; fresh >= 0; fresh--)
            for (size_t offset = 0; offset <= 64; offset += 64) {
                ck_assert_int_eq(ppi_segment_create(&segment, "test-memory", 80 * MIB, 80 * MIB), PP_OK);
                ck_assert_int_eq(ppi_memory_copy(segment.base + offset, data, sizes[i], fresh, NULL), 1);
                ck_assert_int_eq(memcmp(segment.base + offset, data, sizes[i]), 0);
                ck_assert_int_eq(segment.base[offset + sizes[i]], 0);
                ppi_segment_destroy(&segment);
            }
    free(data);
}
END_TEST

START_TEST(what_is_removed_is_zero_and_can_be_used_again)
{
    struct ppi_segment segment;
    ck_assert_int_eq(ppi_segment_create(&segment, "test-memory", 8 * MIB, 8 * MIB), PP_OK);
    ck_assert_int_eq(ppi_memory_populate(segment.base, 8 * MIB, NULL), 1);
    memset(segment.base, 'x', 8 * MIB);
    ppi_memory_remove(segment.base + MIB, MIB);
    ck_assert_int_eq(segment.base[MIB - 1], 'x');
    ck_assert_int_eq(segment.base[MIB], 0);
    ck_assert_int_eq(segment.base[2 * MIB - 1], 0);
    ck_assert_int_eq(segment.base[2 * MIB], 'x');
    segment.base[MIB] = 'y';
    ppi_segment_destroy(&segment);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory");
    TCase *c = tcase_create("memory");
    tcase_set_timeout(c, 60);
    tcase_add_unchecked_fixture(c, make_base, remove_base);
    tcase_add_loop_test(c, room_is_the_least_of_what_limits_it, 0, sizeof trees / sizeof *trees);
    tcase_add_test(c, real_machine_has_some_and_not_everything);
    tcase_add_test(c, what_others_were_promised_is_not_there);
    tcase_add_test(c, copies_arrive_in_fresh_and_in_used_memory);
    tcase_add_test(c, what_is_removed_is_zero_and_can_be_used_again);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
