/*
 * Hiding secrets: by header name, by key at any depth, by XML element.
 */
#include "gateway/mask.h"

#include "base/json.h"
#include "base/utf8.h"
#include "http/header.h"

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

bool mask_header(struct str name)
{
    static const char *const names[] = {"authorization", "cookie", "set-cookie",
                                        "proxy-authorization", "x-api-key"};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (name.len > 0 && lower(name.p[0]) == names[i][0] && str_ieq(name, str_c(names[i])))
            return true;
    return false;
}

static bool word_char(char c)
{
    c = lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* `word` in `text`, any case; '_' of the word matches nothing too; whole = not part of a longer
 * word. */
static bool has_word(struct str text, const char *word, bool whole)
{
    for (size_t i = 0; i < text.len; i++) {
        size_t k = i;
        const char *w = word;

        if (lower(text.p[i]) != word[0])
            continue;
        while (*w != '\0' && (k < text.len || *w == '_')) {
            if (k < text.len && lower(text.p[k]) == *w)
                k++;
            else if (*w != '_')
                break;
            w++;
        }
        if (*w == '\0' && (!whole || ((i == 0 || !word_char(text.p[i - 1])) &&
                                      (k == text.len || !word_char(text.p[k])))))
            return true;
    }
    return false;
}

static const char *const words[] = {"password", "passwd",        "passcode",      "secret",
                                    "token",    "authorization", "credential",    "private_key",
                                    "api_key",  "nonce",         "signedpassword"};

bool mask_key(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (has_word(name, words[i], false))
            return true;
    return has_word(name, "pin", true);
}

struct val mask_value(struct val v, struct arena *a)
{
    struct val out, key, value;

    if (val_is(v, VAL_LIST)) {
        out = val_list_new(a, val_count(v));
        for (size_t i = 0; i < val_count(v); i++)
            val_list_add(out, mask_value(val_at(v, i), a));
        return out;
    }
    if (!val_is(v, VAL_DICT))
        return v;
    out = val_dict_new(a, val_count(v));
    for (size_t i = 0; i < val_count(v); i++)
        if (val_pair_at(v, i, &key, &value))
            val_dict_set(out, key,
                         mask_key(val_text(key)) && !val_is_none(value) ? VAL_STR_LIT(MASK_SHOWN)
                                                                        : mask_value(value, a));
    return out;
}

static struct str cut(struct str s, size_t max)
{
    if (s.len <= max)
        return s;
    while (max > 0 && ((unsigned char)s.p[max] & 0xC0) == 0x80)
        max--;
    return str_slice(s, 0, max);
}

/* a=1&password=x -> a=1&password=******** */
static struct str mask_pairs(struct str query, struct arena *a)
{
    struct buf b;

    buf_init(&b, query.len * 9 + 16, a);
    while (query.len > 0) {
        struct str pair = str_cut(&query, '&'), value = pair, name = str_cut(&value, '=');

        if (b.len > 0)
            buf_putc(&b, '&');
        if (mask_key(name) && name.len < pair.len) {
            buf_add_str(&b, name);
            buf_add_c(&b, "=" MASK_SHOWN);
        } else {
            buf_add_str(&b, pair);
        }
    }
    return buf_str(&b);
}

struct str mask_url(struct str url, struct arena *a)
{
    ptrdiff_t at = str_find_char(url, '?');
    struct str query;

    if (at < 0)
        return url;
    query = mask_pairs(str_slice(url, (size_t)at + 1, url.len), a);
    return str_printf(a, "%.*s?%.*s", STR_ARG(str_slice(url, 0, (size_t)at)), STR_ARG(query));
}

/* <password>x</password> and its like: the text of such an element. */
static struct str mask_xml(struct str body, struct arena *a)
{
    struct buf b;
    size_t i = 0;

    buf_init(&b, body.len * 2 + 64, a);
    while (i < body.len) {
        size_t from = i + 1, to;
        ptrdiff_t close;

        buf_putc(&b, body.p[i]);
        if (body.p[i++] != '<')
            continue;
        while (i < body.len && (word_char(body.p[i]) || body.p[i] == ':' || body.p[i] == '-'))
            buf_putc(&b, body.p[i++]);
        to = i;
        close = str_find_char(str_slice(body, i, body.len), '>');
        if (to == from || close < 0 || !mask_key(str_slice(body, from, to)))
            continue;
        buf_add(&b, body.p + i, (size_t)close + 1);
        i += (size_t)close + 1;
        close = str_find_char(str_slice(body, i, body.len), '<');
        if (close <= 0)
            continue;
        buf_add_c(&b, MASK_SHOWN);
        i += (size_t)close;
    }
    return buf_str(&b);
}

bool mask_json(struct str body, struct buf *out, struct arena *a)
{
    struct err ignored;

    return body.len > 0 && (body.p[0] == '{' || body.p[0] == '[') && json_hide(body, mask_key, MASK_SHOWN, out, a, &ignored) == 0;
}

struct str mask_body(struct str content_type, struct str body, size_t max, struct arena *a)
{
    struct str type = header_media_type(content_type, a), trimmed = str_trim(body);
    struct buf json;

    if (body.len == 0)
        return body;
    if (utf8_check(type) != type.len)
        type = STR("");
    if (utf8_check(body) != body.len)
        return str_printf(a, "%.*s, %zu bytes", STR_ARG(type.len > 0 ? type : STR("binary")),
                          body.len);
    buf_init(&json, SIZE_MAX / 2, a); /* as long as the body, which is in memory already */
    if (mask_json(trimmed, &json, a))
        return cut(buf_str(&json), max);
    if (str_eq_c(type, "application/x-www-form-urlencoded"))
        return cut(mask_pairs(body, a), max);
    if (trimmed.len > 0 && trimmed.p[0] == '<')
        return cut(mask_xml(body, a), max);
    if (mask_key(body))
        return str_printf(a, "%.*s, %zu bytes", STR_ARG(type.len > 0 ? type : STR("text")),
                          body.len);
    return cut(body, max);
}
