/*
 * Reading structure maps.
 */
#include "legacy/map.h"

#include "base/arena.h"

struct parsing {
    struct legacy_map *out;
    const char *path;
    int line;
    struct map_table *table, **next_table;
    struct map_member **next_member;
    struct arena *a;
    struct err *e;
};

static const struct {
    const char *word;
    enum map_conversion conversion;
} conversions[] = {
    {"text", MAP_TEXT}, {"int", MAP_INT}, {"number", MAP_NUMBER}, {"flag", MAP_FLAG},
    {"json", MAP_JSON}, {"list", MAP_LIST}, {"time", MAP_TIME}, {"upper", MAP_UPPER},
    {"lower", MAP_LOWER}, {"base64", MAP_BASE64}, {"lookup", MAP_LOOKUP},
};

static const char *const archives[] = {
    [MAP_KEYS] = "keys",         [MAP_INSTANCES] = "instances", [MAP_DOCUMENTS] = "documents", [MAP_REQUESTS] = "requests",
    [MAP_TASKS] = "tasks",       [MAP_ERRORS] = "errors",       [MAP_TRACES] = "traces",
};

static int fault(struct parsing *p, const char *what)
{
    err_set(p->e, ERR_USAGE, "%s:%d: %s", p->path, p->line, what);
    return -1;
}

static struct str word(struct str *rest)
{
    *rest = str_trim(*rest);
    return str_cut(rest, ' ');
}

static bool find_kind(struct map_table *t, struct str kind)
{
    t->configuration = str_eq_c(kind, "configuration");
    for (size_t i = MAP_KEYS; i < COUNT_OF(archives); i++)
        if (str_eq_c(kind, archives[i]))
            t->archive = (enum map_archive)i;
    return t->configuration || t->archive != MAP_NO_ARCHIVE || legacy_kind_find(kind, &t->kind);
}

/* THEIRS as KIND by KEY */
static int read_table(struct parsing *p, struct str rest)
{
    struct map_table *t = ARENA_NEW(p->a, struct map_table);
    struct str as, kind, by;

    t->table = word(&rest);
    as = word(&rest);
    kind = word(&rest);
    by = word(&rest);
    t->key = word(&rest);
    t->line = p->line;
    if (t->table.len == 0 || !str_eq_c(as, "as") || !str_eq_c(by, "by") || t->key.len == 0)
        return fault(p, "expected: table THEIRS as KIND by KEY");
    if (!find_kind(t, kind))
        return fault(p, arena_printf(p->a, "\"%.*s\" is not a kind of thing that is imported", STR_ARG(kind)));
    *p->next_table = p->table = t;
    p->next_table = &t->next;
    p->next_member = &t->members;
    return 0;
}

static int read_conversion(struct parsing *p, struct map_member *m, struct str rest)
{
    struct str name = word(&rest), from;

    for (size_t i = 0; i < COUNT_OF(conversions); i++) {
        if (!str_eq_c(name, conversions[i].word))
            continue;
        m->conversion = conversions[i].conversion;
        if (m->conversion != MAP_LOOKUP)
            return 0;
        from = word(&rest);
        m->table = str_cut(&from, '.');
        m->key = from;
        m->name = word(&rest);
        if (m->table.len > 0 && m->key.len > 0 && m->name.len > 0)
            return 0;
        return fault(p, "expected: lookup TABLE.KEY NAME");
    }
    return fault(p, arena_printf(p->a, "\"%.*s\" is not a conversion", STR_ARG(name)));
}

/* MEMBER = COLUMN | CONVERSION, or 'text' */
static int read_member(struct parsing *p, struct str rest)
{
    struct map_member *m = ARENA_NEW(p->a, struct map_member);
    struct str behind = rest;

    m->member = str_trim(str_cut(&behind, '='));
    behind = str_trim(behind);
    m->line = p->line;
    if (m->member.len == 0 || behind.len == 0)
        return fault(p, "expected: MEMBER = COLUMN");
    if (p->table == NULL)
        return fault(p, "stands before the first table");
    if (behind.p[0] == '\'') {
        if (behind.len < 2 || behind.p[behind.len - 1] != '\'')
            return fault(p, "a quote is not closed");
        m->conversion = MAP_CONSTANT;
        m->column = str_slice(behind, 1, behind.len - 1);
    } else {
        m->column = str_trim(str_cut(&behind, '|'));
        if (str_trim(behind).len > 0 && read_conversion(p, m, str_trim(behind)) != 0)
            return -1;
    }
    if (p->table->archive == MAP_DOCUMENTS && str_eq_c(m->member, "content")) {
        p->table->content = m;
        return 0;
    }
    *p->next_member = m;
    p->next_member = &m->next;
    return 0;
}

static int read_line(struct parsing *p, struct str line)
{
    struct str rest = line, first;

    if (line.len == 0 || line.p[0] == '#')
        return 0;
    first = word(&rest);
    if (str_eq_c(first, "table"))
        return read_table(p, rest);
    if (str_eq_c(first, "version"))
        p->out->version = str_trim(rest);
    else if (str_eq_c(first, "fingerprint"))
        val_list_add(p->out->fingerprints, val_str(str_lower(p->a, str_trim(rest))));
    else
        return read_member(p, line);
    return 0;
}

int legacy_map_parse(struct legacy_map *out, struct str text, const char *path, struct arena *a,
                     struct err *e)
{
    struct parsing p = {.out = out, .path = path, .a = a, .e = e};

    *out = (struct legacy_map){.version = STR(""), .fingerprints = val_list_new(a, 2)};
    p.next_table = &out->tables;
    for (p.line = 1; text.len > 0; p.line++)
        if (read_line(&p, str_trim(str_cut(&text, '\n'))) != 0)
            return -1;
    if (out->tables != NULL)
        return 0;
    err_set(e, ERR_USAGE, "%s: names no table", path);
    return -1;
}

const struct map_member *map_member(const struct map_table *t, const char *name)
{
    for (const struct map_member *m = t->members; m != NULL; m = m->next)
        if (str_eq_c(m->member, name))
            return m;
    return NULL;
}
