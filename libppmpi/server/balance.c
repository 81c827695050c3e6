/* Tasks that wait behind a long one, while a worker of another rank has nothing to do, are taken back and given to it. */
#include "server/server.h"

#include "base/clock.h"

#define LOOK_NS 1000000ull  /* between two looks */
#define IN_VAIN_NS 50000000ull /* an agent that had nothing to give back is not asked again for so long */
#define QUIET_NS 1000000ull /* an agent from which nothing came for so long is not getting on with what it has */

/* The agent that has most waiting and gets on with nothing, -1 when there is none or nobody is idle. */
static int find_victim(struct pp_server *s, uint64_t now_ns, uint64_t *waiting)
{
    int victim = -1, idle = 0;
    *waiting = 0;
    s->uneven = 0;
    for (int i = 0; i < s->rank_count; i++) {
        const struct ppi_scheduler_agent *a = &s->scheduler.agents[i];
        uint64_t workers = (uint64_t)a->workers;
        if (a->given < workers) idle = 1;
        if (a->given <= workers || workers == 0) continue; /* one without workers has given back what it can */
        s->uneven = 1;
        if (s->ranks[i].recalling || now_ns < s->ranks[i].last_result_ns + QUIET_NS || a->given - workers <= *waiting) continue;
        *waiting = a->given - workers;
        victim = i;
    }
    if (!idle) s->uneven = 0;
    return idle ? victim : -1;
}

static void returned_here(void *ctx, const struct ppi_job *job)
{
    ppi_server_returned(ctx, 0, job->id, job->attempt);
}

void ppi_server_balance(struct pp_server *s, uint64_t now_ns)
{
    if (!s->transport || (s->scheduler.ready && !s->scheduler.waiting_for_others) || s->assigned == 0) {
        s->uneven = 0;
        return;
    }
    if (now_ns < s->next_balance_ns) return;
    s->next_balance_ns = now_ns + LOOK_NS;
    uint64_t waiting;
    int victim = find_victim(s, now_ns, &waiting);
    if (victim < 0) return;
    uint64_t count = (waiting + 1) / 2;
    if (victim == 0) {
        ppi_agent_give_up(&s->agent, count, returned_here, s);
        return;
    }
    s->ranks[victim].recalling = 1;
    s->ranks[victim].returned = 0;
    ppi_ranks_post(s, victim, PPI_WIRE_RECALL, 0, &(struct ppi_wire_recall){count}, NULL, 0);
    s->outbox_urgent = 1;
}

void ppi_server_returned(struct pp_server *s, int rank, uint64_t id, uint16_t attempt)
{
    uint32_t index;
    struct ppi_task *t = ppi_store_find(&s->store, id, &index);
    if (!t || t->agent != rank || t->attempts != attempt || (t->state != PPI_TASK_ASSIGNED && t->state != PPI_TASK_CANCELLING))
        return;
    if (t->state == PPI_TASK_CANCELLING || !ppi_server_requeue(s, index)) {
        ppi_server_end(s, index, t->state == PPI_TASK_CANCELLING ? PP_ERR_CANCELLED : PP_ERR_NOMEM, "");
        return;
    }
    ppi_scheduler_finished(&s->scheduler, rank, 0);
    s->assigned--;
    s->ranks[rank].returned++;
}

void ppi_server_recalled(struct pp_server *s, int rank)
{
    s->ranks[rank].recalling = 0;
    /* What it has are tasks that run, on workers that are to go. */
    if (s->ranks[rank].returned == 0) s->ranks[rank].last_result_ns = ppi_now_ns() + IN_VAIN_NS;
}
