/* The whole farm in one process: ranks are threads over the in-process transport, workers are threads of theirs. What
 * ThreadSanitizer can see whole. */
#ifndef TEST_THREAD_FARM_H
#define TEST_THREAD_FARM_H

#include "agent/serve.h"
#include "api/adopt.h"
#include "base/options.h"
#include "server/server.h"
#include "require.h"
#include "transport/transport.h"
#include "unit/random.h"

#include <ppmpi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FARM_RANKS_MOST 8
#define FARM_ARENA_BYTES ((uint64_t)512 << 20)

struct farm_rank {
    struct ppi_transport *transport;
    struct ppi_workspace workspace;
    struct ppi_pool *pool;
    struct ppi_topology topology;
    pthread_t thread;
    int status;
};

struct farm {
    struct farm_rank rank[FARM_RANKS_MOST];
    int ranks;
    pp_server *server;
};

static inline void *farm_serve(void *arg)
{
    struct farm_rank *r = arg;
    r->status = ppi_agent_serve(r->transport, &r->workspace, r->pool, &r->topology);
    r->transport->ops->close(r->transport);
    ppi_workspace_destroy(&r->workspace);
    return NULL;
}

/* options may be NULL; workers per rank as given. With PP_ISOLATE_NONE the ranks run the tasks themselves. */
static inline pp_server *farm_open(struct farm *farm, int ranks, int workers, const pp_options *options)
{
    struct ppi_transport *ends[FARM_RANKS_MOST] = {NULL};
    pp_options o = PP_OPTIONS_INIT;
    if (options) o = *options;
    o.workers = workers;
    memset(farm, 0, sizeof *farm);
    farm->ranks = ranks;
    REQUIRE(ppi_topology_load(&farm->rank[0].topology) == PP_OK);
    if (ranks > 1) REQUIRE(ppi_transport_loopback(ends, ranks) == PP_OK);
    for (int i = 0; i < ranks; i++) {
        struct farm_rank *r = &farm->rank[i];
        r->transport = ends[i];
        r->topology = farm->rank[0].topology;
        /* Those with memory of another size than rank 0 cannot use its shared data, and are sent it as other nodes are. */
        REQUIRE(ppi_workspace_create(&r->workspace, FARM_ARENA_BYTES + (i % 2 ? 4096 : 0)) == PP_OK);
        enum ppi_pool_kind kind = o.isolation == PP_ISOLATE_NONE ? PPI_POOL_RANK : PPI_POOL_THREADS;
        REQUIRE(ppi_pool_open(&r->pool, kind, &r->workspace) == PP_OK);
    }
    for (int i = 1; i < ranks; i++)
        REQUIRE(pthread_create(&farm->rank[i].thread, NULL, farm_serve, &farm->rank[i]) == 0);
    struct ppi_server_setup setup = {.topology = farm->rank[0].topology,
                                     .workspace = farm->rank[0].workspace,
                                     .pool = farm->rank[0].pool,
                                     .transport = ends[0]};
    REQUIRE(ppi_options_resolve(&o, &setup.options) == PP_OK);
    REQUIRE(ppi_server_create(&farm->server, &setup) == PP_OK);
    ppi_server_adopt(farm->server);
    return farm->server;
}

static inline void farm_close(struct farm *farm)
{
    REQUIRE(pp_server_close(farm->server) == PP_OK);
    for (int i = 1; i < farm->ranks; i++) {
        pthread_join(farm->rank[i].thread, NULL);
        REQUIRE(farm->rank[i].status == 0);
    }
}

#endif
