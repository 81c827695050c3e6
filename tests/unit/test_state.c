/* The table of a task's life, every state with every event, against what is written down here once more, and against
 * the drawing in task/state.h. */
#include "task/state.h"
#include "unit/suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "-" = comes late, "!" = cannot happen. Written from what the states mean, not from the table. */
static const struct {
    const char *state, *event, *next;
} expected[] = {
    {"FREE", "SUBMIT", "QUEUED"},
    {"FREE", "ASSIGN", "!"},  /* only what is queued is assigned */
    {"FREE", "START", "-"},   /* an agent speaks of a task that is long forgotten */
    {"FREE", "FINISH", "-"},
    {"FREE", "REQUEUE", "-"},
    {"FREE", "CANCEL", "!"},  /* nobody has a future of it */
    {"FREE", "RECYCLE", "!"}, /* twice */

    {"QUEUED", "SUBMIT", "!"},
    {"QUEUED", "ASSIGN", "ASSIGNED"},
    {"QUEUED", "START", "-"}, /* of an earlier try */
    {"QUEUED", "FINISH", "-"},
    {"QUEUED", "REQUEUE", "-"},
    {"QUEUED", "CANCEL", "FINISHED"}, /* it never starts */
    {"QUEUED", "RECYCLE", "!"},

    {"ASSIGNED", "SUBMIT", "!"},
    {"ASSIGNED", "ASSIGN", "!"}, /* to two agents */
    {"ASSIGNED", "START", "RUNNING"},
    {"ASSIGNED", "FINISH", "FINISHED"}, /* short tasks never say that they start */
    {"ASSIGNED", "REQUEUE", "QUEUED"},
    {"ASSIGNED", "CANCEL", "CANCELLING"},
    {"ASSIGNED", "RECYCLE", "!"},

    {"RUNNING", "SUBMIT", "!"},
    {"RUNNING", "ASSIGN", "!"},
    {"RUNNING", "START", "RUNNING"}, /* told twice */
    {"RUNNING", "FINISH", "FINISHED"},
    {"RUNNING", "REQUEUE", "QUEUED"},
    {"RUNNING", "CANCEL", "CANCELLING"},
    {"RUNNING", "RECYCLE", "!"},

    {"CANCELLING", "SUBMIT", "!"},
    {"CANCELLING", "ASSIGN", "!"},
    {"CANCELLING", "START", "CANCELLING"},
    {"CANCELLING", "FINISH", "FINISHED"},
    {"CANCELLING", "REQUEUE", "FINISHED"}, /* it is not tried again */
    {"CANCELLING", "CANCEL", "CANCELLING"},
    {"CANCELLING", "RECYCLE", "!"},

    {"FINISHED", "SUBMIT", "!"},
    {"FINISHED", "ASSIGN", "!"},
    {"FINISHED", "START", "-"}, /* one outcome, delivered once: what comes later is dropped */
    {"FINISHED", "FINISH", "-"},
    {"FINISHED", "REQUEUE", "-"},
    {"FINISHED", "CANCEL", "-"},
    {"FINISHED", "RECYCLE", "FREE"},
};

#define LENGTH(array) ((int)(sizeof(array) / sizeof(array)[0]))

static int state_of(const char *name)
{
    for (int i = 0; i < PPI_TASK_STATE_COUNT; i++)
        if (strcmp(ppi_task_state_name((enum ppi_task_state)i), name) == 0) return i;
    ck_abort_msg("no state %s", name);
    return -1;
}

static int event_of(const char *name)
{
    for (int i = 0; i < PPI_TASK_EVENT_COUNT; i++)
        if (strcmp(ppi_task_event_name((enum ppi_task_event)i), name) == 0) return i;
    ck_abort_msg("no event %s", name);
    return -1;
}

static int next_of(const char *name)
{
    return strcmp(name, "-") == 0 ? PPI_TASK_IGNORE : strcmp(name, "!") == 0 ? PPI_TASK_BROKEN : state_of(name);
}

START_TEST(every_event_in_every_state_does_what_is_expected)
{
    int seen[PPI_TASK_STATE_COUNT][PPI_TASK_EVENT_COUNT] = {{0}};
    for (int i = 0; i < LENGTH(expected); i++) {
        int state = state_of(expected[i].state), event = event_of(expected[i].event);
        int next = ppi_task_next_state((enum ppi_task_state)state, (enum ppi_task_event)event);
        ck_assert_msg(next == next_of(expected[i].next), "%s in state %s gives %d, expected was %s", expected[i].event,
                      expected[i].state, next, expected[i].next);
        ck_assert_msg(!seen[state][event]++, "%s × %s is expected twice", expected[i].state, expected[i].event);
    }
    for (int s = 0; s < PPI_TASK_STATE_COUNT; s++)
        for (int e = 0; e < PPI_TASK_EVENT_COUNT; e++)
            ck_assert_msg(seen[s][e], "nothing is expected of %s in state %s",
                          ppi_task_event_name((enum ppi_task_event)e), ppi_task_state_name((enum ppi_task_state)s));
}
END_TEST

START_TEST(nonsense_is_broken_and_has_no_name)
{
    ck_assert_int_eq(ppi_task_next_state(PPI_TASK_STATE_COUNT, PPI_EVENT_SUBMIT), PPI_TASK_BROKEN);
    ck_assert_int_eq(ppi_task_next_state((enum ppi_task_state)-1, PPI_EVENT_SUBMIT), PPI_TASK_BROKEN);
    ck_assert_int_eq(ppi_task_next_state(PPI_TASK_FREE, PPI_TASK_EVENT_COUNT), PPI_TASK_BROKEN);
    ck_assert_int_eq(ppi_task_next_state(PPI_TASK_FREE, (enum ppi_task_event)-1), PPI_TASK_BROKEN);
    ck_assert_str_eq(ppi_task_state_name(PPI_TASK_STATE_COUNT), "?");
    ck_assert_str_eq(ppi_task_state_name((enum ppi_task_state)-1), "?");
    ck_assert_str_eq(ppi_task_event_name(PPI_TASK_EVENT_COUNT), "?");
    ck_assert_str_eq(ppi_task_event_name((enum ppi_task_event)-1), "?");
}
END_TEST

START_TEST(names_are_distinct)
{
    for (int i = 0; i < PPI_TASK_STATE_COUNT; i++)
        ck_assert_int_eq(state_of(ppi_task_state_name((enum ppi_task_state)i)), i);
    for (int i = 0; i < PPI_TASK_EVENT_COUNT; i++)
        ck_assert_int_eq(event_of(ppi_task_event_name((enum ppi_task_event)i)), i);
}
END_TEST

START_TEST(whatever_happens_a_submitted_task_can_still_finish_once)
{
    /* From every state but FREE, CANCEL and FINISH lead to FINISHED, and from there only RECYCLE leads on. */
    for (int s = PPI_TASK_QUEUED; s < PPI_TASK_FINISHED; s++) {
        int next = ppi_task_next_state((enum ppi_task_state)s, PPI_EVENT_CANCEL);
        if (next != PPI_TASK_FINISHED) next = ppi_task_next_state((enum ppi_task_state)next, PPI_EVENT_FINISH);
        ck_assert_int_eq(next, PPI_TASK_FINISHED);
    }
    for (int e = 0; e < PPI_TASK_EVENT_COUNT; e++) {
        int next = ppi_task_next_state(PPI_TASK_FINISHED, (enum ppi_task_event)e);
        ck_assert(e == PPI_EVENT_RECYCLE ? next == PPI_TASK_FREE : next < 0);
    }
}
END_TEST

/* ---- The drawing: chains of states, or lists of states, with labelled arrows between them ----------------------- */

static int drawn[PPI_TASK_STATE_COUNT][PPI_TASK_EVENT_COUNT]; /* next state + 1 */

static void arrow(const int *from, int event, const int *to)
{
    ck_assert_int_ge(event, 0);
    for (int a = 0; a < PPI_TASK_STATE_COUNT; a++)
        for (int b = 0; b < PPI_TASK_STATE_COUNT; b++) {
            if (!from[a] || !to[b]) continue;
            ck_assert_msg(!drawn[a][event], "%s has two arrows for %s", ppi_task_state_name((enum ppi_task_state)a),
                          ppi_task_event_name((enum ppi_task_event)event));
            drawn[a][event] = b + 1;
        }
}

static void read_line(char *line)
{
    int before[PPI_TASK_STATE_COUNT] = {0}, now[PPI_TASK_STATE_COUNT] = {0};
    int event = -1, backwards = 0, open = 0; /* open: an arrow has begun and has not reached its states */
    for (char *word = strtok(line, " *,"); word; word = strtok(NULL, " *,")) {
        int is_dash = strncmp(word, "─", strlen("─")) == 0, is_head = strncmp(word, "◀", strlen("◀")) == 0;
        if (is_dash || is_head) {
            if (!open) { /* the states so far are one of its ends; the last arrow, if there was one, has reached its other */
                if (event >= 0) backwards ? arrow(now, event, before) : arrow(before, event, now);
                memcpy(before, now, sizeof before);
                memset(now, 0, sizeof now);
                event = -1;
                backwards = is_head;
                open = 1;
            }
        } else if (word[0] >= 'a' && word[0] <= 'z') {
            for (char *c = word; *c; c++) *c = (char)(*c - 'a' + 'A');
            event = event_of(word);
        } else {
            now[state_of(word)] = 1;
            open = 0;
        }
    }
    if (event >= 0) backwards ? arrow(now, event, before) : arrow(before, event, now);
}

START_TEST(drawing_shows_exactly_the_transitions_to_another_state)
{
    const char *folder = getenv("TEST_SOURCE_DIR");
    char path[4096], line[1024];
    int lines = 0;
    snprintf(path, sizeof path, "%s/libppmpi/task/state.h", folder ? folder : "");
    FILE *file = folder ? fopen(path, "r") : NULL;
    if (!file) {
        printf("TEST_SOURCE_DIR is not set to the sources: the drawing is not read\n");
        return;
    }
    while (fgets(line, sizeof line, file) && !strstr(line, "*/")) {
        line[strcspn(line, "\n")] = '\0';
        if (!strstr(line, "──")) continue;
        read_line(line);
        lines++;
    }
    fclose(file);
    ck_assert_int_gt(lines, 0);
    for (int s = 0; s < PPI_TASK_STATE_COUNT; s++)
        for (int e = 0; e < PPI_TASK_EVENT_COUNT; e++) {
            int next = ppi_task_next_state((enum ppi_task_state)s, (enum ppi_task_event)e);
            if (next < 0 || next == s) next = -1; /* not drawn */
            ck_assert_msg(drawn[s][e] - 1 == next, "%s × %s leads to %s, the drawing shows %s",
                          ppi_task_state_name((enum ppi_task_state)s), ppi_task_event_name((enum ppi_task_event)e),
                          next < 0 ? "nothing" : ppi_task_state_name((enum ppi_task_state)next),
                          drawn[s][e] ? ppi_task_state_name((enum ppi_task_state)(drawn[s][e] - 1)) : "nothing");
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("state");
    TCase *c = tcase_create("table");
    tcase_set_timeout(c, 30);
    tcase_add_test(c, every_event_in_every_state_does_what_is_expected);
    tcase_add_test(c, nonsense_is_broken_and_has_no_name);
    tcase_add_test(c, names_are_distinct);
    tcase_add_test(c, whatever_happens_a_submitted_task_can_still_finish_once);
    tcase_add_test(c, drawing_shows_exactly_the_transitions_to_another_state);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
