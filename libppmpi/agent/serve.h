/* A rank other than 0: an agent that takes its jobs from messages. */
#ifndef PPI_AGENT_SERVE_H
#define PPI_AGENT_SERVE_H

#include "agent/agent.h"
#include "transport/transport.h"

/* Serves until the server says stop; returns the exit status it asks for. Closes the agent and its pool, not the
 * transport. */
int ppi_agent_serve(struct ppi_transport *transport, struct ppi_workspace *workspace, struct ppi_pool *pool,
                    const struct ppi_topology *topology);

#endif
