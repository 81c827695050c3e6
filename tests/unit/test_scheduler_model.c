/* Which task goes to which agent: random histories against a model that does it the slow way. */
#include "base/policy.h"
#include "unit/random.h"
#include "unit/scheduler.h"
#include "unit/suite.h"

#include <check.h>
#include <ppmpi.h>
#include <stdlib.h>
#include <string.h>

#define PRIORITIES 5
#define TASKS_MOST 60000
#define AGENTS_MOST 4096

static struct {
    uint32_t queue[PRIORITIES][2 * TASKS_MOST]; /* from `first` on; the middle is where it begins */
    int first[PRIORITIES], last[PRIORITIES];
    int ready;
    int workers[AGENTS_MOST];
    uint64_t given[AGENTS_MOST];
    double mean[AGENTS_MOST];
    int holder[TASKS_MOST], priority[TASKS_MOST]; /* holder: agent, -1 = ready, -2 = finished */
    uint32_t out[TASKS_MOST], ids[TASKS_MOST];    /* out: tasks that agents have; ids: all */
    int outs;
} model;

static const int priorities[PRIORITIES] = {7, 1, 0, -1, -100}; /* highest first */

static void model_push(uint32_t task, int level, int in_front)
{
    int again = ppi_store_at(&store, task)->state != PPI_TASK_FREE;
    INSIST(ppi_task_apply(ppi_store_at(&store, task), again ? PPI_EVENT_REQUEUE : PPI_EVENT_SUBMIT) == 1);
    model.queue[level][in_front ? --model.first[level] : model.last[level]++] = task;
    model.holder[task] = -1;
    model.priority[task] = level;
    model.ready++;
    INSIST(ppi_scheduler_push(&s, task, priorities[level], in_front) == PP_OK);
}

static uint64_t model_room(int agent)
{
    uint32_t depth = agent == 0 ? ppi_depth_for(model.mean[agent]) : ppi_depth_far(model.mean[agent]);
    uint64_t wanted = (uint64_t)model.workers[agent] * depth;
    return wanted > model.given[agent] ? wanted - model.given[agent] : 0;
}

/* Makes assignments, at most `most`, and checks each. */
static void model_next(int agents, int most)
{
    for (int n = 0; n < most; n++) {
        uint32_t task;
        int agent;
        if (!ppi_scheduler_next(&s, &task, &agent)) {
            for (int a = 0; a < agents && model.ready; a++)
                if (model_room(a))
                    ck_abort_msg("%d tasks are ready and agent %d has room, but nothing is assigned", model.ready, a);
            return;
        }
        int level = 0;
        for (; level < PRIORITIES; level++) {
            while (model.first[level] != model.last[level] && model.holder[model.queue[level][model.first[level]]] != -1)
                model.first[level]++; /* cancelled */
            if (model.first[level] != model.last[level]) break;
        }
        INSIST(level < PRIORITIES);
        INSIST(task == model.queue[level][model.first[level]]);
        INSIST(model.holder[task] == -1);
        INSIST(agent >= 0 && agent < agents);
        INSIST(model_room(agent) > 0);
        INSIST(ppi_task_apply(ppi_store_at(&store, task), PPI_EVENT_ASSIGN) == 1);
        model.first[level]++;
        model.ready--;
        model.given[agent]++;
        model.holder[task] = agent;
        model.out[model.outs++] = task;
    }
}

static void model_take_out(int k)
{
    model.out[k] = model.out[--model.outs];
}

static void model_finish(struct random *r, int k)
{
    uint32_t task = model.out[k];
    int agent = model.holder[task];
    uint64_t took = random_below(r, 5) ? random_magnitude(r, 34) : 0;
    model_take_out(k);
    model.given[agent]--;
    if (took) model.mean[agent] = ppi_mean_update(model.mean[agent], took);
    ppi_scheduler_finished(&s, agent, took);
    if (random_below(r, 20) == 0)
        model_push(task, model.priority[task], 1); /* another try */
    else
        model.holder[task] = -2, ppi_task_apply(ppi_store_at(&store, task), PPI_EVENT_FINISH);
}

/* A task that waits never starts. */
static void model_cancel(struct random *r, int submitted)
{
    for (int tries = 0; tries < 20; tries++) {
        uint32_t task = model.ids[random_below(r, (uint64_t)submitted)];
        if (model.holder[task] != -1) continue;
        INSIST(ppi_task_apply(ppi_store_at(&store, task), PPI_EVENT_CANCEL) == 1);
        ppi_scheduler_forget(&s);
        model.holder[task] = -2;
        model.ready--;
    }
}

static void model_lose(int agent)
{
    ppi_scheduler_set_workers(&s, agent, 0);
    model.workers[agent] = 0;
    model.given[agent] = 0;
    for (int k = model.outs; k-- > 0;) {
        uint32_t task = model.out[k];
        if (model.holder[task] != agent) continue;
        model_take_out(k);
        model_push(task, model.priority[task], 1);
    }
}

static void history(struct random *r, int agents, int tasks, int losses)
{
    begin(agents);
    memset(&model, 0, sizeof model);
    for (int i = 0; i < PRIORITIES; i++) model.first[i] = model.last[i] = TASKS_MOST;
    int submitted = 0, kinds = 1 + (int)random_below(r, PRIORITIES), calm = 0;
    while (submitted < tasks || model.ready || model.outs) {
        switch (random_below(r, 8)) {
        case 0:
        case 1:
            for (uint64_t n = random_magnitude(r, 9); n > 0 && submitted < tasks; n--, submitted++)
                model_push(model.ids[submitted] = ppi_store_new(&store), (int)random_below(r, (uint64_t)kinds), random_below(r, 30) == 0);
            break;
        case 2:
        case 3: model_next(agents, (int)random_magnitude(r, 8)); break;
        case 4: model_next(agents, 1 << 30); break;
        case 5:
        case 6:
            for (uint64_t n = random_magnitude(r, 9); n > 0 && model.outs; n--)
                model_finish(r, (int)random_below(r, (uint64_t)model.outs));
            break;
        case 7: {
            int agent = (int)random_below(r, (uint64_t)agents);
            if (submitted && random_below(r, 4) == 0) {
                model_cancel(r, submitted);
            } else if (losses && random_below(r, 10) == 0) {
                model_lose(agent);
                losses--;
            } else if (calm < 4 * agents || model.workers[agent] == 0) {
                int workers = 1 + (int)random_below(r, 6);
                ppi_scheduler_set_workers(&s, agent, workers); /* more or fewer, or the first ones */
                model.workers[agent] = workers;
                calm++;
            }
        }
        }
        INSIST(s.ready == (uint64_t)model.ready);
    }
    for (int i = 0; i < tasks; i++) INSIST(model.holder[i] == -2);
    end();
}

START_TEST(every_task_is_assigned_once_in_order_and_within_credit)
{
    struct random r = random_begin("every_task");
    for (int round = 0; round < 60; round++)
        history(&r, 1 + (int)random_magnitude(&r, 6), 2000, (int)random_below(&r, 10));
}
END_TEST

START_TEST(thousands_of_agents_are_all_used)
{
    struct random r = random_begin("thousands_of_agents");
    begin(AGENTS_MOST);
    for (int a = 0; a < AGENTS_MOST; a++) ppi_scheduler_set_workers(&s, a, 2);
    for (int i = 0; i < 50000; i++) push(0, 0);
    static int given[AGENTS_MOST];
    uint32_t task;
    int agent, assigned = 0;
    for (; ppi_scheduler_next(&s, &task, &agent); assigned++) given[agent]++;
    ck_assert_int_eq(assigned, AGENTS_MOST * 2 * PPI_DEPTH_LEAST);
    for (int a = 0; a < AGENTS_MOST; a++) ck_assert_int_eq(given[a], 2 * PPI_DEPTH_LEAST);
    /* Each that finishes one gets one. */
    for (int i = 0; i < 30000; i++) {
        int a = (int)random_below(&r, AGENTS_MOST);
        ppi_scheduler_finished(&s, a, 0);
        INSIST(ppi_scheduler_next(&s, &task, &agent) == 1);
        INSIST(agent == a);
        INSIST(ppi_scheduler_next(&s, &task, &agent) == 0);
    }
    end();
    history(&r, AGENTS_MOST, 50000, 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scheduler model");
    TCase *c = tcase_create("model");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, every_task_is_assigned_once_in_order_and_within_credit);
    tcase_add_test(c, thousands_of_agents_are_all_used);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
