/* Messages from and to the agents of other ranks. */
#include "server/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/policy.h"
#include "base/status.h"
#include "channel/peer_bell.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HELLO_PATIENCE_NS (120 * PPI_NS_PER_S)
#define BYE_PATIENCE_NS (10 * PPI_NS_PER_S)
#define BYE_AT_ONCE_NS (2 * PPI_NS_PER_S) /* a rank that runs a task itself may not hear us for long */

void ppi_ranks_post(struct pp_server *s, int rank, enum ppi_wire_kind kind, unsigned flags, const void *fixed,
                    const void *data, size_t bytes)
{
    struct ppi_rank *r = &s->ranks[rank];
    size_t before = r->out.bytes;
    if (r->lost) return;
    if (ppi_wire_put(&r->out, kind, flags, fixed, data, bytes) != PP_OK) {
        ppi_log(PP_LOG_ERROR, "rank %d: %s was not sent: %s", rank, ppi_wire_name(kind), pp_last_error());
        return;
    }
    s->outbox_bytes += r->out.bytes - before;
    struct ppi_full_message *full;
    if (r->out.bytes >= PPI_WIRE_MESSAGE_MAX && (full = malloc(sizeof *full))) {
        *full = (struct ppi_full_message){rank, r->out, NULL};
        *s->full_end = full;
        s->full_end = &full->next;
        memset(&r->out, 0, sizeof r->out);
    }
    if (r->in_outbox) return;
    r->in_outbox = 1;
    s->outbox[s->outbox_count++] = rank;
}

/* ---- results */

struct incoming_stream { /* a result that is too large for a message */
    struct pp_server *server;
    int rank;
    struct ppi_wire_result w;
    uint64_t offset; /* of its block; 0 = it is received and thrown away */
    uint64_t finished_ns;
};

static void result_arrived(struct pp_server *s, int rank, const struct ppi_wire_result *w, const void *data, int in_arena,
                           struct ppi_loan *loan, uint64_t now_ns)
{
    struct ppi_result r = {.status = w->status,
                           .code = w->code,
                           .signal = w->signal,
                           .worker = w->worker,
                           .pid = (long)w->pid,
                           .data = data,
                           .bytes = w->bytes,
                           .loan = loan,
                           .in_arena = in_arena};
    /* Clocks of different nodes do not agree; how long ago it was does. */
    r.finished_ns = now_ns - (w->age_ns < now_ns ? w->age_ns : 0);
    r.started_ns = r.finished_ns - (w->duration_ns < r.finished_ns ? w->duration_ns : 0);
    ppi_server_outcome(s, rank, w->id, w->attempt, &r);
    if (r.loan) ppi_server_return_loan(s, r.loan); /* nobody took it */
    if (r.in_arena) ppi_arena_free(&s->workspace.arena, (uint64_t)((const char *)data - s->workspace.segment.base), w->bytes);
}

/* Memory that a result on its way will fill; negative when it has. */
static void promise(struct pp_server *s, int rank, int64_t bytes)
{
    s->ranks[rank].promised += (uint64_t)bytes;
    s->workspace.board->promised += (uint64_t)bytes;
}

/* Called without the lock, inside the transport's progress. */
static void stream_arrived(void *ctx)
{
    struct incoming_stream *in = ctx;
    struct pp_server *s = in->server;
    char no_memory[64];
    ppi_lock_take(&s->lock);
    if (in->offset == 0) {
        snprintf(no_memory, sizeof no_memory, "no memory for the result of %llu bytes", (unsigned long long)in->w.bytes);
        in->w.status = PP_ERR_NOMEM;
        in->w.bytes = strlen(no_memory);
        result_arrived(s, in->rank, &in->w, no_memory, 0, NULL, in->finished_ns);
    } else {
        promise(s, in->rank, -(int64_t)in->w.bytes);
        result_arrived(s, in->rank, &in->w, s->workspace.segment.base + in->offset, 1, NULL, in->finished_ns);
    }
    ppi_lock_give(&s->lock);
    free(in);
}

static void begin_stream(struct pp_server *s, int rank, const struct ppi_wire_result *w)
{
    struct incoming_stream *in = calloc(1, sizeof *in);
    if (!in) abort(); /* what follows on the stream could not be told apart any more */
    *in = (struct incoming_stream){.server = s, .rank = rank, .w = *w, .finished_ns = ppi_now_ns()};
    in->offset = ppi_arena_alloc(&s->workspace.arena, w->bytes, NULL);
    if (in->offset) promise(s, rank, (int64_t)w->bytes);
    s->transport->ops->stream(s->transport, rank, 0, in->offset ? s->workspace.segment.base + in->offset : NULL, w->bytes,
                              stream_arrived, in);
}

/* A result that stays where it is. */
static void result_in_place(struct pp_server *s, int rank, struct ppi_wire_result *w, const void *behind, uint64_t now_ns)
{
    static const char wrong[] = "the result is not where its rank says";
    struct ppi_wire_place place;
    const void *data = wrong;
    memcpy(&place, behind, sizeof place);
    struct ppi_loan *loan = ppi_lent_take(s, rank, &place, w->bytes, &data);
    if (!loan) {
        w->status = PP_ERR_NOMEM;
        w->bytes = sizeof wrong - 1;
    }
    result_arrived(s, rank, w, data, 0, loan, now_ns);
}

/* ---- messages */

static void hello(struct pp_server *s, int rank, const struct ppi_wire_hello *h)
{
    struct ppi_rank *r = &s->ranks[rank];
    memcpy(r->host, h->host, sizeof r->host);
    r->cores = h->cores;
    r->allowed_cores = h->allowed_cores;
    r->limit = h->limit;
    r->quota = h->quota;
    r->is_worker = h->is_worker;
    r->pid = (long)h->pid;
    r->shared_fd = h->shared_fd;
    r->nonce = h->bell_nonce;
    memcpy(&r->allowed, h->allowed, sizeof r->allowed);
    memcpy(&r->online, h->online, sizeof r->online);
    if (strcmp(r->host, s->ranks[0].host) == 0) r->bell = ppi_bell_open((long)h->pid, h->bell_fd, h->bell_nonce);
    if (!r->bell) s->unringable++;
    ppi_lost_watch(s, rank, (long)h->pid);
    r->said_hello = 1;
}

/* The answer to a RESIZE; only the one to the last counts. */
static void resized(struct pp_server *s, int rank, const struct ppi_wire_record *record)
{
    struct ppi_rank *r = &s->ranks[rank];
    int workers = record->as.READY.workers;
    if (r->resizing == 0 || --r->resizing > 0 || workers >= r->workers) return;
    ppi_log(PP_LOG_WARNING, "rank %d on %s has %d instead of %d workers: %.*s", rank, r->host, workers, r->workers,
            (int)record->bytes, (const char *)record->data);
    r->workers = workers;
    ppi_scheduler_resize(&s->scheduler, rank, workers);
}

void ppi_ranks_message(struct pp_server *s, int rank, const char *message, size_t bytes)
{
    _Static_assert(sizeof(struct ppi_cpus) == sizeof ((struct ppi_wire_hello *)0)->allowed, "sets of units travel whole");
    struct ppi_wire_reader reader;
    struct ppi_wire_record record;
    struct ppi_rank *r = &s->ranks[rank];
    uint64_t now = ppi_now_ns();
    if (r->lost) return; /* its tasks are others' now */
    r->heard_ns = now;
    int status = ppi_wire_open(&reader, message, bytes);
    while (status >= 0 && (status = ppi_wire_next(&reader, &record)) > 0) {
        switch (record.kind) {
        case PPI_WIRE_HELLO:
            if (!r->said_hello) hello(s, rank, &record.as.HELLO);
            break;
        case PPI_WIRE_READY:
            if (r->ready) {
                resized(s, rank, &record);
                break;
            }
            r->ready = 1;
            r->is_holder = record.as.READY.is_holder;
            r->reads_arguments = record.as.READY.reads_arguments;
            r->barren = record.as.READY.status != PP_OK;
            if (record.as.READY.workers < r->workers) r->workers = record.as.READY.workers; /* it was asked for no more */
            if (record.as.READY.status != PP_OK)
                ppi_error(record.as.READY.status, "rank %d on %s: %.*s", rank, r->host, (int)record.bytes,
                          (const char *)record.data);
            break;
        case PPI_WIRE_RETURNED:
            if (record.as.RETURNED.id == 0)
                ppi_server_recalled(s, rank);
            else
                ppi_server_returned(s, rank, record.as.RETURNED.id, record.as.RETURNED.attempt);
            break;
        case PPI_WIRE_STARTED: ppi_server_started(s, rank, &record.as.STARTED, now); break;
        case PPI_WIRE_RESULT:
            if (record.flags & PPI_WIRE_STREAMED)
                begin_stream(s, rank, &record.as.RESULT);
            else if (record.flags & PPI_WIRE_IN_PLACE)
                result_in_place(s, rank, &record.as.RESULT, record.data, now);
            else
                result_arrived(s, rank, &record.as.RESULT, record.data, 0, NULL, now);
            break;
        case PPI_WIRE_SEGMENT: ppi_lent_map(s, rank, &record.as.SEGMENT); break;
        case PPI_WIRE_GONE: ppi_lent_gone(s, rank, record.as.GONE.segment); break;
        case PPI_WIRE_OUTPUT: ppi_server_output(s, record.as.OUTPUT.stream, record.data, record.bytes); break;
        case PPI_WIRE_WANT: ppi_modules_want(s, rank, record.as.WANT.number); break;
        case PPI_WIRE_BEAT: break;
        case PPI_WIRE_BYE:
            r->said_bye = 1;
            s->wake_waiters = 1;
            break;
        default: ppi_log(PP_LOG_WARNING, "rank %d sent a %s, which only the server sends", rank, ppi_wire_name(record.kind));
        }
    }
    if (status < 0) ppi_log(PP_LOG_ERROR, "message of rank %d on %s: %s", rank, r->host, pp_last_error());
}

/* ---- beginning and end */

static int all_hello(void *arg)
{
    struct pp_server *s = arg;
    for (int i = 1; i < s->rank_count; i++)
        if (!s->ranks[i].said_hello) return 0;
    return 1;
}

static int all_ready(void *arg)
{
    struct pp_server *s = arg;
    for (int i = 1; i < s->rank_count; i++)
        if (!s->ranks[i].ready) return 0;
    return 1;
}

static int all_bye(void *arg)
{
    struct pp_server *s = arg;
    for (int i = 1; i < s->rank_count; i++)
        if (!s->ranks[i].said_bye && !s->ranks[i].lost) return 0;
    return s->outbox_count == 0 && !s->transport->ops->busy(s->transport);
}

/* Each rank runs a worker on every core that it alone may use; ranks that share cores run one each. They share what may be
 * polled away, too; rank 0, which all wait for, has a core for it. */
static void share_out_workers(struct pp_server *s)
{
    for (int i = 0; i < s->rank_count; i++) {
        struct ppi_rank *a = &s->ranks[i];
        int sharers = 1;
        a->alone = 1;
        a->node = i;
        for (int k = s->rank_count - 1; k >= 0; k--) {
            const struct ppi_rank *b = &s->ranks[k];
            if (k == i || strcmp(a->host, b->host) != 0) continue;
            if (k < i) a->node = k;
            if (ppi_cpus_overlap(&a->allowed, &b->allowed)) a->alone = 0, sharers++;
        }
        a->spin_below = a->limit / sharers;
        if (i == 0 && a->spin_below < 1) a->spin_below = 1;
        a->by_rule = a->alone ? a->limit / s->options.cores_per_worker : 1;
        if (a->by_rule < 1) a->by_rule = 1;
    }
}

/* A quota is granted to all ranks of a node together. */
static void cap_by_quota(struct pp_server *s)
{
    for (int i = 0; i < s->rank_count; i++) {
        if (s->ranks[i].node != i || !s->ranks[i].quota || s->ranks[i].is_worker) continue;
        int sum = 0, quota = s->ranks[i].quota;
        for (int k = i; k < s->rank_count; k++)
            if (s->ranks[k].node == i) sum += s->ranks[k].by_rule;
        for (int k = i; k < s->rank_count && sum > quota; k++) {
            struct ppi_rank *r = &s->ranks[k];
            if (r->node != i) continue;
            int fewer = r->by_rule * quota / sum;
            r->by_rule = fewer > 1 ? fewer : 1;
        }
    }
}

static void warn_of_crowded_cores(const struct pp_server *s)
{
    for (int i = 0; i < s->rank_count; i++) {
        const struct ppi_rank *r = &s->ranks[i];
        if (r->is_worker || r->allowed_cores >= s->options.cores_per_worker) continue;
        ppi_log(PP_LOG_WARNING, "cores_per_worker is %d, but rank %d may use %d core%s on %s: its threads share them",
                s->options.cores_per_worker, i, r->allowed_cores, r->allowed_cores == 1 ? "" : "s", r->host);
        return;
    }
}

static void warn_of_unused_cores(const struct pp_server *s)
{
    /* Without a launcher it was the user who took cores away, by taskset or the like; and a program that runs MPI itself has
     * other use for its ranks. */
    if (!s->mpi || s->mpi->threads != PPI_THREADS_OURS || s->options.workers) return;
    for (int i = 0; i < s->rank_count; i++) {
        if (s->ranks[i].node != i || s->ranks[i].is_worker) continue;
        int workers = 0, ranks = 0, cores = s->ranks[i].cores;
        for (int k = i; k < s->rank_count; k++)
            if (s->ranks[k].node == i) workers += s->ranks[k].workers * s->options.cores_per_worker, ranks++;
        if (cores - workers < s->options.cores_per_worker || s->ranks[i].limit < s->ranks[i].allowed_cores) continue;
        ppi_log(PP_LOG_WARNING,
                "%d of the %d cores of %s run workers: the launcher bound or placed %d rank%s there that way; "
                "one rank per node without binding uses all (mpirun --map-by ppr:1:node --bind-to none, srun --ntasks-per-node=1), "
                "or set PPMPI_WORKERS",
                workers, cores, s->ranks[i].host, ranks, ranks == 1 ? "" : "s");
        return;
    }
}

int ppi_ranks_handshake(struct pp_server *s)
{
    if (s->transport && ppi_server_wait(s, all_hello, s, ppi_now_ns() + HELLO_PATIENCE_NS) != PP_OK) {
        for (int i = 1; i < s->rank_count; i++)
            if (!s->ranks[i].said_hello)
                return ppi_error(PP_ERR_LOST, "rank %d has not come to pp_server_open: every rank must call it", i);
    }
    share_out_workers(s);
    cap_by_quota(s);
    int first = 0, places = 0;
    for (int i = 0; i < s->rank_count; i++) {
        struct ppi_rank *r = &s->ranks[i];
        r->workers = s->options.workers ? s->options.workers : r->by_rule;
        /* The program's own rank is a worker only where there is no other. */
        if (r->is_worker) r->workers = i > 0 || s->rank_count == 1;
        r->numbers = r->workers;
        r->first_number = first;
        first += r->workers;
        if (r->node == s->ranks[0].node) r->place = places++;
    }
    s->first_extra_number = first;
    s->extra_gap = places - 1;
    warn_of_unused_cores(s);
    warn_of_crowded_cores(s);
    for (int i = 1; i < s->rank_count; i++) {
        const struct ppi_rank *r = &s->ranks[i];
        struct ppi_wire_welcome w = {.server_pid = getpid(),
                                     .bell_nonce = ppi_bell_nonce(&s->workspace),
                                     .bell_fd = s->workspace.bell_segment.fd,
                                     .arguments_fd = s->workspace.segment.fd,
                                     .same_node = r->node == s->ranks[0].node,
                                     .workers = r->workers,
                                     .first_number = r->first_number,
                                     .extra_number = first + r->place,
                                     .extra_gap = s->extra_gap,
                                     .spin_below = r->spin_below,
                                     .hold_us = (int32_t)(ppi_crowd_ns(s->rank_count) / 1000),
                                     .cores_per_worker = s->options.cores_per_worker,
                                     .restart = s->options.restart,
                                     .log_level = s->options.log_level,
                                     .bind = r->alone,
                                     .beat_ns = ppi_lost_beat_ns(s),
                                     .silence_ns = s->callers_only ? 0 : 12 * ppi_lost_beat_ns(s)};
        if (r->node != i) {
            const struct ppi_rank *holder = &s->ranks[r->node];
            w.holder_pid = holder->pid;
            w.holder_nonce = holder->nonce;
            w.holder_fd = holder->shared_fd;
        }
        if (s->options.initializer) ppi_server_send_initializer(s, i);
        ppi_ranks_post(s, i, PPI_WIRE_WELCOME, 0, &w, NULL, 0);
        ppi_modules_welcome(s, i);
    }
    return PP_OK;
}

int ppi_ranks_find_worker(const struct pp_server *s, int number, int *slot)
{
    for (int i = 0; i < s->rank_count; i++) {
        const struct ppi_rank *r = &s->ranks[i];
        if (number < r->first_number || number >= r->first_number + r->numbers) continue;
        *slot = number - r->first_number;
        return i;
    }
    int extra = number - s->first_extra_number, places = 1 + s->extra_gap;
    for (int i = 0; extra >= 0 && i < s->rank_count; i++) {
        const struct ppi_rank *r = &s->ranks[i];
        if (r->node != s->ranks[0].node || r->place != extra % places) continue;
        *slot = r->numbers + extra / places;
        return i;
    }
    return -1;
}

int ppi_ranks_ready(struct pp_server *s)
{
    if (!s->transport) return PP_OK;
    if (ppi_server_wait(s, all_ready, s, ppi_now_ns() + HELLO_PATIENCE_NS) != PP_OK)
        return ppi_error(PP_ERR_LOST, "not every rank has started its workers within %d s", (int)(HELLO_PATIENCE_NS / PPI_NS_PER_S));
    for (int i = 1; i < s->rank_count; i++) {
        /* A rank without workers is none the worse for the others. */
        if (s->ranks[i].workers == 0) ppi_log(PP_LOG_WARNING, "rank %d on %s has no workers: %s", i, s->ranks[i].host, pp_last_error());
        if (s->ranks[i].is_worker) ppi_scheduler_set_alone(&s->scheduler, i);
        ppi_scheduler_set_workers(&s->scheduler, i, s->ranks[i].workers);
    }
    return PP_OK;
}

void ppi_ranks_stop(struct pp_server *s, int status, int at_once)
{
    if (!s->transport) return;
    s->modules.closed = 1; /* who asks for code now does not need it any more */
    struct ppi_wire_stop w = {.status = status, .at_once = at_once, .lost = s->transport->lost};
    for (int i = 1; i < s->rank_count; i++) ppi_ranks_post(s, i, PPI_WIRE_STOP, 0, &w, NULL, 0);
    if (ppi_server_wait(s, all_bye, s, ppi_now_ns() + (at_once ? BYE_AT_ONCE_NS : BYE_PATIENCE_NS)) == PP_OK) return;
    int silent = 0, last = 0;
    for (int i = 1; i < s->rank_count; i++)
        if (!s->ranks[i].said_bye && !s->ranks[i].lost) silent++, last = i;
    ppi_log(at_once ? PP_LOG_INFO : PP_LOG_WARNING, "%d ranks have not said that they stop, among them rank %d on %s%s", silent, last,
            s->ranks[last].host, s->transport->ops->busy(s->transport) ? "; and messages are still on their way" : "");
}
