/* Energy bands of electrons in a two-dimensional crystal: a square lattice, lattice constant 1, of wells of Gaussian
 * shape. In a basis of plane waves the energies at a wave vector k are the eigenvalues of a symmetric matrix,
 *
 *     H(G, G') = |k + G|^2 / 2 (G = G')  -  depth * exp(-|G - G'|^2 width^2 / 4) ,
 *
 * one matrix, and one call of LAPACK, for each point on the way Gamma - X - M - Gamma. pp_map computes all points.
 *
 *     cc eigen.c $(pkg-config --cflags --libs ppmpi lapacke) -lm -o eigen          (Debian: liblapacke-dev)
 */
#include <lapacke.h>
#include <math.h>
#include <ppmpi.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    REACH = 5, /* of the plane waves, in both directions */
    WAVES = (2 * REACH + 1) * (2 * REACH + 1),
    BANDS = 6,
    POINTS = 31
};

static const double pi = 3.14159265358979323846;
static const double depth = 4.0, width = 0.3;

struct vector {
    double x, y;
};

struct energies {
    double band[BANDS];
};

static struct vector wave(int i)
{
    return (struct vector){2.0 * pi * (i % (2 * REACH + 1) - REACH), 2.0 * pi * (i / (2 * REACH + 1) - REACH)};
}

static void bands(pp_task *task)
{
    const struct vector *k = pp_task_args(task, NULL);
    struct energies *e = pp_task_result(task, sizeof *e);
    double *h = malloc(sizeof(double) * WAVES * WAVES), values[WAVES];

    if (!e || !h) {
        pp_task_fail(task, 1, "out of memory");
        free(h);
        return;
    }
    for (int j = 0; j < WAVES; j++)
        for (int i = 0; i < WAVES; i++) {
            struct vector a = wave(i), b = wave(j), d = {a.x - b.x, a.y - b.y};

            h[WAVES * j + i] = -depth * exp(-0.25 * width * width * (d.x * d.x + d.y * d.y));
            if (i == j)
                h[WAVES * j + i] += 0.5 * ((k->x + a.x) * (k->x + a.x) + (k->y + a.y) * (k->y + a.y));
        }

    int info = LAPACKE_dsyev(LAPACK_COL_MAJOR, 'N', 'U', WAVES, h, WAVES, values);

    if (info != 0)
        pp_task_fail(task, info, "dsyev: info is %d", info);
    for (int i = 0; i < BANDS; i++)
        e->band[i] = values[i];
    free(h);
}

/* Ten steps each from Gamma (0, 0) to X (pi, 0), to M (pi, pi), and back to Gamma. */
static struct vector path(int i)
{
    double step = pi * (i % 10) / 10.0;

    if (i < 10)
        return (struct vector){step, 0.0};
    if (i < 20)
        return (struct vector){pi, step};
    return i < 30 ? (struct vector){pi - step, pi - step} : (struct vector){0.0, 0.0};
}

int main(int argc, char **argv)
{
    pp_server *server = pp_server_open(&argc, &argv, NULL);
    struct vector k[POINTS];
    struct energies e[POINTS];

    if (!server) {
        fprintf(stderr, "eigen: %s\n", pp_last_error());
        return 1;
    }

    for (int i = 0; i < POINTS; i++)
        k[i] = path(i);
    if (pp_map(server, bands, k, sizeof k[0], POINTS, e, sizeof e[0]) != PP_OK) {
        fprintf(stderr, "eigen: %s\n", pp_last_error());
        pp_server_close(server);
        return 1;
    }

    printf("    kx      ky    energies\n");
    for (int i = 0; i < POINTS; i++) {
        printf("%7.4f %7.4f", k[i].x, k[i].y);
        for (int j = 0; j < BANDS; j++)
            printf(" %10.5f", e[i].band[j]);
        printf("\n");
    }
    return pp_server_close(server) == PP_OK ? 0 : 1;
}
