# Which MPI this is: PPMPI_MPI is openmpi, mpich or other; PPMPI_MPI_LAUNCHER the full path of its launcher, or empty.
include(CheckCSourceCompiles)
set(CMAKE_REQUIRED_LIBRARIES MPI::MPI_C)
check_c_source_compiles("#include <mpi.h>\n#ifndef OPEN_MPI\n#error other\n#endif\nint main(void) { return 0; }"
    PPMPI_MPI_IS_OPENMPI)
check_c_source_compiles("#include <mpi.h>\n#ifndef MPICH_VERSION\n#error other\n#endif\nint main(void) { return 0; }"
    PPMPI_MPI_IS_MPICH)
unset(CMAKE_REQUIRED_LIBRARIES)

set(PPMPI_MPI other)
if(PPMPI_MPI_IS_OPENMPI)
    set(PPMPI_MPI openmpi)
elseif(PPMPI_MPI_IS_MPICH)
    set(PPMPI_MPI mpich)
endif()

set(PPMPI_MPI_LAUNCHER "")
if(MPIEXEC_EXECUTABLE)
    find_program(PPMPI_MPIEXEC NAMES ${MPIEXEC_EXECUTABLE} REQUIRED)
    set(PPMPI_MPI_LAUNCHER ${PPMPI_MPIEXEC})
endif()
