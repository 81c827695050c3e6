/* A rank that cannot open: the others must hear of it. A process that leaves before MPI_Init lets them wait in theirs,
 * for ever under some launchers; so MPI is initialised first. Rank 0 tells the others to stop. Another rank has
 * nobody to tell: it stops when rank 0 has the same trouble, and ends the job otherwise. */
#include "server/server.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>
#include <unistd.h>

#define PATIENCE_OF_RANK_0_NS (10 * PPI_NS_PER_S)
#define PATIENCE_NS PPI_NS_PER_S
#define PAUSE_US 200

static void tell(struct ppi_transport *t, int peer, enum ppi_wire_kind kind, const void *fixed)
{
    struct ppi_wire_writer out = {0};
    if (ppi_wire_put(&out, kind, 0, fixed, NULL, 0) == PP_OK) t->ops->send(t, peer, out.message, out.bytes);
}

/* How many records of that kind have come. */
static int hear(struct ppi_transport *t, enum ppi_wire_kind kind)
{
    int peer, count = 0;
    char *message;
    size_t bytes;
    if (!t->ops->progress(t)) usleep(PAUSE_US);
    while (t->ops->receive(t, &peer, &message, &bytes)) {
        struct ppi_wire_reader reader;
        struct ppi_wire_record record;
        if (ppi_wire_open(&reader, message, bytes) == PP_OK)
            while (ppi_wire_next(&reader, &record) > 0) count += record.kind == kind;
        free(message);
    }
    return count;
}

void ppi_server_refuse(struct ppi_transport *t, const char *why)
{
    int first = t->rank == 0, wanted = first ? t->size - 1 : 1, heard = 0;
    uint64_t until = ppi_now_ns() + (first ? PATIENCE_OF_RANK_0_NS : PATIENCE_NS);
    for (int i = 1; first && i < t->size; i++) tell(t, i, PPI_WIRE_STOP, &(struct ppi_wire_stop){.status = 1, .at_once = 1});
    while (heard < wanted && ppi_now_ns() < until) heard += hear(t, first ? PPI_WIRE_BYE : PPI_WIRE_STOP);
    if (heard < wanted) {
        ppi_log_rank(t->rank);
        ppi_log(PP_LOG_ERROR, "%s", why);
        usleep(200000); /* a launcher that is told to abort may drop what it has not read yet */
        t->ops->abort(t, 1);
    }
    if (!first) tell(t, 0, PPI_WIRE_BYE, &(struct ppi_wire_bye){1, 0});
    while (t->ops->busy(t) && ppi_now_ns() < until) hear(t, PPI_WIRE_NONE);
}
