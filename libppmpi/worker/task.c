/* The functions that a task calls. */
#include "worker/worker.h"

#include <ppmpi_binding.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ppi_task_memory {
    _Alignas(64) struct ppi_task_memory *next;
};

static _Thread_local pp_task *current __attribute__((tls_model("initial-exec")));
static const struct ppi_worker *process; /* that this process is nothing but */

static const void *args_of(const struct ppi_workspace *workspace, const struct ppi_job *job)
{
    if (!(job->flags & PPI_JOB_BLOCK)) return job->args.bytes_inline;
    if (job->args.offset & PPI_JOB_AT_SERVER) return workspace->server.base + (job->args.offset & ~PPI_JOB_AT_SERVER);
    return workspace->segment.base + job->args.offset;
}

void ppi_task_begin(struct pp_task *task, struct ppi_worker *worker, const struct ppi_job *job)
{
    task->worker = worker;
    task->job = job;
    task->args = args_of(worker->workspace, job);
    task->result = NULL;
    task->result_bytes = task->result_room = 0;
    task->in_block = 0;
    task->failed = 0;
    task->status = PP_OK;
    task->code = 0;
    task->memory = NULL;
    current = task;
    if (worker->process) process = worker;
}

void ppi_task_end(struct pp_task *task)
{
    while (task->memory) {
        struct ppi_task_memory *m = task->memory;
        task->memory = m->next;
        free(m);
    }
    current = NULL;
}

const struct ppi_worker *ppi_worker_here(void)
{
    return current ? current->worker : process;
}

pp_task *pp_task_current(void)
{
    return current;
}

const void *pp_task_args(const pp_task *task, size_t *bytes)
{
    if (!task) return NULL;
    if (bytes) *bytes = task->job->bytes;
    return task->args;
}

void *pp_task_result(pp_task *task, size_t bytes)
{
    if (!task) return NULL;
    if (!ppi_result_resize(task, bytes)) {
        if (!task->failed) {
            pp_task_fail(task, 0, "no memory for a result of %zu bytes", bytes);
            task->status = PP_ERR_NOMEM;
        }
        return NULL;
    }
    /* An empty result, too, has an address. */
    return task->result ? task->result : task->worker->staging;
}

void pp_task_fail(pp_task *task, int code, const char *format, ...)
{
    if (!task) return;
    va_list args;
    va_start(args, format);
    task->message[0] = '\0';
    if (format) vsnprintf(task->message, sizeof task->message, format, args);
    va_end(args);
    task->failed = 1;
    task->status = PP_ERR_TASK;
    task->code = code;
}

void pp_binding_fail(pp_task *task, int status, const char *text)
{
    if (!task) return;
    pp_task_fail(task, status, "%s", text);
    task->status = status < 0 && status >= PP_ERR_INTERNAL ? status : PP_ERR_INTERNAL;
    if (task == current) ppi_worker_end_here(task->worker);
}

uint32_t pp_binding_tag(const pp_task *task)
{
    return task ? task->job->tag : 0;
}

uint64_t pp_task_id(const pp_task *task)
{
    return task ? task->job->number : 0;
}

int pp_task_attempt(const pp_task *task)
{
    return task ? task->job->attempt : PP_ERR_ARG;
}

int pp_task_worker(const pp_task *task)
{
    return task ? task->worker->number : PP_ERR_ARG;
}

void *pp_task_alloc(size_t bytes)
{
    struct ppi_task_memory *m;
    if (!current || bytes > SIZE_MAX - 2 * sizeof *m) return NULL;
    m = aligned_alloc(64, sizeof *m + (bytes + 63) / 64 * 64);
    if (!m) return NULL;
    m->next = current->memory;
    current->memory = m;
    return m + 1;
}
