/*
 * A reader of plain block YAML.
 */
#include "support/yaml.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/str.h"

struct reading {
    struct str rest;
    struct arena *a;
    bool bad;
};

static struct val read_block(struct reading *r, size_t indent);

/* The next line without taking it; its indentation in *indent. */
static struct str peek(const struct reading *r, size_t *indent)
{
    struct str rest = r->rest, line = str_cut(&rest, '\n');

    *indent = 0;
    while (*indent < line.len && line.p[*indent] == ' ')
        (*indent)++;
    return str_slice(line, *indent, line.len);
}

static struct val scalar(struct reading *r, struct str text)
{
    struct val v = val_undef(NULL);
    struct err e;

    if (json_parse_copy(text, &v, r->a, &e) != 0)
        r->bad = true;
    return v;
}

/* What stands behind "key:" or "-". */
static struct val read_value(struct reading *r, struct str rest, size_t indent)
{
    size_t deeper;

    str_cut(&r->rest, '\n');
    if (rest.len > 0)
        return scalar(r, str_trim(rest));
    peek(r, &deeper);
    if (r->rest.len == 0 || deeper <= indent) {
        r->bad = true;
        return val_undef(NULL);
    }
    return read_block(r, deeper);
}

/* The key of a line, cut off with its colon. */
static struct str take_key(struct reading *r, struct str *line)
{
    size_t end = 1;

    if (line->len == 0 || line->p[0] != '"')
        return str_cut(line, ':');
    while (end < line->len && line->p[end] != '"')
        end += line->p[end] == '\\' ? 2 : 1;
    if (end + 1 >= line->len || line->p[end + 1] != ':') {
        r->bad = true;
        return STR("");
    }
    return str_slice(*line, 0, end + 1);
}

static struct val read_block(struct reading *r, size_t indent)
{
    struct val out = val_undef(NULL);
    size_t at;

    for (struct str line = peek(r, &at); r->rest.len > 0 && at == indent && !r->bad; line = peek(r, &at)) {
        bool item = line.len > 0 && line.p[0] == '-';

        if (val_is_undef(out))
            out = item ? val_list_new(r->a, 4) : val_dict_new(r->a, 4);
        if (item != val_is(out, VAL_LIST)) {
            r->bad = true;
        } else if (item) {
            val_list_add(out, read_value(r, str_slice(line, 1, line.len), indent));
        } else {
            bool quoted = line.len > 0 && line.p[0] == '"';
            struct str key = take_key(r, &line);
            struct str rest = quoted ? str_slice(line, key.len + 1, line.len) : line;
            struct val name = quoted && !r->bad ? scalar(r, key) : val_str_dup(r->a, key);

            if (!r->bad)
                val_dict_set_str(out, val_text(name), read_value(r, rest, indent));
        }
    }
    return out;
}

struct val yaml_read(const char *text, struct arena *a)
{
    struct reading r = {.rest = str_c(text), .a = a};
    struct val v;
    size_t indent;
    struct str first = peek(&r, &indent);

    if (first.len > 0 && (first.p[0] == '{' || first.p[0] == '['))
        return scalar(&r, str_trim(r.rest));
    v = read_block(&r, 0);
    return r.bad || r.rest.len > 0 ? val_undef(NULL) : v;
}
