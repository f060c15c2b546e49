/*
 * The configuration document: its default, its checks, and its secrets (http-api.md 6).
 *
 * One walk serves masking, opening and accepting: it copies the document and hands each secret,
 * with its place, to a function.  In addresses only the password inside is a secret, so the rest
 * stays readable everywhere.
 */
#include "config/config_int.h"

#include <assert.h>

#include "base/json.h"

/* ---- the walk -----------------------------------------------------------------------------------
 */

struct walk {
    /* What becomes of the secret text `s` at a place; `old` is the value stored there before,
     * STR_NONE when none. */
    int (*fn)(struct walk *w, const struct place *p, struct str s, struct str old, bool in_dsn,
              struct str *out);
    const struct cfg *c;
    struct arena *a;
    struct err *e;
    bool changed; /* by reseal() */
};

static int walk_value(struct walk *w, const struct place *p, struct val v, struct val old,
                      struct val *out);

static int walk_secret(struct walk *w, const struct place *p, struct val v, struct val old,
                       struct val *out)
{
    struct str s;

    *out = v;
    if (val_is_none(v))
        return 0;
    if (!val_is(v, VAL_STR)) {
        *out = VAL_STR_LIT(SECRET_MASK); /* only in documents stored by hand: show nothing of it */
        return 0;
    }
    if (val_text(v).len == 0)
        return 0;
    if (w->fn(w, p, val_text(v),
              val_is(old, VAL_STR) && val_text(old).len > 0 ? val_text(old) : STR_NONE, false,
              &s) != 0)
        return -1;
    *out = val_str(s);
    return 0;
}

static int walk_dsn(struct walk *w, const struct place *p, struct val v, struct val old,
                    struct val *out)
{
    struct str dsn = val_text(v);
    struct str old_password = STR_NONE;
    struct str password;
    size_t from;
    size_t to;

    *out = v;
    if (!val_is(v, VAL_STR) || !dsn_password(dsn, &from, &to))
        return 0;
    if (val_is(old, VAL_STR)) {
        size_t old_from;
        size_t old_to;

        if (dsn_password(val_text(old), &old_from, &old_to))
            old_password = str_slice(val_text(old), old_from, old_to);
    }
    if (w->fn(w, p, str_slice(dsn, from, to), old_password, true, &password) != 0)
        return -1;
    *out = val_str(str_printf(w->a, "%.*s%.*s%.*s", (int)from, dsn.p, STR_ARG(password),
                              (int)(dsn.len - to), dsn.p + to));
    return 0;
}

static int walk_dict(struct walk *w, const struct place *p, struct val v, struct val old,
                     struct val *out)
{
    *out = val_dict_new(w->a, val_count(v));
    for (size_t i = 0; i < val_count(v); i++) {
        struct val key;
        struct val value;
        struct val copy;
        struct place here = {.up = p};

        val_pair_at(v, i, &key, &value);
        here.name = val_text(key);
        if (walk_value(w, &here, value,
                       val_is(old, VAL_DICT) ? val_get_str(old, here.name) : val_undef(NULL),
                       &copy) != 0)
            return -1;
        val_dict_set(*out, val_copy(key, w->a), copy);
    }
    return 0;
}

/* What was item `v` before?  Items are known by their name, since others may have been added or
 * removed; without names, by their position. */
static struct val old_item(struct val old, struct val v, size_t i)
{
    struct str name = val_is(v, VAL_DICT) ? val_get_text(v, "name", STR("")) : STR("");

    if (!val_is(old, VAL_LIST))
        return val_undef(NULL);
    for (size_t k = 0; name.len > 0 && k < val_count(old); k++)
        if (val_is(val_at(old, k), VAL_DICT) &&
            str_eq(val_get_text(val_at(old, k), "name", STR("")), name))
            return val_at(old, k);
    return name.len > 0 ? val_undef(NULL) : val_at(old, i);
}

static int walk_list(struct walk *w, const struct place *p, struct val v, struct val old,
                     struct val *out)
{
    *out = val_list_new(w->a, val_count(v));
    for (size_t i = 0; i < val_count(v); i++) {
        struct place here = {.up = p, .name = str_printf(w->a, "%zu", i), .item = true};
        struct val copy;

        if (walk_value(w, &here, val_at(v, i), old_item(old, val_at(v, i), i), &copy) != 0)
            return -1;
        val_list_add(*out, copy);
    }
    return 0;
}

static int walk_value(struct walk *w, const struct place *p, struct val v, struct val old,
                      struct val *out)
{
    const struct setting *s = setting_at(p);

    if (s != NULL && s->kind == SETTING_SECRET)
        return walk_secret(w, p, v, old, out);
    if (s != NULL && s->kind == SETTING_DSN)
        return walk_dsn(w, p, v, old, out);
    if (val_is(v, VAL_DICT))
        return walk_dict(w, p, v, old, out);
    if (val_is(v, VAL_LIST))
        return walk_list(w, p, v, old, out);
    *out = val_copy(v, w->a);
    return 0;
}

/* ---- masking and opening ------------------------------------------------------------------------
 */

static int mask(struct walk *w, const struct place *p, struct str s, struct str old, bool in_dsn,
                struct str *out)
{
    (void)w;
    (void)p;
    (void)s;
    (void)old;
    *out = in_dsn ? STR(SECRET_STARS) : STR(SECRET_MASK);
    return 0;
}

struct val cfg_document_masked(struct val stored, struct arena *a)
{
    struct err e = {0};
    struct walk w = {.fn = mask, .a = a, .e = &e};
    struct val out = val_dict_new(a, 0);

    if (walk_value(&w, NULL, stored, val_undef(NULL), &out) != 0)
        return val_dict_new(a, 0); /* mask() does not fail */
    return out;
}

static int open_secret(struct walk *w, const struct place *p, struct str s, struct str old,
                       bool in_dsn, struct str *out)
{
    struct str pointer = place_pointer(p, w->a);
    const struct cfg_key *k;
    struct secret plain;
    struct str sealed;
    uint32_t id;

    (void)old;
    (void)in_dsn;
    if (!crypto_seal_from_text(s, &sealed, w->a)) {
        *out =
            secret_text(secret_new(w->a, s.p, s.len)); /* written by hand, sealed when next saved */
        return 0;
    }
    if (crypto_seal_key_id(sealed, &id, w->e) != 0)
        goto fail;
    k = cfg_key(w->c, id);
    if (k == NULL || k->material.len != 32) {
        err_set(w->e, ERR_CONFIG, "its key (id %u) is missing", id);
        goto fail;
    }
    if (crypto_open(k->material.p, sealed, SEAL_PURPOSE, pointer, &plain, w->a, w->e) != 0)
        goto fail;
    *out = secret_text(plain);
    return 0;
fail:
    err_context(w->e, "secret %.*s cannot be opened", STR_ARG(pointer));
    return -1;
}

int cfg_document_open(const struct cfg *c, struct val stored, struct val *out, struct arena *a,
                      struct err *e)
{
    struct walk w = {.fn = open_secret, .c = c, .a = a, .e = e};

    return walk_value(&w, NULL, stored, val_undef(NULL), out);
}

/* ---- checking -----------------------------------------------------------------------------------
 */

static int wrong(const struct place *p, struct arena *a, struct err *e, const char *why)
{
    struct str path = place_dotted(p, a);

    err_set(e, ERR_INVALID, "%.*s: %s", STR_ARG(path), why);
    return -1;
}

static int check_number(const struct place *p, const struct setting *s, struct val v,
                        struct arena *a, struct err *e)
{
    double n = 0;
    int rc = setting_number(s, v, &n);

    if (rc == 0 || (rc > 0 && n <= 0 && s == setting_named("gateways.*.timeout"))) /* the default (gateway-proxy.md 2.6) */
        return 0;
    if (rc < 0 || (s->kind != SETTING_NUMBER && n != (double)(int64_t)n) ||
        !(n >= (double)s->min && n <= (double)s->max)) {
        struct str path = place_dotted(p, a);

        err_set(e, ERR_INVALID, "%.*s: expected a %snumber from %lld to %lld", STR_ARG(path),
                s->kind == SETTING_NUMBER ? "" : "whole ", (long long)s->min, (long long)s->max);
        return -1;
    }
    return 0;
}

static int check_url(const struct place *p, struct val v, struct arena *a, struct err *e)
{
    struct str s = str_trim(val_text(v));

    if (!val_is(v, VAL_STR))
        return wrong(p, a, e, "expected text");
    if (s.len > 0 && !str_starts(str_lower(a, s), STR("http://")) &&
        !str_starts(str_lower(a, s), STR("https://")))
        return wrong(p, a, e, "expected an http or https URL");
    return 0;
}

static int check_texts(const struct place *p, struct val v, struct arena *a, struct err *e)
{
    bool good = val_is(v, VAL_LIST);

    for (size_t i = 0; good && i < val_count(v); i++)
        good = val_is(val_at(v, i), VAL_STR);
    return good ? 0 : wrong(p, a, e, "expected a list of texts");
}

static int check_one(const struct place *p, const struct setting *s, struct val v, struct arena *a,
                     struct err *e)
{
    if (val_is_none(v))
        return 0;
    switch (s->kind) {
    case SETTING_OBJECT:
    case SETTING_MAP:
        return val_is(v, VAL_DICT) ? 0 : wrong(p, a, e, "expected an object");
    case SETTING_ARRAY:
        return val_is(v, VAL_LIST) ? 0 : wrong(p, a, e, "expected a list");
    case SETTING_TEXT:
    case SETTING_DSN:
    case SETTING_SECRET:
        return val_is(v, VAL_STR) ? 0 : wrong(p, a, e, "expected text");
    case SETTING_BOOL:
        return val_is(v, VAL_BOOL) ? 0 : wrong(p, a, e, "expected true or false");
    case SETTING_INT:
    case SETTING_NUMBER:
    case SETTING_COUNT:
        return check_number(p, s, v, a, e);
    case SETTING_TEXTS:
        return check_texts(p, v, a, e);
    case SETTING_URL:
        return check_url(p, v, a, e);
    case SETTING_ANY:
        return 0;
    }
    return 0;
}

static int check(const struct place *p, struct val v, struct arena *a, struct err *e)
{
    const struct setting *s = setting_at(p);

    if (s != NULL && check_one(p, s, v, a, e) != 0)
        return -1;
    for (size_t i = 0; i < val_count(v); i++) {
        struct place here = {.up = p};
        struct val key;
        struct val item;

        if (val_is(v, VAL_DICT)) {
            val_pair_at(v, i, &key, &item);
            here.name = val_text(key);
        } else if (val_is(v, VAL_LIST)) {
            here.name = str_printf(a, "%zu", i);
            here.item = true;
            item = val_at(v, i);
        } else {
            break;
        }
        if (check(&here, item, a, e) != 0)
            return -1;
    }
    return 0;
}

/* What the table cannot say: the rules of gateways. */
static int check_gateways(struct val doc, struct arena *a, struct err *e)
{
    struct val map = val_get(doc, "gateways");

    for (size_t i = 0; val_is(map, VAL_DICT) && i < val_count(map); i++) {
        struct cfg_gateway g;
        struct val name;
        struct val entry;

        val_pair_at(map, i, &name, &entry);
        if (val_text(name).len == 0) {
            err_set(e, ERR_INVALID, "gateways: a name must not be empty");
            return -1;
        }
        if (val_is_none(entry)) {
            err_set(e, ERR_INVALID, "gateways.%.*s: expected an object", STR_ARG(val_text(name)));
            return -1;
        }
        if (gateway_read(&g, val_text(name), entry, val_undef(NULL), true, a, e) != 0) {
            char why[ERR_TEXT_MAX];

            memcpy(why, e->msg, sizeof why);
            err_set(e, ERR_INVALID, "gateways.%.*s.%s", STR_ARG(val_text(name)), why);
            return -1;
        }
    }
    return 0;
}

/* Each datastore needs a name of its own: nodes choose by it, and kept passwords are found by it.
 */
static int check_names(struct val doc, const char *section, struct err *e)
{
    struct val list = val_get(doc, section);

    for (size_t i = 0; val_is(list, VAL_LIST) && i < val_count(list); i++) {
        struct str name = val_get_text(val_at(list, i), "name", STR(""));

        if (val_is_none(val_at(list, i)))
            continue;
        if (name.len == 0) {
            err_set(e, ERR_INVALID, "%s.%zu.name: is required", section, i);
            return -1;
        }
        for (size_t k = 0; k < i; k++) {
            if (str_eq(val_get_text(val_at(list, k), "name", STR("")), name)) {
                err_set(e, ERR_INVALID, "%s.%zu.name: \"%.*s\" appears twice", section, i,
                        STR_ARG(name));
                return -1;
            }
        }
    }
    return 0;
}

/* ---- accepting ----------------------------------------------------------------------------------
 */

/* The text a place shall have: the stored one where the caller sent the mask back. */
static int restore(struct walk *w, const struct place *p, struct str s, struct str old, bool in_dsn,
                   struct str *out)
{
    if (!str_starts(s, STR(SECRET_MASK)) && !str_eq_c(s, SECRET_STARS)) {
        *out = str_dup(w->a, s);
        return 0;
    }
    if (old.p == NULL)
        return wrong(p, w->a, w->e,
                     in_dsn ? "there is no stored password to keep; give it"
                            : "there is no stored secret to keep; give it");
    *out = str_dup(w->a, old);
    return 0;
}

static int seal(struct walk *w, const struct place *p, struct str s, struct str old, bool in_dsn,
                struct str *out)
{
    const struct cfg_key *k = cfg_key_active(w->c, "secrets");

    (void)old;
    (void)in_dsn;
    if (k == NULL || k->material.len != 32) {
        err_set(w->e, ERR_CONFIG, "there is no key \"secrets\"");
        return -1;
    }
    *out = cfg_seal_text(k, s, SEAL_PURPOSE, place_pointer(p, w->a), w->a);
    return 0;
}

/* Under the writing key, whatever it was sealed with; what it was comes back out of it. */
static int reseal(struct walk *w, const struct place *p, struct str s, struct str old, bool in_dsn,
                  struct str *out)
{
    const struct cfg_key *k = cfg_key_active(w->c, "secrets");
    struct str sealed, plain, again;
    uint32_t id;

    *out = str_dup(w->a, s);
    if (k != NULL && crypto_seal_from_text(s, &sealed, w->a) &&
        crypto_seal_key_id(sealed, &id, w->e) == 0 && id == k->id)
        return 0;
    if (open_secret(w, p, s, old, in_dsn, &plain) != 0 ||
        seal(w, p, plain, old, in_dsn, out) != 0 ||
        open_secret(w, p, *out, old, in_dsn, &again) != 0)
        return -1;
    if (!str_eq(plain, again)) {
        err_set(w->e, ERR_INTERNAL, "a secret did not come back out of its seal");
        return -1;
    }
    w->changed = true;
    return 0;
}

int cfg_document_reseal(const struct cfg *c, struct val stored, struct val *out, bool *changed,
                        struct arena *a, struct err *e)
{
    struct walk w = {.fn = reseal, .c = c, .a = a, .e = e};

    if (walk_value(&w, NULL, stored, val_undef(NULL), out) != 0)
        return -1;
    *changed = w.changed;
    return 0;
}

int cfg_document_accept(const struct cfg *c, struct val incoming, struct val *out, struct arena *a,
                        struct err *e)
{
    struct walk restoring = {.fn = restore, .c = c, .a = a, .e = e};
    struct walk sealing = {.fn = seal, .c = c, .a = a, .e = e};
    struct val plain;

    if (!val_is(incoming, VAL_DICT)) {
        err_set(e, ERR_INVALID, "expected the configuration document, an object");
        return -1;
    }
    if (check(NULL, incoming, a, e) != 0 || check_names(incoming, "datastores", e) != 0 ||
        check_names(incoming, "SSO", e) != 0)
        return -1;
    if (walk_value(&restoring, NULL, incoming, c->doc, &plain) != 0 ||
        check_gateways(plain, a, e) != 0)
        return -1;
    return walk_value(&sealing, NULL, plain, val_undef(NULL), out);
}

/* ---- the default --------------------------------------------------------------------------------
 */

#define LEVELS "[{\"level\":\"info\"},{\"level\":\"major\"},{\"level\":\"critical\"}]"
#define ALARM "{\"system_clear\":true,\"thresholds\":" LEVELS "}"

static const char default_document[] =
    "{\"gateways\":{},\"gateways_tcp\":{},\"datastores\":[],"
    "\"gui\":{\"modules\":[\"bulk\",\"orchestration\",\"manualActions\"]},"
    "\"smtp\":{},\"smpp\":{},\"provisioning\":{\"gateways\":[]},\"logs\":{},\"password\":{\"min_"
    "length\":8},\"SSO\":[],"
    "\"alarms\":{\"default_handler\":{},\"alarms\":{\"http_success_rate\":" ALARM
    ",\"http_south_success_rate\":" ALARM ",\"network_issues\":" ALARM
    "}},\"retention\":{\"default\":3},\"env\":{},\"cache\":{\"store\":\"memory://\"}}";

struct val cfg_document_default(struct arena *a)
{
    struct val v = val_undef(NULL);
    struct err e = {0};
    int rc = json_parse(str_c(default_document), &v, a, &e);

    assert(rc == 0);
    (void)rc;
    return v;
}

struct val cfg_document_complete(struct val content, struct arena *a)
{
    struct val sections = cfg_document_default(a), out = val_copy(content, a), key, value;

    for (size_t i = 0; val_pair_at(sections, i, &key, &value); i++)
        if (val_is_none(val_get(out, str_cstr(a, val_text(key)))))
            val_dict_set(out, key, str_eq_c(val_text(key), "gui") ? val_dict_new(a, 0) : value);
    return out;
}

/* ---- single settings ----------------------------------------------------------------------------
 */

static const struct setting *must_find(const char *path)
{
    const struct setting *s = setting_named(path);

    assert(s != NULL);
    return s;
}

/* Defaults are constants of the table: small numbers, true, false, or a text in quotes without
 * escapes. */
static int64_t default_int(const struct setting *s)
{
    int64_t n = 0;

    return s->def != NULL && str_to_int(str_c(s->def), &n) ? n : 0;
}

int64_t cfg_int(const struct cfg *c, const char *path)
{
    const struct setting *s = must_find(path);
    double n;

    if (setting_number(s, val_path(c->doc, path), &n) != 1 ||
        !(n >= (double)s->min && n <= (double)s->max))
        return default_int(s);
    return (int64_t)n;
}

bool cfg_bool(const struct cfg *c, const char *path)
{
    const struct setting *s = must_find(path);
    struct val v = val_path(c->doc, path);

    return val_is(v, VAL_BOOL) ? v.u.b : s->def != NULL && strcmp(s->def, "true") == 0;
}

struct str cfg_text(const struct cfg *c, const char *path)
{
    const struct setting *s = must_find(path);
    struct val v = val_path(c->doc, path);
    struct str def = str_c(s->def);

    if (val_is(v, VAL_STR) && val_text(v).len > 0)
        return val_text(v);
    return def.len >= 2 && def.p[0] == '"' ? str_slice(def, 1, def.len - 1) : STR("");
}
