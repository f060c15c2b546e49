/*
 * The configuration document as a former platform's API gives it (migration.md 6.3).
 */
#include "base/arena.h"
#include "legacy/plan_int.h"

enum { FERNET_TEXT_MIN = 100 }; /* a value the old platform's own key seals is none here */

bool plan_masked(struct str text)
{
    return str_starts(text, STR("## SECRET ##")) || str_eq_c(text, "********") ||
           str_find(text, STR(":********@")) >= 0 ||
           (text.len >= FERNET_TEXT_MIN && str_starts(text, STR("gAAAA")));
}

/* The line "path=value" of the secrets file. */
static struct str secret_at(const struct planning *pl, const char *path)
{
    struct str rest = pl->o->secrets;

    while (rest.len > 0) {
        struct str value = str_cut(&rest, '\n'), key;

        if (value.len > 0 && value.p[value.len - 1] == '\r')
            value.len--;
        key = str_trim(str_cut(&value, '='));
        if (str_eq_c(key, path))
            return value;
    }
    return STR_NONE;
}

static struct val unmasked(struct planning *pl, const char *path, struct val v)
{
    struct val out, key, value;

    if (val_is(v, VAL_STR) && plan_masked(val_text(v))) {
        struct str secret = secret_at(pl, path);

        if (secret.p != NULL)
            return val_str(secret);
        plan_gap(pl, "%s: masked by the source; give --secrets=FILE (path=value lines) or enter it "
                     "in the interface", path);
        return VAL_STR_LIT("");
    }
    if (val_is(v, VAL_LIST)) {
        out = val_list_new(pl->a, val_count(v));
        for (size_t i = 0; i < val_count(v); i++)
            val_list_add(out, unmasked(pl, arena_printf(pl->a, "%s[%zu]", path, i), val_at(v, i)));
        return out;
    }
    if (!val_is(v, VAL_DICT))
        return v;
    out = val_dict_new(pl->a, val_count(v));
    for (size_t i = 0; i < val_count(v); i++) {
        val_pair_at(v, i, &key, &value);
        val_dict_set(out, key,
                     unmasked(pl, arena_printf(pl->a, "%s.%.*s", path, STR_ARG(val_text(key))), value));
    }
    return out;
}

static int take(struct planning *pl, const char *section, struct val v)
{
    struct val key, value;

    v = unmasked(pl, section, v);
    if (val_is(v, VAL_LIST)) {
        for (size_t i = 0; i < val_count(v); i++)
            if (val_is(val_at(v, i), VAL_DICT) && plan_put_named(pl, section, val_at(v, i)) != 0)
                return -1;
        return 0;
    }
    for (size_t i = 0; i < val_count(v); i++) {
        val_pair_at(v, i, &key, &value);
        if (plan_put(pl, section, val_text(key), value) != 0)
            return -1;
    }
    return 0;
}

int legacy_plan_content(struct legacy_plan *p, const struct legacy_options *o,
                        const struct cfg *current, struct val content, struct arena *a,
                        struct err *e)
{
    struct planning pl = {.p = p, .o = o, .current = current, .a = a, .e = e};
    struct val key, value;

    if (!val_is(content, VAL_DICT)) {
        err_set(e, ERR_UPSTREAM, "the old platform did not give its configuration");
        return -1;
    }
    for (size_t i = 0; i < val_count(content); i++) {
        val_pair_at(content, i, &key, &value);
        if (str_find_char(val_text(key), '.') >= 0) /* no section has such a name: it would be a place inside one */
            plan_note(&pl, "not imported: %.*s", STR_ARG(val_text(key)));
        else if ((val_is(value, VAL_DICT) || val_is(value, VAL_LIST)) &&
            take(&pl, str_cstr(a, val_text(key)), value) != 0)
            return -1;
        else if (val_is(value, VAL_STR) && !str_eq_c(val_text(key), "timezone"))
            plan_note(&pl, "not imported: %.*s", STR_ARG(val_text(key)));
    }
    return 0;
}
