#include "launch/find.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Set by the build: openmpi, mpich or other, and the mpiexec that was found along with that MPI. */
#ifndef PPI_MPI_BUILT
#define PPI_MPI_BUILT "other"
#endif
#ifndef PPI_MPIEXEC
#define PPI_MPIEXEC ""
#endif

extern char **environ;

enum ppi_mpi ppi_mpi_built(void)
{
    if (strcmp(PPI_MPI_BUILT, "openmpi") == 0) return PPI_MPI_OPENMPI;
    if (strcmp(PPI_MPI_BUILT, "mpich") == 0) return PPI_MPI_MPICH;
    return PPI_MPI_OTHER;
}

const char *ppi_mpi_name(enum ppi_mpi mpi)
{
    return mpi == PPI_MPI_OPENMPI ? "Open MPI" : mpi == PPI_MPI_MPICH ? "MPICH" : "another MPI";
}

/* 0, or why it cannot be executed. */
static int not_executable(const char *file)
{
    struct stat info;
    if (stat(file, &info) != 0) return errno;
    if (S_ISDIR(info.st_mode)) return EISDIR;
    return access(file, X_OK) == 0 ? 0 : errno;
}

char *ppi_find_program(const char *name, const char *path)
{
    int why = ENOENT, error;
    if (strchr(name, '/')) {
        if ((why = not_executable(name)) == 0) return strdup(name);
        if (why == ENOTDIR) why = ENOENT;
        errno = why;
        return NULL;
    }
    for (const char *at = path; *name && at; at = *at ? at + 1 : NULL) {
        int length = (int)strcspn(at, ":");
        char *file;
        if (asprintf(&file, "%.*s%s%s", length, at, length ? "/" : "./", name) < 0) return NULL;
        if ((error = not_executable(file)) == 0) return file;
        free(file);
        if (error == EACCES) why = error;
        at += length;
    }
    errno = why;
    return NULL;
}

enum ppi_mpi ppi_mpi_of_launcher(const char *file)
{
    static const struct {
        const char *part;
        enum ppi_mpi mpi;
    } known[] = {
        {"orterun", PPI_MPI_OPENMPI}, {"openmpi", PPI_MPI_OPENMPI}, {"prterun", PPI_MPI_OPENMPI},
        {"prun", PPI_MPI_OPENMPI},    {"hydra", PPI_MPI_MPICH},     {"mpich", PPI_MPI_MPICH},
    };
    char real[PATH_MAX];
    if (!realpath(file, real)) return PPI_MPI_OTHER;
    const char *base = strrchr(real, '/') + 1;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strstr(base, known[i].part)) return known[i].mpi;
    return PPI_MPI_OTHER;
}

char *ppi_find_launcher(enum ppi_mpi mpi, const char *path)
{
    static const char *const openmpi[] = {"mpirun", "mpiexec", "mpirun.openmpi", "mpiexec.openmpi", "orterun", NULL};
    static const char *const mpich[] = {"mpiexec", "mpirun", "mpiexec.mpich", "mpiexec.hydra", NULL};
    static const char built[] = PPI_MPIEXEC;
    char *unknown = NULL;
    if (mpi == PPI_MPI_OTHER) return ppi_find_program("mpiexec", path);
    if (mpi == ppi_mpi_built() && *built && not_executable(built) == 0) {
        enum ppi_mpi belongs = ppi_mpi_of_launcher(built); /* a link that may have been changed since */
        if (belongs == mpi || belongs == PPI_MPI_OTHER) return strdup(built);
    }
    for (const char *const *name = mpi == PPI_MPI_OPENMPI ? openmpi : mpich; *name; name++) {
        char *file = ppi_find_program(*name, path);
        enum ppi_mpi belongs = file ? ppi_mpi_of_launcher(file) : PPI_MPI_OTHER;
        if (file && belongs == mpi) {
            free(unknown);
            return file;
        }
        /* A launcher whose name says nothing, such as a site's wrapper, is taken when there is no better one. */
        if (file && belongs == PPI_MPI_OTHER && !unknown)
            unknown = file;
        else
            free(file);
    }
    return unknown;
}

/* The path of the dynamic loader that the program asks for; 0 when it asks for none. */
static int read_interpreter(const char *file, char *out, size_t room)
{
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    int found = 0, fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    if (pread(fd, &header, sizeof header, 0) != (ssize_t)sizeof header ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_phentsize != sizeof segment)
        header.e_phnum = 0;
    for (int i = 0; i < header.e_phnum && !found; i++) {
        if (pread(fd, &segment, sizeof segment, (off_t)(header.e_phoff + (size_t)i * sizeof segment)) !=
            (ssize_t)sizeof segment)
            break;
        if (segment.p_type != PT_INTERP || segment.p_filesz < 2 || segment.p_filesz > room) continue;
        found = pread(fd, out, segment.p_filesz, (off_t)segment.p_offset) == (ssize_t)segment.p_filesz &&
                out[segment.p_filesz - 1] == '\0';
    }
    close(fd);
    return found;
}

/* "        libmpi.so.40 => /usr/lib/.../libmpi.so.40 (0x…)". MPICH and its kin have version 12 of libmpi, or their own name. */
static enum ppi_mpi mpi_of_line(const char *line)
{
    const char *mpi = strstr(line, "libmpi.so.");
    if (strstr(line, "libopen-pal.so") || (mpi && atoi(mpi + strlen("libmpi.so.")) >= 20)) return PPI_MPI_OPENMPI;
    if (strstr(line, "libmpich.so") || mpi) return PPI_MPI_MPICH;
    return PPI_MPI_OTHER;
}

enum ppi_mpi ppi_mpi_of_program(const char *file)
{
    char loader[PATH_MAX], line[4096];
    enum ppi_mpi mpi = PPI_MPI_OTHER;
    posix_spawn_file_actions_t actions;
    int ends[2];
    pid_t pid;
    if (!read_interpreter(file, loader, sizeof loader)) return mpi;
    if (pipe2(ends, O_CLOEXEC) != 0) return mpi;
    char *argv[] = {loader, (char[]){"--list"}, strdup(file), NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    int started = argv[2] && posix_spawn(&pid, loader, &actions, NULL, argv, environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    FILE *lines = fdopen(ends[0], "r");
    while (started && lines && fgets(line, sizeof line, lines))
        if (mpi == PPI_MPI_OTHER) mpi = mpi_of_line(line);
    if (lines)
        fclose(lines);
    else
        close(ends[0]);
    if (started) waitpid(pid, NULL, 0);
    free(argv[2]);
    return mpi;
}
