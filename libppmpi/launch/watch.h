/* Runs a launcher's command and watches over it: passes signals on, learns how each rank ended, ends what does not end, and tells
 * why when nothing has started. mpirun tells nothing of the ranks when it lets them die one by one, and mpiexec loses the number
 * of a signal; so a shell on each node runs the rank and reports through stderr, from which the reports are taken out again. */
#ifndef PPI_LAUNCH_WATCH_H
#define PPI_LAUNCH_WATCH_H

#include "launch/command.h"

/* What the shell runs; formatted with the variable that has the rank's number, and with the token that marks our reports: what,
 * rank, status, host, the shell's process. The traps keep the shell alive for its report; signals reach the program too, since
 * launchers send them to the process group. */
#define PPI_WATCH_SCRIPT \
    "r=${%s:-0} t=%s; " \
    "w() { printf '\036%%s %%s %%s %%s %%s %%s\037' \"$t\" \"$1\" \"$r\" \"$2\" \"$(uname -n)\" $$ >&2; }; " \
    "trap : HUP INT QUIT USR1 USR2 TERM; w start 0; " \
    "command -v \"$1\" >/dev/null || { w missing 127; exit 127; }; " \
    "if [ \"$r\" = 0 ]; then " PPI_WATCH_VARIABLE "=$t; export " PPI_WATCH_VARIABLE "; fi; " \
    "\"$@\"; s=$?; w end $s; exit $s"

/* Rank 0 finds the token here, and reports by it when the farm is open: from then on a rank may die. */
#define PPI_WATCH_VARIABLE "PPMPI_WATCHED"
#define PPI_WATCH_TOKEN_BYTES 24

struct ppi_watch {
    const char *who; /* begins messages: "pprun" */
    const struct ppi_command *command;
    const char *token;
    enum ppi_launcher launcher;
    const struct ppi_words *hosts; /* where it was to start by a remote shell; NULL = nowhere */
    char **captured;               /* where stdout goes, as a text that the caller frees; NULL = our own stdout */
};

/* Fills in a token that nobody else has. */
void ppi_watch_token(char out[PPI_WATCH_TOKEN_BYTES]);

/* Returns the exit status of rank 0: 128 + signal when a signal ended it; or when it never ran, that of whatever went wrong. */
int ppi_watch_run(const struct ppi_watch *watch);

/* For rank 0: takes the token out of the environment, so that no child of ours reports; then reports. */
void ppi_watch_take_token(void);
void ppi_watch_report_open(void);

#endif
