#include "info.h"
#include "place.h"

#include "launch/launch.h"
#include "launch/settings.h"
#include "topology/topology.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE "ppmpi-info"

struct row {
    int rank, packages, numa_nodes, cores, allowed, workers;
    char host[256], reason[128];
};

static int read_this_node(struct row *out)
{
    struct ppi_topology topology;
    struct ppi_launch launch;
    struct row row;
    memset(&row, 0, sizeof row);
    if (ppi_topology_load(&topology) != PP_OK) {
        fprintf(stderr, "pprun: %s\n", pp_last_error());
        return 1;
    }
    ppi_launch_detect(&launch);
    gethostname(row.host, sizeof row.host - 1);
    row.rank = launch.rank;
    row.packages = topology.packages;
    row.numa_nodes = topology.numa_nodes;
    row.cores = topology.cores;
    row.allowed = topology.allowed_cores;
    row.workers = ppi_settings_workers(topology.limit);
    snprintf(row.reason, sizeof row.reason, "%s", topology.limit_reason);
    *out = row;
    return 0;
}

int info_print_line(void)
{
    struct row row;
    if (read_this_node(&row) != 0) return 1;
    printf(LINE "\t%d\t%s\t%d\t%d\t%d\t%d\t%d\t%s\n", row.rank, row.host, row.packages, row.numa_nodes, row.cores,
           row.allowed, row.workers, row.reason);
    return fflush(stdout) == 0 ? 0 : 1;
}

static int by_rank(const void *a, const void *b)
{
    const struct row *left = a, *right = b;
    return left->rank < right->rank ? -1 : left->rank > right->rank;
}

static void print_rows(struct row *rows, int count)
{
    struct row all = {0, 0, 0, 0, 0, 0, "total", ""};
    int width = 8;
    qsort(rows, (size_t)count, sizeof *rows, by_rank);
    for (int i = 0; i < count; i++)
        if ((int)strlen(rows[i].host) > width) width = (int)strlen(rows[i].host);
    printf("%-*s  packages  NUMA nodes  cores  allowed cores  workers\n", width, "node");
    for (int i = 0; i <= count; i++) {
        const struct row *row = i < count ? &rows[i] : &all;
        if (i == count && count == 1) break;
        printf("%-*s  %8d  %10d  %5d  %13d  %7d\n", width, row->host, row->packages, row->numa_nodes, row->cores,
               row->allowed, row->workers);
        all.packages += row->packages;
        all.numa_nodes += row->numa_nodes;
        all.cores += row->cores;
        all.allowed += row->allowed;
        all.workers += row->workers;
    }
    for (int i = 0; i < count; i++)
        if (*rows[i].reason) printf("%s: fewer workers than allowed cores: %s\n", rows[i].host, rows[i].reason);
}

/* Rows out of what the nodes printed; whatever else they printed is passed on to stderr. */
static int read_rows(char *text, struct row **out)
{
    int count = 0;
    char *save = NULL;
    *out = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        struct row row;
        memset(&row, 0, sizeof row);
        int fields = sscanf(line, LINE "\t%d\t%255[^\t]\t%d\t%d\t%d\t%d\t%d\t%127[^\n]", &row.rank, row.host,
                            &row.packages, &row.numa_nodes, &row.cores, &row.allowed, &row.workers, row.reason);
        struct row *more = fields >= 7 ? realloc(*out, ((size_t)count + 1) * sizeof *more) : NULL;
        if (!more) {
            fprintf(stderr, "%s\n", line);
            continue;
        }
        *out = more;
        more[count++] = row;
    }
    return count;
}

static int ask_all(const struct options *options, struct place *place)
{
    char *self = place_own_file(), *text = NULL;
    struct row *rows = NULL;
    if (!self) wrong_use("--info: pprun cannot read in /proc where its own program is");
    place_choose_launcher(options, self, place);
    char *program[] = {self, (char[]){"--info-line"}, NULL}, *copy = NULL;
    if (options->dry_run) return place_print(options, place, program);
    if (options->preload) program[0] = copy = place_preload(place, self);
    int status = place_run(place, 0, program, &text);
    if (copy) place_unload(place);
    free(copy);
    int count = text ? read_rows(text, &rows) : 0;
    if (count > 0) print_rows(rows, count);
    if (count < place->nodes) {
        fprintf(
            stderr,
            "pprun: %d of %d nodes have answered; pprun must be at %s on each of them, or --preload takes it there\n",
            count, place->nodes, self);
        if (status == 0) status = 1;
    }
    free(rows);
    free(text);
    return status;
}

int info_print_table(const struct options *options)
{
    struct place place;
    struct row row;
    place_find(options, &place);
    if (!place.plain) return ask_all(options, &place);
    if (read_this_node(&row) != 0) return 1;
    print_rows(&row, 1);
    return 0;
}
