/*
 * Time zones: TZif files (RFC 8536) and the rule at their end for the years beyond the table.
 */
#include "template/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define ZONE_DIR "/usr/share/zoneinfo/"

enum { ZONE_FILE_MAX = 256 * 1024, DAY_S = 86400 };

struct zone_type {
    int32_t offset_s;
    bool dst;
    const char *abbreviation;
};

/* One switch of a rule: "M3.5.0/2", "J60", "59". */
struct rule {
    char kind; /* 'M', 'J' or 'N' (zero-based day) */
    int month;
    int week;
    int day;
    int32_t time_s;
};

struct zone {
    struct str name;
    const unsigned char *times; /* n_times of 8 bytes, big-endian */
    const unsigned char *indexes;
    size_t n_times;
    struct zone_type *types;
    size_t n_types;
    bool has_rule;
    bool rule_dst; /* the rule has summer time */
    struct zone_type std;
    struct zone_type summer;
    struct rule begin;
    struct rule end;
};

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const unsigned char *p)
{
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

/* ---- the rule of the footer: "CET-1CEST,M3.5.0,M10.5.0/3" -------------------------------------
 */

static const char *rule_name(const char **p, struct arena *a)
{
    const char *from = *p;
    size_t n;

    if (*from == '<') {
        n = strcspn(from, ">");
        *p = from + n + (from[n] == '>');
        return arena_strndup(a, from + 1, n - 1);
    }
    n = 0;
    while ((from[n] | 32) >= 'a' && (from[n] | 32) <= 'z')
        n++;
    *p = from + n;
    return arena_strndup(a, from, n);
}

/* "[+-]hh[:mm[:ss]]" in seconds. */
static int32_t rule_time(const char **p)
{
    int32_t sign = 1;
    int32_t unit = 3600;
    int32_t total = 0;

    if (**p == '+' || **p == '-')
        sign = *(*p)++ == '-' ? -1 : 1;
    for (;;) {
        int32_t n = 0;

        while (**p >= '0' && **p <= '9' && n < 1000)
            n = n * 10 + (*(*p)++ - '0');
        total += n * unit;
        unit /= 60;
        if (**p != ':' || unit == 0)
            return sign * total;
        (*p)++;
    }
}

static int rule_number(const char **p)
{
    int n = 0;

    while (**p >= '0' && **p <= '9' && n < 1000)
        n = n * 10 + (*(*p)++ - '0');
    return n;
}

static void rule_date(const char **p, struct rule *r)
{
    *r = (struct rule){.kind = 'N', .time_s = 7200};
    if (**p == ',')
        (*p)++;
    if (**p == 'M') {
        r->kind = 'M';
        (*p)++;
        r->month = rule_number(p);
        *p += **p == '.';
        r->week = rule_number(p);
        *p += **p == '.';
        r->day = rule_number(p);
        if (r->month < 1 || r->month > 12)
            r->month = 1;
    } else {
        if (**p == 'J') {
            r->kind = 'J';
            (*p)++;
        }
        r->day = rule_number(p);
    }
    if (**p == '/') {
        (*p)++;
        r->time_s = rule_time(p);
    }
}

static void read_rule(struct zone *z, const char *p, struct arena *a)
{
    z->std.abbreviation = rule_name(&p, a);
    if (z->std.abbreviation[0] == '\0')
        return;
    z->std.offset_s = -rule_time(&p);
    z->has_rule = true;
    if (*p == '\0')
        return;
    z->summer = (struct zone_type){.offset_s = z->std.offset_s + 3600, .dst = true};
    z->summer.abbreviation = rule_name(&p, a);
    if (*p != ',' && *p != '\0')
        z->summer.offset_s = -rule_time(&p);
    if (*p != ',')
        return;
    rule_date(&p, &z->begin);
    rule_date(&p, &z->end);
    z->rule_dst = true;
}

static bool leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Wall-clock second (counted from 1970) at which the rule switches in `year`. */
static int64_t rule_second(const struct rule *r, int year)
{
    int64_t day;

    if (r->kind == 'M') {
        int64_t first = clock_days_from_civil(year, r->month, 1);
        int64_t next = r->month == 12 ? clock_days_from_civil(year + 1, 1, 1)
                                      : clock_days_from_civil(year, r->month + 1, 1);
        int weekday = (int)(((first + 4) % 7 + 7) % 7);

        day = first + (r->day - weekday + 7) % 7 + (r->week - 1) * 7;
        while (day >= next)
            day -= 7;
    } else {
        day = clock_days_from_civil(year, 1, 1) + r->day;
        if (r->kind == 'J' && (!leap(year) || r->day < 60))
            day--;
    }
    return day * DAY_S + r->time_s;
}

static const struct zone_type *rule_type(const struct zone *z, int64_t utc_s)
{
    int64_t local = utc_s + z->std.offset_s;
    int64_t days = local >= 0 ? local / DAY_S : -((-local + DAY_S - 1) / DAY_S);
    int year;
    int month;
    int day;
    int64_t begin;
    int64_t end;

    if (!z->rule_dst)
        return &z->std;
    clock_civil_from_days(days, &year, &month, &day);
    begin = rule_second(&z->begin, year) - z->std.offset_s;
    end = rule_second(&z->end, year) - z->summer.offset_s;
    if (begin < end)
        return utc_s >= begin && utc_s < end ? &z->summer : &z->std;
    return utc_s >= begin || utc_s < end ? &z->summer : &z->std;
}

/* ---- the file -------------------------------------------------------------------------------- */

static bool name_ok(struct str name)
{
    if (name.len == 0 || name.len > 64 || name.p[0] == '/' || name.p[0] == '.')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char ch = name.p[i];
        bool ok = ((ch | 32) >= 'a' && (ch | 32) <= 'z') || (ch >= '0' && ch <= '9') ||
                  strchr("_+-/", ch) != NULL;

        if (!ok || ch == '\0')
            return false;
    }
    return true;
}

static unsigned char *read_file(struct str name, size_t *len, struct arena *a)
{
    struct stat st;
    unsigned char *data = NULL;
    const char *path = arena_printf(a, ZONE_DIR "%.*s", STR_ARG(name));
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 44 &&
        st.st_size < ZONE_FILE_MAX) {
        size_t size = (size_t)st.st_size;
        size_t got = 0;

        data = arena_alloc(a, size + 1);
        while (got < size) {
            ssize_t n = read(fd, data + got, size - got);

            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                break;
            got += (size_t)n;
        }
        data[got] = '\0';
        *len = got;
    }
    close(fd);
    return data;
}

struct counts {
    size_t utc, std, leap, times, types, chars;
};

/* The header at p; false when it is none. */
static bool read_counts(const unsigned char *p, size_t len, struct counts *n)
{
    if (len < 44 || memcmp(p, "TZif", 4) != 0)
        return false;
    *n = (struct counts){be32(p + 20), be32(p + 24), be32(p + 28),
                         be32(p + 32), be32(p + 36), be32(p + 40)};
    return n->utc < ZONE_FILE_MAX && n->std < ZONE_FILE_MAX && n->leap < ZONE_FILE_MAX &&
           n->times < ZONE_FILE_MAX && n->types < 256 && n->chars < ZONE_FILE_MAX && n->types > 0;
}

static size_t block_size(const struct counts *n, size_t time_size)
{
    return n->times * (time_size + 1) + n->types * 6 + n->chars + n->leap * (time_size + 4) +
           n->std + n->utc;
}

static bool read_block(struct zone *z, const unsigned char *p, const struct counts *n,
                       struct arena *a)
{
    const unsigned char *types = p + n->times * 9;
    const unsigned char *chars = types + n->types * 6;

    z->times = p;
    z->indexes = p + n->times * 8;
    z->n_times = n->times;
    z->n_types = n->types;
    z->types = ARENA_ARRAY(a, struct zone_type, n->types);
    for (size_t i = 0; i < n->types; i++) {
        size_t at = types[i * 6 + 5];

        if (at >= n->chars)
            return false;
        z->types[i] = (struct zone_type){
            .offset_s = (int32_t)be32(types + i * 6),
            .dst = types[i * 6 + 4] != 0,
            .abbreviation = arena_strndup(a, (const char *)chars + at,
                                          strnlen((const char *)chars + at, n->chars - at)),
        };
    }
    for (size_t i = 0; i < n->times; i++) {
        if (z->indexes[i] >= n->types)
            return false;
    }
    return true;
}

const struct zone *zone_open(struct str name, struct arena *a)
{
    struct zone *z;
    struct counts n;
    size_t len = 0;
    size_t skip;
    size_t size;
    unsigned char *data = name_ok(name) ? read_file(name, &len, a) : NULL;
    char *footer;

    if (data == NULL || !read_counts(data, len, &n) || data[4] < '2')
        return NULL;
    skip = 44 + block_size(&n, 4);
    if (skip > len || !read_counts(data + skip, len - skip, &n))
        return NULL;
    size = skip + 44 + block_size(&n, 8);
    z = ARENA_NEW(a, struct zone);
    z->name = str_dup(a, name);
    if (size > len || !read_block(z, data + skip + 44, &n, a))
        return NULL;
    if (len > size + 1 && data[size] == '\n') {
        footer = arena_strndup(a, (const char *)data + size + 1, len - size - 1);
        footer[strcspn(footer, "\n")] = '\0';
        read_rule(z, footer, a);
    }
    return z;
}

const struct zone *zone_fixed(int32_t offset_s, struct arena *a)
{
    struct zone *z = ARENA_NEW(a, struct zone);
    int32_t s = abs(offset_s);

    z->has_rule = true;
    z->std.offset_s = offset_s;
    z->std.abbreviation = "UTC";
    if (offset_s != 0)
        z->std.abbreviation =
            arena_printf(a, "UTC%c%02d:%02d", offset_s < 0 ? '-' : '+', s / 3600, s / 60 % 60);
    z->name = str_c(z->std.abbreviation);
    return z;
}

static const struct zone_type *type_at(const struct zone *z, int64_t utc_s)
{
    size_t low = 0;
    size_t high = z->n_times;

    if (z->n_times == 0)
        return z->has_rule ? rule_type(z, utc_s) : &z->types[0];
    while (low < high) { /* first switch after the instant */
        size_t mid = (low + high) / 2;

        if (be64(z->times + mid * 8) <= utc_s)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == z->n_times && z->has_rule)
        return rule_type(z, utc_s);
    return low == 0 ? &z->types[0] : &z->types[z->indexes[low - 1]];
}

int32_t zone_offset(const struct zone *z, int64_t utc_s, const char **abbreviation, bool *dst)
{
    const struct zone_type *t = type_at(z, utc_s);

    if (abbreviation != NULL)
        *abbreviation = t->abbreviation;
    if (dst != NULL)
        *dst = t->dst;
    return t->offset_s;
}

int32_t zone_offset_local(const struct zone *z, int64_t local_s)
{
    int32_t before = type_at(z, local_s - DAY_S)->offset_s;
    int32_t after = type_at(z, local_s + DAY_S)->offset_s;

    if (before == after)
        return type_at(z, local_s - before)->offset_s;
    /* near a switch: the earlier offset holds as long as the instant it gives lies before the
     * switch */
    if (type_at(z, local_s - before)->offset_s == before)
        return before;
    if (type_at(z, local_s - after)->offset_s == after)
        return after;
    return before;
}

struct str zone_name(const struct zone *z)
{
    return z->name;
}
