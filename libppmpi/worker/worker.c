#include "worker/worker.h"

#include "base/clock.h"
#include "base/futex.h"
#include "base/policy.h"
#include "base/status.h"
#include "function/function.h"
#include "function/module.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SPIN_NS 50000 /* a futex wake-up costs about as much; spinning longer cannot pay (Karlin et al. 1990) */
#define SPINS_PER_LOOK 64

int ppi_worker_init(struct ppi_worker *worker, struct ppi_workspace *workspace, int slot, int number, char *segment,
                    uint64_t segment_bytes, const int read_fds[2])
{
    memset(worker, 0, sizeof *worker);
    worker->workspace = workspace;
    worker->requests = &workspace->requests[slot];
    worker->answers = (struct ppi_answers *)(void *)segment;
    worker->segment = segment;
    worker->segment_bytes = segment_bytes;
    worker->number = number;
    worker->modules.workspace = workspace;
    worker->functions = calloc(PPI_FUNCTIONS_MAX, sizeof(pp_function));
    if (!worker->functions) return ppi_error(PP_ERR_NOMEM, "no memory for a worker");
    int status = ppi_results_init(worker);
    if (status != PP_OK) {
        free(worker->functions);
        return status;
    }
    ppi_collector_init(&worker->collector, read_fds);
    return PP_OK;
}

void ppi_worker_fini(struct ppi_worker *worker)
{
    ppi_collector_fini(&worker->collector);
    ppi_results_fini(worker);
    free(worker->functions);
    ppi_module_loader_fini(&worker->modules);
}

/* Once a module was unloaded, what was found in it is not there any more, and another may lie in its place. */
static void forget_unloaded(struct ppi_worker *worker)
{
    uint64_t unloads = ppi_module_unloads();
    if (unloads == worker->unloads) return;
    worker->unloads = unloads;
    memset(worker->functions, 0, PPI_FUNCTIONS_MAX * sizeof(pp_function));
}

/* A function that lies in no module of this process: the module is loaded first. */
static int load(struct ppi_worker *worker, const struct ppi_function_ref *ref, pp_function *out)
{
    struct ppi_module_loader *loader = &worker->modules;
    loader->meanwhile = worker->meanwhile;
    loader->meanwhile_ctx = worker->meanwhile_ctx;
    int status = ppi_module_load(loader, ref);
    forget_unloaded(worker); /* others may have had to go for it */
    if (status == PP_OK) status = ppi_function_find(ref, out);
    return status;
}

static pp_function find(struct ppi_worker *worker, uint32_t index)
{
    pp_function *known = &worker->functions[index % PPI_FUNCTIONS_MAX];
    const char *entry = worker->workspace->functions + (size_t)(index % PPI_FUNCTIONS_MAX) * PPI_FUNCTION_BYTES;
    const struct ppi_function_ref *ref = (const struct ppi_function_ref *)(const void *)entry;
    if (!worker->process && ref->travels) forget_unloaded(worker); /* the program closes what it likes */
    if (!*known) {
        int status = ref->travels ? ppi_function_find_loaded(ref, known) : ppi_function_find(ref, known);
        if (ref->travels && status == PP_END) status = load(worker, ref, known);
        if (status != PP_OK) {
            pp_task_fail(&worker->task, 0, "%s", pp_last_error());
            worker->task.status = status;
        }
    }
    return *known;
}

/* A task may fork, and the child may return from the task's function: it ends there. */
static void end_forked_child(const struct ppi_worker *worker)
{
    if (!worker->pid) return;
    if (worker->alive ? *worker->alive : getpid() == worker->pid) return;
    ppi_collector_flush();
    _exit(0);
}

/* There is no block for the result, or for what the task printed; the failure's text goes without one. */
static void no_memory(struct ppi_worker *worker, struct ppi_outcome *outcome, uint64_t bytes)
{
    char text[PPI_INLINE_BYTES + 1];
    int n = snprintf(text, sizeof text, "no memory: %llu bytes", (unsigned long long)bytes);
    outcome->status = PP_ERR_NOMEM;
    outcome->bytes = n < PPI_INLINE_BYTES ? (uint64_t)n : PPI_INLINE_BYTES;
    outcome->flags = 0;
    memcpy(outcome->result.bytes_inline, text, outcome->bytes);
    ppi_result_drop(&worker->task);
}

/* Writes result, message and what was printed where the agent finds them. */
static void fill_outcome(struct ppi_worker *worker, struct ppi_outcome *outcome, int printed)
{
    struct pp_task *task = &worker->task;
    const void *data = task->result;
    uint64_t bytes = task->result_bytes;
    if (task->failed) {
        ppi_result_drop(task);
        data = task->message;
        bytes = strlen(task->message);
    }
    outcome->status = task->status;
    outcome->code = task->code;
    outcome->bytes = bytes;
    outcome->flags = 0;
    uint64_t text = printed ? worker->collector.bytes[0] + worker->collector.bytes[1] : 0;
    if (bytes <= PPI_INLINE_BYTES && !text) {
        if (bytes) memcpy(outcome->result.bytes_inline, data, bytes);
        ppi_result_drop(task);
        return;
    }
    outcome->flags = PPI_OUTCOME_BLOCK;
    uint64_t padded = (bytes + 7) / 8 * 8;
    int in_place = !task->failed && ppi_result_has_room(task, padded + text);
    unsigned char *block = in_place ? task->result : ppi_result_block(worker, padded + text, &outcome->result.block.block);
    if (!block) {
        no_memory(worker, outcome, bytes);
        return;
    }
    outcome->result.block.offset = (uint64_t)(block - (unsigned char *)worker->segment);
    if (text) {
        outcome->flags |= PPI_OUTCOME_OUTPUT;
        unsigned char *to = block + padded;
        for (int i = 0; i < 2; i++) {
            outcome->result.block.output_bytes[i] = (uint32_t)worker->collector.bytes[i];
            if (worker->collector.bytes[i]) memcpy(to, worker->collector.text[i], worker->collector.bytes[i]);
            to += worker->collector.bytes[i];
        }
    }
    if (in_place) {
        outcome->result.block.block = task->block; /* sealed as soon as it is told */
    } else {
        if (bytes) memcpy(block, data, bytes);
        ppi_result_drop(task);
    }
}

static void call(struct ppi_worker *worker, const struct ppi_job *job)
{
    pp_function function = find(worker, job->function);
    if (function) function(&worker->task);
    end_forked_child(worker);
}

/* Before the first task. When it fails there is no sense in trying again: the worker stays, and fails what it is given. */
void ppi_worker_initialize(struct ppi_worker *worker)
{
    const struct ppi_board *board = worker->workspace->board;
    struct pp_task *task = &worker->task;
    if (!board->has_initializer) return;
    atomic_store(&worker->answers->initializing, 1);
    ppi_task_begin(task, worker, &board->initializer);
    call(worker, &board->initializer);
    if (task->failed) {
        worker->unfit = 1;
        worker->unfit_status = task->status;
        worker->unfit_code = task->code;
        memcpy(worker->unfit_message, task->message, sizeof worker->unfit_message);
    }
    ppi_result_drop(task);
    ppi_task_end(task);
    if (worker->process) ppi_collector_flush();
    ppi_collector_accept(&worker->collector);
    worker->collector.look_again = 1;
    atomic_store(&worker->answers->initializing, 0);
}

/* The task has written over the memory that we and the agent share. What would follow could be taken for the outcome of
 * others: the worker dies instead, and the agent sees why. */
static int leave_ruins(const struct ppi_worker *worker)
{
    if (worker->process) kill(getpid(), SIGKILL);
    return -1;
}

static uint32_t jobs_left(const struct ppi_worker *worker)
{
    uint64_t claim = atomic_load(&worker->answers->claim);
    return (uint32_t)(claim >> 32) - (uint32_t)claim;
}

/* The outcome of the last job is published and settled. begun: the next one is not among those left any more. leaves: this was the
 * last. */
static void ring(struct ppi_worker *worker, int begun, int leaves)
{
    struct ppi_doorbell *bell = worker->workspace->bell;
    worker->unrung = 0;
    if (atomic_load(&bell->listener) == PPI_LISTENER_NONE) return;
    uint64_t left = jobs_left(worker) + (unsigned)begun;
    int in_turn = atomic_load_explicit(&worker->workspace->board->one_core, memory_order_relaxed);
    int soon_dry = in_turn ? left == 0 : left < 2 || left * worker->took_ns < PPI_SOON_DRY_NS;
    if (!leaves && !soon_dry && ppi_now_ns() < atomic_load_explicit(&bell->quiet_until_ns, memory_order_relaxed)) return;
    ppi_doorbell_ring(bell);
}

static void ring_at_once(struct ppi_worker *worker, int leaves)
{
    ppi_channel_settle(worker->answers);
    ring(worker, 0, leaves);
}

/* Publishes what became of the task that has run; -1 when the worker cannot go on. last: it will not, and has flushed. */
static int conclude(struct ppi_worker *worker, uint64_t started, int last)
{
    struct ppi_answers *answers = worker->answers;
    struct pp_task *task = &worker->task;
    uint64_t finished = ppi_stopwatch_ns(&worker->watch);
    if (!ppi_channel_is_at(answers, worker->begun)) return leave_ruins(worker);
    if (finished < started) finished = started; /* the other core's counter is a little behind */

    int checked = last || ppi_collector_suspects(&worker->collector, finished - started), printed = 0;
    if (checked) {
        if (!last) ppi_collector_flush();
        if (!ppi_output_lock(&answers->output_lock, &worker->requests->readings)) return leave_ruins(worker);
        printed = ppi_collector_read(&worker->collector, finished - started);
    }
    struct ppi_outcome *outcome = ppi_channel_outcome(answers);
    fill_outcome(worker, outcome, printed > 0);
    outcome->job = (uint32_t)task->job->number;
    outcome->started_ns = started;
    outcome->finished_ns = finished;
    if (checked) outcome->flags |= PPI_OUTCOME_CHECKED;
    if (printed < 0 || last) outcome->flags |= PPI_OUTCOME_LAST;
    ppi_task_end(task);
    atomic_store_explicit(&answers->started_ns, 0, memory_order_relaxed);
    ppi_channel_finish(answers);
    if (checked) ppi_output_unlock(&answers->output_lock);
    worker->took_ns = finished - started;
    worker->unrung = 1;
    int leaves = last || printed < 0;
    if (leaves || task->in_block) ring_at_once(worker, leaves); /* to seal a block takes a while */
    if (task->in_block) ppi_result_seal(task); /* before the next task begins is soon enough */
    return printed < 0 ? -1 : 1;
}

void ppi_worker_end_here(struct ppi_worker *worker)
{
    if (!worker->process || atomic_load(&worker->answers->initializing)) return;
    end_forked_child(worker);
    ppi_collector_flush_leaving();
    conclude(worker, atomic_load(&worker->answers->started_ns), 1);
    _exit(0);
}

static int run(struct ppi_worker *worker, const struct ppi_job *job, void (*ended)(void))
{
    struct pp_task *task = &worker->task;
    ppi_results_take_returned(worker);
    uint64_t started = ppi_stopwatch_ns(&worker->watch);
    atomic_store_explicit(&worker->answers->started_ns, started, memory_order_relaxed);
    ppi_task_begin(task, worker, job);
    if (worker->unfit) {
        pp_task_fail(task, worker->unfit_code, "%s", worker->unfit_message);
        task->status = worker->unfit_status;
    } else {
        call(worker, job);
    }
    if (ended) ended();
    return conclude(worker, started, 0);
}

/* Begins the next job; rings for the last one before, when that is settled. */
static const struct ppi_job *begin_next(struct ppi_worker *worker)
{
    const struct ppi_job *job = ppi_channel_begin(worker->requests, worker->answers);
    if (worker->unrung && job && PPI_BEGIN_SETTLES)
        ring(worker, 1, 0);
    else if (worker->unrung)
        ring_at_once(worker, 0);
    if (job) worker->begun++;
    return job;
}

int ppi_worker_step(struct ppi_worker *worker, void (*ended)(void))
{
    const struct ppi_job *job = begin_next(worker);
    if (!job) return 0;
    int ran = run(worker, job, ended);
    if (worker->unrung) ring_at_once(worker, 0); /* nobody knows when the next step comes */
    return ran;
}

static int has_work(const struct ppi_worker *worker)
{
    return jobs_left(worker) || atomic_load(&worker->requests->stop);
}

static void wait_for_work(struct ppi_worker *worker)
{
    if (atomic_load_explicit(&worker->workspace->board->may_spin, memory_order_relaxed)) {
        uint64_t until = ppi_now_ns() + SPIN_NS;
        do {
            for (int i = 0; i < SPINS_PER_LOOK; i++) {
                if (has_work(worker)) return;
                ppi_cpu_relax();
            }
            ppi_results_take_returned(worker); /* what is done now, the next task need not wait for */
        } while (ppi_now_ns() < until);
    }
    _Atomic uint32_t *asleep = &worker->answers->asleep;
    atomic_store(asleep, 1); /* seq_cst: before the look at the claim, which pairs with the agent's publish */
    while (!has_work(worker) && atomic_load(asleep)) ppi_futex_wait(asleep, 1, PPI_FOREVER);
    atomic_store(asleep, 0);
}

void ppi_worker_run(struct ppi_worker *worker)
{
    ppi_worker_initialize(worker);
    for (;;) {
        const struct ppi_job *job = begin_next(worker);
        if (job && run(worker, job, NULL) < 0) return;
        if (job) continue;
        if (atomic_load(&worker->requests->stop)) return;
        if (worker->collector.unseen) ppi_collector_rest(&worker->collector);
        wait_for_work(worker);
    }
}
