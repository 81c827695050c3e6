/* pp_server_open: what is made before MPI and what after, and what becomes of ranks other than 0. */
#include "api/open.h"

#include "agent/serve.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/options.h"
#include "base/role.h"
#include "base/status.h"
#include "launch/launch.h"
#include "launch/move.h"
#include "launch/watch.h"
#include "module/closure.h"
#include "server/report.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pid_t opener;            /* the process that may use the server */
static int forked_child;        /* 1 in a child that the program has forked */
static int opened_before;
static char why_not[1024];      /* for programs that go on with the NULL that they got */

/* ---- what both ways of opening share */

static int check_together(const pp_options *o)
{
    if (o->isolation != PP_ISOLATE_NONE) return PP_OK;
    if (o->workers > 1)
        return ppi_error(PP_ERR_UNSUPPORTED, "option workers is %d: with PP_ISOLATE_NONE each rank runs one task at a time",
                         o->workers);
    if (o->restart > 0)
        return ppi_error(PP_ERR_UNSUPPORTED, "option restart is %d: with PP_ISOLATE_NONE there are no worker processes", o->restart);
    return PP_OK;
}

int ppi_open_read_options(const pp_options *options, pp_options *out)
{
    int status = ppi_options_resolve(options, out);
    return status == PP_OK ? check_together(out) : status;
}

int ppi_open_check_place(const char *call)
{
    if (ppi_role_get() == PPI_ROLE_WORKER || pp_task_current())
        return ppi_error(PP_ERR_STATE, "%s cannot be called inside a task", call);
    if (ppi_server) return ppi_error(PP_ERR_STATE, "%s: a server is open already; one at a time", call);
    return PP_OK;
}

static void on_fork(void)
{
    if (ppi_server) forked_child = 1;
}

void ppi_open_abandon(void)
{
    if (!ppi_server || opener != getpid() || ppi_role_get() != PPI_ROLE_SERVER) return;
    struct pp_server *server = ppi_server;
    ppi_server = NULL;
    ppi_server_abandon(server);
}

void ppi_open_done(void)
{
    static int registered;
    opener = getpid();
    why_not[0] = '\0';
    ppi_error_clear(); /* of what had to be done without */
    opened_before = 1;
    ppi_role_set(PPI_ROLE_SERVER);
    if (!registered) registered = atexit(ppi_open_abandon) == 0 && pthread_atfork(NULL, NULL, on_fork) == 0;
}

void ppi_open_failed(void)
{
    snprintf(why_not, sizeof why_not, "%s", pp_last_error());
}

const char *ppi_open_why_not(void)
{
    return why_not;
}

long ppi_open_belongs_to(void)
{
    return forked_child ? (long)opener : 0;
}

void ppi_open_ignore_signals(struct sigaction *before)
{
    if (sigaction(SIGUSR1, NULL, before) == 0 && before->sa_handler == SIG_DFL) signal(SIGUSR1, SIG_IGN);
}

void ppi_open_restore_signals(const struct sigaction *before)
{
    struct sigaction now;
    if (before->sa_handler == SIG_DFL && sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == SIG_IGN)
        sigaction(SIGUSR1, before, NULL);
}

/* ---- pp_server_open */

static int check_state(const struct ppi_launch *launch)
{
    int status = ppi_open_check_place("pp_server_open");
    if (status != PP_OK) return status;
    if (opened_before && launch->launched)
        return ppi_error(PP_ERR_STATE, "under a launcher the server can be opened once: the other ranks have ended");
    if (ppi_mpi_was_initialized())
        return ppi_error(PP_ERR_STATE, "MPI is initialised already; a program that runs MPI itself opens the server with pp_server_open_comm");
    return PP_OK;
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
    struct sigaction before;
    ppi_role_set(PPI_ROLE_AGENT);
    ppi_open_ignore_signals(&before);
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

int ppi_open_make_workers(enum ppi_pool_kind kind, struct ppi_topology *topology, struct ppi_workspace *workspace,
                          struct ppi_pool **pool)
{
    int status = ppi_topology_load(topology);
    if (status == PP_OK) status = ppi_workspace_create(workspace, 0);
    if (status != PP_OK) return status;
    ppi_module_note_inherited();
    ppi_lock_prepare(1); /* before there are other threads */
    if ((status = ppi_pool_open(pool, kind, workspace)) != PP_OK) ppi_workspace_destroy(workspace);
    return status;
}

static int open_in_order(struct ppi_server_setup *setup, const struct ppi_launch *launch, int *argc, char ***argv)
{
    occupy_standard_streams();
    /* Before MPI_Init: workers must know nothing of MPI. */
    int in_rank = setup->options.isolation == PP_ISOLATE_NONE;
    int status = ppi_open_make_workers(in_rank ? PPI_POOL_RANK : PPI_POOL_PROCESSES, &setup->topology, &setup->workspace,
                                       &setup->pool);
    if (status != PP_OK) return status;
    setup->signal_was_free = ppi_report_signal_is_free(); /* MPICH installs a handler of its own */
    if (launch->launched || setup->options.mpi == PP_MPI_ALWAYS) {
        status = ppi_transport_mpi(&setup->transport, argc, argv, launch->launched ? launch->size : 0, launch->launcher,
                                   in_rank);
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
    ppi_workspace_destroy(&setup->workspace);
    return status;
}

static int read_options(const pp_options *options, const struct ppi_launch *launch, pp_options *out)
{
    static const pp_options defaults = PP_OPTIONS_INIT;
    int status = ppi_open_read_options(options, out);
    if (status == PP_OK) status = ppi_move_check(out->hosts);
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
    if (ppi_transport_mpi(&transport, argc, argv, launch->size, launch->launcher, 0) == PP_OK) {
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
        status = ppi_move(setup.options.hosts, &launch, opened_before); /* does not come back when there is somewhere to go */
    }
    if (status == PP_OK) {
        status = open_in_order(&setup, &launch, argc, argv);
    }
    if (status != PP_OK) {
        if (launch.launched && launch.size != 1 && status != PP_ERR_STATE && !ppi_mpi_was_initialized())
            tell_others(&launch, argc, argv, status);
        if (status == PP_ERR_MPI) ppi_log(PP_LOG_ERROR, "%s", pp_last_error());
        ppi_open_failed();
        return NULL;
    }
    ppi_open_done();
    ppi_watch_report_open();
    return ppi_server;
}

