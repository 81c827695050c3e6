#include "carry.h"

#include "launch/hosts.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

/* Whether the program opens the server, and has nothing else to do with MPI: the names of the functions that it calls tell. */
static int leaves_mpi_to_us(const char *program)
{
#define NAME(text) {text, sizeof(text) - 1}
    static const struct {
        const char *text;
        size_t bytes;
    } own[] = {NAME("\0MPI_"), NAME("\0mpi_"), NAME("mpi_f08"), NAME("pp_server_open_comm"), NAME("pp_prepare")};
#undef NAME
    struct stat info;
    int fd = open(program, O_RDONLY | O_CLOEXEC), ours = 0;
    if (fd < 0) return 0;
    size_t bytes = fstat(fd, &info) == 0 ? (size_t)info.st_size : 0;
    const char *text = bytes ? mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (text == MAP_FAILED) return 0;
    ours = memmem(text, bytes, "pp_server_open", strlen("pp_server_open")) != NULL;
    for (size_t i = 0; i < sizeof own / sizeof own[0] && ours; i++)
        if (memmem(text, bytes, own[i].text, own[i].bytes)) ours = 0;
    munmap((void *)text, bytes);
    return ours;
}

/* As they stand in the command for the other host: each word is quoted, and all of it once more, hence half of what there is. */
static int fits_into_a_word(char *const *program)
{
    const size_t around = 20; /* "export ", quotes that are quoted, "; " */
    size_t bytes = 0;
    for (char *const *variable = environ; *variable; variable++) bytes += strlen(*variable) + around;
    for (char *const *word = program; *word; word++) bytes += strlen(*word) + around;
    return bytes < CARRY_WORD_MOST / 2;
}

/* The address that this host has for the other one; 0 when that is not known. Nothing is sent. */
static int address_towards(const char *host, struct in_addr *out)
{
    struct addrinfo wanted = {.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM}, *found;
    struct sockaddr_in own;
    socklen_t length = sizeof own;
    if (getaddrinfo(host, "9", &wanted, &found) != 0) return 0;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int known = fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0 &&
                getsockname(fd, (struct sockaddr *)&own, &length) == 0;
    if (fd >= 0) close(fd);
    freeaddrinfo(found);
    if (known) *out = own.sin_addr;
    return known;
}

static int interface_of(struct in_addr address, char out[IF_NAMESIZE])
{
    struct ifaddrs *all;
    int found = 0;
    if (getifaddrs(&all) != 0) return 0;
    for (const struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
        if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || i->ifa_flags & IFF_LOOPBACK) continue;
        found = ((const struct sockaddr_in *)i->ifa_addr)->sin_addr.s_addr == address.s_addr;
        if (found) snprintf(out, IF_NAMESIZE, "%s", i->ifa_name);
    }
    freeifaddrs(all);
    return found;
}

/* One for all of them. */
static int find_interface(const struct ppi_words *hosts, char out[IF_NAMESIZE])
{
    struct in_addr first = {0}, address;
    for (int i = 1; i < hosts->count; i++) {
        if (!address_towards(hosts->word[i], &address)) return 0;
        if (i == 1) first = address;
        if (address.s_addr != first.s_addr) return 0;
    }
    return interface_of(first, out);
}

static int is_open_mpi_4(const char *mpirun)
{
    char *file = ppi_words_quote(mpirun), *command = NULL, line[128] = "";
    int major = 0, minor = 0;
    if (file && asprintf(&command, "%s --version 2>/dev/null", file) >= 0) {
        FILE *answer = popen(command, "re");
        if (answer && fgets(line, sizeof line, answer)) {
            const char *at = strchr(line, ')'); /* "mpirun (Open MPI) 4.1.4", "mpiexec (OpenRTE) 4.1.4" */
            if (at && sscanf(at, ") %d.%d", &major, &minor) != 2) major = 0;
        }
        if (answer) pclose(answer);
    }
    free(command);
    free(file);
    return major == 4 && minor == 1;
}

void carry_decide(const struct options *options, const struct place *place, const char *program, struct ppi_carrier *out)
{
    static char interface[IF_NAMESIZE];
    const char *told = getenv("OMPI_MCA_oob_tcp_if_include");
    const struct ppi_words *hosts = &place->hosts;
    if (options->plain_mpirun || place->launcher != PPI_LAUNCHER_MPIRUN || place->allocation.kind != PPI_ALLOCATION_NONE) return;
    if (hosts->count < 2 || options->ranks > hosts->count) return;
    if (getenv("OMPI_MCA_btl") || getenv("OMPI_MCA_pml") || getenv("PMIX_MCA_gds")) return; /* the user knows better */
    if (!ppi_host_is_local(hosts->word[0]) || !leaves_mpi_to_us(program) || !fits_into_a_word(options->program)) return;
    const char *self = place_own_file();
    if (!self || !is_open_mpi_4(place->launcher_file)) return;
    if (!told || !*told) {
        if (!find_interface(hosts, interface)) return;
        told = interface;
    }
    *out = (struct ppi_carrier){self, told};
}
