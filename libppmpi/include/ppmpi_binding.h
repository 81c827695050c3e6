/* libppmpi for bindings to other languages: what a binding needs beyond <ppmpi.h>. Programs do not. */
#ifndef PPMPI_BINDING_H
#define PPMPI_BINDING_H

#include <ppmpi.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A tag is a number that goes with the arguments of a task, beside their bytes: with it the binding can tell, inside the
 * task, what it has made the bytes from. pp_submit and pp_map send the tag 0; tasks written in C never see one. */
#define PP_BINDING_TAG_MAX 0xffffffu

/* pp_submit_with with a tag. A tag that is too large: PP_ERR_ARG. */
PP_API pp_future pp_binding_submit(pp_server *server, pp_function fn, const void *args, size_t bytes, uint32_t tag,
                                   const pp_submit_options *options);

/* pp_map with a tag for the arguments of each task. Blocks. */
PP_API int pp_binding_map(pp_server *server, pp_function fn, const void *items, size_t item_bytes, uint32_t tag, size_t n,
                          void *results, size_t result_bytes);

/* The tag that came with the arguments of the task. */
PP_API uint32_t pp_binding_tag(const pp_task *task);

/* The task has failed, with a status in place of PP_ERR_TASK, and ends here: does not return where the worker is a process, which
 * is replaced. Where it is none, in the initializer, and on another thread than the task's it returns, and the task goes
 * on to its end. A status that is no error: PP_ERR_INTERNAL. */
PP_API void pp_binding_fail(pp_task *task, int status, const char *text);

/* Makes this the last error of the thread; returns status. */
PP_API int pp_binding_error(int status, const char *text);

#ifdef __cplusplus
}
#endif

#endif
