/* Cancelling: a queued task ends here; one that an agent has is ended there. */
#include "server/server.h"

#include "base/status.h"

int ppi_server_cancel(struct pp_server *s, uint32_t index)
{
    struct ppi_task *t = ppi_store_at(&s->store, index);
    uint64_t id = ppi_task_id_of(t, index);
    if (t->state == PPI_TASK_FINISHED || t->stored) return PP_END;
    if (t->state == PPI_TASK_QUEUED) {
        ppi_server_end(s, index, PP_ERR_CANCELLED, "");
        return PP_OK;
    }
    if (t->state == PPI_TASK_CANCELLING) return PP_OK;
    if (s->ranks[t->agent].is_worker && ppi_server_find_running(s, t, index, &(int){0}, &(long){0}, &(uint64_t){0}))
        return ppi_error(PP_ERR_UNSUPPORTED, "task %llu runs in rank %d itself and cannot be ended", (unsigned long long)t->number,
                         t->agent);
    ppi_task_apply(t, PPI_EVENT_CANCEL);
    if (t->agent == 0) {
        ppi_agent_cancel(&s->agent, id, t->attempts);
    } else {
        struct ppi_wire_cancel w = {.id = id, .attempt = t->attempts};
        ppi_ranks_post(s, t->agent, PPI_WIRE_CANCEL, 0, &w, NULL, 0);
        s->outbox_urgent = 1;
    }
    return PP_OK;
}
