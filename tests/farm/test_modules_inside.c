/* Functions of plug-ins that nobody but rank 0 has, where the ranks run tasks themselves.
 * ranks: 2 4
 * nodes: 2/1 4/2 */
#define TEST_API_MAIN
#include "farm/plugin_tests.h"

static const struct test tests[] = {PLUGIN_TESTS};

int main(int argc, char **argv)
{
    pp_options options = PP_OPTIONS_INIT;
    options.isolation = PP_ISOLATE_NONE;
    return run_with_plugins(argc, argv, &options, tests, sizeof tests / sizeof *tests);
}
