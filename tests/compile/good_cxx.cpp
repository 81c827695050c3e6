// In C++ there are the functions and pp_bytes, not the macros.
#include <ppmpi.h>

#ifdef PP_TASK
#error "the typed macros are for C"
#endif

static void body(pp_task *task)
{
    size_t bytes;
    const void *args = pp_task_args(task, &bytes);
    void *out = pp_task_result(task, bytes);
    if (out != nullptr) memcpy(out, args, bytes);
}

pp_future use(pp_server *server);
pp_future use(pp_server *server)
{
    pp_bytes b = {"abc", 3};
    pp_future f = pp_submit(server, body, b.data, b.size);
    pp_bytes_free(pp_bytes{nullptr, 0});
    return f;
}
