/* A farm of many ranks in simulated time: the library's server and agents, over its own transport on SimGrid's MPI, each rank
 * on a node of its own and with PP_ISOLATE_NONE its own worker, or with --workers so many simulated ones. Prints how much of the
 * workers' time went into tasks.
 *
 *     smpirun … farm.so --tasks-each 100 --ms 10 [--workers 64]
 *
 * All ranks are fibres of one process, so what the library keeps per process is shared: there is one server, in rank 0.
 */
#include "smpi/charge.h"
#include "smpi/order.h"
#include "require.h"
#include "smpi/pool.h"
#include "unit/random.h"

#include "agent/serve.h"
#include "api/adopt.h"
#include "base/clock.h"
#include "base/options.h"
#include "server/server.h"
#include "transport/transport.h"
#include "worker/worker.h"

#include <mpi.h>
#include <ppmpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define ARENA_BYTES ((uint64_t)16 << 20)
#define SUBMIT_NS 75.0 /* what pp_submit and pp_fetch take, see libppmpi/SPEED.md */
#define FETCH_NS 40.0

struct options {
    uint64_t tasks_each;
    double ms, spread; /* what a task takes, and by what part of that it may be more or less */
    double least;      /* efficiency, below which the run fails */
    int workers;       /* of each rank, simulated; 0 = each rank but the first is one */
};

static void compute(pp_task *task)
{
    const struct order *o = pp_task_args(task, NULL);
    uint64_t *y = pp_task_result(task, sizeof *y);
    *y = order_result(o);
    ppi_task_end(task); /* other ranks run meanwhile in the same thread, which must not count as inside a task */
    simulated_use(o->seconds);
}

static struct ppi_topology topology; /* of all ranks alike, looked up once */

static void open_rank(struct ppi_transport *transport, struct ppi_workspace *workspace, struct ppi_pool **pool, int workers)
{
    if (transport->rank == 0) REQUIRE(ppi_topology_load(&topology) == PP_OK);
    MPI_Barrier(MPI_COMM_WORLD);
    REQUIRE(ppi_workspace_create(workspace, ARENA_BYTES) == PP_OK);
    REQUIRE((workers ? simulated_pool_open(pool, workspace) : ppi_pool_open(pool, PPI_POOL_RANK, workspace)) == PP_OK);
}

static pp_server *open_server(struct ppi_transport *transport, int workers)
{
    pp_options o = PP_OPTIONS_INIT;
    if (workers == 0) o.isolation = PP_ISOLATE_NONE;
    o.workers = workers;
    struct ppi_server_setup setup = {.transport = transport};
    pp_server *server;
    open_rank(transport, &setup.workspace, &setup.pool, workers);
    setup.topology = topology;
    REQUIRE(ppi_options_resolve(&o, &setup.options) == PP_OK);
    REQUIRE(ppi_server_create(&server, &setup) == PP_OK);
    ppi_server_adopt(server);
    return server;
}

/* From -1 to 1, evenly. */
static double any_of_one(uint64_t i)
{
    struct random r = {i};
    return (double)(random_next(&r) >> 11) / (double)(1ull << 52) - 1;
}

/* Returns the efficiency: the part of the workers' time that went into tasks. */
static double farm(pp_server *s, const struct options *o, int ranks)
{
    int workers = o->workers ? o->workers * ranks : ranks - 1;
    uint64_t tasks = o->tasks_each * (uint64_t)workers, sum = 0, expected = 0;
    pp_future *f = malloc(tasks * sizeof *f);
    REQUIRE(f);
    double work = 0;
    uint64_t began = ppi_now_ns();
    for (uint64_t i = 0; i < tasks; i++) {
        struct order order = {i, o->ms / 1e3 * (1 + o->spread * any_of_one(i))};
        work += order.seconds;
        REQUIRE((f[i] = pp_submit(s, compute, &order, sizeof order)).id);
        expected += order_result(&order);
        charge(SUBMIT_NS);
    }
    for (uint64_t i = 0; i < tasks; i++) {
        uint64_t y;
        REQUIRE(pp_fetch(f[i], &y, sizeof y) == PP_OK);
        sum += y;
        charge(FETCH_NS);
    }
    double seconds = (double)(ppi_now_ns() - began) / 1e9;
    REQUIRE(sum == expected);
    struct charges spent = charges_so_far();
    double efficiency = work / (seconds * (double)workers);
    printf("program=farm ranks=%d workers=%d tasks=%llu ms=%g spread=%g seconds=%.4f efficiency=%.4f "
           "sent=%llu received=%llu server_busy=%.3f\n",
           ranks, workers, (unsigned long long)tasks, o->ms, o->spread, seconds,
           efficiency, (unsigned long long)spent.sent,
           (unsigned long long)spent.received, spent.seconds / seconds);
    fflush(stdout);
    free(f);
    return efficiency;
}

static int parse(int argc, char **argv, struct options *o)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--tasks-each") == 0)
            o->tasks_each = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--ms") == 0)
            o->ms = strtod(argv[i + 1], NULL);
        else if (strcmp(argv[i], "--spread") == 0)
            o->spread = strtod(argv[i + 1], NULL);
        else if (strcmp(argv[i], "--workers") == 0)
            o->workers = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--least") == 0)
            o->least = strtod(argv[i + 1], NULL);
        else
            return 0;
    }
    return argc % 2 == 1 && o->tasks_each > 0 && o->ms > 0 && o->spread >= 0 && o->spread < 1 && o->workers >= 0 &&
           o->workers <= PPI_WORKERS_MAX;
}

/* Each rank has three descriptors of its own. */
static void allow_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    struct options o = {.tasks_each = 100, .ms = 10};
    struct ppi_transport *transport;
    allow_descriptors();
    /* This MPI says that it may be called by one thread only, which is what there is. */
    REQUIRE(ppi_transport_mpi(&transport, &argc, &argv, 0, "smpirun", 1) == PP_OK);
    transport->threads = PPI_THREADS_OURS;
    if (!parse(argc, argv, &o)) {
        if (transport->rank == 0)
            fprintf(stderr, "usage: farm [--tasks-each N] [--ms MS] [--spread PART] [--workers N] [--least EFFICIENCY]\n");
        transport->ops->close(transport);
        return 2;
    }
    simulated_use(1); /* a clock that shows 0 is taken for none */
    if (transport->rank == 0) {
        int ranks = transport->size;
        pp_server *s = open_server(charge_transport(transport), o.workers);
        int enough = farm(s, &o, ranks) >= o.least;
        REQUIRE(pp_server_close(s) == PP_OK);
        if (!enough) fprintf(stderr, "farm: less than the efficiency that was asked for, %g\n", o.least);
        return !enough;
    }
    struct ppi_workspace workspace;
    struct ppi_pool *pool;
    open_rank(transport, &workspace, &pool, o.workers);
    int status = ppi_agent_serve(transport, &workspace, pool, &topology);
    transport->ops->close(transport);
    ppi_workspace_destroy(&workspace);
    return status;
}
