/*
 * Putting entries into the document, and saying what changes.
 */
#include "legacy/plan_int.h"

#include <stdarg.h>

#include "base/arena.h"
#include "base/json.h"
#include "gateway/mask.h"

enum { TEXT_MAX = 4 * 1024 * 1024, NOTES_MAX = 2 * 1024 * 1024 };

/* Bytes of a character beyond ASCII that steers: C1 controls, marks and overrides of the direction; 0: it does not. */
static int steers(const char *c)
{
    const unsigned char *u = (const unsigned char *)c;

    if (u[0] == 0xc2 && u[1] >= 0x80 && u[1] <= 0x9f)
        return 2;
    if (u[0] == 0xe2 && ((u[1] == 0x80 && (u[2] == 0x8e || u[2] == 0x8f || (u[2] >= 0xa8 && u[2] <= 0xae))) || (u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9)))
        return 3;
    return 0;
}

char *plan_shown(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        int n = (unsigned char)*c < 0x20 || *c == 0x7f ? 1 : steers(c);

        if (n > 0)
            memset(c, ' ', (size_t)n);
    }
    return text;
}

/* "https://name:secret@host/" without the account. */
static struct str without_account(struct str url, struct arena *a)
{
    ptrdiff_t scheme = str_find(url, STR("://")), slash, at;
    struct str rest, host;

    if (scheme < 0)
        return url;
    rest = str_slice(url, (size_t)scheme + 3, url.len);
    slash = str_find_char(rest, '/');
    host = slash < 0 ? rest : str_slice(rest, 0, (size_t)slash);
    at = str_rfind_char(host, '@');
    return at < 0 ? url : str_printf(a, "%.*s" MASK_SHOWN "%.*s", (int)(scheme + 3), url.p, STR_ARG(str_slice(rest, (size_t)at, rest.len)));
}

/* Addresses, wherever they stand. */
static struct val addresses_masked(struct val v, struct arena *a)
{
    struct val out, key, value;

    if (val_is(v, VAL_STR) && str_find(val_text(v), STR("://")) >= 0)
        return val_str(mask_url(without_account(val_text(v), a), a));
    if (val_is(v, VAL_LIST)) {
        out = val_list_new(a, val_count(v));
        for (size_t i = 0; i < val_count(v); i++)
            val_list_add(out, addresses_masked(val_at(v, i), a));
        return out;
    }
    if (!val_is(v, VAL_DICT))
        return v;
    out = val_dict_new(a, val_count(v));
    for (size_t i = 0; i < val_count(v); i++) {
        val_pair_at(v, i, &key, &value);
        val_dict_set(out, key, addresses_masked(value, a));
    }
    return out;
}

static void note(struct planning *pl, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
static void note(struct planning *pl, const char *fmt, va_list ap)
{
    const char *text;

    if (pl->p->notes.len > NOTES_MAX) {
        pl->p->unsaid++;
        return;
    }
    text = plan_shown(arena_vprintf(pl->a, fmt, ap));
    buf_addf(&pl->p->notes, "%s\n", text);
    val_list_add(pl->p->skipped, val_str_c(text));
}

void plan_note(struct planning *pl, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    note(pl, fmt, ap);
    va_end(ap);
}

void plan_gap(struct planning *pl, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    note(pl, fmt, ap);
    va_end(ap);
    pl->p->gaps = true;
}

/* Member of the document at "a.b", made when absent: a dictionary or a list. */
static struct val plan_container(struct planning *pl, const char *path, bool list)
{
    struct val v = pl->p->doc;
    struct str rest = str_c(path);

    while (rest.len > 0) {
        struct str name = str_dup(pl->a, str_cut(&rest, '.'));
        struct val next = val_get_str(v, name);

        if (!val_is(next, rest.len == 0 && list ? VAL_LIST : VAL_DICT)) {
            next = rest.len == 0 && list ? val_list_new(pl->a, 4) : val_dict_new(pl->a, 4);
            val_dict_set_str(v, name, next);
        }
        v = next;
    }
    return v;
}

/* ---- what changes ---------------------------------------------------------------------------- */

static const char *shown(struct planning *pl, struct str name, struct val v)
{
    if (val_is_none(v))
        return "-";
    if (val_is(v, VAL_STR) && val_text(v).len == 0 && (pl->secret || mask_key(name)))
        return "(empty)";
    if (pl->secret || (val_is(v, VAL_STR) && (mask_key(name) || plan_masked(val_text(v)))))
        return "(set)";
    if (val_is(v, VAL_STR) && str_find_char(val_text(v), '?') >= 0) /* a query may hold one */
        v = val_str(mask_url(val_text(v), pl->a));
    return json_text(addresses_masked(mask_value(v, pl->a), pl->a), pl->a).p;
}

/* One line for each leaf that differs; the other two are `old` and `v` as they may be shown. */
static void tell(struct planning *pl, const char *path, struct str name, struct val old, struct val v, struct val old_shown, struct val v_shown)
{
    struct val key, value;

    if (!val_is(v, VAL_DICT)) {
        if (!val_eq(old, v))
            buf_addf(&pl->p->changes, "%s\n", plan_shown(arena_printf(pl->a, "%s: %s -> %s", path, shown(pl, name, old_shown), shown(pl, name, v_shown))));
        return;
    }
    for (size_t i = 0; i < val_count(v); i++) {
        val_pair_at(v, i, &key, &value);
        tell(pl, arena_printf(pl->a, "%s.%.*s", path, STR_ARG(val_text(key))), val_text(key),
             val_is(old, VAL_DICT) ? val_get_val(old, key) : val_undef(NULL), value,
             val_is(old_shown, VAL_DICT) ? val_get_val(old_shown, key) : val_undef(NULL), val_get_val(v_shown, key));
    }
}

/* An entry as it may be shown: the settings know which of its members are secrets, by their place. */
static struct val as_shown(struct planning *pl, const char *place, struct str name, struct val entry)
{
    struct val doc = val_dict_new(pl->a, 1), at = doc;
    struct str rest = str_c(place);
    bool named = name.p == NULL; /* in a list */

    while (rest.len > 0) {
        struct str part = str_cut(&rest, '.');
        struct val next = rest.len == 0 && named ? val_list_new(pl->a, 1) : val_dict_new(pl->a, 1);

        val_dict_set_str(at, part, next);
        at = next;
    }
    if (named)
        val_list_add(at, entry);
    else
        val_dict_set_str(at, name, entry);
    at = val_path(cfg_document_masked(doc, pl->a), place);
    return named ? val_at(at, 0) : val_get_str(at, name);
}

/* Every member of `v` is in `old` with the same value. */
static bool contained(struct val old, struct val v)
{
    struct val key, value;

    if (!val_is(v, VAL_DICT) || !val_is(old, VAL_DICT))
        return val_eq(old, v);
    for (size_t i = 0; i < val_count(v); i++) {
        val_pair_at(v, i, &key, &value);
        if (!contained(val_get_val(old, key), value))
            return false;
    }
    return true;
}

/* Members of `v` over those of `old`. */
static struct val merged(struct planning *pl, struct val old, struct val v)
{
    struct val out, key, value;

    if (!val_is(v, VAL_DICT) || !val_is(old, VAL_DICT))
        return v;
    out = val_dict_new(pl->a, val_count(old) + val_count(v));
    for (size_t i = 0; i < val_count(old); i++) {
        val_pair_at(old, i, &key, &value);
        val_dict_set(out, key, value);
    }
    for (size_t i = 0; i < val_count(v); i++) {
        val_pair_at(v, i, &key, &value);
        val_dict_set(out, key, merged(pl, val_get_val(old, key), value));
    }
    return out;
}

/* The rule for conflicts: true, the new entry is taken.  `old` with its secrets opened; name: none in a list. */
static int decide(struct planning *pl, const char *place, struct str name, const char *path, struct val old, struct val entry, bool *take)
{
    struct legacy_plan *p = pl->p;

    *take = false;
    if (val_is_none(old)) {
        p->added++;
        *take = true;
    } else if (contained(old, entry)) {
        p->unchanged++;
        buf_addf(&p->changes, "%s: unchanged\n", plan_shown(arena_strdup(pl->a, path)));
        return 0;
    } else if (pl->o->conflict == LEGACY_FAIL) {
        err_set(pl->e, ERR_CONFLICT, "conflict: %s differs from what is there; choose "
                                     "--on-conflict=keep or replace", path);
        return -1;
    } else if (pl->o->conflict == LEGACY_KEEP) {
        p->kept++;
        plan_note(pl, "%s: kept as it is (--on-conflict=replace takes the imported one)", path);
        return 0;
    } else {
        p->replaced++;
        *take = true;
    }
    p->changed = true;
    tell(pl, path, name.p != NULL ? name : STR(""), old, entry, val_is_none(old) ? old : as_shown(pl, place, name, old), as_shown(pl, place, name, entry));
    return 0;
}

int plan_put(struct planning *pl, const char *map, struct str name, struct val entry)
{
    struct val to = plan_container(pl, map, false), old_map = pl->current->doc, old;
    const char *path = arena_printf(pl->a, "%s.%.*s", map, STR_ARG(name));
    bool take;

    old_map = val_path(old_map, map);
    old = val_is(old_map, VAL_DICT) ? val_get_str(old_map, name) : val_undef(NULL);
    if (decide(pl, map, name, path, old, entry, &take) != 0)
        return -1;
    if (take)
        val_dict_set_str(to, str_dup(pl->a, name), merged(pl, val_get_str(to, name), entry));
    return 0;
}

static struct val item_named(struct val list, struct str name, size_t *at)
{
    for (*at = 0; *at < val_count(list); (*at)++) {
        struct val one = val_at(list, *at);

        if (val_is(one, VAL_DICT) && str_eq(val_get_text(one, "name", STR("")), name))
            return one;
    }
    return val_undef(NULL);
}

int plan_put_named(struct planning *pl, const char *list, struct val entry)
{
    struct str name = val_get_text(entry, "name", STR(""));
    struct val to = plan_container(pl, list, true), old_list = val_path(pl->current->doc, list), old;
    const char *path = arena_printf(pl->a, "%s.%.*s", list, STR_ARG(name));
    size_t at;
    bool take;

    old = item_named(old_list, name, &at);
    if (decide(pl, list, STR_NONE, path, old, entry, &take) != 0)
        return -1;
    if (!take)
        return 0;
    old = item_named(to, name, &at);
    if (val_is_undef(old))
        val_list_add(to, entry);
    else
        to.u.list->items[at] = merged(pl, old, entry);
    return 0;
}

int legacy_plan_make(struct legacy_plan *p, struct legacy_sources *s, const struct legacy_options *o,
                     const struct cfg *current, struct arena *a, struct err *e)
{
    struct planning pl = {.p = p, .s = s, .o = o, .current = current, .a = a, .e = e};

    p->doc = val_copy(current->masked, a);
    p->skipped = val_list_new(a, 8);
    buf_init(&p->changes, TEXT_MAX, a);
    buf_init(&p->lines, TEXT_MAX, a);
    if (plan_proxies(&pl) != 0 || plan_files(&pl) != 0)
        return -1;
    p->gaps = p->gaps || s->gaps;
    return 0;
}
