/* Tasks that are never submitted, of public and static functions, must not be warned about. */
#include <ppmpi.h>

struct shape {
    char tag;
    double sides[3];
};

static double area(struct shape s, int steps)
{
    return s.sides[0] * steps;
}
PP_TASK(double, area, struct shape, int)

static void nothing(void)
{
}
PP_TASK_VOID(nothing)

int public_one(pp_bytes b);
PP_TASK(int, public_one, pp_bytes)

static pp_bytes echo(pp_bytes b);
PP_TASK(pp_bytes, echo, pp_bytes)
static pp_bytes echo(pp_bytes b)
{
    return b;
}
