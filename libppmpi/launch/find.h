/* Programs on the search path, and which MPI a launcher or a program belongs to. */
#ifndef PPI_LAUNCH_FIND_H
#define PPI_LAUNCH_FIND_H

enum ppi_mpi { PPI_MPI_OTHER, PPI_MPI_OPENMPI, PPI_MPI_MPICH };

/* The MPI that this library was built for. */
enum ppi_mpi ppi_mpi_built(void);

const char *ppi_mpi_name(enum ppi_mpi mpi); /* "Open MPI", "MPICH", "another MPI" */

/* Where an executable is: `name` itself when it has a slash, otherwise in the folders of `path`. NULL when there is none, with
 * errno ENOENT, or EACCES or EISDIR when there is a file that cannot be executed. The caller frees it. */
char *ppi_find_program(const char *name, const char *path);

/* The launcher of `mpi`: the one that this library was built with, when it is there, otherwise one from `path`. NULL when there
 * is none. The caller frees it. */
char *ppi_find_launcher(enum ppi_mpi mpi, const char *path);

/* What the file's name says once links are followed; PPI_MPI_OTHER when it says nothing. */
enum ppi_mpi ppi_mpi_of_launcher(const char *file);

/* By the libraries that the dynamic loader would load for it, those of libraries included. PPI_MPI_OTHER for a script, a static
 * program, and a program without MPI. */
enum ppi_mpi ppi_mpi_of_program(const char *file);

#endif
