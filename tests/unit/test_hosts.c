/* Lists of hosts and host files: what they may be, and the text when they are something else. */
#include "launch/hosts.h"
#include "unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LENGTH(a) (sizeof(a) / sizeof *(a))
#define LONG_LABEL "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* 64 */

static const struct {
    const char *list, *names[4], *error; /* a part of the text */
} lists[] = {
    {"node-1", {"node-1"}, NULL},
    {"node-1,node-2,n3.cluster.org", {"node-1", "node-2", "n3.cluster.org"}, NULL},
    {"10.0.0.1,a_b", {"10.0.0.1", "a_b"}, NULL},
    {"", {NULL}, "X=\"\": names of hosts are missing, such as node-1,node-2"},
    {",", {NULL}, "X=\",\": name 1 is empty"},
    {"a,,b", {NULL}, "X=\"a,,b\": name 2 is empty"},
    {"a,b,", {NULL}, "X=\"a,b,\": name 3 is empty"},
    {",a", {NULL}, "name 1 is empty"},
    {" ", {NULL}, "\" \" is no name of a host"},
    {"a, b", {NULL}, "X=\"a, b\": \" b\" is no name of a host"},
    {"a b", {NULL}, "\"a b\" is no name"},
    {"-oProxyCommand=x", {NULL}, "\"-oProxyCommand=x\" is no name"},
    {"a:2", {NULL}, "\"a:2\" is no name"},
    {"me@a", {NULL}, "\"me@a\" is no name"},
    {"a;reboot", {NULL}, "\"a;reboot\" is no name"},
    {"a\n", {NULL}, "\"a?\" is no name"},
    {"h\xc3\xa4user", {NULL}, "\"h??user\" is no name"},
    {"a,b,A", {NULL}, "\"A\" stands there twice"},
    {LONG_LABEL LONG_LABEL LONG_LABEL LONG_LABEL, {NULL}, "is no name of a host"},
};

static void same(const struct ppi_words *hosts, const char *const *names)
{
    int n = 0;
    for (; n < 4 && names[n]; n++) {
        ck_assert_int_lt(n, hosts->count);
        ck_assert_str_eq(hosts->word[n], names[n]);
    }
    ck_assert_int_eq(hosts->count, n);
}

START_TEST(a_list_is_names_separated_by_single_commas)
{
    struct ppi_words hosts = {NULL, 77, 0};
    int status = ppi_hosts_parse(lists[_i].list, "X", &hosts);
    if (!lists[_i].error) {
        ck_assert_int_eq(status, PP_OK);
        same(&hosts, lists[_i].names);
        ppi_words_free(&hosts);
        return;
    }
    ck_assert_int_eq(status, PP_ERR_ARG);
    ck_assert_msg(strstr(pp_last_error(), lists[_i].error) != NULL, "%s", pp_last_error());
    ck_assert_int_eq(hosts.count, 77);
}
END_TEST

static const struct {
    const char *text;
    size_t bytes; /* 0 = up to its end */
    const char *names[4], *error;
} files[] = {
    {"node-1\nnode-2\n", 0, {"node-1", "node-2"}, NULL},
    {"node-1", 0, {"node-1"}, NULL},
    {"# all of them\n\n  node-1  # the first\r\n\tnode-2 slots=4 max_slots=8\nnode-3:16\n", 0, {"node-1", "node-2", "node-3"}, NULL},
    {"n1\nn1\nn1\nn2\nn2\n", 0, {"n1", "n2"}, NULL}, /* PBS: a line for each core */
    {"n1 slots=2\nn1 max-slots=4\n", 0, {"n1"}, NULL},
    {"", 0, {NULL}, "names no host"},
    {"# nothing\n\n", 0, {NULL}, "names no host"},
    {"n1\nn2 n3\n", 0, {NULL}, ", line 2: \"n2 n3\": the name of a host"},
    {"n1\n\nn2,n3\n", 0, {NULL}, ", line 3: \"n2,n3\""},
    {"n1 slots=four\n", 0, {NULL}, ", line 1: \"n1 slots=four\""},
    {"n1 slots=\n", 0, {NULL}, ", line 1:"},
    {"n1 slots=4x\n", 0, {NULL}, ", line 1:"},
    {"n1 cores=4\n", 0, {NULL}, ", line 1:"},
    {"n1:\n", 0, {NULL}, ", line 1: \"n1:\""},
    {"n1:-1\n", 0, {NULL}, ", line 1:"},
    {"-v\n", 0, {NULL}, ", line 1: \"-v\""},
    {"\x7f""ELF\x02\x01\x01\0\0\0\n", 11, {NULL}, ", line 1: \"?ELF"},
    {"n1\0n2\n", 6, {NULL}, ", line 1: \"n1\""},
    {"#\0\n", 3, {NULL}, ", line 1: \"#\""},
};

static char path[] = "/tmp/test_hosts_XXXXXX";

static void write_file(const char *text, size_t bytes)
{
    strcpy(path + strlen(path) - 6, "XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    if (bytes == 0) bytes = strlen(text);
    ck_assert_int_eq(write(fd, text, bytes), (ssize_t)bytes);
    close(fd);
}

START_TEST(a_file_has_one_host_a_line)
{
    struct ppi_words hosts = {NULL, 77, 0};
    write_file(files[_i].text, files[_i].bytes);
    int status = ppi_hosts_read(path, &hosts);
    unlink(path);
    if (!files[_i].error) {
        ck_assert_int_eq(status, PP_OK);
        same(&hosts, files[_i].names);
        ppi_words_free(&hosts);
        return;
    }
    ck_assert_int_eq(status, PP_ERR_ARG);
    ck_assert_msg(strstr(pp_last_error(), files[_i].error) != NULL, "%s", pp_last_error());
    ck_assert_msg(strstr(pp_last_error(), path) != NULL, "%s", pp_last_error());
    ck_assert_int_eq(hosts.count, 77);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_named)
{
    struct ppi_words hosts = {NULL, 77, 0};
    ck_assert_int_eq(ppi_hosts_read("/no/such/file", &hosts), PP_ERR_SYSTEM);
    ck_assert_str_eq(pp_last_error(), "the host file /no/such/file cannot be read: No such file or directory");
    ck_assert_int_eq(ppi_hosts_read("/", &hosts), PP_ERR_SYSTEM);
    ck_assert_str_eq(pp_last_error(), "the host file / cannot be read: Is a directory");
    ck_assert_int_eq(hosts.count, 77);
}
END_TEST

START_TEST(this_machine_is_known_by_its_names)
{
    char own[256] = "";
    gethostname(own, sizeof own - 1);
    ck_assert(ppi_host_is_local("localhost"));
    ck_assert(ppi_host_is_local("127.0.0.1"));
    ck_assert(ppi_host_is_local(own));
    ck_assert(!ppi_host_is_local("192.0.2.1")); /* reserved for documentation */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hosts");
    TCase *c = tcase_create("hosts");
    tcase_add_loop_test(c, a_list_is_names_separated_by_single_commas, 0, LENGTH(lists));
    tcase_add_loop_test(c, a_file_has_one_host_a_line, 0, LENGTH(files));
    tcase_add_test(c, a_file_that_cannot_be_read_is_named);
    tcase_add_test(c, this_machine_is_known_by_its_names);
    suite_add_tcase(suite, c);

    return run_suite(suite);
}
