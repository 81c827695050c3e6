/* The server's beginning and end. */
#include "server/callbacks.h"
#include "server/report.h"
#include "server/server.h"

#include "base/clock.h"
#include "base/policy.h"
#include "base/status.h"
#include "channel/peer_bell.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CLOSE_GRACE_S 2.0 /* for workers to end by themselves: they have nothing to do any more */

struct pp_server *ppi_server;

static int allocate(struct pp_server *s)
{
    s->ranks = calloc((size_t)s->rank_count, sizeof *s->ranks);
    s->outbox = calloc((size_t)s->rank_count, sizeof *s->outbox);
    if (!s->ranks || !s->outbox) return ppi_error(PP_ERR_NOMEM, "no memory for %d ranks", s->rank_count);
    for (int i = 0; i < s->rank_count; i++) s->ranks[i].pidfd = -1;
    for (int i = 1; i < s->rank_count; i++)
        if (!(s->ranks[i].functions_sent = calloc(PPI_FUNCTIONS_MAX / 32, sizeof(uint32_t))))
            return ppi_error(PP_ERR_NOMEM, "no memory for %d ranks", s->rank_count);
    int status = ppi_functions_create(&s->functions);
    if (status == PP_OK) status = ppi_groups_init(&s->groups, &s->store);
    return status == PP_OK ? ppi_scheduler_init(&s->scheduler, &s->store, s->rank_count) : status;
}

static void release(struct pp_server *s)
{
    for (int i = 0; s->ranks && i < s->rank_count; i++) {
        ppi_bell_close(s->ranks[i].bell);
        ppi_lost_close(&s->ranks[i]);
        ppi_lent_close(&s->ranks[i]);
        free(s->ranks[i].out.message);
        free(s->ranks[i].functions_sent);
    }
    free(s->ranks);
    free(s->outbox);
    free(s->deferred);
    for (int i = 0; i < 2; i++) free(s->output[i].text);
    ppi_functions_destroy(s->functions);
    ppi_scheduler_fini(&s->scheduler);
    for (uint32_t i = 0; i < s->store.extra_count; i++) ppi_callbacks_drop(s->store.extras[i].extra);
    ppi_groups_fini(&s->groups);
    ppi_modules_fini(s);
    ppi_shares_fini(s);
    ppi_store_fini(&s->store);
    ppi_workspace_destroy(&s->workspace);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->line_lock);
    ppi_lock_fini(&s->lock);
    free(s);
}

static void describe_this_rank(struct pp_server *s, int is_worker)
{
    struct ppi_rank *r = &s->ranks[0];
    gethostname(r->host, sizeof r->host - 1);
    r->cores = ppi_topology_cores_in(&s->topology.online);
    r->allowed_cores = s->topology.allowed_cores;
    r->limit = s->topology.limit;
    r->spin_below = r->limit;
    r->alone = 1; /* until the others have said hello */
    r->quota = (int)s->topology.quota;
    r->pid = getpid();
    r->shared_fd = s->workspace.shared.fd;
    r->nonce = ppi_bell_nonce(&s->workspace);
    r->is_holder = 1;
    r->allowed = s->topology.allowed;
    r->online = s->topology.online;
    r->is_worker = is_worker;
}

/* The cores of this node's other ranks, for a rank that is bound to one alone. */
static const struct ppi_cpus *aside(struct pp_server *s)
{
    struct ppi_cpus all = {{0}};
    for (int k = 1; k < s->rank_count; k++)
        if (s->ranks[k].node == 0) ppi_cpus_or(&all, &s->ranks[k].allowed);
    int may = s->ranks[0].alone && s->topology.allowed_cores == 1;
    return may && ppi_topology_near(&all, &s->topology.allowed, &s->aside) ? &s->aside : NULL;
}

static int start_workers(struct pp_server *s, struct ppi_pool *pool)
{
    struct ppi_agent_config config = {.workers = s->ranks[0].workers,
                                      .cores_per_worker = s->options.cores_per_worker,
                                      .first_number = 0,
                                      .extra_number = s->first_extra_number,
                                      .extra_gap = s->extra_gap,
                                      .restart = s->options.restart,
                                      .bind = s->ranks[0].alone,
                                      .spin_below = s->ranks[0].spin_below,
                                      .topology = &s->topology,
                                      .aside = aside(s)};
    struct ppi_agent_events events = {ppi_server_job_finished, ppi_server_output, s, NULL};
    int status = ppi_agent_open(&s->agent, &s->workspace, pool, &config, &events);
    if (status != PP_OK) return status;
    s->ranks[0].workers = ppi_agent_takers(&s->agent);
    ppi_scheduler_set_workers(&s->scheduler, 0, s->ranks[0].workers);
    return PP_OK;
}

int ppi_server_create(struct pp_server **out, const struct ppi_server_setup *setup)
{
    struct pp_server *s = calloc(1, sizeof *s);
    if (!s) return ppi_error(PP_ERR_NOMEM, "no memory for the server");
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    ppi_lock_init(&s->lock);
    pthread_mutex_init(&s->line_lock, NULL);
    pthread_cond_init(&s->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    s->options = setup->options;
    s->topology = setup->topology;
    s->workspace = setup->workspace;
    setup->pool->workspace = &s->workspace; /* the setup need not outlive this call */
    s->mpi = setup->transport;
    s->transport = s->mpi && s->mpi->size > 1 ? s->mpi : NULL;
    s->rank_count = s->transport ? s->transport->size : 1;
    s->callers_only = ppi_pool_is_rank(setup->pool) && s->rank_count == 1;
    if (s->transport && s->transport->threads >= PPI_THREADS_CALLER) s->callers_only = 1;
    s->opener = pthread_self();
    s->opened_ns = ppi_now_ns();
    s->streams_end = &s->streams;
    s->full_end = &s->full;
    ppi_store_init(&s->store);
    ppi_shares_init(s);
    ppi_modules_init(s);
    /* The driver polls the agent while it waits for the ranks' first words, before there is one. */
    s->agent.workspace = &s->workspace;
    s->agent.config.topology = &s->topology;
    s->agent.deaths_seen = atomic_load(&s->workspace.bell->deaths); /* those of an earlier farm */
    int status = allocate(s), pool_open = 1;
    if (status == PP_OK) {
        ppi_report_start(s, setup->signal_was_free); /* first: the background thread reports */
        /* Before the workers: where processes are scarce there shall be fewer workers rather than no server. */
        if ((status = ppi_background_start(s)) != PP_OK) ppi_report_stop(s);
    }
    ppi_lock_take(&s->lock);
    if (status == PP_OK) {
        describe_this_rank(s, ppi_pool_is_rank(setup->pool));
        status = ppi_server_set_initializer(s);
    }
    if (status == PP_OK) status = ppi_modules_open(s);
    if (status == PP_OK) {
        status = ppi_ranks_handshake(s);
    }
    if (status == PP_OK) {
        status = start_workers(s, setup->pool);
        pool_open = 0;
    }
    if (status == PP_OK) status = ppi_ranks_ready(s);
    if (status != PP_OK && s->ranks) ppi_ranks_stop(s, 1, 1);
    ppi_lock_give(&s->lock);
    if (status != PP_OK) {
        if (s->background_runs) {
            ppi_background_stop(s);
            ppi_report_stop(s);
        }
        if (pool_open)
            ppi_pool_close(setup->pool);
        else if (s->agent.slot_count)
            ppi_agent_close(&s->agent, 0);
        release(s);
        return status;
    }
    *out = s;
    return PP_OK;
}

static int none_unfinished(void *arg)
{
    const struct pp_server *s = arg;
    return s->unfinished == 0 && s->calling == 0;
}

void ppi_server_wait_all_tasks(struct pp_server *s)
{
    ppi_server_wait(s, none_unfinished, s, UINT64_MAX);
}

/* Of results that nobody fetched: the agent's segments go once nothing of them is lent. */
static void give_back_loans(struct pp_server *s)
{
    for (uint32_t i = 0; i < s->store.used; i++) {
        struct ppi_task *t = ppi_store_at(&s->store, i);
        if (!(t->flags & PPI_TASK_LOAN)) continue;
        t->flags &= (uint8_t)~PPI_TASK_LOAN;
        ppi_server_return_loan(s, t->u.result.value.lent.loan);
    }
    ppi_server_purge(s);
}

void ppi_server_destroy(struct pp_server *s)
{
    ppi_lock_take(&s->lock);
    ppi_server_wait_all_tasks(s);
    ppi_shares_settle(s);
    ppi_lock_give(&s->lock);
    ppi_callbacks_stop(s);
    ppi_background_stop(s);
    ppi_report_stop(s);
    ppi_lock_take(&s->lock);
    ppi_ranks_stop(s, 0, 0);
    give_back_loans(s);
    ppi_agent_close(&s->agent, CLOSE_GRACE_S);
    ppi_lock_give(&s->lock);
    ppi_server_print(s, s->output);
    if (s->mpi) s->mpi->ops->close(s->mpi);
    release(s);
}

void ppi_server_abandon(struct pp_server *s)
{
    /* Other threads of the program may be inside the library: they stay at the lock, and nothing is freed under them. */
    ppi_background_stop(s);
    ppi_lock_take(&s->lock);
    /* A program that runs MPI itself may have finalised it, or leave by another thread than the one that may call it. */
    int may_call = !s->mpi || s->mpi->threads == PPI_THREADS_OURS || (ppi_mpi_runs() && ppi_server_thread_may_call(s));
    if (!may_call) s->transport = NULL;
    ppi_ranks_stop(s, 0, 1);
    ppi_agent_close(&s->agent, 0);
    ppi_server_print(s, s->output);
    if (s->mpi && may_call) s->mpi->ops->close(s->mpi);
}
