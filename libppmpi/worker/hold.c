#include "worker/hold.h"
#include "worker/forkserver.h"

#include "base/clock.h"
#include "base/status.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOLD_MOST 256
#define HOLD_NS_MOST (120 * PPI_NS_PER_S)

/* ---- the rank */

/* A TCP connection to another host: those within this one may be anybody's. */
static int leads_away(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer, own;
    socklen_t peer_bytes = sizeof peer, own_bytes = sizeof own, bytes = sizeof(int);
    int type = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) != 0 || type != SOCK_STREAM) return 0;
    if (getpeername(fd, &peer.any, &peer_bytes) != 0 || getsockname(fd, &own.any, &own_bytes) != 0) return 0;
    if (peer.any.sa_family == AF_INET) return peer.v4.sin_addr.s_addr != own.v4.sin_addr.s_addr;
    return peer.any.sa_family == AF_INET6 && memcmp(&peer.v6.sin6_addr, &own.v6.sin6_addr, sizeof peer.v6.sin6_addr) != 0;
}

void ppi_hold_connections(struct ppi_pool *pool, uint64_t hold_ns)
{
    static ino_t passed[HOLD_MOST];
    static int count;
    DIR *dir = pool->ops->hold ? opendir("/proc/self/fd") : NULL;
    if (!dir) return;
    for (struct dirent *entry; count < HOLD_MOST && (entry = readdir(dir)) != NULL;) {
        char *end;
        struct stat info;
        int fd = (int)strtol(entry->d_name, &end, 10), known = 0;
        if (*end || end == entry->d_name || fstat(fd, &info) != 0 || !S_ISSOCK(info.st_mode)) continue;
        for (int i = 0; i < count && !known; i++) known = passed[i] == info.st_ino;
        if (known || !leads_away(fd) || pool->ops->hold(pool, fd) != PP_OK) continue;
        passed[count++] = info.st_ino;
    }
    closedir(dir);
    if (count) atomic_store(&pool->workspace->bell->hold_ns, hold_ns);
}

void ppi_hold_nothing(struct ppi_pool *pool)
{
    if (pool->ops->hold) atomic_store(&pool->workspace->bell->hold_ns, 0);
}

/* ---- the fork server */

static struct pollfd held[HOLD_MOST];
static int held_count;

void ppi_hold_keep(int fd)
{
    if (held_count == HOLD_MOST) {
        close(fd);
        return;
    }
    held[held_count++] = (struct pollfd){.fd = fd, .events = POLLRDHUP};
}

uint64_t ppi_hold_ns(const struct ppi_workspace *workspace)
{
    uint64_t said = atomic_load(&workspace->bell->hold_ns); /* a task may have written there */
    return said < HOLD_NS_MOST ? said : HOLD_NS_MOST;
}

void ppi_hold_on(const struct ppi_workspace *workspace)
{
    uint64_t now = ppi_now_ns(), until = now + ppi_hold_ns(workspace);
    int open = held_count;
    while (open > 0 && (now = ppi_now_ns()) < until) {
        if (poll(held, (nfds_t)held_count, (int)((until - now) / 1000000) + 1) <= 0) continue;
        for (int i = 0; i < held_count; i++) {
            if (held[i].fd < 0 || !held[i].revents) continue;
            close(held[i].fd);
            held[i].fd = -1; /* poll passes it over */
            open--;
        }
    }
}
