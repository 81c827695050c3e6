/* Jobs that are tried again after a crash or a time-out: by another worker than the one that they failed on, as long as the
 * rank has another. They wait beside the others, so that nobody waits behind them. */
#include "agent/agent.h"

#include <stdlib.h>

int ppi_retries_worker(const struct ppi_agent *agent, int avoid)
{
    int best = -1, others = 0, failed = avoid - 1;
    uint32_t least = UINT32_MAX;
    for (int i = 0; i < agent->slot_count; i++) {
        const struct ppi_slot *slot = &agent->slots[i];
        if (i == failed || (slot->state != PPI_SLOT_STARTING && slot->state != PPI_SLOT_READY)) continue;
        others++;
        if (!ppi_place_usable(agent, i) || ppi_channel_load(&slot->channel) >= least) continue;
        least = ppi_channel_load(&slot->channel);
        best = i;
    }
    if (others || failed >= agent->slot_count) return best; /* it may have failed on another rank */
    return ppi_place_usable(agent, failed) ? failed : -1;
}

static struct ppi_job *room_for_one(struct ppi_agent *agent)
{
    if (agent->retries.count == agent->retries.room) {
        size_t room = agent->retries.room ? 2 * agent->retries.room : 16;
        struct ppi_job *jobs = aligned_alloc(64, room * sizeof *jobs);
        if (!jobs) return NULL;
        for (size_t i = 0; i < agent->retries.count; i++) jobs[i] = agent->retries.jobs[i];
        free(agent->retries.jobs);
        agent->retries.jobs = jobs;
        agent->retries.room = room;
    }
    return &agent->retries.jobs[agent->retries.count++];
}

struct ppi_job *ppi_agent_add_retry(struct ppi_agent *agent, int avoid)
{
    int index = agent->retries.count || agent->hopeless ? -1 : ppi_retries_worker(agent, avoid);
    return index >= 0 ? ppi_place_in(agent, index) : room_for_one(agent);
}

int ppi_retries_push(struct ppi_agent *agent, const struct ppi_job *job)
{
    struct ppi_job *room = room_for_one(agent);
    if (room) *room = *job;
    return room != NULL;
}

void ppi_retries_remove(struct ppi_agent *agent, size_t index)
{
    agent->retries.count--;
    for (size_t i = index; i < agent->retries.count; i++) agent->retries.jobs[i] = agent->retries.jobs[i + 1];
}

void ppi_retries_place(struct ppi_agent *agent)
{
    for (size_t i = 0; i < agent->retries.count;) {
        int index = ppi_retries_worker(agent, agent->retries.jobs[i].avoid);
        if (index < 0) {
            i++;
            continue;
        }
        *ppi_place_in(agent, index) = agent->retries.jobs[i];
        ppi_retries_remove(agent, i);
    }
}
