/* libppmpi for programs that run MPI themselves: their own MPI_Init at any thread level, their own communicators and
 * requests. Such a program opens a farm on all of its ranks, or on some, for one phase, and goes on afterwards.
 *
 *     int main(int argc, char **argv)
 *     {
 *         pp_prepare();                                          // tasks shall run in worker processes
 *         MPI_Init(&argc, &argv);
 *         …
 *         pp_server *server = pp_server_open_comm(MPI_COMM_WORLD, NULL);
 *         if (server) {                                          // rank 0: submit, fetch
 *             …
 *             pp_server_close(server);
 *         } else if (pp_last_error_code() != PP_OK) {            // on the other ranks NULL is no error
 *             …
 *         }
 *         …                                                      // all ranks go on
 *         MPI_Finalize();
 *     }
 */
#ifndef PPMPI_MPI_H
#define PPMPI_MPI_H

#include <mpi.h>
#include <ppmpi.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Opens the job server on a communicator. Collective over comm. Returns the server on rank 0 of comm; the other ranks serve
 * tasks inside the call, and get NULL with pp_last_error_code() == PP_OK once the server is closed. Then the program goes
 * on, and may open a farm again, on this or another communicator. options are those of pp_server_open; rank 0's count.
 * After pp_prepare tasks run in worker processes, which see the memory of their rank as it was at pp_prepare. Without it they
 * run in the ranks themselves (PP_ISOLATE_NONE), which see their memory as it is now.
 * comm is duplicated: the program's communicators, requests and error handlers are untouched. When MPI does not provide
 * MPI_THREAD_MULTIPLE, the library calls MPI in the program's threads only, inside pp_ calls: tasks travel between ranks only
 * then. With less than MPI_THREAD_SERIALIZED, only the thread that opened the server may wait for tasks.
 * On failure every rank gets NULL and the same status: PP_ERR_STATE (MPI is not initialised, or finalised; a server is open;
 * pp_prepare was called on some ranks only, or too late), PP_ERR_ARG (no intracommunicator; options of rank 0),
 * PP_ERR_NOMEM, PP_ERR_SYSTEM, PP_ERR_UNSUPPORTED.
 * Ownership: pp_server_close, before MPI_Finalize. Blocks: until all ranks of comm have called it; on ranks other than 0 until
 * the server is closed. */
PP_API pp_server *pp_server_open_comm(MPI_Comm comm, const pp_options *options);

/* The same for a communicator as Fortran knows it. */
PP_API pp_server *pp_server_open_comm_f(MPI_Fint comm, const pp_options *options);

#ifdef __cplusplus
}
#endif

#endif
