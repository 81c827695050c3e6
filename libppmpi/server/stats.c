#include "server/report.h"
#include "server/server.h"

#include "base/clock.h"
#include "base/status.h"
#include "base/units.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int workers_of(const struct pp_server *s, int rank)
{
    return rank == 0 ? ppi_agent_workers(&s->agent) : s->ranks[rank].workers;
}

int ppi_server_workers(const struct pp_server *s)
{
    int workers = 0;
    for (int i = 0; i < s->rank_count; i++) workers += workers_of(s, i);
    return workers;
}

/* Whether a rank of that node is left. */
static int is_alive(const struct pp_server *s, int node)
{
    for (int k = node; k < s->rank_count; k++)
        if (s->ranks[k].node == node && !s->ranks[k].lost) return 1;
    return 0;
}

int ppi_server_nodes(struct pp_server *s, pp_node *nodes, int max)
{
    int count = 0;
    for (int i = 0; i < s->rank_count; i++) {
        if (s->ranks[i].node != i || !is_alive(s, i)) continue;
        if (count++ >= max) continue;
        pp_node *n = &nodes[count - 1];
        memset(n, 0, sizeof *n);
        memcpy(n->host, s->ranks[i].host, sizeof n->host);
        n->first_rank = i;
        for (int k = i; k < s->rank_count; k++) {
            if (s->ranks[k].node != i || s->ranks[k].lost) continue;
            n->ranks++;
            n->workers += workers_of(s, k);
            /* Ranks that share cores share all of them, as launchers place them. */
            if (s->ranks[k].alone)
                n->cores += s->ranks[k].allowed_cores;
            else if (n->cores < s->ranks[k].allowed_cores)
                n->cores = s->ranks[k].allowed_cores;
        }
    }
    return count;
}

void ppi_server_stats(struct pp_server *s, pp_stats *out)
{
    pp_stats p = {.size = sizeof p, .submitted = s->store.submitted, .done = s->done, .failed = s->failed,
                  .cancelled = s->cancelled, .retried = s->retried, .bytes_in = s->bytes_in, .bytes_out = s->bytes_out};
    uint64_t task_ns = 0, wall_ns = ppi_now_ns() - s->opened_ns;
    for (int i = 0; i < s->rank_count; i++) task_ns += s->ranks[i].job_time_ns;
    /* An agent begins what it has as fast as it has workers. */
    uint64_t workers = (uint64_t)ppi_server_workers(s), given = s->assigned < s->unfinished ? s->assigned : s->unfinished;
    p.running = given < workers ? given : workers;
    p.queued = s->unfinished - p.running;
    p.task_time = (double)task_ns / 1e9;
    p.wall_time = (double)wall_ns / 1e9;
    p.busy = workers && wall_ns ? p.task_time / p.wall_time / (double)workers : 0;
    if (p.busy > 1) p.busy = 1;
    *out = p;
}

int ppi_server_print_stats(struct pp_server *s, FILE *stream)
{
    /* A consistent snapshot first: the stream may block. */
    struct row {
        char host[256];
        uint64_t jobs, time_ns;
    } *rows;
    pp_stats p;
    ppi_lock_take(&s->lock);
    rows = calloc((size_t)s->rank_count, sizeof *rows);
    if (!rows) {
        ppi_lock_give(&s->lock);
        return ppi_error(PP_ERR_NOMEM, "no memory for the table");
    }
    int count = 0, workers = ppi_server_workers(s), nodes = ppi_server_nodes(s, NULL, 0);
    uint64_t jobs = 0;
    for (int i = 0; i < s->rank_count; i++) {
        if (s->ranks[i].node != i) continue;
        struct row *row = &rows[count++];
        memcpy(row->host, s->ranks[i].host, sizeof row->host);
        for (int k = i; k < s->rank_count; k++) {
            if (s->ranks[k].node != i) continue;
            row->jobs += s->ranks[k].jobs;
            row->time_ns += s->ranks[k].job_time_ns;
        }
        jobs += row->jobs;
    }
    ppi_server_stats(s, &p);
    ppi_lock_give(&s->lock);

    int made_way = ppi_report_make_way(s, stream == stdout, stream == stderr);
    ppi_units_flush_standard();
    int failed = fprintf(stream, "Job execution statistics:\n job count | %% of all jobs | job time sum | time per job | job server\n") < 0;
    for (int i = 0; i < count && !failed; i++)
        failed = fprintf(stream, "%10" PRIu64 " | %13.2f | %12.4f | %12.6f | %s\n", rows[i].jobs,
                         jobs ? 100.0 * (double)rows[i].jobs / (double)jobs : 0.0, (double)rows[i].time_ns / 1e9,
                         rows[i].jobs ? (double)rows[i].time_ns / 1e9 / (double)rows[i].jobs : 0.0, rows[i].host) < 0;
    free(rows);
    if (!failed)
        failed = fprintf(stream, "%" PRIu64 " submitted, %" PRIu64 " done, %" PRIu64 " failed, %" PRIu64 " cancelled, %" PRIu64
                                 " retried, %" PRIu64 " running, %" PRIu64 " queued\n"
                                 "%.3f s since the server was opened, %d worker%s on %d node%s, %.0f %% busy\n",
                         p.submitted, p.done, p.failed, p.cancelled, p.retried, p.running, p.queued, p.wall_time, workers,
                         workers == 1 ? "" : "s", nodes, nodes == 1 ? "" : "s", 100 * p.busy) < 0;
    if (fflush(stream) != 0) failed = 1;
    ppi_report_go_on(s, made_way);
    if (failed) return ppi_error(PP_ERR_SYSTEM, "the statistics could not be written");
    return PP_OK;
}
