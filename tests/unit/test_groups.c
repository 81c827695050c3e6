/* Groups of tasks: the finished ones come in order of completion, each once, whatever was fetched meanwhile. */
#include "server/groups.h"

#include "unit/random.h"
#include "unit/suite.h"

#include <check.h>
#include <ppmpi.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static struct ppi_task_store store;
static struct ppi_groups groups;
static uint64_t clock_ns;

/* As ck_assert, which writes to a pipe each time: for inner loops. */
#define INSIST(condition) ((condition) ? (void)0 : ck_abort_msg("%s", #condition))

static void setup(void)
{
    ppi_store_init(&store);
    ck_assert_int_eq(ppi_groups_init(&groups, &store), PP_OK);
    clock_ns = 0;
}

static void teardown(void)
{
    ppi_groups_fini(&groups);
    ppi_store_fini(&store);
}

static int group_of(const char *name)
{
    int group;
    INSIST(ppi_groups_make(&groups, name, &group) == PP_OK);
    return group;
}

static uint32_t submit(int group)
{
    uint32_t index = ppi_store_new(&store);
    INSIST(index != PPI_TASK_NONE);
    struct ppi_task *t = ppi_store_at(&store, index);
    INSIST(ppi_groups_submitted(&groups, group) == PP_OK);
    t->group = (uint16_t)group;
    t->submitted_ns = 0;
    INSIST(ppi_task_apply(t, PPI_EVENT_SUBMIT) == 1 && ppi_task_apply(t, PPI_EVENT_ASSIGN) == 1);
    return index;
}

static void finish(uint32_t index)
{
    struct ppi_task *t = ppi_store_at(&store, index);
    INSIST(ppi_task_apply(t, PPI_EVENT_FINISH) == 1);
    clock_ns++;
    ppi_task_set_times(t, 0, clock_ns, clock_ns);
    if (clock_ns % 3 == 0) { /* it has a callback */
        ppi_groups_calls(&groups, t->group);
        ppi_groups_called(&groups, t->group);
    }
    ppi_groups_list(&groups, t, index);
}

/* As pp_fetch and pp_release do it. */
static void give_up(uint32_t index)
{
    struct ppi_task *t = ppi_store_at(&store, index);
    ppi_groups_unlist(&groups, t, index);
    INSIST(ppi_task_apply(t, PPI_EVENT_RECYCLE) == 1);
    ppi_store_recycle(&store, index);
}

START_TEST(tasks_come_in_order_of_completion)
{
    uint32_t task[100];
    for (int i = 0; i < 100; i++) task[i] = submit(0);
    ck_assert_uint_eq(ppi_groups_next(&groups, 0), PPI_TASK_NONE);
    for (int i = 0; i < 100; i++) finish(task[i * 37 % 100]);
    for (int i = 0; i < 100; i++) ck_assert_uint_eq(ppi_groups_next(&groups, i % 2 ? 0 : -1), task[i * 37 % 100]);
    ck_assert_uint_eq(ppi_groups_next(&groups, 0), PPI_TASK_NONE);
    ck_assert_uint_eq(ppi_groups_next(&groups, -1), PPI_TASK_NONE);
}
END_TEST

START_TEST(what_was_fetched_is_passed_over_also_when_its_record_is_anothers)
{
    uint32_t task[30];
    for (int i = 0; i < 30; i++) task[i] = submit(0);
    for (int i = 0; i < 30; i++) finish(task[i]);
    for (int i = 0; i < 30; i += i % 3 ? 2 : 1) give_up(task[i]); /* stay: 2, 5, 8 … */
    uint32_t again = submit(0), later = submit(0); /* in records that have entries */
    ck_assert_uint_lt(again, 30);
    for (int i = 2; i < 15; i += 3) ck_assert_uint_eq(ppi_groups_next(&groups, -1), task[i]);
    finish(later);
    finish(again);
    for (int i = 17; i < 30; i += 3) ck_assert_uint_eq(ppi_groups_next(&groups, 0), task[i]);
    ck_assert_uint_eq(ppi_groups_next(&groups, -1), later);
    ck_assert_uint_eq(ppi_groups_next(&groups, -1), again);
    ck_assert_uint_eq(ppi_groups_next(&groups, -1), PPI_TASK_NONE);
}
END_TEST

START_TEST(groups_firsts_are_compared_when_they_are_live)
{
    int a = group_of("a"), b = group_of("b");
    uint32_t a0 = submit(a), a1 = submit(a), a2 = submit(a), b0 = submit(b), b1 = submit(b);
    finish(a0), finish(b0), finish(a1), finish(b1), finish(a2);
    give_up(a1);
    give_up(a0);
    ck_assert_uint_eq(ppi_groups_next(&groups, -1), b0);
    ck_assert_uint_eq(ppi_groups_next(&groups, -1), b1);
    ck_assert_uint_eq(ppi_groups_next(&groups, -1), a2);
    ck_assert_int_eq(ppi_groups_find(&groups, "a"), -1); /* empty groups are gone */
    ck_assert_int_eq(ppi_groups_find(&groups, "b"), -1);
    ck_assert_ptr_null(groups.groups[a].finished);
}
END_TEST

START_TEST(array_stays_as_large_as_the_tasks_at_a_time_ask_for)
{
    /* One task stays in front, so that the array is never empty and has to be compacted. */
    uint32_t first = submit(0), task[10], n = 0;
    finish(first);
    for (int i = 0; i < 10; i++) task[i] = submit(0);
    for (int i = 0; i < 100000; i++) {
        finish(task[n]);
        if (i % 7) give_up(task[n]); /* others stay for a while, */
        task[n] = submit(0);
        n = (n + 1) % 10;
        if (i % 70 == 69) { /* … until pp_next takes them */
            INSIST(ppi_groups_next(&groups, 0) == first);
            for (uint32_t next; (next = ppi_groups_next(&groups, 0)) != PPI_TASK_NONE;) give_up(next);
            give_up(first);
            finish(first = submit(0));
        }
        INSIST(groups.groups[0].room >= 2 * groups.groups[0].wanted);
    }
    ck_assert_uint_le(groups.groups[0].room, 64);
}
END_TEST

START_TEST(tasks_that_pp_next_passes_over_take_no_room)
{
    for (int i = 0; i < 1000; i++) {
        submit(0);
        ppi_groups_hide(&groups, 0);
    }
    ck_assert_uint_le(groups.groups[0].room, 16);
    uint32_t shown = submit(0);
    finish(shown);
    ck_assert_uint_eq(ppi_groups_next(&groups, -1), shown);
}
END_TEST

START_TEST(large_array_goes_when_it_is_empty)
{
    enum { N = 3000000 };
    uint32_t *task = malloc(N * sizeof *task);
    ck_assert_ptr_nonnull(task);
    for (int i = 0; i < N; i++) task[i] = submit(0);
    size_t room = groups.groups[0].room;
    for (int i = 0; i < N; i++) finish(task[i]);
    ck_assert_uint_eq(groups.groups[0].room, room); /* nothing is got when tasks finish */
    for (int i = 0; i < N; i++) {
        if (i % 2) INSIST(ppi_groups_next(&groups, 0) == task[i]);
        give_up(task[i]);
    }
    ck_assert_uint_ge(room, 2 * (size_t)N);
    ck_assert_uint_le(groups.groups[0].room, (size_t)1 << 21);
    uint32_t last = submit(0);
    finish(last);
    ck_assert_uint_eq(ppi_groups_next(&groups, 0), last);
    free(task);
}
END_TEST

START_TEST(large_array_shrinks_although_a_task_stays)
{
    enum { N = 3000000, OVER = 20000000 };
    uint32_t *task = malloc(N * sizeof *task), stays = submit(0);
    ck_assert_ptr_nonnull(task);
    finish(stays);
    for (int i = 0; i < N; i++) task[i] = submit(0);
    for (int i = 0; i < N; i++) finish(task[i]), give_up(task[i]);
    free(task);
    int i = 0;
    for (; i < OVER && groups.groups[0].room > (size_t)1 << 21; i++) {
        uint32_t t = submit(0);
        finish(t);
        give_up(t);
    }
    ck_assert_int_lt(i, OVER);
    ck_assert_uint_eq(ppi_groups_next(&groups, 0), stays);
}
END_TEST

/* ---- without memory */

static uint64_t address_space(void)
{
    FILE *in = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    ck_assert_ptr_nonnull(in);
    ck_assert_int_eq(fscanf(in, "%lu", &pages), 1);
    fclose(in);
    return (uint64_t)pages * 4096;
}

START_TEST(submission_without_memory_leaves_nothing_behind)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return; /* they take all of the address space */
#endif
    enum { MOST = 1 << 24 };
    int group = group_of("small"), empty;
    uint32_t task = submit(group), refused = 0;
    const struct rlimit limit = {address_space() + (8 << 20), RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    size_t submitted = 0;
    while (submitted < MOST && ppi_groups_submitted(&groups, 0) == PP_OK) submitted++;
    ck_assert_uint_lt(submitted, MOST);
    ck_assert_int_eq(pp_last_error_code(), PP_ERR_NOMEM);
    ck_assert_uint_eq(groups.groups[0].tasks, submitted);
    ck_assert_uint_eq(groups.groups[0].wanted, submitted);
    ck_assert_uint_ge(groups.groups[0].room, 2 * submitted);
    /* A group that was made for a task that is refused, when no memory is left at all. */
    ck_assert_int_eq(ppi_groups_make(&groups, "new", &empty), PP_OK);
    for (size_t bytes = 4 << 20; bytes >= 16; bytes /= 2) /* never freed: the process ends with the test */
        for (void **last = NULL, **more; (more = malloc(bytes)); last = more) *more = last;
    while ((refused = (uint32_t)ppi_groups_submitted(&groups, empty)) == PP_OK && groups.groups[empty].tasks < MOST) {}
    ck_assert_int_eq((int)refused, PP_ERR_NOMEM);
    ck_assert_uint_eq(groups.groups[empty].tasks, 0);
    ck_assert_int_eq(ppi_groups_find(&groups, "new"), -1);
    finish(task); /* needs none */
    ck_assert_uint_eq(ppi_groups_next(&groups, group), task);
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}), 0);
}
END_TEST

START_TEST(task_that_is_not_submitted_after_all_leaves_no_group)
{
    int group = group_of("group");
    ck_assert_int_eq(ppi_groups_submitted(&groups, group), PP_OK);
    ck_assert_int_eq(ppi_groups_submitted(&groups, group), PP_OK);
    ppi_groups_undone(&groups, group);
    ck_assert_int_eq(ppi_groups_find(&groups, "group"), group);
    ppi_groups_undone(&groups, group);
    ck_assert_int_eq(ppi_groups_find(&groups, "group"), -1);
}
END_TEST

/* ---- model: a list of all finished tasks in order of completion */

enum { NAMES = 12, MOST = 3000 };

static struct {
    uint32_t open[MOST], done[MOST]; /* done: listed or, once pp_next gave them, not */
    int open_name[MOST], done_name[MOST], listed[MOST];
    int opens, dones;
} model;

static const char *name_of(int name)
{
    static char text[16];
    if (name == 0) return "default";
    snprintf(text, sizeof text, "group %d", name);
    return text;
}

static void model_forget(int i)
{
    model.dones--;
    memmove(model.done + i, model.done + i + 1, (size_t)(model.dones - i) * sizeof *model.done);
    memmove(model.done_name + i, model.done_name + i + 1, (size_t)(model.dones - i) * sizeof *model.done_name);
    memmove(model.listed + i, model.listed + i + 1, (size_t)(model.dones - i) * sizeof *model.listed);
}

static void model_next(int name) /* -1 = of all */
{
    int i = 0, group = name < 0 ? -1 : ppi_groups_find(&groups, name_of(name));
    while (i < model.dones && (!model.listed[i] || (name >= 0 && model.done_name[i] != name))) i++;
    if (name >= 0 && group < 0) {
        INSIST(i == model.dones);
        return;
    }
    uint32_t next = ppi_groups_next(&groups, group);
    INSIST(next == (i < model.dones ? model.done[i] : PPI_TASK_NONE));
    if (i < model.dones) model.listed[i] = 0;
}

static void model_check_counts(int name)
{
    size_t open = 0, listed = 0;
    for (int i = 0; i < model.opens; i++) open += model.open_name[i] == name;
    for (int i = 0; i < model.dones; i++) listed += model.listed[i] && model.done_name[i] == name;
    int group = ppi_groups_find(&groups, name_of(name));
    if (group < 0) {
        INSIST(open == 0 && listed == 0);
        return;
    }
    const struct ppi_group *g = &groups.groups[group];
    INSIST(g->tasks == open && g->listed == listed && g->wanted == open + listed && g->room >= 2 * g->wanted);
    INSIST(name == 0 || open + listed);
}

START_TEST(model_and_groups_agree_over_random_use)
{
    struct random r = random_begin("model_and_groups");
    memset(&model, 0, sizeof model);
    for (int i = 0; i < 300000; i++) {
        if (i % 1000 == 0) model_check_counts((int)random_below(&r, NAMES));
        /* Now it grows, now it falls. */
        uint64_t what = random_below(&r, 100), submits = i / 20000 % 2 ? 25 : 45;
        if (what < submits && model.opens + model.dones < MOST) {
            int name = (int)(random_below(&r, NAMES) * random_below(&r, NAMES) / NAMES);
            model.open_name[model.opens] = name;
            model.open[model.opens++] = submit(group_of(name_of(name)));
        } else if (what < 75 && model.opens) {
            int k = (int)random_below(&r, (uint64_t)model.opens);
            finish(model.open[k]);
            model.done[model.dones] = model.open[k];
            model.listed[model.dones] = 1;
            model.done_name[model.dones++] = model.open_name[k];
            model.open[k] = model.open[--model.opens];
            model.open_name[k] = model.open_name[model.opens];
        } else if (what < 88 && model.dones) {
            int k = (int)random_below(&r, (uint64_t)(random_below(&r, 2) ? model.dones : 1 + model.dones / 10));
            give_up(model.done[k]);
            model_forget(k);
        } else {
            model_next((int)random_below(&r, NAMES + 1) - 1);
        }
    }
    while (model.dones) give_up(model.done[0]), model_forget(0);
    for (int name = 0; name < NAMES; name++) model_check_counts(name);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("groups");
    TCase *c = tcase_create("groups");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, tasks_come_in_order_of_completion);
    tcase_add_test(c, what_was_fetched_is_passed_over_also_when_its_record_is_anothers);
    tcase_add_test(c, groups_firsts_are_compared_when_they_are_live);
    tcase_add_test(c, array_stays_as_large_as_the_tasks_at_a_time_ask_for);
    tcase_add_test(c, tasks_that_pp_next_passes_over_take_no_room);
    tcase_add_test(c, large_array_goes_when_it_is_empty);
    tcase_add_test(c, large_array_shrinks_although_a_task_stays);
    tcase_add_test(c, submission_without_memory_leaves_nothing_behind);
    tcase_add_test(c, task_that_is_not_submitted_after_all_leaves_no_group);
    tcase_add_test(c, model_and_groups_agree_over_random_use);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
