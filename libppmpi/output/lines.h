/* What tasks print, the agent's side: a worker's text, gathered until a line is whole. */
#ifndef PPI_OUTPUT_LINES_H
#define PPI_OUTPUT_LINES_H

#include <stddef.h>

struct ppi_lines {
    char *text; /* the beginning of a line */
    size_t bytes, room;
};

typedef void (*ppi_lines_sink)(void *ctx, int stream, const char *text, size_t bytes);

/* Passes whole lines on to the sink, in one call; keeps the rest, until that alone is longer than a mebibyte: then it is
 * passed on as well. */
void ppi_lines_add(struct ppi_lines *lines, const char *text, size_t bytes, int stream, ppi_lines_sink sink, void *ctx);

/* Ends the line that was begun, if there is one. */
void ppi_lines_end(struct ppi_lines *lines, int stream, ppi_lines_sink sink, void *ctx);
void ppi_lines_fini(struct ppi_lines *lines);

#endif
