/* Plug-ins in programs that run MPI themselves and open one farm after another: what an earlier farm has sent,
 * and the numbers of its descriptors, which come again, are taken for nothing of a later one. Usage: mpi_modules
 * prepare|inside */
#define TEST_API_MAIN
#include "farm/plugins.h"

#include <mpi.h>
#include <ppmpi_mpi.h>

#define FARMS 4

static int rank;

static void run_plugins(int farm)
{
    char sub[32];
    void *handle[2];
    for (int i = 0; i < 2; i++) {
        snprintf(sub, sizeof sub, "farm%d%c", farm, 'a' + i);
        handle[i] = open_hidden(sub, 10 * farm + i, "", i ? 100 * farm + 1 : 0, "");
    }
    for (int i = 0; i < 2; i++)
        runs_everywhere(body_of(handle[i]), 10 * farm + i, i ? 100 * farm + 1 : 0);
    for (int i = 0; i < 2; i++)
        CHECK_INT(dlclose(handle[i]), 0);
}

int main(int argc, char **argv)
{
    int inside = argc > 1 && strcmp(argv[1], "inside") == 0;
    if (!have_cc()) return 77;
    if (!inside) pp_prepare();
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0) make_folder();
    for (int farm = 1; farm <= FARMS; farm++) {
        server = pp_server_open_comm(MPI_COMM_WORLD, NULL);
        if (!server) continue;
        run_plugins(farm);
        CHECK_INT(pp_server_close(server), PP_OK);
        server = NULL;
    }
    if (rank == 0) remove_folder();
    MPI_Finalize();
    return failures != 0;
}
