/*
 * urlize: addresses in a text become links.
 *
 * Works word by word on the escaped text: punctuation around a word is set aside, then the rest is
 * tried as web address, mail address or one of the schemes given.
 */
#include "format/regex.h"
#include "template/filters/flt.h"
#include "template/text.h"

#define LABEL "[\\w%-]"
#define WEB                                                                                        \
    "(?:(?:https?://|www\\.)(?:(?:" LABEL "+\\.)+)?(?:[a-z]{2,63}|xn--[\\w%]{2,59})"               \
    "|(?:" LABEL "{2,63}\\.)+(?:com|net|int|edu|gov|org|info|mil)"                                 \
    "|https?://"                                                                                   \
    "(?:\\d{1,3}(?:\\.\\d{1,3}){3}|\\[(?:[\\da-f]{0,4}:){2}(?:[\\da-f]{0,4}:?){1,6}\\]))"          \
    "(?::\\d{1,5})?(?:[/?#]\\S*)?$"
#define MAIL "\\S+@\\w[\\w.-]*\\.\\w+$"

struct urlize {
    struct call *c;
    struct str rel;    /* attribute, or empty */
    struct str target; /* likewise */
    int64_t limit;     /* code points of the text shown, -1 = no limit */
    struct val schemes;
    struct buf *out;
};

/* 1 matches from the start, 0 not, -1 raised */
static int matches(struct urlize *u, const char *pattern, struct str s, bool icase)
{
    const struct regex *re;
    struct regex_match m;
    int rc;

    if (regex_cached(&re, str_c(pattern), REGEX_ANCHORED | (icase ? (unsigned)REGEX_ICASE : 0),
                     u->c->e) != 0)
        return lib_pass_error(u->c);
    rc = regex_exec(re, s, 0, &m, u->c->e);
    return rc < 0 ? lib_pass_error(u->c) : rc;
}

static void put_link(struct urlize *u, const char *scheme, struct str url, bool attributes,
                     struct str text)
{
    size_t len = utf8_len(text);

    buf_add_c(u->out, "<a href=\"");
    buf_add_c(u->out, scheme);
    buf_add_str(u->out, url);
    buf_putc(u->out, '"');
    if (attributes) {
        buf_add_str(u->out, u->rel);
        buf_add_str(u->out, u->target);
    }
    buf_putc(u->out, '>');
    if (attributes && u->limit >= 0 && len > (size_t)u->limit) {
        buf_add_str(u->out, text_slice(text, 0, (size_t)u->limit));
        buf_add_c(u->out, "...");
    } else {
        buf_add_str(u->out, text);
    }
    buf_add_c(u->out, "</a>");
}

static const struct str openers[] = {{"(", 1}, {"<", 1}, {"&lt;", 4}};
static const struct str closers[] = {{")", 1}, {">", 1}, {"&gt;", 4}};

/* Bytes of opening punctuation in front of s. */
static size_t head_length(struct str s)
{
    size_t n = 0;

    for (size_t i = 0; i < COUNT_OF(openers);) {
        if (str_starts(str_slice(s, n, s.len), openers[i])) {
            n += openers[i].len;
            i = 0;
        } else {
            i++;
        }
    }
    return n;
}

/* Bytes of closing punctuation at the end of s. */
static size_t tail_length(struct str s)
{
    static const struct str ends[] = {{")", 1}, {">", 1},  {".", 1},
                                      {",", 1}, {"\n", 1}, {"&gt;", 4}};
    size_t n = 0;

    for (size_t i = 0; i < COUNT_OF(ends);) {
        if (str_ends(str_slice(s, 0, s.len - n), ends[i])) {
            n += ends[i].len;
            i = 0;
        } else {
            i++;
        }
    }
    return n;
}

/* Closing signs belong to the address as long as it has more opening ones. */
static void balance(struct str *middle, struct str *tail)
{
    for (size_t i = 0; i < COUNT_OF(openers); i++) {
        size_t open = text_count(*middle, openers[i]);

        if (open <= text_count(*middle, closers[i]))
            continue;
        for (size_t k = text_count(*tail, closers[i]) < open ? text_count(*tail, closers[i]) : open;
             k > 0; k--) {
            size_t n = (size_t)str_find(*tail, closers[i]) + closers[i].len;

            middle->len += n; /* the tail lies right behind it */
            *tail = str_slice(*tail, n, tail->len);
        }
    }
}

static int put_scheme(struct urlize *u, struct str s)
{
    bool linked = false;

    for (size_t i = 0; i < val_count(u->schemes); i++) {
        struct str scheme = val_text(val_at(u->schemes, i));

        if (!linked && s.len > scheme.len && str_starts(s, scheme)) {
            put_link(u, "", s, true, s);
            linked = true;
        }
    }
    if (!linked)
        buf_add_str(u->out, s);
    return 0;
}

static int put_middle(struct urlize *u, struct str s)
{
    int64_t limit = u->limit;
    bool mailto = str_starts(s, STR("mailto:"));
    struct str address = mailto ? str_slice(s, 7, s.len) : s;
    int rc = matches(u, WEB, s, true);

    if (rc < 0)
        return -1;
    if (rc == 1) {
        bool scheme = str_starts(s, STR("https://")) || str_starts(s, STR("http://"));

        put_link(u, scheme ? "" : "https://", s, true, s);
        return 0;
    }
    if (mailto ||
        (str_find_char(s, '@') >= 0 && !str_starts(s, STR("www.")) && str_find_char(s, ':') < 0)) {
        rc = matches(u, MAIL, address, false);
        if (rc < 0)
            return -1;
        if (rc == 1) {
            put_link(u, mailto ? "" : "mailto:", s, false, address);
            return 0;
        }
    }
    u->limit = -1;
    rc = put_scheme(u, s);
    u->limit = limit;
    return rc;
}

static int put_word(struct urlize *u, struct str word)
{
    size_t n = head_length(word);
    struct str middle = str_slice(word, n, word.len);
    struct str tail;

    buf_add(u->out, word.p, n);
    n = tail_length(middle);
    tail = str_slice(middle, middle.len - n, middle.len);
    middle = str_slice(middle, 0, middle.len - n);
    balance(&middle, &tail);
    if (put_middle(u, middle) != 0)
        return -1;
    buf_add_str(u->out, tail);
    return 0;
}

/* Words of the rel attribute, once each and sorted, noopener always among them. */
static int rel_words(struct call *c, struct val rel, bool nofollow, struct str *out)
{
    struct sort_item *words;
    struct str rest;
    struct str word;
    struct seen seen;
    size_t n = 2;
    struct buf b;

    if (!val_is_none(rel) && rel.type != VAL_STR)
        return call_raise(c, TMPL_EXC_ATTRIBUTE, "'%s' object has no attribute 'split'",
                          val_type_name(rel));
    rest = val_text(rel);
    words = arena_alloc(c->a, (rest.len / 2 + 4) * sizeof *words);
    seen_init(c, &seen);
    seen_add(&seen, VAL_STR_LIT("noopener"));
    words[0].key = VAL_STR_LIT("noopener");
    words[1].key = VAL_STR_LIT("nofollow");
    if (nofollow)
        seen_add(&seen, words[1].key);
    else
        n = 1;
    while (text_word_next(&rest, &word)) {
        if (seen_add(&seen, val_str(word)))
            words[n++].key = val_str(word);
    }
    for (size_t i = 0; i < n; i++)
        words[i].item = words[i].key;
    if (lib_sort(c, words, n, false) != 0)
        return -1;
    lib_buf(c, &b);
    for (size_t i = 0; i < n; i++) {
        buf_add_c(&b, i == 0 ? " rel=\"" : " ");
        html_escape(val_text(words[i].key), &b);
    }
    buf_putc(&b, '"');
    *out = buf_str(&b);
    return 0;
}

static int bind_urlize(struct urlize *u)
{
    struct val arg[5] = {val_null(), val_bool(false), val_null(), val_null(), val_null()};
    struct val target;
    struct buf b;

    if (call_bind(u->c, "trim_url_limit=,nofollow=,target=,rel=,extra_schemes=", arg) != 0 ||
        (!val_is_none(arg[0]) && lib_int(u->c, arg[0], &u->limit) != 0) ||
        rel_words(u->c, arg[3], val_truth(arg[1]), &u->rel) != 0 ||
        lib_escape(u->c, arg[2], &target) != 0)
        return -1;
    if (val_truth(arg[2])) {
        lib_buf(u->c, &b);
        buf_add_c(&b, " target=\"");
        buf_add_str(&b, val_text(target));
        buf_putc(&b, '"');
        u->target = buf_str(&b);
    }
    if (val_is_none(arg[4]))
        return 0;
    if (iter_list(u->c, arg[4], &u->schemes) != 0)
        return -1;
    for (size_t i = 0; i < val_count(u->schemes); i++) {
        struct str scheme = val_text(val_at(u->schemes, i));
        int rc = matches(u, "[\\w.+-]{2,}:(//)?$", scheme, false);

        if (rc < 0)
            return -1;
        if (rc == 0)
            return call_raise(u->c, TMPL_EXC_FILTER, "%.*s is not a valid URI scheme prefix.",
                              STR_ARG(lib_repr(u->c, val_str(scheme))));
    }
    return 0;
}

int flt_urlize(struct call *c, struct val *out)
{
    struct buf b;
    struct urlize u = {.c = c, .limit = -1, .schemes = val_list_new(c->a, 0), .out = &b};
    struct val s;
    struct str rest;
    struct str word;

    if (bind_urlize(&u) != 0 || lib_escape(c, c->self, &s) != 0)
        return -1;
    lib_buf(c, &b);
    rest = val_text(s);
    for (;;) {
        const char *from = rest.p;

        if (!text_word_next(&rest, &word)) {
            buf_add(&b, from, (size_t)(rest.p - from));
            break;
        }
        buf_add(&b, from, (size_t)(word.p - from));
        if (put_word(&u, word) != 0)
            return -1;
    }
    return lib_finish(c, &b, vm_autoescape(c->vm) ? VAL_F_MARKUP : 0, out);
}
