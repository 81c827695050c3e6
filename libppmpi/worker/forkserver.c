#include "worker/forkserver.h"
#include "worker/hold.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "launch/launch.h"
#include "output/collect.h"
#include "share/share.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---- making it */

static void default_signals(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    for (int s = 1; s < NSIG; s++) sigaction(s, &action, NULL); /* some cannot be set: no matter */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int is_worker(long pid);

/* The rank has died. The fork server is killed at once, unless it is to hold connections for a while. */
static void end_server(struct ppi_workspace *workspace, pid_t server, const sigset_t *all)
{
    uint64_t hold_ns = ppi_hold_ns(workspace), until = ppi_now_ns() + hold_ns + PPI_NS_PER_S;
    int null = hold_ns ? open("/dev/null", O_RDWR) : -1;
    if (hold_ns) kill(server, SIGTERM);
    for (int fd = 0; fd <= 2 && null >= 0; fd++) dup2(null, fd); /* others wait for the end of the rank's output */
    ppi_launch_close_inherited();
    while (hold_ns && ppi_now_ns() < until) {
        struct timespec look = {0, 200000000};
        siginfo_t info = {.si_pid = 0};
        sigtimedwait(all, NULL, &look);
        if (waitid(P_PID, (id_t)server, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == server) return;
    }
    kill(server, SIGKILL);
}

/* The stub: parent of the fork server, child of the rank. It passes each one's end on to the other, and ends what tasks
 * have started and what outlived the fork server, whose orphans it gets. A signal from the death of the rank's *thread*
 * that made it is told from the death of the rank by asking who the parent is. */
static _Noreturn void stub(struct ppi_workspace *workspace, int socket, pid_t rank)
{
    default_signals();
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != rank) _exit(1);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t self = getpid(), server = fork();
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != self) _exit(1);
        ppi_forkserver_run(workspace, socket);
    }
    close(socket);
    if (server < 0) _exit(1);
    /* Launchers kill the rank's process group, the fork server with it; somebody must be left to end what tasks have
     * started outside of the group. The stub itself ends with the rank in any case. */
    setpgid(0, 0);
    do {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        sigwaitinfo(&all, NULL);
        if (getppid() != rank) end_server(workspace, server, &all);
    } while (waitpid(server, NULL, WNOHANG) != server);
    ppi_kill_strangers(is_worker); /* here there are none */
    _exit(0);
}

int ppi_forkserver_create(struct ppi_workspace *workspace, int *out_socket, long *out_stub)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return ppi_error_errno(PP_ERR_SYSTEM, errno, "cannot make a socket for the fork server");
    /* Buffers are copied by fork: what is in them must not be printed twice. */
    ppi_collector_flush_files();
    pid_t rank = getpid();
    /* No exit signal: the program's wait() does not see this child, and gets no SIGCHLD. */
    long pid = syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (pid == 0) {
        close(ends[0]);
        stub(workspace, ends[1], rank);
    }
    int error = errno;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return ppi_error_errno(error == EAGAIN ? PP_ERR_LIMIT : PP_ERR_SYSTEM, error, "cannot fork the fork server%s",
                               error == EAGAIN ? " (see ulimit -u)" : "");
    }
    *out_socket = ends[0];
    *out_stub = pid;
    return PP_OK;
}

/* ---- being it */

static long pids[PPI_WORKERS_MAX]; /* of the worker in each slot, 0 = none */
static uint32_t serials[PPI_WORKERS_MAX];

static int is_worker(long pid)
{
    for (int i = 0; i < PPI_WORKERS_MAX; i++)
        if (pids[i] == pid) return 1;
    return 0;
}

static void send_report(struct ppi_workspace *workspace, int socket, const struct ppi_pool_report *report)
{
    while (send(socket, report, sizeof *report, MSG_NOSIGNAL) < 0 && errno == EINTR) {}
    atomic_fetch_add(&workspace->bell->deaths, 1); /* seq_cst: before the look at the listener */
    ppi_doorbell_ring(workspace->bell);
}

static void reap(struct ppi_workspace *workspace, int socket)
{
    for (int slot = 0; slot < PPI_WORKERS_MAX; slot++) {
        struct ppi_pool_report report = {.event = PPI_POOL_ENDED, .slot = slot, .pid = pids[slot]};
        if (!pids[slot] || waitpid((pid_t)pids[slot], &report.wait_status, WNOHANG) != pids[slot]) continue;
        pids[slot] = 0;
        /* Its children are ours now: what a crashed task started must not outlive it. */
        ppi_kill_strangers(is_worker);
        send_report(workspace, socket, &report);
    }
}

static void start_worker(struct ppi_workspace *workspace, int socket, const struct ppi_worker_start *start)
{
    struct ppi_pool_report report = {.event = PPI_POOL_STARTED, .slot = start->slot};
    pid_t self = getpid(), pid = fork();
    if (pid == 0) {
        close(socket);
        ppi_worker_process(workspace, start, self);
    }
    report.pid = pid;
    if (pid < 0) {
        report.event = PPI_POOL_FAILED;
        report.error = errno;
    } else {
        setpgid(pid, pid); /* it does so itself; a signal to the program's group may come before */
        pids[start->slot] = pid;
        serials[start->slot] = start->serial;
    }
    send_report(workspace, socket, &report);
}

/* Descriptors that came with a message of which others are missing. */
static void close_received(struct msghdr *message)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(message);
    if (!c || c->cmsg_type != SCM_RIGHTS) return;
    for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
        int fd;
        memcpy(&fd, (char *)c + at, sizeof fd);
        close(fd);
    }
}

static int map(struct ppi_workspace *workspace, enum ppi_fork_request_kind kind, int fd)
{
    if (kind == PPI_FORK_MAP_SHARED) return ppi_shared_map(workspace, fd);
    ppi_peer_unmap(&workspace->server); /* of a farm before */
    return ppi_peer_map(&workspace->server, fd);
}

/* Returns 0 at the end of file. */
static int serve_request(struct ppi_workspace *workspace, int socket)
{
    struct ppi_fork_request request;
    union {
        char bytes[CMSG_SPACE(PPI_FORK_FDS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec io = {&request, sizeof request};
    struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return 1;
    if (n != (ssize_t)sizeof request) return 0;
    int slot = request.start.slot;
    if (slot < 0 || slot >= PPI_WORKERS_MAX) return 1;
    if (request.kind == PPI_FORK_KILL) {
        /* Only the parent can be sure that the number is still that process. */
        if (pids[slot] && serials[slot] == request.start.serial) kill((pid_t)pids[slot], SIGKILL);
        return 1;
    }
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (request.kind == PPI_FORK_MAP_SHARED || request.kind == PPI_FORK_MAP_SERVER) {
        int fd = -1;
        if (c && c->cmsg_len == CMSG_LEN(sizeof fd)) memcpy(&fd, CMSG_DATA(c), sizeof fd);
        /* Better no workers, which is told, than workers that wait for ever for data, or have none. */
        if (fd < 0 || !map(workspace, request.kind, fd)) return 0;
        close(fd);
        return 1;
    }
    if (request.kind == PPI_FORK_HOLD) {
        int fd;
        if (c && c->cmsg_len == CMSG_LEN(sizeof fd)) memcpy(&fd, CMSG_DATA(c), sizeof fd), ppi_hold_keep(fd);
        return 1;
    }
    if (!c || c->cmsg_len != CMSG_LEN(PPI_FORK_FDS * sizeof(int))) {
        struct ppi_pool_report report = {.event = PPI_POOL_FAILED, .slot = slot, .error = EMFILE};
        close_received(&message);
        send_report(workspace, socket, &report);
        return 1;
    }
    int fds[PPI_FORK_FDS];
    memcpy(fds, CMSG_DATA(c), sizeof fds);
    request.start.segment.fd = fds[0];
    memcpy(request.start.write_fd, fds + 1, 2 * sizeof(int));
    memcpy(request.start.read_fd, fds + 3, 2 * sizeof(int));
    start_worker(workspace, socket, &request.start);
    for (int i = 0; i < PPI_FORK_FDS; i++) close(fds[i]);
    return 1;
}

static void forget_the_launcher(void)
{
    /* A task that starts an MPI program starts a new one, not a second copy of this rank. */
    for (char **e = environ; e && *e;) {
        char name[256];
        size_t length = strcspn(*e, "=");
        if (length < sizeof name) {
            memcpy(name, *e, length);
            name[length] = '\0';
            if (ppi_launch_is_launcher_variable(name) && unsetenv(name) == 0) continue; /* the next one moved here */
        }
        e++;
    }
    ppi_launch_close_inherited();
}

void ppi_forkserver_run(struct ppi_workspace *workspace, int socket)
{
    default_signals();
    static const int ignored[] = {SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGTSTP};
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) signal(ignored[i], SIG_IGN);
    pid_t parent = getppid();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_NAME, "ppmpi-fork");
    forget_the_launcher();
    ppi_workspace_protect(workspace);
    /* stdout and stderr of the job must not be held open, stdin must not be read. */
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd <= 2 && null >= 0; fd++) dup2(null, fd);
    if (null > 2) close(null);

    sigset_t heard; /* SIGTERM: from the stub, or its death, which counts, or from others, which does not */
    sigemptyset(&heard);
    sigaddset(&heard, SIGCHLD);
    sigaddset(&heard, SIGTERM);
    sigprocmask(SIG_BLOCK, &heard, NULL);
    int signals = signalfd(-1, &heard, SFD_CLOEXEC | SFD_NONBLOCK);
    struct pollfd wait_for[2] = {{.fd = socket, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    for (;;) {
        poll(wait_for, 2, -1);
        if (wait_for[1].revents) {
            struct signalfd_siginfo info;
            int told = 0;
            while (read(signals, &info, sizeof info) == (ssize_t)sizeof info)
                told |= info.ssi_signo == SIGTERM && info.ssi_pid == (uint32_t)parent;
            if (told || getppid() != parent) break;
            reap(workspace, socket);
        }
        if (wait_for[0].revents && !serve_request(workspace, socket)) break;
    }
    for (int i = 0; i < PPI_WORKERS_MAX; i++) pids[i] = 0;
    ppi_kill_strangers(is_worker);
    ppi_hold_on(workspace);
    _exit(0);
}
