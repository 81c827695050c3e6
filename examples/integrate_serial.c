/* Mutual inductance of two circular coils (radii 50 mm and 40 mm, one turn each, parallel planes), for a table of
 * distances between the planes and lateral offsets of the axes, as needed to lay out a wireless charger. Neumann's
 * formula gives it as a double integral along the two wires,
 *
 *     M = mu0/(4 pi) * Int_0^2pi Int_0^2pi  r1 r2 cos(p - q) / |P(p) - Q(q)|  dp dq ,
 *
 * done here with nested adaptive Gauss-Kronrod quadrature (7 and 15 points). integrate_serial.c is the program as it
 * was, for one core; `diff integrate_serial.c integrate.c` shows all that it took to run it on every core there is.
 */
#include <math.h>
#include <stdio.h>

enum { OFFSETS = 9, DISTANCES = 20 };

static const double pi = 3.14159265358979323846;
static const double r1 = 0.050, r2 = 0.040; /* metres */

typedef double integrand(double x, const void *context);

/* Integral of f over [a, b], halving the interval until the two rules agree to within the tolerance. */
static double integrate(integrand *f, const void *context, double a, double b, double tolerance, int depth)
{
    static const double x[8] = {0.991455371120812639206854697526329, 0.949107912342758524526189684047851,
                                0.864864423359769072789712788640926, 0.741531185599394439863864773280788,
                                0.586087235467691130294144691693013, 0.405845151377397166906606412076961,
                                0.207784955007898467600689403773245, 0.0};
    static const double kronrod[8] = {0.022935322010529224963732008058970, 0.063092092629978553290700663189204,
                                      0.104790010322250183839876322541518, 0.140653259715525918745189590510238,
                                      0.169004726639267902826583426598550, 0.190350578064785409913256402421014,
                                      0.204432940075298892414161999234649, 0.209482141084727828012999174891714};
    static const double gauss[8] = {0.0, 0.129484966168869693270611432679082, 0.0, 0.279705391489276667901467771423780,
                                    0.0, 0.381830050505118944950369775488975, 0.0, 0.417959183673469387755102040816327};
    double center = 0.5 * (a + b), half = 0.5 * (b - a);
    double value = f(center, context);
    double k15 = kronrod[7] * value, g7 = gauss[7] * value;

    for (int i = 0; i < 7; i++) {
        value = f(center - half * x[i], context) + f(center + half * x[i], context);
        k15 += kronrod[i] * value;
        g7 += gauss[i] * value;
    }
    if (depth == 0 || fabs(k15 - g7) * half <= tolerance)
        return k15 * half;
    return integrate(f, context, a, center, 0.5 * tolerance, depth - 1) +
           integrate(f, context, center, b, 0.5 * tolerance, depth - 1);
}

struct coils {
    double offset, distance; /* metres */
    double p;                /* angle on the first coil */
};

static double inner(double q, const void *context)
{
    const struct coils *c = context;
    double dx = c->offset + r2 * cos(q) - r1 * cos(c->p);
    double dy = r2 * sin(q) - r1 * sin(c->p);

    return r1 * r2 * cos(c->p - q) / sqrt(dx * dx + dy * dy + c->distance * c->distance);
}

static double outer(double p, const void *context)
{
    struct coils c = *(const struct coils *)context;

    c.p = p;
    return integrate(inner, &c, 0.0, 2.0 * pi, 1e-13, 40);
}

/* In nanohenry. The lateral offset is along x, so both halves of the first coil contribute the same. */
static double mutual_inductance(double offset, double distance)
{
    struct coils c = {offset, distance, 0.0};

    return 1e9 * 1e-7 * 2.0 * integrate(outer, &c, 0.0, pi, 1e-12, 40);
}

int main(void)
{
    double table[DISTANCES][OFFSETS];

    for (int i = 0; i < DISTANCES; i++)
        for (int j = 0; j < OFFSETS; j++)
            table[i][j] = mutual_inductance(0.010 * j, 0.001 * (i + 1));

    printf("Mutual inductance in nH; lateral offset in mm across, distance in mm down\n\n    ");
    for (int j = 0; j < OFFSETS; j++)
        printf(" %9d", 10 * j);
    printf("\n");
    for (int i = 0; i < DISTANCES; i++) {
        printf("%4d", i + 1);
        for (int j = 0; j < OFFSETS; j++)
            printf(" %9.4f", table[i][j]);
        printf("\n");
    }
    return 0;
}
