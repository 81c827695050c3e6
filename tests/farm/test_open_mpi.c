/* A program that has initialised MPI itself is told, on every rank, which call is for it. ranks: 1 2
 * MPI is called through the library's own copy: this program is not built with it. */
#define TEST_API_MAIN
#include "farm/test_api.h"

#include <dlfcn.h>

static int (*mpi_init)(int *, char ***);
static int (*mpi_finalize)(void);

static void *find(const char *name)
{
    void *address = dlsym(RTLD_DEFAULT, name);
    if (address) return address;
    fprintf(stderr, "skipped: no %s to be found\n", name);
    exit(77);
}

static void refused_naming_the_call_that_is_for_it(void)
{
    for (int i = 0; i < 2; i++) {
        CHECK(pp_server_open(NULL, NULL, NULL) == NULL);
        CHECK_INT(pp_last_error_code(), PP_ERR_STATE);
        CHECK_TEXT(pp_last_error(), "pp_server_open_comm");
    }
    CHECK_INT(pp_submit(NULL, NULL, NULL, 0).id, 0);
    CHECK_INT(pp_last_error_code(), PP_ERR_ARG);
    CHECK_TEXT(pp_last_error(), "pp_server_open_comm");
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {TEST(refused_naming_the_call_that_is_for_it)};
    void *init = find("MPI_Init"), *finalize = find("MPI_Finalize");
    memcpy(&mpi_init, &init, sizeof init);
    memcpy(&mpi_finalize, &finalize, sizeof finalize);
    CHECK_INT(mpi_init(&argc, &argv), 0);
    run_tests(tests, 1);
    CHECK_INT(mpi_finalize(), 0);
    run_tests(tests, 1); /* afterwards it is too late as well */
    fflush(NULL);
    _exit(failures ? 1 : 0); /* MPI libraries leak by design: a sanitizer shall not tell */
}
