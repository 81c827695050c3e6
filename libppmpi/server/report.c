#include "server/report.h"

#include "base/clock.h"
#include "server/server.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ON_TERMINAL_NS 200000000ull
#define INTO_FILE_NS (10 * PPI_NS_PER_S)
#define PATIENCE_NS 100000000l /* with whoever prints: a terminal may be stopped */
#define ERASE "\r\033[K"

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

static int take_line(struct pp_server *s)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += PATIENCE_NS;
    if (until.tv_nsec >= 1000000000l) until.tv_sec++, until.tv_nsec -= 1000000000l;
    return pthread_mutex_timedlock(&s->line_lock, &until) == 0;
}

int ppi_report_make_way(struct pp_server *s, int on_stdout, int on_stderr)
{
    if (!s->options.progress || !s->on_terminal) return 0;
    /* A terminal is the same one, or at worst the line is erased in vain. */
    if (!on_stderr && !(on_stdout && isatty(STDOUT_FILENO))) return 0;
    if (!take_line(s)) return 0;
    if (s->line_drawn && write(STDERR_FILENO, ERASE, strlen(ERASE)) < 0) { /* nobody looks */ }
    s->line_drawn = 0;
    return 1;
}

void ppi_report_go_on(struct pp_server *s, int made_way)
{
    if (made_way) pthread_mutex_unlock(&s->line_lock);
}

static void print_progress(struct pp_server *s, const char *end)
{
    pp_stats p;
    ppi_lock_take(&s->lock);
    ppi_server_stats(s, &p);
    ppi_lock_give(&s->lock);
    uint64_t over = p.done + p.failed + p.cancelled, left = p.running + p.queued;
    double rate = p.wall_time > 0 ? (double)over / p.wall_time : 0;
    char line[256], eta[64] = "";
    if (rate > 0 && left) snprintf(eta, sizeof eta, ", %.0f s left", (double)left / rate);
    int n = snprintf(line, sizeof line,
                     "%sppmpi: %" PRIu64 " of %" PRIu64 " done, %" PRIu64 " failed, %" PRIu64 " running, %" PRIu64
                     " queued, %.4g/s%s%s",
                     s->on_terminal ? ERASE : "", over, p.submitted, p.failed, p.running, p.queued, rate, eta, end);
    int had = take_line(s);
    if (!had && !*end) return; /* somebody prints: the next one is due soon */
    if (write(STDERR_FILENO, line, (size_t)n) < 0) { /* nobody looks */ }
    s->line_drawn = !*end;
    ppi_report_go_on(s, had);
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
