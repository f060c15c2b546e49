/*
 * YAML in block style, scalars as in JSON.
 */
#include "format/yaml.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"

enum { INDENT = 2 };

static void write_block(struct val v, int depth, struct buf *out);

/* A key that every reader takes for a text without quotes; YAML 1.1 has more words for booleans. */
static bool is_plain(struct str key)
{
    static const char *const words[] = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"};

    for (size_t i = 0; i < key.len; i++) {
        char c = key.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '-')))
            return false;
    }
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (str_ieq(key, str_c(words[i])))
            return false;
    return key.len > 0;
}

/* What older readers take for a line end, or refuse, though JSON allows it. */
static bool must_escape(uint32_t c)
{
    return (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029 || c == 0xfeff || (c & 0xfffe) == 0xfffe;
}

static void write_text(struct str s, struct buf *out)
{
    const char *p, *end, *from;
    struct buf json;

    buf_init(&json, out->max, out->a);
    json_write_string(s, JSON_COMPACT, &json);
    from = p = json.p;
    end = json.p + json.len;
    while (p < end) {
        const char *at = p;
        uint32_t c = utf8_next(&p, end);

        if (!must_escape(c))
            continue;
        buf_add(out, from, (size_t)(at - from));
        if (c > 0xffff)
            buf_addf(out, "\\U%08X", (unsigned)c);
        else
            buf_addf(out, "\\u%04X", (unsigned)c);
        from = p;
    }
    buf_add(out, from, (size_t)(end - from));
}

static void write_key(struct val key, struct buf *out)
{
    if (val_is(key, VAL_STR) && is_plain(val_text(key)))
        buf_add_str(out, val_text(key));
    else if (val_is(key, VAL_STR))
        write_text(val_text(key), out);
    else
        write_text(json_text(key, out->a), out);
}

static bool is_block(struct val v)
{
    return (val_is(v, VAL_DICT) || val_is(v, VAL_LIST) || val_is(v, VAL_TUPLE)) && val_count(v) > 0;
}

static void indent(int depth, struct buf *out)
{
    for (int i = 0; i < depth * INDENT; i++)
        buf_putc(out, ' ');
}

static void write_scalar(struct val v, struct buf *out)
{
    if (val_is(v, VAL_STR))
        write_text(val_text(v), out);
    else
        json_write(v, JSON_COMPACT, 0, out);
}

/* What stands behind "key:" or "-". */
static void write_value(struct val v, int depth, struct buf *out)
{
    if (!is_block(v)) {
        buf_putc(out, ' ');
        write_scalar(v, out);
        buf_putc(out, '\n');
    } else if (depth >= LIMIT_JSON_DEPTH) {
        buf_add_c(out, " null\n");
    } else {
        buf_putc(out, '\n');
        write_block(v, depth + 1, out);
    }
}

static void write_block(struct val v, int depth, struct buf *out)
{
    struct val key, value;

    for (size_t i = 0; i < val_count(v); i++) {
        indent(depth, out);
        if (val_is(v, VAL_DICT) && val_pair_at(v, i, &key, &value)) {
            write_key(key, out);
            buf_putc(out, ':');
            write_value(value, depth, out);
        } else {
            buf_putc(out, '-');
            write_value(val_at(v, i), depth, out);
        }
    }
}

void yaml_write(struct val v, struct buf *out)
{
    if (is_block(v)) {
        write_block(v, 0, out);
    } else {
        write_scalar(v, out);
        buf_putc(out, '\n');
    }
}
