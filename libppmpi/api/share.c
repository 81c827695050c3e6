/* Data that every task needs. */
#include "api/check.h"

#include "base/status.h"
#include "worker/worker.h"

#include <unistd.h>

#define PAUSE_US 20

int pp_share(pp_server *server, const void *data, size_t bytes, pp_shared *out)
{
    int status = ppi_check_server(server, "pp_share");
    if (status != PP_OK) return status;
    if (!out) return ppi_error(PP_ERR_ARG, "pp_share: the address for the pp_shared is NULL");
    if (!data && bytes) return ppi_error(PP_ERR_ARG, "pp_share: data is NULL, but bytes is %zu", bytes);
    uint64_t id;
    status = ppi_shares_share(server, data, bytes, &id);
    if (status == PP_OK) out->id = id;
    return status;
}

int pp_unshare(pp_server *server, pp_shared shared)
{
    int status = ppi_check_server(server, "pp_unshare");
    return status == PP_OK ? ppi_shares_unshare(server, shared.id) : status;
}

const void *pp_shared_data(pp_shared shared, size_t *bytes)
{
    const struct ppi_worker *worker = ppi_worker_here();
    const struct ppi_workspace *workspace;
    uint64_t number = PPI_SHARED_ALL;
    if (worker) {
        workspace = worker->workspace;
        number = worker->task.job->number;
    } else {
        pp_server *server;
        if (ppi_check_open(&server, "pp_shared_data") != PP_OK) return NULL;
        workspace = &server->workspace;
    }
    const void *data = NULL;
    uint32_t ticket;
    while (ppi_shared_look(workspace, shared.id, number, &data, bytes, &ticket) == PP_TIMEOUT) {
        if (!worker || !worker->meanwhile)
            ppi_shared_wait(workspace, shared.id, ticket);
        else if (!worker->meanwhile(worker->meanwhile_ctx)) /* it is this thread that has to receive it */
            usleep(PAUSE_US);
    }
    return data;
}
