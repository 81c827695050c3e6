/* Farms of programs that run MPI themselves: pp_prepare, pp_server_open_comm. */
#include "api/open.h"

#include "agent/serve.h"
#include "base/log.h"
#include "base/role.h"
#include "base/status.h"
#include "server/report.h"

#include <ppmpi_mpi.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* What pp_prepare has made: it outlives the farms that use it. */
static struct {
    int called, status, signal_was_free;
    char why[512];
    struct ppi_topology topology;
    struct ppi_workspace workspace;
    struct ppi_pool *pool;
} prepared;

static int prepare(void)
{
    int status = ppi_open_check_place("pp_prepare");
    if (status != PP_OK) return status;
    if (ppi_mpi_was_initialized()) return ppi_error(PP_ERR_STATE, "pp_prepare: MPI is initialised already: call it before MPI_Init");
    status = ppi_open_make_workers(PPI_POOL_PROCESSES, &prepared.topology, &prepared.workspace, &prepared.pool);
    if (status != PP_OK) return status;
    prepared.pool->kept = prepared.workspace.kept = 1;
    prepared.signal_was_free = ppi_report_signal_is_free();
    return PP_OK;
}

void pp_prepare(void)
{
    if (prepared.called) return;
    int status = prepare();
    if (ppi_role_get() == PPI_ROLE_WORKER || pp_task_current()) return; /* in a task: it is not for this process */
    prepared.called = 1;
    prepared.status = status;
    if (status != PP_OK) snprintf(prepared.why, sizeof prepared.why, "%s", pp_last_error());
}

/* What this rank has to say before the farm is opened; the others hear of it. */
static int check(const pp_options *options, pp_options *out, int rank)
{
    static const pp_options defaults = PP_OPTIONS_INIT;
    int status = ppi_open_check_place("pp_server_open_comm");
    if (status == PP_OK && prepared.called && prepared.status != PP_OK)
        status = ppi_error(prepared.status, "pp_prepare has failed: %s", prepared.why);
    if (status == PP_OK && prepared.called && (prepared.pool->broken || !prepared.pool->kept))
        status = ppi_error(PP_ERR_SYSTEM, "the fork server that pp_prepare made has died");
    *out = defaults;
    if (status != PP_OK || rank > 0) return status;
    pp_options wanted = defaults;
    if (options) wanted = *options;
    if (!prepared.called && (!options || options->size == sizeof *options)) wanted.isolation = PP_ISOLATE_NONE;
    status = ppi_open_read_options(&wanted, out);
    if (status == PP_OK && !prepared.called && out->isolation != PP_ISOLATE_NONE)
        status = ppi_error(PP_ERR_STATE, "worker processes are asked for, but pp_prepare was not called before MPI_Init");
    return status;
}

static int make_workers(struct ppi_server_setup *setup, int in_rank)
{
    if (!in_rank) {
        setup->topology = prepared.topology;
        setup->pool = prepared.pool;
        setup->signal_was_free = prepared.signal_was_free;
        ppi_workspace_renew(&prepared.workspace, &setup->workspace);
        return ppi_pool_map_shared(prepared.pool, setup->workspace.shared.fd); /* a farm before may have had it map another */
    }
    return ppi_open_make_workers(PPI_POOL_RANK, &setup->topology, &setup->workspace, &setup->pool);
}

static void serve(struct ppi_server_setup *setup)
{
    struct sigaction before;
    ppi_role_set(PPI_ROLE_AGENT);
    ppi_open_ignore_signals(&before);
    setup->pool->workspace = &setup->workspace;
    int status = ppi_agent_serve(setup->transport, &setup->workspace, setup->pool, &setup->topology);
    if (prepared.pool) prepared.pool->workspace = &prepared.workspace;
    ppi_workspace_destroy(&setup->workspace);
    ppi_open_restore_signals(&before);
    ppi_role_set(PPI_ROLE_NONE);
    if (status != PP_OK)
        ppi_error(PP_ERR_LOST, "the server on rank 0 of the communicator could not be opened, or its program has ended");
    else
        ppi_error_clear();
}

/* The last step before serving or being served, in which a rank may still fail: the others hear of it, too. */
static int open_on(struct ppi_server_setup *setup, MPI_Comm comm, const pp_options *options)
{
    int rank = 0, choice;
    MPI_Comm_rank(comm, &rank);
    int status = check(options, &setup->options, rank);
    choice = setup->options.isolation == PP_ISOLATE_NONE;
    status = ppi_transport_comm(&setup->transport, &comm, status, &choice);
    if (status != PP_OK) return status;
    struct ppi_transport *transport = setup->transport;
    if (!choice && !prepared.called)
        status = ppi_error(PP_ERR_STATE, "pp_prepare was called on rank 0 of the communicator, but not on rank %d", rank);
    int made = status == PP_OK ? make_workers(setup, choice) : status;
    status = ppi_transport_agree(transport, made);
    if (status != PP_OK) {
        if (made == PP_OK) {
            ppi_pool_close(setup->pool);
            ppi_workspace_destroy(&setup->workspace);
        }
        transport->ops->close(transport);
        return status;
    }
    transport->finalizing = rank == 0 ? ppi_open_abandon : NULL;
    if (rank > 0) {
        serve(setup);
    } else {
        ppi_log_init(setup->options.log_level);
        if (transport->size > 1) ppi_log_rank(0);
        status = ppi_server_create(&ppi_server, setup);
        if (status == PP_OK) return PP_OK;
    }
    transport->ops->close(transport);
    return status;
}

pp_server *pp_server_open_comm(MPI_Comm comm, const pp_options *options)
{
    struct ppi_server_setup setup;
    memset(&setup, 0, sizeof setup);
    ppi_error_clear();
    int status = PP_OK;
    /* What follows is collective: who cannot take part in it can only say so here. */
    if (!ppi_mpi_runs())
        status = ppi_error(PP_ERR_STATE, "pp_server_open_comm: MPI is not initialised, or has been finalised");
    else if (comm == MPI_COMM_NULL)
        status = ppi_error(PP_ERR_ARG, "pp_server_open_comm: the communicator is MPI_COMM_NULL");
    if (status == PP_OK) status = open_on(&setup, comm, options);
    if (status != PP_OK) {
        ppi_open_failed();
        return NULL;
    }
    if (!ppi_server) return NULL; /* a rank that has served */
    ppi_open_done();
    return ppi_server;
}

pp_server *pp_server_open_comm_f(MPI_Fint comm, const pp_options *options)
{
    return pp_server_open_comm(ppi_mpi_runs() ? MPI_Comm_f2c(comm) : MPI_COMM_NULL, options);
}
