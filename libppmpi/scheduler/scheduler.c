#include "scheduler/scheduler.h"

#include "base/cache.h"
#include "base/policy.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

int ppi_scheduler_init(struct ppi_scheduler *s, struct ppi_task_store *store, int agents)
{
    memset(s, 0, sizeof *s);
    s->store = store;
    s->agents = calloc((size_t)agents, sizeof *s->agents);
    if (!s->agents) return ppi_error(PP_ERR_NOMEM, "no memory for %d agents", agents);
    s->agent_count = agents;
    s->crowded = ppi_crowd_ns(agents) > 0;
    for (int i = 0; i < 2; i++) s->hungry[i].first = s->hungry[i].last = -1;
    s->current = -1;
    return PP_OK;
}

void ppi_scheduler_fini(struct ppi_scheduler *s)
{
    free(s->levels);
    free(s->agents);
    memset(s, 0, sizeof *s);
}

static int has_idle(const struct ppi_scheduler_agent *a)
{
    return a->given < (uint64_t)a->workers;
}

/* Lists the agent among those that want tasks: before the others, or behind them. */
static void make_hungry(struct ppi_scheduler *s, int agent, int in_front)
{
    struct ppi_scheduler_agent *a = &s->agents[agent];
    int list = !has_idle(a), before = in_front ? -1 : s->hungry[list].last;
    if (a->hungry[list].listed || a->workers == 0) return;
    int *link = before < 0 ? &s->hungry[list].first : &s->agents[before].hungry[list].next;
    a->hungry[list].listed = 1;
    a->hungry[list].next = *link;
    if (*link < 0) s->hungry[list].last = agent;
    *link = agent;
}

/* The agent at the head of the lists; -1 when both are empty. An agent may have changed since it was listed. */
static int next_hungry(struct ppi_scheduler *s)
{
    for (int list = 0; list < 2; list++) {
        while (s->hungry[list].first >= 0) {
            int agent = s->hungry[list].first;
            struct ppi_scheduler_agent *a = &s->agents[agent];
            s->hungry[list].first = a->hungry[list].next;
            if (s->hungry[list].first < 0) s->hungry[list].last = -1;
            a->hungry[list].listed = 0;
            if (list == 1 || has_idle(a)) return agent;
            make_hungry(s, agent, 0); /* its worker has got something since */
        }
    }
    return -1;
}

static uint32_t depth_of(const struct ppi_scheduler *s, int agent)
{
    const struct ppi_scheduler_agent *a = &s->agents[agent];
    if (a->alone) return ppi_depth_alone(a->mean_ns, a->last_ns, s->agent_count);
    return agent == 0 ? ppi_depth_for(a->mean_ns) : ppi_depth_far(a->mean_ns);
}

void ppi_scheduler_set_alone(struct ppi_scheduler *s, int agent)
{
    s->agents[agent].alone = 1;
    s->agents[agent].depth = depth_of(s, agent);
}

void ppi_scheduler_set_workers(struct ppi_scheduler *s, int agent, int workers)
{
    struct ppi_scheduler_agent *a = &s->agents[agent];
    ppi_scheduler_resize(s, agent, workers);
    if (workers) return;
    s->given -= a->given;
    a->given = 0;
}

void ppi_scheduler_resize(struct ppi_scheduler *s, int agent, int workers)
{
    struct ppi_scheduler_agent *a = &s->agents[agent];
    s->workers += workers - a->workers;
    a->workers = workers;
    if (a->depth == 0) a->depth = depth_of(s, agent);
    make_hungry(s, agent, 0);
}

/* Index of the level, or of the place where it belongs. */
static int find_level(const struct ppi_scheduler *s, int priority)
{
    int low = 0, high = s->level_count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (s->levels[middle].priority > priority)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int ppi_scheduler_push(struct ppi_scheduler *s, uint32_t task, int priority, int in_front)
{
    int at = find_level(s, priority);
    if (at == s->level_count || s->levels[at].priority != priority) {
        if (s->level_count == s->level_room) {
            int room = s->level_room ? 2 * s->level_room : 8;
            struct ppi_ready_level *grown = realloc(s->levels, (size_t)room * sizeof *grown);
            if (!grown) return ppi_error(PP_ERR_NOMEM, "no memory for tasks of priority %d", priority);
            s->levels = grown;
            s->level_room = room;
        }
        memmove(s->levels + at + 1, s->levels + at, (size_t)(s->level_count - at) * sizeof *s->levels);
        s->levels[at] = (struct ppi_ready_level){priority, PPI_TASK_NONE, PPI_TASK_NONE};
        s->level_count++;
    }
    struct ppi_ready_level *level = &s->levels[at];
    struct ppi_task *t = ppi_store_at(s->store, task);
    t->flags |= PPI_TASK_LINKED;
    if (level->first == PPI_TASK_NONE) {
        t->next = PPI_TASK_NONE;
        level->first = level->last = task;
    } else if (in_front) {
        t->next = level->first;
        level->first = task;
    } else {
        t->next = PPI_TASK_NONE;
        ppi_store_at(s->store, level->last)->next = task;
        level->last = task;
    }
    if (s->ready++ == 0) s->grant = 0; /* what comes later is shared out anew */
    return PP_OK;
}

/* True when the task has failed, and is to be tried on another agent than this. */
static int avoids(const struct ppi_scheduler *s, const struct ppi_task *t, int agent)
{
    const struct ppi_scheduler_agent *a = &s->agents[agent];
    const struct ppi_task_extra *extra = ppi_task_extra_of(s->store, t);
    if (!extra || extra->worker == PPI_TASK_NO_WORKER || s->workers <= a->workers) return 0;
    if (t->agent == agent ? a->workers < 2 : has_idle(a)) return t->agent == agent;
    for (int i = 0; i < s->agent_count; i++)
        if (i != agent && i != t->agent && has_idle(&s->agents[i])) return 1;
    return 0;
}

/* One ready task less. When it was the last, what is still linked was cancelled there, and new tasks may pass the queue by
 * for ever: its records go back now. */
static void one_less(struct ppi_scheduler *s)
{
    if (--s->ready) return;
    for (int at = 0; at < s->level_count; at++) {
        for (uint32_t task = s->levels[at].first, next; task != PPI_TASK_NONE; task = next) {
            next = ppi_store_at(s->store, task)->next;
            ppi_store_unlinked(s->store, task);
        }
        s->levels[at].first = s->levels[at].last = PPI_TASK_NONE;
    }
    if (s->level_count > 1) s->level_count = 1;
}

/* Takes the first task out of a level that the agent may have; PPI_TASK_NONE when there is none. */
static uint32_t pop_level(struct ppi_scheduler *s, struct ppi_ready_level *level, int agent)
{
    uint32_t passed = PPI_TASK_NONE, task = level->first;
    while (task != PPI_TASK_NONE) {
        struct ppi_task *t = ppi_store_at(s->store, task);
        uint32_t next = t->next;
        if (next != PPI_TASK_NONE) ppi_will_read(ppi_store_at(s->store, next)); /* in a long queue it is in no cache any more */
        int cancelled = t->state != PPI_TASK_QUEUED;
        if (!cancelled && t->attempts && avoids(s, t, agent)) {
            passed = task;
            task = next;
            continue;
        }
        if (passed == PPI_TASK_NONE)
            level->first = next;
        else
            ppi_store_at(s->store, passed)->next = next;
        if (next == PPI_TASK_NONE) level->last = passed;
        ppi_store_unlinked(s->store, task);
        if (!cancelled) return task;
        task = next;
    }
    return PPI_TASK_NONE;
}

/* The first task that the agent may have; PPI_TASK_NONE when all wait for others. */
static uint32_t pop(struct ppi_scheduler *s, int agent)
{
    uint32_t task = PPI_TASK_NONE;
    for (int at = 0; at < s->level_count && task == PPI_TASK_NONE;) {
        task = pop_level(s, &s->levels[at], agent);
        /* The last level stays when it is empty, until another is needed: a queue that runs dry and fills again costs
         * nothing. Others go at once, so that there are no more levels than priorities in use. */
        if (s->levels[at].first == PPI_TASK_NONE && s->level_count > 1)
            memmove(s->levels + at, s->levels + at + 1, (size_t)(--s->level_count - at) * sizeof *s->levels);
        else
            at++;
    }
    if (task != PPI_TASK_NONE) one_less(s);
    return task;
}

void ppi_scheduler_forget(struct ppi_scheduler *s)
{
    one_less(s);
}

/* The workers of the agent that are given tasks of the length that it has had. */
static uint64_t takers(const struct ppi_scheduler *s, const struct ppi_scheduler_agent *a)
{
    int few = a == s->agents && s->own_enough && s->own_enough < a->workers && s->own_gets_on;
    return (uint64_t)(few && ppi_is_quick(a->mean_ns) ? s->own_enough : a->workers);
}

static uint64_t room(const struct ppi_scheduler *s, const struct ppi_scheduler_agent *a)
{
    uint64_t wanted = takers(s, a) * a->depth;
    if (s->crowded && a->alone && wanted > 1) {
        /* What it has nobody else can run soon: half of its share of what is left, so that all come to an end together. */
        uint64_t half = (s->ready + s->given) / 2 / (uint64_t)s->workers;
        if (wanted > half) wanted = half ? half : 1;
    }
    return wanted > a->given ? wanted - a->given : 0;
}

/* It has room, and for more than a few: small messages that are answered by small ones would stay small for ever (Clark,
 * RFC 813, 1982). */
static int is_worth_it(const struct ppi_scheduler *s, const struct ppi_scheduler_agent *a)
{
    uint64_t more = room(s, a);
    return more && (!s->crowded || !a->alone || more >= a->given);
}

/* How many tasks the agent gets now. */
static uint64_t grant(const struct ppi_scheduler *s, const struct ppi_scheduler_agent *a)
{
    uint64_t most = room(s, a), workers = (uint64_t)a->workers;
    /* Its share of all that is unfinished, of which it has some already. */
    uint64_t all = s->ready + s->given, share = (all * workers + (uint64_t)s->workers - 1) / (uint64_t)s->workers;
    share = share > a->given ? share - a->given : 0;
    /* Idle workers are served first, whatever the share. */
    uint64_t idle = workers > a->given ? workers - a->given : 0;
    if (share < idle) share = idle;
    if (share == 0) share = 1;
    return most < share ? most : share;
}

/* Agent 0 has done what it has before anybody else could begin, or before as much could be sent; or there is nobody else. */
static int own_is_soonest(const struct ppi_scheduler *s)
{
    const struct ppi_scheduler_agent *own = &s->agents[0];
    if (s->agent_count == 1) return !own->refused;
    if (!s->own_gets_on || own->mean_ns <= 0 || own->refused || own->workers == 0) return 0;
    return own->mean_ns < PPI_SEND_NS * own->workers || (double)own->given * own->mean_ns < PPI_WAKE_NS * own->workers;
}

/* Makes an agent that has room the current one, which is quick where there is but one; 0 when there is none. */
static int choose_agent(struct ppi_scheduler *s)
{
    if (own_is_soonest(s)) {
        if (s->current > 0) make_hungry(s, s->current, 1);
        s->current = 0;
        s->grant = room(s, &s->agents[0]) > 0;
        return s->grant > 0;
    }
    if (s->current >= 0 && room(s, &s->agents[s->current]) == 0) s->grant = 0;
    while (s->grant == 0) {
        /* The one that was served goes to the end of the list. */
        if (s->current >= 0 && room(s, &s->agents[s->current])) make_hungry(s, s->current, 0);
        s->current = -1;
        int next = next_hungry(s);
        if (next < 0) return 0;
        struct ppi_scheduler_agent *a = &s->agents[next];
        if (!is_worth_it(s, a) || a->refused) continue;
        s->current = next;
        s->grant = grant(s, a);
    }
    return 1;
}

int ppi_scheduler_next(struct ppi_scheduler *s, uint32_t *task, int *agent)
{
    s->waiting_for_others = 0;
    if (s->ready == 0) return 0;
    int refused = -1, found = 0; /* refused: the last one that was, as the head of a list */
    while (!found && choose_agent(s)) {
        int asked = s->current;
        *task = pop(s, asked);
        if (*task != PPI_TASK_NONE) {
            found = 1;
            *agent = asked;
            ppi_scheduler_given(s, asked);
            s->grant--;
            continue;
        }
        s->agents[asked].refused = 1;
        s->agents[asked].next_refused = refused;
        refused = asked;
        s->current = -1;
        s->grant = 0;
    }
    if (refused >= 0) s->waiting_for_others = !found;
    /* They keep their places, before those that come later. */
    for (; refused >= 0; refused = s->agents[refused].next_refused) {
        s->agents[refused].refused = 0;
        make_hungry(s, refused, 1);
    }
    return found;
}

int ppi_scheduler_direct(struct ppi_scheduler *s)
{
    if (s->ready) return -1;
    s->grant = 0;
    s->ready = 1;
    int agent = choose_agent(s) ? s->current : -1;
    s->ready = 0;
    if (agent >= 0) ppi_scheduler_given(s, agent);
    return agent;
}

void ppi_scheduler_given(struct ppi_scheduler *s, int agent)
{
    s->agents[agent].given++;
    s->given++;
}

int ppi_scheduler_idle_agent(const struct ppi_scheduler *s)
{
    if (s->agent_count == 1) return has_idle(&s->agents[0]) ? 0 : -1;
    for (int i = s->hungry[0].first; i >= 0; i = s->agents[i].hungry[0].next)
        if (has_idle(&s->agents[i])) return i;
    return -1;
}

void ppi_scheduler_measured(struct ppi_scheduler *s, int agent, double mean_ns, double last_ns)
{
    struct ppi_scheduler_agent *a = &s->agents[agent];
    if (a->mean_ns == mean_ns && a->last_ns == last_ns) return;
    a->mean_ns = mean_ns;
    a->last_ns = last_ns;
    a->depth = depth_of(s, agent);
}

void ppi_scheduler_finished(struct ppi_scheduler *s, int agent, uint64_t duration_ns)
{
    struct ppi_scheduler_agent *a = &s->agents[agent];
    if (a->given) a->given--, s->given--;
    if (duration_ns) {
        a->last_ns = (double)duration_ns;
        a->mean_ns = ppi_mean_update(a->mean_ns, duration_ns);
        a->depth = depth_of(s, agent);
    }
    if (agent != s->current && s->agent_count > 1) make_hungry(s, agent, 0);
}
