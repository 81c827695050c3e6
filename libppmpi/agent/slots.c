/* A slot's life: start a worker, hear how it ended, clear up after it, start the next. */
#include "agent/agent.h"

#include "base/clock.h"
#include "base/futex.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/status.h"
#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define RETRY_NS 100000000ull /* pause after a start that failed */
#define HOPELESS 50           /* so many failures in a row with no worker left: jobs fail */
#define PIPE_BYTES (1 << 18)

/* Address space for a worker's results: much, but all workers of a node must fit into 47 bits and into ulimit -v. */
static size_t segment_bytes(const struct ppi_agent *agent)
{
    uint64_t bytes = 2 * ppi_memory_physical(), share = ((uint64_t)16 << 40) / (uint64_t)agent->slot_count;
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        uint64_t part = limit.rlim_cur / 8 / (uint64_t)agent->slot_count;
        if (part < share) share = part;
    }
    if (bytes > share) bytes = share;
    uint64_t least = (uint64_t)4 << 20;
    return (size_t)(bytes < least ? least : bytes) / 4096 * 4096;
}

/* The number tells how many there are: the program, and workers to come, need some too. */
static int may_stay_open(int fd)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)fd < limit.rlim_cur / 2;
}

static int make_pipes(int read_fd[2], int write_fd[2])
{
    for (int i = 0; i < 2; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) {
            int error = errno;
            if (i) close(read_fd[0]), close(write_fd[0]);
            return ppi_error_errno(PP_ERR_SYSTEM, error, "cannot make a pipe for a worker's output");
        }
        read_fd[i] = ends[0];
        write_fd[i] = ends[1];
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
        fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES); /* may be refused: then it is smaller */
    }
    return PP_OK;
}

static void drop_segment(struct ppi_agent *agent, struct ppi_slot *slot)
{
    struct ppi_worker_segment *segment = slot->segment;
    slot->segment = NULL;
    if (!segment) return;
    segment->current = 0;
    if (segment->peer_id && agent->events.gone) agent->events.gone(agent->events.ctx, segment->peer_id);
    if (segment->loans) return; /* the last one who gives back clears it away */
    ppi_segment_destroy(&segment->map);
    free(segment);
}

static void start_failed(struct ppi_agent *agent, int index, uint64_t now_ns)
{
    struct ppi_slot *slot = &agent->slots[index];
    slot->failures++;
    slot->retry_ns = now_ns + RETRY_NS;
    if (agent->alive == 0 && slot->failures >= HOPELESS && !agent->hopeless) {
        agent->hopeless = PP_ERR_SYSTEM;
        snprintf(agent->why, sizeof agent->why, "no worker process can be started on %s: %.200s", agent->host, pp_last_error());
        ppi_log(PP_LOG_ERROR, "%s", agent->why);
    }
}

int ppi_slot_start(struct ppi_agent *agent, int index)
{
    struct ppi_slot *slot = &agent->slots[index];
    struct ppi_worker_start start = {.slot = index,
                                     .serial = ++slot->serial,
                                     .number = ppi_agent_worker_number(agent, index),
                                     .cores = agent->config.cores_per_worker,
                                     .bind = 1,
                                     .cpus = *ppi_aside_cpus(agent, index)};
    slot->aside = agent->aside;
    slot->only_cpu = ppi_cpus_only(&start.cpus);
    if (!slot->kept) slot->kept = aligned_alloc(64, PPI_CHANNEL_DEPTH * sizeof *slot->kept);
    struct ppi_worker_segment *segment = slot->kept ? calloc(1, sizeof *segment) : NULL;
    if (!segment) return ppi_error(PP_ERR_NOMEM, "no memory for a worker");
    int processes = agent->pool->ops == &ppi_pool_processes;
    size_t wanted = agent->pool->ops == &ppi_pool_threads ? (size_t)256 << 20 : segment_bytes(agent);
    int status = ppi_segment_create(&segment->map, "ppmpi-answers", wanted, (size_t)1 << 20);
    if (status != PP_OK) {
        free(segment);
        return status;
    }
    segment->slot = index;
    segment->current = 1;
    start.segment = segment->map;
    for (int i = 0; i < 2; i++) start.read_fd[i] = start.write_fd[i] = -1;
    if (processes) status = make_pipes(start.read_fd, start.write_fd);
    if (status == PP_OK) {
        ppi_channel_init(&slot->channel, &agent->workspace->requests[index],
                         (struct ppi_answers *)(void *)segment->map.base, slot->kept);
        status = ppi_pool_start(agent->pool, &start);
    }
    for (int i = 0; i < 2; i++)
        if (start.write_fd[i] >= 0) close(start.write_fd[i]);
    if (status != PP_OK) {
        for (int i = 0; i < 2; i++)
            if (start.read_fd[i] >= 0) close(start.read_fd[i]);
        ppi_segment_destroy(&segment->map);
        free(segment);
        return status;
    }
    if (!agent->config.open_segments || !may_stay_open(segment->map.fd)) ppi_segment_close_fd(&segment->map);
    memcpy(slot->read_fd, start.read_fd, sizeof slot->read_fd);
    slot->segment = segment;
    slot->state = PPI_SLOT_STARTING;
    slot->pid = 0;
    slot->jobs_done = 0;
    slot->killed_status = PP_OK;
    slot->killed_id = 0;
    slot->killed_attempt = 0;
    slot->locked_out_ns = 0;
    slot->distrusted = 0;
    slot->retry_ns = 0;
    slot->started_ns = ppi_now_ns();
    agent->alive++;
    ppi_place_became_idle(agent, index); /* jobs can be put into the channel before the worker is there */
    return PP_OK;
}

void ppi_slot_retire(struct ppi_agent *agent, int index)
{
    struct ppi_slot *slot = &agent->slots[index];
    if (slot->state != PPI_SLOT_STARTING && slot->state != PPI_SLOT_READY) return;
    slot->state = PPI_SLOT_LEAVING;
    agent->alive--;
    atomic_store(&slot->channel.requests->stop, 1);
    ppi_channel_wake(&slot->channel);
}

void ppi_slot_kill(struct ppi_agent *agent, int index, int why, const struct ppi_job *job)
{
    struct ppi_slot *slot = &agent->slots[index];
    if (ppi_pool_is_rank(agent->pool)) return;
    slot->killed_status = why;
    slot->killed_id = job ? job->id : 0;
    slot->killed_attempt = job ? job->attempt : 0;
    ppi_pool_kill(agent->pool, index, slot->serial);
}

/* How the job ended that ran when its worker did. */
static void job_died(struct ppi_agent *agent, int index, const struct ppi_job *job, int wait_status)
{
    struct ppi_slot *slot = &agent->slots[index];
    char message[512];
    struct ppi_result result = {.status = PP_ERR_CRASHED, .worker = ppi_agent_worker_number(agent, index), .pid = slot->pid};
    result.started_ns = slot->segment ? atomic_load(&slot->channel.answers->started_ns) : 0;
    result.finished_ns = ppi_now_ns();
    if (result.started_ns == 0 || result.started_ns > result.finished_ns) result.started_ns = result.finished_ns;
    if (slot->killed_status || slot->distrusted) {
        if (slot->killed_status) result.status = slot->killed_status;
        result.signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : SIGKILL;
        if (slot->killed_status == PP_ERR_TIMEOUT)
            snprintf(message, sizeof message, "the task ran past its time-out of %g s and was killed (pid %ld on %s)",
                     (double)job->timeout_ns / 1e9, slot->pid, agent->host);
        else if (slot->killed_status == PP_ERR_LOST)
            snprintf(message, sizeof message, "the task was lost with its worker, as the fork server has died (pid %ld on %s)",
                     slot->pid, agent->host);
        else if (slot->distrusted)
            snprintf(message, sizeof message, "the task wrote over the worker's own memory and was ended (pid %ld on %s)",
                     slot->pid, agent->host);
        else
            snprintf(message, sizeof message, "the task was killed (pid %ld on %s)", slot->pid, agent->host);
    } else if (WIFSIGNALED(wait_status)) {
        result.signal = WTERMSIG(wait_status);
        snprintf(message, sizeof message, "the task was ended by signal %d (%s%s) (pid %ld on %s)", result.signal,
                 strsignal(result.signal), result.signal == SIGKILL ? ", perhaps for want of memory" : "", slot->pid,
                 agent->host);
    } else {
        result.code = WEXITSTATUS(wait_status);
        snprintf(message, sizeof message, "the task left the process with exit status %d (pid %ld on %s)", result.code,
                 slot->pid, agent->host);
    }
    result.data = message;
    result.bytes = strlen(message);
    ppi_collect_finish(agent, job, &result);
}

/* It would die in every worker: all tasks fail instead. */
static void initializer_died(struct ppi_agent *agent, int index, long pid, int wait_status)
{
    int late = agent->slots[index].killed_status == PP_ERR_TIMEOUT;
    char how[256];
    if (late)
        snprintf(how, sizeof how, "ran past the time-out of %g s and was killed",
                 (double)agent->workspace->board->initializer.timeout_ns / 1e9);
    else if (WIFSIGNALED(wait_status))
        snprintf(how, sizeof how, "was ended by signal %d (%s)", WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
    else
        snprintf(how, sizeof how, "left the process with exit status %d", WEXITSTATUS(wait_status));
    snprintf(agent->why, sizeof agent->why, "the initializer %.200s (pid %ld on %.200s)", how, pid, agent->host);
    agent->why_signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
    agent->why_code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 0;
    agent->why_pid = pid;
    agent->hopeless = late ? PP_ERR_TIMEOUT : PP_ERR_CRASHED;
    agent->initializer_failed = 1;
}

void ppi_slots_check_initializers(struct ppi_agent *agent, uint64_t now_ns)
{
    const struct ppi_board *board = agent->workspace->board;
    if (!board->has_initializer || !board->initializer.timeout_ns) return;
    for (int i = 0; i < agent->slot_count; i++) {
        const struct ppi_slot *slot = &agent->slots[i];
        if (!slot->segment || slot->jobs_done || slot->killed_status || now_ns < slot->started_ns + board->initializer.timeout_ns ||
            !atomic_load(&slot->channel.answers->initializing))
            continue;
        ppi_slot_kill(agent, i, PP_ERR_TIMEOUT, NULL);
    }
}

static void ended(struct ppi_agent *agent, int index, int wait_status, uint64_t now_ns)
{
    struct ppi_slot *slot = &agent->slots[index];
    if (!slot->segment) return;
    struct ppi_channel *channel = &slot->channel;
    ppi_channel_publish(channel);
    if (!slot->distrusted) ppi_collect_outcomes(agent, index);
    ppi_collect_text(agent, index, 1);
    if (!ppi_channel_is_sane(channel) || ppi_channel_has_outcome(channel)) slot->distrusted = 1;
    /* It runs before the first job; a task that sets the word has begun one. */
    int in_initializer = !slot->distrusted && agent->workspace->board->has_initializer && slot->jobs_done == 0 &&
                         atomic_load(&channel->answers->initializing) &&
                         ppi_channel_waiting(channel) == channel->published - channel->taken;
    int begun = 0, did_nothing = slot->jobs_done == 0;
    if (ppi_channel_load(channel) > 0) {
        uint32_t left = channel->published - channel->taken, waiting = ppi_channel_waiting(channel);
        begun = waiting < left || slot->distrusted || atomic_load(&channel->answers->started_ns) != 0;
        const struct ppi_job running = *ppi_channel_job(channel, channel->taken);
        uint32_t first = channel->taken + (begun ? 1 : 0), count = left - (begun ? 1u : 0u);
        /* We killed the worker for one job, but it had gone on to the next: that one is innocent. */
        int innocent = slot->killed_id && (running.id != slot->killed_id || running.attempt != slot->killed_attempt);
        if (begun && innocent) first--, count++, begun = 0;
        agent->load -= left;
        agent->busy--;
        channel->taken = channel->published;
        ppi_place_give_back(agent, index, first, count);
        if (begun) job_died(agent, index, &running, wait_status);
    }
    for (int i = 0; i < 2; i++) {
        if (slot->read_fd[i] >= 0) close(slot->read_fd[i]);
        slot->read_fd[i] = -1;
    }
    drop_segment(agent, slot);
    if (slot->state != PPI_SLOT_LEAVING) agent->alive--;
    int retiring = slot->state == PPI_SLOT_LEAVING;
    slot->state = PPI_SLOT_EMPTY;
    long pid = slot->pid;
    slot->pid = 0;
    if (retiring) {
        /* It was to go, and since then one more is wanted again. */
        if (index < agent->target && !agent->closing && ppi_slot_start(agent, index) != PP_OK) start_failed(agent, index, now_ns);
        return;
    }
    ppi_log(PP_LOG_INFO, "worker %d ended (wait status 0x%x), starting another", ppi_agent_worker_number(agent, index),
            (unsigned)wait_status);
    if (in_initializer) {
        initializer_died(agent, index, pid, wait_status);
        return;
    }
    /* One that dies before it did anything would die again: not in a tight loop. */
    if (did_nothing && !begun) {
        ppi_error(PP_ERR_SYSTEM, "worker processes end at once (wait status 0x%x)", (unsigned)wait_status);
        start_failed(agent, index, now_ns);
    } else {
        slot->failures = 0;
        if (ppi_slot_start(agent, index) != PP_OK) start_failed(agent, index, now_ns);
    }
}

/* What is in its channel is given to others, and later another is tried. */
static void never_started(struct ppi_agent *agent, int index, uint64_t now_ns)
{
    int wanted = agent->slots[index].state != PPI_SLOT_LEAVING, closing = agent->closing;
    agent->closing = 1;
    ppi_slot_retire(agent, index);
    ended(agent, index, 0, now_ns);
    agent->closing = closing;
    if (wanted) start_failed(agent, index, now_ns);
}

static void all_lost(struct ppi_agent *agent, uint64_t now_ns)
{
    ppi_log(PP_LOG_ERROR, "the fork server has died and its workers with it");
    ppi_error(PP_ERR_SYSTEM, "the fork server could not be forked (see ulimit -u), or has died");
    agent->closing = 1;
    for (int i = 0; i < agent->slot_count; i++) {
        ppi_slot_retire(agent, i);
        if (!agent->slots[i].killed_status) agent->slots[i].killed_status = PP_ERR_LOST;
        ended(agent, i, SIGKILL, now_ns);
        agent->slots[i].retry_ns = 0;
    }
    agent->hopeless = PP_ERR_LOST;
    snprintf(agent->why, sizeof agent->why, "the fork server on %s has died, and its workers with it", agent->host);
}

void ppi_slot_reports(struct ppi_agent *agent, uint64_t now_ns)
{
    /* Without the doorbell's count the socket would cost a system call each time. A broken socket does not count. */
    uint32_t deaths = atomic_load(&agent->workspace->bell->deaths);
    if (deaths != agent->deaths_seen) {
        agent->deaths_seen = deaths;
        struct ppi_pool_report r;
        while (ppi_pool_next(agent->pool, &r)) {
            if (r.event == PPI_POOL_BROKEN) {
                all_lost(agent, now_ns);
                break;
            }
            if (r.slot < 0 || r.slot >= agent->slot_count) continue;
            struct ppi_slot *slot = &agent->slots[r.slot];
            switch (r.event) {
            case PPI_POOL_STARTED:
                slot->pid = r.pid;
                if (slot->state == PPI_SLOT_STARTING) slot->state = PPI_SLOT_READY;
                break;
            case PPI_POOL_FAILED:
                ppi_error_errno(r.error == EAGAIN ? PP_ERR_LIMIT : PP_ERR_SYSTEM, r.error, "cannot fork a worker process");
                never_started(agent, r.slot, now_ns);
                break;
            case PPI_POOL_ENDED: ended(agent, r.slot, r.wait_status, now_ns); break;
            case PPI_POOL_BROKEN: break;
            }
        }
    }
    for (int i = 0; i < agent->slot_count; i++) {
        struct ppi_slot *slot = &agent->slots[i];
        if (slot->state != PPI_SLOT_EMPTY || !slot->retry_ns || now_ns < slot->retry_ns) continue;
        if (ppi_slot_start(agent, i) != PP_OK) start_failed(agent, i, now_ns);
    }
}
