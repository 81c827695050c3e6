/* Shared data in a rank other than 0: what the server says of it. */
#ifndef PPI_AGENT_SHARE_H
#define PPI_AGENT_SHARE_H

#include "share/share.h"
#include "transport/transport.h"
#include "wire/wire.h"
#include "worker/pool.h"

/* Before the workers start: uses the memory of the node's holder where that is allowed. */
void ppi_agent_join_holder(struct ppi_shared_store *store, struct ppi_pool *pool, const struct ppi_wire_welcome *welcome);

void ppi_agent_on_share(struct ppi_shared_store *store, struct ppi_transport *transport, const struct ppi_wire_record *record);
void ppi_agent_on_unshare(struct ppi_shared_store *store, const struct ppi_wire_unshare *w);
void ppi_agent_on_drop(struct ppi_shared_store *store, const struct ppi_wire_drop *w);

/* Gives a part of what was dropped back to the system; 0 when there is nothing. */
int ppi_agent_remove_dropped(struct ppi_shared_store *store);

#endif
