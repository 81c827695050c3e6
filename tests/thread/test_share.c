/* Shared data over threads: several share, unshare and ask at once, on farms of 1 to 8 ranks, of which every other one has
 * memory of its own (thread/farm.h). */
#include "thread/tasks.h"

struct question {
    pp_shared shared;
    struct wish wish;
};

/* 1: as wished; 0: there is none. Anything else is wrong. */
static void asked(pp_task *task)
{
    const struct question *q = pp_task_args(task, NULL);
    uint64_t *y = pp_task_result(task, sizeof *y);
    size_t bytes = 77;
    const void *data = pp_shared_data(q->shared, &bytes);
    if (data)
        *y = bytes == q->wish.bytes && is_made(data, &q->wish) ? 1 : 2;
    else
        *y = pp_last_error_code() == PP_ERR_HANDLE && bytes == 77 ? 0 : 3;
}

static pp_shared share(pp_server *s, const struct wish *w)
{
    pp_shared shared = {0};
    unsigned char *data = malloc(w->bytes + 1);
    REQUIRE(data);
    for (uint64_t i = 0; i < w->bytes; i++) data[i] = (unsigned char)(w->seed + i + (i >> 9));
    REQUIRE(pp_share(s, data, w->bytes, &shared) == PP_OK);
    free(data);
    return shared;
}

static void *sharer(void *arg)
{
    enum { ASKED = 6 };
    struct client *c = arg;
    struct random r = {c->seed};
    for (int i = 0; i < c->tasks; i++) {
        struct question q = {.wish = {random_below(&r, random_below(&r, 4) ? 3000 : 300000), random_next(&r)}};
        pp_future f[ASKED], late;
        q.shared = share(c->s, &q.wish);
        uint64_t kept = 1 + random_below(&r, ASKED);
        for (uint64_t k = 0; k < kept; k++) REQUIRE((f[k] = pp_submit(c->s, asked, &q, sizeof q)).id);
        if (random_below(&r, 2)) usleep((useconds_t)random_below(&r, 300));
        REQUIRE(pp_unshare(c->s, q.shared) == PP_OK);
        REQUIRE(pp_unshare(c->s, q.shared) == PP_ERR_HANDLE);
        REQUIRE((late = pp_submit(c->s, asked, &q, sizeof q)).id);
        for (uint64_t k = 0; k < kept; k++) REQUIRE(fetch_number(f[k]) == 1);
        REQUIRE(fetch_number(late) == 0);
        /* Another place, or a serial number of the far future; a near one may be that of others by now. */
        uint64_t bit = random_below(&r, 40);
        q.shared.id ^= (uint64_t)1 << (bit < 18 ? bit : bit + 24);
        REQUIRE(fetch_number(pp_submit(c->s, asked, &q, sizeof q)) == 0);
    }
    return NULL;
}

static void sharers(pp_server *s, uint64_t seed)
{
    enum { N = 3 };
    struct client c[N];
    for (int i = 0; i < N; i++) {
        c[i] = (struct client){.s = s, .seed = mix(seed + (uint64_t)i), .tasks = 40};
        REQUIRE(pthread_create(&c[i].thread, NULL, sharer, &c[i]) == 0);
    }
    for (int i = 0; i < N; i++) pthread_join(c[i].thread, NULL);
}

/* Nobody is inside the library: the background thread sends it, and later gives the memory back. */
static void without_the_program(pp_server *s)
{
    struct wish w = {2000000, 5};
    pp_shared shared = share(s, &w);
    for (;;) {
        usleep(1000);
        ppi_lock_take(&s->lock);
        uint64_t sending = s->shares.sending;
        ppi_lock_give(&s->lock);
        if (sending == 0) break;
    }
    struct question q = {shared, w};
    pp_future f = pp_submit(s, asked, &q, sizeof q);
    REQUIRE(pp_unshare(s, shared) == PP_OK && pp_release(f) == PP_OK);
    for (;;) {
        usleep(1000);
        ppi_lock_take(&s->lock);
        int left = s->unfinished || s->shares.barriers || s->shares.store.gone || s->outbox_count;
        ppi_lock_give(&s->lock);
        if (!left) break;
    }
}

int main(void)
{
    struct random r = random_begin("share");
    alarm(170);
    for (int ranks = 1; ranks <= 8; ranks *= 2) {
        struct farm farm;
        pp_server *s = farm_open(&farm, ranks, 2, NULL);
        int holders = 0;
        for (int i = 0; i < ranks; i++) holders += s->ranks[i].is_holder;
        REQUIRE(holders == (ranks == 1 ? 1 : 1 + ranks / 2));
        sharers(s, random_next(&r));
        without_the_program(s);
        struct wish left = {1000000, 3};
        share(s, &left); /* the close waits for it */
        farm_close(&farm);
    }
    return 0;
}
