#include "launch/words.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

/* Takes `word`, which may be NULL for want of memory. */
static void append(struct ppi_words *words, char *word)
{
    char **more = word ? realloc(words->word, ((size_t)words->count + 2) * sizeof *more) : NULL;
    if (!more) {
        free(word);
        words->failed = 1;
        return;
    }
    words->word = more;
    words->word[words->count++] = word;
    words->word[words->count] = NULL;
}

void ppi_words_add(struct ppi_words *words, const char *word)
{
    append(words, strdup(word));
}

void ppi_words_format(struct ppi_words *words, const char *format, ...)
{
    char *word;
    va_list args;
    va_start(args, format);
    if (vasprintf(&word, format, args) < 0) word = NULL;
    va_end(args);
    append(words, word);
}

void ppi_words_free(struct ppi_words *words)
{
    for (int i = 0; i < words->count; i++)
        free(words->word[i]);
    free(words->word);
    *words = (struct ppi_words){NULL, 0, 0};
}

int ppi_words_status(const struct ppi_words *words)
{
    return words->failed ? ppi_error(PP_ERR_NOMEM, "no memory for a command line of %d words", words->count) : PP_OK;
}

char *ppi_words_quote(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:@%";
    if (*word && word[strspn(word, plain)] == '\0') return strdup(word);
    size_t quotes = 0;
    for (const char *c = word; *c; c++)
        quotes += *c == '\'';
    char *quoted = malloc(strlen(word) + 3 * quotes + 3), *end = quoted;
    if (!quoted) return NULL;
    *end++ = '\'';
    for (const char *c = word; *c; c++) {
        if (*c == '\'') end = stpcpy(end, "'\\'");
        *end++ = *c;
    }
    strcpy(end, "'");
    return quoted;
}

char *ppi_words_line(char *const *words)
{
    char *line = NULL;
    size_t size;
    FILE *stream = open_memstream(&line, &size);
    int complete = stream != NULL;
    for (int i = 0; stream && words[i]; i++) {
        char *quoted = ppi_words_quote(words[i]);
        if (!quoted || fprintf(stream, "%s%s", i ? " " : "", quoted) < 0) complete = 0;
        free(quoted);
    }
    if (stream && fclose(stream) != 0) complete = 0;
    if (complete) return line;
    free(line);
    return NULL;
}
