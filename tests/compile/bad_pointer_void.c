/* expect: pointers cannot travel to another process */
#include <ppmpi.h>
void consume(void *p);
PP_TASK_VOID(consume, void *)
