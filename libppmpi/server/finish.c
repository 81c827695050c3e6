/* The way back: an agent's word about a task becomes the outcome of its future. */
#include "server/callbacks.h"
#include "server/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

struct ppi_task_extra *ppi_server_extra(struct pp_server *s, struct ppi_task *task)
{
    return ppi_task_extra(&s->store, task, ppi_timeout_ns(s->options.timeout), s->options.retries);
}

static void free_args(struct pp_server *s, struct ppi_task *t)
{
    if (!(t->flags & PPI_TASK_BLOCK)) return;
    t->flags &= (uint8_t)~PPI_TASK_BLOCK;
    struct ppi_task_extra *extra = ppi_task_extra_of(&s->store, t);
    if (extra && extra->args_stay) return;
    if (extra && extra->stream) {
        extra->stream->orphaned = 1; /* MPI still reads them */
        extra->stream = NULL;
        return;
    }
    ppi_arena_free(&s->workspace.arena, t->u.args.offset, t->u.args.bytes);
}

/* The program's hold on the future ends. */
void ppi_server_give_up(struct pp_server *s, struct ppi_task *t)
{
    int calling = t->flags & PPI_TASK_CALLING && !ppi_task_extra_of(&s->store, t)->told;
    int told = t->state == PPI_TASK_FINISHED && !calling;
    if ((t->flags & (PPI_TASK_HELD | PPI_TASK_MAPPED)) == PPI_TASK_HELD && !told) ppi_groups_hide(&s->groups, t->group);
    t->flags &= (uint8_t)~PPI_TASK_HELD;
}

void ppi_server_dispose(struct pp_server *s, struct ppi_task *t, uint32_t index)
{
    ppi_server_give_up(s, t);
    ppi_groups_unlist(&s->groups, t, index);
    if (t->flags & PPI_TASK_CALLING) return; /* its callbacks may still use it: they come back here */
    if (t->flags & PPI_TASK_LOAN)
        ppi_server_return_loan(s, t->u.result.value.lent.loan);
    else if (t->flags & PPI_TASK_BLOCK)
        ppi_arena_free(&s->workspace.arena, t->u.result.value.offset, t->u.result.value.bytes);
    t->flags &= (uint8_t) ~(PPI_TASK_LOAN | PPI_TASK_BLOCK);
    ppi_task_apply(t, PPI_EVENT_RECYCLE);
    ppi_store_recycle(&s->store, index);
}

void ppi_server_purge(struct pp_server *s)
{
    struct ppi_range r;
    struct ppi_loan *loan;
    while (ppi_arena_dying(&s->workspace.arena, &r)) {
        ppi_lock_give(&s->lock);
        ppi_memory_remove(s->workspace.segment.base + r.offset, r.bytes);
        ppi_lock_take(&s->lock);
        ppi_arena_died(&s->workspace.arena, r);
    }
    while ((loan = ppi_agent_dying_loan(&s->agent))) {
        ppi_lock_give(&s->lock);
        ppi_loan_remove(loan);
        ppi_lock_take(&s->lock);
        ppi_agent_loan_died(&s->agent, loan);
    }
}

const void *ppi_server_result_data(struct pp_server *s, const struct ppi_task *t)
{
    if (t->flags & PPI_TASK_LOAN) return t->u.result.value.lent.data;
    if (t->flags & PPI_TASK_BLOCK) return s->workspace.segment.base + t->u.result.value.offset;
    return t->u.result.value.in;
}

static char *failure_message(const struct ppi_task *t, const struct ppi_task_extra *extra, const struct ppi_result *r)
{
    char *message;
    int tries = t->attempts - extra->losses;
    if (tries < 2 || r->worker < 0 || (r->status != PP_ERR_CRASHED && r->status != PP_ERR_TIMEOUT))
        return strndup(r->bytes ? (const char *)r->data : "", r->bytes);
    /* Otherwise it would not have been tried again. */
    return asprintf(&message, "%.*s; each of its %d tries crashed or ran past its time-out", (int)r->bytes,
                    (const char *)r->data, tries) < 0
               ? NULL
               : message;
}

static void set_failure(struct pp_server *s, struct ppi_task *t, const struct ppi_result *r)
{
    struct ppi_task_extra *extra = ppi_server_extra(s, t);
    if (!extra) return;
    extra->code = r->code;
    extra->signal = r->signal;
    free(extra->message);
    extra->message = failure_message(t, extra, r);
}

static void set_large_value(struct pp_server *s, struct ppi_task *t, struct ppi_result *r)
{
    if (r->loan) {
        t->flags |= PPI_TASK_LOAN;
        t->u.result.value.lent.data = r->data;
        t->u.result.value.lent.loan = r->loan;
        r->loan = NULL;
        return;
    }
    uint64_t offset;
    if (r->in_arena) {
        offset = (uint64_t)((const char *)r->data - s->workspace.segment.base);
        r->in_arena = 0;
    } else if ((offset = ppi_arena_alloc(&s->workspace.arena, r->bytes, NULL)) != 0) {
        memcpy(s->workspace.segment.base + offset, r->data, r->bytes);
    } else {
        char text[64];
        snprintf(text, sizeof text, "no memory for the result of %llu bytes", (unsigned long long)r->bytes);
        struct ppi_result none = {.status = PP_ERR_NOMEM, .data = text, .bytes = strlen(text)};
        t->status = PP_ERR_NOMEM;
        t->small = 0;
        set_failure(s, t, &none);
        return;
    }
    t->flags |= PPI_TASK_BLOCK;
    t->u.result.value.offset = offset;
    t->u.result.value.bytes = r->bytes;
}

/* The end of a task, callbacks included: tells whoever waits. */
void ppi_server_tell(struct pp_server *s, struct ppi_task *t, uint32_t index)
{
    struct ppi_task_extra *extra = ppi_task_extra_of(&s->store, t);
    if (!extra || !extra->told) {
        if ((t->flags & (PPI_TASK_HELD | PPI_TASK_MAPPED)) == PPI_TASK_HELD)
            ppi_groups_list(&s->groups, t, index);
        else
            ppi_groups_ended(&s->groups, t->group);
        if (extra) ppi_watchers_tell(extra, t->status, 0);
    }
    if (s->waiting > s->driving) s->wake_waiters = 1;
    if (!(t->flags & PPI_TASK_HELD)) ppi_server_dispose(s, t, index);
}

/* It has just become FINISHED. */
static void count(struct pp_server *s, struct ppi_task *t, uint32_t index)
{
    s->unfinished--;
    if (s->shares.barriers) ppi_shares_task_finished(s, t->number);
    if (t->status == PP_OK)
        s->done++;
    else if (t->status == PP_ERR_CANCELLED)
        s->cancelled++;
    else
        s->failed++;
    struct ppi_task_extra *extra = ppi_task_extra_of(&s->store, t);
    if (extra && extra->callbacks) {
        ppi_groups_calls(&s->groups, t->group);
        ppi_watchers_tell(extra, t->status, 1); /* waits on the callback thread do not wait for callbacks */
        if (s->waiting > s->driving) s->wake_waiters = 1;
        ppi_callbacks_due(s, index);
        return;
    }
    ppi_server_tell(s, t, index);
}

/* The outcome is stored and its output printed: the task has finished. */
static void complete(struct pp_server *s, struct ppi_task *t, uint32_t index)
{
    if (!ppi_task_apply(t, PPI_EVENT_FINISH)) return;
    count(s, t, index);
}

static void complete_later(struct pp_server *s, struct ppi_task *t, uint32_t index)
{
    if (s->deferred_count == s->deferred_room) {
        size_t room = s->deferred_room ? 2 * s->deferred_room : 64;
        uint32_t *grown = realloc(s->deferred, room * sizeof *grown);
        if (!grown) {
            complete(s, t, index); /* its output comes a little late */
            return;
        }
        s->deferred = grown;
        s->deferred_room = room;
    }
    s->deferred[s->deferred_count++] = index;
    t->stored = 1;
}

void ppi_server_complete_deferred(struct pp_server *s)
{
    for (size_t i = 0; i < s->deferred_count; i++) complete(s, ppi_store_at(&s->store, s->deferred[i]), s->deferred[i]);
    s->deferred_count = 0;
}

static void store(struct pp_server *s, struct ppi_task *t, struct ppi_result *r)
{
    free_args(s, t);
    if (t->state == PPI_TASK_CANCELLING && r->status != PP_ERR_CANCELLED) {
        r->status = PP_ERR_CANCELLED; /* it ended otherwise, but too late */
        r->bytes = 0;
    }
    t->status = (int16_t)r->status; /* all codes fit */
    if (!(t->flags & PPI_TASK_LINKED)) t->pid = (uint32_t)r->pid;
    ppi_task_set_times(t, s->opened_ns, r->started_ns, r->finished_ns);
    if (r->status != PP_OK) {
        ppi_task_set_worker(t, r->worker, 0);
        set_failure(s, t, r);
    } else if (r->bytes <= PPI_TASK_INLINE_RESULT) {
        ppi_task_set_worker(t, r->worker, (unsigned)r->bytes);
        if (r->bytes) memcpy(t->u.result.value.in, r->data, r->bytes);
    } else {
        ppi_task_set_worker(t, r->worker, PPI_TASK_NOT_INLINE);
        set_large_value(s, t, r);
    }
}

void ppi_server_end(struct pp_server *s, uint32_t index, int status, const char *why)
{
    struct ppi_task *t = ppi_store_at(&s->store, index);
    struct ppi_result r = {.status = status, .worker = -1, .data = why, .bytes = strlen(why)};
    r.started_ns = r.finished_ns = ppi_now_ns();
    if (t->state != PPI_TASK_QUEUED) {
        ppi_server_outcome(s, t->agent, ppi_task_id_of(t, index), t->attempts, &r);
        return;
    }
    ppi_scheduler_forget(&s->scheduler);
    ppi_task_apply(t, PPI_EVENT_CANCEL);
    store(s, t, &r);
    count(s, t, index);
}

int ppi_server_requeue(struct pp_server *s, uint32_t index)
{
    struct ppi_task *t = ppi_store_at(&s->store, index);
    if (ppi_scheduler_push(&s->scheduler, index, ppi_task_priority(&s->store, t), 1) != PP_OK) return 0;
    /* Where a try before has failed, if one has. */
    const struct ppi_task_extra *extra = ppi_task_extra_of(&s->store, t);
    int slot, rank = -1;
    if (extra && extra->worker != PPI_TASK_NO_WORKER) rank = ppi_ranks_find_worker(s, (int)extra->worker, &slot);
    if (rank >= 0) t->agent = (uint16_t)rank;
    ppi_task_apply(t, PPI_EVENT_REQUEUE);
    t->attempts--;
    return 1;
}

/* A rank that can have no workers any more gives back what never began there: others get it, at no charge. The last
 * rank with workers keeps its tasks and fails them. */
static int give_to_others(struct pp_server *s, int rank, uint32_t index, struct ppi_task *t, const struct ppi_result *r)
{
    struct ppi_scheduler *scheduler = &s->scheduler;
    if (r->worker >= 0 || (r->status != PP_ERR_LOST && r->status != PP_ERR_SYSTEM) || t->state != PPI_TASK_ASSIGNED) return 0;
    if (scheduler->workers <= scheduler->agents[rank].workers) return 0;
    if (!ppi_server_requeue(s, index)) return 0;
    if (scheduler->agents[rank].workers) {
        ppi_log(PP_LOG_WARNING, "rank %d on %s gets no more tasks: %.*s", rank, s->ranks[rank].host, (int)r->bytes,
                (const char *)r->data);
        ppi_scheduler_set_workers(scheduler, rank, 0);
        s->ranks[rank].workers = 0;
        s->ranks[rank].barren = 1;
    }
    return 1;
}

static int tries_of(const struct pp_server *s, const struct ppi_task *t)
{
    const struct ppi_task_extra *extra = ppi_task_extra_of(&s->store, t);
    return extra ? extra->retries + extra->losses : s->options.retries;
}

void ppi_server_outcome(struct pp_server *s, int rank, uint64_t id, uint16_t attempt, struct ppi_result *r)
{
    uint32_t index;
    struct ppi_task *t = ppi_store_find(&s->store, id, &index);
    /* A late word about a task that was given up, or to another: dropped. */
    if (!t || t->agent != rank || t->attempts != attempt || t->stored ||
        (t->state != PPI_TASK_ASSIGNED && t->state != PPI_TASK_RUNNING && t->state != PPI_TASK_CANCELLING))
        return;
    uint64_t took = r->finished_ns - r->started_ns;
    ppi_scheduler_finished(&s->scheduler, rank, rank == 0 ? 0 : took); /* our own agent has measured it */
    s->assigned--;
    s->ranks[rank].last_result_ns = s->now_ns;
    if (give_to_others(s, rank, index, t, r)) return;
    if (r->worker >= 0) s->ranks[rank].jobs++; /* otherwise it never began */
    s->ranks[rank].job_time_ns += took;
    /* Not what never began, as after an initializer that crashes. */
    int again = (r->status == PP_ERR_CRASHED || r->status == PP_ERR_TIMEOUT) && r->worker >= 0 &&
                t->state != PPI_TASK_CANCELLING && t->attempts <= tries_of(s, t);
    if (again && ppi_scheduler_push(&s->scheduler, index, ppi_task_priority(&s->store, t), 1) == PP_OK) {
        struct ppi_task_extra *extra = ppi_server_extra(s, t);
        ppi_task_apply(t, PPI_EVENT_REQUEUE);
        if (extra) extra->worker = (uint32_t)r->worker & PPI_TASK_NO_WORKER; /* without memory it may run there again */
        s->retried++;
        ppi_log(PP_LOG_INFO, "task %llu: %.*s; trying again", (unsigned long long)t->number, (int)r->bytes,
                (const char *)r->data);
        return;
    }
    if (r->status == PP_OK) s->bytes_out += r->bytes;
    store(s, t, r);
    /* What it printed comes first; and so that futures finish in order, nothing overtakes it. */
    if (s->output[0].bytes || s->output[1].bytes || s->deferred_count)
        complete_later(s, t, index);
    else
        complete(s, t, index);
}

void ppi_server_started(struct pp_server *s, int rank, const struct ppi_wire_started *w, uint64_t now_ns)
{
    uint32_t index;
    struct ppi_task *t = ppi_store_find(&s->store, w->id, &index);
    if (!t || t->agent != rank || t->attempts != w->attempt || t->stored) return; /* late */
    struct ppi_task_extra *extra = ppi_server_extra(s, t);
    if (!extra || !ppi_task_apply(t, PPI_EVENT_START)) return;
    extra->started_ns = now_ns - (w->age_ns < now_ns ? w->age_ns : 0);
    extra->pid = (long)w->pid;
    extra->worker = (uint32_t)w->worker & PPI_TASK_NO_WORKER;
}

void ppi_server_output(void *ctx, int stream, const char *text, size_t bytes)
{
    struct pp_server *s = ctx;
    struct ppi_text *o = &s->output[stream];
    if (bytes == 0) return;
    if (o->room - o->bytes < bytes) {
        size_t room = 2 * (o->bytes + bytes) + 4096;
        char *grown = realloc(o->text, room);
        if (!grown) return;
        o->text = grown;
        o->room = room;
    }
    memcpy(o->text + o->bytes, text, bytes);
    o->bytes += bytes;
}

void ppi_server_job_finished(void *ctx, const struct ppi_job *job, struct ppi_result *result)
{
    ppi_server_outcome(ctx, 0, job->id, job->attempt, result);
}
