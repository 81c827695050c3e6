/* expect: PP_TASK: parameter 1 of count: pointers cannot travel to another process */
#define PP_TYPED_PLAIN_C11
#include <ppmpi.h>
int count(const char *text);
PP_TASK(int, count, const char *)
