/* The C half of test_mixed.f90. */
#include <ppmpi.h>
#include <string.h>

void c_sum(pp_task *task);
int c_submit(pp_server *server, pp_function fn, double x, int n, double *out);
int c_submit_named(pp_server *server, const int *values, size_t n, int *out);
void fortran_named_task(pp_task *task); /* bind(C, name='fortran_named_task') */

/* Doubles in, their sum out. */
void c_sum(pp_task *task)
{
    size_t bytes;
    const double *x = pp_task_args(task, &bytes);
    double *sum = pp_task_result(task, sizeof *sum);
    if (!sum) return;
    *sum = 0;
    for (size_t i = 0; i < bytes / sizeof *x; i++) *sum += x[i];
}

/* Submits a Fortran task, by its address, with one double; so often; fetches the sum of what it returns. */
int c_submit(pp_server *server, pp_function fn, double x, int n, double *out)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        double result;
        pp_future f = pp_submit(server, fn, &x, sizeof x);
        int status = f.id ? pp_fetch(f, &result, sizeof result) : pp_last_error_code();
        if (status != PP_OK) return status;
        sum += result;
    }
    *out = sum;
    return PP_OK;
}

/* The same with a task that C knows by name, and an array. */
int c_submit_named(pp_server *server, const int *values, size_t n, int *out)
{
    pp_future f = pp_submit(server, fortran_named_task, values, n * sizeof *values);
    return f.id ? pp_fetch(f, out, n * sizeof *out) : pp_last_error_code();
}
