/* The store of task records: futures are recognised, stale and foreign ones are not, whatever became of the record. */
#include "task/task.h"

#include "unit/random.h"
#include "unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static struct ppi_task_store store;

/* As ck_assert, which writes to a pipe each time: for inner loops. */
#define INSIST(condition) ((condition) ? (void)0 : ck_abort_msg("%s", #condition))

static void setup(void)
{
    ppi_store_init(&store);
}

static void teardown(void)
{
    ppi_store_fini(&store);
}

static uint64_t submit(uint32_t *index)
{
    *index = ppi_store_new(&store);
    INSIST(*index != PPI_TASK_NONE);
    struct ppi_task *t = ppi_store_at(&store, *index);
    INSIST(ppi_task_apply(t, PPI_EVENT_SUBMIT) == 1);
    return ppi_task_id_of(t, *index);
}

static void give_up(uint32_t index)
{
    struct ppi_task *t = ppi_store_at(&store, index);
    INSIST(ppi_task_apply(t, PPI_EVENT_ASSIGN) == 1);
    INSIST(ppi_task_apply(t, PPI_EVENT_FINISH) == 1);
    INSIST(ppi_task_apply(t, PPI_EVENT_RECYCLE) == 1);
    ppi_store_recycle(&store, index);
}

START_TEST(null_future_is_never_found)
{
    uint32_t index, found = 77;
    ck_assert_ptr_null(ppi_store_find(&store, 0, &found));
    for (int i = 0; i < 100; i++) {
        ck_assert_uint_ne(submit(&index), 0);
        ck_assert_ptr_null(ppi_store_find(&store, 0, &found));
    }
    ck_assert_uint_eq(found, 77); /* untouched */
}
END_TEST

START_TEST(future_is_found_until_it_is_given_up_and_never_after)
{
    uint32_t index, found;
    uint64_t old[1000];
    for (int i = 0; i < 1000; i++) {
        old[i] = submit(&index);
        ck_assert_ptr_eq(ppi_store_find(&store, old[i], &found), ppi_store_at(&store, index));
        ck_assert_uint_eq(found, index);
        ck_assert_uint_eq(index, 0); /* the record is used again */
        give_up(index);
        for (int k = 0; k <= i; k++) INSIST(!ppi_store_find(&store, old[k], &found));
    }
}
END_TEST

START_TEST(record_that_is_not_submitted_yet_is_not_found)
{
    uint32_t index = ppi_store_new(&store), found;
    ck_assert_ptr_null(ppi_store_find(&store, ppi_task_id_of(ppi_store_at(&store, index), index), &found));
}
END_TEST

START_TEST(future_of_an_earlier_server_is_foreign)
{
    uint32_t index, found;
    uint64_t old[100];
    for (int i = 0; i < 100; i++) old[i] = submit(&index);
    for (int servers = 0; servers < 20; servers++) {
        teardown();
        setup();
        for (int i = 0; i < 100; i++) submit(&index);
        for (int i = 0; i < 100; i++) ck_assert_ptr_null(ppi_store_find(&store, old[i], &found));
    }
}
END_TEST

START_TEST(random_ids_are_never_found_nor_a_crash)
{
    struct random r = random_begin("random_ids");
    uint64_t id[300];
    uint32_t index, found;
    for (int i = 0; i < 300; i++) id[i] = submit(&index);
    for (int i = 0; i < 500000; i++) {
        /* Near misses: right index and wrong generation, right generation and wrong index, one bit wrong. */
        uint64_t near = id[random_below(&r, 300)], any = random_next(&r);
        uint64_t tried = i % 4 == 0   ? any
                         : i % 4 == 1 ? (near & UINT32_MAX) | (any << 32)
                         : i % 4 == 2 ? (near & ~(uint64_t)UINT32_MAX) | (any & UINT32_MAX)
                                      : near ^ (uint64_t)1 << random_below(&r, 64);
        const struct ppi_task *t = ppi_store_find(&store, tried, &found);
        int exists = 0;
        for (int k = 0; t && k < 300; k++) exists |= id[k] == tried;
        if (t && !exists) ck_abort_msg("id 0x%llx was found", (unsigned long long)tried);
    }
}
END_TEST

START_TEST(a_million_records_keep_their_places)
{
    enum { N = 1000000 };
    uint64_t *id = malloc(N * sizeof *id);
    struct ppi_task **at = malloc(N * sizeof *at);
    uint32_t index, found;
    ck_assert(id && at);
    for (int i = 0; i < N; i++) {
        id[i] = submit(&index);
        at[i] = ppi_store_at(&store, index);
        at[i]->number = (uint64_t)i + 1;
    }
    for (int i = 0; i < N; i++) {
        INSIST(ppi_store_find(&store, id[i], &found) == at[i]);
        INSIST(at[i]->number == (uint64_t)i + 1);
    }
    uint32_t used = store.used;
    for (int i = 0; i < N; i++) give_up((uint32_t)id[i]);
    for (int i = 0; i < N; i++) INSIST(!ppi_store_find(&store, id[i], &found));
    for (int i = 0; i < N; i++) submit(&index);
    ck_assert_uint_eq(store.used, used); /* no record was lost */
    free(id);
    free(at);
}
END_TEST

START_TEST(model_and_store_agree_over_random_use)
{
    struct random r = random_begin("model_and_store");
    enum { MOST = 20000 };
    static uint64_t live[MOST], dead[MOST];
    static uint32_t index[MOST];
    size_t lives = 0, deads = 0;
    uint32_t found;
    for (int i = 0; i < 500000; i++) {
        if (lives < MOST && (lives == 0 || random_below(&r, 100) < 52)) {
            live[lives] = submit(&index[lives]);
            lives++;
        } else {
            size_t k = random_below(&r, lives);
            give_up(index[k]);
            dead[deads++ % MOST] = live[k];
            live[k] = live[--lives];
            index[k] = index[lives];
        }
        if (lives) {
            size_t k = random_below(&r, lives);
            INSIST(ppi_store_find(&store, live[k], &found) == ppi_store_at(&store, index[k]));
        }
        INSIST(!deads || !ppi_store_find(&store, dead[random_below(&r, deads < MOST ? deads : MOST)], &found));
    }
}
END_TEST

START_TEST(generation_wraps_past_null)
{
    uint32_t index, found;
    submit(&index);
    struct ppi_task *t = ppi_store_at(&store, index);
    t->generation = UINT32_MAX;
    uint64_t last = ppi_task_id_of(t, index);
    give_up(index);
    ck_assert_uint_ne(submit(&index), 0);
    ck_assert_uint_ne(ppi_store_at(&store, index)->generation, 0);
    ck_assert_ptr_null(ppi_store_find(&store, last, &found));
}
END_TEST

START_TEST(fresh_record_has_nothing_of_the_last)
{
    uint32_t index;
    submit(&index);
    struct ppi_task *t = ppi_store_at(&store, index);
    struct ppi_task_extra *e = ppi_task_extra(&store, t, 5, 3);
    ck_assert_ptr_nonnull(e);
    ck_assert_ptr_eq(ppi_task_extra_of(&store, t), e);
    ck_assert_ptr_eq(ppi_task_extra(&store, t, 6, 4), e); /* the first defaults stay */
    ck_assert_uint_eq(e->timeout_ns, 5);
    ck_assert_int_eq(e->retries, 3);
    ck_assert_uint_eq(e->worker, PPI_TASK_NO_WORKER);
    e->name = strdup("name");
    e->message = strdup("message");
    t->flags = PPI_TASK_HELD | PPI_TASK_BLOCK;
    t->attempts = 9;
    t->number = 77;
    t->status = PP_ERR_CRASHED;
    t->agent = 4;
    t->worker = 4;
    give_up(index);
    uint32_t again = ppi_store_new(&store);
    ck_assert_uint_eq(again, index);
    t = ppi_store_at(&store, again);
    ck_assert_ptr_null(ppi_task_extra_of(&store, t));
    ck_assert_uint_eq(t->number, 0);
    ck_assert_int_eq(t->flags, 0);
    ck_assert_int_eq(t->attempts, 0);
    ck_assert_int_eq(t->status, 0);
    ck_assert_int_eq(t->agent, 0);
    ck_assert_int_eq((int)t->group, 0);
    ck_assert_uint_eq(t->tag, 0);
    ck_assert_uint_eq(t->small, 0);
    ck_assert_uint_eq(t->stored, 0);
    ck_assert_int_eq(t->state, PPI_TASK_FREE);
}
END_TEST

START_TEST(every_status_fits_into_the_record)
{
    uint32_t index;
    submit(&index);
    struct ppi_task *t = ppi_store_at(&store, index);
#define X(name, value, text)                          \
    t->status = (int16_t)PP_##name;                   \
    ck_assert_int_eq((int)t->status, (int)PP_##name);
    PP_STATUS_LIST(X)
#undef X
}
END_TEST

START_TEST(fields_that_share_a_word_leave_each_other_alone)
{
    uint32_t index;
    submit(&index);
    struct ppi_task *t = ppi_store_at(&store, index);
    ppi_task_set_number(t, 0xfedcba987654, 0x8001);
    t->agent = 0xfffe;
    t->function = 4095;
    t->extra = 0;
    for (uint64_t bytes = 0; bytes <= 40; bytes++) {
        t->u.args.bytes = bytes;
        ppi_task_set_tag(t, 0xabcdef, bytes);
        ck_assert_uint_eq(ppi_task_args_bytes(t), bytes);
        ck_assert_uint_eq(t->tag, 0xabcdef);
        ck_assert_uint_eq(t->stored, 0);
        ck_assert_uint_eq(t->function, 4095);
        t->stored = 1;
        ck_assert_uint_eq(ppi_task_args_bytes(t), bytes);
        ck_assert_uint_eq(t->tag, 0xabcdef);
    }
    t->status = PP_ERR_CRASHED;
    for (unsigned bytes = 0; bytes <= PPI_TASK_INLINE_RESULT; bytes++) {
        ppi_task_set_worker(t, bytes % 2 ? -1 : 0x123456, bytes);
        ck_assert_uint_eq(t->worker, bytes % 2 ? PPI_TASK_NO_WORKER : 0x123456);
        ck_assert_uint_eq(t->small, bytes);
        ck_assert_int_eq(t->status, PP_ERR_CRASHED);
    }
    ck_assert_uint_eq((uint64_t)t->number, 0xfedcba987654);
    ck_assert_int_eq((int)t->group, 0x8001);
    ck_assert_int_eq(t->agent, 0xfffe);
}
END_TEST

START_TEST(pid_and_link_are_not_taken_for_each_other)
{
    uint32_t index, next, again;
    submit(&index);
    submit(&next);
    struct ppi_task *t = ppi_store_at(&store, index);
    t->flags = PPI_TASK_LINKED;
    t->next = next;
    ck_assert_int_eq(ppi_task_apply(t, PPI_EVENT_CANCEL), 1);
    ck_assert_uint_eq(ppi_task_pid(t), 0); /* cancelled in the queue, and still there */
    ppi_store_unlinked(&store, index);
    ck_assert_uint_eq(ppi_task_pid(t), 0);
    t->pid = 4711;
    ck_assert_uint_eq(ppi_task_pid(t), 4711);
    /* Given up while it is linked: its link stays, and its record is used again only when the queue has passed it. */
    t->flags = PPI_TASK_LINKED;
    t->next = next;
    ck_assert_int_eq(ppi_task_apply(t, PPI_EVENT_RECYCLE), 1);
    ppi_store_recycle(&store, index);
    ck_assert_uint_eq(t->next, next);
    submit(&again);
    ck_assert_uint_ne(again, index);
    ppi_store_unlinked(&store, index);
    submit(&again);
    ck_assert_uint_eq(again, index);
}
END_TEST

START_TEST(each_task_has_its_own_extra_over_random_use)
{
    struct random r = random_begin("extras");
    enum { MOST = 5000 };
    static uint32_t index[MOST];
    static int is_there[MOST], has_extra[MOST];
    uint32_t most = 0, now = 0;
    memset(is_there, 0, sizeof is_there);
    for (int i = 0; i < 200000; i++) {
        size_t k = random_below(&r, MOST);
        if (!is_there[k]) {
            submit(&index[k]);
            is_there[k] = 1;
            has_extra[k] = 0;
        } else if (random_below(&r, 3) == 0) {
            give_up(index[k]);
            is_there[k] = 0;
            now -= (uint32_t)has_extra[k];
            continue;
        }
        struct ppi_task *t = ppi_store_at(&store, index[k]);
        struct ppi_task_extra *e = ppi_task_extra_of(&store, t);
        INSIST(!e == !has_extra[k]);
        INSIST(ppi_task_priority(&store, t) == (e ? (int)k : 0));
        if (!e && random_below(&r, 2)) {
            INSIST((e = ppi_task_extra(&store, t, 1, 2)) && e->priority == 0 && !e->name);
            e->priority = (int)k;
            INSIST((e->name = strdup("name")));
            has_extra[k] = 1;
            if (++now > most) most = now;
        }
        INSIST(!e || e->priority == (int)k);
    }
    ck_assert_uint_le(store.extra_count, most); /* places are used again */
}
END_TEST

START_TEST(late_events_change_nothing)
{
    uint32_t index;
    submit(&index);
    struct ppi_task *t = ppi_store_at(&store, index);
    ck_assert_int_eq(ppi_task_apply(t, PPI_EVENT_START), 0);
    ck_assert_int_eq(t->state, PPI_TASK_QUEUED);
    ck_assert_int_eq(ppi_task_apply(t, PPI_EVENT_FINISH), 0);
    ck_assert_int_eq(t->state, PPI_TASK_QUEUED);
    ck_assert_int_eq(ppi_task_apply(t, PPI_EVENT_CANCEL), 1);
    ck_assert_int_eq(t->state, PPI_TASK_FINISHED);
    ck_assert_int_eq(ppi_task_apply(t, PPI_EVENT_FINISH), 0);
    ck_assert_int_eq(t->state, PPI_TASK_FINISHED);
}
END_TEST

START_TEST(times_are_kept_and_never_go_back)
{
    static const uint64_t minute_ns = 60000000000u, opened_ns = 5000000000u;
    uint32_t index;
    submit(&index);
    struct ppi_task *t = ppi_store_at(&store, index);
    t->submitted_ns = 7000;
    ppi_task_set_times(t, opened_ns, opened_ns + 9000, opened_ns + 100009001);
    ck_assert_uint_eq(ppi_task_started_ns(t), 9000);
    ck_assert_uint_eq(ppi_task_finished_ns(t), 100009001);
    ppi_task_set_times(t, opened_ns, opened_ns + 6000, opened_ns + 6500); /* the clocks differ: it took as long as it says */
    ck_assert_uint_eq(ppi_task_started_ns(t), 7000);
    ck_assert_uint_eq(ppi_task_finished_ns(t), 7500);
    ppi_task_set_times(t, opened_ns, 0, 0); /* it did not run */
    ck_assert_uint_eq(ppi_task_started_ns(t), 0);
    ck_assert_uint_eq(ppi_task_finished_ns(t), 0);
    ppi_task_set_times(t, opened_ns, opened_ns + 7000 + minute_ns, opened_ns + 7000 + 3 * minute_ns);
    /* 2^-27 of a minute is 447 ns. */
    ck_assert_uint_le(ppi_task_started_ns(t) - minute_ns, 7000 + 450);
    ck_assert_uint_ge(ppi_task_started_ns(t) - minute_ns, 7000 - 450);
    ck_assert_uint_le(ppi_task_finished_ns(t) - 3 * minute_ns, 7000 + 1350);
    ck_assert_uint_ge(ppi_task_finished_ns(t) - 3 * minute_ns, 7000 - 1350);
}
END_TEST

/* Pages of it that have memory. */
static size_t resident(void *at, size_t bytes)
{
    static unsigned char pages[PPI_TASK_SLAB_BYTES / 4096];
    size_t n = 0;
    ck_assert_uint_eq(bytes, PPI_TASK_SLAB_BYTES);
    ck_assert_int_eq(mincore(at, bytes, pages), 0);
    for (size_t i = 0; i < sizeof pages; i++) n += pages[i] & 1;
    return n;
}

START_TEST(memory_of_the_next_slab_is_there_when_it_is_needed)
{
    uint32_t index = 0;
    for (uint32_t i = 0; i < PPI_TASK_SLAB / 4; i++) index = ppi_store_new(&store);
    ck_assert(!ppi_store_wants_memory(&store)); /* few tasks take no memory ahead */
    ppi_store_prepare(&store);
    for (uint32_t i = 0; i < 4; i++) index = ppi_store_new(&store);
    ck_assert(ppi_store_wants_memory(&store));
    struct ppi_task *ahead = store.ahead;
    ck_assert_uint_le(resident(ahead, PPI_TASK_SLAB_BYTES), 2); /* an allocator may write at its edges */
    ppi_store_prepare(&store);
    ck_assert(!ppi_store_wants_memory(&store));
    size_t there = resident(ahead, PPI_TASK_SLAB_BYTES);
    ck_assert(there == PPI_TASK_SLAB_BYTES / 4096 || there <= 2); /* the latter with a kernel before 5.14 */
    while (index < PPI_TASK_SLAB) index = ppi_store_new(&store);
    ck_assert_ptr_eq(ppi_store_at(&store, index), ahead);
    while (index < 2 * PPI_TASK_SLAB) index = ppi_store_new(&store); /* nobody has prepared the third */
    ck_assert_uint_eq(store.slab_count, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("task");
    TCase *c = tcase_create("store");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, null_future_is_never_found);
    tcase_add_test(c, future_is_found_until_it_is_given_up_and_never_after);
    tcase_add_test(c, record_that_is_not_submitted_yet_is_not_found);
    tcase_add_test(c, future_of_an_earlier_server_is_foreign);
    tcase_add_test(c, random_ids_are_never_found_nor_a_crash);
    tcase_add_test(c, a_million_records_keep_their_places);
    tcase_add_test(c, model_and_store_agree_over_random_use);
    tcase_add_test(c, generation_wraps_past_null);
    tcase_add_test(c, fresh_record_has_nothing_of_the_last);
    tcase_add_test(c, memory_of_the_next_slab_is_there_when_it_is_needed);
    tcase_add_test(c, every_status_fits_into_the_record);
    tcase_add_test(c, times_are_kept_and_never_go_back);
    tcase_add_test(c, fields_that_share_a_word_leave_each_other_alone);
    tcase_add_test(c, pid_and_link_are_not_taken_for_each_other);
    tcase_add_test(c, each_task_has_its_own_extra_over_random_use);
    tcase_add_test(c, late_events_change_nothing);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
