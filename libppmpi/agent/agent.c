#include "agent/agent.h"

#include "base/clock.h"
#include "base/futex.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/status.h"
#include "function/function.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DRAIN_PAUSE_NS 50000000ull /* how often running tasks are asked for output, */
#define DRAIN_AGAIN_NS 500000ull   /* … and after one that fills its pipe: it waits for us */
#define DRAIN_AGAIN_FROM ((size_t)32 << 10)
#define START_PATIENCE_NS (30 * PPI_NS_PER_S)
#define KILL_PATIENCE_NS (5 * PPI_NS_PER_S)
#define REPORT_NAP_NS 20000000ull /* between two looks for reports that nobody rings for */

static int allocate(struct ppi_agent *agent)
{
    /* For as many as there can ever be; memory is taken as it is touched. */
    agent->slots = calloc(PPI_WORKERS_MAX, sizeof *agent->slots);
    agent->cpus = calloc(PPI_WORKERS_MAX, sizeof *agent->cpus);
    agent->idle = calloc(PPI_WORKERS_MAX, sizeof *agent->idle);
    agent->dirty = calloc(PPI_WORKERS_MAX, sizeof *agent->dirty);
    agent->to_wake = calloc(PPI_WORKERS_MAX, sizeof *agent->to_wake);
    if (agent->slots && agent->cpus && agent->idle && agent->dirty && agent->to_wake) return PP_OK;
    return ppi_error(PP_ERR_NOMEM, "no memory for the workers of a rank");
}

static void release(struct ppi_agent *agent)
{
    for (int i = 0; i < agent->slot_count; i++) free(agent->slots[i].kept);
    free(agent->slots);
    free(agent->cpus);
    free(agent->idle);
    free(agent->dirty);
    free(agent->to_wake);
    free(agent->pending.jobs);
    free(agent->retries.jobs);
    for (int i = 0; i < 2; i++) free(agent->drained[i].text);
}

static int starting(const struct ppi_agent *agent)
{
    for (int i = 0; i < agent->slot_count; i++)
        if (agent->slots[i].state == PPI_SLOT_STARTING) return 1;
    return 0;
}

static int leaving(const struct ppi_agent *agent)
{
    for (int i = 0; i < agent->slot_count; i++)
        if (agent->slots[i].state == PPI_SLOT_LEAVING && agent->slots[i].pid) return 1;
    return 0;
}

/* Whether the end of a worker has still to be reported. */
static int not_ended(const struct ppi_agent *agent)
{
    for (int i = 0; i < agent->slot_count; i++)
        if (agent->slots[i].segment) return 1;
    return 0;
}

/* Takes reports in as long as that holds, but not beyond the deadline. */
static void wait_while(struct ppi_agent *agent, int (*holds)(const struct ppi_agent *), uint64_t deadline_ns)
{
    struct ppi_doorbell *bell = agent->workspace->bell;
    while (holds(agent) && ppi_now_ns() < deadline_ns) {
        uint32_t ticket = ppi_doorbell_listen(bell, PPI_LISTENER_WAITER);
        if (atomic_load(&bell->deaths) == agent->deaths_seen && !ppi_pool_work(agent->pool)) {
            ppi_doorbell_sleep(bell, PPI_LISTENER_WAITER, ticket, REPORT_NAP_NS);
            agent->deaths_seen--; /* look at the socket: a fork server that was killed, or could not be forked, rings no bell */
        }
        ppi_slot_reports(agent, ppi_now_ns());
    }
    ppi_doorbell_silence(bell);
}

/* What waits for reuse is the memory of nobody: together no more than a quarter of what there is, also where every core has a
 * rank of its own. */
static void share_out_warmth(struct ppi_agent *agent)
{
    int cores = ppi_topology_cores_in(&agent->config.topology->online), arenas = agent->config.workers + 1;
    uint64_t share = ppi_memory_room("", UINT64_MAX) / 8 / (uint64_t)(cores > arenas ? cores : arenas);
    if (share > PPI_ARENA_WARM_MAX) share = PPI_ARENA_WARM_MAX;
    agent->workspace->arena.warm_max = agent->workspace->board->warm_max = share;
}

/* Ranks that share cores would each bind their workers to the same first ones: there the kernel decides. */
static int place_on_cores(struct ppi_agent *agent, int workers)
{
    const struct ppi_agent_config *config = &agent->config;
    int status = ppi_topology_place(config->topology, workers, config->cores_per_worker, agent->beside, agent->cpus);
    for (int i = 0; i < workers && status == PP_OK && !config->bind; i++) agent->cpus[i] = config->topology->allowed;
    return status;
}

int ppi_agent_open(struct ppi_agent *agent, struct ppi_workspace *workspace, struct ppi_pool *pool,
                   const struct ppi_agent_config *config, const struct ppi_agent_events *events)
{
    memset(agent, 0, sizeof *agent);
    agent->pool = pool;
    if (config->workers > PPI_WORKERS_MAX) {
        ppi_pool_close(pool);
        return ppi_error(PP_ERR_LIMIT, "%d workers on one rank; at most %d are possible", config->workers, PPI_WORKERS_MAX);
    }
    agent->workspace = workspace;
    agent->config = *config;
    agent->events = *events;
    agent->depth = 2;
    agent->beside = ppi_topology_here();
    ppi_aside_init(agent);
    gethostname(agent->host, sizeof agent->host - 1);
    int status = allocate(agent);
    if (status == PP_OK && config->workers)
        status = place_on_cores(agent, config->workers);
    if (status != PP_OK) {
        ppi_pool_close(pool);
        release(agent);
        return status;
    }
    agent->slot_count = agent->target = config->workers;
    share_out_warmth(agent);
    ppi_place_spin(agent);
    if (config->workers == 0) return PP_OK; /* tasks run in the other ranks only */
    for (int i = 0; i < agent->slot_count; i++) {
        agent->slots[i].read_fd[0] = agent->slots[i].read_fd[1] = -1;
        if ((status = ppi_slot_start(agent, i)) != PP_OK && i == 0) break;
    }
    wait_while(agent, starting, ppi_now_ns() + START_PATIENCE_NS);
    if (agent->initializer_failed) return PP_OK; /* that is for the tasks to tell */
    if (agent->alive == 0) {
        int error = pp_last_error_code();
        ppi_agent_close(agent, 0);
        return error < 0 ? error : ppi_error(PP_ERR_SYSTEM, "no worker process could be started");
    }
    if (agent->alive < agent->slot_count)
        ppi_log(PP_LOG_WARNING, "only %d of %d workers could be started: %s; raise the limit (ulimit -u, -v, -n) or set PPMPI_WORKERS",
                agent->alive, agent->slot_count, pp_last_error());
    return PP_OK;
}

/* For a pool that stays: no worker may be left, and no report of one, when the next agent comes. */
static void end_workers(struct ppi_agent *agent)
{
    for (int i = 0; i < agent->slot_count; i++)
        if (agent->slots[i].segment) ppi_pool_kill(agent->pool, i, agent->slots[i].serial);
    wait_while(agent, not_ended, ppi_now_ns() + KILL_PATIENCE_NS);
    if (not_ended(agent) || agent->pool->broken) agent->pool->kept = 0;
}

void ppi_agent_close(struct ppi_agent *agent, double grace_s)
{
    agent->closing = 1;
    for (int i = 0; i < agent->slot_count; i++) ppi_slot_retire(agent, i);
    wait_while(agent, leaving, ppi_deadline_ns(grace_s));
    if (agent->pool->kept) end_workers(agent);
    ppi_pool_close(agent->pool);
    agent->pool = NULL;
    for (int i = 0; i < agent->slot_count; i++) {
        struct ppi_slot *slot = &agent->slots[i];
        ppi_collect_text(agent, i, 1);
        for (int k = 0; k < 2; k++) {
            if (slot->read_fd[k] >= 0) close(slot->read_fd[k]);
            ppi_lines_fini(&slot->lines[k]);
        }
        if (slot->segment) {
            ppi_segment_destroy(&slot->segment->map);
            free(slot->segment);
        }
    }
    for (struct ppi_loan *loan; (loan = ppi_agent_dying_loan(agent));) free(loan);
    release(agent);
    agent->slot_count = 0;
}

int ppi_agent_define(struct ppi_workspace *workspace, uint32_t index, const struct ppi_function_ref *ref)
{
    _Static_assert(sizeof(struct ppi_function_ref) <= PPI_FUNCTION_BYTES, "entry of the function table");
    if (index >= PPI_FUNCTIONS_MAX)
        return ppi_error(PP_ERR_LIMIT, "more than %d different functions", PPI_FUNCTIONS_MAX);
    memcpy(workspace->functions + (size_t)index * PPI_FUNCTION_BYTES, ref, sizeof *ref);
    return PP_OK;
}

int ppi_agent_has_news(const struct ppi_agent *agent)
{
    if (atomic_load(&agent->workspace->bell->deaths) != agent->deaths_seen) return 1;
    for (int i = 0; i < agent->slot_count; i++)
        if (agent->slots[i].segment && ppi_channel_load(&agent->slots[i].channel) &&
            ppi_channel_has_outcome(&agent->slots[i].channel))
            return 1;
    return 0;
}

const struct ppi_job *ppi_agent_next_job(const struct ppi_agent *agent)
{
    if (agent->slot_count == 0 || !ppi_pool_is_rank(agent->pool)) return NULL;
    const struct ppi_slot *slot = &agent->slots[0];
    if (!slot->segment) return NULL;
    return ppi_channel_waiting(&slot->channel) && !ppi_channel_running(&slot->channel)
               ? ppi_channel_job(&slot->channel, atomic_load(&slot->channel.answers->finished))
               : NULL;
}

int ppi_agent_work(struct ppi_agent *agent)
{
    return ppi_pool_work(agent->pool);
}

/* The job that a slot's worker runs, and since when (0 = it begins just now); NULL when there is none. */
static const struct ppi_job *running_in(const struct ppi_slot *slot, uint64_t *started_ns)
{
    const struct ppi_job *job = slot->segment ? ppi_channel_running(&slot->channel) : NULL;
    if (job) *started_ns = atomic_load(&slot->channel.answers->started_ns);
    return job;
}

/* Kills the workers whose job has run too long; returns when the next one could be due. */
static uint64_t check_time(struct ppi_agent *agent, uint64_t now_ns, int enforce)
{
    uint64_t next = UINT64_MAX;
    if (agent->timed == 0) return next;
    for (int i = 0; i < agent->slot_count; i++) {
        struct ppi_slot *slot = &agent->slots[i];
        uint64_t started;
        const struct ppi_job *job = slot->killed_status ? NULL : running_in(slot, &started);
        if (!job || !job->timeout_ns || !started) continue;
        uint64_t due = started + job->timeout_ns;
        if (due <= now_ns && enforce)
            ppi_slot_kill(agent, i, PP_ERR_TIMEOUT, job);
        else if (due < next)
            next = due;
    }
    return next;
}

int ppi_agent_poll(struct ppi_agent *agent, uint64_t now_ns)
{
    int finished = 0;
    agent->polled_ns = now_ns;
    agent->unwatched = 0;
    if (agent->load)
        for (int i = 0; i < agent->slot_count; i++)
            if (agent->slots[i].segment && ppi_channel_load(&agent->slots[i].channel))
                finished += ppi_collect_outcomes(agent, i);
    if (finished) {
        agent->collected_ns = now_ns;
        agent->depth = ppi_depth_for(agent->mean_ns);
    }
    if (agent->busy && now_ns >= agent->next_drain_ns) {
        size_t most = 0;
        for (int i = 0; i < agent->slot_count; i++) {
            size_t got = ppi_collect_text(agent, i, 0);
            if (got > most) most = got;
            /* Else a worker that a task has made believe that there is nothing to do would sleep for ever. */
            const struct ppi_slot *slot = &agent->slots[i];
            if (slot->segment && ppi_channel_load(&slot->channel) && !ppi_channel_is_sane(&slot->channel))
                ppi_collect_distrust(agent, i);
        }
        agent->drain_pause_ns = most >= DRAIN_AGAIN_FROM ? DRAIN_AGAIN_NS : 2 * agent->drain_pause_ns;
        if (agent->drain_pause_ns < DRAIN_AGAIN_NS || agent->drain_pause_ns > DRAIN_PAUSE_NS)
            agent->drain_pause_ns = DRAIN_PAUSE_NS;
        agent->next_drain_ns = now_ns + agent->drain_pause_ns;
        ppi_slots_check_initializers(agent, now_ns);
        agent->deaths_seen--; /* look at the socket now and then: a fork server that was killed rings no bell */
    }
    ppi_slot_reports(agent, now_ns);
    ppi_aside_look(agent);
    check_time(agent, now_ns, 1);
    if (agent->pending.count || agent->retries.count) ppi_place_pending(agent);
    if (agent->idle_count && agent->load > (uint64_t)agent->busy) ppi_place_balance(agent, now_ns);
    ppi_place_spin(agent);
    return finished;
}

uint32_t ppi_agent_listen(struct ppi_agent *agent, enum ppi_listener who)
{
    struct ppi_doorbell *bell = agent->workspace->bell;
    atomic_store_explicit(&bell->quiet_until_ns, agent->collected_ns + PPI_RING_GAP_NS, memory_order_relaxed);
    return ppi_doorbell_listen(bell, who);
}

uint64_t ppi_agent_patience_ns(const struct ppi_agent *agent, uint64_t now_ns)
{
    uint64_t patience = PPI_FOREVER;
    if (agent->hopeless && (agent->pending.count || agent->retries.count)) return 0; /* they fail at the next look */
    if (agent->busy) patience = agent->next_drain_ns > now_ns ? agent->next_drain_ns - now_ns : 0;
    /* A worker that has more jobs, or gets more while we sleep, may finish one without a ring soon after our last look. */
    uint64_t look = agent->collected_ns + 2 * PPI_RING_GAP_NS;
    if (now_ns < look && look - now_ns < patience) patience = look - now_ns;
    /* What waits for, or behind, a job that turns out to be long goes to an idle worker: see choose and ppi_place_balance. */
    int may_be_held_up = agent->load > (uint64_t)agent->busy || agent->pending.count;
    if (agent->idle_count && may_be_held_up && patience > PPI_HELD_UP_NS) patience = PPI_HELD_UP_NS;
    if (agent->timed) {
        /* A job that has not begun may begin, and be due, at any time: look often enough to be in time. */
        uint64_t next = check_time((struct ppi_agent *)agent, now_ns, 0);
        uint64_t until = next > now_ns ? next - now_ns : 0;
        if (until > 20000000) until = 20000000;
        if (until < patience) patience = until;
    }
    for (int i = 0; i < agent->slot_count; i++) {
        const struct ppi_slot *slot = &agent->slots[i];
        if (slot->state != PPI_SLOT_EMPTY || !slot->retry_ns) continue;
        uint64_t until = slot->retry_ns > now_ns ? slot->retry_ns - now_ns : 0;
        if (until < patience) patience = until;
    }
    return patience;
}

int ppi_agent_find_running(const struct ppi_agent *agent, uint64_t id, long *pid, uint64_t *started_ns)
{
    for (int i = 0; i < agent->slot_count; i++) {
        const struct ppi_slot *slot = &agent->slots[i];
        uint64_t started;
        const struct ppi_job *job = running_in(slot, &started);
        if (!job || job->id != id) continue;
        *pid = slot->pid;
        *started_ns = started;
        return ppi_agent_worker_number(agent, i);
    }
    return -1;
}

void ppi_agent_tell_running(struct ppi_agent *agent, uint64_t now_ns, uint64_t least_ns,
                            void (*tell)(void *ctx, const struct ppi_running *running), void *ctx)
{
    for (int i = 0; agent->busy && i < agent->slot_count; i++) {
        struct ppi_slot *slot = &agent->slots[i];
        uint64_t started;
        const struct ppi_job *job = running_in(slot, &started);
        if (!job || !started || now_ns < started + least_ns) continue;
        if (job->id == slot->told_id && job->attempt == slot->told_attempt) continue;
        slot->told_id = job->id;
        slot->told_attempt = job->attempt;
        struct ppi_running running = {job->id, started, job->attempt, ppi_agent_worker_number(agent, i), slot->pid};
        tell(ctx, &running);
    }
}

int ppi_agent_workers(const struct ppi_agent *agent)
{
    int workers = agent->alive;
    for (int i = 0; i < agent->target && !agent->closing && !agent->hopeless; i++)
        workers += agent->slots[i].state == PPI_SLOT_LEAVING;
    return workers;
}

int ppi_agent_resize(struct ppi_agent *agent, int workers)
{
    int status = workers ? place_on_cores(agent, workers) : PP_OK;
    if (status != PP_OK) return status;
    agent->target = workers;
    for (int i = agent->slot_count - 1; i >= workers; i--) {
        agent->slots[i].retry_ns = 0;
        if (agent->slots[i].state != PPI_SLOT_STARTING && agent->slots[i].state != PPI_SLOT_READY) continue;
        ppi_agent_publish(agent);
        ppi_slot_retire(agent, i);
        ppi_place_take_back(agent, i, UINT32_MAX);
    }
    for (int i = 0; i < workers && status == PP_OK; i++) {
        if (i >= agent->slot_count) {
            agent->slots[i].read_fd[0] = agent->slots[i].read_fd[1] = -1;
            agent->slot_count = i + 1;
        }
        if (agent->slots[i].state == PPI_SLOT_EMPTY && !agent->slots[i].retry_ns) status = ppi_slot_start(agent, i);
    }
    ppi_place_pending(agent);
    return status;
}

int ppi_agent_set_initializer(struct ppi_workspace *workspace, uint32_t function, const void *args, uint64_t bytes,
                              uint64_t timeout_ns)
{
    struct ppi_job job = {.timeout_ns = timeout_ns, .bytes = bytes, .function = (uint16_t)function, .attempt = 1};
    if (bytes > PPI_INLINE_BYTES) {
        job.flags = PPI_JOB_BLOCK;
        job.args.offset = ppi_arena_alloc(&workspace->arena, bytes, NULL);
        if (!job.args.offset)
            return ppi_error(PP_ERR_NOMEM, "no memory for %llu bytes of initializer_args", (unsigned long long)bytes);
        memcpy(workspace->segment.base + job.args.offset, args, bytes);
    } else if (bytes) {
        memcpy(job.args.bytes_inline, args, bytes);
    }
    workspace->board->initializer = job;
    workspace->board->has_initializer = 1;
    return PP_OK;
}
