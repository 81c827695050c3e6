/* What tasks have printed goes to the program's stdout and stderr. */
#include "server/report.h"
#include "server/server.h"

#include "base/log.h"
#include "base/units.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

/* All of it, also into what takes a part at a time, or does not block. */
static int write_all(int fd, const char *text, size_t bytes)
{
    while (bytes) {
        ssize_t n = write(fd, text, bytes);
        if (n < 0 && errno == EAGAIN) {
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            return 0;
        } else if (n > 0) {
            text += n;
            bytes -= (size_t)n;
        }
    }
    return 1;
}

/* With the stream locked by us. */
static void write_stream(FILE *stream, const char *text, size_t bytes)
{
    int fd = fileno(stream), flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
    if (flags < 0 || !(flags & O_NONBLOCK)) {
        fwrite(text, 1, bytes, stream);
        fflush(stream);
        return;
    }
    /* stdio drops what a full pipe does not take at once. */
    poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
    fflush(stream);
    write_all(fd, text, bytes);
}

void ppi_server_print(struct pp_server *s, const struct ppi_text text[2])
{
    int made_way = ppi_report_make_way(s, text[0].bytes > 0, text[1].bytes > 0);
    ppi_units_flush_standard();
    for (int i = 0; i < 2; i++) {
        if (text[i].bytes == 0) continue;
        FILE *stream = i == 0 ? stdout : stderr;
        /* Through the stream, so that it keeps its place among what the program prints; but never wait for a thread that
         * has locked the stream, and perhaps waits for us. */
        if (ftrylockfile(stream) == 0) {
            write_stream(stream, text[i].text, text[i].bytes);
            funlockfile(stream);
        } else if (!write_all(fileno(stream), text[i].text, text[i].bytes)) {
            ppi_log(PP_LOG_WARNING, "output of tasks could not be written");
        }
    }
    ppi_report_go_on(s, made_way);
}
