#include "agent/serve.h"
#include "agent/share.h"

#include "base/clock.h"
#include "base/futex.h"
#include "base/log.h"
#include "base/status.h"
#include "channel/peer_bell.h"
#include "function/function.h"
#include "wire/wire.h"

#include <poll.h>
#include <ppmpi_binding.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPIN_NS 50000ull
#define RELAX 16
#define NAP_FIRST_NS 20000ull    /* naps while the server cannot ring, or MPI moves something: */
#define NAP_BUSY_NS 50000ull
#define NAP_MOST_NS 1000000ull   /* … doubled up to this; */
#define NAP_RUNG_NS 10000000ull  /* … and when it can ring, in case a ring was lost */
#define SEND_FROM ((size_t)32 << 10) /* bytes that do not wait for company */
#define COMPANY_NS 20000ull
#define LOOK_NS 20000000ull /* between two looks whether the server lives */
#define TELL_NS 1000000ull /* the server is told of jobs that run for longer */

struct serving {
    struct ppi_transport *transport;
    struct ppi_workspace *workspace;
    struct ppi_pool *pool;
    const struct ppi_topology *topology;
    struct ppi_agent agent;
    struct ppi_shared_store shared;
    int welcomed, open, stopping, status, at_once, server_lost;
    int idle; /* there was a moment without a job since the last one */
    struct ppi_doorbell *server_bell;
    int server_pidfd;                   /* on the server's node, to see its end; -1 = none */
    uint64_t beat_ns, silence_ns;       /* how often to say something; how long the server may be silent, 0 = for ever */
    uint64_t spoke_ns, heard_ns, looked_ns;
    struct ppi_wire_writer out;
    uint64_t out_since_ns; /* when the first of it was put there */
    struct ppi_loan_stream *loans; /* to be streamed after the message */
    struct ppi_loan_stream **loans_end;
};

/* ---- results go out */

struct ppi_loan_stream {
    struct serving *s;
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
static int stream_result(struct serving *s, struct ppi_result *r)
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

static void send_message(struct serving *s)
{
    struct ppi_wire_writer out = s->out;
    memset(&s->out, 0, sizeof s->out);
    s->transport->ops->send(s->transport, 0, out.message, out.bytes);
    s->spoke_ns = ppi_now_ns();
    if (s->server_bell) ppi_doorbell_ring(s->server_bell);
}

/* Into the message that is being filled, however full it is. */
static void put(struct serving *s, enum ppi_wire_kind kind, unsigned flags, const void *fixed, const void *data, size_t bytes)
{
    if (ppi_wire_put(&s->out, kind, flags, fixed, data, bytes) != PP_OK)
        ppi_log(PP_LOG_ERROR, "%s was not sent: %s", ppi_wire_name(kind), pp_last_error());
}

static void post(struct serving *s, enum ppi_wire_kind kind, unsigned flags, const void *fixed, const void *data, size_t bytes)
{
    put(s, kind, flags, fixed, data, bytes);
    if (s->out.bytes >= PPI_WIRE_MESSAGE_MAX) send_message(s);
}

static void on_finished(void *ctx, const struct ppi_job *job, struct ppi_result *r)
{
    struct serving *s = ctx;
    uint64_t now = ppi_now_ns();
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
        post(s, PPI_WIRE_RESULT, 0, &w, r->data, r->bytes);
    } else if (stream_result(s, r)) {
        post(s, PPI_WIRE_RESULT, PPI_WIRE_STREAMED, &w, NULL, 0);
    } else {
        snprintf(no_memory, sizeof no_memory, "no memory to send the result of %llu bytes", (unsigned long long)r->bytes);
        w.status = PP_ERR_NOMEM;
        w.bytes = strlen(no_memory);
        post(s, PPI_WIRE_RESULT, 0, &w, no_memory, w.bytes);
    }
    if (job->flags & PPI_JOB_BLOCK) ppi_arena_free(&s->workspace->arena, job->args.offset, job->bytes);
}

static void on_running(void *ctx, const struct ppi_running *running)
{
    struct ppi_wire_started w = {.id = running->id,
                                 .age_ns = ppi_now_ns() - running->started_ns,
                                 .pid = running->pid,
                                 .worker = running->worker,
                                 .attempt = running->attempt};
    post(ctx, PPI_WIRE_STARTED, 0, &w, NULL, 0);
}

static void on_output(void *ctx, int stream, const char *text, size_t bytes)
{
    struct serving *s = ctx;
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

static void flush(struct serving *s)
{
    if (s->out.bytes) send_message(s);
    while (s->loans) {
        struct ppi_loan_stream *next = s->loans->next;
        s->transport->ops->stream(s->transport, 0, 1, (void *)s->loans->data, s->loans->bytes, loan_sent, s->loans);
        s->loans = next;
    }
    s->loans_end = &s->loans;
}

/* ---- jobs come in */

struct args_stream { /* arguments that are too large for a message */
    struct serving *s;
    struct ppi_job job;
};

static void refuse(struct serving *s, const struct ppi_job *job, const char *why)
{
    struct ppi_result r = {.status = PP_ERR_NOMEM, .worker = -1, .data = why, .bytes = strlen(why)};
    struct ppi_job without = *job;
    without.flags = 0; /* there is no block */
    on_finished(s, &without, &r);
}

static void refuse_args(struct serving *s, const struct ppi_job *job)
{
    char why[100];
    snprintf(why, sizeof why, "no memory for arguments of %llu bytes on the node of the worker", (unsigned long long)job->bytes);
    refuse(s, job, why);
}

static void add(struct serving *s, const struct ppi_job *job)
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

static void on_task(struct serving *s, const struct ppi_wire_record *record)
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

static void on_function(struct serving *s, const struct ppi_wire_record *record)
{
    const struct ppi_wire_function *w = &record->as.FUNCTION;
    struct ppi_function_ref ref = {.build_id_bytes = w->build_id_bytes, .executable = w->executable, .offset = w->offset};
    memcpy(ref.build_id, w->build_id, sizeof ref.build_id);
    size_t n = record->bytes < sizeof ref.module ? record->bytes : sizeof ref.module - 1;
    memcpy(ref.module, record->data, n);
    ppi_agent_define(s->workspace, w->index, &ref);
}

static void on_welcome(struct serving *s, const struct ppi_wire_welcome *w)
{
    ppi_log_init(w->log_level);
    if (w->same_node) s->server_bell = ppi_bell_open((long)w->server_pid, w->bell_fd, w->bell_nonce);
    if (s->server_bell) s->server_pidfd = ppi_bell_pidfd((long)w->server_pid);
    s->beat_ns = w->beat_ns;
    s->silence_ns = w->silence_ns;
    struct ppi_agent_config config = {.workers = w->workers,
                                      .cores_per_worker = w->cores_per_worker,
                                      .first_number = w->first_number,
                                      .extra_number = w->extra_number,
                                      .extra_gap = w->extra_gap,
                                      .restart = w->restart,
                                      .bind = w->bind,
                                      .topology = s->topology};
    struct ppi_agent_events events = {on_finished, on_output, s};
    ppi_agent_join_holder(&s->shared, s->pool, w);
    int status = ppi_agent_open(&s->agent, s->workspace, s->pool, &config, &events);
    s->welcomed = 1;
    s->open = status == PP_OK;
    const char *why = s->open ? "" : pp_last_error();
    struct ppi_wire_ready ready = {status, s->open ? ppi_agent_takers(&s->agent) : 0, s->shared.is_holder, 0};
    post(s, PPI_WIRE_READY, 0, &ready, why, strlen(why));
}

static void on_returned(void *ctx, const struct ppi_job *job)
{
    struct serving *s = ctx;
    struct ppi_wire_returned w = {.id = job->id, .attempt = job->attempt};
    post(s, PPI_WIRE_RETURNED, 0, &w, NULL, 0);
    if (job->flags & PPI_JOB_BLOCK) ppi_arena_free(&s->workspace->arena, job->args.offset, job->bytes);
}

static void on_resize(struct serving *s, int workers)
{
    _Static_assert(PPI_WIRE_WORKERS_MAX == PPI_WORKERS_MAX, "what the decoder lets through fits");
    int status = s->open ? ppi_agent_resize(&s->agent, workers) : ppi_error(PP_ERR_STATE, "there are no workers to be more or fewer");
    const char *why = status == PP_OK ? "" : pp_last_error();
    struct ppi_wire_ready ready = {.status = status, .workers = s->open ? ppi_agent_workers(&s->agent) : 0};
    post(s, PPI_WIRE_READY, 0, &ready, why, strlen(why));
}

static void on_recall(struct serving *s, uint64_t count)
{
    if (s->open) ppi_agent_give_up(&s->agent, count, on_returned, s);
    struct ppi_wire_returned end = {0};
    post(s, PPI_WIRE_RETURNED, 0, &end, NULL, 0);
}

static void on_message(struct serving *s, const char *message, size_t bytes)
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
        case PPI_WIRE_CANCEL:
            if (s->open) ppi_agent_cancel(&s->agent, record.as.CANCEL.id, record.as.CANCEL.attempt);
            break;
        case PPI_WIRE_BEAT: break;
        case PPI_WIRE_RESIZE: on_resize(s, record.as.RESIZE.workers); break;
        case PPI_WIRE_RECALL: on_recall(s, record.as.RECALL.count); break;
        case PPI_WIRE_STOP:
            s->stopping = 1;
            s->status = record.as.STOP.status;
            s->at_once = record.as.STOP.at_once;
            s->transport->lost = record.as.STOP.lost;
            break;
        default: ppi_log(PP_LOG_WARNING, "the server sent a %s, which only agents send", ppi_wire_name(record.kind));
        }
    }
    if (status < 0) ppi_log(PP_LOG_ERROR, "message of the server: %s", pp_last_error());
}

static int receive_all(struct serving *s)
{
    int peer, moved = s->transport->ops->progress(s->transport);
    char *message;
    size_t bytes;
    while (s->transport->ops->receive(s->transport, &peer, &message, &bytes)) {
        s->heard_ns = ppi_now_ns();
        on_message(s, message, bytes);
        free(message);
        moved++;
    }
    return moved;
}

static int receive_meanwhile(void *ctx)
{
    return receive_all(ctx);
}

/* Where this rank is its own worker: runs a job. Nothing is sent or received meanwhile, so what is ready leaves first,
 * unless jobs are so short that it can wait for company. */
static int work(struct serving *s)
{
    const struct ppi_job *job = ppi_agent_next_job(&s->agent);
    if (!job) {
        s->idle = 1;
        return ppi_agent_work(&s->agent);
    }
    double expected_ns = s->agent.mean_ns > s->agent.last_ns ? s->agent.mean_ns : s->agent.last_ns;
    if (expected_ns <= 0 || s->idle) expected_ns = (double)TELL_NS; /* nothing is known of what comes after a pause */
    s->idle = 0;
    if (expected_ns >= (double)TELL_NS)
        on_running(s, &(struct ppi_running){.id = job->id,
                                            .started_ns = ppi_now_ns(),
                                            .attempt = job->attempt,
                                            .worker = ppi_agent_worker_number(&s->agent, 0),
                                            .pid = getpid()});
    if (expected_ns >= (double)COMPANY_NS) flush(s);
    return ppi_agent_work(&s->agent);
}

/* Says that we live when nothing else was said for a while, and looks whether the server does. */
static void keep_in_touch(struct serving *s)
{
    uint64_t now = ppi_now_ns();
    if (!s->open || now < s->looked_ns + LOOK_NS) return;
    /* A process that was stopped itself has heard nothing. */
    if (now > s->looked_ns + s->silence_ns / 2 || s->heard_ns == 0) s->heard_ns = now;
    s->looked_ns = now;
    if (now >= s->spoke_ns + s->beat_ns - s->beat_ns / 8) post(s, PPI_WIRE_BEAT, 0, &(struct ppi_wire_beat){0}, NULL, 0);
    struct pollfd end = {.fd = s->server_pidfd, .events = POLLIN};
    int ended = s->server_pidfd >= 0 && poll(&end, 1, 0) == 1;
    int silent = s->silence_ns && now > s->heard_ns + s->silence_ns;
    if (!ended && !silent) return;
    if (silent)
        ppi_log(PP_LOG_ERROR, "nothing has been heard of rank 0 for %g s: it counts as lost, and the job ends", (double)s->silence_ns / 1e9);
    s->stopping = s->at_once = s->server_lost = s->status = 1;
}

static int step(struct serving *s)
{
    int moved = receive_all(s) + ppi_agent_remove_dropped(&s->shared);
    keep_in_touch(s);
    if (s->open) {
        struct ppi_loan *loan;
        _Atomic uint32_t *wake[PPI_WORKERS_MAX];
        while ((loan = ppi_agent_dying_loan(&s->agent))) {
            ppi_loan_remove(loan);
            ppi_agent_loan_died(&s->agent, loan);
        }
        ppi_arena_purge(&s->workspace->arena);
        moved += ppi_agent_poll(&s->agent, ppi_now_ns());
        int n = ppi_agent_flush(&s->agent, wake);
        for (int i = 0; i < n; i++) ppi_futex_wake(wake[i], 1);
        if (ppi_pool_is_rank(s->pool)) moved += work(s);
        /* Also what comes late: arguments that were on their way. */
        if (s->agent.target == 0) ppi_agent_give_up(&s->agent, PPI_GIVE_UP_ALL, on_returned, s);
    }
    if (s->out.bytes == 0 && !s->loans) {
        s->out_since_ns = 0;
        return moved;
    }
    /* What finishes together returns together: a message waits while more comes in, but not for long. */
    uint64_t now = ppi_now_ns();
    if (s->out_since_ns == 0) s->out_since_ns = now;
    if (!moved || s->out.bytes >= SEND_FROM || now - s->out_since_ns >= COMPANY_NS) {
        flush(s);
        s->out_since_ns = 0;
    }
    return 1;
}

static void say_hello(struct serving *s)
{
    struct ppi_wire_hello h = {.pid = getpid(),
                               .bell_nonce = ppi_bell_nonce(s->workspace),
                               .bell_fd = s->workspace->bell_segment.fd,
                               .cores = ppi_topology_cores_in(&s->topology->online),
                               .allowed_cores = s->topology->allowed_cores,
                               .limit = s->topology->limit,
                               .quota = (int32_t)s->topology->quota,
                               .is_worker = ppi_pool_is_rank(s->pool),
                               .shared_fd = s->workspace->shared.fd};
    gethostname(h.host, sizeof h.host - 1);
    memcpy(h.allowed, &s->topology->allowed, sizeof h.allowed);
    memcpy(h.online, &s->topology->online, sizeof h.online);
    post(s, PPI_WIRE_HELLO, 0, &h, NULL, 0);
}

static void sleep_until_rung(struct serving *s, uint64_t *nap)
{
    struct ppi_doorbell *bell = s->workspace->bell;
    if (s->open) ppi_agent_tell_running(&s->agent, ppi_now_ns(), TELL_NS, on_running, s);
    if (s->out.bytes) flush(s);
    uint32_t ticket = ppi_doorbell_listen(bell, PPI_LISTENER_WAITER);
    uint64_t most = s->server_bell ? NAP_RUNG_NS : NAP_MOST_NS;
    *nap = *nap ? 2 * *nap : s->server_bell ? NAP_MOST_NS : NAP_FIRST_NS;
    if (*nap > most) *nap = most;
    if (*nap > NAP_BUSY_NS && s->transport->ops->busy(s->transport)) *nap = NAP_BUSY_NS;
    uint64_t patience = s->open ? ppi_agent_patience_ns(&s->agent, ppi_now_ns()) : PPI_FOREVER;
    /* A message or an outcome that came before we listened rang in vain. */
    if (!receive_all(s) && !(s->open && ppi_agent_has_news(&s->agent)) && patience)
        ppi_doorbell_sleep(bell, PPI_LISTENER_WAITER, ticket, *nap < patience ? *nap : patience);
    ppi_doorbell_silence(bell);
}

/* Without a doorbell, and not for long: until everything is out. */
static void settle(struct ppi_transport *transport, double seconds)
{
    uint64_t until = ppi_deadline_ns(seconds);
    while (transport->ops->busy(transport) && ppi_now_ns() < until)
        if (!transport->ops->progress(transport)) usleep(50);
}

int ppi_agent_serve(struct ppi_transport *transport, struct ppi_workspace *workspace, struct ppi_pool *pool,
                    const struct ppi_topology *topology)
{
    struct serving s = {.transport = transport, .workspace = workspace, .pool = pool, .topology = topology, .server_pidfd = -1};
    s.loans_end = &s.loans;
    ppi_shared_init(&s.shared, workspace);
    if (ppi_pool_is_rank(pool)) ppi_pool_set_meanwhile(pool, receive_meanwhile, &s);
    say_hello(&s);
    uint64_t spin_until = 0, nap = 0;
    while (!s.stopping) {
        if (step(&s)) {
            spin_until = nap = 0;
            continue;
        }
        uint64_t now = ppi_now_ns();
        if (spin_until == 0) spin_until = now + SPIN_NS;
        /* What MPI moves it moves while it is called. */
        if (now < spin_until && (!s.open || s.agent.busy < topology->limit || transport->ops->busy(transport))) {
            for (int i = 0; i < RELAX; i++) ppi_cpu_relax();
            continue;
        }
        sleep_until_rung(&s, &nap);
    }
    /* Streams read from the workers' segments: let them end first. */
    if (!s.server_lost) settle(transport, 2);
    if (s.open)
        ppi_agent_close(&s.agent, s.at_once ? 0 : 2);
    else if (!s.welcomed)
        ppi_pool_close(pool);
    if (s.server_lost) {
        transport->ops->abort(transport, 1);
        _exit(1);
    }
    post(&s, PPI_WIRE_BYE, 0, &(struct ppi_wire_bye){0, 0}, NULL, 0);
    flush(&s);
    settle(transport, 5);
    ppi_shared_fini(&s.shared);
    if (s.server_pidfd >= 0) close(s.server_pidfd);
    ppi_bell_close(s.server_bell);
    free(s.out.message);
    return s.status;
}
