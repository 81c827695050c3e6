#include "launch/watch.h"
#include "launch/child.h"
#include "launch/reach.h"
#include "launch/relay.h"
#include "launch/scratch.h"
#include "base/clock.h"
#include "base/status.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS UINT64_C(1000000)
#define NEVER UINT64_MAX
#define START_MS 60000     /* to start a rank on every host */
#define LATE_MS 5000       /* from the first to the last of them; then the hosts are asked, for mpiexec does not tell */
#define CLOSE_MS 5000      /* from the end of rank 0 to that of the launcher; then it hangs */
#define FAILED_MS 1000     /* the same when rank 0 failed: the others may wait for it */
#define ENDED_MS 1000      /* the same when all ranks have ended */
#define INTERRUPT_MS 1000  /* from Ctrl-C to SIGTERM for the launcher: the program may want to say something */
#define TERMINATE_MS 10000 /* the same from SIGTERM and SIGHUP: it may want to save something */
#define STOP_MS 600        /* from then on to SIGKILL */

#define NOT_EXECUTED 126 /* a shell's status for a program that is there */

enum { ERRORS, OUTPUT, STREAMS };

struct state {
    const struct ppi_watch *watch;
    pid_t launcher;
    struct ppi_relay stream[STREAMS];
    int signals;
    int started, ended; /* ranks */
    int unreached;      /* hosts */
    int open;           /* the farm is */
    int rank0;          /* its exit status; -1 = not yet */
    char rank0_host[256];
    pid_t rank0_group;                 /* its process group; 0 = not known */
    int failed;                        /* exit status of a rank that could not take part; -1 = none */
    char failure[512];                 /* what to say of it, unless rank 0 has had its say */
    int signalled;                     /* the last signal to end the job that we got; 0 = none */
    int launcher_status;               /* of waitpid; -1 = it runs */
    int killed;                        /* it, and what it left */
    uint64_t start_by;                 /* all ranks */
    uint64_t ask_at, stop_at, kill_at; /* when to ask what is wrong, to send SIGTERM, to send SIGKILL */
    uint64_t patience;                 /* stop_at is so long after the last output */
};

/* ---- what the ranks report */

static void sooner(uint64_t *deadline, uint64_t ms)
{
    uint64_t at = ppi_now_ns() + ms * MS;
    if (at < *deadline) *deadline = at;
}

/* The launcher is to end, once it has no more to write. */
static void expect_end(struct state *s, uint64_t ms)
{
    if (ms * MS < s->patience) s->patience = ms * MS;
    sooner(&s->stop_at, ms);
}

static void on_failure(struct state *s, const char *kind, int rank, int status, const char *host)
{
    s->failed = status;
    if (strcmp(kind, "missing") == 0)
        snprintf(s->failure, sizeof s->failure,
                 "%s does not have the program; its folder must be shared by all nodes, or --preload "
                 "takes the program there",
                 host);
    else if (status == NOT_EXECUTED)
        snprintf(s->failure, sizeof s->failure,
                 "rank %d ended with status %d: %s could not execute the program, which may be made for another kind "
                 "of machine",
                 rank, status, host);
    else if (status > 128)
        snprintf(s->failure, sizeof s->failure, "rank %d on %s was ended by signal %d before the farm was open", rank,
                 host, status - 128);
    else
        snprintf(s->failure, sizeof s->failure, "rank %d on %s ended with status %d before the farm was open", rank,
                 host, status);
}

static void on_start(struct state *s, int rank, const char *host, long pid)
{
    if (++s->started >= s->watch->command->ranks)
        s->ask_at = NEVER;
    else if (s->started == 1 && s->ask_at != NEVER)
        sooner(&s->ask_at, LATE_MS);
    if (rank != 0 || pid < 2) return;
    snprintf(s->rank0_host, sizeof s->rank0_host, "%s", host);
    s->rank0_group = (pid_t)pid;
}

/* Then all have started, whether their own words have come or not. */
static void on_open(struct state *s)
{
    s->open = 1;
    s->started = s->watch->command->ranks;
    s->ask_at = NEVER;
}

/* Then the status is the shell's. */
static int never_ran(const struct state *s, const char *kind, int status)
{
    return strcmp(kind, "missing") == 0 || (status == NOT_EXECUTED && !s->open);
}

static void on_end(struct state *s, const char *kind, int rank, int status, const char *host)
{
    s->ended++;
    if (rank == 0) s->rank0_group = 0;
    if (rank == 0 && !never_ran(s, kind, status)) {
        s->rank0 = status;
        if (s->signalled)
            expect_end(s, 0);
        else if (status != 0 || s->open)
            expect_end(s, status == 0 ? CLOSE_MS : FAILED_MS);
    } else if (status != 0 && !s->open && s->failed < 0 && !s->signalled) {
        /* The others would wait for it in MPI_Init. */
        on_failure(s, kind, rank, status, host);
        expect_end(s, FAILED_MS);
    }
    if (s->ended == s->watch->command->ranks) expect_end(s, ENDED_MS);
}

static int read_report(void *closure, const char *report)
{
    struct state *s = closure;
    char kind[16], host[256];
    int rank, status;
    long pid;
    size_t token = strlen(s->watch->token);
    if (strncmp(report, s->watch->token, token) != 0 ||
        sscanf(report + token, " %15s %d %d %255s %ld", kind, &rank, &status, host, &pid) != 5)
        return 0;
    if (strcmp(kind, "start") == 0)
        on_start(s, rank, host, pid);
    else if (strcmp(kind, "open") == 0)
        on_open(s);
    else
        on_end(s, kind, rank, status, host);
    return 1;
}

/* ---- signals */

/* Past the launcher, where that can be done. */
static int tell_rank0(struct state *s, int signal)
{
    char own[256] = "", command[64];
    if (s->rank0_group == 0) return 0;
    gethostname(own, sizeof own - 1);
    if (strcmp(own, s->rank0_host) == 0) return kill(-s->rank0_group, signal) == 0;
    if (!s->watch->hosts) return 0;
    char *host[] = {s->rank0_host, NULL};
    struct ppi_words hosts = {host, 1, 0};
    snprintf(command, sizeof command, "kill -%d -%ld", signal, (long)s->rank0_group);
    int hurry = signal == SIGINT || signal == SIGQUIT;
    struct ppi_errand errand = {command, NULL, 1, "did not get the signal", hurry ? 2 : 5}; /* seconds: a login may take one */
    return ppi_reach_all(s->watch->who, s->watch->launcher, &hosts, &errand) == 0;
}

static void on_signal(struct state *s, const struct signalfd_siginfo *info)
{
    int signal = (int)info->ssi_signo, status;
    if (signal == SIGCHLD) {
        if (s->launcher_status < 0 && waitpid(s->launcher, &status, WNOHANG) == s->launcher)
            s->launcher_status = status;
        return;
    }
    int hurry = signal == SIGINT || signal == SIGQUIT, mpirun = s->watch->launcher == PPI_LAUNCHER_MPIRUN;
    if (signal == SIGUSR1 || signal == SIGUSR2) {
        /* mpiexec keeps them to itself. */
        if (s->watch->launcher != PPI_LAUNCHER_HYDRA || !tell_rank0(s, signal)) kill(s->launcher, signal);
        return;
    }
    if (s->signalled) s->kill_at = 0; /* asked twice */
    s->signalled = signal;
    s->ask_at = s->stop_at = NEVER;
    /* mpirun would give its ranks no time. */
    if (mpirun && tell_rank0(s, signal)) {
        expect_end(s, hurry ? INTERRUPT_MS : TERMINATE_MS);
    } else if (mpirun) {
        expect_end(s, 0);
    } else {
        /* What a terminal sends has gone to the launcher as well. */
        if (info->ssi_code != SI_KERNEL) kill(s->launcher, signal);
        sooner(&s->kill_at, (hurry ? INTERRUPT_MS : TERMINATE_MS) + STOP_MS);
    }
}

/* ---- the job */

/* Waits for news, at most so long. Returns 0 when there were none. */
static int step(struct state *s, int ms)
{
    struct pollfd polled[STREAMS + 1];
    for (int i = 0; i < STREAMS; i++)
        polled[i].fd = ppi_relay_wants(&s->stream[i], &polled[i].events);
    polled[STREAMS] = (struct pollfd){s->signals, POLLIN, 0};
    if (poll(polled, STREAMS + 1, ms) <= 0) return 0;
    for (int i = 0; i < STREAMS; i++) {
        if (!polled[i].revents) continue;
        ppi_relay_move(&s->stream[i]);
        if (s->stop_at != NEVER && !s->signalled) s->stop_at = ppi_now_ns() + s->patience;
    }
    struct signalfd_siginfo info;
    if (polled[STREAMS].revents && read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) on_signal(s, &info);
    return 1;
}

static int is_held_up(const struct state *s)
{
    return ppi_relay_is_held_up(&s->stream[ERRORS]) || ppi_relay_is_held_up(&s->stream[OUTPUT]);
}

static int milliseconds_to(uint64_t deadline)
{
    uint64_t now = ppi_now_ns();
    if (deadline <= now) return 0;
    uint64_t ms = (deadline - now) / MS + 1;
    return ms < 60000 ? (int)ms : 60000;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void kill_all(struct state *s)
{
    s->killed = 1;
    ppi_child_kill_all(s->launcher, &s->launcher_status);
}

static void end_launcher(struct state *s)
{
    s->stop_at = NEVER;
    /* Nobody is left to be gentle to; mpirun would take seconds. */
    if (s->ended == s->watch->command->ranks && s->watch->launcher == PPI_LAUNCHER_MPIRUN) {
        kill_all(s);
        return;
    }
    kill(s->launcher, SIGTERM);
    sooner(&s->kill_at, STOP_MS);
}

/* Whether each host is reached; asked for when ranks have not started. */
static int are_reached(struct state *s)
{
    s->unreached = ppi_reach_ask(s->watch->who, s->watch->launcher, s->watch->hosts);
    return s->unreached == 0;
}

static void not_started(struct state *s)
{
    snprintf(s->failure, sizeof s->failure, "only %d of %d ranks have started within %d seconds", s->started,
             s->watch->command->ranks, START_MS / 1000);
    s->failed = 2;
    s->ask_at = NEVER;
    end_launcher(s);
}

static void watch_over(struct state *s)
{
    while (s->launcher_status < 0) {
        step(s, milliseconds_to(least(s->ask_at, least(s->stop_at, s->kill_at))));
        uint64_t now = ppi_now_ns();
        if (s->launcher_status >= 0) break;
        if (now >= s->kill_at) {
            kill_all(s);
        } else if (now >= s->stop_at) {
            if (is_held_up(s) && !s->signalled)
                s->stop_at = now + s->patience;
            else
                end_launcher(s);
        } else if (now >= s->ask_at) {
            s->ask_at = s->start_by;
            if (!are_reached(s) || now >= s->start_by) not_started(s);
        }
    }
    if (WIFSIGNALED(s->launcher_status)) kill_all(s);
    /* What it wrote last. Others may hold the pipes open; nobody waits for them, but for who reads what is there. */
    while (!s->signalled && (s->stream[ERRORS].from >= 0 || s->stream[OUTPUT].from >= 0 || is_held_up(s)) &&
           (step(s, 100) || is_held_up(s))) {}
}

/* True for a status that rank 0 had not of itself: the launcher ends ranks by these signals. */
static int was_ended(int status)
{
    return status == 128 + SIGTERM || status == 128 + SIGKILL;
}

static int exit_status(struct state *s)
{
    const char *who = s->watch->who;
    if (s->signalled) return s->rank0 >= 0 && !was_ended(s->rank0) ? s->rank0 : 128 + s->signalled;
    if (s->unreached > 0) return 2;
    if (s->watch->hosts && s->started < s->watch->command->ranks && s->failed < 0 && !are_reached(s)) return 2;
    if (s->failed >= 0 && (s->rank0 <= 0 || was_ended(s->rank0))) {
        fprintf(stderr, "%s: %s\n", who, s->failure);
        return s->failed;
    }
    if (s->rank0 >= 0) return s->rank0;
    if (WIFSIGNALED(s->launcher_status)) return 128 + WTERMSIG(s->launcher_status);
    if (WEXITSTATUS(s->launcher_status) != 0) return WEXITSTATUS(s->launcher_status);
    fprintf(stderr, "%s: rank 0 is gone, and how it ended is not known\n", who);
    return 1;
}

int ppi_watch_run(const struct ppi_watch *watch)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCHLD};
    struct state s = {.watch = watch, .rank0 = -1, .failed = -1, .launcher_status = -1, .patience = NEVER};
    sigset_t caught, mask;
    char *text = NULL;
    size_t size;
    s.stream[ERRORS].from = s.stream[OUTPUT].from = -1;
    s.stream[ERRORS].to = STDERR_FILENO;
    s.stream[OUTPUT].to = STDOUT_FILENO;
    s.stream[ERRORS].on_report = read_report;
    s.stream[ERRORS].closure = &s;
    s.start_by = s.ask_at = watch->hosts ? ppi_now_ns() + START_MS * MS : NEVER;
    s.stop_at = s.kill_at = NEVER;
    sigemptyset(&caught);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaddset(&caught, signals[i]);
    pthread_sigmask(SIG_BLOCK, &caught, &mask);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* ignored, it would leave us without the status */
    s.signals = signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
    if (watch->captured) s.stream[OUTPUT].captured = open_memstream(&text, &size);
    struct ppi_child child = {.who = watch->who, .command = watch->command, .launcher = watch->launcher, .mask = &mask};
    int error = s.signals < 0 || (watch->captured && !s.stream[OUTPUT].captured) ? errno : ppi_child_start(&child);
    if (error) {
        fprintf(stderr, "%s: %s cannot be started: %s\n", watch->who, watch->command->words.word[0], strerror(error));
        return 2;
    }
    s.launcher = child.pid;
    s.stream[ERRORS].from = child.errors;
    s.stream[OUTPUT].from = child.output;
    watch_over(&s);
    for (int i = 0; i < STREAMS; i++)
        ppi_relay_close(&s.stream[i]);
    close(s.signals);
    if (s.killed && watch->launcher == PPI_LAUNCHER_MPIRUN) ppi_scratch_remove(s.launcher);
    if (watch->captured) {
        fclose(s.stream[OUTPUT].captured);
        *watch->captured = text;
    }
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    return exit_status(&s);
}
