/* Shared data within a node: what its tables tell whom, and what becomes of its memory. */
#include "share/share.h"

#include "base/status.h"
#include "unit/random.h"
#include "unit/suite.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES ((uint64_t)256 << 20)
#define MIB ((uint64_t)1 << 20)
#define INSIST(condition) ((condition) ? (void)0 : ck_abort_msg("%s", #condition))

static struct ppi_workspace workspace;
static struct ppi_shared_store store;

static void begin(void)
{
    ck_assert_int_eq(ppi_workspace_create(&workspace, BYTES), PP_OK);
    ppi_shared_init(&store, &workspace);
}

static void end(void)
{
    ppi_shared_fini(&store);
    ppi_workspace_destroy(&workspace);
}

static int look(uint64_t id, uint64_t number, const void **data, size_t *bytes)
{
    uint32_t ticket;
    return ppi_shared_look(&workspace, id, number, data, bytes, &ticket);
}

static uint64_t put(uint64_t id, const void *data, uint64_t bytes)
{
    uint64_t offset = ppi_shared_reserve(&store, bytes);
    ck_assert_uint_ne(offset, 0);
    ck_assert_int_eq(ppi_shared_fill(&store, offset, data, bytes), PP_OK);
    ppi_shared_publish(&store, id, offset, bytes, PPI_SHARED_READY);
    return offset;
}

static void give_back_all(void)
{
    struct ppi_shared_block *blocks;
    while ((blocks = ppi_shared_take_gone(&store))) {
        ppi_shared_remove(&store, blocks);
        ppi_shared_put_gone(&store, blocks);
    }
}

static uint64_t memory_used(void)
{
    struct stat s;
    ck_assert_int_eq(fstat(workspace.shared.fd, &s), 0);
    return (uint64_t)s.st_blocks * 512;
}

START_TEST(names_keep_serial_and_index)
{
    struct random r = random_begin("names");
    for (int i = 0; i < 10000; i++) {
        uint64_t serial = random_next(&r) >> 24;
        uint32_t index = (uint32_t)random_below(&r, PPI_SHARED_MAX);
        uint64_t id = ppi_shared_id(serial, index);
        INSIST(ppi_shared_serial(id) == serial && ppi_shared_index(id) == index);
    }
}
END_TEST

START_TEST(what_was_not_announced_is_a_handle_error)
{
    const void *data = &data;
    size_t bytes = 77;
    uint64_t id = ppi_shared_id(3, 5);
    begin();
    put(id, "12345", 5); /* the node has it already, our rank does not know of it yet */
    ck_assert_int_eq(look(id, 1, &data, &bytes), PP_ERR_HANDLE);
    ck_assert_int_eq(look(0, 1, &data, &bytes), PP_ERR_HANDLE);
    ck_assert_int_eq(look(UINT64_MAX, 1, &data, &bytes), PP_ERR_HANDLE);
    ppi_shared_announce(&store, id);
    ck_assert_int_eq(look(ppi_shared_id(4, 5), 1, &data, &bytes), PP_ERR_HANDLE);
    ck_assert_int_eq(look(ppi_shared_id(2, 5), 1, &data, &bytes), PP_ERR_HANDLE);
    ck_assert_int_eq(look(ppi_shared_id(3, 6), 1, &data, &bytes), PP_ERR_HANDLE);
    ck_assert_ptr_eq(data, (void *)&data);
    ck_assert_uint_eq(bytes, 77);
    ck_assert_int_eq(look(id, 1, &data, &bytes), PP_OK);
    ck_assert_uint_eq(bytes, 5);
    ck_assert_mem_eq(data, "12345", 5);
    end();
}
END_TEST

START_TEST(what_is_announced_and_not_there_is_waited_for)
{
    const void *data;
    size_t bytes;
    uint64_t old = ppi_shared_id(3, 5), id = ppi_shared_id(9, 5), offset;
    begin();
    ppi_shared_announce(&store, id);
    ck_assert_int_eq(look(id, 1, &data, &bytes), PP_TIMEOUT);
    put(old, "old", 3); /* the holder is behind */
    ck_assert_int_eq(look(id, 1, &data, &bytes), PP_TIMEOUT);
    offset = ppi_shared_reserve(&store, 9);
    ppi_shared_publish(&store, id, offset, 9, PPI_SHARED_ARRIVING);
    ck_assert_int_eq(look(id, 1, &data, &bytes), PP_TIMEOUT);
    ppi_shared_fill(&store, offset, "something", 9);
    ppi_shared_arrived(&store, id, offset, 9);
    ck_assert_int_eq(look(id, 1, &data, &bytes), PP_OK);
    ck_assert_uint_eq(bytes, 9);
    ck_assert_mem_eq(data, "something", 9);
    ppi_shared_publish(&store, id, 0, 9, PPI_SHARED_FAILED);
    ck_assert_int_eq(look(id, 1, &data, &bytes), PP_ERR_NOMEM);
    end();
}
END_TEST

START_TEST(a_limit_is_for_later_tasks_only)
{
    const void *data;
    uint64_t id = ppi_shared_id(3, 5);
    begin();
    put(id, "12345", 5);
    ppi_shared_announce(&store, id);
    ck_assert_int_eq(look(id, PPI_SHARED_ALL, &data, NULL), PP_OK);
    ppi_shared_limit(&store, ppi_shared_id(2, 5), 1); /* about another, that was there before */
    ck_assert_int_eq(look(id, PPI_SHARED_ALL, &data, NULL), PP_OK);
    ppi_shared_limit(&store, id, 10);
    ck_assert_int_eq(look(id, 10, &data, NULL), PP_OK);
    ck_assert_int_eq(look(id, 11, &data, NULL), PP_ERR_HANDLE);
    ck_assert_int_eq(look(id, PPI_SHARED_ALL, &data, NULL), PP_ERR_HANDLE);
    end();
}
END_TEST

START_TEST(dropped_while_it_arrives_frees_its_block_on_arrival)
{
    uint64_t id = ppi_shared_id(3, 5), next = ppi_shared_id(4, 5), offset, bytes;
    begin();
    uint64_t first = ppi_shared_reserve(&store, MIB);
    ppi_shared_publish(&store, id, first, MIB, PPI_SHARED_ARRIVING);
    ck_assert_int_eq(ppi_shared_drop(&store, id, &offset, &bytes), 0);
    ck_assert_int_eq(ppi_shared_drop(&store, id, &offset, &bytes), 0);
    uint64_t second = put(next, "abc", 3); /* its place is used again */
    ck_assert_uint_ne(second, first);
    ppi_shared_arrived(&store, id, first, MIB);
    give_back_all();
    ck_assert_uint_eq(ppi_shared_reserve(&store, MIB), first);
    ck_assert_uint_eq(ppi_shared_in_place_of(&store, id), next);
    ck_assert_int_eq(ppi_shared_drop(&store, id, &offset, &bytes), 0);
    ck_assert_int_eq(ppi_shared_drop(&store, next, &offset, &bytes), 1);
    ck_assert_uint_eq(offset, second);
    ck_assert_uint_eq(bytes, 3);
    end();
}
END_TEST

START_TEST(memory_of_any_size_goes_back_to_the_system)
{
    struct random r = random_begin("memory");
    char *data = malloc(20 * MIB);
    memset(data, 7, 20 * MIB);
    begin();
    uint64_t before = memory_used();
    for (int round = 0; round < 20; round++) {
        uint64_t offset[100], bytes[100], sum = 0;
        for (int i = 0; i < 100; i++) {
            bytes[i] = i < 3 ? random_below(&r, 20 * MIB) : 4096 + random_below(&r, 40000);
            sum += bytes[i];
            offset[i] = ppi_shared_reserve(&store, bytes[i]);
            INSIST(offset[i] % 64 == 0);
            INSIST(ppi_shared_fill(&store, offset[i], data, bytes[i]) == PP_OK);
            INSIST(memcmp(workspace.shared.base + offset[i], data, bytes[i]) == 0);
        }
        INSIST(memory_used() >= before + sum);
        for (int i = 0; i < 100; i++) ppi_shared_free(&store, offset[i], bytes[i]);
        give_back_all();
        INSIST(memory_used() <= before + MIB);
    }
    end();
    free(data);
}
END_TEST

START_TEST(a_descriptor_that_was_taken_away_does_no_harm)
{
    char *data = malloc(MIB);
    memset(data, 9, MIB);
    begin();
    FILE *other = tmpfile();
    ck_assert_int_ge(dup2(fileno(other), workspace.shared.fd), 0);
    uint64_t offset = put(ppi_shared_id(1, 1), data, MIB);
    ck_assert_mem_eq(workspace.shared.base + offset, data, MIB);
    struct stat s;
    ck_assert_int_eq(fstat(fileno(other), &s), 0);
    ck_assert_int_eq(s.st_size, 0);
    fclose(other);
    end();
    free(data);
}
END_TEST

/* Another rank of the node, with a workspace of its own. */
static int as_a_peer(long pid, int fd, uint64_t nonce, uint64_t id)
{
    struct ppi_workspace mine;
    struct ppi_shared_store peer;
    const void *data;
    size_t bytes;
    uint32_t ticket;
    if (ppi_workspace_create(&mine, BYTES) != PP_OK) return 2;
    ppi_shared_init(&peer, &mine);
    char *base = mine.shared.base;
    if (ppi_shared_adopt(&peer, pid, fd, nonce + 1) >= 0) return 3;
    if (ppi_shared_adopt(&peer, pid, 0, nonce) >= 0) return 4;
    if (ppi_shared_adopt(&peer, 0, fd, nonce) >= 0 || !peer.is_holder) return 5;
    int file = ppi_shared_adopt(&peer, pid, fd, nonce);
    if (file < 0 || peer.is_holder || mine.shared.base != base) return 6;
    ppi_shared_announce(&peer, id);
    while (ppi_shared_look(&mine, id, 1, &data, &bytes, &ticket) == PP_TIMEOUT) ppi_shared_wait(&mine, id, ticket);
    if (bytes != 5 || memcmp(data, "hello", 5) != 0) return 7;
    /* A worker whose memory was made before. */
    mine.shared.fd = -1;
    if (!ppi_shared_map(&mine, file)) return 8;
    if (ppi_shared_look(&mine, id, 1, &data, &bytes, &ticket) != PP_OK || memcmp(data, "hello", 5) != 0) return 9;
    if (mprotect((char *)mine.shared.base, 4096, PROT_READ | PROT_WRITE) == 0) return 10; /* it is read-only for good */
    return 0;
}

START_TEST(a_peer_reads_the_holder_s_memory)
{
    begin();
    uint64_t id = ppi_shared_id(1, 1);
    long holder = getpid();
    pid_t pids[3];
    for (int i = 0; i < 3; i++)
        if ((pids[i] = fork()) == 0) _exit(as_a_peer(holder, workspace.shared.fd, workspace.bell->nonce, id));
    usleep(50000); /* some wait for it */
    put(id, "hello", 5);
    for (int i = 0; i < 3; i++) {
        int status;
        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "wait status 0x%x", (unsigned)status);
    }
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("share");
    TCase *c = tcase_create("share");
    tcase_set_timeout(c, 30);
    tcase_add_test(c, names_keep_serial_and_index);
    tcase_add_test(c, what_was_not_announced_is_a_handle_error);
    tcase_add_test(c, what_is_announced_and_not_there_is_waited_for);
    tcase_add_test(c, a_limit_is_for_later_tasks_only);
    tcase_add_test(c, dropped_while_it_arrives_frees_its_block_on_arrival);
    tcase_add_test(c, memory_of_any_size_goes_back_to_the_system);
    tcase_add_test(c, a_descriptor_that_was_taken_away_does_no_harm);
    tcase_add_test(c, a_peer_reads_the_holder_s_memory);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
