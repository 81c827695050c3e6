/* Hands ready tasks to agents: into a channel of our own workers, or into the message for another rank. */
#include "server/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/policy.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

static uint64_t timeout_of(const struct pp_server *s, const struct ppi_task *t)
{
    const struct ppi_task_extra *extra = ppi_task_extra_of(&s->store, t);
    return extra ? extra->timeout_ns : ppi_timeout_ns(s->options.timeout);
}

/* As in ppi_wire_task. */
static int slot_to_avoid(const struct pp_server *s, int rank, const struct ppi_task *t)
{
    int slot;
    if (t->attempts < 2) return 0;
    const struct ppi_task_extra *extra = ppi_task_extra_of(&s->store, t);
    if (!extra || extra->worker == PPI_TASK_NO_WORKER) return 0;
    return ppi_ranks_find_worker(s, (int)extra->worker, &slot) == rank ? 1 + slot : PPI_WIRE_FAILED_ELSEWHERE;
}

static void give_here(struct pp_server *s, uint32_t index, struct ppi_task *t)
{
    int avoid = slot_to_avoid(s, 0, t);
    struct ppi_job *job = avoid ? ppi_agent_add_retry(&s->agent, avoid) : ppi_agent_add(&s->agent);
    if (!job) {
        static const char text[] = "no memory to hand the task to a worker";
        struct ppi_result r = {.status = PP_ERR_NOMEM, .worker = -1, .data = text, .bytes = sizeof text - 1};
        ppi_server_outcome(s, 0, ppi_task_id_of(t, index), t->attempts, &r);
        return;
    }
    /* Nothing is read of the line, which the worker has read last: that would wait for its cache. */
    memcpy(&job->args, &t->u.args, sizeof job->args);
    job->id = ppi_task_id_of(t, index);
    job->number = t->number;
    job->timeout_ns = timeout_of(s, t);
    job->bytes = ppi_task_args_bytes(t);
    job->small = ppi_job_small(t->attempts, t->function & (PPI_FUNCTIONS_MAX - 1), t->flags & PPI_TASK_BLOCK ? PPI_JOB_BLOCK : 0,
                               (uint64_t)avoid & PPI_WIRE_FAILED_ELSEWHERE, t->tag);
    ppi_agent_added(&s->agent, job);
}

static void send_function(struct pp_server *s, int rank, uint32_t number)
{
    struct ppi_rank *r = &s->ranks[rank];
    if (ppi_bit(r->functions_sent, number)) return;
    ppi_set_bit(r->functions_sent, number);
    const struct ppi_function_ref *ref = ppi_functions_ref(s->functions, number);
    if (ref->travels) ppi_modules_announce(s, rank, ref);
    struct ppi_wire_function f = {.index = number,
                                  .executable = ref->executable,
                                  .build_id_bytes = ref->build_id_bytes,
                                  .module = ref->travels,
                                  .need_count = ref->need_count,
                                  .offset = ref->offset};
    memcpy(f.needs, ref->needs, sizeof f.needs);
    memcpy(f.build_id, ref->build_id, sizeof f.build_id);
    ppi_ranks_post(s, rank, PPI_WIRE_FUNCTION, 0, &f, ref->module, strlen(ref->module));
}

int ppi_server_set_initializer(struct pp_server *s)
{
    uint32_t number;
    if (!s->options.initializer) return PP_OK;
    int status = ppi_functions_number(s, s->options.initializer, &number);
    if (status != PP_OK) return status;
    return ppi_agent_set_initializer(&s->workspace, number, s->options.initializer_args, s->options.initializer_bytes,
                                     ppi_timeout_ns(s->options.timeout));
}

void ppi_server_send_initializer(struct pp_server *s, int rank)
{
    struct ppi_wire_init w = {.bytes = s->options.initializer_bytes,
                              .timeout_ns = ppi_timeout_ns(s->options.timeout),
                              .function = s->workspace.board->initializer.function};
    send_function(s, rank, w.function);
    ppi_ranks_post(s, rank, PPI_WIRE_INIT, 0, &w, s->options.initializer_args, s->options.initializer_bytes);
}

static void give_there(struct pp_server *s, int rank, uint32_t index, struct ppi_task *t)
{
    send_function(s, rank, t->function);
    if (s->scheduler.agents[rank].given <= (uint64_t)s->ranks[rank].workers) s->outbox_urgent = 1; /* for an idle worker */
    uint64_t bytes = ppi_task_args_bytes(t);
    struct ppi_wire_task w = {.id = ppi_task_id_of(t, index),
                              .number = t->number,
                              .timeout_ns = timeout_of(s, t),
                              .bytes = bytes,
                              .tag = t->tag,
                              .function = t->function,
                              .attempt = t->attempts,
                              .avoid = (uint16_t)slot_to_avoid(s, rank, t)};
    char *args = t->flags & PPI_TASK_BLOCK ? s->workspace.segment.base + t->u.args.offset : (char *)t->u.args.in;
    if (bytes <= PPI_WIRE_INLINE_MAX) {
        ppi_ranks_post(s, rank, PPI_WIRE_TASK, 0, &w, args, bytes);
        return;
    }
    if (s->ranks[rank].reads_arguments) {
        struct ppi_wire_place place = {.offset = t->u.args.offset};
        ppi_ranks_post(s, rank, PPI_WIRE_TASK, PPI_WIRE_IN_PLACE, &w, &place, sizeof place);
        return;
    }
    struct ppi_outgoing_stream *stream = calloc(1, sizeof *stream);
    struct ppi_task_extra *extra = ppi_server_extra(s, t);
    if (!stream || !extra) {
        static const char text[] = "no memory to send the task's arguments";
        struct ppi_result r = {.status = PP_ERR_NOMEM, .worker = -1, .data = text, .bytes = sizeof text - 1};
        free(stream);
        ppi_server_outcome(s, rank, w.id, t->attempts, &r);
        return;
    }
    *stream = (struct ppi_outgoing_stream){.server = s, .peer = rank, .id = w.id, .offset = t->u.args.offset, .bytes = bytes};
    if (s->filling.bytes && s->filling.index == index) {
        stream->grows = 1;
        s->filling.stream = stream;
    }
    extra->stream = stream;
    ppi_server_begin_stream(s, stream);
    ppi_ranks_post(s, rank, PPI_WIRE_TASK, PPI_WIRE_STREAMED, &w, NULL, 0);
}

void ppi_server_assign(struct pp_server *s, struct ppi_task *t, uint32_t index, int rank)
{
    ppi_task_apply(t, PPI_EVENT_ASSIGN);
    t->agent = (uint16_t)rank;
    t->attempts++;
    s->assigned++;
    if (ppi_log_enabled(PP_LOG_DEBUG))
        ppi_log(PP_LOG_DEBUG, "task %llu, try %d: to rank %d, which has %llu", (unsigned long long)t->number, t->attempts, rank,
                (unsigned long long)s->scheduler.agents[rank].given);
    if (rank == 0) {
        if (s->scheduler.agents[0].given == 1) s->ranks[0].last_result_ns = s->now_ns; /* it gets on from now */
        give_here(s, index, t);
    } else {
        give_there(s, rank, index, t);
    }
}

static void tell_scheduler(struct pp_server *s)
{
    struct ppi_scheduler *scheduler = &s->scheduler;
    scheduler->own_gets_on = scheduler->agents[0].given == 0 || s->now_ns < s->ranks[0].last_result_ns + PPI_HELD_UP_NS;
    scheduler->own_enough = ppi_agent_enough(&s->agent);
}

int ppi_server_direct(struct pp_server *s)
{
    tell_scheduler(s);
    return ppi_scheduler_direct(&s->scheduler);
}

void ppi_server_dispatch(struct pp_server *s)
{
    uint32_t index;
    int rank;
    struct ppi_scheduler *scheduler = &s->scheduler;
    if (scheduler->ready == 0) return;
    tell_scheduler(s);
    while (ppi_scheduler_next(scheduler, &index, &rank)) {
        if (s->filling.bytes && s->filling.index == index) ppi_fill_rest(s); /* its first rank is lost */
        ppi_server_assign(s, ppi_store_at(&s->store, index), index, rank);
    }
}

int ppi_server_find_running(struct pp_server *s, const struct ppi_task *t, uint32_t index, int *worker, long *pid,
                            uint64_t *started_ns)
{
    if (t->agent != 0) {
        const struct ppi_task_extra *extra = ppi_task_extra_of(&s->store, t);
        if (t->state != PPI_TASK_RUNNING || !extra) return 0;
        *worker = (int)extra->worker;
        *pid = extra->pid;
        *started_ns = extra->started_ns;
        return 1;
    }
    int number = ppi_agent_find_running(&s->agent, ppi_task_id_of(t, index), pid, started_ns);
    if (number < 0) return 0;
    *worker = number;
    return 1;
}
