/* A rank that serves: what the server says. */
#include "agent/serving.h"
#include "agent/share.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/policy.h"
#include "base/status.h"
#include "channel/peer_bell.h"
#include "function/function.h"

#include <ppmpi_binding.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct args_stream { /* arguments that are too large for a message */
    struct ppi_serving *s;
    struct ppi_job job;
};

static void refuse(struct ppi_serving *s, const struct ppi_job *job, const char *why)
{
    struct ppi_result r = {.status = PP_ERR_NOMEM, .worker = -1, .data = why, .bytes = strlen(why)};
    struct ppi_job without = *job;
    without.flags = 0; /* there is no block */
    ppi_serving_finished(s, &without, &r);
}

static void refuse_args(struct ppi_serving *s, const struct ppi_job *job)
{
    char why[100];
    snprintf(why, sizeof why, "no memory for arguments of %llu bytes on the node of the worker", (unsigned long long)job->bytes);
    refuse(s, job, why);
}

static void add(struct ppi_serving *s, const struct ppi_job *job)
{
    struct ppi_job *slot = job->avoid ? ppi_agent_add_retry(&s->agent, job->avoid) : ppi_agent_add(&s->agent);
    if (!slot) {
        refuse(s, job, "no memory to hand the task to a worker");
        return;
    }
    *slot = *job;
    ppi_agent_added(&s->agent, slot);
}

static void args_arrived(void *ctx)
{
    struct args_stream *in = ctx;
    if (in->job.args.offset) {
        in->s->workspace->board->promised -= in->job.bytes;
        add(in->s, &in->job);
    } else {
        refuse_args(in->s, &in->job);
    }
    free(in);
}

static void add_in_place(struct ppi_serving *s, struct ppi_job *job, const void *data)
{
    struct ppi_wire_place place;
    memcpy(&place, data, sizeof place);
    if (ppi_peer_has(&s->workspace->server, place.offset, job->bytes)) {
        job->args.offset = place.offset | PPI_JOB_AT_SERVER;
        add(s, job);
    } else {
        refuse(s, job, "the task's arguments are not in the server's memory");
    }
}

static void on_task(struct ppi_serving *s, const struct ppi_wire_record *record)
{
    const struct ppi_wire_task *w = &record->as.TASK;
    struct ppi_job job = {.id = w->id,
                          .number = w->number,
                          .timeout_ns = w->timeout_ns,
                          .bytes = w->bytes,
                          .function = w->function,
                          .attempt = w->attempt,
                          .avoid = w->avoid,
                          .tag = w->tag & PP_BINDING_TAG_MAX};
    if (w->bytes <= PPI_INLINE_BYTES) {
        if (w->bytes) memcpy(job.args.bytes_inline, record->data, w->bytes);
        add(s, &job);
        return;
    }
    job.flags = PPI_JOB_BLOCK;
    if (record->flags & PPI_WIRE_IN_PLACE) {
        add_in_place(s, &job, record->data);
        return;
    }
    job.args.offset = ppi_arena_alloc(&s->workspace->arena, w->bytes, NULL);
    char *to = job.args.offset ? s->workspace->segment.base + job.args.offset : NULL;
    if (record->flags & PPI_WIRE_STREAMED) {
        struct args_stream *in = aligned_alloc(64, sizeof *in);
        if (!in) abort(); /* what follows on the stream could not be told apart any more */
        *in = (struct args_stream){s, job};
        if (to) s->workspace->board->promised += w->bytes;
        s->transport->ops->stream(s->transport, 0, 0, to, w->bytes, args_arrived, in);
    } else if (to) {
        memcpy(to, record->data, w->bytes);
        add(s, &job);
    } else {
        refuse_args(s, &job);
    }
}

static void on_function(struct ppi_serving *s, const struct ppi_wire_record *record)
{
    const struct ppi_wire_function *w = &record->as.FUNCTION;
    struct ppi_function_ref ref = {.build_id_bytes = w->build_id_bytes, .executable = w->executable, .travels = w->module,
                                   .need_count = w->need_count, .offset = w->offset};
    _Static_assert(sizeof ref.needs == sizeof w->needs, "what the decoder lets through fits");
    memcpy(ref.needs, w->needs, sizeof ref.needs);
    memcpy(ref.build_id, w->build_id, sizeof ref.build_id);
    size_t n = record->bytes < sizeof ref.module ? record->bytes : sizeof ref.module - 1;
    memcpy(ref.module, record->data, n);
    ppi_agent_define(s->workspace, w->index, &ref);
}

static void on_welcome(struct ppi_serving *s, const struct ppi_wire_welcome *w)
{
    ppi_log_init(w->log_level);
    if (w->same_node) s->server_bell = ppi_bell_open((long)w->server_pid, w->bell_fd, w->bell_nonce);
    if (s->server_bell) s->server_pidfd = ppi_bell_pidfd((long)w->server_pid);
    s->beat_ns = w->beat_ns;
    s->silence_ns = w->silence_ns;
    s->hold_ns = (uint64_t)w->hold_us * 1000;
    struct ppi_agent_config config = {.workers = w->workers,
                                      .cores_per_worker = w->cores_per_worker,
                                      .first_number = w->first_number,
                                      .extra_number = w->extra_number,
                                      .extra_gap = w->extra_gap,
                                      .restart = w->restart,
                                      .bind = w->bind,
                                      .spin_below = w->spin_below,
                                      .open_segments = w->same_node,
                                      .topology = s->topology};
    struct ppi_agent_events events = {ppi_serving_finished, ppi_serving_output, s, ppi_serving_gone};
    int reads_arguments = ppi_serving_read_arguments(s, w);
    s->lends = w->same_node;
    ppi_agent_join_holder(&s->shared, s->pool, w);
    int status = ppi_agent_open(&s->agent, s->workspace, s->pool, &config, &events);
    s->welcomed = 1;
    s->open = status == PP_OK;
    const char *why = s->open ? "" : pp_last_error();
    struct ppi_wire_ready ready = {status, s->open ? ppi_agent_takers(&s->agent) : 0, s->shared.is_holder, reads_arguments};
    ppi_serving_post(s, PPI_WIRE_READY, 0, &ready, why, strlen(why));
}

void ppi_serving_returned(void *ctx, const struct ppi_job *job)
{
    struct ppi_serving *s = ctx;
    struct ppi_wire_returned w = {.id = job->id, .attempt = job->attempt};
    ppi_serving_post(s, PPI_WIRE_RETURNED, 0, &w, NULL, 0);
    ppi_serving_free_args(s, job);
}

static void on_resize(struct ppi_serving *s, int workers)
{
    _Static_assert(PPI_WIRE_WORKERS_MAX == PPI_WORKERS_MAX, "what the decoder lets through fits");
    int status = s->open ? ppi_agent_resize(&s->agent, workers) : ppi_error(PP_ERR_STATE, "there are no workers to be more or fewer");
    const char *why = status == PP_OK ? "" : pp_last_error();
    struct ppi_wire_ready ready = {.status = status, .workers = s->open ? ppi_agent_workers(&s->agent) : 0};
    ppi_serving_post(s, PPI_WIRE_READY, 0, &ready, why, strlen(why));
}

static void on_recall(struct ppi_serving *s, uint64_t count)
{
    if (s->open) ppi_agent_give_up(&s->agent, count, ppi_serving_returned, s);
    struct ppi_wire_returned end = {0};
    ppi_serving_post(s, PPI_WIRE_RETURNED, 0, &end, NULL, 0);
}

static void on_message(struct ppi_serving *s, const char *message, size_t bytes)
{
    struct ppi_wire_reader reader;
    struct ppi_wire_record record;
    int status = ppi_wire_open(&reader, message, bytes);
    while (status >= 0 && (status = ppi_wire_next(&reader, &record)) > 0) {
        switch (record.kind) {
        case PPI_WIRE_WELCOME:
            if (!s->welcomed) on_welcome(s, &record.as.WELCOME);
            break;
        case PPI_WIRE_FUNCTION: on_function(s, &record); break;
        case PPI_WIRE_INIT:
            ppi_agent_set_initializer(s->workspace, record.as.INIT.function, record.data, record.bytes, record.as.INIT.timeout_ns);
            break;
        case PPI_WIRE_TASK:
            if (s->open) on_task(s, &record);
            break;
        case PPI_WIRE_SHARE: ppi_agent_on_share(&s->shared, s->transport, &record); break;
        case PPI_WIRE_UNSHARE: ppi_agent_on_unshare(&s->shared, &record.as.UNSHARE); break;
        case PPI_WIRE_DROP: ppi_agent_on_drop(&s->shared, &record.as.DROP); break;
        case PPI_WIRE_MODULE: ppi_serving_on_module(s, &record); break;
        case PPI_WIRE_IMAGE: ppi_serving_on_image(s, &record); break;
        case PPI_WIRE_CANCEL:
            if (s->open) ppi_agent_cancel(&s->agent, record.as.CANCEL.id, record.as.CANCEL.attempt);
            break;
        case PPI_WIRE_BEAT: break;
        case PPI_WIRE_RESIZE: on_resize(s, record.as.RESIZE.workers); break;
        case PPI_WIRE_RECALL: on_recall(s, record.as.RECALL.count); break;
        case PPI_WIRE_MAPPED: ppi_serving_mapped(s, &record.as.MAPPED); break;
        case PPI_WIRE_GIVE_BACK: ppi_serving_given_back(s, record.as.GIVE_BACK.loan); break;
        case PPI_WIRE_STOP:
            s->stopping = 1;
            s->status = record.as.STOP.status;
            s->at_once = record.as.STOP.at_once;
            s->alone = record.as.STOP.alone;
            s->transport->lost = record.as.STOP.lost;
            break;
        default: ppi_log(PP_LOG_WARNING, "the server sent a %s, which only agents send", ppi_wire_name(record.kind));
        }
    }
    if (status < 0) ppi_log(PP_LOG_ERROR, "message of the server: %s", pp_last_error());
}

int ppi_serving_receive(struct ppi_serving *s)
{
    int peer, moved = s->transport->ops->progress(s->transport);
    char *message;
    size_t bytes;
    while (s->transport->ops->receive(s->transport, &peer, &message, &bytes)) {
        s->heard_ns = ppi_now_ns();
        s->unanswered = 0;
        on_message(s, message, bytes);
        free(message);
        moved++;
    }
    return moved;
}
