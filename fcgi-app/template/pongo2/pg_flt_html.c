/*
 * pongo2's filters over HTML and addresses.
 */
#include "format/regex.h"
#include "template/pongo2/pg_flt.h"

static int finish(struct call *c, struct buf *b, bool safe, struct val *out)
{
    return lib_finish(c, b, safe ? VAL_F_MARKUP : 0, out);
}

/* ---- escaping ---------------------------------------------------------------------------------
 */

int pg_flt_escape(struct call *c, struct val *out)
{
    struct buf b;

    lib_buf(c, &b);
    pg_escape(pg_self_text(c), &b);
    return finish(c, &b, false, out);
}

void pg_escape(struct str s, struct buf *out)
{
    static const struct {
        char c;
        const char *as;
    } rows[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    size_t i;
    size_t k;

    for (i = 0; i < s.len; i++) {
        for (k = 0; k < COUNT_OF(rows) && rows[k].c != s.p[i]; k++)
            ;
        if (k < COUNT_OF(rows))
            buf_add_c(out, rows[k].as);
        else
            buf_putc(out, s.p[i]);
    }
}

/* Letters, blanks and slashes stay; the written-out \r and \n count as what they mean. */
int pg_flt_escapejs(struct call *c, struct val *out)
{
    struct str s = pg_self_text(c);
    const char *p = s.p;
    const char *end = s.p + s.len;
    struct buf b;

    lib_buf(c, &b);
    while (p < end) {
        uint32_t cp = utf8_next(&p, end);
        bool letter = (cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z');

        if (cp == '\\' && p < end && (*p == 'r' || *p == 'n'))
            cp = *p++ == 'r' ? '\r' : '\n';
        if (letter || cp == ' ' || cp == '/')
            buf_putc(&b, (char)cp);
        else
            buf_addf(&b, "\\u%04X", (unsigned)cp);
    }
    return finish(c, &b, false, out);
}

static void pg_iriencode(struct str s, const char *kept, struct buf *out)
{
    size_t i;

    for (i = 0; i < s.len; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        bool plain = (ch >= '0' && ch <= '9') || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z');

        if (plain || (ch != '\0' && ch < 0x80 && strchr(kept, ch) != NULL))
            buf_putc(out, (char)ch);
        else if (ch == ' ')
            buf_putc(out, '+');
        else
            buf_addf(out, "%%%02X", ch);
    }
}

#define UNRESERVED "-_.~"
#define IRI_KEPT UNRESERVED "/#%[]=:;$&()+,!?*@'"

int pg_flt_urlencode(struct call *c, struct val *out)
{
    struct buf b;

    lib_buf(c, &b);
    pg_iriencode(pg_self_text(c), UNRESERVED, &b);
    return finish(c, &b, false, out);
}

int pg_flt_iriencode(struct call *c, struct val *out)
{
    struct buf b;

    lib_buf(c, &b);
    pg_iriencode(pg_self_text(c), IRI_KEPT, &b);
    return finish(c, &b, false, out);
}

/* ---- tags -------------------------------------------------------------------------------------
 */

int pg_flt_striptags(struct call *c, struct val *out)
{
    struct str s = pg_self_text(c);
    struct buf b;

    lib_buf(c, &b);
    while (s.len > 0) {
        ptrdiff_t end = s.p[0] == '<' ? str_find_char(s, '>') : -1;

        if (s.p[0] == '<' && end < 0) { /* no tag ends behind this */
            buf_add_str(&b, s);
            break;
        }
        if (end < 0)
            buf_putc(&b, s.p[0]);
        s = str_slice(s, end < 0 ? 1 : (size_t)end + 1, s.len);
    }
    *out = val_str(text_strip(buf_str(&b), NULL, TEXT_BOTH));
    return b.over ? finish(c, &b, false, out) : 0;
}

/* The length of <tag>, </tag>, <tag/> or </tag/> at the beginning of s; 0 when there is none. */
static size_t bare_tag(struct str s, struct str tag)
{
    size_t n = s.len > 1 && s.p[1] == '/' ? 2 : 1;

    if (!str_starts(str_slice(s, n, s.len), tag))
        return 0;
    n += tag.len;
    n += n < s.len && s.p[n] == '/';
    return n < s.len && s.p[n] == '>' ? n + 1 : 0;
}

int pg_flt_removetags(struct call *c, struct val *out)
{
    struct str s = pg_self_text(c);
    struct str tags = pg_arg_text(c);

    while (tags.len > 0) {
        struct str tag = str_cut(&tags, ',');
        struct buf b;
        size_t i = 0;

        if (vm_spend(c, (int64_t)s.len / 16 + 1) != 0)
            return -1;
        lib_buf(c, &b);
        while (i < s.len) {
            size_t n = s.p[i] == '<' ? bare_tag(str_slice(s, i, s.len), tag) : 0;

            if (n == 0)
                buf_putc(&b, s.p[i++]);
            i += n;
        }
        s = b.len > 0 ? buf_str(&b) : STR("");
    }
    *out = val_str(text_strip(s, NULL, TEXT_BOTH));
    return 0;
}

/* ---- cutting HTML -----------------------------------------------------------------------------
 */

struct cutter {
    struct call *c;
    struct str s;
    size_t at;
    struct buf out;
    struct str *open; /* tags not closed yet */
    size_t n_open;
    size_t cap;
};

static void close_tag(struct cutter *k, struct str tag)
{
    size_t i;

    for (i = k->n_open; i > 0; i--) {
        if (str_eq(k->open[i - 1], tag)) {
            k->open[i - 1] = k->open[--k->n_open];
            return;
        }
    }
}

static void open_tag(struct cutter *k, struct str tag)
{
    if (k->n_open == k->cap) {
        size_t cap = k->cap * 2 + 16;
        struct str *more = ARENA_ARRAY(k->c->a, struct str, cap);

        if (k->n_open > 0)
            memcpy(more, k->open, k->n_open * sizeof(*more));
        k->open = more;
        k->cap = cap;
    }
    k->open[k->n_open++] = tag;
}

/* A tag is copied whole and does not count. */
static void copy_tag(struct cutter *k)
{
    struct str rest = str_slice(k->s, k->at, k->s.len);
    ptrdiff_t end = str_find_char(rest, '>');
    struct str tag;

    if (rest.len < 3) { /* nothing worth a name behind it */
        buf_add_str(&k->out, str_slice(rest, 0, 1));
        k->at++;
        return;
    }
    if (end >= 0)
        rest.len = (size_t)end + 1;
    k->at += rest.len;
    buf_add_str(&k->out, rest);
    tag = str_slice(rest, rest.p[1] == '/' ? 2 : 1, rest.len - (end >= 0));
    if (rest.p[1] == '/') {
        if (end < 0)
            buf_putc(&k->out, '>');
        close_tag(k, tag);
    } else {
        open_tag(k, str_cut(&tag, ' '));
    }
}

static int cut_end(struct cutter *k, bool dots, struct val *out)
{
    if (dots)
        buf_add_c(&k->out, "...");
    while (k->n_open > 0) {
        buf_add_c(&k->out, "</");
        buf_add_str(&k->out, k->open[--k->n_open]);
        buf_putc(&k->out, '>');
    }
    return finish(k->c, &k->out, true, out);
}

static int64_t cut_begin(struct cutter *k, struct call *c, int64_t less)
{
    int64_t max = pg_int(pg_arg(c)) - less;

    *k = (struct cutter){.c = c, .s = pg_self_text(c)};
    lib_buf(c, &k->out);
    return max > 0 ? max : 0;
}

int pg_flt_truncatechars_html(struct call *c, struct val *out)
{
    struct cutter k;
    int64_t max;
    int64_t n = 0;

    max = cut_begin(&k, c, 3);
    while (k.at < k.s.len && n < max) {
        if (k.s.p[k.at] == '<') {
            copy_tag(&k);
        } else {
            size_t len = utf8_offset(str_slice(k.s, k.at, k.s.len), 1);

            buf_add_str(&k.out, str_slice(k.s, k.at, k.at + len));
            k.at += len;
            n++;
        }
    }
    return cut_end(&k, n >= max && n < (int64_t)k.s.len, out);
}

/* A word ends with a blank or one of ".,;". */
static bool copy_word(struct cutter *k)
{
    bool found = false;

    while (k->at < k->s.len && k->s.p[k->at] != '<') {
        char ch = k->s.p[k->at++];

        buf_putc(&k->out, ch);
        if (strchr(" .,;", ch) != NULL)
            break;
        found = true;
    }
    return found;
}

int pg_flt_truncatewords_html(struct call *c, struct val *out)
{
    struct cutter k;
    int64_t max;
    int64_t n = 0;

    max = cut_begin(&k, c, 0);
    while (k.at < k.s.len && n < max) {
        if (k.s.p[k.at] == '<')
            copy_tag(&k);
        else
            n += copy_word(&k);
    }
    return cut_end(&k, n >= max, out);
}

/* ---- addresses become links -------------------------------------------------------------------
 */

static const char url_pattern[] =
    "(?:https?://|www\\.|(?:^|[ ])[0-9A-Za-z_\\-]+(?:\\.com|\\.net|\\.org|\\.info|\\.biz|\\.de)).*?"
    "(?:[ ]+|\\Z)";
static const char mail_pattern[] = "[0-9A-Za-z_]+@[0-9A-Za-z_]+\\.[0-9A-Za-z_]{2,4}";

struct linker {
    struct call *c;
    bool escape;
    int64_t max; /* bytes of a title, -1 = all */
    void (*link)(struct linker *l, struct str found, struct buf *out);
};

static void put_title(const struct linker *l, struct str title, bool escape, struct buf *out)
{
    bool cut = l->max > 3 && (int64_t)title.len > l->max;
    size_t n = cut ? (size_t)l->max - 3 : title.len;

    while (cut && n > 0 && ((unsigned char)title.p[n] & 0xc0) == 0x80)
        n--;
    if (escape)
        pg_escape(str_slice(title, 0, n), out);
    else
        buf_add_str(out, str_slice(title, 0, n));
    buf_add_c(out, cut ? "..." : "");
}

static void link_url(struct linker *l, struct str found, struct buf *out)
{
    struct str url = text_strip(found, NULL, TEXT_BOTH);

    buf_add_c(out, found.p[0] == ' ' ? " " : "");
    buf_add_c(out, "<a href=\"");
    buf_add_c(out, str_starts(url, STR("http")) ? "" : "http://");
    pg_iriencode(url, IRI_KEPT, out);
    buf_add_c(out, "\" rel=\"nofollow\">");
    put_title(l, url, l->escape, out);
    buf_add_c(out, "</a>");
    buf_add_c(out, found.p[found.len - 1] == ' ' ? " " : "");
}

static void link_mail(struct linker *l, struct str found, struct buf *out)
{
    buf_add_c(out, "<a href=\"mailto:");
    buf_add_str(out, found);
    buf_add_c(out, "\">");
    put_title(l, found, false, out);
    buf_add_c(out, "</a>");
}

static int replace_all(struct linker *l, const char *pattern, struct str s, struct val *out)
{
    const struct regex *re;
    struct regex_match m = {0};
    size_t at = 0;
    struct buf b;
    int rc;

    if (regex_cached(&re, str_c(pattern), 0, l->c->e) != 0)
        return lib_pass_error(l->c);
    lib_buf(l->c, &b);
    while ((rc = regex_next(re, s, &m, l->c->e)) == 1) {
        size_t from = (size_t)m.group[0].from;
        size_t to = (size_t)m.group[0].to;

        buf_add_str(&b, str_slice(s, at, from));
        l->link(l, str_slice(s, from, to), &b);
        at = to;
    }
    if (rc < 0)
        return lib_pass_error(l->c);
    buf_add_str(&b, str_slice(s, at, s.len));
    return lib_finish(l->c, &b, 0, out);
}

static int urlized(struct call *c, bool escape, int64_t max, struct val *out)
{
    struct linker l = {.c = c, .escape = escape, .max = max, .link = link_url};

    if (replace_all(&l, url_pattern, pg_self_text(c), out) != 0)
        return -1;
    l.link = link_mail;
    return replace_all(&l, mail_pattern, val_text(*out), out);
}

int pg_flt_urlize(struct call *c, struct val *out)
{
    struct val arg = pg_arg(c);

    return urlized(c, arg.type != VAL_BOOL || arg.u.b, -1, out);
}

int pg_flt_urlizetrunc(struct call *c, struct val *out)
{
    return urlized(c, true, pg_int(pg_arg(c)), out);
}
