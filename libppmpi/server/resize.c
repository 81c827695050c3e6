/* How many workers rank 0's node has, while tasks run. The ranks of the node share them. */
#include "server/server.h"

#include "base/status.h"

#include <stdlib.h>

static int can_have_workers(const struct pp_server *s, int rank)
{
    const struct ppi_rank *r = &s->ranks[rank];
    if (r->node != s->ranks[0].node || r->lost || r->barren || r->is_worker) return 0;
    return rank > 0 || !s->agent.hopeless;
}

/* wanted[]: of each rank. By the rule, or in proportion to it: the next worker goes where most are missing. */
static int share_out(const struct pp_server *s, int workers, int *wanted)
{
    int able = 0;
    for (int i = 0; i < s->rank_count; i++) {
        wanted[i] = workers == PP_AUTODETECT && can_have_workers(s, i) ? s->ranks[i].by_rule : 0;
        able += can_have_workers(s, i);
    }
    for (int n = 0; n < workers && able; n++) {
        int next = -1;
        for (int i = 0; i < s->rank_count; i++) {
            if (!can_have_workers(s, i)) continue;
            if (next < 0 || (wanted[i] + 1) * s->ranks[next].by_rule < (wanted[next] + 1) * s->ranks[i].by_rule) next = i;
        }
        wanted[next]++;
    }
    return able;
}

static void resize_other(struct pp_server *s, int rank, int workers)
{
    struct ppi_rank *r = &s->ranks[rank];
    if (r->workers == workers && r->resizing == 0) return;
    r->workers = workers;
    r->resizing++;
    ppi_ranks_post(s, rank, PPI_WIRE_RESIZE, 0, &(struct ppi_wire_resize){workers, 0}, NULL, 0);
    s->outbox_urgent = 1;
    ppi_scheduler_resize(&s->scheduler, rank, workers);
}

int ppi_server_resize(struct pp_server *s, int workers)
{
    int *wanted = calloc((size_t)s->rank_count, sizeof *wanted), status = PP_OK;
    if (!wanted) return ppi_error(PP_ERR_NOMEM, "no memory to share out %d workers", workers);
    if (!share_out(s, workers, wanted)) {
        free(wanted);
        return ppi_error(PP_ERR_SYSTEM, "no worker can be had on %s: %s", s->ranks[0].host, s->agent.why);
    }
    for (int i = 1; i < s->rank_count; i++)
        if (can_have_workers(s, i)) resize_other(s, i, wanted[i]);
    if (can_have_workers(s, 0)) status = ppi_agent_resize(&s->agent, wanted[0]);
    ppi_server_know_workers(s);
    free(wanted);
    return status;
}

void ppi_server_know_workers(struct pp_server *s)
{
    const struct ppi_agent *agent = &s->agent;
    int workers = agent->alive;
    if (agent->hopeless) {
        /* Somebody has to take what comes, to fail it, and other ranks have no workers either. */
        if (s->scheduler.workers > 0) return;
        workers = 1;
    }
    /* Those that are wanted again come when those in their place have gone; ones that fail to start go. While there is none
     * at all, tasks wait at the agent for the next one. */
    if (workers && workers != s->scheduler.agents[0].workers) ppi_scheduler_resize(&s->scheduler, 0, workers);
}
