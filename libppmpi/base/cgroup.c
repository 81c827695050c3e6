/* /proc/self/cgroup names the group within its hierarchy, /proc/self/mountinfo says which part of the hierarchy is
 * mounted where. In a container the mounted part may be the group itself ("/docker/1f" at /sys/fs/cgroup/cpu), or,
 * with a cgroup namespace, both are "/". */
#include "base/cgroup.h"

#include <stdlib.h>
#include <string.h>

FILE *ppi_cgroup_open(const char *dir, const char *name)
{
    char *path;
    if (asprintf(&path, "%s/%s", dir, name) < 0) return NULL;
    FILE *file = fopen(path, "re");
    free(path);
    return file;
}

int ppi_cgroup_read(const char *dir, const char *name, char *line, size_t size)
{
    FILE *file = ppi_cgroup_open(dir, name);
    if (!file) return 0;
    int ok = fgets(line, (int)size, file) != NULL;
    fclose(file);
    return ok;
}

struct walk {
    const char *root, *controller;
    ppi_cgroup_visit visit;
    void *arg;
};

/* From the group `below` the mount point up to the mount point. */
static void walk_up(const struct walk *w, const char *point, const char *below, int version)
{
    char *dir;
    if (asprintf(&dir, "%s%s%s", w->root, point, below) < 0) return;
    size_t top = strlen(w->root) + strlen(point);
    for (;;) {
        w->visit(dir, version, w->arg);
        if (strlen(dir) <= top) break;
        *strrchr(dir + top, '/') = '\0';
    }
    free(dir);
}

/* True when a comma-separated list has this word. */
static int list_has(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == '\0')) return 1;
    return 0;
}

/* mountinfo writes blanks and backslashes as \ooo. */
static void unescape(char *s)
{
    char *out = s;
    for (; *s; s++) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
            *out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
            s += 3;
        } else {
            *out++ = *s;
        }
    }
    *out = '\0';
}

/* Path of this process's group in the hierarchy of that version, from /proc/self/cgroup; NULL when there is none. */
static char *own_group(const struct walk *w, int version)
{
    char *line = NULL, *found = NULL;
    size_t size = 0;
    FILE *file = ppi_cgroup_open(w->root, "proc/self/cgroup");
    if (!file) return NULL;
    while (!found && getline(&line, &size, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'); /* "4:cpu,cpuacct:/a/b", "0::/a/b"; the path may contain colons */
        char *group = controllers ? strchr(++controllers, ':') : NULL;
        if (!group) continue;
        *group++ = '\0';
        if (version == 2 ? *controllers == '\0' : list_has(controllers, w->controller)) found = strdup(group);
    }
    free(line);
    fclose(file);
    return found;
}

/* What remains of a group's path below the mounted part of the hierarchy; NULL when it lies elsewhere. */
static const char *below_mount(const char *group, const char *mounted)
{
    /* A process outside of its cgroup namespace sees "/../other". */
    if (strstr(group, "/..") || strstr(mounted, "/..")) return NULL;
    size_t n = strcmp(mounted, "/") == 0 ? 0 : strlen(mounted);
    if (strncmp(group, mounted, n) != 0 || (group[n] != '/' && group[n] != '\0')) return NULL;
    return strcmp(group + n, "/") == 0 ? "" : group + n;
}

/* Takes a line of mountinfo apart: which part of a hierarchy of that version is mounted where. */
static int is_mount_of(char *line, const char *controller, int version, char **mounted, char **point)
{
    char *rest, *field[5], *type, *last = NULL;
    line[strcspn(line, "\n")] = '\0';
    char *tail = strstr(line, " - ");
    if (!tail) return 0;
    *tail = '\0';
    field[0] = strtok_r(line, " ", &rest);
    for (int i = 1; i < 5; i++)
        if (!field[i - 1] || !(field[i] = strtok_r(NULL, " ", &rest))) return 0;
    type = strtok_r(tail + 3, " ", &rest);
    for (char *next = type; next; next = strtok_r(NULL, " ", &rest))
        last = next; /* the options of the file system name the controllers */
    if (!type || strcmp(type, version == 2 ? "cgroup2" : "cgroup") != 0) return 0;
    if (version == 1 && !list_has(last, controller)) return 0;
    unescape(*mounted = field[3]);
    unescape(*point = field[4]);
    return 1;
}

/* The part that is mounted where our group is, or else, in a container that sees neither, whatever is mounted. */
static void walk_hierarchy(const struct walk *w, int version)
{
    int matched = 0;
    char *line = NULL, *group = own_group(w, version);
    size_t size = 0;
    for (int unrelated = 0; group && unrelated <= 1 && !matched; unrelated++) {
        FILE *file = ppi_cgroup_open(w->root, "proc/self/mountinfo");
        while (file && getline(&line, &size, file) > 0) {
            char *mounted, *point;
            if (!is_mount_of(line, w->controller, version, &mounted, &point)) continue;
            const char *below = below_mount(group, mounted);
            if (!below && !unrelated) continue;
            walk_up(w, point, below ? below : "", version);
            matched = 1;
        }
        if (file) fclose(file);
    }
    free(line);
    free(group);
}

void ppi_cgroup_walk(const char *root, const char *controller, ppi_cgroup_visit visit, void *arg)
{
    /* Hybrid systems mount both versions; a controller is in one of them. */
    const struct walk w = {root, controller, visit, arg};
    walk_hierarchy(&w, 1);
    walk_hierarchy(&w, 2);
}
