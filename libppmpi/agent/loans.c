/* Results that stay in their worker's segment: lent, given back, and what becomes of their memory then. */
#include "agent/agent.h"

#include "base/memory.h"

#include <stdlib.h>

#define PAGE 4096

struct ppi_loan *ppi_loan_make(struct ppi_worker_segment *segment, uint64_t offset, uint64_t bytes, uint32_t block)
{
    struct ppi_loan *loan = malloc(sizeof *loan);
    if (!loan) return NULL;
    *loan = (struct ppi_loan){segment, offset, bytes, block, segment->lent, NULL};
    if (segment->lent) segment->lent->previous = loan;
    segment->lent = loan;
    segment->loans++;
    return loan;
}

static void unlink_loan(struct ppi_loan *loan)
{
    if (loan->next) loan->next->previous = loan->previous;
    if (loan->previous)
        loan->previous->next = loan->next;
    else
        loan->segment->lent = loan->next;
}

/* Where the block lies is the worker's word: if it is not true, others' results are not to suffer. */
static int overlaps(const struct ppi_loan *loan)
{
    for (const struct ppi_loan *other = loan->segment->lent; other; other = other->next)
        if (loan->offset < other->offset + other->bytes && other->offset < loan->offset + loan->bytes) return 1;
    return 0;
}

void ppi_agent_return_loan(struct ppi_agent *agent, struct ppi_loan *loan)
{
    struct ppi_worker_segment *segment = loan->segment;
    unlink_loan(loan);
    /* The worker gives large memory back too, but only when it next looks. */
    int stays = !segment->current || overlaps(loan) ||
                ppi_arena_keeps(&agent->workspace->arena, loan->bytes, segment->returned);
    if (stays) {
        segment->returned += loan->bytes;
        ppi_agent_loan_died(agent, loan);
    } else {
        loan->next = agent->dying;
        agent->dying = loan;
    }
}

struct ppi_loan *ppi_agent_dying_loan(struct ppi_agent *agent)
{
    struct ppi_loan *loan = agent->dying;
    if (loan) agent->dying = loan->next;
    return loan;
}

void ppi_loan_remove(const struct ppi_loan *loan)
{
    ppi_memory_remove(loan->segment->map.base + loan->offset, loan->bytes / PAGE * PAGE);
}

void ppi_agent_loan_died(struct ppi_agent *agent, struct ppi_loan *loan)
{
    struct ppi_worker_segment *segment = loan->segment;
    segment->loans--;
    if (segment->current) {
        ppi_channel_return_block(&agent->slots[segment->slot].channel, loan->block);
    } else if (segment->loans == 0) {
        ppi_segment_destroy(&segment->map);
        free(segment);
    }
    free(loan);
}
