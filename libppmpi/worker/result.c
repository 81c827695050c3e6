#include "worker/worker.h"

#include "base/memory.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define STAGING_BYTES ((size_t)64 << 10)
#define STAGING_GUARD ((size_t)4 << 20) /* on both sides: what writes far past a small result meets it */
#define BLOCK_GUARD ((size_t)64 << 10)
#define SMALL_ARENA ((uint64_t)PPI_CHANNEL_BLOCKS * (STAGING_BYTES + PAGE) * 2)

int ppi_results_init(struct ppi_worker *worker)
{
    size_t whole = STAGING_BYTES + 2 * STAGING_GUARD;
    char *area = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    worker->blocks = calloc(PPI_CHANNEL_BLOCKS, sizeof *worker->blocks);
    worker->free_blocks = calloc(PPI_CHANNEL_BLOCKS, sizeof *worker->free_blocks);
    if (area == MAP_FAILED || !worker->blocks || !worker->free_blocks ||
        mprotect(area + STAGING_GUARD, STAGING_BYTES, PROT_READ | PROT_WRITE) != 0) {
        if (area != MAP_FAILED) munmap(area, whole);
        free(worker->blocks);
        free(worker->free_blocks);
        return ppi_error(PP_ERR_NOMEM, "no memory for the results of a worker");
    }
    worker->staging = (unsigned char *)area + STAGING_GUARD;
    for (uint32_t i = 0; i < PPI_CHANNEL_BLOCKS; i++)
        worker->free_blocks[worker->free_count++] = PPI_CHANNEL_BLOCKS - 1 - i;
    uint64_t start = sizeof(struct ppi_answers), end = worker->segment_bytes;
    uint64_t middle = SMALL_ARENA < (end - start) / 2 ? start + SMALL_ARENA : start + (end - start) / 2;
    middle = middle / PAGE * PAGE;
    ppi_arena_init(&worker->small, worker->segment, start, middle, 0);
    ppi_arena_init(&worker->large, worker->segment, middle, end, BLOCK_GUARD);
    worker->small.promised = worker->large.promised = &worker->workspace->board->promised;
    worker->small.warm_max = worker->large.warm_max = worker->workspace->board->warm_max;
    return PP_OK;
}

void ppi_results_fini(struct ppi_worker *worker)
{
    munmap(worker->staging - STAGING_GUARD, STAGING_BYTES + 2 * STAGING_GUARD);
    free(worker->blocks);
    free(worker->free_blocks);
    ppi_arena_fini(&worker->small);
    ppi_arena_fini(&worker->large);
}

static uint64_t page_up(uint64_t bytes)
{
    return (bytes + PAGE - 1) / PAGE * PAGE;
}

static void block_free(struct ppi_worker *worker, uint32_t number)
{
    struct ppi_result_block *b = &worker->blocks[number];
    ppi_arena_free(b->guarded ? &worker->large : &worker->small, b->offset, b->bytes);
    ppi_arena_purge(&worker->large);
    worker->free_blocks[worker->free_count++] = number;
}

void ppi_results_take_returned(struct ppi_worker *worker)
{
    uint32_t returned = atomic_load_explicit(&worker->requests->returned, memory_order_acquire);
    for (; worker->returned != returned; worker->returned++) {
        uint32_t number = worker->requests->blocks[worker->returned & (PPI_CHANNEL_BLOCKS - 1)];
        struct ppi_result_block *b = &worker->blocks[number];
        if (b->guarded)
            mprotect(worker->segment + b->offset, page_up(ppi_arena_block_bytes(b->bytes)), PROT_READ | PROT_WRITE);
        block_free(worker, number);
    }
}

static unsigned char *block_alloc(struct ppi_worker *worker, int guarded, uint64_t bytes, uint32_t *number, int *fresh)
{
    ppi_results_take_returned(worker);
    /* The agent takes outcomes and gives back blocks all the time; more numbers than that are not out at once. */
    while (worker->free_count == 0) {
        usleep(50);
        ppi_results_take_returned(worker);
    }
    uint64_t offset = ppi_arena_alloc(guarded ? &worker->large : &worker->small, bytes, fresh);
    if (offset == 0) return NULL;
    *number = worker->free_blocks[--worker->free_count];
    worker->blocks[*number] = (struct ppi_result_block){offset, bytes, guarded};
    return (unsigned char *)worker->segment + offset;
}

unsigned char *ppi_result_block(struct ppi_worker *worker, uint64_t bytes, uint32_t *number)
{
    return block_alloc(worker, bytes > STAGING_BYTES, bytes, number, NULL);
}

/* The task's block gets larger without being copied: most have nothing behind them. */
static int extend(struct pp_task *task, uint64_t bytes)
{
    struct ppi_result_block *b = &task->worker->blocks[task->block];
    uint64_t had = ppi_arena_block_bytes(b->bytes);
    if (bytes > had) {
        if (!ppi_arena_extend(&task->worker->large, b->offset, b->bytes, bytes)) return 0;
        b->bytes = bytes;
        task->result_room = ppi_arena_block_bytes(bytes);
        if (!ppi_memory_populate(task->result + had, bytes - had, task->worker->large.promised)) return 0;
    }
    return 1;
}

/* Another block for what the task has, which leaves the old one step by step: never is there much of it twice. */
static int move(struct pp_task *task, uint64_t bytes, uint64_t keep)
{
    struct ppi_worker *worker = task->worker;
    uint32_t number;
    int fresh;
    unsigned char *old = task->result, *result = block_alloc(worker, 1, bytes, &number, &fresh);
    if (!result) return 0;
    int good = 1;
    for (uint64_t at = 0; at < keep && good; at += PPI_MEMORY_STEP) {
        uint64_t step = keep - at < PPI_MEMORY_STEP ? keep - at : PPI_MEMORY_STEP;
        good = ppi_memory_copy(result + at, old + at, step, fresh, worker->large.promised);
        if (step == PPI_MEMORY_STEP) ppi_memory_remove(old + at, step);
    }
    uint64_t copied = keep / PAGE * PAGE; /* has its memory */
    if (good && fresh) good = ppi_memory_populate(result + copied, bytes - copied, worker->large.promised);
    if (!good) {
        block_free(worker, number);
        return 0;
    }
    if (task->in_block) block_free(worker, task->block);
    task->in_block = 1;
    task->block = number;
    task->result = result;
    task->result_room = ppi_arena_block_bytes(bytes);
    return 1;
}

int ppi_result_resize(struct pp_task *task, uint64_t bytes)
{
    if (bytes <= task->result_room && !(task->result && !task->in_block)) {
        task->result_bytes = bytes;
        return 1;
    }
    uint64_t keep = task->result_bytes < bytes ? task->result_bytes : bytes;
    if (!task->in_block && bytes <= STAGING_BYTES) {
        unsigned char *old = task->result;
        /* Its end lies at the guard. */
        task->result = task->worker->staging + STAGING_BYTES - (bytes + 63) / 64 * 64;
        if (keep) memmove(task->result, old, keep);
    } else if (!(task->in_block && extend(task, bytes)) && !move(task, bytes, keep)) {
        return 0;
    }
    task->result_bytes = bytes;
    return 1;
}

int ppi_result_has_room(struct pp_task *task, uint64_t bytes)
{
    return task->in_block && extend(task, bytes);
}

void ppi_result_drop(struct pp_task *task)
{
    if (task->in_block) block_free(task->worker, task->block);
    task->in_block = 0;
    task->result = NULL;
    task->result_bytes = task->result_room = 0;
}

void ppi_result_seal(struct pp_task *task)
{
    mprotect(task->result, page_up(ppi_arena_block_bytes(task->worker->blocks[task->block].bytes)), PROT_READ);
}
