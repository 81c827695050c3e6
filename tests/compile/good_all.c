/* Every kind of parameter and result, every number of parameters, every way to call. */
#include <ppmpi.h>

#include <complex.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

enum color { RED, GREEN };
typedef enum { LOW, HIGH } level;
union number {
    int i;
    double d;
};
struct point {
    char tag;
    double x, y;
};
typedef struct {
    struct point corner[4];
    level l;
    _Alignas(16) float vector[16];
} box;

int n0(void);
int n1(int);
int n2(int, int);
int n3(int, int, int);
int n4(int, int, int, int);
int n5(int, int, int, int, int);
int n6(int, int, int, int, int, int);
int n7(int, int, int, int, int, int, int);
int n8(int, int, int, int, int, int, int, int);
int n9(int, int, int, int, int, int, int, int, int);
int n10(int, int, int, int, int, int, int, int, int, int);
int n11(int, int, int, int, int, int, int, int, int, int, int);
int n12(int, int, int, int, int, int, int, int, int, int, int, int);
PP_TASK(int, n0)
PP_TASK(int, n1, int)
PP_TASK(int, n2, int, int)
PP_TASK(int, n3, int, int, int)
PP_TASK(int, n4, int, int, int, int)
PP_TASK(int, n5, int, int, int, int, int)
PP_TASK(int, n6, int, int, int, int, int, int)
PP_TASK(int, n7, int, int, int, int, int, int, int)
PP_TASK(int, n8, int, int, int, int, int, int, int, int)
PP_TASK(int, n9, int, int, int, int, int, int, int, int, int)
PP_TASK(int, n10, int, int, int, int, int, int, int, int, int, int)
PP_TASK(int, n11, int, int, int, int, int, int, int, int, int, int, int)
PP_TASK(int, n12, int, int, int, int, int, int, int, int, int, int, int, int)

void v0(void);
void v1(pp_bytes);
void v12(char, signed char, unsigned char, short, unsigned short, int, unsigned, long, unsigned long, long long,
         unsigned long long, bool);
PP_TASK_VOID(v0)
PP_TASK_VOID(v1, pp_bytes)
PP_TASK_VOID(v12, char, signed char, unsigned char, short, unsigned short, int, unsigned, long, unsigned long, long long,
             unsigned long long, bool)

static float reals(float a, double b, long double c)
{
    return a + (float)b + (float)c;
}
PP_TASK(float, reals, float, double, long double)

long double longest(long double complex z);
PP_TASK(long double, longest, long double complex)
long double complex widest(long double re, long double im);
PP_TASK(long double complex, widest, long double, long double)
double complex turn(double complex z, float complex w);
PP_TASK(double complex, turn, double complex, float complex)

enum color paint(enum color c, level l);
PP_TASK(enum color, paint, enum color, level)
struct point move(const struct point p, const double by, union number u);
PP_TASK(struct point, move, const struct point, const double, union number)
box grow(box b, uint8_t by, size_t size);
PP_TASK(box, grow, box, uint8_t, size_t)
bool both(bool a, _Bool b);
PP_TASK(bool, both, bool, _Bool)

pp_bytes join(pp_bytes a, int n, const pp_bytes b, pp_bytes c);
PP_TASK(pp_bytes, join, pp_bytes, int, const pp_bytes, pp_bytes)

inline static int inlined(int i)
{
    return i;
}
PP_TASK(int, inlined, int)
PP_TASK(double, sqrt, double)
PP_TASK(double, floor, double)
_Noreturn void leave(int status);
PP_TASK_VOID(leave, int)
#ifdef __GNUC__
__attribute__((const)) int constant(int);
PP_TASK(int, constant, int)
__attribute__((pure, warn_unused_result)) long pure(long);
PP_TASK(long, pure, long)
#endif

/* Names that must not meet those of the library. */
int with(int);
PP_TASK(int, with, int)
int bytes(int);
PP_TASK(int, bytes, int)
int value(int);
PP_TASK(int, value, int)
int a1(int);
PP_TASK(int, a1, int)
int submit(int);
PP_TASK(int, submit, int)

int use(pp_server *server, int i);
int use(pp_server *server, int i)
{
    pp_submit_options options = PP_SUBMIT_OPTIONS_INIT;
    options.name = "move";
    struct point p = {'a', 1, 2}, q;
    union number u = {.d = 2.5};
    double data[3] = {1, 2, 3};
    pp_bytes b = {data, sizeof data}, r;

    pp_future f = PP_SUBMIT_WITH(server, &options, move, p, 2, u);
    if (PP_TRY_FETCH(move, f, &q) != PP_OK) pp_release(f);
    /* Compound literals have commas of their own; arguments are evaluated once. */
    PP_SUBMIT(server, move, (struct point){'b', 3, 4}, i++, (union number){.d = 1});
    PP_SUBMIT_WITH(server, NULL, v1, (pp_bytes){data, 8});
    PP_SUBMIT(server, v12, 'a', 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, true);
    PP_SUBMIT(server, n12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
    PP_SUBMIT_WITH(server, &options, n12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
    PP_SUBMIT(server, n0);
    PP_SUBMIT_WITH(server, NULL, v0);
    PP_FETCH(v0, PP_SUBMIT(server, v0));
    if (PP_TRY_FETCH(v0, f, NULL) != PP_OK) return 1;
    r = PP_FETCH(join, PP_SUBMIT(server, join, b, 1, b, b));
    pp_bytes_free(r);
    i += PP_FETCH(n1, PP_SUBMIT(server, n1, PP_FETCH(n1, PP_SUBMIT(server, n1, 5))));
    return i + PP_FETCH(n2, PP_SUBMIT(server, n2, i > 1 ? 2 : 3, -i)) + PP_FETCH(both, f);
}
