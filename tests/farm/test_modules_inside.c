/* Functions of plug-ins that nobody but rank 0 has, where the ranks run tasks themselves.
 * ranks: 2 4
 * nodes: 2/1 4/2 */
#define TEST_API_MAIN
#include "farm/plugin_tests.h"

/* What rank 0 has found before is another one's, or nobody's, once the program has closed it; the loader likes to
 * put the next where the last one was. */
static void what_the_program_closes_is_looked_for_again(void)
{
    build("closed", 120, "", 0, "");
    build("follower", 121, "", 0, "");
    void *one = open_plugin("closed");
    runs_everywhere(body_of(one), 120, 0);
    CHECK_INT(dlclose(one), 0);
    void *other = open_plugin("follower");
    one = open_plugin("closed");
    runs_everywhere(body_of(one), 120, 0);
    runs_everywhere(body_of(other), 121, 0);
    CHECK_INT(dlclose(other), 0);
    runs_everywhere(body_of(one), 120, 0);
    CHECK_INT(dlclose(one), 0);
}

static const struct test tests[] = {PLUGIN_TESTS, TEST(what_the_program_closes_is_looked_for_again)};

int main(int argc, char **argv)
{
    pp_options options = PP_OPTIONS_INIT;
    options.isolation = PP_ISOLATE_NONE;
    return run_with_plugins(argc, argv, &options, tests, sizeof tests / sizeof *tests);
}
