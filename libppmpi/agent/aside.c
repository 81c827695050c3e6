/* A rank 0 that a launcher has bound to one core: its program and its worker would take turns on it, which the shortest jobs do
 * not outlast. While jobs are that short one worker beside the program does what it can submit (see are_enough in place.c), and
 * other ranks of the node have nothing to do: the worker runs on their cores then, and comes back for longer jobs. */
#include "agent/agent.h"

#define LONGER 2 /* … by so much, so that it does not go to and fro */

static int is_on_one_unit(const struct ppi_agent *agent)
{
    return ppi_cpus_only(&agent->config.topology->allowed) >= 0;
}

static void go(struct ppi_agent *agent, int slot)
{
    const struct ppi_cpus *cpus = agent->aside ? agent->config.aside : &agent->cpus[slot];
    if (agent->slots[slot].state != PPI_SLOT_READY || !agent->slots[slot].pid) return;
    if (ppi_topology_bind_process(agent->slots[slot].pid, cpus)) agent->slots[slot].only_cpu = ppi_cpus_only(cpus);
}

void ppi_aside_init(struct ppi_agent *agent)
{
    if (agent->pool->ops != &ppi_pool_processes || !agent->config.bind) agent->config.aside = NULL;
    agent->one_core = agent->workspace->board->one_core = is_on_one_unit(agent);
}

void ppi_aside_look(struct ppi_agent *agent)
{
    int aside = agent->aside ? agent->mean_ns < LONGER * PPI_SEND_NS : ppi_agent_is_quick(agent);
    if (aside == agent->aside) return;
    agent->aside = aside;
    agent->one_core = !aside && is_on_one_unit(agent);
    atomic_store_explicit(&agent->workspace->board->one_core, (uint32_t)agent->one_core, memory_order_relaxed);
    for (int i = 0; i < agent->slot_count; i++) go(agent, i);
}

void ppi_aside_started(struct ppi_agent *agent, int slot)
{
    if (agent->aside) go(agent, slot);
}
