/* pprun: starts programs of libppmpi, on one machine or on many. */
#include "carry.h"
#include "info.h"
#include "options.h"
#include "place.h"

#include <stdio.h>
#include <stdlib.h>

static int run_plain(const struct options *options, const char *file)
{
    unsetenv("PPMPI_HOSTS"); /* here is where it is to run */
    return place_become(file, options->program);
}

int main(int argc, char **argv)
{
    struct options options;
    struct place place;
    options_read(argc, argv, &options);
    if (options.info_line) return info_print_line();
    if (options.carry) return carry(options.carry, options.program);
    if (options.info) return info_print_table(&options);

    place_find(&options, &place);
    char *file = place_find_program(options.program[0]);
    if (place.plain) return options.dry_run ? place_print(&options, &place, options.program) : run_plain(&options, file);

    place_choose_launcher(&options, file, &place);
    carry_decide(&options, &place, file, &place.carrier);
    char *copy = NULL;
    options.program[0] = file; /* the PATH may be another one elsewhere */
    if (options.dry_run) return place_print(&options, &place, options.program);
    if (options.preload && (place.hosts.count > 0 || place.allocation.kind != PPI_ALLOCATION_NONE))
        options.program[0] = copy = place_preload(&place, file);
    int status = place_run(&place, options.ranks, options.program, NULL);
    if (copy) place_unload(&place);
    free(copy);
    free(file);
    return status;
}
