/* A rank that serves on the server's node. Data that is too large for a message need not be sent: arguments are read where
 * the server has them, and results stay in their worker's segment, which the server maps, until it gives them back. The
 * first large result of a worker is still sent, and its segment told of; those after the answer stay. */
#include "agent/serving.h"

#include "channel/peer_bell.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int ppi_serving_read_arguments(struct ppi_serving *s, const struct ppi_wire_welcome *w)
{
    int file = w->same_node ? ppi_peer_open((long)w->server_pid, w->arguments_fd, O_RDONLY) : -1;
    if (file < 0) return 0;
    int reads = ppi_peer_is_marked(file, offsetof(struct ppi_board, nonce), w->bell_nonce) &&
                ppi_peer_map(&s->workspace->server, file);
    if (reads && ppi_pool_map_server(s->pool, file) != PP_OK) {
        ppi_peer_unmap(&s->workspace->server);
        reads = 0;
    }
    close(file);
    return reads;
}

static void tell_of(struct ppi_serving *s, struct ppi_worker_segment *segment)
{
    struct stat file;
    if (segment->map.fd < 0 || fstat(segment->map.fd, &file) != 0) return;
    segment->peer_id = ++s->segments;
    struct ppi_wire_segment w = {
        .device = file.st_dev, .inode = file.st_ino, .id = segment->peer_id, .fd = segment->map.fd};
    ppi_serving_post(s, PPI_WIRE_SEGMENT, 0, &w, NULL, 0);
}

/* Where in the table of what is lent; UINT32_MAX without memory. */
static uint32_t find_place(struct ppi_serving *s)
{
    for (uint32_t n = 0; n < s->lent_room; n++) {
        uint32_t i = (s->lent_next + n) % s->lent_room;
        if (s->lent[i]) continue;
        s->lent_next = i;
        return i;
    }
    uint32_t room = s->lent_room ? 2 * s->lent_room : 64, first = s->lent_room;
    struct ppi_loan **grown = realloc(s->lent, room * sizeof(struct ppi_loan *));
    if (!grown) return UINT32_MAX;
    memset(grown + first, 0, (room - first) * sizeof(struct ppi_loan *));
    s->lent = grown;
    s->lent_room = room;
    return s->lent_next = first;
}

int ppi_serving_lend(struct ppi_serving *s, struct ppi_result *r, const struct ppi_wire_result *w)
{
    if (!s->lends || !r->loan) return 0;
    struct ppi_worker_segment *segment = r->loan->segment;
    if (!segment->peer_id) tell_of(s, segment);
    uint32_t place = segment->peer_reads ? find_place(s) : UINT32_MAX;
    if (place == UINT32_MAX) return 0;
    struct ppi_wire_place where = {.offset = r->loan->offset, .segment = segment->peer_id, .loan = place};
    s->lent[place] = r->loan;
    r->loan = NULL;
    ppi_serving_post(s, PPI_WIRE_RESULT, PPI_WIRE_IN_PLACE, w, &where, sizeof where);
    return 1;
}

void ppi_serving_mapped(struct ppi_serving *s, const struct ppi_wire_mapped *w)
{
    for (int i = 0; i < s->agent.slot_count; i++) {
        struct ppi_worker_segment *segment = s->agent.slots[i].segment;
        if (!segment || !segment->peer_id || segment->peer_id != w->segment) continue;
        segment->peer_reads = w->mapped;
        ppi_segment_close_fd(&segment->map);
    }
}

void ppi_serving_given_back(struct ppi_serving *s, uint32_t loan)
{
    if (loan >= s->lent_room || !s->lent[loan]) return;
    ppi_agent_return_loan(&s->agent, s->lent[loan]);
    s->lent[loan] = NULL;
    s->lent_next = loan; /* what comes next has most likely its memory too */
}

void ppi_serving_gone(void *ctx, uint32_t segment)
{
    ppi_serving_post(ctx, PPI_WIRE_GONE, 0, &(struct ppi_wire_gone){segment, 0}, NULL, 0);
}

void ppi_serving_take_all_back(struct ppi_serving *s)
{
    s->lends = 0;
    for (uint32_t i = 0; i < s->lent_room; i++) ppi_serving_given_back(s, i);
    free(s->lent);
    s->lent = NULL;
    s->lent_room = 0;
}
