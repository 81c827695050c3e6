#include "agent/serve.h"
#include "agent/serving.h"
#include "agent/share.h"

#include "base/clock.h"
#include "base/futex.h"
#include "base/log.h"
#include "base/policy.h"
#include "base/status.h"
#include "channel/peer_bell.h"
#include "worker/hold.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPIN_NS 100000ull
#define RELAX 16
#define NAP_FIRST_NS 20000ull    /* naps while the server cannot ring, or MPI moves something: */
#define NAP_BUSY_NS 50000ull
#define NAP_MOST_NS 1000000ull   /* … doubled up to this; */
#define NAP_RUNG_NS 10000000ull  /* … and when it can ring, in case a ring was lost */
#define SEND_FROM ((size_t)32 << 10) /* bytes that do not wait for company */
#define COMPANY_NS 20000ull
#define LOOK_NS 20000000ull /* between two looks whether the server lives */
#define LEAVE_CALLS 16 /* of progress, for what is to leave before a job runs */
#define TELL_NS 1000000ull /* the server is told of jobs that run for longer */

static int receive_meanwhile(void *ctx)
{
    return ppi_serving_receive(ctx);
}

/* Where there are many ranks, what is to be said waits for company while the workers have enough to do. */
static int may_wait(struct ppi_serving *s, uint64_t now_ns)
{
    const struct ppi_agent *a = &s->agent;
    if (s->hold_ns == 0 || !s->open || s->loans || s->out.bytes >= SEND_FROM || a->alive == 0) return 0;
    if (s->out.bytes && s->out_since_ns == 0) s->out_since_ns = now_ns;
    /* A server that has not answered yet has others to hear. */
    if (s->unanswered && now_ns < s->spoke_ns + s->hold_ns / 4) return 1;
    if (s->out.bytes && now_ns - s->out_since_ns >= s->hold_ns) return 0;
    uint64_t waiting = a->load > (uint64_t)a->alive ? a->load - (uint64_t)a->alive : 0;
    return (double)waiting * a->mean_ns >= PPI_ENOUGH_NS * a->alive;
}

/* Where this rank is its own worker: runs a job. Nothing is sent or received meanwhile, so what is ready leaves first,
 * unless jobs are so short that it can wait for company. */
static int work(struct ppi_serving *s)
{
    const struct ppi_job *job = ppi_agent_next_job(&s->agent);
    if (!job) {
        s->idle = 1;
        return ppi_agent_work(&s->agent);
    }
    double expected_ns = s->agent.mean_ns > s->agent.last_ns ? s->agent.mean_ns : s->agent.last_ns;
    /* In a crowd such words could be as many as results: they come when nothing else was said for a while. */
    int tells = expected_ns >= (double)s->hold_ns || s->now_ns >= s->spoke_ns + s->hold_ns;
    if (expected_ns <= 0 || s->idle) expected_ns = (double)TELL_NS; /* nothing is known of what comes after a pause */
    s->idle = 0;
    if (may_wait(s, s->now_ns)) return ppi_agent_work(&s->agent);
    if (tells && expected_ns >= (double)TELL_NS)
        ppi_serving_running(s, &(struct ppi_running){.id = job->id,
                                            .started_ns = ppi_now_ns(),
                                            .attempt = job->attempt,
                                            .worker = ppi_agent_worker_number(&s->agent, 0),
                                            .pid = getpid()});
    if (expected_ns >= (double)COMPANY_NS) {
        ppi_serving_flush(s);
        /* An MPI may need several calls to get a message on its way. */
        for (int i = 0; i < LEAVE_CALLS && s->transport->ops->busy(s->transport); i++) s->transport->ops->progress(s->transport);
    }
    return ppi_agent_work(&s->agent);
}

/* Says that we live when nothing else was said for a while, and looks whether the server does. */
static void keep_in_touch(struct ppi_serving *s)
{
    uint64_t now = s->now_ns;
    if (!s->open || now < s->looked_ns + LOOK_NS) return;
    /* A process that was stopped itself has heard nothing. */
    if (now > s->looked_ns + s->silence_ns / 2 || s->heard_ns == 0) s->heard_ns = now;
    s->looked_ns = now;
    if (now >= s->held_ns + s->beat_ns) {
        ppi_hold_connections(s->pool, 6 * s->beat_ns); /* the server's patience is four, and it may be late */
        s->held_ns = now;
    }
    if (now >= s->spoke_ns + s->beat_ns - s->beat_ns / 8) ppi_serving_post(s, PPI_WIRE_BEAT, 0, &(struct ppi_wire_beat){0}, NULL, 0);
    int ended = ppi_bell_has_ended(s->server_pidfd);
    int silent = s->silence_ns && now > s->heard_ns + s->silence_ns;
    if (!ended && !silent) return;
    if (silent)
        ppi_log(PP_LOG_ERROR, "nothing has been heard of rank 0 for %g s: it counts as lost, and this rank ends", (double)s->silence_ns / 1e9);
    s->stopping = s->at_once = s->status = 1;
    /* Silence may be due to this node's own network, and the others go on. */
    s->server_lost = ended;
    s->alone = silent;
}

/* What the workers have done. */
static int collect(struct ppi_serving *s)
{
    if (!s->open) return 0;
    int moved = ppi_agent_poll(&s->agent, s->now_ns);
    /* Nothing else can finish: there is no company to wait for. */
    if (moved && s->agent.load == 0 && !may_wait(s, s->now_ns)) ppi_serving_flush(s);
    return moved;
}

static int step(struct ppi_serving *s)
{
    s->now_ns = ppi_now_ns();
    int moved = s->hold_ns ? ppi_serving_receive(s) : 0; /* what has come meanwhile is work for which words may wait */
    moved += collect(s);
    moved += ppi_serving_receive(s) + ppi_agent_remove_dropped(&s->shared);
    keep_in_touch(s);
    s->gave_way = 0;
    if (s->open) {
        struct ppi_loan *loan;
        _Atomic uint32_t *wake[PPI_WORKERS_MAX];
        while ((loan = ppi_agent_dying_loan(&s->agent))) {
            ppi_loan_remove(loan);
            ppi_agent_loan_died(&s->agent, loan);
        }
        ppi_arena_purge(&s->workspace->arena);
        ppi_place_spin(&s->agent);
        int n = ppi_agent_flush(&s->agent, wake);
        for (int i = 0; i < n; i++) ppi_futex_wake(wake[i], 1);
        s->gave_way = n > 0 && s->agent.busy >= s->agent.config.spin_below;
        if (ppi_pool_is_rank(s->pool)) moved += work(s);
        /* Also what comes late: arguments that were on their way. */
        if (s->agent.target == 0) ppi_agent_give_up(&s->agent, PPI_GIVE_UP_ALL, ppi_serving_returned, s);
    }
    if (s->out.bytes == 0 && !s->loans) {
        s->out_since_ns = 0;
        return moved;
    }
    /* What finishes together returns together: a message waits while more comes in, but not for long. */
    uint64_t now = ppi_now_ns();
    if (s->out_since_ns == 0) s->out_since_ns = now;
    if (may_wait(s, now)) return moved;
    if (!moved || s->out.bytes >= SEND_FROM || now - s->out_since_ns >= COMPANY_NS) {
        ppi_serving_flush(s);
        s->out_since_ns = 0;
    }
    return 1;
}

static void say_hello(struct ppi_serving *s)
{
    struct ppi_wire_hello h = {.pid = getpid(),
                               .bell_nonce = ppi_bell_nonce(s->workspace),
                               .bell_fd = s->workspace->bell_segment.fd,
                               .cores = ppi_topology_cores_in(&s->topology->online),
                               .allowed_cores = s->topology->allowed_cores,
                               .limit = s->topology->limit,
                               .quota = (int32_t)s->topology->quota,
                               .is_worker = ppi_pool_is_rank(s->pool),
                               .shared_fd = s->workspace->shared.fd};
    gethostname(h.host, sizeof h.host - 1);
    memcpy(h.allowed, &s->topology->allowed, sizeof h.allowed);
    memcpy(h.online, &s->topology->online, sizeof h.online);
    ppi_serving_post(s, PPI_WIRE_HELLO, 0, &h, NULL, 0);
}

/* 1 when somebody rang: what for may still be on its way, as the server rings before it has copied large arguments. */
static int sleep_until_rung(struct ppi_serving *s, uint64_t *nap)
{
    struct ppi_doorbell *bell = s->workspace->bell;
    uint64_t now = ppi_now_ns();
    if (s->open) ppi_agent_tell_running(&s->agent, now, TELL_NS, ppi_serving_running, s);
    if (s->out.bytes && !may_wait(s, now)) ppi_serving_flush(s);
    uint32_t ticket = s->open ? ppi_agent_listen(&s->agent, PPI_LISTENER_WAITER) : ppi_doorbell_listen(bell, PPI_LISTENER_WAITER);
    uint64_t most = s->server_bell ? NAP_RUNG_NS : NAP_MOST_NS;
    *nap = *nap ? 2 * *nap : s->server_bell ? NAP_MOST_NS : NAP_FIRST_NS;
    if (*nap > most) *nap = most;
    if (*nap > NAP_BUSY_NS && s->transport->ops->busy(s->transport)) *nap = NAP_BUSY_NS;
    uint64_t patience = s->open ? ppi_agent_patience_ns(&s->agent, now) : PPI_FOREVER;
    if (s->out.bytes && patience > s->hold_ns / 4) patience = s->hold_ns / 4; /* it does not wait much longer than that */
    /* A message or an outcome that came before we listened rang in vain. */
    if (!ppi_serving_receive(s) && !(s->open && ppi_agent_has_news(&s->agent)) && patience)
        ppi_doorbell_sleep(bell, PPI_LISTENER_WAITER, ticket, *nap < patience ? *nap : patience);
    ppi_doorbell_silence(bell);
    return atomic_load(&bell->rings[PPI_LISTENER_WAITER]) != ticket;
}

/* Without a doorbell, and not for long: until everything is out. */
static void settle(struct ppi_transport *transport, double seconds)
{
    uint64_t until = ppi_deadline_ns(seconds);
    while (transport->ops->busy(transport) && ppi_now_ns() < until)
        if (!transport->ops->progress(transport)) usleep(50);
}

int ppi_agent_serve(struct ppi_transport *transport, struct ppi_workspace *workspace, struct ppi_pool *pool,
                    const struct ppi_topology *topology)
{
    struct ppi_serving s = {.transport = transport, .workspace = workspace, .pool = pool, .topology = topology, .server_pidfd = -1};
    s.loans_end = &s.loans;
    ppi_shared_init(&s.shared, workspace);
    ppi_module_store_init(&s.modules, workspace);
    if (ppi_pool_is_rank(pool)) ppi_pool_set_meanwhile(pool, receive_meanwhile, &s);
    say_hello(&s);
    uint64_t spin_until = 0, nap = 0;
    while (!s.stopping) {
        if (step(&s)) {
            spin_until = nap = 0;
            if (!s.gave_way || s.out.bytes || transport->ops->busy(transport)) continue;
            (void)sleep_until_rung(&s, &nap); /* a worker that was woken may wait for this core */
            continue;
        }
        uint64_t now = ppi_now_ns();
        if (spin_until == 0) spin_until = now + SPIN_NS;
        /* What MPI moves it moves while it is called. */
        if (now < spin_until && (!s.open || s.agent.busy < s.agent.config.spin_below || transport->ops->busy(transport))) {
            for (int i = 0; i < RELAX; i++) ppi_cpu_relax();
            continue;
        }
        if (sleep_until_rung(&s, &nap)) spin_until = 0;
    }
    /* Streams read from the workers' segments: let them end first. */
    if (!s.server_lost && !s.alone) settle(transport, 2);
    ppi_serving_take_all_back(&s);
    if (s.open)
        ppi_agent_close(&s.agent, s.at_once ? 0 : 2);
    else if (!s.welcomed)
        ppi_pool_close(pool);
    if (s.server_lost) {
        transport->ops->abort(transport, 1);
        _exit(1);
    }
    /* MPI_Finalize would wait for the others, MPI_Abort would end them. */
    if (s.alone) _exit(1);
    ppi_serving_post(&s, PPI_WIRE_BYE, 0, &(struct ppi_wire_bye){0, 0}, NULL, 0);
    ppi_serving_flush(&s);
    settle(transport, 5);
    ppi_module_store_fini(&s.modules);
    ppi_shared_fini(&s.shared);
    if (s.server_pidfd >= 0) close(s.server_pidfd);
    ppi_bell_close(s.server_bell);
    free(s.out.message);
    return s.status;
}
