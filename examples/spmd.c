/* An MPI program with an unbalanced phase: a flame front on a line of cells. Heat spreads in steps that cost the same on
 * every rank: plain MPI, each rank with its part of the line. The chemistry of a cell costs next to nothing in the cold and
 * in the burnt gas and a thousand times more in the front, which sits on one or two ranks: a farm shares it out, cell by
 * cell, to whoever is free.
 *
 *     mpicc spmd.c $(pkg-config --cflags --libs ppmpi) -lm -o spmd
 *     mpirun -np 4 ./spmd
 */
#include <ppmpi_mpi.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define CELLS 240
#define PHASES 5      /* of chemistry */
#define SPREADS 40    /* steps of heat between two of them */
#define SECONDS 0.1   /* that a phase covers */

struct gas {
    double temperature; /* 1 = burnt */
    double fuel;        /* 1 = unburnt */
};

struct burnt {
    struct gas gas;
    long steps; /* that it took */
};

/* Integrates one cell: fuel burns at a rate that rises steeply with temperature, in steps that follow the rate. */
static struct burnt burn(struct gas g, double seconds)
{
    long steps = 0;

    for (double t = 0; t < seconds; steps++) {
        double rate = 5e5 * exp(-8.0 / g.temperature);
        double step = 1e-6 / (rate * g.fuel + 0.01);
        if (step > seconds - t)
            step = seconds - t;
        double burning = g.fuel * (1 - exp(-rate * step));
        g.fuel -= burning;
        g.temperature += 0.8 * burning;
        t += step;
    }
    return (struct burnt){g, steps};
}
PP_TASK(struct burnt, burn, struct gas, double)

/* One step of heat conduction in the cells of this rank; the neighbours' cells next to them come from other ranks. */
static void spread(struct gas *cell, int n, int rank, int ranks)
{
    int left = rank > 0 ? rank - 1 : MPI_PROC_NULL, right = rank < ranks - 1 ? rank + 1 : MPI_PROC_NULL;
    double first = cell[0].temperature, last = cell[n - 1].temperature, before = first, after = last;

    MPI_Sendrecv(&last, 1, MPI_DOUBLE, right, 0, &before, 1, MPI_DOUBLE, left, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    MPI_Sendrecv(&first, 1, MPI_DOUBLE, left, 1, &after, 1, MPI_DOUBLE, right, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    for (int i = 0; i < n; i++) {
        double here = cell[i].temperature, next = i < n - 1 ? cell[i + 1].temperature : after;
        cell[i].temperature = here + 0.4 * (before - 2 * here + next);
        before = here;
    }
}

/* The unbalanced phase, on all ranks: rank 0, which has all cells, submits them; the others work. */
static void react(struct gas *all, int phase)
{
    static pp_future future[CELLS];
    pp_server *server = pp_server_open_comm(MPI_COMM_WORLD, NULL);

    if (server) {
        double burnt = 0, hottest = 0;
        long steps = 0, most = 0;

        for (int i = 0; i < CELLS; i++)
            future[i] = PP_SUBMIT(server, burn, all[i], SECONDS);
        for (int i = 0; i < CELLS; i++) {
            struct burnt b = PP_FETCH(burn, future[i]);
            all[i] = b.gas;
            burnt += (1 - b.gas.fuel) / CELLS;
            hottest = fmax(hottest, b.gas.temperature);
            steps += b.steps;
            most = b.steps > most ? b.steps : most;
        }
        printf("phase %d: %6.3f %% burnt, hottest %.4f, %ld steps, %ld of them in one cell\n", phase, 100 * burnt, hottest,
               steps, most);
        fflush(stdout);
        pp_server_close(server);
    } else if (pp_last_error_code() != PP_OK) {
        fprintf(stderr, "spmd: %s\n", pp_last_error());
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
}

int main(int argc, char **argv)
{
    static struct gas all[CELLS], mine[CELLS];
    int rank, ranks;

    pp_prepare(); /* before MPI_Init: so tasks run in processes of their own, and on every core */
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    if (ranks > CELLS) {
        if (rank == 0)
            fprintf(stderr, "spmd: %d ranks are too many for %d cells\n", ranks, CELLS);
        MPI_Abort(MPI_COMM_WORLD, 1);
    }

    int count[CELLS], start[CELLS]; /* of doubles, two to a cell */
    for (int r = 0; r < ranks; r++) {
        int first = (int)((long)CELLS * r / ranks), end = (int)((long)CELLS * (r + 1) / ranks);
        start[r] = 2 * first;
        count[r] = 2 * (end - first);
    }

    for (int i = 0; i < CELLS; i++)
        all[i] = i < CELLS / 8 ? (struct gas){1.0, 0.0} : (struct gas){0.2, 1.0};
    for (int phase = 1; phase <= PHASES; phase++) {
        MPI_Scatterv(all, count, start, MPI_DOUBLE, mine, count[rank], MPI_DOUBLE, 0, MPI_COMM_WORLD);
        for (int i = 0; i < SPREADS; i++)
            spread(mine, count[rank] / 2, rank, ranks);
        MPI_Gatherv(mine, count[rank], MPI_DOUBLE, all, count, start, MPI_DOUBLE, 0, MPI_COMM_WORLD);
        react(all, phase);
    }
    MPI_Finalize();
    return 0;
}
