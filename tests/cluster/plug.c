/* A plug-in of test_modules.sh: says which version it is, what the library beside it says, and where it runs. */
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

struct pp_task;
void *pp_task_result(struct pp_task *task, size_t bytes);
int helper(void);
int only_in_rank_0(void);
void body(struct pp_task *task);

#ifdef BALLAST
char ballast[BALLAST] = {1};
#endif

void body(struct pp_task *task)
{
    char *text = pp_task_result(task, 128), host[64] = "";
    gethostname(host, sizeof host - 1);
    usleep(3000);
    snprintf(text, 128, "%s %d", host, VERSION * 100 + HELPER);
}
