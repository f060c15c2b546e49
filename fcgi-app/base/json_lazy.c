/*
 * JSON read when somebody looks.
 *
 * The text is checked in one pass that leaves a tape: for each container its length and how many
 * containers it holds.  Opening a container reads its own level and steps over the inner ones with
 * the tape, so the work of opening everything is linear too, however deep the text is nested.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/json_int.h"
#include "base/limits.h"
#include "base/value_int.h"

enum {
    EAGER_ROOT = 512,  /* texts up to this are read at once: the tape would cost more */
    EAGER_CHILD = 256, /* likewise inner containers, when the one around them is opened */
};

/* What a value with VAL_F_LAZY points to: a list or dictionary, and how to fill it. */
struct lazy {
    union {
        struct val_list list;
        struct val_dict dict;
    } u;              /* first: the value's pointer is the pointer to this */
    const char *text; /* NULL once it was read */
    const struct json_tape *tape;
};

static struct lazy *lazy_of(struct val v)
{
    return (struct lazy *)(void *)v.u.list;
}

static struct val new_lazy(const char *text, const struct json_tape *tape, struct arena *a)
{
    struct lazy *l = ARENA_NEW(a, struct lazy);
    struct val v = {.flags = VAL_F_LAZY};

    l->text = text;
    l->tape = tape;
    if (*text == '{') {
        v.type = VAL_DICT;
        v.u.dict = &l->u.dict;
        l->u.dict.n = tape->n;
        l->u.dict.a = a;
    } else {
        v.type = VAL_LIST;
        v.u.list = &l->u.list;
        l->u.list.n = tape->n;
        l->u.list.a = a;
    }
    return v;
}

/* ---- checking ---------------------------------------------------------------------------- */

struct checker {
    struct json_reader r;
    struct json_tape *tape;
    size_t n;
    size_t cap;
};

static bool check_value(struct checker *c);

static uint32_t tape_add(struct checker *c)
{
    if (c->n == c->cap) {
        c->tape =
            arena_grow(c->r.a, c->tape, c->cap * sizeof(*c->tape), c->cap * 2 * sizeof(*c->tape));
        c->cap *= 2;
    }
    return (uint32_t)c->n++;
}

static bool check_name(struct checker *c)
{
    struct json_span s;

    json_blanks(&c->r);
    if (json_peek(&c->r) != '"')
        return json_fail(&c->r, "expected a member name in quotes");
    if (!json_scan_string(&c->r, &s))
        return false;
    json_blanks(&c->r);
    if (json_peek(&c->r) != ':')
        return json_fail(&c->r, "expected ':'");
    c->r.at++;
    return true;
}

static bool check_container(struct checker *c, bool dict)
{
    struct json_reader *r = &c->r;
    const char *from = r->at;
    const char close = dict ? '}' : ']';
    uint32_t entry = tape_add(c);
    uint32_t n = 0;

    if (!json_enter(r))
        return false;
    r->at++;
    json_blanks(r);
    bool more = json_peek(r) != close;
    while (more) {
        if (dict && !check_name(c))
            return false;
        if (!check_value(c))
            return false;
        n++;
        json_blanks(r);
        more = json_peek(r) == ',';
        if (more)
            r->at++;
        else if (json_peek(r) != close)
            return json_fail(r, dict ? "expected ',' or '}'" : "expected ',' or ']'");
    }
    r->at++;
    r->depth--;
    c->tape[entry] =
        (struct json_tape){.len = (uint32_t)(r->at - from), .n = n, .next = (uint32_t)c->n - entry};
    return true;
}

static bool check_number(struct json_reader *r)
{
    struct json_number n;
    double f = 0;

    return json_scan_number(r, &n) && (!n.is_float || json_float(r, &n, &f));
}

static bool check_value(struct checker *c)
{
    struct json_span s;
    struct val v;

    json_blanks(&c->r);
    switch (json_peek(&c->r)) {
    case '"':
        return json_scan_string(&c->r, &s);
    case '{':
        return check_container(c, true);
    case '[':
        return check_container(c, false);
    case 't':
    case 'f':
    case 'n':
        return json_scan_word(&c->r, &v);
    case '\0':
        return json_fail(&c->r, "expected a value");
    default:
        return check_number(&c->r);
    }
}

static int lazy(struct str text, unsigned limit, struct val *out, struct arena *a, struct err *e)
{
    struct checker c = {.cap = text.len / 64 + 16};

    if (text.len <= EAGER_ROOT) /* too short to be too deep for either */
        return json_parse_kept(text, out, a, e);
    if (json_admit(text, e) != 0)
        return -1;
    json_reader_init(&c.r, text, limit, a);
    json_blanks(&c.r);
    char first = json_peek(&c.r);
    if (first != '{' && first != '[')
        return json_parse(text, out, a, e);
    const char *from = c.r.at;
    c.tape = arena_alloc(a, c.cap * sizeof(*c.tape));
    bool ok = check_value(&c);
    if (ok) {
        json_blanks(&c.r);
        ok = c.r.at == c.r.end || json_fail(&c.r, "text goes on behind the value");
    }
    if (!ok)
        return json_error(&c.r, e);
    c.tape = arena_grow(a, c.tape, c.cap * sizeof(*c.tape), c.n * sizeof(*c.tape));
    *out = new_lazy(from, c.tape, a);
    return 0;
}

int json_lazy(struct str text, struct val *out, struct arena *a, struct err *e)
{
    return lazy(text, LIMIT_JSON_DEPTH, out, a, e);
}

int json_lazy_kept(struct str text, struct val *out, struct arena *a, struct err *e)
{
    return lazy(text, LIMIT_JSON_KEPT, out, a, e);
}

/* ---- opening ----------------------------------------------------------------------------- */

bool json_lazy_is_open(struct val v)
{
    return lazy_of(v)->text == NULL;
}

void json_lazy_open(struct val v)
{
    struct lazy *l = lazy_of(v);
    struct json_reader r;
    struct val level;
    bool dict = v.type == VAL_DICT;

    json_reader_init(&r, str_make(l->text, l->tape->len), LIMIT_JSON_KEPT, dict ? l->u.dict.a : l->u.list.a);
    r.tape = l->tape + 1;
    bool ok = dict ? json_read_dict(&r, &level) : json_read_list(&r, &level);
    assert(ok); /* the text was checked */
    (void)ok;
    json_reader_release(&r);
    if (dict)
        l->u.dict = *level.u.dict;
    else
        l->u.list = *level.u.list;
    l->text = NULL;
}

struct val json_lazy_child(struct json_reader *r)
{
    const struct json_tape *t = r->tape;
    const char *from = r->at;
    struct val v;

    if (t->len > EAGER_CHILD) {
        v = new_lazy(from, t, r->a);
        r->at = from + t->len;
    } else {
        r->tape = NULL;
        bool ok = json_read_value(r, &v);
        assert(ok);
        (void)ok;
    }
    r->tape = t + t->next;
    return v;
}

struct val json_lazy_copy(struct val v, struct arena *a)
{
    const struct lazy *l = lazy_of(v);
    const struct json_tape *t = l->tape;

    return new_lazy(arena_strndup(a, l->text, t->len), arena_dup(a, t, t->next * sizeof(*t)), a);
}
