/*
 * YAML by libyaml's events, into nodes of our own.
 */
#include "legacy/yaml.h"

#include <stdlib.h>
#include <yaml.h>

#include "base/arena.h"
#include "base/utf8.h"

enum { DEPTH_MAX = 32, NODES_MAX = 10000, ALIASES_MAX = 1000, TEXT_MAX = 1024 * 1024, ANCHORS_MAX = 200 };

struct anchor {
    struct str name;
    struct yaml_node *node;
};

struct reader {
    yaml_parser_t parser;
    const char *name;
    struct str text;
    struct arena *a;
    struct err *e;
    struct anchor anchors[ANCHORS_MAX];
    size_t n_anchors;
    int nodes, aliases;
};

static int at(const struct reader *r, const yaml_mark_t *m, const char *why)
{
    err_set(r->e, ERR_INVALID, "%s:%zu:%zu: %s", r->name, m->line + 1, m->column + 1, why);
    return -1;
}

/* A tab where blanks should be is the usual mistake. */
static int not_valid(const struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    struct str rest = r->text, line = STR("");

    for (size_t i = 0; i <= p->problem_mark.line; i++)
        line = str_cut(&rest, '\n');
    if (p->problem_mark.column < line.len && line.p[p->problem_mark.column] == '\t')
        err_set(r->e, ERR_INVALID,
                "%s:%zu:%zu: not valid YAML: found a tab where indentation was expected", r->name,
                p->problem_mark.line + 1, p->problem_mark.column + 1);
    else
        err_set(r->e, ERR_INVALID, "%s:%zu:%zu: not valid YAML: %s", r->name,
                p->problem_mark.line + 1, p->problem_mark.column + 1,
                p->problem != NULL ? p->problem : "cannot be read");
    return -1;
}

static int next(struct reader *r, yaml_event_t *ev)
{
    if (yaml_parser_parse(&r->parser, ev) == 1)
        return 0;
    return not_valid(r);
}

static struct str text_of(const yaml_char_t *p, size_t n, struct arena *a)
{
    return str_dup(a, str_make((const char *)p, n));
}

static int node_new(struct reader *r, const yaml_event_t *ev, enum yaml_kind kind,
                    const yaml_char_t *anchor, const yaml_char_t *tag, struct yaml_node **out)
{
    if (tag != NULL && strcmp((const char *)tag, "tag:yaml.org,2002:str") != 0)
        return at(r, &ev->start_mark, "tags are not read");
    if (++r->nodes > NODES_MAX)
        return at(r, &ev->start_mark, "more than 10000 values");
    *out = ARENA_NEW(r->a, struct yaml_node);
    (*out)->kind = kind;
    (*out)->line = (int)ev->start_mark.line + 1;
    if (anchor == NULL)
        return 0;
    if (r->n_anchors == ANCHORS_MAX)
        return at(r, &ev->start_mark, "more than 200 anchors");
    r->anchors[r->n_anchors++] =
        (struct anchor){text_of(anchor, strlen((const char *)anchor), r->a), *out};
    return 0;
}

static const char too_deep[] = "nested deeper than 32";

static int read_node(struct reader *r, yaml_event_t *ev, int depth, struct yaml_node **out);

static int count_nodes(const struct yaml_node *n)
{
    int total = 1;

    for (size_t i = 0; i < n->n && total <= NODES_MAX; i++)
        total += count_nodes(n->kind == YAML_MAP ? n->pairs[i].value : n->items[i]);
    return total;
}

static int read_alias(struct reader *r, const yaml_event_t *ev, int depth, struct yaml_node **out)
{
    struct str name = str_c((const char *)ev->data.alias.anchor);

    if (++r->aliases > ALIASES_MAX)
        return at(r, &ev->start_mark, "more than 1000 aliases");
    for (size_t i = r->n_anchors; i-- > 0;) {
        if (!str_eq(r->anchors[i].name, name))
            continue;
        *out = r->anchors[i].node;
        if ((*out)->height < 0)
            return at(r, &ev->start_mark, "an alias within what it stands for");
        if (depth + (*out)->height > DEPTH_MAX)
            return at(r, &ev->start_mark, too_deep);
        r->nodes += count_nodes(*out);
        return r->nodes <= NODES_MAX ? 0 : at(r, &ev->start_mark, "more than 10000 values");
    }
    return at(r, &ev->start_mark, "an alias without its anchor");
}

static int read_scalar(struct reader *r, const yaml_event_t *ev, struct yaml_node **out)
{
    struct str text = text_of(ev->data.scalar.value, ev->data.scalar.length, r->a);
    bool plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    bool none = plain && (text.len == 0 || str_eq_c(text, "~") || str_eq_c(text, "null"));

    if (node_new(r, ev, none ? YAML_EMPTY : YAML_TEXT, ev->data.scalar.anchor, ev->data.scalar.tag,
                 out) != 0)
        return -1;
    (*out)->text = text;
    return 0;
}

static int read_list(struct reader *r, const yaml_event_t *begin, int depth, struct yaml_node **out)
{
    size_t cap = 0;
    int height = 0;

    if (node_new(r, begin, YAML_LIST, begin->data.sequence_start.anchor,
                 begin->data.sequence_start.tag, out) != 0)
        return -1;
    for ((*out)->height = -1;;) {
        struct yaml_node *item;
        yaml_event_t ev;
        int rc;

        if (next(r, &ev) != 0)
            return -1;
        if (ev.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&ev);
            (*out)->height = height;
            return 0;
        }
        rc = read_node(r, &ev, depth, &item);
        yaml_event_delete(&ev);
        if (rc != 0)
            return -1;
        if ((*out)->n == cap) {
            (*out)->items = arena_grow(r->a, (*out)->items, cap * sizeof item,
                                       (2 * cap + 8) * sizeof item);
            cap = 2 * cap + 8;
        }
        (*out)->items[(*out)->n++] = item;
        height = item->height >= height ? item->height + 1 : height;
    }
}

static int read_key(struct reader *r, const yaml_event_t *ev, const struct yaml_node *map,
                    struct yaml_pair *pair)
{
    if (ev->type != YAML_SCALAR_EVENT)
        return at(r, &ev->start_mark, "a name must be a text");
    pair->key = text_of(ev->data.scalar.value, ev->data.scalar.length, r->a);
    pair->line = (int)ev->start_mark.line + 1;
    for (size_t i = 0; i < map->n; i++) {
        if (str_eq(map->pairs[i].key, pair->key)) {
            err_set(r->e, ERR_INVALID, "%s:%zu:%zu: \"%.*s\" appears twice", r->name,
                    ev->start_mark.line + 1, ev->start_mark.column + 1, STR_ARG(pair->key));
            return -1;
        }
    }
    return 0;
}

static int read_map(struct reader *r, const yaml_event_t *begin, int depth, struct yaml_node **out)
{
    size_t cap = 0;
    int height = 0;

    if (node_new(r, begin, YAML_MAP, begin->data.mapping_start.anchor,
                 begin->data.mapping_start.tag, out) != 0)
        return -1;
    for ((*out)->height = -1;;) {
        struct yaml_pair pair;
        yaml_event_t ev;
        int rc;

        if (next(r, &ev) != 0)
            return -1;
        if (ev.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&ev);
            (*out)->height = height;
            return 0;
        }
        rc = read_key(r, &ev, *out, &pair);
        yaml_event_delete(&ev);
        if (rc != 0 || next(r, &ev) != 0)
            return -1;
        rc = read_node(r, &ev, depth, &pair.value);
        yaml_event_delete(&ev);
        if (rc != 0)
            return -1;
        if ((*out)->n == cap) {
            (*out)->pairs = arena_grow(r->a, (*out)->pairs, cap * sizeof pair,
                                       (2 * cap + 8) * sizeof pair);
            cap = 2 * cap + 8;
        }
        (*out)->pairs[(*out)->n++] = pair;
        height = pair.value->height >= height ? pair.value->height + 1 : height;
    }
}

static int read_node(struct reader *r, yaml_event_t *ev, int depth, struct yaml_node **out)
{
    if (depth >= DEPTH_MAX)
        return at(r, &ev->start_mark, too_deep);
    switch (ev->type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(r, ev, out);
    case YAML_ALIAS_EVENT:
        return read_alias(r, ev, depth, out);
    case YAML_SEQUENCE_START_EVENT:
        return read_list(r, ev, depth + 1, out);
    case YAML_MAPPING_START_EVENT:
        return read_map(r, ev, depth + 1, out);
    default:
        return at(r, &ev->start_mark, "not valid YAML: a value was expected");
    }
}

/* Stream start, one document, stream end; *out NULL: there is no document. */
static int read_stream(struct reader *r, struct yaml_node **out)
{
    bool inside = true;

    *out = NULL;
    while (inside) {
        yaml_event_t ev;
        int rc = 0;

        if (next(r, &ev) != 0)
            return -1;
        switch (ev.type) {
        case YAML_STREAM_END_EVENT:
            inside = false;
            break;
        case YAML_DOCUMENT_START_EVENT:
            if (*out != NULL)
                rc = at(r, &ev.start_mark, "a second document is not read");
            break;
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            break;
        default:
            rc = read_node(r, &ev, 0, out);
        }
        yaml_event_delete(&ev);
        if (rc != 0)
            return -1;
    }
    return 0;
}

static int check_text(const char *name, struct str text, struct err *e)
{
    size_t good = utf8_check(text);
    int line = 1;

    if (text.len > TEXT_MAX) {
        err_set(e, ERR_INVALID, "%s: larger than 1 MiB", name);
        return -1;
    }
    if (good == text.len)
        return 0;
    for (size_t i = 0; i < good; i++)
        line += text.p[i] == '\n';
    err_set(e, ERR_INVALID, "%s:%d: not UTF-8 (byte 0x%02x); convert it, for example with iconv",
            name, line, (unsigned char)text.p[good]);
    return -1;
}

int yaml_read(struct str text, const char *name, struct yaml_node **out, struct arena *a,
              struct err *e)
{
    struct reader *r;
    int rc;

    if (check_text(name, text, e) != 0)
        return -1;
    r = ARENA_NEW(a, struct reader);
    r->name = name;
    r->text = text;
    r->a = a;
    r->e = e;
    if (yaml_parser_initialize(&r->parser) != 1)
        abort();
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)text.p, text.len);
    rc = read_stream(r, out);
    yaml_parser_delete(&r->parser);
    if (rc == 0 && (*out == NULL || (*out)->kind != YAML_MAP || (*out)->n == 0)) {
        err_set(e, ERR_INVALID, "%s: expected names and values at the top level", name);
        return -1;
    }
    return rc;
}

const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
    if (map == NULL || map->kind != YAML_MAP)
        return NULL;
    for (size_t i = 0; i < map->n; i++)
        if (str_eq_c(map->pairs[i].key, key))
            return map->pairs[i].value;
    return NULL;
}
