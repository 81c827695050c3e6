/* Takes jobs out of the agent: one that is cancelled, wherever it is; some that have not begun, for another agent. */
#include "agent/agent.h"

#include "base/clock.h"
#include "base/status.h"

static int is_it(const struct ppi_job *job, uint64_t id, uint16_t attempt)
{
    return job && job->id == id && job->attempt == attempt;
}

static void end_cancelled(struct ppi_agent *agent, const struct ppi_job *job)
{
    struct ppi_result result = {.status = PP_ERR_CANCELLED, .worker = -1};
    result.started_ns = result.finished_ns = ppi_now_ns();
    ppi_collect_finish(agent, job, &result);
}

/* Takes the job out of what waits for a worker. */
static int cancel_pending(struct ppi_agent *agent, uint64_t id, uint16_t attempt)
{
    for (size_t i = 0; i < agent->pending.count; i++) {
        struct ppi_job *at = &agent->pending.jobs[(agent->pending.first + i) % agent->pending.room];
        if (!is_it(at, id, attempt)) continue;
        const struct ppi_job job = *at;
        for (; i + 1 < agent->pending.count; i++)
            agent->pending.jobs[(agent->pending.first + i) % agent->pending.room] =
                agent->pending.jobs[(agent->pending.first + i + 1) % agent->pending.room];
        agent->pending.count--;
        end_cancelled(agent, &job);
        return 1;
    }
    for (size_t i = 0; i < agent->retries.count; i++) {
        const struct ppi_job job = agent->retries.jobs[i];
        if (!is_it(&job, id, attempt)) continue;
        ppi_retries_remove(agent, i);
        end_cancelled(agent, &job);
        return 1;
    }
    return 0;
}

static int is_in_channel(const struct ppi_channel *channel, uint64_t id, uint16_t attempt)
{
    for (uint32_t n = channel->taken; n != channel->published; n++)
        if (is_it(ppi_channel_job(channel, n), id, attempt)) return 1;
    return 0;
}

void ppi_agent_cancel(struct ppi_agent *agent, uint64_t id, uint16_t attempt)
{
    /* All that is written is published first: then a job is in a channel or pending, not between. */
    ppi_agent_publish(agent);
    if (cancel_pending(agent, id, attempt)) return;
    for (int i = 0; i < agent->slot_count; i++) {
        struct ppi_slot *slot = &agent->slots[i];
        if (!slot->segment || !is_in_channel(&slot->channel, id, attempt)) continue;
        /* It waits, or it has begun; taken back it has not. From now on the worker begins nothing, so that when all that has
         * finished is collected, what is left runs. */
        ppi_place_take_back(agent, i, UINT32_MAX);
        if (!slot->distrusted) ppi_collect_outcomes(agent, i);
        if (!cancel_pending(agent, id, attempt)) {
            const struct ppi_job *job = ppi_channel_running(&slot->channel);
            if (is_it(job, id, attempt)) ppi_slot_kill(agent, i, PP_ERR_CANCELLED, job);
        }
        ppi_place_pending(agent);
        return;
    }
}

void ppi_agent_give_up(struct ppi_agent *agent, uint64_t count, void (*returned)(void *ctx, const struct ppi_job *job),
                       void *ctx)
{
    ppi_agent_publish(agent);
    /* From the channels into what waits; what is not given up goes back to the workers. */
    for (int i = 0; i < agent->slot_count; i++)
        while (agent->slots[i].segment && agent->pending.count < count) {
            uint64_t missing = count - agent->pending.count;
            if (!ppi_place_take_back(agent, i, missing < UINT32_MAX ? (uint32_t)missing : UINT32_MAX)) break;
        }
    /* Those that have failed elsewhere would come back, as long as this rank has workers. */
    int all = count == PPI_GIVE_UP_ALL;
    for (; count && (agent->pending.count || (all && agent->retries.count)); count--) {
        const struct ppi_job job =
            agent->pending.count ? agent->pending.jobs[(agent->pending.first + --agent->pending.count) % agent->pending.room]
                                 : agent->retries.jobs[--agent->retries.count];
        if (job.timeout_ns) agent->timed--;
        returned(ctx, &job);
    }
    ppi_place_pending(agent);
}
