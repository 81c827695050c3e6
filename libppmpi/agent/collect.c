/* Takes in what workers have finished and printed, and does not believe a word of it before it is checked. */
#include "agent/agent.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "output/collect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define LEND_FROM ((uint64_t)64 << 10) /* below, a copy is cheaper than keeping the block */
#define DRAIN_MOST ((size_t)1 << 20)
#define LOCKED_OUT_NS (2 * PPI_NS_PER_S) /* a worker that holds its output lock for so long has stopped, or a task holds it */

void ppi_collect_finish(struct ppi_agent *agent, const struct ppi_job *job, struct ppi_result *result)
{
    if (job->timeout_ns) agent->timed--;
    agent->events.finished(agent->events.ctx, job, result);
}

static int status_is_known(int status)
{
    return status <= PP_OK && status >= PP_ERR_INTERNAL;
}

/* 1 when what the outcome says of its block lies inside the worker's segment. */
static int block_is_sane(const struct ppi_slot *slot, const struct ppi_outcome *o)
{
    uint64_t text = 0, limit = slot->segment->map.bytes;
    if (o->flags & PPI_OUTCOME_OUTPUT)
        text = (uint64_t)o->result.block.output_bytes[0] + o->result.block.output_bytes[1];
    if (o->result.block.block >= PPI_CHANNEL_BLOCKS || o->bytes > limit || o->result.block.offset > limit) return 0;
    return o->result.block.offset >= sizeof(struct ppi_answers) &&
           o->result.block.offset + (o->bytes + 7) / 8 * 8 + text <= limit;
}

static void print(struct ppi_agent *agent, struct ppi_slot *slot, const struct ppi_outcome *o)
{
    const char *text = slot->segment->map.base + o->result.block.offset + (o->bytes + 7) / 8 * 8;
    for (int i = 0; i < 2; i++) {
        size_t bytes = o->result.block.output_bytes[i];
        ppi_lines_add(&slot->lines[i], text, bytes, i, agent->events.output, agent->events.ctx);
        text += bytes;
    }
}

/* A rank that is its own worker cannot be ended when the time is over: it is told afterwards. */
static void fail_late(struct ppi_agent *agent, const struct ppi_job *job, struct ppi_result *result, char *text, size_t room)
{
    if (result->loan) ppi_agent_return_loan(agent, result->loan);
    result->loan = NULL;
    result->status = PP_ERR_TIMEOUT;
    result->code = 0;
    result->bytes = (uint64_t)snprintf(text, room, "the task ran past its time-out of %g s: it took %g s",
                                       (double)job->timeout_ns / 1e9,
                                       (double)(result->finished_ns - result->started_ns) / 1e9);
    result->data = text;
}

/* Returns 0 when the outcome cannot be true. */
static int collect(struct ppi_agent *agent, int index, struct ppi_outcome *o, const struct ppi_job *job)
{
    struct ppi_slot *slot = &agent->slots[index];
    int in_block = (o->flags & PPI_OUTCOME_BLOCK) != 0;
    if (!status_is_known(o->status) || o->job != (uint32_t)job->number || (in_block ? !block_is_sane(slot, o) : o->bytes > PPI_INLINE_BYTES)) return 0;
    if (o->finished_ns < o->started_ns) o->finished_ns = o->started_ns;
    struct ppi_result result = {.status = o->status,
                                .code = o->code,
                                .worker = ppi_agent_worker_number(agent, index),
                                .pid = slot->pid,
                                .started_ns = o->started_ns,
                                .finished_ns = o->finished_ns,
                                .bytes = o->bytes,
                                .data = o->result.bytes_inline};
    if (in_block) {
        result.data = slot->segment->map.base + o->result.block.offset;
        slot->segment->returned = 0; /* it has looked */
        if (o->flags & PPI_OUTCOME_OUTPUT) print(agent, slot, o);
        /* Half of the block numbers stay with the worker, whatever the program keeps. */
        if (o->bytes >= LEND_FROM && slot->segment->loans < PPI_CHANNEL_BLOCKS / 2)
            result.loan = ppi_loan_make(slot->segment, o->result.block.offset, o->bytes, o->result.block.block);
    }
    /* A worker that has lost its reading ends leaves what was printed before in the pipes: it comes before the outcome. */
    if (o->flags & PPI_OUTCOME_LAST) ppi_collect_text(agent, index, 1);
    if (o->flags & PPI_OUTCOME_CHECKED)
        for (int i = 0; i < 2; i++)
            if (slot->lines[i].bytes) ppi_lines_end(&slot->lines[i], i, agent->events.output, agent->events.ctx);
    ppi_place_measured(agent, o->finished_ns - o->started_ns);
    struct ppi_loan *loan = result.loan;
    char late[128];
    if (ppi_pool_is_rank(agent->pool) && job->timeout_ns && o->finished_ns - o->started_ns > job->timeout_ns)
        fail_late(agent, job, &result, late, sizeof late);
    ppi_collect_finish(agent, job, &result);
    if (in_block && !loan) ppi_channel_return_block(&slot->channel, o->result.block.block);
    if (result.loan) ppi_agent_return_loan(agent, result.loan); /* nobody took it */
    return 1;
}

/* What became of its job is told when the worker's end is reported. */
void ppi_collect_distrust(struct ppi_agent *agent, int index)
{
    struct ppi_slot *slot = &agent->slots[index];
    if (slot->distrusted) return;
    slot->distrusted = 1;
    if (ppi_pool_is_rank(agent->pool)) {
        ppi_log(PP_LOG_ERROR, "a task wrote over the library's memory: the rank ends");
        abort(); /* as it would have crashed in any other program */
    }
    ppi_slot_kill(agent, index, PP_ERR_CRASHED, NULL);
}

int ppi_collect_outcomes(struct ppi_agent *agent, int index)
{
    struct ppi_slot *slot = &agent->slots[index];
    struct ppi_outcome outcome;
    const struct ppi_job *job;
    int finished = 0, got = 0;
    if (slot->distrusted) return 0;
    if (!agent->unbound && atomic_load_explicit(&slot->channel.answers->unbound, memory_order_relaxed)) {
        agent->unbound = 1;
        ppi_log(PP_LOG_WARNING, "workers cannot be bound to their cores here; they run unbound");
    }
    while ((got = ppi_channel_take(&slot->channel, &outcome, &job)) > 0) {
        if (!collect(agent, index, &outcome, job)) {
            slot->channel.taken--;
            got = -1;
            break;
        }
        finished++;
        if (slot->jobs_done++ == 0) ppi_aside_settle(agent, index);
        agent->load--;
        slot->failures = 0;
    }
    if (got < 0) ppi_collect_distrust(agent, index);
    if (finished) slot->progress_ns = agent->polled_ns;
    if (finished && ppi_channel_load(&slot->channel) == 0) {
        agent->busy--;
        if (agent->config.restart && slot->jobs_done >= (uint64_t)agent->config.restart)
            atomic_store(&slot->channel.requests->stop, 1), ppi_channel_wake(&slot->channel);
        else
            ppi_place_became_idle(agent, index);
    }
    return finished;
}

static void read_pipes(struct ppi_agent *agent, const struct ppi_slot *slot, size_t most)
{
    for (int i = 0; i < 2; i++)
        ppi_output_drain(slot->read_fd[i], &agent->drained[i].text, &agent->drained[i].bytes, &agent->drained[i].room, most);
}

/* Reads what a running task has printed, unless its worker is about to. */
static void read_running(struct ppi_agent *agent, struct ppi_slot *slot)
{
    struct ppi_channel *channel = &slot->channel;
    _Atomic uint32_t *lock = &channel->answers->output_lock, *readings = &channel->requests->readings;
    int had = ppi_output_try_lock(lock, readings), may = had;
    if (had) {
        slot->locked_out_ns = 0;
    } else {
        /* A task that has written over the lock, and runs on, may fill its pipe: somebody has to read it. At worst a worker
         * that was stopped for so long sends the rest of the text that it was about to. */
        uint64_t now = ppi_now_ns();
        if (!slot->locked_out_ns) slot->locked_out_ns = now;
        may = now >= slot->locked_out_ns + LOCKED_OUT_NS;
    }
    /* When a task has ended since we looked, its text comes first. */
    if (may && !ppi_channel_has_outcome(channel)) read_pipes(agent, slot, DRAIN_MOST);
    ppi_output_let_go(lock, readings, had);
}

size_t ppi_collect_text(struct ppi_agent *agent, int index, int end_line)
{
    struct ppi_slot *slot = &agent->slots[index];
    if (!slot->segment || slot->read_fd[0] < 0) return 0;
    if (!end_line && ppi_channel_load(&slot->channel) == 0) return 0;
    agent->drained[0].bytes = agent->drained[1].bytes = 0;
    if (end_line)
        read_pipes(agent, slot, SIZE_MAX); /* after the worker's end the lock may be held by the dead */
    else
        read_running(agent, slot);
    size_t bytes = agent->drained[0].bytes + agent->drained[1].bytes;
    for (int i = 0; i < 2; i++) {
        ppi_lines_add(&slot->lines[i], agent->drained[i].text, agent->drained[i].bytes, i, agent->events.output, agent->events.ctx);
        if (end_line) ppi_lines_end(&slot->lines[i], i, agent->events.output, agent->events.ctx);
        if (agent->drained[i].room > DRAIN_MOST) {
            free(agent->drained[i].text);
            memset(&agent->drained[i], 0, sizeof agent->drained[i]);
        }
    }
    return bytes;
}
