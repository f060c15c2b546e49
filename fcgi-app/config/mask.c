/*
 * Masking by name.  A quick look for the words comes first: most texts hold none and are kept as they are.
 */
#include "config/mask.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/utf8.h"
#include "http/multipart.h"

/* Lower case; a name that holds one of them is secret. */
static const char *const words[] = {
    "passwd",      "password",   "passcode", "secret",  "token",  "authorization",
    "credential", "private_key", "privatekey", "api_key", "apikey", "nonce",
};
static const char *const headers[] = {"authorization", "cookie", "set-cookie", "proxy-authorization", "x-api-key"};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool word_at(struct str s, size_t at, const char *word)
{
    size_t n = strlen(word);

    if (s.len - at < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (lower(s.p[at + i]) != word[i])
            return false;
    }
    return true;
}

/* Bit per letter that starts a word. */
static bool may_start(char c)
{
    c = lower(c);
    return c == 'p' || c == 's' || c == 't' || c == 'a' || c == 'c' || c == 'n';
}

static bool names_secret(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!may_start(s.p[i]))
            continue;
        for (size_t k = 0; k < COUNT_OF(words); k++) {
            if (word_at(s, i, words[k]))
                return true;
        }
    }
    return false;
}

bool mask_is_secret(struct str name)
{
    return names_secret(name) || (name.len == 3 && word_at(name, 0, "pin"));
}

bool mask_is_secret_header(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        if (str_ieq(name, str_c(headers[i])))
            return true;
    }
    return mask_is_secret(name);
}

static bool holds_secret(struct val v)
{
    struct val key, item;

    if (val_is(v, VAL_LIST)) {
        for (size_t i = 0; i < val_count(v); i++) {
            if (holds_secret(val_at(v, i)))
                return true;
        }
    } else if (val_is(v, VAL_DICT)) {
        for (size_t i = 0; val_pair_at(v, i, &key, &item); i++) {
            if (mask_is_secret(val_text(key)) || holds_secret(item))
                return true;
        }
    }
    return false;
}

static struct val masked_copy(struct val v, struct arena *a)
{
    struct val out, key, item;

    if (val_is(v, VAL_LIST)) {
        out = val_list_new(a, val_count(v));
        for (size_t i = 0; i < val_count(v); i++)
            val_list_add(out, masked_copy(val_at(v, i), a));
        return out;
    }
    if (!val_is(v, VAL_DICT))
        return v;
    out = val_dict_new(a, val_count(v));
    for (size_t i = 0; val_pair_at(v, i, &key, &item); i++) {
        bool secret = mask_is_secret(val_text(key)) && !val_is_none(item) && !val_is(item, VAL_BOOL);

        val_dict_set(out, key, secret ? VAL_STR_LIT(MASK_TEXT) : masked_copy(item, a));
    }
    return out;
}

struct val mask_value(struct val v, struct arena *a)
{
    return holds_secret(v) ? masked_copy(v, a) : v;
}

struct str mask_query(struct str query, struct arena *a)
{
    struct buf out;

    if (!names_secret(query))
        return query;
    buf_init(&out, query.len * 2 + 64, a);
    for (struct str rest = query; rest.len > 0;) {
        struct str pair = str_cut(&rest, '&'), value = pair, name = str_cut(&value, '=');

        buf_add_str(&out, name);
        if (name.len < pair.len) {
            buf_putc(&out, '=');
            if (mask_is_secret(name))
                buf_add_c(&out, MASK_TEXT);
            else
                buf_add_str(&out, value);
        }
        if (rest.len > 0)
            buf_putc(&out, '&');
    }
    return buf_str(&out);
}

/* At most `max` bytes, not through a code point. */
static struct str cut(struct str s, size_t max)
{
    if (s.len <= max)
        return s;
    while (max > 0 && ((unsigned char)s.p[max] & 0xc0) == 0x80)
        max--;
    return str_slice(s, 0, max);
}

static struct val only_size(struct str body, struct str media, struct arena *a)
{
    return val_str(str_printf(a, "[%.*s, %zu bytes]", media.len > 0 ? (int)media.len : 7,
                              media.len > 0 ? media.p : "unknown", body.len));
}

struct val mask_body(struct str body, struct str content_type, size_t max, struct arena *a)
{
    struct str media = header_media_type(content_type, a), trimmed = str_trim(body);
    bool json = str_ends(media, STR("json")) || (trimmed.len > 0 && (trimmed.p[0] == '{' || trimmed.p[0] == '['));
    struct err e = {0};
    struct val v;

    if (body.len == 0)
        return val_null();
    if (str_eq(media, STR("application/x-www-form-urlencoded")))
        return val_str(cut(mask_query(utf8_repair(a, body), a), max));
    if (!json || utf8_check(body) < body.len)
        return only_size(body, media, a);
    if (!names_secret(body))
        return val_str(cut(body, max));
    if (json_parse(body, &v, a, &e) != 0)
        return only_size(body, media, a);
    return val_str(cut(json_text(mask_value(v, a), a), max));
}
