/* How MPI ends where the library began it.
 *
 * MPICH 4.0 with UCX, between hosts that TCP connects: MPI_Finalize asks each peer that was ever sent to whether all has
 * arrived, waits for the answers while it gives its own, and then waits for all ranks in the launcher's barrier, where it gives none:
 * a peer that asks only then waits for ever. So it does go well when (1) a rank that will be asked by another has to ask that one
 * too, since the answer comes after the question on their connection, and (2) nobody answers before it has asked, that is, no rank
 * makes progress any more outside of MPI_Finalize when the first one enters it. Hence a message in both directions, and then silence
 * that is agreed upon without a message. */
#include "transport/mpi_state.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef MPICH_VERSION

#define TAG_END 3
#define ALL_PAIRS 64 /* ranks; among more, those pairs that the library and MPI's collective operations use */
#define SILENCE_NS (500 * 1000 * 1000)
#define PATIENCE_S 10.0

static void nap(long ns)
{
    nanosleep(&(struct timespec){ns / 1000000000, ns % 1000000000}, NULL);
}

static void exchange(MPI_Comm comm, int to, int from)
{
    char mine = 0, other;
    MPI_Sendrecv(&mine, 1, MPI_BYTE, to, TAG_END, &other, 1, MPI_BYTE, from, TAG_END, comm, MPI_STATUS_IGNORE);
}

static int power_of_two(int n)
{
    return (n & (n - 1)) == 0;
}

static void exchange_pairwise(MPI_Comm comm)
{
    int rank, size;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    for (int d = 1; d < size; d++)
        if (size <= ALL_PAIRS || power_of_two(d) || power_of_two(size - d))
            exchange(comm, (rank + d) % size, (rank - d + size) % size);
    if (size <= ALL_PAIRS) return;
    if (rank > 0) exchange(comm, 0, 0);
    for (int i = 1; i < size && rank == 0; i++)
        exchange(comm, i, i);
}

/* Messages inside of a host do not go through UCX. Collective operations have one rank of each host speak for the others. */
static int on_one_host(MPI_Comm comm, MPI_Comm *speakers)
{
    int size, together, place;
    MPI_Comm host;
    MPI_Comm_size(comm, &size);
    MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
    MPI_Comm_size(host, &together);
    MPI_Comm_rank(host, &place);
    MPI_Comm_free(&host);
    *speakers = MPI_COMM_NULL;
    if (together < size) MPI_Comm_split(comm, place == 0 ? 0 : MPI_UNDEFINED, 0, speakers);
    return together == size;
}

/* ---- names that the launcher keeps: to publish and to look up is no progress */

struct ending {
    char job[48]; /* its own, should several share the names; empty: names cannot be had, as under Slurm */
};

static void name_of(const struct ending *e, int rank, char name[80])
{
    snprintf(name, 80, "ppmpi-end-%s-%d", e->job, rank);
}

static void choose_names(struct ending *e)
{
    char name[80];
    snprintf(e->job, sizeof e->job, "%ld-%llu", (long)getpid(), (unsigned long long)ppi_now_ns());
    name_of(e, -1, name);
    if (MPI_Publish_name(name, MPI_INFO_NULL, "x") != MPI_SUCCESS ||
        MPI_Unpublish_name(name, MPI_INFO_NULL, "x") != MPI_SUCCESS)
        e->job[0] = '\0';
}

static void tell(const struct ending *e, int rank)
{
    char name[80];
    name_of(e, rank, name);
    MPI_Publish_name(name, MPI_INFO_NULL, "x");
}

static void await(const struct ending *e, int rank, long between, uint64_t deadline)
{
    char name[80], port[MPI_MAX_PORT_NAME];
    name_of(e, rank, name);
    while (MPI_Lookup_name(name, MPI_INFO_NULL, port) != MPI_SUCCESS && ppi_now_ns() < deadline)
        nap(between);
}

static void be_silent(MPI_Comm comm, const struct ending *e)
{
    int rank, size;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    if (!e->job[0]) {
        nap(SILENCE_NS); /* long enough that the others have what was sent to them */
        return;
    }
    uint64_t deadline = ppi_deadline_ns(PATIENCE_S);
    if (rank > 0) {
        tell(e, rank);
        await(e, 0, 200000L * size, deadline);
    } else {
        for (int i = 1; i < size; i++)
            await(e, i, 200000, deadline);
        tell(e, 0);
    }
}

static int runs_over_ucx(void)
{
    char version[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int length;
    MPI_Get_library_version(version, &length);
    return strstr(version, "ch4:ucx") != NULL;
}

static void prepare(MPI_Comm comm)
{
    struct ending e = {""};
    MPI_Comm speakers;
    int rank;
    MPI_Comm_rank(comm, &rank);
    if (!runs_over_ucx() || on_one_host(comm, &speakers)) return;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    if (rank == 0) choose_names(&e);
    MPI_Bcast(&e, sizeof e, MPI_BYTE, 0, comm);
    if (speakers != MPI_COMM_NULL) {
        exchange_pairwise(speakers);
        MPI_Comm_free(&speakers);
    }
    exchange_pairwise(comm);
    be_silent(comm, &e);
}

#endif

void ppi_mpi_finalize(MPI_Comm *comm)
{
#ifdef MPICH_VERSION
    prepare(*comm);
#endif
    MPI_Comm_free(comm);
    MPI_Finalize();
}
