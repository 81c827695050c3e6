/* Prints the table of a task's life as it stands in ARCHITECTURE.md. */
#include "task/state.h"

#include <stdio.h>

int main(void)
{
    printf("| |");
    for (int event = 0; event < PPI_TASK_EVENT_COUNT; event++)
        printf(" %s |", ppi_task_event_name((enum ppi_task_event)event));
    printf("\n|---|");
    for (int event = 0; event < PPI_TASK_EVENT_COUNT; event++) printf("---|");
    printf("\n");
    for (int state = 0; state < PPI_TASK_STATE_COUNT; state++) {
        printf("| **%s** |", ppi_task_state_name((enum ppi_task_state)state));
        for (int event = 0; event < PPI_TASK_EVENT_COUNT; event++) {
            int next = ppi_task_next_state((enum ppi_task_state)state, (enum ppi_task_event)event);
            printf(" %s |", next == PPI_TASK_IGNORE   ? "*ignore*"
                            : next == PPI_TASK_BROKEN ? "*broken*"
                                                      : ppi_task_state_name((enum ppi_task_state)next));
        }
        printf("\n");
    }
    return 0;
}
