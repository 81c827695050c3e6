#include "launch/hosts.h"
#include "base/status.h"

#include <ctype.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAME_MAX_BYTES 253 /* of a DNS name */
#define ALLOWED "letters, digits, '-', '.' and '_', beginning with a letter or a digit"

static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

/* How many bytes at `text` are a name. What begins with '-' would be an option of ssh. */
static size_t name_length(const char *text)
{
    if (!isalnum((unsigned char)*text)) return 0;
    return strspn(text, name_bytes);
}

static int stands_in(const struct ppi_words *hosts, const char *name, size_t length)
{
    for (int i = 0; i < hosts->count; i++)
        if (strlen(hosts->word[i]) == length && strncasecmp(hosts->word[i], name, length) == 0) return 1;
    return 0;
}

/* A text from outside, fit for a line of an error message. */
static const char *printable(const char *text, char *out, size_t room)
{
    size_t i = 0;
    for (; text[i] && i < room - 4; i++)
        out[i] = isprint((unsigned char)text[i]) ? text[i] : '?';
    strcpy(out + i, text[i] ? "..." : "");
    return out;
}

int ppi_hosts_parse(const char *list, const char *source, struct ppi_words *out)
{
    struct ppi_words hosts = {NULL, 0, 0};
    char shown[200], name[80];
    int place = 1, status = PP_OK;
    printable(list, shown, sizeof shown);
    if (!*list) return ppi_error(PP_ERR_ARG, "%s=\"\": names of hosts are missing, such as node-1,node-2", source);
    for (const char *at = list;; place++) {
        size_t whole = strcspn(at, ","), length = name_length(at);
        snprintf(name, sizeof name, "%.*s", (int)(whole < 60 ? whole : 60), at);
        if (whole == 0)
            status = ppi_error(PP_ERR_ARG, "%s=\"%s\": name %d is empty; names separated by single commas are right",
                               source, shown, place);
        else if (length != whole || length > NAME_MAX_BYTES)
            status = ppi_error(PP_ERR_ARG, "%s=\"%s\": \"%s\" is no name of a host; " ALLOWED " are right", source,
                               shown, printable(name, (char[80]){0}, 80));
        else if (stands_in(&hosts, at, length))
            status = ppi_error(PP_ERR_ARG, "%s=\"%s\": \"%s\" stands there twice; each host once is right", source,
                               shown, name);
        if (status != PP_OK) break;
        ppi_words_format(&hosts, "%.*s", (int)length, at);
        if (at[whole] == '\0') break;
        at += whole + 1;
    }
    if (status == PP_OK) status = ppi_words_status(&hosts);
    if (status != PP_OK) {
        ppi_words_free(&hosts);
        return status;
    }
    *out = hosts;
    return PP_OK;
}

/* The number of ranks behind a name: ":4", or words like "slots=4 max_slots=8". Checked so that rubbish is found, but without
 * effect: each host gets one rank, with all its cores. */
static int slots_are_right(const char *text)
{
    static const char *const keys[] = {"slots=", "max_slots=", "max-slots="};
    if (*text == ':') {
        size_t digits = strspn(text + 1, "0123456789");
        return digits > 0 && text[1 + digits] == '\0';
    }
    while (*text) {
        if (!isblank((unsigned char)*text)) return 0;
        text += strspn(text, " \t");
        if (!*text) return 1;
        size_t key = 0;
        for (size_t i = 0; i < sizeof keys / sizeof keys[0] && key == 0; i++)
            if (strncmp(text, keys[i], strlen(keys[i])) == 0) key = strlen(keys[i]);
        size_t digits = strspn(text + key, "0123456789");
        if (key == 0 || digits == 0) return 0;
        text += key + digits;
    }
    return 1;
}

static int read_line(const char *path, int number, char *line, size_t bytes, struct ppi_words *hosts)
{
    char shown[80];
    int whole = strlen(line) == bytes; /* no zero byte inside */
    printable(line, shown, sizeof shown);
    char *comment = strchr(line, '#');
    if (comment) *comment = '\0';
    char *text = line + strspn(line, " \t"), *end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1]))
        *--end = '\0';
    if (!*text && whole) return PP_OK;
    size_t length = name_length(text);
    if (!whole || length == 0 || length > NAME_MAX_BYTES || !slots_are_right(text + length))
        return ppi_error(PP_ERR_ARG,
                         "%s, line %d: \"%s\": the name of a host, and nothing behind it but slots=N or :N, is right "
                         "(" ALLOWED ")",
                         path, number, shown);
    if (!stands_in(hosts, text, length)) ppi_words_format(hosts, "%.*s", (int)length, text);
    return PP_OK;
}

int ppi_hosts_read(const char *path, struct ppi_words *out)
{
    struct ppi_words hosts = {NULL, 0, 0};
    int status = PP_OK, number = 0;
    char *line = NULL;
    size_t room = 0;
    FILE *file = fopen(path, "re");
    if (!file) return ppi_error_errno(PP_ERR_SYSTEM, errno, "the host file %s cannot be read", path);
    errno = 0;
    for (ssize_t bytes; status == PP_OK && (bytes = getline(&line, &room, file)) >= 0;) {
        if (bytes > 0 && line[bytes - 1] == '\n') line[--bytes] = '\0';
        status = read_line(path, ++number, line, (size_t)bytes, &hosts);
    }
    if (status == PP_OK && !feof(file))
        status = ppi_error_errno(PP_ERR_SYSTEM, errno, "the host file %s cannot be read", path);
    free(line);
    fclose(file);
    if (status == PP_OK) status = ppi_words_status(&hosts);
    if (status == PP_OK && hosts.count == 0)
        status = ppi_error(PP_ERR_ARG, "the host file %s names no host; one on each line is right", path);
    if (status != PP_OK) {
        ppi_words_free(&hosts);
        return status;
    }
    *out = hosts;
    return PP_OK;
}

static int same_address(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family) return 0;
    if (a->sa_family == AF_INET)
        return memcmp(&((const struct sockaddr_in *)(const void *)a)->sin_addr,
                      &((const struct sockaddr_in *)(const void *)b)->sin_addr, sizeof(struct in_addr)) == 0;
    if (a->sa_family == AF_INET6)
        return memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
                      &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
    return 0;
}

static int is_own_address(const char *name)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    struct ifaddrs *own = NULL;
    int local = 0;
    if (getaddrinfo(name, NULL, &hints, &found) != 0) return 0;
    if (getifaddrs(&own) == 0) {
        for (struct ifaddrs *i = own; i; i = i->ifa_next)
            for (struct addrinfo *f = found; f && i->ifa_addr; f = f->ai_next)
                local |= same_address(i->ifa_addr, f->ai_addr);
        freeifaddrs(own);
    }
    freeaddrinfo(found);
    return local;
}

int ppi_host_is_local(const char *name)
{
    char own[256] = "";
    if (strcasecmp(name, "localhost") == 0) return 1;
    if (gethostname(own, sizeof own - 1) == 0 && strcasecmp(name, own) == 0) return 1;
    return is_own_address(name);
}
