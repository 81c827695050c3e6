#include "output/lines.h"

#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES ((size_t)1 << 20)

static const char *after_last_newline(const char *text, size_t bytes)
{
    const char *newline = memrchr(text, '\n', bytes);
    return newline ? newline + 1 : text;
}

void ppi_lines_add(struct ppi_lines *lines, const char *text, size_t bytes, int stream, ppi_lines_sink sink, void *ctx)
{
    if (bytes == 0) return;
    size_t whole = (size_t)(after_last_newline(text, bytes) - text);
    if (lines->bytes == 0) {
        /* The usual case: nothing waits, whole lines pass through without a copy. */
        if (whole) sink(ctx, stream, text, whole);
        text += whole;
        bytes -= whole;
        whole = 0;
        if (bytes == 0) return;
    }
    if (lines->room - lines->bytes < bytes) {
        size_t room = lines->bytes + bytes + 256;
        char *grown = realloc(lines->text, room);
        if (!grown) {
            /* Better a broken line than a lost one. */
            if (lines->bytes) sink(ctx, stream, lines->text, lines->bytes);
            sink(ctx, stream, text, bytes);
            lines->bytes = 0;
            return;
        }
        lines->text = grown;
        lines->room = room;
    }
    memcpy(lines->text + lines->bytes, text, bytes);
    whole = whole ? lines->bytes + whole : 0;
    lines->bytes += bytes;
    if (lines->bytes - whole > LINE_MAX_BYTES) whole = lines->bytes; /* the line that is left has got too long */
    if (whole == 0) return;
    sink(ctx, stream, lines->text, whole);
    lines->bytes -= whole;
    memmove(lines->text, lines->text + whole, lines->bytes);
}

void ppi_lines_end(struct ppi_lines *lines, int stream, ppi_lines_sink sink, void *ctx)
{
    if (lines->bytes) ppi_lines_add(lines, "\n", 1, stream, sink, ctx);
}

void ppi_lines_fini(struct ppi_lines *lines)
{
    free(lines->text);
    memset(lines, 0, sizeof *lines);
}
