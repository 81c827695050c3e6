/* The channel between an agent and a worker: a thread for each side. */
#include "channel/channel.h"

#include "base/futex.h"
#include "channel/doorbell.h"
#include "unit/random.h"
#include "unit/suite.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* As ck_assert, which writes to a pipe each time: for inner loops. */
#define INSIST(condition) ((condition) ? (void)0 : ck_abort_msg("%s", #condition))

static struct ppi_requests requests;
static struct ppi_answers answers;
static struct ppi_channel channel;
static struct ppi_job copies[PPI_CHANNEL_DEPTH];

/* All counters begin at `from`, as if so many jobs had gone through before. */
static void begin_at(uint32_t from)
{
    memset(&requests, 0, sizeof requests);
    memset(&answers, 0, sizeof answers);
    memset(copies, 0, sizeof copies);
    ppi_channel_init(&channel, &requests, &answers, copies);
    channel.reserved = channel.published = channel.taken = channel.seen = channel.returned = from;
    atomic_store(&requests.returned, from);
    atomic_store(&answers.claim, (uint64_t)from << 32 | from);
    atomic_store(&answers.finished, from);
}

static const uint32_t starts[] = {0, 1, 511, 0x7ffffff0, UINT32_MAX - 4000, UINT32_MAX - 1, UINT32_MAX};

static void add(uint64_t id)
{
    struct ppi_job *job = ppi_channel_reserve(&channel);
    memset(job, 0, sizeof *job);
    job->id = id;
}

/* The worker's side of one job, in this thread. Returns its id, 0 when there is none. */
static uint64_t run_one(void)
{
    const struct ppi_job *job = ppi_channel_begin(&requests, &answers);
    if (!job) return 0;
    struct ppi_outcome *o = ppi_channel_outcome(&answers);
    memset(o, 0, sizeof *o);
    o->bytes = job->id;
    ppi_channel_finish(&answers);
    return job->id;
}

/* Takes one outcome; returns the id of its job, 0 when there is none. */
static uint64_t take_one(void)
{
    struct ppi_outcome outcome;
    const struct ppi_job *job;
    int got = ppi_channel_take(&channel, &outcome, &job);
    ck_assert_int_ge(got, 0);
    if (got == 0) return 0;
    ck_assert_uint_eq(outcome.bytes, job->id);
    return job->id;
}

/* ---- one step after the other */

START_TEST(jobs_are_begun_in_order_and_only_when_published)
{
    begin_at(starts[_i]);
    for (uint64_t id = 1; id <= PPI_CHANNEL_DEPTH; id++) add(id);
    ck_assert_uint_eq(ppi_channel_load(&channel), PPI_CHANNEL_DEPTH);
    ck_assert_uint_eq(run_one(), 0);
    ck_assert_int_eq(ppi_channel_publish(&channel), 0);
    ck_assert_uint_eq(ppi_channel_waiting(&channel), PPI_CHANNEL_DEPTH);
    for (uint64_t id = 1; id <= PPI_CHANNEL_DEPTH; id++) {
        ck_assert_int_eq(ppi_channel_has_outcome(&channel), 0);
        ck_assert_uint_eq(run_one(), id);
        ck_assert_int_eq(ppi_channel_has_outcome(&channel), 1);
        ck_assert_uint_eq(take_one(), id);
        ck_assert_uint_eq(ppi_channel_waiting(&channel), PPI_CHANNEL_DEPTH - id);
    }
    ck_assert_uint_eq(run_one(), 0);
    ck_assert_uint_eq(take_one(), 0);
    ck_assert_uint_eq(ppi_channel_load(&channel), 0);
}
END_TEST

START_TEST(running_job_is_the_one_that_was_begun)
{
    begin_at(starts[_i]);
    ck_assert_ptr_null(ppi_channel_running(&channel));
    add(1), add(2), add(3);
    ppi_channel_publish(&channel);
    ck_assert_ptr_null(ppi_channel_running(&channel));
    ck_assert_ptr_nonnull(ppi_channel_begin(&requests, &answers));
    ck_assert_uint_eq(ppi_channel_running(&channel)->id, 1);
    ppi_channel_outcome(&answers)->bytes = 1;
    ppi_channel_finish(&answers);
    ck_assert_uint_eq(take_one(), 1);
    ck_assert_ptr_null(ppi_channel_running(&channel));
    ck_assert_uint_eq(ppi_channel_begin(&requests, &answers)->id, 2);
    ck_assert_uint_eq(ppi_channel_running(&channel)->id, 2);
    ck_assert_uint_eq(ppi_channel_waiting(&channel), 1);
}
END_TEST

START_TEST(last_jobs_are_taken_back_first_and_stay_readable)
{
    begin_at(starts[_i]);
    for (uint64_t id = 1; id <= 10; id++) add(id);
    ppi_channel_publish(&channel);
    ck_assert_uint_eq(run_one(), 1);
    ck_assert_uint_eq(ppi_channel_begin(&requests, &answers)->id, 2);
    ck_assert_uint_eq(ppi_channel_take_back(&channel, 3), 3);
    for (uint32_t i = 0; i < 3; i++) ck_assert_uint_eq(ppi_channel_job(&channel, channel.reserved + i)->id, 8 + i);
    ck_assert_uint_eq(ppi_channel_take_back(&channel, 100), 5); /* 3 to 7: 2 is begun */
    for (uint32_t i = 0; i < 5; i++) ck_assert_uint_eq(ppi_channel_job(&channel, channel.reserved + i)->id, 3 + i);
    ck_assert_uint_eq(ppi_channel_take_back(&channel, 100), 0);
    ck_assert_ptr_null(ppi_channel_begin(&requests, &answers));
    add(11);
    ppi_channel_publish(&channel);
    ck_assert_uint_eq(ppi_channel_begin(&requests, &answers)->id, 11);
}
END_TEST

START_TEST(sleeper_is_told_of_and_woken_once)
{
    begin_at(starts[_i]);
    add(1);
    ck_assert_int_eq(ppi_channel_publish(&channel), 0);
    atomic_store(&answers.asleep, 1);
    ck_assert_int_eq(ppi_channel_publish(&channel), 0); /* nothing new */
    add(2);
    ck_assert_int_eq(ppi_channel_publish(&channel), 1);
    ppi_channel_wake(&channel);
    ck_assert_uint_eq(atomic_load(&answers.asleep), 0);
}
END_TEST

/* ---- nonsense that a task may write into the answers */

START_TEST(counter_beyond_what_was_published_is_nonsense)
{
    begin_at(starts[_i]);
    struct ppi_outcome outcome, before;
    const struct ppi_job *job = NULL;
    memset(&outcome, 0x5a, sizeof outcome);
    before = outcome;
    for (uint64_t id = 1; id <= 5; id++) add(id);
    ppi_channel_publish(&channel);
    uint32_t taken = channel.taken;
    static const uint32_t beyond[] = {6, 7, 1000, 0x7fffffff, 0x80000000, (uint32_t)-1, (uint32_t)-5};
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        atomic_store(&answers.finished, taken + beyond[i]);
        ck_assert_int_eq(ppi_channel_take(&channel, &outcome, &job), -1);
        ck_assert_uint_eq(channel.taken, taken);
        ck_assert(memcmp(&outcome, &before, sizeof outcome) == 0);
        ck_assert_ptr_null(job);
    }
    atomic_store(&answers.finished, taken + 5);
    for (int i = 0; i < 5; i++) ck_assert_int_eq(ppi_channel_take(&channel, &outcome, &job), 1);
    ck_assert_int_eq(ppi_channel_take(&channel, &outcome, &job), 0);
}
END_TEST

START_TEST(random_claims_take_back_nothing_that_was_not_given)
{
    struct random r = random_begin("random_claims");
    for (int round = 0; round < 200000; round++) {
        uint32_t from = starts[_i];
        if (round % 1000 == 0) begin_at(from); /* clears the rings */
        channel.reserved = channel.published = channel.taken = channel.seen = from;
        atomic_store(&answers.claim, (uint64_t)from << 32 | from);
        uint32_t jobs = (uint32_t)random_below(&r, 40), done = (uint32_t)random_below(&r, jobs + 1);
        for (uint64_t id = 1; id <= jobs; id++) add(id);
        ppi_channel_publish(&channel);
        channel.taken += done;
        uint64_t claim = atomic_load(&answers.claim);
        switch (random_below(&r, 3)) {
        case 0: claim = random_next(&r); break;
        case 1: claim ^= (uint64_t)1 << random_below(&r, 64); break;
        case 2: claim += random_below(&r, 100) - 50; break; /* next a little off */
        }
        atomic_store(&answers.claim, claim);
        uint32_t published = channel.published, most = (uint32_t)random_below(&r, 60);
        INSIST(ppi_channel_waiting(&channel) <= jobs - done);
        const struct ppi_job *running = ppi_channel_running(&channel);
        INSIST(!running || (running >= copies && running < copies + PPI_CHANNEL_DEPTH && jobs > done));
        uint32_t back = ppi_channel_take_back(&channel, most);
        INSIST(back <= most && back <= jobs - done);
        INSIST(channel.published == published - back && channel.reserved == channel.published);
    }
}
END_TEST

/* ---- both sides at once */

#define JOBS 50000

static struct {
    _Atomic uint32_t stop;
    unsigned char begun[JOBS + 1]; /* written by the worker, read at the end */
    int wrong;
    uint64_t seed;
    struct ppi_doorbell *bell; /* NULL: nobody sleeps */
} shared;

static int has_work(void)
{
    uint64_t claim = atomic_load(&answers.claim);
    return (uint32_t)claim != (uint32_t)(claim >> 32) || atomic_load(&shared.stop);
}

/* As the worker does, after it has tried to begin a job. */
static void ring(int begun)
{
    if (!begun || !PPI_BEGIN_SETTLES) ppi_channel_settle(&answers);
    if (shared.bell) ppi_doorbell_ring(shared.bell);
}

static void *worker(void *arg)
{
    struct random r = {shared.seed};
    for (int unrung = 0;;) {
        const struct ppi_job *job = ppi_channel_begin(&requests, &answers);
        if (unrung) ring(job != NULL);
        unrung = 0;
        if (!job) {
            if (atomic_load(&shared.stop)) return arg;
            if (!shared.bell) {
                sched_yield();
                continue;
            }
            atomic_store(&answers.asleep, 1);
            while (!has_work() && atomic_load(&answers.asleep)) ppi_futex_wait(&answers.asleep, 1, PPI_FOREVER);
            atomic_store(&answers.asleep, 0);
            continue;
        }
        if (job->id == 0 || job->id > JOBS || shared.begun[job->id]++ || job->bytes != ~job->id) shared.wrong = 1;
        struct ppi_outcome *o = ppi_channel_outcome(&answers);
        o->started_ns = job->id;
        o->bytes = ~job->id;
        if (random_below(&r, 64) == 0) sched_yield();
        ppi_channel_finish(&answers);
        unrung = 1;
    }
}

/* Gives JOBS jobs to the worker, takes some back at random times, and gives those again. */
static void race(struct random *r, uint32_t from, struct ppi_doorbell *bell)
{
    static uint32_t waiting[JOBS]; /* to be given */
    static unsigned char finished[JOBS + 1];
    pthread_t thread;
    begin_at(from);
    memset(&shared, 0, sizeof shared);
    memset(finished, 0, sizeof finished);
    shared.seed = random_next(r);
    shared.bell = bell;
    uint32_t count = 0, done = 0;
    uint64_t backs = 0;
    for (uint32_t id = JOBS; id > 0; id--) waiting[count++] = id;
    ck_assert_int_eq(pthread_create(&thread, NULL, worker, NULL), 0);
    while (done < JOBS) {
        uint64_t n = random_magnitude(r, 8);
        for (; n > 0 && count && ppi_channel_load(&channel) < PPI_CHANNEL_DEPTH; n--) {
            uint32_t id = waiting[--count];
            struct ppi_job *job = ppi_channel_reserve(&channel);
            job->id = id;
            job->bytes = ~(uint64_t)id;
        }
        if (ppi_channel_publish(&channel)) ppi_channel_wake(&channel);
        if (random_below(r, 4) == 0) {
            uint32_t back = ppi_channel_take_back(&channel, 1 + (uint32_t)random_magnitude(r, 8));
            for (uint32_t i = 0; i < back; i++)
                waiting[count++] = (uint32_t)ppi_channel_job(&channel, channel.reserved + i)->id;
            backs += back;
        }
        struct ppi_outcome outcome;
        const struct ppi_job *job;
        int got, took = 0;
        while ((got = ppi_channel_take(&channel, &outcome, &job)) > 0) {
            INSIST(job->id >= 1 && job->id <= JOBS && outcome.started_ns == job->id && outcome.bytes == ~job->id);
            INSIST(!finished[job->id]++);
            done++;
            took = 1;
        }
        INSIST(got == 0);
        if (!bell && !took) sched_yield();
        if (!bell || took || count || ppi_channel_load(&channel) == 0) continue;
        uint32_t ticket = ppi_doorbell_listen(bell, PPI_LISTENER_WAITER);
        if (!ppi_channel_has_outcome(&channel)) ppi_doorbell_sleep(bell, PPI_LISTENER_WAITER, ticket, PPI_FOREVER);
        ppi_doorbell_silence(bell);
    }
    atomic_store(&shared.stop, 1);
    ppi_channel_wake(&channel);
    pthread_join(thread, NULL);
    ck_assert_int_eq(shared.wrong, 0);
    for (uint32_t id = 1; id <= JOBS; id++) INSIST(shared.begun[id] == 1 && finished[id] == 1);
    ck_assert_uint_eq(ppi_channel_load(&channel), 0);
    ck_assert_uint_gt(backs, 0); /* else this has tested little */
}

START_TEST(no_job_is_lost_or_both_begun_and_taken_back)
{
    struct random r = random_begin("no_job_is_lost");
    race(&r, starts[_i], NULL);
}
END_TEST

START_TEST(no_wake_is_lost_when_both_sides_sleep)
{
    static struct ppi_doorbell bell;
    struct random r = random_begin("no_wake_is_lost");
    race(&r, starts[_i], &bell);
}
END_TEST

/* ---- result blocks */

START_TEST(blocks_come_back_once_each)
{
    begin_at(starts[_i]);
    uint32_t seen = starts[_i];
    for (int round = 0; round < 20; round++) {
        /* All at once: the ring holds every number there is. */
        for (uint32_t b = 0; b < PPI_CHANNEL_BLOCKS; b++)
            ppi_channel_return_block(&channel, (b * 7 + (uint32_t)round) % PPI_CHANNEL_BLOCKS);
        unsigned char back[PPI_CHANNEL_BLOCKS] = {0};
        ck_assert_uint_eq(atomic_load(&requests.returned) - seen, PPI_CHANNEL_BLOCKS);
        for (; seen != atomic_load(&requests.returned); seen++)
            INSIST(!back[requests.blocks[seen & (PPI_CHANNEL_BLOCKS - 1)]]++);
    }
}
END_TEST

#define RETURNS 200000

/* The worker: takes blocks while it has any, and hands each to the agent, who gives it back. */
static struct {
    _Atomic uint32_t given; /* how many went to the agent */
    uint32_t ring[PPI_CHANNEL_BLOCKS];
    uint32_t from;
    int wrong;
} blocks;

static void *use_blocks(void *arg)
{
    static unsigned char out[PPI_CHANNEL_BLOCKS]; /* 1: the agent has it */
    static uint32_t own[PPI_CHANNEL_BLOCKS];
    uint32_t owned = 0, seen = blocks.from, given = 0;
    memset(out, 0, sizeof out);
    for (uint32_t b = 0; b < PPI_CHANNEL_BLOCKS; b++) own[owned++] = b;
    while (given < RETURNS) {
        uint32_t returned = atomic_load_explicit(&requests.returned, memory_order_acquire);
        for (; seen != returned; seen++) {
            uint32_t b = requests.blocks[seen & (PPI_CHANNEL_BLOCKS - 1)];
            if (b >= PPI_CHANNEL_BLOCKS || !out[b]) blocks.wrong = 1;
            out[b % PPI_CHANNEL_BLOCKS] = 0;
            own[owned++ % PPI_CHANNEL_BLOCKS] = b;
        }
        if (!owned) sched_yield();
        while (owned && given < RETURNS) {
            uint32_t b = own[--owned];
            out[b] = 1;
            blocks.ring[given++ & (PPI_CHANNEL_BLOCKS - 1)] = b;
            atomic_store(&blocks.given, given);
        }
    }
    return arg;
}

START_TEST(blocks_are_returned_while_the_worker_takes_them)
{
    struct random r = random_begin("blocks_are_returned");
    pthread_t thread;
    begin_at(starts[_i]);
    memset(&blocks, 0, sizeof blocks);
    blocks.from = starts[_i];
    ck_assert_int_eq(pthread_create(&thread, NULL, use_blocks, NULL), 0);
    uint32_t kept[PPI_CHANNEL_BLOCKS], count = 0;
    for (uint32_t got = 0; got < RETURNS;) {
        for (uint32_t given = atomic_load(&blocks.given); got != given; got++)
            kept[count++] = blocks.ring[got & (PPI_CHANNEL_BLOCKS - 1)];
        if (!count) sched_yield();
        for (uint64_t n = random_magnitude(&r, 12); n > 0 && count; n--) {
            uint64_t k = random_below(&r, count); /* in any order */
            uint32_t b = kept[k];
            kept[k] = kept[--count];
            ppi_channel_return_block(&channel, b);
        }
    }
    pthread_join(thread, NULL);
    ck_assert_int_eq(blocks.wrong, 0);
}
END_TEST

int main(void)
{
    int n = (int)(sizeof starts / sizeof *starts);
    Suite *suite = suite_create("channel");
    TCase *c = tcase_create("steps");
    tcase_set_timeout(c, 30);
    tcase_add_loop_test(c, jobs_are_begun_in_order_and_only_when_published, 0, n);
    tcase_add_loop_test(c, running_job_is_the_one_that_was_begun, 0, n);
    tcase_add_loop_test(c, last_jobs_are_taken_back_first_and_stay_readable, 0, n);
    tcase_add_loop_test(c, sleeper_is_told_of_and_woken_once, 0, n);
    tcase_add_loop_test(c, blocks_come_back_once_each, 0, n);
    suite_add_tcase(suite, c);
    c = tcase_create("nonsense");
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, counter_beyond_what_was_published_is_nonsense, 0, n);
    tcase_add_loop_test(c, random_claims_take_back_nothing_that_was_not_given, 0, n);
    suite_add_tcase(suite, c);
    c = tcase_create("race");
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, no_job_is_lost_or_both_begun_and_taken_back, 0, n);
    tcase_add_loop_test(c, blocks_are_returned_while_the_worker_takes_them, 0, n);
    tcase_add_loop_test(c, no_wake_is_lost_when_both_sides_sleep, 3, 5);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
