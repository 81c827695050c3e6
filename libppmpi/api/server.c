/* The checks that most calls begin with; closing; what is told of the farm. */
#include "api/abort.h"
#include "api/adopt.h"
#include "api/check.h"
#include "api/open.h"

#include "base/role.h"
#include "base/status.h"
#include "server/callbacks.h"

#include <string.h>
#include <unistd.h>

#define SMALLEST_STATS (offsetof(pp_stats, bytes_out) + sizeof(uint64_t)) /* of the first version */
#define STRINGIFY(x) #x
#define VERSION(major, minor, patch) STRINGIFY(major) "." STRINGIFY(minor) "." STRINGIFY(patch)

const char *pp_version(void)
{
    return VERSION(PPMPI_VERSION_MAJOR, PPMPI_VERSION_MINOR, PPMPI_VERSION_PATCH);
}

/* ---- checks */

int ppi_check_place(const char *call)
{
    if (ppi_role_get() == PPI_ROLE_WORKER || pp_task_current())
        return ppi_error(PP_ERR_STATE, "%s cannot be called inside a task", call);
    long owner = ppi_open_belongs_to();
    if (owner)
        return ppi_error(PP_ERR_STATE, "%s: this is a forked child of the program; the server belongs to process %ld", call, owner);
    return PP_OK;
}

int ppi_check_server(const pp_server *server, const char *call)
{
    int status = ppi_check_place(call);
    if (status != PP_OK) return status;
    if (!server)
        return ppi_error(PP_ERR_ARG, "%s: server is NULL%s%s", call,
                         *ppi_open_why_not() ? "; opening it failed: " : "", ppi_open_why_not());
    if (server != ppi_server) return ppi_error(PP_ERR_ARG, "%s: server %p is not open", call, (const void *)server);
    return PP_OK;
}

int ppi_check_open(pp_server **server, const char *call)
{
    int status = ppi_check_place(call);
    if (status != PP_OK) return status;
    if (!ppi_server)
        return ppi_error(PP_ERR_HANDLE, "%s: no server is open, so there is no such future%s", call, ppi_error_before());
    *server = ppi_server;
    return PP_OK;
}

void ppi_server_adopt(pp_server *server)
{
    ppi_server = server;
    ppi_open_done();
}

int pp_server_close(pp_server *server)
{
    int status = ppi_check_server(server, "pp_server_close");
    if (status != PP_OK) return status;
    if (ppi_callbacks_here()) return ppi_error(PP_ERR_STATE, "pp_server_close cannot be called in a callback");
    if (server->mpi && server->mpi->threads != PPI_THREADS_OURS && !ppi_mpi_runs())
        return ppi_error(PP_ERR_STATE, "pp_server_close: MPI has been finalised; close the server before MPI_Finalize");
    if (server->options.stats) {
        ppi_lock_take(&server->lock);
        ppi_server_wait_all_tasks(server);
        ppi_lock_give(&server->lock);
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
    if (ppi_server && ppi_server->mpi && !ppi_open_belongs_to()) {
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
    ppi_lock_take(&server->lock);
    int workers = ppi_server_workers(server);
    ppi_lock_give(&server->lock);
    return workers;
}

int pp_set_ncpus(pp_server *server, int n)
{
    int status = ppi_check_server(server, "pp_set_ncpus");
    if (status != PP_OK) return status;
    if (n < 0 || n > PPI_WORKERS_MAX)
        return ppi_error(PP_ERR_ARG, "pp_set_ncpus: %d workers; 1 to %d, or PP_AUTODETECT", n, PPI_WORKERS_MAX);
    if (server->ranks[0].is_worker)
        return ppi_error(PP_ERR_UNSUPPORTED, "pp_set_ncpus: with PP_ISOLATE_NONE each rank runs one task at a time");
    ppi_lock_take(&server->lock);
    status = ppi_server_resize(server, n);
    ppi_lock_give(&server->lock);
    ppi_server_kick(server);
    return status;
}

int pp_get_active_nodes(pp_server *server, pp_node *nodes, int max)
{
    int status = ppi_check_server(server, "pp_get_active_nodes");
    if (status != PP_OK) return status;
    if (max < 0) return ppi_error(PP_ERR_ARG, "pp_get_active_nodes: max is %d", max);
    if (max > 0 && !nodes) return ppi_error(PP_ERR_ARG, "pp_get_active_nodes: nodes is NULL, but max is %d", max);
    ppi_lock_take(&server->lock);
    int count = ppi_server_nodes(server, nodes, max);
    ppi_lock_give(&server->lock);
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
    ppi_lock_take(&server->lock);
    pp_stats now;
    ppi_server_stats(server, &now);
    now.size = stats->size;
    memcpy(stats, &now, now.size);
    ppi_lock_give(&server->lock);
    return PP_OK;
}

int pp_print_stats(pp_server *server, FILE *stream)
{
    int status = ppi_check_server(server, "pp_print_stats");
    if (status != PP_OK) return status;
    if (!stream) return ppi_error(PP_ERR_ARG, "pp_print_stats: stream is NULL");
    return ppi_server_print_stats(server, stream);
}
