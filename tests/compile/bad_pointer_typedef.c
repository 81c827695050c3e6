/* expect: PP_TASK: parameter 1 of length: pointers cannot travel to another process; pass a value, a struct or pp_bytes */
#include <ppmpi.h>
typedef struct hidden *handle;
int length(handle h);
PP_TASK(int, length, handle)
