/* The baseline of starting and ending: an MPI program that does nothing. */
#include <mpi.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 1) {
        fprintf(stderr, "usage: mpirun -np N empty_mpi\n");
        return 2;
    }
    MPI_Init(&argc, &argv);
    MPI_Finalize();
    return 0;
}
