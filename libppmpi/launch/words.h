/* A list of words that grows: argument vectors and environments that are being built. */
#ifndef PPI_LAUNCH_WORDS_H
#define PPI_LAUNCH_WORDS_H

#include <ppmpi.h>

struct ppi_words {
    char **word; /* closed by NULL once there is one */
    int count;
    int failed; /* memory ran out: sticky, asked once at the end */
};

void ppi_words_add(struct ppi_words *words, const char *word);
void ppi_words_format(struct ppi_words *words, const char *format, ...) PP_PRINTF(2, 3);
void ppi_words_free(struct ppi_words *words);

/* PP_ERR_NOMEM when a word is missing. */
int ppi_words_status(const struct ppi_words *words);

/* The word as a shell reads it: quoted where it must be. NULL without memory; the caller frees it. */
char *ppi_words_quote(const char *word);

/* All words quoted, separated by blanks. */
char *ppi_words_line(char *const *words);

#endif
