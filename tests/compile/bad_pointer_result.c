/* expect: PP_TASK: result of name_of: pointers cannot travel to another process; return a value, a struct or pp_bytes */
#include <ppmpi.h>
const char *name_of(int i);
PP_TASK(const char *, name_of, int)
