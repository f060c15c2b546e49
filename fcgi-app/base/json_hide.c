/*
 * JSON text to JSON text, with the values of some members hidden.
 */
#include "base/json_int.h"
#include "base/limits.h"

struct hider {
    struct json_reader r;
    bool (*hide)(struct str name);
    const char *instead;
    struct buf *out;
};

static bool copy_value(struct hider *h);

static bool copy_string(struct hider *h, struct json_span *span)
{
    if (!json_scan_string(&h->r, span))
        return false;
    buf_add(h->out, span->raw.p - 1, span->raw.len + 2); /* with its quotes */
    return true;
}

static bool copy_member(struct hider *h)
{
    struct json_span name;
    struct str text;
    size_t before;
    bool is_null;

    json_blanks(&h->r);
    if (json_peek(&h->r) != '"')
        return json_fail(&h->r, "expected a member name in quotes");
    if (!copy_string(h, &name))
        return false;
    json_blanks(&h->r);
    if (json_peek(&h->r) != ':')
        return json_fail(&h->r, "expected ':'");
    h->r.at++;
    buf_putc(h->out, ':');
    json_blanks(&h->r);
    is_null = json_peek(&h->r) == 'n';
    before = h->out->len;
    if (!copy_value(h))
        return false;
    text = name.escaped ? val_text(json_decode(&h->r, &name)) : name.raw;
    if (is_null || !h->hide(text))
        return true;
    h->out->len = before;
    json_write_string(str_c(h->instead), JSON_COMPACT, h->out);
    return true;
}

/* Items up to the closing bracket; r.at is on the opening one. */
static bool copy_items(struct hider *h, char close, bool (*item)(struct hider *h), const char *expected)
{
    bool more;

    if (!json_enter(&h->r))
        return false;
    buf_putc(h->out, *h->r.at++);
    json_blanks(&h->r);
    more = json_peek(&h->r) != close;
    while (more) {
        if (!item(h))
            return false;
        json_blanks(&h->r);
        more = json_peek(&h->r) == ',';
        if (!more && json_peek(&h->r) != close)
            return json_fail(&h->r, expected);
        if (more)
            buf_putc(h->out, *h->r.at++);
    }
    buf_putc(h->out, *h->r.at++);
    h->r.depth--;
    return true;
}

static bool copy_value(struct hider *h)
{
    struct json_number number;
    struct json_span span;
    const char *from;
    struct val word;
    bool ok;

    json_blanks(&h->r);
    from = h->r.at;
    switch (json_peek(&h->r)) {
    case '"':
        return copy_string(h, &span);
    case '{':
        return copy_items(h, '}', copy_member, "expected ',' or '}'");
    case '[':
        return copy_items(h, ']', copy_value, "expected ',' or ']'");
    case 't':
    case 'f':
    case 'n':
        ok = json_scan_word(&h->r, &word);
        break;
    case '\0':
        return json_fail(&h->r, "expected a value");
    default:
        ok = json_scan_number(&h->r, &number);
    }
    if (ok)
        buf_add(h->out, from, (size_t)(h->r.at - from));
    return ok;
}

int json_hide(struct str text, bool (*hide)(struct str name), const char *instead, struct buf *out, struct arena *a, struct err *e)
{
    struct hider h = {.hide = hide, .instead = instead, .out = out};
    size_t before = out->len;
    bool ok;

    if (json_admit(text, e) != 0)
        return -1;
    json_reader_init(&h.r, text, LIMIT_JSON_DEPTH, a);
    (void)buf_reserve(out, text.len);
    ok = copy_value(&h);
    if (ok) {
        json_blanks(&h.r);
        ok = h.r.at == h.r.end || json_fail(&h.r, "text goes on behind the value");
    }
    json_reader_release(&h.r);
    if (ok)
        return 0;
    out->len = before;
    return json_error(&h.r, e);
}
