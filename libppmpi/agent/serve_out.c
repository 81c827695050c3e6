/* A rank that serves: results, text and news on their way to the server. */
#include "agent/serving.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ppi_loan_stream {
    struct ppi_serving *s;
    struct ppi_loan *loan;
    const void *data;
    uint64_t bytes;
    void *copy; /* what data points to, when it is not lent */
    struct ppi_loan_stream *next;
};

static void loan_sent(void *ctx)
{
    struct ppi_loan_stream *stream = ctx;
    if (stream->loan) ppi_agent_return_loan(&stream->s->agent, stream->loan);
    free(stream->copy);
    free(stream);
}

/* A result that is too large for a message. Most are lent by the worker; one that is not is copied. */
static int stream_result(struct ppi_serving *s, struct ppi_result *r)
{
    struct ppi_loan_stream *stream = calloc(1, sizeof *stream);
    if (stream && !r->loan && !(stream->copy = malloc(r->bytes))) free(stream), stream = NULL;
    if (!stream) return 0;
    stream->s = s;
    stream->bytes = r->bytes;
    stream->data = r->data;
    stream->loan = r->loan;
    if (stream->copy) stream->data = memcpy(stream->copy, r->data, r->bytes);
    r->loan = NULL;
    *s->loans_end = stream;
    s->loans_end = &stream->next;
    return 1;
}

static void send_message(struct ppi_serving *s)
{
    struct ppi_wire_writer out = s->out;
    memset(&s->out, 0, sizeof s->out);
    s->transport->ops->send(s->transport, 0, out.message, out.bytes);
    s->spoke_ns = s->now_ns;
    s->unanswered = 1;
    if (s->server_bell) ppi_doorbell_ring_for_message(s->server_bell);
}

/* Into the message that is being filled, however full it is. */
static void put(struct ppi_serving *s, enum ppi_wire_kind kind, unsigned flags, const void *fixed, const void *data, size_t bytes)
{
    if (ppi_wire_put(&s->out, kind, flags, fixed, data, bytes) != PP_OK)
        ppi_log(PP_LOG_ERROR, "%s was not sent: %s", ppi_wire_name(kind), pp_last_error());
}

void ppi_serving_post(struct ppi_serving *s, enum ppi_wire_kind kind, unsigned flags, const void *fixed, const void *data, size_t bytes)
{
    put(s, kind, flags, fixed, data, bytes);
    if (s->out.bytes >= PPI_WIRE_MESSAGE_MAX) send_message(s);
}

void ppi_serving_finished(void *ctx, const struct ppi_job *job, struct ppi_result *r)
{
    struct ppi_serving *s = ctx;
    uint64_t now = s->now_ns;
    struct ppi_wire_result w = {.id = job->id,
                                .bytes = r->bytes,
                                .duration_ns = r->finished_ns - r->started_ns,
                                .age_ns = now > r->finished_ns ? now - r->finished_ns : 0,
                                .pid = r->pid,
                                .status = r->status,
                                .code = r->code,
                                .signal = r->signal,
                                .worker = r->worker,
                                .attempt = job->attempt};
    char no_memory[64];
    if (r->bytes <= PPI_WIRE_INLINE_MAX) {
        ppi_serving_post(s, PPI_WIRE_RESULT, 0, &w, r->data, r->bytes);
    } else if (ppi_serving_lend(s, r, &w)) {
        /* the server reads it where it is */
    } else if (stream_result(s, r)) {
        ppi_serving_post(s, PPI_WIRE_RESULT, PPI_WIRE_STREAMED, &w, NULL, 0);
    } else {
        snprintf(no_memory, sizeof no_memory, "no memory to send the result of %llu bytes", (unsigned long long)r->bytes);
        w.status = PP_ERR_NOMEM;
        w.bytes = strlen(no_memory);
        ppi_serving_post(s, PPI_WIRE_RESULT, 0, &w, no_memory, w.bytes);
    }
    ppi_serving_free_args(s, job);
}

void ppi_serving_running(void *ctx, const struct ppi_running *running)
{
    struct ppi_wire_started w = {.id = running->id,
                                 .age_ns = ppi_now_ns() - running->started_ns,
                                 .pid = running->pid,
                                 .worker = running->worker,
                                 .attempt = running->attempt};
    ppi_serving_post(ctx, PPI_WIRE_STARTED, 0, &w, NULL, 0);
}

void ppi_serving_output(void *ctx, int stream, const char *text, size_t bytes)
{
    struct ppi_serving *s = ctx;
    for (size_t at = 0; at < bytes;) {
        size_t n = bytes - at;
        if (n > PPI_WIRE_TEXT_MAX) {
            /* Cut after a line where there is one. */
            const char *newline = memrchr(text + at, '\n', PPI_WIRE_TEXT_MAX);
            n = newline ? (size_t)(newline - (text + at)) + 1 : PPI_WIRE_TEXT_MAX;
        }
        put(s, PPI_WIRE_OUTPUT, 0, &(struct ppi_wire_output){stream, 0}, text + at, n);
        at += n;
        /* A line stays in one message: between two, others' lines may be printed. */
        if (s->out.bytes >= PPI_WIRE_MESSAGE_MAX && text[at - 1] == '\n') send_message(s);
    }
}

void ppi_serving_flush(struct ppi_serving *s)
{
    if (s->out.bytes) send_message(s);
    while (s->loans) {
        struct ppi_loan_stream *next = s->loans->next;
        s->transport->ops->stream(s->transport, 0, 1, (void *)s->loans->data, s->loans->bytes, loan_sent, s->loans);
        s->loans = next;
    }
    s->loans_end = &s->loans;
}
