/* A hundred thousand tasks while workers and agents on all nodes are killed at random; see test_chaos.sh.
 *   cluster_chaos farm FOLDER SEED TASKS HEARTBEAT   rank 0 checks every outcome; ends with 7 when all was as it should be
 *   cluster_chaos hunt FOLDER SEED AGENTS            kills, from FOLDER/up on until there is FOLDER/stop: workers all the
 *                                                    time, and at most so many agents; writes FOLDER/killed */
#include "fault/fault.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define WINDOW 3000   /* tasks that are under way */
#define RETRIES 60    /* of those that are not to be lost with their worker */
#define LARGEST (1 << 20)
#define ALL_RIGHT 7

static uint64_t state;

static unsigned draw(unsigned below)
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (unsigned)(state >> 33) % below;
}

static const char *in_folder(const char *folder, const char *name)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int is_there(const char *folder, const char *name)
{
    return access(in_folder(folder, name), F_OK) == 0;
}

/* Whole at once, under its name. */
static void write_file(const char *folder, const char *name, const char *text)
{
    char fresh[PATH_MAX];
    snprintf(fresh, sizeof fresh, "%s/%s.new", folder, name);
    FILE *file = fopen(fresh, "we");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0 || rename(fresh, in_folder(folder, name)) != 0) {
        perror(fresh);
        exit(1);
    }
}

/* ---- the hunter */

enum kind { NOTHING, WORKER, AGENT };

struct prey {
    long pid;
    int rank;
    enum kind kind;
};

/* What the process is in the farm of that folder, whose name stands in its environment. */
static struct prey look_at(long pid, const char *mark)
{
    static char text[1 << 16];
    struct prey p = {pid, -1, NOTHING};
    struct fault_process process, parent;
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/environ", pid);
    FILE *file = fopen(path, "re");
    if (!file) return p;
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    int ours = 0;
    for (const char *v = text; v < text + n; v += strlen(v) + 1) {
        if (strcmp(v, mark) == 0) ours = 1;
        if (strncmp(v, "OMPI_COMM_WORLD_RANK=", 21) == 0) p.rank = atoi(v + 21);
    }
    if (!ours || p.rank < 0 || !fault_look(pid, &process) || process.state == 'Z') return p;
    if (strcmp(process.name, "ppmpi-worker") == 0) p.kind = WORKER;
    /* Its child, the stub, has the same name. */
    if (strcmp(process.name, "cluster_chaos") == 0 && fault_look(process.parent, &parent) &&
        strcmp(parent.name, "cluster_chaos") != 0)
        p.kind = AGENT;
    return p;
}

static int find_prey(const char *mark, struct prey *out, int most)
{
    struct fault_process all[4096];
    int count = fault_children(0, all, 4096), n = 0;
    for (int i = 0; i < count && n < most; i++) {
        if (strcmp(all[i].name, "ppmpi-worker") != 0 && strcmp(all[i].name, "cluster_chaos") != 0) continue;
        out[n] = look_at(all[i].pid, mark);
        if (out[n].kind == WORKER || (out[n].kind == AGENT && out[n].rank > 0)) n++;
    }
    return n;
}

static int hunt(const char *folder, int agents_most)
{
    enum { MOST = 512 };
    struct prey prey[MOST];
    char mark[PATH_MAX], text[256];
    int workers = 0, agents = 0, ranks[16] = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* whatever becomes of the script */
    if (getppid() == 1) return 1;
    snprintf(mark, sizeof mark, "CHAOS=%s", folder);
    while (!is_there(folder, "up")) fault_sleep(0.01);
    double next_agent = fault_now() + 0.001 * draw(3000);
    while (!is_there(folder, "stop")) {
        int n = find_prey(mark, prey, MOST), wanted = agents < agents_most && fault_now() >= next_agent ? AGENT : WORKER;
        int first = n ? (int)draw((unsigned)n) : 0, i;
        for (i = 0; i < n && (int)prey[(first + i) % n].kind != wanted; i++) {}
        const struct prey *p = &prey[n ? (first + i) % n : 0];
        if (i < n && kill((pid_t)p->pid, SIGKILL) == 0) {
            if (p->kind == AGENT) ranks[p->rank % 16] = 1;
            agents += p->kind == AGENT;
            workers += p->kind == WORKER;
        }
        if (wanted == AGENT) next_agent = fault_now() + 0.001 * draw(3000);
        fault_sleep(0.001 * (1 + draw(60)));
    }
    int length = snprintf(text, sizeof text, "%d %d", workers, agents);
    for (int i = 0; i < 16; i++)
        if (ranks[i]) length += snprintf(text + length, sizeof text - (size_t)length, " %d", i);
    write_file(folder, "killed", strcat(text, "\n"));
    return 0;
}

/* ---- the farm */

struct order {
    int32_t n, us;      /* number; microseconds to work */
    int32_t bytes;      /* of the result */
    int32_t extra;      /* bytes behind this */
    pp_shared shared;
};

static unsigned char pattern(int n, size_t i)
{
    return (unsigned char)((unsigned)n * 31u + (unsigned)i);
}

static int is_pattern(int n, const unsigned char *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (data[i] != pattern(n, i)) return 0;
    return 1;
}

static void fill(int n, unsigned char *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) data[i] = pattern(n, i);
}

static void work(pp_task *task)
{
    size_t bytes, shared_bytes;
    const struct order *o = pp_task_args(task, &bytes);
    const unsigned char *shared = o->shared.id ? pp_shared_data(o->shared, &shared_bytes) : NULL;
    if (bytes != sizeof *o + (size_t)o->extra || !is_pattern(o->n, (const unsigned char *)(o + 1), (size_t)o->extra))
        pp_task_fail(task, 1, "arguments of task %d", o->n);
    if (o->shared.id && (!shared || shared_bytes != LARGEST || !is_pattern(1, shared, shared_bytes)))
        pp_task_fail(task, 2, "shared data in task %d", o->n);
    if (o->us) usleep((useconds_t)o->us);
    unsigned char *r = pp_task_result(task, (size_t)o->bytes);
    if (r) fill(o->n, r, (size_t)o->bytes);
}

static int called; /* by the one callback thread */

static void call_back(pp_future f, void *arg)
{
    (void)f, (void)arg;
    called++;
}

struct record {
    pp_future future;
    struct order order;
    int retries, calls, cancelled, outcomes;
};

static struct {
    int ok, crashed, lost, cancelled;
} total;

static void submit(pp_server *server, struct record *r, int n, pp_shared shared)
{
    static unsigned char args[sizeof(struct order) + LARGEST];
    static const int sizes[] = {0, 0, 8, 24, 25, 200, 3000, 60000, 70000, 300000, LARGEST};
    pp_submit_options options = PP_SUBMIT_OPTIONS_INIT;
    memset(r, 0, sizeof *r);
    /* Most are small and short. */
    int large = draw(200) == 0;
    r->order.n = n;
    r->order.bytes = sizes[draw(large ? 11 : 7)];
    r->order.extra = sizes[draw(large ? 11 : 6)];
    r->order.us = draw(20) == 0 ? (int)draw(20000) : 0;
    if (draw(10) == 0) r->order.shared = shared;
    memcpy(args, &r->order, sizeof r->order);
    fill(n, args + sizeof r->order, (size_t)r->order.extra);
    options.retries = r->retries = draw(3) ? RETRIES : 0;
    options.priority = draw(50) == 0;
    r->calls = draw(20) == 0;
    if (r->calls) options.callback = call_back;
    r->future = pp_submit_with(server, work, args, sizeof r->order + (size_t)r->order.extra, &options);
    CHECK(r->future.id, "task %d: %s", n, pp_last_error());
    if (draw(1000) == 0) r->cancelled = pp_cancel(r->future) == PP_OK;
}

static void check_outcome(struct record *r, pp_future f)
{
    const void *data = NULL;
    size_t bytes = 0;
    int n = r->order.n, status = pp_result(f, &data, &bytes);
    pp_task_info info = fault_info(f);
    r->outcomes++;
    CHECK(r->outcomes == 1, "task %d: outcome %d", n, r->outcomes);
    CHECK(info.state == PP_FINISHED && info.status == status, "task %d: state %d, status %d and %d", n, info.state, info.status,
          status);
    if (r->cancelled) {
        CHECK(status == PP_ERR_CANCELLED, "task %d was cancelled: %d", n, status);
        total.cancelled++;
    } else if (status == PP_OK) {
        CHECK(bytes == (size_t)r->order.bytes && is_pattern(n, data, bytes), "task %d: %zu bytes of %d", n, bytes, r->order.bytes);
        total.ok++;
    } else if (status == PP_ERR_CRASHED) {
        CHECK(r->retries == 0 && info.signal == SIGKILL, "task %d, %d retries, %d attempts, signal %d: %s", n, r->retries,
              info.attempts, info.signal, info.message);
        total.crashed++;
    } else if (status == PP_ERR_LOST) {
        CHECK(strstr(info.message, "3 times before on ranks that were lost"), "task %d: %s", n, info.message);
        total.lost++;
    } else {
        CHECK(0, "task %d: %s: %s", n, pp_strerror(status), info.message);
    }
    CHECK(pp_release(f) == PP_OK, "task %d: %s", n, pp_last_error());
}

static void run_tasks(pp_server *server, const char *folder, int tasks)
{
    static unsigned char data[LARGEST];
    struct record *records = calloc((size_t)tasks, sizeof *records);
    uint64_t first = 0;
    int submitted = 0, finished = 0, calls = 0;
    pp_shared shared = {0};
    fill(1, data, sizeof data);
    CHECK(pp_share(server, data, sizeof data, &shared) == PP_OK, "%s", pp_last_error());
    write_file(folder, "up", "");
    while (finished < tasks) {
        while (submitted < tasks && submitted - finished < WINDOW) {
            struct record *r = &records[submitted];
            submit(server, r, submitted, shared);
            if (submitted == 0) first = fault_info(r->future).task;
            calls += r->calls;
            submitted++;
        }
        pp_future f;
        int status = pp_next(server, NULL, 60, &f);
        CHECK(status == PP_OK, "pp_next: %d, %d of %d tasks have finished", status, finished, tasks);
        if (status != PP_OK) {
            pp_print_stats(server, stderr);
            break;
        }
        uint64_t index = fault_info(f).task - first;
        CHECK(index < (uint64_t)submitted && records[index].future.id == f.id, "future of task %llu", (unsigned long long)index);
        check_outcome(&records[index], f);
        finished++;
    }
    for (int i = 0; i < tasks; i++) CHECK(records[i].outcomes == 1, "task %d has %d outcomes", i, records[i].outcomes);
    pp_wait_group(server, NULL, 10); /* the last callbacks */
    CHECK(called == calls, "%d callbacks of %d", called, calls);
    pp_future more;
    CHECK(pp_next(server, NULL, 0, &more) == PP_END, "more outcomes than tasks");
    CHECK(pp_unshare(server, shared) == PP_OK, "%s", pp_last_error());
    free(records);
}

/* What the hunter has killed: numbers of workers and agents, and whether it was a rank's. */
static void read_killed(const char *folder, int *workers, int *agents, int dead[16])
{
    double until = fault_now() + 20;
    int rank;
    while (!is_there(folder, "killed") && fault_now() < until) fault_sleep(0.01);
    FILE *file = fopen(in_folder(folder, "killed"), "re");
    CHECK(file && fscanf(file, "%d %d", workers, agents) == 2, "the hunter tells nothing");
    while (file && fscanf(file, "%d", &rank) == 1) dead[rank] = 1;
    if (file) fclose(file);
}

/* The nodes that there are, as they should be: node i has ranks i, i + nodes, … The first of them receives what is shared; without it
 * the others of its node are lost. */
static int nodes_are_right(pp_server *server, const pp_node *before, int nodes, int ranks, const int dead[16])
{
    pp_node now[16];
    int alive = 0, seen = 0, workers = 0, count = pp_get_active_nodes(server, now, 16);
    for (int i = 0; i < nodes; i++) {
        int expected = 0;
        for (int r = i; r < ranks; r += nodes) expected += !dead[r] && !dead[i];
        if (!expected) continue;
        alive++;
        for (int k = 0; k < count; k++)
            if (strcmp(now[k].host, before[i].host) == 0 && now[k].ranks == expected) seen++, workers += now[k].workers;
    }
    return count == alive && seen == alive && pp_get_ncpus(server) == workers;
}

static void tell_nodes(pp_server *server, const int dead[16])
{
    pp_node now[16];
    int count = pp_get_active_nodes(server, now, 16);
    for (int i = 0; i < count; i++)
        fprintf(stderr, "%s: first rank %d, %d ranks, %d workers\n", now[i].host, now[i].first_rank, now[i].ranks, now[i].workers);
    for (int i = 0; i < 16; i++)
        if (dead[i]) fprintf(stderr, "rank %d was killed\n", i);
    CHECK(0, "%d workers in all: nodes are not as they should be", pp_get_ncpus(server));
}

static int farm(pp_server *server, const char *folder, int tasks, double heartbeat)
{
    pp_node nodes[16];
    int count = pp_get_active_nodes(server, nodes, 16), ranks = 0, workers = 0, agents = 0, dead[16] = {0};
    double began = fault_now();
    for (int i = 0; i < count && i < 16; i++) ranks += nodes[i].ranks;
    run_tasks(server, folder, tasks);
    double took = fault_now() - began, until;
    write_file(folder, "stop", "");
    read_killed(folder, &workers, &agents, dead);

    pp_stats s = {.size = sizeof s};
    CHECK(pp_get_stats(server, &s) == PP_OK && s.submitted == (uint64_t)tasks, "%s", pp_last_error());
    CHECK(s.done == (uint64_t)total.ok && s.cancelled == (uint64_t)total.cancelled, "%d done, %d cancelled", total.ok, total.cancelled);
    CHECK(s.failed == (uint64_t)(total.crashed + total.lost) && s.running + s.queued == 0, "%d failed", total.crashed + total.lost);
    CHECK(total.crashed <= workers, "%d tasks crashed with %d workers", total.crashed, workers);
    CHECK(total.lost <= agents, "%d tasks lost with %d agents", total.lost, agents);
    for (until = fault_now() + 3 * heartbeat; !nodes_are_right(server, nodes, count, ranks, dead) && fault_now() < until;)
        fault_sleep(0.05);
    if (!nodes_are_right(server, nodes, count, ranks, dead)) tell_nodes(server, dead);
    fault_sleep(0.3);
    CHECK(nodes_are_right(server, nodes, count, ranks, dead), "nodes, a little later");
    printf("%d tasks in %.1f s: %d ok, %d crashed, %d lost, %d cancelled, %llu tried again; %d workers and %d agents were killed\n",
           tasks, took, total.ok, total.crashed, total.lost, total.cancelled, (unsigned long long)s.retried, workers, agents);
    double closing = fault_now();
    CHECK(pp_server_close(server) == PP_OK, "%s", pp_last_error());
    CHECK(fault_now() - closing < 8, "closing took %.1f s", fault_now() - closing);
    return fault_failures ? 1 : ALL_RIGHT;
}

int main(int argc, char **argv)
{
    pp_options options = PP_OPTIONS_INIT;
    if (argc < 5) return 2;
    state = strtoull(argv[3], NULL, 10) * 2 + 1;
    if (strcmp(argv[1], "hunt") == 0) return hunt(argv[2], atoi(argv[4]));
    options.heartbeat = argc > 5 ? atof(argv[5]) : 2;
    options.workers = 2;
    options.log_level = PP_LOG_WARNING;
    return farm(fault_open(&argc, &argv, &options), argv[2], atoi(argv[4]), options.heartbeat);
}
