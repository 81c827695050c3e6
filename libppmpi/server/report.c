#include "server/report.h"

#include "base/clock.h"
#include "server/server.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ON_TERMINAL_NS 200000000ull
#define INTO_FILE_NS (10 * PPI_NS_PER_S)

static _Atomic int asked; /* by a signal, on any thread, for the statistics */

static struct sigaction before; /* what was done at the signal before us: nothing, or what MPI has installed */

static int is_default(const struct sigaction *action)
{
    return !(action->sa_flags & SA_SIGINFO) && action->sa_handler == SIG_DFL;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    asked = 1;
    if (before.sa_flags & SA_SIGINFO)
        before.sa_sigaction(number, info, context);
    else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
        before.sa_handler(number);
}

int ppi_report_signal_is_free(void)
{
    struct sigaction now;
    return sigaction(SIGUSR1, NULL, &now) == 0 && is_default(&now);
}

void ppi_report_start(struct pp_server *s, int signal_was_free)
{
    struct sigaction ours;
    s->progress_ns = ppi_now_ns();
    s->on_terminal = isatty(STDERR_FILENO);
    if (!s->options.signal_stats || sigaction(SIGUSR1, NULL, &before) != 0 || !(signal_was_free || is_default(&before))) return;
    memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = on_signal;
    ours.sa_flags = SA_RESTART | SA_SIGINFO;
    asked = 0;
    sigaction(SIGUSR1, &ours, NULL);
}

static void print_progress(struct pp_server *s, const char *end)
{
    pp_stats p;
    pthread_mutex_lock(&s->lock);
    ppi_server_stats(s, &p);
    pthread_mutex_unlock(&s->lock);
    uint64_t over = p.done + p.failed + p.cancelled, left = p.running + p.queued;
    double rate = p.wall_time > 0 ? (double)over / p.wall_time : 0;
    char line[256], eta[64] = "";
    if (rate > 0 && left) snprintf(eta, sizeof eta, ", %.0f s left", (double)left / rate);
    int n = snprintf(line, sizeof line,
                     "%sppmpi: %" PRIu64 " of %" PRIu64 " done, %" PRIu64 " failed, %" PRIu64 " running, %" PRIu64
                     " queued, %.4g/s%s%s",
                     s->on_terminal ? "\r\033[K" : "", over, p.submitted, p.failed, p.running, p.queued, rate, eta, end);
    if (write(STDERR_FILENO, line, (size_t)n) < 0) { /* nobody looks */ }
}

void ppi_report_tick(struct pp_server *s)
{
    if (asked) {
        asked = 0;
        ppi_server_print_stats(s, stderr);
    }
    if (!s->options.progress) return;
    uint64_t now = ppi_now_ns();
    if (now < s->progress_ns + (s->on_terminal ? ON_TERMINAL_NS : INTO_FILE_NS)) return;
    s->progress_ns = now;
    print_progress(s, s->on_terminal ? "" : "\n");
}

void ppi_report_stop(struct pp_server *s)
{
    struct sigaction now;
    if (s->options.progress) print_progress(s, "\n");
    if (sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_flags & SA_SIGINFO && now.sa_sigaction == on_signal)
        sigaction(SIGUSR1, &before, NULL);
}
