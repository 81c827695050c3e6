/* Which worker gets which job. An idle worker first, the one that became idle last, since it is still awake; then all in
 * turn, up to a depth that keeps them busy until the agent looks again. What waits behind a long job is taken back when
 * another worker has nothing to do. Only jobs so short that a sleeping worker would come too late for them stay with the
 * worker that is at it. */
#include "agent/agent.h"

#include "base/policy.h"
#include "base/status.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define COMPANY 16          /* jobs for busy workers are published so many at a time, */
#define QUICK_COMPANY 64    /* … and so many when they are done sooner than handed out */
#define QUICK_NS 2000.0     /* jobs shorter than this are not worth a publication each, when more are coming */
#define SHORT_NS 5000.0    /* jobs shorter than this are not worth moving, */
#define STUCK_NS 50000ull  /* … unless they wait behind one that has run for so long */

int ppi_place_usable(const struct ppi_agent *agent, int index)
{
    const struct ppi_slot *slot = &agent->slots[index];
    return (slot->state == PPI_SLOT_READY || slot->state == PPI_SLOT_STARTING) && !slot->killed_status &&
           !slot->distrusted && ppi_channel_load(&slot->channel) < agent->depth &&
           (!agent->config.restart ||
            slot->jobs_done + ppi_channel_load(&slot->channel) < (uint64_t)agent->config.restart);
}

/* A worker that is bound to where this thread runs could not begin, or go on, before this thread sleeps. */
static int is_in_our_way(const struct ppi_agent *agent, int index)
{
    return agent->slots[index].only_cpu >= 0 && agent->slots[index].only_cpu == sched_getcpu();
}

static void prefer_another_core(struct ppi_agent *agent)
{
    int top = agent->idle_count - 1;
    if (top < 1 || !is_in_our_way(agent, agent->idle[top])) return;
    int below = agent->idle[top - 1];
    agent->idle[top - 1] = agent->idle[top];
    agent->idle[top] = below;
}

static int gets_on(const struct ppi_agent *agent, int index)
{
    const struct ppi_slot *slot = &agent->slots[index];
    return ppi_channel_load(&slot->channel) > 0 && agent->polled_ns < slot->progress_ns + PPI_HELD_UP_NS;
}

/* The worker that was given to last gets on, and is ahead by less than another one needs to wake up. */
static int is_soon_done(const struct ppi_agent *agent, int index)
{
    return agent->mean_ns > 0 && !agent->unwatched && ppi_channel_load(&agent->slots[index].channel) * agent->mean_ns < PPI_WAKE_NS &&
           gets_on(agent, index) && ppi_place_usable(agent, index) && (agent->slot_count == 1 || !is_in_our_way(agent, index));
}

/* Short jobs of a program that submits more of them: a worker on the program's core would take that. */
static int keeps_beside(const struct ppi_agent *agent)
{
    return agent->program_busy && agent->slot_count > 1 && agent->mean_ns > 0 && agent->mean_ns < PPI_WAKE_NS;
}

static int are_enough(const struct ppi_agent *agent)
{
    return ppi_agent_is_quick(agent) && agent->busy >= ppi_agent_enough(agent);
}

/* Whether the worker may have such jobs. */
static int is_fit(const struct ppi_agent *agent, int index, int beside, int enough)
{
    int held_up = ppi_channel_load(&agent->slots[index].channel) > 0 && !gets_on(agent, index);
    if (enough && !gets_on(agent, index)) return 0;
    return !beside || (!is_in_our_way(agent, index) && !held_up);
}

static int choose_among(struct ppi_agent *agent, int beside, int enough)
{
    int others = 0;
    prefer_another_core(agent);
    while (agent->idle_count && !enough) {
        int i = agent->idle[agent->idle_count - 1];
        if (!is_fit(agent, i, beside, 0)) break;
        agent->idle_count--;
        agent->slots[i].idle = 0;
        if (!ppi_place_usable(agent, i) || ppi_channel_load(&agent->slots[i].channel)) continue;
        agent->fill_left = 0;
        return agent->fill = i;
    }
    if (agent->fill_left > 0 && ppi_place_usable(agent, agent->fill) && is_fit(agent, agent->fill, beside, enough)) {
        agent->fill_left--;
        return agent->fill;
    }
    for (int n = 0; n < agent->slot_count; n++) {
        agent->fill = (agent->fill + 1) % agent->slot_count;
        if (!is_fit(agent, agent->fill, beside, enough)) continue;
        others |= gets_on(agent, agent->fill);
        if (!ppi_place_usable(agent, agent->fill)) continue;
        agent->fill_left = (int)agent->depth / 16;
        return agent->fill;
    }
    if ((!beside && !enough) || others) return -1; /* the others have enough to do */
    agent->program_busy = 0;
    return choose_among(agent, 0, 0);
}

static int choose(struct ppi_agent *agent)
{
    if (is_soon_done(agent, agent->fill)) return agent->fill;
    return choose_among(agent, keeps_beside(agent), are_enough(agent));
}

struct ppi_job *ppi_place_in(struct ppi_agent *agent, int index)
{
    struct ppi_slot *slot = &agent->slots[index];
    if (!slot->dirty) {
        slot->dirty = 1;
        agent->dirty[agent->dirty_count++] = index;
    }
    if (ppi_channel_load(&slot->channel) == 0) {
        agent->busy++;
        agent->urgent = 1;
        slot->progress_ns = agent->polled_ns;
    }
    agent->load++;
    agent->unpublished++;
    return ppi_channel_reserve(&slot->channel);
}

static int grow_pending(struct ppi_agent *agent)
{
    size_t room = agent->pending.room ? 2 * agent->pending.room : 64;
    struct ppi_job *jobs = aligned_alloc(64, room * sizeof *jobs);
    if (!jobs) return 0;
    for (size_t i = 0; i < agent->pending.count; i++)
        jobs[i] = agent->pending.jobs[(agent->pending.first + i) % agent->pending.room];
    free(agent->pending.jobs);
    agent->pending.jobs = jobs;
    agent->pending.first = 0;
    agent->pending.room = room;
    return 1;
}

struct ppi_job *ppi_agent_add(struct ppi_agent *agent)
{
    int index = agent->pending.count || agent->hopeless ? -1 : choose(agent);
    if (index >= 0) return ppi_place_in(agent, index);
    if (agent->pending.count == agent->pending.room && !grow_pending(agent)) return NULL;
    return &agent->pending.jobs[(agent->pending.first + agent->pending.count++) % agent->pending.room];
}

void ppi_agent_added(struct ppi_agent *agent, const struct ppi_job *job)
{
    if (job->timeout_ns) agent->timed++;
}

static struct ppi_job pop_pending(struct ppi_agent *agent)
{
    struct ppi_job job = agent->pending.jobs[agent->pending.first];
    agent->pending.first = (agent->pending.first + 1) % agent->pending.room;
    agent->pending.count--;
    return job;
}

static void fail_all(struct ppi_agent *agent)
{
    while (agent->pending.count || agent->retries.count) {
        struct ppi_job job = agent->pending.count ? pop_pending(agent) : agent->retries.jobs[--agent->retries.count];
        struct ppi_result result = {.status = agent->hopeless,
                                    .signal = agent->why_signal,
                                    .code = agent->why_code,
                                    .pid = agent->why_pid,
                                    .worker = -1,
                                    .data = agent->why,
                                    .bytes = strlen(agent->why)};
        ppi_collect_finish(agent, &job, &result);
    }
}

void ppi_place_pending(struct ppi_agent *agent)
{
    if (agent->hopeless) fail_all(agent);
    if (agent->retries.count) ppi_retries_place(agent);
    while (agent->pending.count) {
        int index = choose(agent);
        if (index < 0) return;
        *ppi_place_in(agent, index) = pop_pending(agent);
    }
}

/* Jobs first … first + count - 1 of a channel go to the front of what waits. They have left the channel's account. */
void ppi_place_give_back(struct ppi_agent *agent, int index, uint32_t first, uint32_t count)
{
    for (uint32_t i = count; i-- > 0;) {
        const struct ppi_job *job = ppi_channel_job(&agent->slots[index].channel, first + i);
        if (job->avoid && ppi_retries_push(agent, job)) continue;
        if (agent->pending.count == agent->pending.room && !grow_pending(agent)) {
            const struct ppi_job lost = *job;
            struct ppi_result result = {.status = PP_ERR_NOMEM, .worker = -1, .data = "", .bytes = 0};
            ppi_collect_finish(agent, &lost, &result);
            continue;
        }
        agent->pending.first = (agent->pending.first + agent->pending.room - 1) % agent->pending.room;
        agent->pending.jobs[agent->pending.first] = *job;
        agent->pending.count++;
    }
}

void ppi_place_became_idle(struct ppi_agent *agent, int index)
{
    struct ppi_slot *slot = &agent->slots[index];
    if (slot->idle) return;
    slot->idle = 1;
    agent->idle[agent->idle_count++] = index;
}

/* How many of the jobs that wait last in a channel would come back to it: those that may not run on an idle worker. */
static uint32_t bound_to_come_back(const struct ppi_agent *agent, int index, uint32_t waiting)
{
    const struct ppi_channel *channel = &agent->slots[index].channel;
    uint32_t n = 0;
    for (; n < waiting; n++) {
        const struct ppi_job *job = ppi_channel_job(channel, channel->published - 1 - n);
        if (!job->avoid || ppi_retries_worker(agent, job->avoid) != index) break;
    }
    return n;
}

void ppi_place_balance(struct ppi_agent *agent, uint64_t now_ns)
{
    uint32_t most = 0, behind = 0;
    int victim = -1;
    for (int i = 0; i < agent->slot_count; i++) {
        struct ppi_slot *slot = &agent->slots[i];
        if (!slot->segment || slot->dirty || ppi_channel_load(&slot->channel) < 2) continue;
        uint32_t waiting = ppi_channel_waiting(&slot->channel);
        if (waiting <= most) continue;
        uint64_t started = atomic_load(&slot->channel.answers->started_ns);
        if (agent->mean_ns < SHORT_NS && (!started || now_ns < started + STUCK_NS)) continue;
        uint32_t back = bound_to_come_back(agent, i, waiting);
        if (waiting - back <= most) continue;
        most = waiting - back;
        behind = back;
        victim = i;
    }
    if (victim < 0) return;
    ppi_place_take_back(agent, victim, behind + (most + 1) / 2);
    ppi_place_pending(agent);
}

uint32_t ppi_place_take_back(struct ppi_agent *agent, int index, uint32_t most)
{
    struct ppi_channel *channel = &agent->slots[index].channel;
    uint32_t back = ppi_channel_take_back(channel, most);
    if (back == 0) return 0;
    agent->load -= back;
    if (ppi_channel_load(channel) == 0) {
        agent->busy--;
        ppi_place_became_idle(agent, index);
    }
    ppi_place_give_back(agent, index, channel->reserved, back);
    return back;
}

void ppi_place_measured(struct ppi_agent *agent, uint64_t duration_ns)
{
    agent->last_ns = (double)duration_ns;
    agent->mean_ns = ppi_mean_update(agent->mean_ns, duration_ns);
}

void ppi_place_spin(struct ppi_agent *agent)
{
    _Static_assert(PPI_DEPTH_MOST <= PPI_CHANNEL_DEPTH / 2, "a channel must hold what is handed out");
    /* With the shortest jobs one that was busy, and counts still, may too: there will be more at once. Not on the only core, where
     * whoever polls this agent waits for it. */
    int cores = agent->config.spin_below;
    uint32_t may = (agent->busy < cores && !agent->one_core) || (agent->busy == cores && cores > 1 && ppi_agent_is_quick(agent));
    _Atomic uint32_t *word = &agent->workspace->board->may_spin;
    if (atomic_load_explicit(word, memory_order_relaxed) != may) atomic_store_explicit(word, may, memory_order_relaxed);
}

void ppi_agent_publish(struct ppi_agent *agent)
{
    for (int i = 0; i < agent->dirty_count; i++) {
        int index = agent->dirty[i];
        struct ppi_slot *slot = &agent->slots[index];
        slot->dirty = 0;
        if (!slot->segment || !ppi_channel_publish(&slot->channel) || slot->to_wake) continue;
        slot->to_wake = 1;
        agent->to_wake[agent->to_wake_count++] = index;
    }
    agent->dirty_count = 0;
    agent->unpublished = 0;
    agent->urgent = 0;
}

_Atomic uint32_t *ppi_agent_rouse(struct ppi_agent *agent)
{
    if (!agent->idle_count || agent->pending.count) return NULL;
    prefer_another_core(agent);
    int index = agent->idle[agent->idle_count - 1];
    if (!ppi_place_usable(agent, index)) return NULL;
    _Atomic uint32_t *asleep = &agent->slots[index].channel.answers->asleep;
    return atomic_load(asleep) && atomic_exchange(asleep, 0) ? asleep : NULL;
}

int ppi_agent_flush_due(const struct ppi_agent *agent)
{
    int waits = agent->program_busy && agent->mean_ns > 0 && agent->mean_ns < QUICK_NS;
    int company = waits && ppi_agent_is_quick(agent) ? QUICK_COMPANY : COMPANY;
    return (agent->urgent && !waits) || agent->unpublished >= company || agent->to_wake_count;
}

int ppi_agent_flush(struct ppi_agent *agent, _Atomic uint32_t **wake)
{
    int n = 0;
    ppi_agent_publish(agent);
    for (int i = 0; i < agent->to_wake_count; i++) {
        struct ppi_slot *slot = &agent->slots[agent->to_wake[i]];
        slot->to_wake = 0;
        if (!slot->segment) continue;
        _Atomic uint32_t *asleep = &slot->channel.answers->asleep;
        if (atomic_exchange(asleep, 0)) wake[n++] = asleep;
    }
    agent->to_wake_count = 0;
    return n;
}
