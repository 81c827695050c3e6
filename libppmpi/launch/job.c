#include "launch/job.h"
#include "base/status.h"
#include "launch/hosts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By the names' first parts: one may be written with its domain and the other without. */
static int is_same_host(const char *a, const char *b)
{
    size_t n = strcspn(a, ".");
    return n == strcspn(b, ".") && strncmp(a, b, n) == 0;
}

static int has(const struct ppi_words *nodes, const char *host)
{
    for (int i = 0; i < nodes->count; i++)
        if (is_same_host(nodes->word[i], host) || (ppi_host_is_local(host) && ppi_host_is_local(nodes->word[i]))) return 1;
    return 0;
}

/* None where scontrol is missing or says no. */
static void read_nodes(struct ppi_words *out)
{
    char *line = NULL;
    size_t room = 0;
    FILE *names = popen("scontrol show hostnames \"$SLURM_JOB_NODELIST\" 2>/dev/null", "re");
    if (!names) return;
    while (getline(&line, &room, names) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (*line) ppi_words_add(out, line);
    }
    free(line);
    if (pclose(names) != 0 || out->failed) ppi_words_free(out);
}

int ppi_job_check_hosts(const struct ppi_allocation *allocation, const struct ppi_words *hosts, const char *source)
{
    struct ppi_words nodes = {NULL, 0, 0};
    int status = PP_OK;
    if (allocation->kind != PPI_ALLOCATION_SLURM || hosts->count == 0) return PP_OK;
    read_nodes(&nodes);
    for (int i = 0; i < hosts->count && nodes.count && status == PP_OK; i++)
        if (!has(&nodes, hosts->word[i]))
            status = ppi_error(PP_ERR_ARG, "%s: %s is not a node of this Slurm job (%s)", source, hosts->word[i],
                               getenv("SLURM_JOB_NODELIST"));
    ppi_words_free(&nodes);
    return status;
}
