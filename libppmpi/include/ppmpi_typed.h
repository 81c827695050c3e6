/* Typed tasks: ordinary C functions as tasks. Included by <ppmpi.h>.
 *
 *     double area(struct shape s, int steps);
 *     PP_TASK(double, area, struct shape, int)         at file scope, no semicolon after it
 *
 *     pp_future f = PP_SUBMIT(server, area, shape, 100);
 *     double a = PP_FETCH(area, f);
 *
 * Parameters and results are values: numbers, enums, structs, and pp_bytes for arrays. A pointer means nothing in
 * another process: pointer types are refused when compiling. (Pointers inside of structs are not seen by the
 * compiler's check; what they point to does not travel.) The bytes of a struct travel as they are.
 *
 * The macros are for C11 and later. C++ has pp_submit and its relatives.
 */
#ifndef PPMPI_TYPED_H
#define PPMPI_TYPED_H

#include <ppmpi.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An array of any element type, by its address and its size in bytes.
 * As a parameter: PP_SUBMIT copies the bytes; in the task they are read-only, 16-byte aligned, valid until the
 * task ends; data is not NULL there. As a result: the task returns memory that it got from pp_task_alloc, static memory,
 * or a part of a parameter, but not the buffer of pp_task_result; PP_FETCH and PP_TRY_FETCH give a copy, which the
 * caller hands to pp_bytes_free. data may be NULL when size is 0, otherwise that is PP_ERR_ARG. */
typedef struct {
    const void *data;
    size_t size;
} pp_bytes;

/* Frees a pp_bytes that PP_FETCH or PP_TRY_FETCH returned. Does nothing when data is NULL. Anywhere. */
PP_API void pp_bytes_free(pp_bytes b);

#ifndef __cplusplus

/* PP_TASK(R, fn, T1, …, Tn), n = 0 … 12
 * Makes the function R fn(T1, …, Tn) submittable in this source file. Stands at file scope behind the declaration of
 * fn, once per function and source file, without a semicolon. fn may be static. The types are checked against
 * those of fn. */
#define PP_TASK(...) PP_TYPED_CALL(PP_TYPED_PICK_TASK(__VA_ARGS__), __VA_ARGS__)

/* PP_TASK_VOID(fn, T1, …, Tn), n = 0 … 12
 * The same for void fn(T1, …, Tn). */
#define PP_TASK_VOID(...) PP_TYPED_CALL(PP_TYPED_PICK_VOID(__VA_ARGS__), __VA_ARGS__)

/* pp_future PP_SUBMIT(server, fn, a1, …, an)
 * Queues the call fn(a1, …, an). The arguments are checked and converted as in that call and evaluated once. Returns
 * the null future on failure, as pp_submit does; PP_ERR_ARG for a pp_bytes with a size but no data. */
#define PP_SUBMIT(...)                                                                                 \
    ((void)PP_TYPED_CAT(PP_TASK_is_missing_for_, PP_TYPED_SECOND(__VA_ARGS__)),                        \
     PP_TYPED_CAT(pp_typed_submit_, PP_TYPED_SECOND(__VA_ARGS__))(__VA_ARGS__))

/* pp_future PP_SUBMIT_WITH(server, const pp_submit_options *options, fn, a1, …, an)
 * The same with options; NULL = none. */
#define PP_SUBMIT_WITH(...)                                                                            \
    ((void)PP_TYPED_CAT(PP_TASK_is_missing_for_, PP_TYPED_THIRD(__VA_ARGS__)),                         \
     PP_TYPED_CAT(pp_typed_submitwith_, PP_TYPED_THIRD(__VA_ARGS__))(__VA_ARGS__))

/* R PP_FETCH(fn, pp_future f)
 * Waits for the task and has the type and the value of the call. Releases the future. When there is no value, because
 * the task failed or the future is not valid, prints the reason to stderr and aborts the job with a non-zero
 * status. Blocks. */
#define PP_FETCH(fn, future)                                                                           \
    ((void)PP_TYPED_CAT(PP_TASK_is_missing_for_, fn), PP_TYPED_CAT(pp_typed_fetch_, fn)(future))

/* int PP_TRY_FETCH(fn, pp_future f, R *r)
 * The same, but returns a status, and *r is as it was unless that is PP_OK. r is NULL for a void function, and only
 * there. Keeps the future of a failed task, for pp_info, until it is released. Blocks. */
#define PP_TRY_FETCH(fn, future, r)                                                                    \
    ((void)PP_TYPED_CAT(PP_TASK_is_missing_for_, fn), PP_TYPED_CAT(pp_typed_tryfetch_, fn)(future, r))

/* ---- What the macros are made of; not for direct use ----------------------------------------------------- */

/* For fn, PP_TASK defines: the type of the function pp_typed_type_fn, the structs pp_typed_args_fn and
 * pp_typed_result_fn, the task body pp_typed_run_fn, and pp_typed_{submit,submitwith,fetch,tryfetch}_fn, which the
 * other macros call. The names of the functions below begin otherwise, so that no fn can clash with them. The constant
 * PP_TASK_is_missing_for_fn exists for the sake of the message that the compiler gives without it.
 *
 * The arguments of a task are its pp_typed_args_fn, padding zeroed. In a pp_bytes there, data is the offset of the
 * bytes from the start; they follow behind the struct, each on a multiple of PP_TYPED_ALIGN. */
#define PP_TYPED_ALIGN 16
#define PP_TYPED_NOT_BYTES ((size_t)-1) /* in a list of offsets: this parameter is no pp_bytes */

/* Encodes pp_bytes arguments and submits. at: offset of each of the n parameters that is a pp_bytes. */
PP_API pp_future pp_typed_encode(pp_server *server, const pp_submit_options *options, pp_function run, const void *args,
                                 size_t bytes, const size_t *at, int n, const char *name);

/* The arguments of a task once they are known to be well formed; otherwise fails the task and returns NULL. */
PP_API const void *pp_typed_decode(pp_task *task, size_t bytes, const size_t *at, int n, const char *name);

/* Store the result of a task: of any type, of long double and its complex type, of pp_bytes. */
PP_API void pp_typed_finish(pp_task *task, const void *value, size_t bytes, const char *name);
PP_API void pp_typed_finish_long(pp_task *task, const void *value, size_t bytes, const char *name);
PP_API void pp_typed_finish_bytes(pp_task *task, const void *value, size_t bytes, const char *name);

/* Fetch a result or return a status; fetch a result or abort the job. */
PP_API int pp_typed_try(pp_future f, void *value, size_t bytes, const char *name);
PP_API int pp_typed_try_bytes(pp_future f, void *value, size_t bytes, const char *name);
PP_API void pp_typed_get(pp_future f, void *value, size_t bytes, const char *name);
PP_API void pp_typed_get_bytes(pp_future f, void *value, size_t bytes, const char *name);

/* The pp_bytes at member, which pp_typed_decode has checked. */
static inline pp_bytes pp_typed_view(const void *args, const void *member)
{
    pp_bytes b;
    memcpy(&b, member, sizeof b);
    b.data = (const unsigned char *)args + (size_t)(uintptr_t)b.data;
    return b;
}

/* Copies one or two long double, without the unused bytes that they have on x86. */
static inline void pp_typed_copy_long(void *to, const void *from, size_t bytes)
{
#if defined(__x86_64__) || defined(__i386__)
    const size_t used = sizeof(long double) > 10 ? 10 : sizeof(long double);
#else
    const size_t used = sizeof(long double);
#endif
    size_t i;
    for (i = 0; i < bytes; i += sizeof(long double))
        memcpy((unsigned char *)to + i, (const unsigned char *)from + i, used);
}

static inline void pp_typed_copy(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
}

/* Parameter of PP_TRY_FETCH on a void function: nothing but NULL converts to it. */
struct pp_typed_null;

#ifdef __STDC_NO_COMPLEX__
#define PP_TYPED_BY_TYPE(value, bytes_case, long_case, other)                                          \
    _Generic((value), pp_bytes: bytes_case, long double: long_case, default: other)
#else
#define PP_TYPED_BY_TYPE(value, bytes_case, long_case, other)                                          \
    _Generic((value), pp_bytes: bytes_case, long double: long_case, long double _Complex: long_case, default: other)
#endif

/* A type that stands in a declaration, and whether it is a pointer. With plain C11, pointers hidden in a typedef are
 * not recognised: `volatile T` and `T volatile` are the same type unless T is spelled with a star. */
#if defined(__GNUC__) && !defined(PP_TYPED_PLAIN_C11)
#define PP_TYPED_UNUSED __attribute__((unused))
#define PP_TYPED_TYPE(T) __typeof__(T)
/* float apart, since classifying promotes it, which -Wdouble-promotion would report. */
#define PP_TYPED_IS_POINTER(T, lvalue)                                                                 \
    (__builtin_classify_type(_Generic((lvalue), float: 0, default: (lvalue))) == 5)
#else
#define PP_TYPED_UNUSED
#define PP_TYPED_TYPE(T) T
#define PP_TYPED_IS_POINTER(T, lvalue) _Generic((volatile T *)0, T volatile *: 0, default: 1)
#endif

#define PP_TYPED_CALL(macro, ...) macro(__VA_ARGS__)
#define PP_TYPED_CAT(a, b) PP_TYPED_CAT_(a, b)
#define PP_TYPED_CAT_(a, b) a##b
#define PP_TYPED_SECOND(...) PP_TYPED_SECOND_(__VA_ARGS__, no_function, )
#define PP_TYPED_SECOND_(a, b, ...) b
#define PP_TYPED_THIRD(...) PP_TYPED_THIRD_(__VA_ARGS__, no_function, no_function, )
#define PP_TYPED_THIRD_(a, b, c, ...) c

/* M(fn, i, Ti) for each parameter, without separator and with commas. */
#define PP_TYPED_EACH_1(M, fn, A) M(fn, 1, A)
#define PP_TYPED_EACH_2(M, fn, A, B) PP_TYPED_EACH_1(M, fn, A) M(fn, 2, B)
#define PP_TYPED_EACH_3(M, fn, A, B, C) PP_TYPED_EACH_2(M, fn, A, B) M(fn, 3, C)
#define PP_TYPED_EACH_4(M, fn, A, B, C, D) PP_TYPED_EACH_3(M, fn, A, B, C) M(fn, 4, D)
#define PP_TYPED_EACH_5(M, fn, A, B, C, D, E) PP_TYPED_EACH_4(M, fn, A, B, C, D) M(fn, 5, E)
#define PP_TYPED_EACH_6(M, fn, A, B, C, D, E, F) PP_TYPED_EACH_5(M, fn, A, B, C, D, E) M(fn, 6, F)
#define PP_TYPED_EACH_7(M, fn, A, B, C, D, E, F, G) PP_TYPED_EACH_6(M, fn, A, B, C, D, E, F) M(fn, 7, G)
#define PP_TYPED_EACH_8(M, fn, A, B, C, D, E, F, G, H) PP_TYPED_EACH_7(M, fn, A, B, C, D, E, F, G) M(fn, 8, H)
#define PP_TYPED_EACH_9(M, fn, A, B, C, D, E, F, G, H, I)                                              \
    PP_TYPED_EACH_8(M, fn, A, B, C, D, E, F, G, H) M(fn, 9, I)
#define PP_TYPED_EACH_10(M, fn, A, B, C, D, E, F, G, H, I, J)                                          \
    PP_TYPED_EACH_9(M, fn, A, B, C, D, E, F, G, H, I) M(fn, 10, J)
#define PP_TYPED_EACH_11(M, fn, A, B, C, D, E, F, G, H, I, J, K)                                       \
    PP_TYPED_EACH_10(M, fn, A, B, C, D, E, F, G, H, I, J) M(fn, 11, K)
#define PP_TYPED_EACH_12(M, fn, A, B, C, D, E, F, G, H, I, J, K, L)                                    \
    PP_TYPED_EACH_11(M, fn, A, B, C, D, E, F, G, H, I, J, K) M(fn, 12, L)
#define PP_TYPED_LIST_1(M, fn, A) M(fn, 1, A)
#define PP_TYPED_LIST_2(M, fn, A, B) PP_TYPED_LIST_1(M, fn, A), M(fn, 2, B)
#define PP_TYPED_LIST_3(M, fn, A, B, C) PP_TYPED_LIST_2(M, fn, A, B), M(fn, 3, C)
#define PP_TYPED_LIST_4(M, fn, A, B, C, D) PP_TYPED_LIST_3(M, fn, A, B, C), M(fn, 4, D)
#define PP_TYPED_LIST_5(M, fn, A, B, C, D, E) PP_TYPED_LIST_4(M, fn, A, B, C, D), M(fn, 5, E)
#define PP_TYPED_LIST_6(M, fn, A, B, C, D, E, F) PP_TYPED_LIST_5(M, fn, A, B, C, D, E), M(fn, 6, F)
#define PP_TYPED_LIST_7(M, fn, A, B, C, D, E, F, G) PP_TYPED_LIST_6(M, fn, A, B, C, D, E, F), M(fn, 7, G)
#define PP_TYPED_LIST_8(M, fn, A, B, C, D, E, F, G, H) PP_TYPED_LIST_7(M, fn, A, B, C, D, E, F, G), M(fn, 8, H)
#define PP_TYPED_LIST_9(M, fn, A, B, C, D, E, F, G, H, I)                                              \
    PP_TYPED_LIST_8(M, fn, A, B, C, D, E, F, G, H), M(fn, 9, I)
#define PP_TYPED_LIST_10(M, fn, A, B, C, D, E, F, G, H, I, J)                                          \
    PP_TYPED_LIST_9(M, fn, A, B, C, D, E, F, G, H, I), M(fn, 10, J)
#define PP_TYPED_LIST_11(M, fn, A, B, C, D, E, F, G, H, I, J, K)                                       \
    PP_TYPED_LIST_10(M, fn, A, B, C, D, E, F, G, H, I, J), M(fn, 11, K)
#define PP_TYPED_LIST_12(M, fn, A, B, C, D, E, F, G, H, I, J, K, L)                                    \
    PP_TYPED_LIST_11(M, fn, A, B, C, D, E, F, G, H, I, J, K), M(fn, 12, L)

/* What to do for one parameter of type T. */
#define PP_TYPED_P_TYPE(fn, i, T) PP_TYPED_TYPE(T)
#define PP_TYPED_P_MEMBER(fn, i, T) PP_TYPED_TYPE(T) a##i;
#define PP_TYPED_P_PARAM(fn, i, T) , PP_TYPED_TYPE(T) pp_typed_##i
#define PP_TYPED_P_PASS(fn, i, T) , pp_typed_##i
#define PP_TYPED_P_LVALUE(fn, i) (((struct pp_typed_args_##fn *)0)->a##i)
#define PP_TYPED_P_NOT_VOID(fn, i, T)                                                                  \
    _Static_assert(_Generic((PP_TYPED_TYPE(T) *)0, void *: 0, default: 1),                             \
                   "PP_TASK: parameter " #i " of " #fn " is void; without parameters write PP_TASK(R, " #fn ")");
#define PP_TYPED_P_CHECK(fn, i, T)                                                                     \
    _Static_assert(!PP_TYPED_IS_POINTER(T, PP_TYPED_P_LVALUE(fn, i)),                                  \
                   "PP_TASK: parameter " #i " of " #fn                                                 \
                   ": pointers cannot travel to another process; pass a value, a struct or pp_bytes");
#define PP_TYPED_P_COPY(fn, i, T)                                                                      \
    PP_TYPED_BY_TYPE(pp_typed_##i, pp_typed_copy, pp_typed_copy_long, pp_typed_copy)                   \
    (pp_typed_a + offsetof(struct pp_typed_args_##fn, a##i), &pp_typed_##i, sizeof pp_typed_##i);
#define PP_TYPED_P_IS_BYTES(fn, i) PP_TYPED_BY_TYPE(PP_TYPED_P_LVALUE(fn, i), 1, 0, 0)
#define PP_TYPED_P_COUNT(fn, i, T) +PP_TYPED_P_IS_BYTES(fn, i)
#define PP_TYPED_P_OFFSET(fn, i, T)                                                                    \
    PP_TYPED_P_IS_BYTES(fn, i) ? offsetof(struct pp_typed_args_##fn, a##i) : PP_TYPED_NOT_BYTES
#define PP_TYPED_P_VALUE(fn, i, T)                                                                     \
    PP_TYPED_BY_TYPE(pp_typed_a->a##i, pp_typed_view(pp_typed_a, &pp_typed_a->a##i), pp_typed_a->a##i,  \
                     pp_typed_a->a##i)

/* The parts of a task. n = 0 has no struct of arguments. */
#define PP_TYPED_BEGIN(n, R, fn, types)                                                                \
    enum { PP_TASK_is_missing_for_##fn = n };                                                          \
    typedef PP_TYPED_TYPE(R) pp_typed_type_##fn types;                                                            \
    _Static_assert(_Generic(&fn, pp_typed_type_##fn *: 1, default: 0),                                 \
                   "PP_TASK: " #fn " is declared with another result type or other parameters");       \
    PP_TYPED_UNUSED static void pp_typed_run_##fn(pp_task *pp_typed_task);

#define PP_TYPED_SUBMIT_NONE(fn)                                                                       \
    PP_TYPED_UNUSED static inline pp_future pp_typed_submitwith_##fn(                                  \
        pp_server *pp_typed_s, const pp_submit_options *pp_typed_o, pp_typed_type_##fn *pp_typed_f)    \
    {                                                                                                  \
        (void)pp_typed_f;                                                                              \
        return pp_submit_with(pp_typed_s, pp_typed_run_##fn, NULL, 0, pp_typed_o);                     \
    }                                                                                                  \
    PP_TYPED_UNUSED static inline pp_future pp_typed_submit_##fn(pp_server *pp_typed_s,                \
                                                                 pp_typed_type_##fn *pp_typed_f)       \
    {                                                                                                  \
        return pp_typed_submitwith_##fn(pp_typed_s, NULL, pp_typed_f);                                 \
    }

#define PP_TYPED_SUBMIT_SOME(n, fn, ...)                                                               \
    PP_TYPED_EACH_##n(PP_TYPED_P_NOT_VOID, fn, __VA_ARGS__)                                            \
    struct pp_typed_args_##fn {                                                                        \
        PP_TYPED_EACH_##n(PP_TYPED_P_MEMBER, fn, __VA_ARGS__)                                          \
    };                                                                                                 \
    PP_TYPED_EACH_##n(PP_TYPED_P_CHECK, fn, __VA_ARGS__)                                               \
    PP_TYPED_UNUSED static inline pp_future pp_typed_submitwith_##fn(                                  \
        pp_server *pp_typed_s, const pp_submit_options *pp_typed_o,                                    \
        pp_typed_type_##fn *pp_typed_f PP_TYPED_EACH_##n(PP_TYPED_P_PARAM, fn, __VA_ARGS__))           \
    {                                                                                                  \
        static const size_t pp_typed_at[] = {PP_TYPED_LIST_##n(PP_TYPED_P_OFFSET, fn, __VA_ARGS__)};   \
        unsigned char pp_typed_a[sizeof(struct pp_typed_args_##fn)];                                   \
        (void)pp_typed_f;                                                                              \
        memset(pp_typed_a, 0, sizeof pp_typed_a);                                                      \
        PP_TYPED_EACH_##n(PP_TYPED_P_COPY, fn, __VA_ARGS__)                                            \
        return (0 PP_TYPED_EACH_##n(PP_TYPED_P_COUNT, fn, __VA_ARGS__)) == 0                           \
                   ? pp_submit_with(pp_typed_s, pp_typed_run_##fn, pp_typed_a, sizeof pp_typed_a, pp_typed_o) \
                   : pp_typed_encode(pp_typed_s, pp_typed_o, pp_typed_run_##fn, pp_typed_a,            \
                                     sizeof pp_typed_a, pp_typed_at, n, #fn);                          \
    }                                                                                                  \
    PP_TYPED_UNUSED static inline pp_future pp_typed_submit_##fn(                                      \
        pp_server *pp_typed_s,                                                                         \
        pp_typed_type_##fn *pp_typed_f PP_TYPED_EACH_##n(PP_TYPED_P_PARAM, fn, __VA_ARGS__))           \
    {                                                                                                  \
        return pp_typed_submitwith_##fn(pp_typed_s, NULL,                                              \
                                        pp_typed_f PP_TYPED_EACH_##n(PP_TYPED_P_PASS, fn, __VA_ARGS__)); \
    }

/* First statement of the task body; then the call with the arguments in place. */
#define PP_TYPED_DECODE_NONE(fn)                                                                       \
    if (pp_typed_decode(pp_typed_task, 0, NULL, 0, #fn) == NULL) return;
#define PP_TYPED_DECODE_SOME(n, fn, ...)                                                               \
    static const size_t pp_typed_at[] = {PP_TYPED_LIST_##n(PP_TYPED_P_OFFSET, fn, __VA_ARGS__)};       \
    const int pp_typed_n = (0 PP_TYPED_EACH_##n(PP_TYPED_P_COUNT, fn, __VA_ARGS__)) == 0 ? 0 : n;      \
    const struct pp_typed_args_##fn *pp_typed_a =                                                      \
        (const struct pp_typed_args_##fn *)pp_typed_decode(pp_typed_task, sizeof *pp_typed_a,       \
                                                           pp_typed_n == 0 ? NULL : pp_typed_at, pp_typed_n, #fn); \
    if (pp_typed_a == NULL) return;

#define PP_TYPED_VALUE(R, fn, decode, call)                                                            \
    struct pp_typed_result_##fn {                                                                      \
        PP_TYPED_TYPE(R) value;                                                                        \
    };                                                                                                 \
    _Static_assert(!PP_TYPED_IS_POINTER(R, ((struct pp_typed_result_##fn *)0)->value),                 \
                   "PP_TASK: result of " #fn                                                           \
                   ": pointers cannot travel to another process; return a value, a struct or pp_bytes"); \
    PP_TYPED_UNUSED static void pp_typed_run_##fn(pp_task *pp_typed_task)                              \
    {                                                                                                  \
        decode                                                                                         \
        {                                                                                              \
            const struct pp_typed_result_##fn pp_typed_r = {call};                                     \
            PP_TYPED_BY_TYPE(pp_typed_r.value, pp_typed_finish_bytes, pp_typed_finish_long, pp_typed_finish) \
            (pp_typed_task, &pp_typed_r, sizeof pp_typed_r, #fn);                                      \
        }                                                                                              \
    }                                                                                                  \
    PP_TYPED_UNUSED static inline int pp_typed_tryfetch_##fn(pp_future pp_typed_f, PP_TYPED_TYPE(R) * pp_typed_r) \
    {                                                                                                  \
        return PP_TYPED_BY_TYPE(*pp_typed_r, pp_typed_try_bytes, pp_typed_try,                         \
                                pp_typed_try)(pp_typed_f, pp_typed_r, sizeof *pp_typed_r, #fn);        \
    }                                                                                                  \
    PP_TYPED_UNUSED static inline PP_TYPED_TYPE(R) pp_typed_fetch_##fn(pp_future pp_typed_f)           \
    {                                                                                                  \
        struct pp_typed_result_##fn pp_typed_r;                                                        \
        PP_TYPED_BY_TYPE(pp_typed_r.value, pp_typed_get_bytes, pp_typed_get, pp_typed_get)             \
        (pp_typed_f, &pp_typed_r, sizeof pp_typed_r, #fn);                                             \
        return pp_typed_r.value;                                                                       \
    }

#define PP_TYPED_VOID(fn, decode, call)                                                                \
    PP_TYPED_UNUSED static void pp_typed_run_##fn(pp_task *pp_typed_task)                              \
    {                                                                                                  \
        decode                                                                                         \
        call;                                                                                          \
    }                                                                                                  \
    PP_TYPED_UNUSED static inline int pp_typed_tryfetch_##fn(pp_future pp_typed_f, struct pp_typed_null *pp_typed_r) \
    {                                                                                                  \
        (void)pp_typed_r;                                                                              \
        return pp_typed_try(pp_typed_f, NULL, 0, #fn);                                                 \
    }                                                                                                  \
    PP_TYPED_UNUSED static inline void pp_typed_fetch_##fn(pp_future pp_typed_f)                       \
    {                                                                                                  \
        pp_typed_get(pp_typed_f, NULL, 0, #fn);                                                        \
    }

/* A whole task of n parameters. The check for void comes first, so that its message does. */
#define PP_TYPED_R_NOT_VOID(R, fn)                                                                     \
    _Static_assert(_Generic((PP_TYPED_TYPE(R) *)0, void *: 0, default: 1),                             \
                   "PP_TASK: " #fn " has no result; write PP_TASK_VOID(" #fn ", ...)");
#define PP_TYPED_VALUE_NONE(R, fn)                                                                     \
    PP_TYPED_R_NOT_VOID(R, fn)                                                                         \
    PP_TYPED_BEGIN(0, R, fn, (void))                                                                   \
    PP_TYPED_SUBMIT_NONE(fn)                                                                           \
    PP_TYPED_VALUE(R, fn, PP_TYPED_DECODE_NONE(fn), fn())
#define PP_TYPED_VALUE_SOME(n, R, fn, ...)                                                             \
    PP_TYPED_R_NOT_VOID(R, fn)                                                                         \
    PP_TYPED_BEGIN(n, R, fn, (PP_TYPED_LIST_##n(PP_TYPED_P_TYPE, fn, __VA_ARGS__)))                    \
    PP_TYPED_SUBMIT_SOME(n, fn, __VA_ARGS__)                                                           \
    PP_TYPED_VALUE(R, fn, PP_TYPED_DECODE_SOME(n, fn, __VA_ARGS__),                                    \
                   fn(PP_TYPED_LIST_##n(PP_TYPED_P_VALUE, fn, __VA_ARGS__)))
#define PP_TYPED_VOID_NONE(fn)                                                                         \
    PP_TYPED_BEGIN(0, void, fn, (void))                                                                \
    PP_TYPED_SUBMIT_NONE(fn)                                                                           \
    PP_TYPED_VOID(fn, PP_TYPED_DECODE_NONE(fn), fn())
#define PP_TYPED_VOID_SOME(n, fn, ...)                                                                 \
    PP_TYPED_BEGIN(n, void, fn, (PP_TYPED_LIST_##n(PP_TYPED_P_TYPE, fn, __VA_ARGS__)))                 \
    PP_TYPED_SUBMIT_SOME(n, fn, __VA_ARGS__)                                                           \
    PP_TYPED_VOID(fn, PP_TYPED_DECODE_SOME(n, fn, __VA_ARGS__),                                        \
                  fn(PP_TYPED_LIST_##n(PP_TYPED_P_VALUE, fn, __VA_ARGS__)))

#define PP_TYPED_VALUE_0(R, fn) PP_TYPED_VALUE_NONE(R, fn)
#define PP_TYPED_VALUE_1(R, fn, ...) PP_TYPED_VALUE_SOME(1, R, fn, __VA_ARGS__)
#define PP_TYPED_VALUE_2(R, fn, ...) PP_TYPED_VALUE_SOME(2, R, fn, __VA_ARGS__)
#define PP_TYPED_VALUE_3(R, fn, ...) PP_TYPED_VALUE_SOME(3, R, fn, __VA_ARGS__)
#define PP_TYPED_VALUE_4(R, fn, ...) PP_TYPED_VALUE_SOME(4, R, fn, __VA_ARGS__)
#define PP_TYPED_VALUE_5(R, fn, ...) PP_TYPED_VALUE_SOME(5, R, fn, __VA_ARGS__)
#define PP_TYPED_VALUE_6(R, fn, ...) PP_TYPED_VALUE_SOME(6, R, fn, __VA_ARGS__)
#define PP_TYPED_VALUE_7(R, fn, ...) PP_TYPED_VALUE_SOME(7, R, fn, __VA_ARGS__)
#define PP_TYPED_VALUE_8(R, fn, ...) PP_TYPED_VALUE_SOME(8, R, fn, __VA_ARGS__)
#define PP_TYPED_VALUE_9(R, fn, ...) PP_TYPED_VALUE_SOME(9, R, fn, __VA_ARGS__)
#define PP_TYPED_VALUE_10(R, fn, ...) PP_TYPED_VALUE_SOME(10, R, fn, __VA_ARGS__)
#define PP_TYPED_VALUE_11(R, fn, ...) PP_TYPED_VALUE_SOME(11, R, fn, __VA_ARGS__)
#define PP_TYPED_VALUE_12(R, fn, ...) PP_TYPED_VALUE_SOME(12, R, fn, __VA_ARGS__)
#define PP_TYPED_VOID_0(fn) PP_TYPED_VOID_NONE(fn)
#define PP_TYPED_VOID_1(fn, ...) PP_TYPED_VOID_SOME(1, fn, __VA_ARGS__)
#define PP_TYPED_VOID_2(fn, ...) PP_TYPED_VOID_SOME(2, fn, __VA_ARGS__)
#define PP_TYPED_VOID_3(fn, ...) PP_TYPED_VOID_SOME(3, fn, __VA_ARGS__)
#define PP_TYPED_VOID_4(fn, ...) PP_TYPED_VOID_SOME(4, fn, __VA_ARGS__)
#define PP_TYPED_VOID_5(fn, ...) PP_TYPED_VOID_SOME(5, fn, __VA_ARGS__)
#define PP_TYPED_VOID_6(fn, ...) PP_TYPED_VOID_SOME(6, fn, __VA_ARGS__)
#define PP_TYPED_VOID_7(fn, ...) PP_TYPED_VOID_SOME(7, fn, __VA_ARGS__)
#define PP_TYPED_VOID_8(fn, ...) PP_TYPED_VOID_SOME(8, fn, __VA_ARGS__)
#define PP_TYPED_VOID_9(fn, ...) PP_TYPED_VOID_SOME(9, fn, __VA_ARGS__)
#define PP_TYPED_VOID_10(fn, ...) PP_TYPED_VOID_SOME(10, fn, __VA_ARGS__)
#define PP_TYPED_VOID_11(fn, ...) PP_TYPED_VOID_SOME(11, fn, __VA_ARGS__)
#define PP_TYPED_VOID_12(fn, ...) PP_TYPED_VOID_SOME(12, fn, __VA_ARGS__)

#define PP_TYPED_TOO_FEW(...)                                                                          \
    _Static_assert(0, "PP_TASK needs a result type and a function, PP_TASK_VOID a function");
#define PP_TYPED_TOO_MANY(...)                                                                         \
    _Static_assert(0, "PP_TASK: a task has at most 12 parameters; put some of them into a struct");

/* The macro for as many arguments as there are; from 15 to 24 too many. */
#define PP_TYPED_PICK(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16, _17, _18, _19, _20, _21, \
                      _22, _23, _24, name, ...)                                                        \
    name
#define PP_TYPED_10_TOO_MANY                                                                           \
    PP_TYPED_TOO_MANY, PP_TYPED_TOO_MANY, PP_TYPED_TOO_MANY, PP_TYPED_TOO_MANY, PP_TYPED_TOO_MANY,     \
        PP_TYPED_TOO_MANY, PP_TYPED_TOO_MANY, PP_TYPED_TOO_MANY, PP_TYPED_TOO_MANY, PP_TYPED_TOO_MANY
#define PP_TYPED_PICK_TASK(...)                                                                        \
    PP_TYPED_CALL(PP_TYPED_PICK, __VA_ARGS__, PP_TYPED_10_TOO_MANY, PP_TYPED_VALUE_12, PP_TYPED_VALUE_11, \
                  PP_TYPED_VALUE_10, PP_TYPED_VALUE_9, PP_TYPED_VALUE_8, PP_TYPED_VALUE_7, PP_TYPED_VALUE_6, \
                  PP_TYPED_VALUE_5, PP_TYPED_VALUE_4, PP_TYPED_VALUE_3, PP_TYPED_VALUE_2, PP_TYPED_VALUE_1, \
                  PP_TYPED_VALUE_0, PP_TYPED_TOO_FEW, )
#define PP_TYPED_PICK_VOID(...)                                                                        \
    PP_TYPED_CALL(PP_TYPED_PICK, __VA_ARGS__, PP_TYPED_10_TOO_MANY, PP_TYPED_TOO_MANY, PP_TYPED_VOID_12, \
                  PP_TYPED_VOID_11, PP_TYPED_VOID_10, PP_TYPED_VOID_9, PP_TYPED_VOID_8, PP_TYPED_VOID_7, \
                  PP_TYPED_VOID_6, PP_TYPED_VOID_5, PP_TYPED_VOID_4, PP_TYPED_VOID_3, PP_TYPED_VOID_2, \
                  PP_TYPED_VOID_1, PP_TYPED_VOID_0, )

#endif /* __cplusplus */

#ifdef __cplusplus
}
#endif

#endif
