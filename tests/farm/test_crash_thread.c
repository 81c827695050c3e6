/* A task that ends its thread by pthread_exit, while the worker has others, ends as one that has left the process.
 * ranks: 2 4 */
#include "fault/fault.h"

static void *stay(void *unused)
{
    for (;;) pause();
    return unused;
}

static void leave_thread(pp_task *task)
{
    pthread_t other;
    if (*(const int *)pp_task_args(task, NULL)) pthread_create(&other, NULL, stay, NULL);
    pthread_exit(NULL);
}

static void keep_thread(pp_task *task)
{
    pthread_t other;
    *(int *)pp_task_result(task, sizeof(int)) = pthread_create(&other, NULL, stay, NULL);
}

int main(int argc, char **argv)
{
    pp_server *server = fault_open(&argc, &argv, NULL);
    enum { N = 12 };
    pp_future left[N], kept[N], after[N];
    for (int i = 0; i < N; i++) {
        int with_another = i % 2;
        kept[i] = pp_submit(server, keep_thread, NULL, 0); /* later tasks of that worker have another thread, too */
        left[i] = pp_submit(server, leave_thread, &with_another, sizeof with_another);
        after[i] = fault_submit_square(server, i);
    }
    for (int i = 0; i < N; i++) {
        int created = -1;
        CHECK(pp_wait_for(left[i], 20) == PP_OK, "task %d has not ended", i);
        fault_check_crash(left[i], "pthread_exit", 0, 0);
        CHECK(pp_fetch(kept[i], &created, sizeof created) == PP_OK && created == 0, "%s", pp_last_error());
        fault_check_square(after[i], i, "after pthread_exit");
    }
    return fault_end(server);
}
