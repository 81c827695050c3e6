/* A rank 0 that a launcher has bound to one core: its program and its worker would take turns on it, which the shortest jobs do
 * not outlast. While jobs are that short one worker beside the program does what it can submit (see are_enough in place.c), and
 * other ranks get none: the worker runs on the cores of those of its node then. It comes back for longer jobs, and when the others have
 * had something to do for a while. */
#include "agent/agent.h"

#define LONGER 2 /* … by so much, so that it does not go to and fro */
#define A_WHILE_NS 1000000ull

static const struct ppi_cpus *cpus_of(const struct ppi_agent *agent, int slot, int aside)
{
    return aside ? agent->config.aside : &agent->cpus[slot];
}

const struct ppi_cpus *ppi_aside_cpus(const struct ppi_agent *agent, int slot)
{
    return cpus_of(agent, slot, agent->aside);
}

/* 0 when it is not where we have put it, or cannot be moved. */
static int move(struct ppi_agent *agent, int index)
{
    struct ppi_slot *slot = &agent->slots[index];
    if (slot->state != PPI_SLOT_READY || slot->jobs_done == 0 || slot->aside == agent->aside) return 1;
    const struct ppi_cpus *from = cpus_of(agent, index, slot->aside), *to = ppi_aside_cpus(agent, index);
    slot->aside = agent->aside;
    if (!ppi_topology_move_process(slot->pid, from, to)) return 0;
    slot->only_cpu = ppi_cpus_only(to);
    return 1;
}

static void go(struct ppi_agent *agent, int aside)
{
    int refused = 0;
    agent->aside = aside;
    agent->one_core = !aside && ppi_cpus_only(&agent->config.topology->allowed) >= 0;
    for (int i = 0; i < agent->slot_count; i++) refused |= !move(agent, i);
    if (refused && aside) {
        go(agent, 0);
        agent->config.aside = NULL;
    }
    atomic_store_explicit(&agent->workspace->board->one_core, (uint32_t)agent->one_core, memory_order_relaxed);
}

void ppi_aside_init(struct ppi_agent *agent)
{
    if (agent->pool->ops != &ppi_pool_processes || !agent->config.bind) agent->config.aside = NULL;
    go(agent, 0);
}

/* Not at once: a single task may go elsewhere now and then. */
static int others_are_busy(struct ppi_agent *agent)
{
    if (agent->others_idle)
        agent->others_busy_ns = 0;
    else if (agent->others_busy_ns == 0)
        agent->others_busy_ns = agent->polled_ns;
    return agent->others_busy_ns && agent->polled_ns > agent->others_busy_ns + A_WHILE_NS;
}

void ppi_aside_look(struct ppi_agent *agent)
{
    if (!agent->config.aside) return;
    int aside = agent->aside ? agent->mean_ns < LONGER * PPI_SEND_NS && !others_are_busy(agent)
                             : agent->others_idle && ppi_agent_is_quick(agent);
    if (aside != agent->aside) go(agent, aside);
}

void ppi_aside_settle(struct ppi_agent *agent, int slot)
{
    if (agent->config.aside) (void)move(agent, slot);
}
