/* Large results of ranks on this node: they stay in the segment of their worker, which is mapped here, until the future is
 * released. A rank tells of each segment before it lends from there (SEGMENT, MAPPED); what cannot be mapped is streamed. */
#include "server/server.h"

#include "base/log.h"
#include "channel/peer_bell.h"
#include "channel/peer_memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct ppi_lent_segment {
    uint32_t id; /* the rank's name for it */
    int gone;    /* its worker has ended: nothing more comes */
    int loans;
    struct ppi_peer_memory memory;
    struct ppi_lent_segment *next;
};

struct lent { /* a loan of another rank */
    struct ppi_loan loan; /* without a segment: that tells it from our own workers' */
    struct ppi_lent_segment *segment;
    int rank;
    uint32_t name; /* the rank's */
};

static struct ppi_lent_segment **find(struct ppi_rank *r, uint32_t id)
{
    struct ppi_lent_segment **at = &r->lent;
    while (*at && (*at)->id != id) at = &(*at)->next;
    return at;
}

static void remove_unused(struct ppi_lent_segment **at)
{
    struct ppi_lent_segment *segment = *at;
    if (!segment || !segment->gone || segment->loans) return;
    *at = segment->next;
    ppi_peer_unmap(&segment->memory);
    free(segment);
}

static int is_that_file(int file, const struct ppi_wire_segment *w)
{
    struct stat s;
    return fstat(file, &s) == 0 && s.st_dev == w->device && s.st_ino == w->inode;
}

void ppi_lent_map(struct pp_server *s, int rank, const struct ppi_wire_segment *w)
{
    struct ppi_rank *r = &s->ranks[rank];
    struct ppi_lent_segment *segment = *find(r, w->id) || !r->bell ? NULL : calloc(1, sizeof *segment);
    int file = segment ? ppi_peer_open(r->pid, w->fd, O_RDONLY) : -1;
    int mapped = file >= 0 && is_that_file(file, w) && ppi_peer_map(&segment->memory, file);
    if (file >= 0) close(file);
    if (mapped) {
        segment->id = w->id;
        segment->next = r->lent;
        r->lent = segment;
    } else {
        free(segment);
        ppi_log(PP_LOG_INFO, "rank %d on %s sends its large results: its memory cannot be mapped", rank, r->host);
    }
    ppi_ranks_post(s, rank, PPI_WIRE_MAPPED, 0, &(struct ppi_wire_mapped){w->id, mapped}, NULL, 0);
}

struct ppi_loan *ppi_lent_take(struct pp_server *s, int rank, const struct ppi_wire_place *place, uint64_t bytes, const void **data)
{
    struct ppi_lent_segment *segment = *find(&s->ranks[rank], place->segment);
    struct lent *lent = segment && ppi_peer_has(&segment->memory, place->offset, bytes) ? calloc(1, sizeof *lent) : NULL;
    if (!lent) return NULL;
    *lent = (struct lent){.loan.bytes = bytes, .segment = segment, .rank = rank, .name = place->loan};
    segment->loans++;
    *data = segment->memory.base + place->offset;
    return &lent->loan;
}

void ppi_lent_gone(struct pp_server *s, int rank, uint32_t id)
{
    struct ppi_lent_segment **at = find(&s->ranks[rank], id);
    if (!*at) return;
    (*at)->gone = 1;
    remove_unused(at);
}

void ppi_server_return_loan(struct pp_server *s, struct ppi_loan *loan)
{
    if (loan->segment) {
        ppi_agent_return_loan(&s->agent, loan);
        return;
    }
    struct lent *lent = (struct lent *)loan;
    struct ppi_rank *r = &s->ranks[lent->rank];
    ppi_ranks_post(s, lent->rank, PPI_WIRE_GIVE_BACK, 0, &(struct ppi_wire_loan){lent->name, 0}, NULL, 0);
    lent->segment->loans--;
    remove_unused(find(r, lent->segment->id));
    free(lent);
}

void ppi_lent_lost(struct ppi_rank *r)
{
    for (struct ppi_lent_segment **at = &r->lent, *segment; (segment = *at);) {
        segment->gone = 1;
        remove_unused(at);
        if (*at == segment) at = &segment->next;
    }
}

void ppi_lent_close(struct ppi_rank *r)
{
    while (r->lent) {
        r->lent->gone = 1;
        r->lent->loans = 0;
        remove_unused(&r->lent);
    }
}
