/* Arguments that leave while they are still being copied: they arrive whole, whatever else happens meanwhile, also when the rank
 * that they are for is lost. */
#include "thread/tasks.h"

#include "base/clock.h"

#define BYTES ((size_t)9 << 20)

/* Another sum for each order of the bytes. */
static uint64_t sum_of(const unsigned char *data, size_t bytes)
{
    uint64_t sum = 14695981039346656037u;
    for (size_t i = 0; i < bytes; i += 61) sum = (sum ^ data[i]) * 1099511628211u;
    return sum;
}

static void sum(pp_task *task)
{
    size_t bytes;
    const unsigned char *data = pp_task_args(task, &bytes);
    *(uint64_t *)pp_task_result(task, sizeof(uint64_t)) = sum_of(data, bytes);
}

static unsigned char *fill_with(uint64_t seed, size_t bytes)
{
    unsigned char *data = malloc(bytes);
    REQUIRE(data);
    for (size_t i = 0; i < bytes; i++) data[i] = (unsigned char)(seed + i + (i >> 9));
    return data;
}

/* One after the other, so that blocks are used again: only those are filled so. */
static void submit_many(pp_server *s, struct random *r, int n)
{
    for (int i = 0; i < n; i++) {
        size_t bytes = BYTES - (size_t)random_below(r, 100000);
        unsigned char *data = fill_with(random_next(r), bytes);
        uint64_t expected = sum_of(data, bytes);
        pp_future f = pp_submit(s, sum, data, bytes);
        REQUIRE(f.id);
        memset(data, 0xee, bytes); /* it has been copied */
        REQUIRE(fetch_number(f) == expected);
        free(data);
    }
}

static _Atomic int stop;
static int seen, lost; /* how often a task was found half filled, and lost its rank so */

static void *watch(void *arg)
{
    pp_server *s = arg;
    while (!atomic_load(&stop)) {
        ppi_lock_take(&s->lock);
        seen += s->filling.bytes != 0 && s->filling.copied > 0;
        ppi_lock_give(&s->lock);
        usleep(50);
    }
    return NULL;
}

/* Loses the rank to which something is under way, with what it has of it. It is told to end when it has been lost: here it cannot
 * simply die. */
static void *lose(void *arg)
{
    pp_server *s = arg;
    struct ppi_rank *r = NULL;
    for (int done = 0; !done && !atomic_load(&stop);) {
        usleep(20);
        ppi_lock_take(&s->lock);
        const struct ppi_filling *f = &s->filling;
        if (!r && f->stream && f->copied > f->bytes / 4) {
            r = &s->ranks[f->stream->peer];
            snprintf(r->parting, sizeof r->parting, "is lost by the test");
            s->next_heartbeat_ns = s->now_ns;
        } else if (r && r->lost) {
            r->lost = 0;
            ppi_ranks_post(s, (int)(r - s->ranks), PPI_WIRE_STOP, 0, &(struct ppi_wire_stop){.at_once = 1}, NULL, 0);
            r->lost = done = 1;
            lost++;
        }
        ppi_lock_give(&s->lock);
    }
    return NULL;
}

/* Loses the last rank as soon as a task has a record and not yet a number: its arguments are being copied. */
static void *lose_the_last(void *arg)
{
    pp_server *s = arg;
    struct ppi_rank *r = &s->ranks[1];
    for (int begun = 0; !r->lost && !atomic_load(&stop); usleep(20)) {
        ppi_lock_take(&s->lock);
        if (!begun && s->store.used > s->store.submitted) {
            begun = 1;
            snprintf(r->parting, sizeof r->parting, "is lost by the test");
            s->next_heartbeat_ns = 0;
        }
        if (begun) ppi_server_look(s, PPI_STEP_MPI);
        ppi_lock_give(&s->lock);
    }
    return NULL;
}

static int refused; /* submissions that were under way when the last rank was lost */

static void nobody_is_left(struct random *r)
{
    struct farm farm;
    pp_options options = PP_OPTIONS_INIT;
    options.isolation = PP_ISOLATE_NONE;
    pp_server *s = farm_open(&farm, 2, 1, &options);
    size_t bytes = 8 * BYTES;
    unsigned char *data = fill_with(random_next(r), bytes);
    pthread_t thread;
    atomic_store(&stop, 0);
    REQUIRE(pthread_create(&thread, NULL, lose_the_last, s) == 0);
    pp_future f = pp_submit(s, sum, data, bytes);
    if (f.id == 0) {
        REQUIRE(pp_last_error_code() == PP_ERR_LOST);
        refused++;
    } else {
        uint64_t result;
        int status = pp_fetch(f, &result, sizeof result); /* it was too quick, or its rank was lost later */
        REQUIRE(status == PP_OK || status == PP_ERR_LOST);
    }
    atomic_store(&stop, 1);
    pthread_join(thread, NULL);
    ppi_lock_take(&s->lock);
    if (s->ranks[1].lost) { /* here it cannot simply die */
        s->ranks[1].lost = 0;
        ppi_ranks_post(s, 1, PPI_WIRE_STOP, 0, &(struct ppi_wire_stop){.at_once = 1}, NULL, 0);
        s->ranks[1].lost = 1;
    }
    ppi_lock_give(&s->lock);
    free(data);
    farm_close(&farm);
}

static void *submit_small(void *arg)
{
    pp_server *s = arg;
    for (uint64_t i = 0; !atomic_load(&stop); i++) {
        REQUIRE(fetch_number(pp_submit(s, small, &i, sizeof i)) == mix(i));
        usleep(100);
    }
    return NULL;
}

/* What cannot be submitted leaves alone what somebody else is submitting. */
static void *submit_in_vain(void *arg)
{
    pp_server *s = arg;
    while (!atomic_load(&stop)) {
        REQUIRE(pp_submit(s, (pp_function)(uintptr_t)16, NULL, 0).id == 0);
        usleep(50);
    }
    return NULL;
}

/* Rank 0 has no workers, so that all cross; they run in the ranks themselves. */
static void on_farm(struct random *r, int ranks, void *(*beside)(void *arg), int tasks)
{
    struct farm farm;
    pp_options options = PP_OPTIONS_INIT;
    options.isolation = PP_ISOLATE_NONE;
    pp_server *s = farm_open(&farm, ranks, 1, &options);
    pthread_t thread;
    for (int i = 1; i < ranks; i++) s->ranks[i].reads_arguments = 0; /* as on another host */
    atomic_store(&stop, 0);
    REQUIRE(pthread_create(&thread, NULL, beside, s) == 0);
    submit_many(s, r, tasks);
    atomic_store(&stop, 1);
    pthread_join(thread, NULL);
    farm_close(&farm);
}

int main(void)
{
    struct random r = random_begin("fill");
    alarm(170);
    for (int ranks = 2; ranks <= 4; ranks++) {
        on_farm(&r, ranks, watch, 6);
        on_farm(&r, ranks, submit_small, 6);
        on_farm(&r, ranks, submit_in_vain, 6);
        on_farm(&r, ranks + 1, lose, 6);
    }
    for (int i = 0; i < 5; i++) nobody_is_left(&r);
    REQUIRE(seen > 0 && lost > 0 && refused > 0);
    return 0;
}
