/*
 * Who holds a lease: read from /proc, so that neither a container with the same host name nor a
 * process that got the number of a dead one is taken for it.
 */
#include "engine/owner.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The first line of a file; empty when it cannot be read. */
static size_t read_line(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "r");
    size_t n = 0;

    if (f != NULL) {
        if (fgets(out, (int)size, f) != NULL)
            n = strcspn(out, "\n");
        fclose(f);
    }
    out[n] = '\0';
    return n;
}

/* When a process started, in ticks since boot (field 22 of its stat); 0 when there is none. */
static unsigned long long started(long pid)
{
    char path[64], stat[1024];
    const char *p;

    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    if (read_line(path, stat, sizeof stat) == 0)
        return 0;
    p = strrchr(stat, ')'); /* the name before may hold anything */
    for (int field = 2; p != NULL && field < 22; field++)
        p = strchr(p + 1, ' ');
    return p != NULL ? strtoull(p, NULL, 10) : 0;
}

/* "<boot>.<pid namespace>": where a process number means something; empty when unknown. */
static void where(char *out, size_t size)
{
    char boot[64], ns[64] = "";
    ssize_t n = readlink("/proc/self/ns/pid", ns, sizeof ns - 1);
    size_t digits = 0;

    out[0] = '\0';
    if (n <= 0 || read_line("/proc/sys/kernel/random/boot_id", boot, sizeof boot) < 8)
        return;
    for (ssize_t i = 0; i < n; i++)
        if (ns[i] >= '0' && ns[i] <= '9')
            ns[digits++] = ns[i];
    ns[digits] = '\0';
    boot[8] = '\0';
    snprintf(out, size, "%s.%s", boot, ns);
}

void owner_name(char out[OWNER_MAX])
{
    char host[32] = "", here[80];

    gethostname(host, sizeof host - 1);
    where(here, sizeof here);
    snprintf(out, OWNER_MAX, "%s/%s.%ld.%llu", host, here, (long)getpid(), started((long)getpid()));
}

bool owner_gone(struct str owner)
{
    char here[80];
    ptrdiff_t slash = str_rfind_char(owner, '/');
    int64_t pid, ticks;
    struct str rest, place;

    where(here, sizeof here);
    if (slash < 0 || here[0] == '\0')
        return false;
    rest = str_slice(owner, (size_t)slash + 1, owner.len);
    place = str_slice(rest, 0, strlen(here));
    if (!str_eq_c(place, here) || rest.len <= place.len || rest.p[place.len] != '.')
        return false;
    rest = str_slice(rest, place.len + 1, rest.len);
    if (!str_to_int(str_cut(&rest, '.'), &pid) || !str_to_int(rest, &ticks) || pid <= 0 ||
        ticks <= 0)
        return false;
    return started((long)pid) != (unsigned long long)ticks;
}
