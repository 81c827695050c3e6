/* Opening and closing, what is told of the farm. */
#include "api/abort.h"
#include "api/adopt.h"
#include "api/check.h"

#include "agent/serve.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/options.h"
#include "base/role.h"
#include "base/status.h"
#include "launch/launch.h"
#include "server/callbacks.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SMALLEST_STATS (offsetof(pp_stats, bytes_out) + sizeof(uint64_t)) /* of the first version */
#define STRINGIFY(x) #x
#define VERSION(major, minor, patch) STRINGIFY(major) "." STRINGIFY(minor) "." STRINGIFY(patch)

static pid_t opener;                /* the process that may use the server */
static int forked_child;            /* 1 in a child that the program has forked */
static int opened_before;
static char why_not_open[1024];     /* for programs that go on with the NULL that they got */

const char *pp_version(void)
{
    return VERSION(PPMPI_VERSION_MAJOR, PPMPI_VERSION_MINOR, PPMPI_VERSION_PATCH);
}

/* ---- checks */

int ppi_check_place(const char *call)
{
    if (ppi_role_get() == PPI_ROLE_WORKER || pp_task_current())
        return ppi_error(PP_ERR_STATE, "%s cannot be called inside a task", call);
    if (forked_child)
        return ppi_error(PP_ERR_STATE, "%s: this is a forked child of the program; the server belongs to process %ld", call,
                         (long)opener);
    return PP_OK;
}

int ppi_check_server(const pp_server *server, const char *call)
{
    int status = ppi_check_place(call);
    if (status != PP_OK) return status;
    if (!server)
        return ppi_error(PP_ERR_ARG, "%s: server is NULL%s%s", call, *why_not_open ? "; pp_server_open failed: " : "",
                         why_not_open);
    if (server != ppi_server) return ppi_error(PP_ERR_ARG, "%s: server %p is not open", call, (const void *)server);
    return PP_OK;
}

int ppi_check_open(pp_server **server, const char *call)
{
    int status = ppi_check_place(call);
    if (status != PP_OK) return status;
    if (!ppi_server) {
        const char *last = pp_last_error();
        return ppi_error(PP_ERR_HANDLE, "%s: no server is open, so there is no such future%s%s", call,
                         *last ? "; the last error was: " : "", last);
    }
    *server = ppi_server;
    return PP_OK;
}

/* ---- open */

static int check_supported(const pp_options *o)
{
    const char *what = o->isolation != PP_ISOLATE_PROCESS ? "isolation other than PP_ISOLATE_PROCESS"
                       : o->hosts && *o->hosts           ? "hosts"
                       : o->modules && *o->modules       ? "modules"
                                                         : NULL;
    if (!what) return PP_OK;
    return ppi_error(PP_ERR_UNSUPPORTED, "option %s is not supported in this version", what);
}

static int check_state(const struct ppi_launch *launch)
{
    if (ppi_role_get() == PPI_ROLE_WORKER || pp_task_current())
        return ppi_error(PP_ERR_STATE, "pp_server_open cannot be called inside a task");
    if (ppi_server) return ppi_error(PP_ERR_STATE, "a server is open already; one at a time");
    if (opened_before && launch->launched)
        return ppi_error(PP_ERR_STATE, "under a launcher the server can be opened once: the other ranks have ended");
    if (ppi_mpi_was_initialized())
        return ppi_error(PP_ERR_STATE, "MPI is initialised already; a program that runs MPI itself opens the server with pp_server_open_comm");
    return PP_OK;
}

static void on_fork(void)
{
    if (ppi_server) forked_child = 1;
}

static void close_at_exit(void)
{
    if (!ppi_server || opener != getpid() || ppi_role_get() != PPI_ROLE_SERVER) return;
    struct pp_server *server = ppi_server;
    ppi_server = NULL;
    ppi_server_abandon(server);
}

/* Opening has failed on rank 0 when the status is not 0: what its program has to say about that should come before the launcher
 * sees us fail, and ends the job. */
static _Noreturn void leave_with(int status)
{
    if (status != 0) usleep(300000);
    exit(status);
}

/* A rank other than 0. */
static _Noreturn void serve(struct ppi_server_setup *setup)
{
    struct sigaction now;
    ppi_role_set(PPI_ROLE_AGENT);
    /* A launcher sends it to all ranks; it is rank 0 that prints the statistics. */
    if (sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == SIG_DFL) signal(SIGUSR1, SIG_IGN);
    int status = ppi_agent_serve(setup->transport, &setup->workspace, setup->pool, &setup->topology);
    setup->transport->ops->close(setup->transport);
    leave_with(status);
}

/* A program may be started with closed standard streams. What we open must not get their numbers: it would be printed
 * into. */
static void occupy_standard_streams(void)
{
    int fd;
    do fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) close(fd);
}

static int open_in_order(struct ppi_server_setup *setup, const struct ppi_launch *launch, int *argc, char ***argv)
{
    occupy_standard_streams();
    int status = ppi_topology_load(&setup->topology);
    if (status != PP_OK) return status;
    if ((status = ppi_workspace_create(&setup->workspace, 0)) != PP_OK) return status;
    /* Before MPI_Init: workers must know nothing of MPI. */
    if ((status = ppi_pool_open(&setup->pool, PPI_POOL_PROCESSES, &setup->workspace)) != PP_OK) goto no_pool;
    if (launch->launched || setup->options.mpi == PP_MPI_ALWAYS) {
        status = ppi_transport_mpi(&setup->transport, argc, argv, launch->launched ? launch->size : 0, launch->launcher);
        if (status != PP_OK) goto no_mpi;
        if (setup->transport->rank > 0) serve(setup);
    }
    if (setup->transport && setup->transport->size > 1) ppi_log_rank(0);
    status = ppi_server_create(&ppi_server, setup);
    if (status == PP_OK) return PP_OK;
    if (setup->transport) setup->transport->ops->close(setup->transport);
    return status; /* the server has cleared up the rest */

no_mpi:
    ppi_pool_close(setup->pool);
no_pool:
    ppi_workspace_destroy(&setup->workspace);
    return status;
}

static int read_options(const pp_options *options, const struct ppi_launch *launch, pp_options *out)
{
    static const pp_options defaults = PP_OPTIONS_INIT;
    int status = ppi_options_resolve(options, out);
    if (status == PP_OK) status = check_supported(out);
    if (status == PP_OK || launch->rank <= 0 || launch->size < 2) return status;
    /* It is for rank 0 to refuse; it also tells the others what they need to know. */
    ppi_error_clear();
    *out = defaults;
    return PP_OK;
}

/* Opening failed before MPI was initialised. Does not return in ranks other than 0. */
static void tell_others(const struct ppi_launch *launch, int *argc, char ***argv, int status)
{
    char why[1024];
    snprintf(why, sizeof why, "%s", pp_last_error());
    struct ppi_transport *transport = NULL;
    if (ppi_transport_mpi(&transport, argc, argv, launch->size, launch->launcher) == PP_OK) {
        int rank = transport->rank;
        ppi_server_refuse(transport, why);
        transport->ops->close(transport);
        if (rank > 0) leave_with(1);
        opened_before = 1;
    }
    ppi_error(status, "%s", why);
}

pp_server *pp_server_open(int *argc, char ***argv, const pp_options *options)
{
    static int registered;
    struct ppi_launch launch;
    struct ppi_server_setup setup;
    memset(&setup, 0, sizeof setup);
    ppi_launch_detect(&launch);
    ppi_error_clear();
    int status = check_state(&launch);
    if (status == PP_OK) status = read_options(options, &launch, &setup.options);
    if (status == PP_OK) {
        ppi_log_init(setup.options.log_level);
        if (launch.rank > 0) ppi_log_rank(launch.rank);
        opener = getpid();
        status = open_in_order(&setup, &launch, argc, argv);
    }
    if (status != PP_OK) {
        if (launch.launched && launch.size != 1 && status != PP_ERR_STATE && !ppi_mpi_was_initialized())
            tell_others(&launch, argc, argv, status);
        if (status == PP_ERR_MPI) ppi_log(PP_LOG_ERROR, "%s", pp_last_error());
        snprintf(why_not_open, sizeof why_not_open, "%s", pp_last_error());
        return NULL;
    }
    why_not_open[0] = '\0';
    opened_before = 1;
    ppi_role_set(PPI_ROLE_SERVER);
    if (!registered) registered = atexit(close_at_exit) == 0 && pthread_atfork(NULL, NULL, on_fork) == 0;
    return ppi_server;
}

void ppi_server_adopt(pp_server *server)
{
    opener = getpid();
    why_not_open[0] = '\0';
    opened_before = 1;
    ppi_role_set(PPI_ROLE_SERVER);
    ppi_server = server;
}

int pp_server_close(pp_server *server)
{
    int status = ppi_check_server(server, "pp_server_close");
    if (status != PP_OK) return status;
    if (ppi_callbacks_here()) return ppi_error(PP_ERR_STATE, "pp_server_close cannot be called in a callback");
    if (server->options.stats) {
        pthread_mutex_lock(&server->lock);
        ppi_server_wait_all_tasks(server);
        pthread_mutex_unlock(&server->lock);
        ppi_server_print_stats(server, stdout);
    }
    ppi_server_destroy(server);
    ppi_server = NULL;
    ppi_role_set(PPI_ROLE_NONE);
    return PP_OK;
}

void ppi_abort_job(const char *message)
{
    fflush(stdout);
    fprintf(stderr, "ppmpi: %s\n", message);
    fflush(stderr);
    if (ppi_server && ppi_server->mpi && !forked_child) {
        usleep(200000); /* a launcher that is told to abort may drop what it has not read yet, the message too */
        ppi_server->mpi->ops->abort(ppi_server->mpi, 1);
    }
    _exit(1); /* the workers end with us */
}

/* ---- what there is */

int pp_get_ncpus(pp_server *server)
{
    int status = ppi_check_server(server, "pp_get_ncpus");
    if (status != PP_OK) return status;
    pthread_mutex_lock(&server->lock);
    int workers = ppi_server_workers(server);
    pthread_mutex_unlock(&server->lock);
    return workers;
}

int pp_set_ncpus(pp_server *server, int n)
{
    int status = ppi_check_server(server, "pp_set_ncpus");
    if (status != PP_OK) return status;
    if (n < 0 || n > PPI_WORKERS_MAX)
        return ppi_error(PP_ERR_ARG, "pp_set_ncpus: %d workers; 1 to %d, or PP_AUTODETECT", n, PPI_WORKERS_MAX);
    if (n == PP_AUTODETECT) n = server->topology.limit / server->options.cores_per_worker;
    if (n < 1) n = 1;
    pthread_mutex_lock(&server->lock);
    status = ppi_agent_resize(&server->agent, n);
    ppi_scheduler_set_workers(&server->scheduler, 0, ppi_agent_takers(&server->agent));
    pthread_mutex_unlock(&server->lock);
    ppi_server_kick(server);
    return status;
}

int pp_get_active_nodes(pp_server *server, pp_node *nodes, int max)
{
    int status = ppi_check_server(server, "pp_get_active_nodes");
    if (status != PP_OK) return status;
    if (max < 0) return ppi_error(PP_ERR_ARG, "pp_get_active_nodes: max is %d", max);
    if (max > 0 && !nodes) return ppi_error(PP_ERR_ARG, "pp_get_active_nodes: nodes is NULL, but max is %d", max);
    pthread_mutex_lock(&server->lock);
    int count = ppi_server_nodes(server, nodes, max);
    pthread_mutex_unlock(&server->lock);
    return count;
}

int pp_get_stats(pp_server *server, pp_stats *stats)
{
    int status = ppi_check_server(server, "pp_get_stats");
    if (status != PP_OK) return status;
    if (!stats) return ppi_error(PP_ERR_ARG, "pp_get_stats: stats is NULL");
    if (stats->size < SMALLEST_STATS || stats->size > sizeof *stats)
        return ppi_error(PP_ERR_ARG, "pp_get_stats: stats->size is %zu; set it to sizeof(pp_stats), %zu", stats->size,
                         sizeof *stats);
    pthread_mutex_lock(&server->lock);
    pp_stats now;
    ppi_server_stats(server, &now);
    now.size = stats->size;
    memcpy(stats, &now, now.size);
    pthread_mutex_unlock(&server->lock);
    return PP_OK;
}

int pp_print_stats(pp_server *server, FILE *stream)
{
    int status = ppi_check_server(server, "pp_print_stats");
    if (status != PP_OK) return status;
    if (!stream) return ppi_error(PP_ERR_ARG, "pp_print_stats: stream is NULL");
    return ppi_server_print_stats(server, stream);
}
