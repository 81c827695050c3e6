/* Ranks that die, or hang. A rank is heard of at least four times within the heartbeat's time, since its agent says so when
 * it has nothing else to say; one that has been silent for that time is lost. On the server's own node the kernel tells of
 * a rank's end at once. What a lost rank had is given to others; what it may still say is not heard. */
#include "server/server.h"

#include "base/log.h"
#include "channel/peer_bell.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#define LOOK_NS 100000000ull /* how often ranks of this node are looked at */
#define LEAST_S 0.1          /* a shorter heartbeat could not be told from a busy machine */
#define LOSSES_MOST 3        /* of one task that was running, before it counts as the cause */

void ppi_lost_watch(struct pp_server *s, int rank, long pid)
{
    struct ppi_rank *r = &s->ranks[rank];
    r->pidfd = r->bell ? ppi_bell_pidfd(pid) : -1;
}

void ppi_lost_close(struct ppi_rank *r)
{
    if (r->pidfd >= 0) close(r->pidfd);
    r->pidfd = -1;
}

/* A task that the lost rank had: to others, or to its end. */
static void give_away(struct pp_server *s, uint32_t index, const char *why)
{
    struct ppi_task *t = ppi_store_at(&s->store, index);
    char text[512];
    /* In a crowd a rank that runs tasks itself does not say which one it begins: it may have been any of them. */
    int untold = s->ranks[t->agent].is_worker && s->scheduler.crowded;
    int began = t->state == PPI_TASK_RUNNING || (untold && t->state == PPI_TASK_ASSIGNED);
    int in_place = s->ranks[t->agent].reads_arguments && ppi_task_args_bytes(t) > PPI_WIRE_INLINE_MAX;
    struct ppi_task_extra *extra = began || in_place ? ppi_server_extra(s, t) : ppi_task_extra_of(&s->store, t);
    if (extra) extra->stream = NULL; /* what it still sends matters to nobody */
    if (extra && in_place) extra->args_stay = 1;
    if (t->state == PPI_TASK_CANCELLING) {
        ppi_server_end(s, index, PP_ERR_CANCELLED, "");
        return;
    }
    if (began && (!extra || ++extra->losses > LOSSES_MOST)) {
        snprintf(text, sizeof text, "%s; it ran there, and %d times before on ranks that were lost", why, LOSSES_MOST);
        ppi_server_end(s, index, PP_ERR_LOST, text);
        return;
    }
    if (began ? ppi_scheduler_push(&s->scheduler, index, extra->priority, 1) != PP_OK : !ppi_server_requeue(s, index)) {
        ppi_server_end(s, index, PP_ERR_LOST, why);
        return;
    }
    s->assigned--;
    if (!began) return;
    ppi_task_apply(t, PPI_EVENT_REQUEUE);
    extra->worker = PPI_TASK_NO_WORKER; /* nobody can take it for that one's any more */
    s->retried++;
}

/* A rank that lives, or may live again, is told to leave: otherwise it would run on to the end of its patience with a server that says
 * nothing any more. The next step sends that, and only then is the rank lost. */
static void part_with(struct pp_server *s, int rank, const char *how)
{
    struct ppi_rank *r = &s->ranks[rank];
    if (*r->parting) return;
    snprintf(r->parting, sizeof r->parting, "%s", how);
    r->parting_ns = s->now_ns;
    ppi_ranks_post(s, rank, PPI_WIRE_STOP, 0, &(struct ppi_wire_stop){.status = 1, .at_once = 1, .alone = 1}, NULL, 0);
    s->next_heartbeat_ns = s->now_ns;
}

static void lose(struct pp_server *s, int rank, const char *how)
{
    struct ppi_rank *r = &s->ranks[rank];
    char why[400];
    snprintf(why, sizeof why, "rank %d on %s %s", rank, r->host, how);
    ppi_log(PP_LOG_WARNING, "%s: it counts as lost, its tasks go to others", why);
    r->lost = 1;
    r->workers = 0;
    if (!r->bell) s->unringable--;
    ppi_lost_close(r);
    ppi_lent_lost(r);
    s->transport->ops->forget(s->transport, rank);
    s->workspace.board->promised -= r->promised; /* what it was sending comes no more */
    r->promised = 0;
    ppi_scheduler_set_workers(&s->scheduler, rank, 0);
    /* Once for a lost rank, and not on the way of any task. */
    for (uint32_t i = 0; i < s->store.used; i++) {
        const struct ppi_task *t = ppi_store_at(&s->store, i);
        if (t->agent != rank || t->stored) continue;
        if (t->state == PPI_TASK_ASSIGNED || t->state == PPI_TASK_RUNNING || t->state == PPI_TASK_CANCELLING)
            give_away(s, i, why);
    }
    if (s->scheduler.workers == 0) {
        snprintf(s->nobody_left, sizeof s->nobody_left, "%.300s, and no other rank is left that could run tasks", why);
        for (uint32_t i = 0; i < s->store.used; i++)
            if (ppi_store_at(&s->store, i)->state == PPI_TASK_QUEUED) ppi_server_end(s, i, PP_ERR_LOST, s->nobody_left);
    }
    s->wake_waiters = 1;
    /* The node's shared data was its to receive: without it the others there would wait for what comes from now on. */
    for (int i = 1; r->is_holder && r->node == rank && i < s->rank_count; i++)
        if (s->ranks[i].node == r->node && !s->ranks[i].is_holder && !s->ranks[i].lost)
            part_with(s, i, "has no access to shared data any more");
}

uint64_t ppi_lost_beat_ns(const struct pp_server *s)
{
    return (uint64_t)fmin(fmax(s->options.heartbeat, LEAST_S) * 1e9, 1e18) / 4;
}

int ppi_lost_due(const struct pp_server *s, uint64_t now_ns)
{
    return s->transport && now_ns >= s->next_heartbeat_ns;
}

void ppi_lost_check(struct pp_server *s, uint64_t now_ns)
{
    uint64_t beat_ns = ppi_lost_beat_ns(s);
    /* After a time in which nobody was here to listen, what was said meanwhile may still be on its way. */
    int late = now_ns > s->next_heartbeat_ns + beat_ns;
    int speak = now_ns >= s->next_word_ns;
    s->next_heartbeat_ns = now_ns + (beat_ns < LOOK_NS ? beat_ns : LOOK_NS);
    if (speak) s->next_word_ns = now_ns + beat_ns;
    for (int i = 1; i < s->rank_count; i++) {
        struct ppi_rank *r = &s->ranks[i];
        if (r->lost || !r->ready || r->said_bye) continue;
        if (r->heard_ns == 0) r->heard_ns = now_ns;
        if (late && r->heard_ns + 3 * beat_ns < now_ns) r->heard_ns = now_ns - 3 * beat_ns;
        if (speak) ppi_ranks_post(s, i, PPI_WIRE_BEAT, 0, &(struct ppi_wire_beat){0}, NULL, 0);
        if (ppi_bell_has_ended(r->pidfd)) {
            lose(s, i, "has ended");
        } else if (*r->parting && r->parting_ns < now_ns) {
            lose(s, i, r->parting);
        } else if (!r->is_worker && now_ns > r->heard_ns + 4 * beat_ns) {
            char how[100];
            snprintf(how, sizeof how, "has been silent for %g s", s->options.heartbeat);
            part_with(s, i, how);
        }
    }
}
