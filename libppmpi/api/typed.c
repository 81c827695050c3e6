/* What the typed-task macros call; see the second half of ppmpi_typed.h for the layout of the arguments. */
#include "api/abort.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

void pp_bytes_free(pp_bytes b)
{
    free((void *)(uintptr_t)b.data);
}

/* ---- Submitting ---------------------------------------------------------------------------------------- */

/* Room for the arguments of most calls, so that they need no memory from the heap. */
#define SMALL_CALL 1024

static int align_up(size_t *at)
{
    if (*at > SIZE_MAX - (PP_TYPED_ALIGN - 1)) return 0;
    *at = (*at + PP_TYPED_ALIGN - 1) / PP_TYPED_ALIGN * PP_TYPED_ALIGN;
    return 1;
}

/* Size of the whole call; PP_ERR_ARG for impossible arguments. */
static int encoded_bytes(const unsigned char *args, size_t bytes, const size_t *at, int n, const char *name,
                         size_t *out)
{
    size_t total = bytes;
    for (int i = 0; i < n; i++) {
        pp_bytes b;
        if (at[i] == PP_TYPED_NOT_BYTES) continue;
        memcpy(&b, args + at[i], sizeof b);
        if (b.size > 0 && b.data == NULL)
            return ppi_error(PP_ERR_ARG, "PP_SUBMIT of %s: argument %d has %zu bytes, but its data is NULL", name,
                             i + 1, b.size);
        if (!align_up(&total) || b.size > SIZE_MAX - total)
            return ppi_error(PP_ERR_ARG, "PP_SUBMIT of %s: argument %d has an impossible size of %zu bytes", name,
                             i + 1, b.size);
        total += b.size;
    }
    *out = total;
    return PP_OK;
}

static void encode(unsigned char *call, const unsigned char *args, size_t bytes, const size_t *at, int n)
{
    size_t end = bytes;
    memcpy(call, args, bytes);
    for (int i = 0; i < n; i++) {
        pp_bytes b;
        if (at[i] == PP_TYPED_NOT_BYTES) continue;
        memcpy(&b, args + at[i], sizeof b);
        size_t start = end;
        align_up(&start);
        memset(call + end, 0, start - end);
        if (b.size > 0) memcpy(call + start, b.data, b.size);
        b.data = (const void *)(uintptr_t)start;
        memcpy(call + at[i], &b, sizeof b);
        end = start + b.size;
    }
}

pp_future pp_typed_encode(pp_server *server, const pp_submit_options *options, pp_function run, const void *args,
                          size_t bytes, const size_t *at, int n, const char *name)
{
    const pp_future none = {0};
    size_t total = 0;
    if (encoded_bytes(args, bytes, at, n, name, &total) != PP_OK) return none;

    _Alignas(PP_TYPED_ALIGN) unsigned char small[SMALL_CALL];
    unsigned char *call = total <= sizeof small ? small : malloc(total);
    if (call == NULL) {
        ppi_error(PP_ERR_NOMEM, "PP_SUBMIT of %s: no memory for %zu bytes of arguments", name, total);
        return none;
    }
    encode(call, args, bytes, at, n);
    pp_future f = pp_submit_with(server, run, call, total, options);
    if (call != small) free(call);
    return f;
}

/* ---- In the task --------------------------------------------------------------------------------------- */

const void *pp_typed_decode(pp_task *task, size_t bytes, const size_t *at, int n, const char *name)
{
    size_t total;
    const unsigned char *args = pp_task_args(task, &total);
    if (n == 0 ? total != bytes : total < bytes) {
        pp_task_fail(task, PP_ERR_SIZE, "%s: the arguments have %zu bytes, but %s%zu are needed", name, total,
                     n == 0 ? "" : "at least ", bytes);
        return NULL;
    }
    for (int i = 0; i < n; i++) {
        pp_bytes b;
        if (at[i] == PP_TYPED_NOT_BYTES) continue;
        memcpy(&b, args + at[i], sizeof b);
        size_t start = (size_t)(uintptr_t)b.data;
        if (start < bytes || start > total || b.size > total - start || start % PP_TYPED_ALIGN != 0) {
            pp_task_fail(task, PP_ERR_SIZE,
                         "%s: argument %d claims %zu bytes from byte %zu on, but the arguments have %zu bytes", name,
                         i + 1, b.size, start, total);
            return NULL;
        }
    }
    return args;
}

void pp_typed_finish(pp_task *task, const void *value, size_t bytes, const char *name)
{
    (void)name;
    void *out = pp_task_result(task, bytes);
    if (out != NULL) memcpy(out, value, bytes);
}

void pp_typed_finish_long(pp_task *task, const void *value, size_t bytes, const char *name)
{
    (void)name;
    void *out = pp_task_result(task, bytes);
    if (out == NULL) return;
    memset(out, 0, bytes);
    pp_typed_copy_long(out, value, bytes);
}

void pp_typed_finish_bytes(pp_task *task, const void *value, size_t bytes, const char *name)
{
    pp_bytes b;
    memcpy(&b, value, bytes);
    if (b.size > 0 && b.data == NULL) {
        pp_task_fail(task, PP_ERR_ARG, "%s: the result has %zu bytes, but its data is NULL", name, b.size);
        return;
    }
    void *out = pp_task_result(task, b.size);
    if (out != NULL && b.size > 0) memcpy(out, b.data, b.size);
}

/* ---- Fetching ------------------------------------------------------------------------------------------ */

static int fetch_value(pp_future f, void *value, size_t bytes)
{
    return pp_fetch(f, value, bytes);
}

static int fetch_bytes(pp_future f, void *value, size_t bytes)
{
    const void *data;
    pp_bytes b = {NULL, 0};
    int status = pp_result(f, &data, &b.size);
    if (status != PP_OK) return status;
    if (b.size > 0) {
        void *copy = malloc(b.size);
        if (copy == NULL) return ppi_error(PP_ERR_NOMEM, "no memory for a result of %zu bytes", b.size);
        memcpy(copy, data, b.size);
        b.data = copy;
    }
    /* Another thread may have released the future meanwhile; the value is there all the same. */
    pp_release(f);
    memcpy(value, &b, bytes);
    return PP_OK;
}

static int try_fetch(int (*fetch)(pp_future, void *, size_t), pp_future f, void *value, size_t bytes, const char *name)
{
    if (value == NULL && bytes > 0)
        return ppi_error(PP_ERR_ARG, "PP_TRY_FETCH(%s, …): r is NULL, but the function has a result", name);
    return fetch(f, value, bytes);
}

int pp_typed_try(pp_future f, void *value, size_t bytes, const char *name)
{
    return try_fetch(fetch_value, f, value, bytes, name);
}

int pp_typed_try_bytes(pp_future f, void *value, size_t bytes, const char *name)
{
    return try_fetch(fetch_bytes, f, value, bytes, name);
}

static int is_outcome(int status)
{
    switch (status) {
    case PP_ERR_TASK:
    case PP_ERR_CRASHED:
    case PP_ERR_TIMEOUT:
    case PP_ERR_CANCELLED:
    case PP_ERR_LOST:
    case PP_ERR_FUNCTION:
    case PP_ERR_MODULE: return 1;
    default: return 0;
    }
}

static void get(int (*fetch)(pp_future, void *, size_t), pp_future f, void *value, size_t bytes, const char *name)
{
    char message[2048], before[1024];
    /* Of a submission that failed, the reason is still the last error; fetching would replace it. */
    if (f.id == 0) snprintf(before, sizeof before, "%s", pp_last_error());
    int status = fetch(f, value, bytes);
    if (status == PP_OK) return;
    if (f.id == 0 && before[0] != '\0')
        snprintf(message, sizeof message, "PP_FETCH(%s, …): the future is null; the last error before was: %s", name,
                 before);
    else
        snprintf(message, sizeof message, "PP_FETCH(%s, …): %s%s", name, is_outcome(status) ? "the task failed: " : "",
                 pp_last_error());
    ppi_abort_job(message);
}

void pp_typed_get(pp_future f, void *value, size_t bytes, const char *name)
{
    get(fetch_value, f, value, bytes, name);
}

void pp_typed_get_bytes(pp_future f, void *value, size_t bytes, const char *name)
{
    get(fetch_bytes, f, value, bytes, name);
}
