/* Who drives, when, and how it waits. */
#include "server/callbacks.h"
#include "server/report.h"
#include "server/server.h"

#include "base/clock.h"
#include "base/futex.h"
#include "base/policy.h"
#include "base/status.h"
#include "base/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SPIN_NS 100000ull            /* a wait that long is cheaper to sleep than to spin */
#define SHORT_NS 20000ull            /* … and so long is cheaper to spin in any case, where that is how long it takes */
#define SHORT_SLEPT_NS 60000ull      /* what such a wait takes when it is slept */
#define CREDIT_MOST 8
#define CREDIT_LOSS 4                /* a spin in vain takes a core from a worker */
#define QUICK_SPIN_NS 30000ull       /* … or while the shortest of tasks are out */
#define GATHER 64                    /* pauses, and tasks that are out */
#define RELAX 16                     /* pauses between two looks */
#define NAP_FIRST_NS 20000ull        /* naps of a driver whose peers cannot ring, or while MPI moves something: */
#define NAP_BUSY_NS 50000ull
#define NAP_MOST_NS 1000000ull       /* … doubled up to this while tasks are out, */
#define NAP_IDLE_NS 10000000ull      /* … and this otherwise; */
#define NAP_ALONE_NS 100000ull       /* … by a rank whose core nobody needs, while others wait for each task */
#define BACKGROUND_NAP_NS 50000000ull
#define DRIVE_STEPS 1000             /* in a row by the background thread, which has other things to do too */
#define GRACE_NS 100000ull           /* so long after its last step the program counts as driving; */
#define GRACE_MOST_NS 1000000ull     /* … up to this while it goes on: each look takes a core for a moment */
#define PAUSE_MOST_NS 1000000ull     /* between two steps while the program submits, in a crowd; */
#define PAUSE_LEAST_NS 100000ull     /* … none after a step shorter than that: there is time for each task */
#define SOON_NS (2 * PPI_RING_GAP_NS) /* who has to look as soon as that is not left asleep for longer */

struct received {
    int rank;
    char *message;
    size_t bytes;
    struct received *next;
};

struct posted {
    int rank;
    struct ppi_wire_writer writer;
};

/* Called without the lock, inside the transport's progress. */
static void stream_sent(void *ctx)
{
    struct ppi_outgoing_stream *stream = ctx;
    struct pp_server *s = stream->server;
    uint32_t index;
    ppi_lock_take(&s->lock);
    if (s->filling.stream == stream) s->filling.stream = NULL;
    if (stream->image) {
        ppi_modules_sent(s, (uint32_t)stream->id, stream->peer);
    } else if (stream->is_shared) {
        ppi_shares_sent(s, stream->id);
    } else if (stream->orphaned) {
        ppi_arena_free(&s->workspace.arena, stream->offset, stream->bytes);
    } else {
        struct ppi_task *t = ppi_store_find(&s->store, stream->id, &index);
        struct ppi_task_extra *extra = t ? ppi_task_extra_of(&s->store, t) : NULL;
        if (extra && extra->stream == stream) extra->stream = NULL;
    }
    ppi_lock_give(&s->lock);
    free(stream);
}

/* Without the lock, by the driver: sends what is in the outbox, receives what has come. */
static struct received *exchange(struct pp_server *s, struct ppi_full_message *full, struct posted *posts, int count,
                                 struct ppi_outgoing_stream *streams)
{
    struct ppi_transport *t = s->transport;
    while (full) {
        struct ppi_full_message *next = full->next;
        t->ops->send(t, full->rank, full->writer.message, full->writer.bytes);
        free(full);
        full = next;
    }
    for (int i = 0; i < count; i++) {
        if (posts[i].writer.bytes && t->ops->send(t, posts[i].rank, posts[i].writer.message, posts[i].writer.bytes) != PP_OK) continue;
        if (s->ranks[posts[i].rank].bell) ppi_doorbell_ring_for_message(s->ranks[posts[i].rank].bell);
    }
    while (streams) {
        struct ppi_outgoing_stream *next = streams->next;
        char *base = streams->is_shared ? s->workspace.shared.base : s->workspace.segment.base;
        void *data = streams->image ? (void *)streams->image : base + streams->offset;
        if (streams->grows)
            t->ops->stream_growing(t, streams->peer, data, streams->bytes, &streams->there, stream_sent, streams);
        else
            t->ops->stream(t, streams->peer, 1, data, streams->bytes, stream_sent, streams);
        streams = next;
    }
    t->ops->progress(t);
    struct received *first = NULL, **end = &first;
    int rank;
    char *message;
    size_t bytes;
    while (t->ops->receive(t, &rank, &message, &bytes)) {
        struct received *r = malloc(sizeof *r);
        if (!r) abort(); /* a message cannot be left out */
        *r = (struct received){rank, message, bytes, NULL};
        *end = r;
        end = &r->next;
    }
    return first;
}

/* Empties the outbox into an array. */
static struct posted *take_outbox(struct pp_server *s, int *count)
{
    *count = 0;
    if (s->outbox_count == 0) return NULL;
    struct posted *posts = malloc((size_t)s->outbox_count * sizeof *posts);
    if (!posts) return NULL; /* it stays until there is memory */
    for (int i = 0; i < s->outbox_count; i++) {
        struct ppi_rank *r = &s->ranks[s->outbox[i]];
        posts[i] = (struct posted){s->outbox[i], r->out};
        memset(&r->out, 0, sizeof r->out);
        r->in_outbox = 0;
    }
    *count = s->outbox_count;
    s->outbox_count = 0;
    s->outbox_bytes = 0;
    s->outbox_urgent = 0;
    return posts;
}

static _Thread_local int in_background __attribute__((tls_model("initial-exec")));

int ppi_server_thread_may_call(const struct pp_server *s)
{
    return !s->mpi || s->mpi->threads != PPI_THREADS_OPENER || pthread_equal(pthread_self(), s->opener);
}

int ppi_server_may_drive(const struct pp_server *s)
{
    if (!s->callers_only) return 1;
    if (in_background || ppi_callbacks_here()) return 0;
    return !s->transport || ppi_server_thread_may_call(s);
}

static int others_have_nothing(const struct pp_server *s)
{
    return s->scheduler.given == s->scheduler.agents[0].given;
}

int ppi_server_step(struct pp_server *s, enum ppi_step may)
{
    struct ppi_transport *transport = may & PPI_STEP_MPI ? s->transport : NULL;
    int works = may & PPI_STEP_TASKS && s->ranks[0].is_worker;
    uint64_t now = s->now_ns = ppi_now_ns();
    if (!in_background) atomic_store_explicit(&s->drives, s->drives + 1, memory_order_relaxed);
    int moved = ppi_agent_poll(&s->agent, now) + ppi_shares_remove_dropped(s) + ppi_modules_send_wanted(s);
    ppi_scheduler_measured(&s->scheduler, 0, s->agent.mean_ns, s->agent.last_ns);
    ppi_server_know_workers(s);
    ppi_server_balance(s, now);
    ppi_server_dispatch(s);
    /* Ranks that share our cores sleep while they have no task. */
    s->agent.others_idle = others_have_nothing(s);
    s->agent.config.spin_below = s->agent.others_idle ? s->ranks[0].limit : s->ranks[0].spin_below;
    _Atomic uint32_t *wake[PPI_WORKERS_MAX];
    int wakes = ppi_agent_flush(&s->agent, wake);
    int printing = s->output[0].bytes || s->output[1].bytes;
    if (wakes || printing || transport || works) {
        int count = 0;
        struct posted *posts = NULL;
        struct ppi_full_message *full = NULL;
        struct ppi_outgoing_stream *streams = NULL;
        if (transport) {
            posts = take_outbox(s, &count);
            full = s->full;
            s->full = NULL;
            s->full_end = &s->full;
            streams = s->streams;
            s->streams = NULL;
            s->streams_end = &s->streams;
        }
        struct ppi_text text[2];
        memcpy(text, s->output, sizeof text);
        if (printing) memset(s->output, 0, sizeof s->output);
        ppi_lock_give(&s->lock);

        for (int i = 0; i < wakes; i++) ppi_futex_wake(wake[i], 1);
        if (printing) ppi_server_print(s, text);
        struct received *received = transport ? exchange(s, full, posts, count, streams) : NULL;
        free(posts);
        if (works) moved += ppi_agent_work(&s->agent);

        ppi_lock_take(&s->lock);
        if (printing) {
            moved++;
            for (int i = 0; i < 2; i++) free(text[i].text);
        }
        if (!s->output[0].bytes && !s->output[1].bytes) ppi_server_complete_deferred(s);
        while (received) {
            struct received *r = received;
            received = r->next;
            ppi_ranks_message(s, r->rank, r->message, r->bytes);
            free(r->message);
            free(r);
            moved++;
        }
        if (transport && ppi_lost_due(s, now)) ppi_lost_check(s, now);
    }
    if (s->scheduler.crowded) {
        uint64_t end = ppi_now_ns(), took = end - now < PAUSE_MOST_NS ? end - now : PAUSE_MOST_NS;
        s->pause_ns = took < PAUSE_LEAST_NS ? 0 : end + took;
    }
    ppi_server_purge(s);
    if (s->wake_waiters) {
        s->wake_waiters = 0;
        pthread_cond_broadcast(&s->changed);
    }
    return moved;
}

/* How long the driver may sleep when nothing rings. nap_ns: of the last sleep, in a row. */
static uint64_t patience(struct pp_server *s, uint64_t now_ns, uint64_t *nap_ns)
{
    uint64_t most = ppi_agent_patience_ns(&s->agent, now_ns);
    if (!s->transport || !ppi_server_may_drive(s)) return most;
    uint64_t limit = s->unfinished || s->shares.sending || s->modules.sending ? NAP_MOST_NS : NAP_IDLE_NS;
    if (s->unringable == 0) limit = NAP_IDLE_NS;
    else if (s->assigned && s->ranks[0].is_worker && s->ranks[0].alone) limit = NAP_ALONE_NS;
    *nap_ns = *nap_ns ? 2 * *nap_ns : NAP_FIRST_NS;
    if (s->unringable == 0 && *nap_ns < NAP_MOST_NS) *nap_ns = NAP_MOST_NS;
    if (*nap_ns > limit) *nap_ns = limit;
    if (s->uneven && *nap_ns > NAP_MOST_NS) *nap_ns = NAP_MOST_NS; /* it may be time to take tasks back */
    uint64_t nap = s->transport->ops->busy(s->transport) && *nap_ns > NAP_BUSY_NS ? NAP_BUSY_NS : *nap_ns;
    return nap < most ? nap : most;
}

/* With the lock held, by the driver: sleeps until something happens. */
static void driver_sleep(struct pp_server *s, uint64_t deadline_ns, uint64_t *nap_ns)
{
    uint64_t now = ppi_now_ns(), most = patience(s, now, nap_ns);
    uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
    if (left < most) most = left;
    uint32_t ticket = ppi_agent_listen(&s->agent, PPI_LISTENER_WAITER);
    if (ppi_agent_has_news(&s->agent) || ppi_agent_next_job(&s->agent) || s->outbox_count || s->deferred_count || most == 0) {
        ppi_doorbell_silence(s->workspace.bell);
        return;
    }
    ppi_lock_give(&s->lock);
    /* A message that came before we listened rang in vain. */
    if (!s->transport || !s->transport->ops->progress(s->transport))
        ppi_doorbell_sleep(s->workspace.bell, PPI_LISTENER_WAITER, ticket, most);
    ppi_doorbell_silence(s->workspace.bell);
    ppi_lock_take(&s->lock);
}

/* How long the driver polls before it sleeps. What MPI moves it moves while it is called; to nap in between makes each step of
 * a large transfer wait.
 *
 * Where workers need all cores, a wait for one task of another rank may still be shorter than to sleep and to be woken; and
 * where ranks share cores, whom the driver waits for may wait for its core. It is found out: waits that turn out to be short
 * give credit, spinning in vain costs it. */
static uint64_t spin_ns(const struct pp_server *s)
{
    int idle_cores = s->agent.busy < s->agent.config.spin_below, alone = s->ranks[0].alone || others_have_nothing(s);
    int few_are_out = s->assigned > s->agent.load && s->assigned - s->agent.load < (uint64_t)s->rank_count;
    if ((idle_cores && alone) || (s->transport && s->transport->ops->busy(s->transport))) return SPIN_NS;
    if (alone && s->agent.load && !s->agent.one_core && ppi_agent_is_quick(&s->agent)) return QUICK_SPIN_NS;
    return s->spin_credit > 0 && (idle_cores || few_are_out) ? SHORT_NS : 0;
}

static void learn(struct pp_server *s, uint64_t waited_ns, int slept)
{
    if (slept && s->spin_credit > 0)
        s->spin_credit -= CREDIT_LOSS;
    else if (waited_ns <= (slept ? SHORT_SLEPT_NS : SHORT_NS) && s->spin_credit < CREDIT_MOST)
        s->spin_credit++;
}

/* Something is to be done besides what workers do. */
static int has_errands(const struct pp_server *s)
{
    return s->outbox_count || s->agent.unpublished || s->shares.sending || s->shares.store.gone || s->modules.sending ||
           s->modules.want_count || (s->scheduler.crowded && s->scheduler.ready);
}

/* Something is to be done, whether the program calls or not. */
static int has_work(const struct pp_server *s)
{
    return s->unfinished || has_errands(s);
}

void ppi_background_heed(struct pp_server *s)
{
    if (s->driving || !s->background_deep) return;
    ppi_agent_listen(&s->agent, PPI_LISTENER_BACKGROUND);
    int soon = s->agent.load && ppi_agent_patience_ns(&s->agent, ppi_now_ns()) <= SOON_NS;
    /* What comes from other ranks may not ring, or has rung before anybody listened. */
    int elsewhere = s->transport && !s->callers_only && s->assigned > s->agent.load;
    if (!soon && !elsewhere && !s->agent.timed && !ppi_agent_has_news(&s->agent) && !has_errands(s)) return;
    ppi_doorbell_ring(s->workspace.bell);
    s->background_deep = 0; /* it is on its way: once is enough */
}

void ppi_server_leave_driving(struct pp_server *s)
{
    s->driving = 0;
    if (s->waits & 1) s->waits++; /* seq_cst: before the look whether the background thread sleeps deep */
    if (s->waiting) pthread_cond_broadcast(&s->changed);
    if (has_work(s) && (!s->waiting || s->callers_only)) ppi_background_heed(s);
}

static void wait_changed(struct pp_server *s, uint64_t deadline_ns)
{
    if (deadline_ns == UINT64_MAX) {
        ppi_lock_wait(&s->lock, &s->changed, NULL);
        return;
    }
    struct timespec until = {(time_t)(deadline_ns / PPI_NS_PER_S), (long)(deadline_ns % PPI_NS_PER_S)};
    ppi_lock_wait(&s->lock, &s->changed, &until);
}

/* With the lock held, which is released meanwhile. */
static void relax(struct pp_server *s, int pauses)
{
    ppi_lock_give(&s->lock);
    for (int i = 0; i < pauses; i++) ppi_cpu_relax();
    ppi_lock_take(&s->lock);
}

int ppi_server_wait(struct pp_server *s, ppi_condition met, void *arg, uint64_t deadline_ns)
{
    if (met(arg)) return PP_OK;
    int status = PP_TIMEOUT, drove = 0, may = ppi_server_may_drive(s);
    uint64_t idle_since = 0, nap = 0;
    int slept = 0;
    s->waiting++;
    s->agent.program_busy = ppi_agent_is_quick(&s->agent);
    ppi_server_called(s);
    for (;;) {
        if (met(arg)) {
            status = PP_OK;
            break;
        }
        if (!may || (s->driving && !drove)) {
            if (ppi_now_ns() >= deadline_ns) break;
            wait_changed(s, deadline_ns);
            continue;
        }
        if (!drove) {
            s->driving = drove = 1;
            s->waits++;
            ppi_doorbell_silence(s->workspace.bell);
        }
        if (ppi_server_step(s, PPI_STEP_ALL)) {
            if (idle_since) learn(s, s->now_ns - idle_since, slept);
            idle_since = nap = 0;
            slept = 0;
            if (met(arg)) continue;
            if (ppi_now_ns() >= deadline_ns) break;
            /* A look for each of the shortest tasks would cost more than they do: some more shall be there. */
            if (s->agent.load >= GATHER && !s->agent.one_core && ppi_agent_is_quick(&s->agent)) relax(s, GATHER);
            continue;
        }
        if (met(arg)) continue;
        uint64_t now = ppi_now_ns();
        if (now >= deadline_ns) break;
        if (idle_since == 0) idle_since = now;
        if (now < idle_since + spin_ns(s)) {
            relax(s, RELAX);
            continue;
        }
        slept = 1;
        driver_sleep(s, deadline_ns, &nap);
    }
    s->waiting--;
    if (drove)
        ppi_server_leave_driving(s);
    else if (!s->waiting && has_work(s))
        ppi_background_heed(s); /* who drove saw us wait, and left it to us */
    return status;
}

void ppi_server_look(struct pp_server *s, enum ppi_step may)
{
    if (s->driving || !ppi_server_may_drive(s)) return;
    s->driving = 1;
    ppi_server_step(s, may);
    ppi_server_leave_driving(s);
}

void ppi_server_kick(struct pp_server *s)
{
    ppi_lock_take(&s->lock);
    int driven = s->driving;
    ppi_server_look(s, PPI_STEP_MPI);
    ppi_lock_give(&s->lock);
    if (driven) ppi_doorbell_ring(s->workspace.bell);
}

/* ---- the background thread */

/* Drives until there is nothing to do, and goes to sleep: until it is rung, or its patience ends. */
static uint64_t background_drive(struct pp_server *s, uint64_t *nap)
{
    enum ppi_step may = ppi_server_may_drive(s) ? PPI_STEP_ALL : PPI_STEP_WORKERS;
    s->driving = 1;
    s->agent.program_busy = 0;
    ppi_doorbell_silence(s->workspace.bell);
    for (int i = 0; i < DRIVE_STEPS && ppi_server_step(s, may); i++) *nap = 0;
    s->driving = 0;
    if (s->waiting) pthread_cond_broadcast(&s->changed);
    uint64_t most = patience(s, ppi_now_ns(), nap);
    return most < BACKGROUND_NAP_NS ? most : BACKGROUND_NAP_NS;
}

/* The program is in one long wait, if that is what the count says: whoever ends it calls us. 0 when it has just ended. */
static int goes_deep(struct pp_server *s, uint64_t waits)
{
    if (!(waits & 1)) return 0;
    s->background_deep = 1; /* seq_cst: before the look whether it still is */
    if (s->waits == waits) return 1;
    s->background_deep = 0;
    return 0;
}

/* While the program drives, in calls that wait or submit, this thread only looks now and then whether it still does, without
 * taking the lock. Calls that need not wait, such as fetching what has finished, do not drive. */
static void *background(void *arg)
{
    struct pp_server *s = arg;
    struct ppi_doorbell *bell = s->workspace.bell;
    uint64_t seen = 0, nap = 0;
    in_background = 1;
    ppi_lock_take(&s->lock);
    while (!s->closing) {
        uint64_t sleep_ns = BACKGROUND_NAP_NS;
        if (!s->driving && (has_work(s) || ppi_lost_due(s, ppi_now_ns()))) sleep_ns = background_drive(s, &nap);
        uint32_t ticket = atomic_load(&bell->rings[PPI_LISTENER_BACKGROUND]);
        if (!s->driving && has_work(s)) {
            ppi_agent_listen(&s->agent, PPI_LISTENER_BACKGROUND);
            if (ppi_agent_has_news(&s->agent) || (s->outbox_count && !s->callers_only)) sleep_ns = 0;
        }
        s->background_deep = 1;
        ppi_lock_give(&s->lock);
        seen = s->drives;
        ppi_futex_wait(&bell->rings[PPI_LISTENER_BACKGROUND], ticket, sleep_ns);
        uint64_t waits = 0, grace_ns = GRACE_NS;
        while (s->drives != seen && !s->closing) {
            seen = s->drives;
            s->background_deep = 0;
            ticket = atomic_load(&bell->rings[PPI_LISTENER_BACKGROUND]);
            uint64_t now_in = s->waits;
            int deep = now_in == waits && grace_ns == GRACE_MOST_NS && goes_deep(s, now_in);
            waits = now_in;
            ppi_futex_wait(&bell->rings[PPI_LISTENER_BACKGROUND], ticket, deep ? BACKGROUND_NAP_NS : grace_ns);
            ppi_report_tick(s); /* a program may go on like this for hours */
            if (ppi_lock_needs_preparation()) ppi_lock_prepare(0);
            if (ppi_store_wants_memory(&s->store)) ppi_store_prepare(&s->store);
            grace_ns = grace_ns < GRACE_MOST_NS ? 2 * grace_ns : GRACE_MOST_NS;
        }
        ppi_report_tick(s);
        ppi_lock_take(&s->lock);
        s->background_deep = 0;
    }
    ppi_lock_give(&s->lock);
    return NULL;
}

int ppi_background_start(struct pp_server *s)
{
    int error = ppi_thread_start(&s->background, background, s);
    if (error)
        return ppi_error_errno(error == EAGAIN ? PP_ERR_LIMIT : PP_ERR_SYSTEM, error, "cannot start the background thread%s",
                               error == EAGAIN ? " (see ulimit -u, ulimit -v)" : "");
    s->background_runs = 1;
    return PP_OK;
}

void ppi_background_stop(struct pp_server *s)
{
    if (!s->background_runs) return;
    ppi_lock_take(&s->lock);
    s->closing = 1;
    ppi_lock_give(&s->lock);
    ppi_doorbell_wake(s->workspace.bell, PPI_LISTENER_BACKGROUND);
    pthread_join(s->background, NULL);
    s->background_runs = 0;
}
