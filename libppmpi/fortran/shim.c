/* What module ppmpi calls: the procedures that take data of any type, and what Fortran cannot say itself. */
#include "fortran/data.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* In support.f90 */
void pp_fortran_stop(const char *text, int bytes);
int pp_fortran_read_options(void *object, int is_template, pp_function *function, pp_submit_options *raw,
                            size_t *group_bytes, size_t *name_bytes);

/* What the descriptors of one call are: a1 … a8. */
#define DATA_PARAMETERS \
    const CFI_cdesc_t *a1, const CFI_cdesc_t *a2, const CFI_cdesc_t *a3, const CFI_cdesc_t *a4, const CFI_cdesc_t *a5, \
        const CFI_cdesc_t *a6, const CFI_cdesc_t *a7, const CFI_cdesc_t *a8
#define DATA_ARRAY \
    { \
        a1, a2, a3, a4, a5, a6, a7, a8 \
    }

/* Declared for the compiler alone: they are Fortran's. */
PP_API pp_future pp_fortran_submit(ppf_server server, pp_function task, DATA_PARAMETERS, int *ierr);
PP_API pp_future pp_fortran_submit_with(ppf_server server, void *options, pp_function task, DATA_PARAMETERS,
                                        int *ierr);
PP_API pp_future pp_fortran_template_submit(ppf_server server, void *task_template, DATA_PARAMETERS, int *ierr);
PP_API void pp_fortran_map(ppf_server server, pp_function task, const CFI_cdesc_t *items, const CFI_cdesc_t *results,
                           int *ierr);
PP_API void pp_fortran_fetch(pp_future f, const CFI_cdesc_t *value, int *ierr);
PP_API void pp_fortran_task_args(pp_task *task, DATA_PARAMETERS, int *ierr);
PP_API int pp_fortran_task_args_size(pp_task *task, int i, const CFI_cdesc_t *mold, int *ierr);
PP_API int64_t pp_fortran_task_args_size_long(pp_task *task, int64_t i, const CFI_cdesc_t *mold, int *ierr);
PP_API size_t pp_fortran_task_args_bytes(pp_task *task, int i, int *ierr);
PP_API void pp_fortran_task_return(pp_task *task, const CFI_cdesc_t *value, int *ierr);
void pp_fortran_task_fail(pp_task *task, int code, const char *message, size_t bytes);
int pp_fortran_print_stats(pp_server *server);

/* ---- The end of a call ----------------------------------------------------------------------------------- */

void pp_fortran_finish(int status, const char *call, int *ierr)
{
    char text[1280];
    if (ierr) *ierr = status;
    if (ierr || status >= 0) return;
    int bytes = snprintf(text, sizeof text, "ppmpi: %s failed: %s: %s", call, pp_strerror(status), pp_last_error());
    fflush(stdout);
    pp_fortran_stop(text, bytes < (int)sizeof text ? bytes : (int)sizeof text - 1);
}

/* In a task: without ierr it is the task that has failed, and ends. */
static void finish_task(pp_task *task, int status, int *ierr)
{
    if (ierr)
        *ierr = status;
    else if (status < 0)
        pp_binding_fail(task, status, pp_last_error());
}

/* ---- Submitting ------------------------------------------------------------------------------------------ */

#define SMALL_CALL 1024 /* room for the arguments of most calls, so that they need no memory from the heap */

/* What goes with the bytes of the arguments: TAG_LIST with those of several, and of none; with those of a single one the
 * size of an element, or, when that is too large, TAG_COUNT and the number of elements. 0: nothing is known of them. */
#define TAG_LIST PP_BINDING_TAG_MAX
#define TAG_COUNT 0x800000u
#define TAG_MAX 0x7ffffeu

static unsigned tag_of(const struct ppf_data *data)
{
    if (data->element_bytes > 0 && data->element_bytes <= TAG_MAX) return (unsigned)data->element_bytes;
    return data->elements <= TAG_MAX ? TAG_COUNT | (unsigned)data->elements : 0;
}

static int submit(pp_server *server, pp_function task, const pp_submit_options *options,
                  const CFI_cdesc_t *const *descriptors, const char *call, pp_future *f)
{
    _Alignas(64) unsigned char small[SMALL_CALL];
    unsigned char *packed = small;
    const void *args = NULL;
    struct ppf_data data[PPF_ARGS_MAX];
    size_t bytes = 0;
    unsigned tag = TAG_LIST;
    int n = ppf_data_look_all(descriptors, data, call);
    if (n < 0) return n;
    if (n == 1) {
        bytes = data[0].bytes;
        tag = tag_of(&data[0]);
        if (data[0].contiguous) args = data[0].base;
    } else if (n > 1) {
        bytes = ppf_list_bytes(data, n);
    }
    if (bytes && !args) {
        if (bytes > sizeof small && !(packed = malloc(bytes)))
            return ppf_error(PP_ERR_NOMEM, "%s: no memory for %zu bytes of arguments", call, bytes);
        if (n == 1)
            ppf_data_pack(&data[0], packed);
        else
            ppf_list_write(data, n, packed);
        args = packed;
    }
    *f = pp_binding_submit(server, task, args, bytes, tag, options);
    int status = f->id ? PP_OK : pp_last_error_code();
    if (packed != small) free(packed);
    return status;
}

pp_future pp_fortran_submit(ppf_server server, pp_function task, DATA_PARAMETERS, int *ierr)
{
    const CFI_cdesc_t *const data[] = DATA_ARRAY;
    pp_future f = {0};
    pp_fortran_finish(submit(server.address, task, NULL, data, "pp_submit", &f), "pp_submit", ierr);
    return f;
}

/* A text that Fortran has lent is terminated and kept. 0 without memory. */
static int keep_text(const char **text, size_t bytes, char **kept)
{
    *kept = NULL;
    if (!*text) return 1;
    *text = *kept = strndup(*text, bytes);
    return *kept != NULL;
}

/* object: a type(pp_template), which has the task, or a type(pp_submit_options). */
static int submit_with(pp_server *server, pp_function task, void *object, int is_template,
                       const CFI_cdesc_t *const *descriptors, const char *call, pp_future *f)
{
    pp_submit_options options;
    pp_function function;
    size_t group_bytes, name_bytes;
    char *group = NULL, *name = NULL;
    if (!object || !pp_fortran_read_options(object, is_template, &function, &options, &group_bytes, &name_bytes))
        return ppf_error(PP_ERR_ARG, "%s: %s", call,
                         is_template ? "template is not of type(pp_template)"
                                     : "options is not of type(pp_submit_options)");
    int status = keep_text(&options.group, group_bytes, &group) && keep_text(&options.name, name_bytes, &name)
                     ? submit(server, is_template ? function : task, &options, descriptors, call, f)
                     : ppf_error(PP_ERR_NOMEM, "%s: no memory for the options", call);
    free(group);
    free(name);
    return status;
}

pp_future pp_fortran_submit_with(ppf_server server, void *options, pp_function task, DATA_PARAMETERS, int *ierr)
{
    const CFI_cdesc_t *const data[] = DATA_ARRAY;
    pp_future f = {0};
    pp_fortran_finish(submit_with(server.address, task, options, 0, data, "pp_submit_with", &f), "pp_submit_with",
                      ierr);
    return f;
}

pp_future pp_fortran_template_submit(ppf_server server, void *task_template, DATA_PARAMETERS, int *ierr)
{
    const CFI_cdesc_t *const data[] = DATA_ARRAY;
    pp_future f = {0};
    pp_fortran_finish(submit_with(server.address, NULL, task_template, 1, data, "pp_template_submit", &f),
                      "pp_template_submit", ierr);
    return f;
}

/* ---- pp_map ---------------------------------------------------------------------------------------------- */

/* The last dimension counts: how many items, and one of them. PP_ERR_ARG for a scalar or what is not there. */
static int look_at_items(const CFI_cdesc_t *d, struct ppf_data *all, struct ppf_data *one, size_t *n, const char *which)
{
    if (ppf_data_look(d, all) <= 0)
        return ppf_error(PP_ERR_ARG, "pp_map: %s is not allocated, or an assumed-size array", which);
    if (d->rank == 0)
        return ppf_error(PP_ERR_ARG, "pp_map: %s is a scalar; its last dimension counts the items", which);
    *n = (size_t)d->dim[d->rank - 1].extent;
    *one = *all;
    one->elements = 1;
    for (int i = 0; i < d->rank - 1; i++)
        one->elements *= (size_t)d->dim[i].extent;
    one->bytes = one->elements * one->element_bytes;
    if (d->rank == 1) ppf_data_split(one);
    return PP_OK;
}

static int map(pp_server *server, pp_function task, const CFI_cdesc_t *items, const CFI_cdesc_t *results)
{
    struct ppf_data in, out, item = {0}, result = {0};
    size_t n = 0, n_results = 0;
    unsigned char *packed_in = NULL, *packed_out = NULL;
    int status = look_at_items(items, &in, &item, &n, "items");
    if (status == PP_OK) status = look_at_items(results, &out, &result, &n_results, "results");
    if (status != PP_OK) return status;
    if (n != n_results)
        return ppf_error(PP_ERR_SIZE, "pp_map: items has %zu items in its last dimension, but results has room for %zu",
                         n, n_results);
    if (!in.contiguous && !(packed_in = malloc(in.bytes))) goto no_memory;
    if (!out.contiguous && !(packed_out = malloc(out.bytes))) goto no_memory;
    if (packed_in) ppf_data_pack(&in, packed_in);
    if (packed_out) ppf_data_pack(&out, packed_out); /* for the slots of items that fail */
    status = pp_binding_map(server, task, packed_in ? packed_in : in.base, item.bytes, tag_of(&item), n,
                            packed_out ? packed_out : out.base, result.bytes);
    if (packed_out) ppf_data_unpack(&out, packed_out);
    free(packed_in);
    free(packed_out);
    return status;
no_memory:
    free(packed_in);
    return ppf_error(PP_ERR_NOMEM, "pp_map: no memory to pack %zu items", n);
}

void pp_fortran_map(ppf_server server, pp_function task, const CFI_cdesc_t *items, const CFI_cdesc_t *results,
                    int *ierr)
{
    pp_fortran_finish(map(server.address, task, items, results), "pp_map", ierr);
}

/* ---- Fetching -------------------------------------------------------------------------------------------- */

static int fetch(pp_future f, const CFI_cdesc_t *value)
{
    struct ppf_data data;
    int there = ppf_data_look(value, &data);
    if (there < 0)
        return ppf_error(PP_ERR_ARG, "pp_fetch: value is an assumed-size array; pass a section, with its size");
    if (!there) return pp_fetch(f, NULL, 0);
    if (data.contiguous) return pp_fetch(f, data.base, data.bytes);

    const void *result;
    size_t bytes;
    int status = pp_result(f, &result, &bytes);
    if (status != PP_OK) return status;
    if (bytes != data.bytes)
        return ppf_error(PP_ERR_SIZE, "pp_fetch: the result has %zu bytes, not %zu", bytes, data.bytes);
    ppf_data_unpack(&data, result);
    pp_release(f); /* another thread may have done so already; the value is there all the same */
    return PP_OK;
}

void pp_fortran_fetch(pp_future f, const CFI_cdesc_t *value, int *ierr)
{
    pp_fortran_finish(fetch(f, value), "pp_fetch", ierr);
}

/* ---- In the task ----------------------------------------------------------------------------------------- */

/* The arguments of a task: a list, or a single one, of which not everything is known when C has submitted it. */
struct arguments {
    struct ppf_list list;
    size_t offset[PPF_ARGS_MAX], bytes;
    const unsigned char *data;
    int sized; /* it is known what an element is */
};

static void read_arguments(const pp_task *task, struct arguments *a)
{
    unsigned tag = pp_binding_tag(task);
    struct ppf_list_item *one = &a->list.item[0];
    a->data = pp_task_args(task, &a->bytes);
    a->sized = tag != 0;
    if (tag == TAG_LIST && ppf_list_read(a->data, a->bytes, &a->list, a->offset)) return;
    a->list.count = tag != TAG_LIST;
    a->offset[0] = 0;
    if (tag == 0)
        *one = (struct ppf_list_item){a->bytes, 1};
    else if (tag & TAG_COUNT)
        *one = (struct ppf_list_item){tag & ~TAG_COUNT, tag == TAG_COUNT ? 0 : a->bytes / (tag & ~TAG_COUNT)};
    else
        *one = (struct ppf_list_item){a->bytes / tag, tag};
}

/* Whether what is there can be taken as what is asked for. Characters of the default kind, and other single bytes, may be
 * cut in another way, and take anything as its bytes. */
static int agrees(const struct arguments *a, const struct ppf_list_item *there, const struct ppf_data *asked)
{
    if (there->elements * there->element_bytes != asked->bytes) return 0;
    return !a->sized || there->element_bytes == asked->element_bytes || asked->element_bytes == 1 ||
           asked->descriptor->type == CFI_type_char;
}

static int take_arguments(const pp_task *task, const CFI_cdesc_t *const *descriptors)
{
    struct ppf_data data[PPF_ARGS_MAX];
    struct arguments a;
    int n = ppf_data_look_all(descriptors, data, "pp_task_args");
    if (n < 0) return n;
    read_arguments(task, &a);
    int nothing = !a.sized && a.bytes == 0 && n == 0; /* to C that is the same as an array of size 0 */
    if (n != (int)a.list.count && !nothing)
        return ppf_error(PP_ERR_SIZE,
                         "pp_task_args: the task was submitted with %d arguments (%zu bytes), but %d are asked for",
                         a.bytes || a.sized ? (int)a.list.count : 0, a.bytes, n);
    for (int i = 0; i < n; i++) {
        const struct ppf_list_item *item = &a.list.item[i];
        if (agrees(&a, item, &data[i])) continue;
        if (!a.sized)
            return ppf_error(PP_ERR_SIZE, "pp_task_args: the argument has %zu bytes, but %zu are asked for", a.bytes,
                             data[i].bytes);
        return ppf_error(
            PP_ERR_SIZE,
            "pp_task_args: argument %d was submitted with %zu elements of %zu bytes, but %zu of %zu are asked for",
            i + 1, (size_t)item->elements, (size_t)item->element_bytes, data[i].elements, data[i].element_bytes);
    }
    for (int i = 0; i < n; i++)
        ppf_data_unpack(&data[i], a.data + a.offset[i]);
    return PP_OK;
}

void pp_fortran_task_args(pp_task *task, DATA_PARAMETERS, int *ierr)
{
    const CFI_cdesc_t *const data[] = DATA_ARRAY;
    finish_task(task, take_arguments(task, data), ierr);
}

/* The i-th argument, from 1. */
static int find_argument(const pp_task *task, int64_t i, const char *call, struct arguments *a)
{
    read_arguments(task, a);
    if (i >= 1 && i <= (int)a->list.count) return PP_OK;
    return ppf_error(i < 1 ? PP_ERR_ARG : PP_ERR_SIZE, "%s: argument %lld is asked for, but the task has %d", call,
                     (long long)i, (int)a->list.count);
}

static int count_elements(const pp_task *task, int64_t i, const CFI_cdesc_t *mold, int64_t most, int64_t *out)
{
    static const char call[] = "pp_task_args_size";
    struct arguments a;
    struct ppf_data m;
    int status = find_argument(task, i, call, &a);
    if (status != PP_OK) return status;
    uint64_t elements = a.list.item[i - 1].elements;
    if (!a.sized) {
        if (ppf_data_look(mold, &m) <= 0)
            return ppf_error(PP_ERR_ARG, "%s: C has submitted %zu bytes; pass mold, which tells the size of an element",
                             call, a.bytes);
        size_t element = mold->elem_len;
        if (element == 0 || a.bytes % element)
            return ppf_error(PP_ERR_SIZE, "%s: %zu bytes are no whole number of elements of %zu", call, a.bytes,
                             element);
        elements = a.bytes / element;
    }
    if (elements > (uint64_t)most)
        return ppf_error(PP_ERR_LIMIT, "%s: argument %d has %llu elements; ask with an index of kind int64", call,
                         (int)i, (unsigned long long)elements);
    *out = (int64_t)elements;
    return PP_OK;
}

int pp_fortran_task_args_size(pp_task *task, int i, const CFI_cdesc_t *mold, int *ierr)
{
    int64_t elements = 0;
    finish_task(task, count_elements(task, i, mold, INT_MAX, &elements), ierr);
    return (int)elements;
}

int64_t pp_fortran_task_args_size_long(pp_task *task, int64_t i, const CFI_cdesc_t *mold, int *ierr)
{
    int64_t elements = 0;
    finish_task(task, count_elements(task, i, mold, INT64_MAX, &elements), ierr);
    return elements;
}

size_t pp_fortran_task_args_bytes(pp_task *task, int i, int *ierr)
{
    struct arguments a;
    int status = find_argument(task, i, "pp_task_args_bytes", &a);
    finish_task(task, status, ierr);
    return status == PP_OK ? (size_t)(a.list.item[i - 1].elements * a.list.item[i - 1].element_bytes) : 0;
}

void pp_fortran_task_return(pp_task *task, const CFI_cdesc_t *value, int *ierr)
{
    struct ppf_data data;
    int there = ppf_data_look(value, &data), status = PP_OK;
    if (there <= 0) {
        status = ppf_error(PP_ERR_ARG, "pp_task_return: value is %s",
                           there == 0 ? "not allocated" : "an assumed-size array; return a section, with its size");
    } else {
        void *result = pp_task_result(task, data.bytes);
        if (result)
            ppf_data_pack(&data, result);
        else
            status = ppf_error(PP_ERR_NOMEM, "pp_task_return: no memory for a result of %zu bytes", data.bytes);
    }
    finish_task(task, status, ierr);
}

void pp_fortran_task_fail(pp_task *task, int code, const char *message, size_t bytes)
{
    pp_task_fail(task, code, "%.*s", bytes < 4096 ? (int)bytes : 4096, message);
}

int pp_fortran_print_stats(pp_server *server)
{
    int status = pp_print_stats(server, stdout);
    fflush(stdout);
    return status;
}
