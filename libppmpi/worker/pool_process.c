/* Workers as processes: the rank's end of the socket to the fork server. */
#include "worker/forkserver.h"
#include "worker/hold.h"

#include "base/status.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int process_open(struct ppi_pool *pool)
{
    return ppi_forkserver_create(pool->workspace, &pool->socket, &pool->stub);
}

/* Reads one report and keeps it. 0 when there is none, or no memory to keep it. */
static int hear(struct ppi_pool *pool)
{
    if (pool->heard.first + pool->heard.count == pool->heard.room) {
        size_t room = pool->heard.room ? 2 * pool->heard.room : 64;
        struct ppi_pool_report *grown = realloc(pool->heard.reports, room * sizeof *grown);
        if (!grown) return 0;
        pool->heard.reports = grown;
        pool->heard.room = room;
    }
    struct ppi_pool_report *report = &pool->heard.reports[pool->heard.first + pool->heard.count];
    if (recv(pool->socket, report, sizeof *report, MSG_DONTWAIT) != (ssize_t)sizeof *report) return 0;
    pool->heard.count++;
    return 1;
}

/* Returns 0, or why not. The fork server may itself wait for room, until we read: so this reads while it waits. */
static int send_request(struct ppi_pool *pool, const struct msghdr *message)
{
    while (sendmsg(pool->socket, message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno == EINTR) continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) return errno;
        while (hear(pool)) {}
        struct pollfd room = {.fd = pool->socket, .events = POLLIN | POLLOUT};
        poll(&room, 1, 1000);
    }
    return 0;
}

/* Sends a request with descriptors beside it. */
static int send_with(struct ppi_pool *pool, const struct ppi_fork_request *request, const int *fds, size_t count)
{
    union {
        char bytes[CMSG_SPACE(PPI_FORK_FDS * sizeof(int))];
        struct cmsghdr align;
    } control;
    memset(&control, 0, sizeof control);
    struct iovec io = {(void *)request, sizeof *request};
    struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = CMSG_SPACE(count * sizeof *fds)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof *fds);
    memcpy(CMSG_DATA(c), fds, count * sizeof *fds);
    int error = send_request(pool, &message);
    if (!error) return PP_OK;
    return ppi_error_errno(PP_ERR_SYSTEM, error, "cannot reach the fork server%s",
                           error == EPIPE ? ", which could not be forked (see ulimit -u) or has died" : "");
}

static int send_descriptor(struct ppi_pool *pool, enum ppi_fork_request_kind kind, int fd)
{
    struct ppi_fork_request request;
    memset(&request, 0, sizeof request);
    request.kind = kind;
    return send_with(pool, &request, &fd, 1);
}

static int process_map_shared(struct ppi_pool *pool, int fd)
{
    return send_descriptor(pool, PPI_FORK_MAP_SHARED, fd);
}

static int process_map_server(struct ppi_pool *pool, int fd)
{
    return send_descriptor(pool, PPI_FORK_MAP_SERVER, fd);
}

static int process_hold(struct ppi_pool *pool, int fd)
{
    return send_descriptor(pool, PPI_FORK_HOLD, fd);
}

static int process_start(struct ppi_pool *pool, const struct ppi_worker_start *start)
{
    struct ppi_fork_request request;
    memset(&request, 0, sizeof request);
    request.kind = PPI_FORK_START;
    request.start = *start;
    int fds[PPI_FORK_FDS] = {start->segment.fd, start->write_fd[0], start->write_fd[1], start->read_fd[0],
                             start->read_fd[1]};
    return send_with(pool, &request, fds, PPI_FORK_FDS);
}

static void process_kill(struct ppi_pool *pool, int slot, uint32_t serial)
{
    struct ppi_fork_request request;
    memset(&request, 0, sizeof request);
    request.kind = PPI_FORK_KILL;
    request.start.slot = slot;
    request.start.serial = serial;
    struct iovec io = {&request, sizeof request};
    struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1};
    send_request(pool, &message); /* when it is gone, so is the worker */
}

static int process_next(struct ppi_pool *pool, struct ppi_pool_report *report)
{
    if (pool->heard.count) {
        *report = pool->heard.reports[pool->heard.first++];
        if (--pool->heard.count == 0) pool->heard.first = 0;
        return 1;
    }
    if (pool->broken) return 0;
    ssize_t n;
    do n = recv(pool->socket, report, sizeof *report, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof *report) return 1;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
    memset(report, 0, sizeof *report);
    report->event = PPI_POOL_BROKEN;
    pool->broken = 1;
    return 1;
}

static void process_close(struct ppi_pool *pool)
{
    /* End of file is the fork server's word to stop. Closing alone would not do: a child that the program has forked
     * holds the socket too. */
    shutdown(pool->socket, SHUT_RDWR);
    close(pool->socket);
    free(pool->heard.reports);
    while (waitpid((pid_t)pool->stub, NULL, __WALL) < 0 && errno == EINTR) {}
}

const struct ppi_pool_kind_ops ppi_pool_processes = {.open = process_open,
                                                     .map_shared = process_map_shared,
                                                     .map_server = process_map_server,
                                                     .hold = process_hold,
                                                     .start = process_start,
                                                     .kill = process_kill,
                                                     .next = process_next,
                                                     .close = process_close};
