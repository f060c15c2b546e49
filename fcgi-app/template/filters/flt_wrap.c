/*
 * truncate, wordcount, indent, wordwrap: long texts.
 */
#include "format/regex.h"
#include "template/filters/flt.h"
#include "template/text.h"

/* These filters work on texts only, as Python's str methods do: others raise what Python raises. */
static int only_text(struct call *c)
{
    if (c->self.type == VAL_STR)
        return 0;
    if (c->self.type == VAL_UNDEF)
        return vm_fail_undefined(c, c->self);
    return call_raise(c, TMPL_EXC_ATTRIBUTE, "'%s' object has no attribute 'splitlines'",
                      val_type_name(c->self));
}

/* What has a length and is short enough passes; true when *out is set. */
static int short_enough(struct call *c, int64_t room, struct val *out)
{
    int64_t n = c->self.type == VAL_UNDEF ? 0 : val_len(c->self);

    if (lib_look(c, c->self) != 0)
        return -1;
    if (n < 0)
        return call_raise(c, TMPL_EXC_TYPE, "object of type '%s' has no len()",
                          val_type_name(c->self));
    *out = c->self;
    return n <= room;
}

int flt_truncate(struct call *c, struct val *out)
{
    struct val arg[4] = {val_int(255), val_bool(false), VAL_STR_LIT("..."), val_null()};
    struct val s;
    struct str end;
    struct str head;
    int64_t length;
    int64_t leeway = 5;
    struct buf b;
    ptrdiff_t blank;
    int rc;

    if (call_bind(c, "length=,killwords=,end=,leeway=", arg) != 0 ||
        lib_int(c, arg[0], &length) != 0 || lib_need_text(c, arg[2], "end", &end) != 0 ||
        (!val_is_none(arg[3]) && lib_int(c, arg[3], &leeway) != 0))
        return -1;
    if (length < (int64_t)utf8_len(end))
        return call_raise(c, TMPL_EXC_PY_ASSERT, "expected length >= %zu, got %lld", utf8_len(end),
                          (long long)length);
    if (leeway < 0)
        return call_raise(c, TMPL_EXC_PY_ASSERT, "expected leeway >= 0, got %lld", (long long)leeway);
    rc = short_enough(c, length + leeway, out);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    if (c->self.type != VAL_STR)
        return val_truth(arg[1])
                   ? call_raise(c, TMPL_EXC_TYPE, "can only concatenate text, not '%s'",
                                val_type_name(c->self))
                   : call_raise(c, TMPL_EXC_ATTRIBUTE, "'%s' object has no attribute 'rsplit'",
                                val_type_name(c->self));
    s = c->self;
    head = text_slice(val_text(s), 0, (size_t)length - utf8_len(end));
    blank = val_truth(arg[1]) ? -1 : str_rfind_char(head, ' ');
    if (blank >= 0)
        head.len = (size_t)blank;
    lib_buf(c, &b);
    buf_add_str(&b, head);
    if (lib_is_markup(s))
        html_escape(end, &b);
    else
        buf_add_str(&b, end);
    return lib_finish(c, &b, s.flags & VAL_F_MARKUP, out);
}

int flt_wordcount(struct call *c, struct val *out)
{
    struct val s;
    const char *p;
    const char *end;
    bool inside = false;
    int64_t n = 0;

    if (call_bind(c, "", NULL) != 0 || lib_text(c, c->self, &s) != 0)
        return -1;
    p = s.u.s;
    end = p + s.len;
    while (p < end) {
        bool word = text_word(utf8_next(&p, end));

        n += word && !inside;
        inside = word;
    }
    *out = val_int(n);
    return 0;
}

int flt_indent(struct call *c, struct val *out)
{
    struct val arg[3] = {val_int(4), val_bool(false), val_bool(false)};
    struct val s;
    struct val margin = arg[0];
    struct str rest;
    struct str line;
    struct str ending;
    int64_t width;
    bool first = true;
    bool ended = true;
    struct buf b;

    if (call_bind(c, "width=,first=,blank=", arg) != 0)
        return -1;
    if (c->self.type != VAL_STR && c->self.type != VAL_UNDEF && c->self.type != VAL_LIST)
        return call_raise(c, TMPL_EXC_TYPE, "unsupported operand type(s) for +=: '%s' and 'str'",
                          val_type_name(c->self));
    if (only_text(c) != 0)
        return -1;
    s = c->self;
    if (arg[0].type == VAL_STR) {
        margin = arg[0];
    } else {
        if (lib_int(c, arg[0], &width) != 0 || vm_memory(c, width > 0 ? (uint64_t)width : 0) != 0)
            return -1;
        lib_buf(c, &b);
        text_fill(STR(" "), width > 0 ? (size_t)width : 0, &b);
        if (lib_finish(c, &b, VAL_F_ASCII, &margin) != 0)
            return -1;
    }
    if (lib_is_markup(s) && lib_escape(c, margin, &margin) != 0)
        return -1;
    lib_buf(c, &b);
    if (val_truth(arg[1]))
        buf_add_str(&b, val_text(margin));
    rest = val_text(s);
    while (text_line(&rest, &line, &ending)) {
        if (!first) {
            buf_putc(&b, '\n');
            if (line.len > 0 || val_truth(arg[2]))
                buf_add_str(&b, val_text(margin));
        }
        buf_add_str(&b, line);
        first = false;
        ended = ending.len > 0;
    }
    if (ended && !first) { /* a text that ends with a line end has an empty line behind it */
        buf_putc(&b, '\n');
        if (val_truth(arg[2]))
            buf_add_str(&b, val_text(margin));
    }
    return lib_finish(c, &b, s.flags & VAL_F_MARKUP, out);
}

/* ---- wordwrap -------------------------------------------------------------------------------- */

#define WS "\\t\\n\\x0b\\x0c\\r " /* what lines break at */
#define PUNCT "[\\w!\"'&.,?]"     /* may stand before a dash */
#define LETTER "[^\\d\\W]"

/* Pieces a line may be cut between: blanks, dashes, words up to a hyphen between letters. */
static const char pieces_hyphens[] =
    "[" WS "]+|(?<=" PUNCT ")-{2,}(?=\\w)|[^" WS "]+?(?:-(?:(?<=" LETTER LETTER "-)|(?<=" LETTER
    "-" PUNCT "-))"
    "(?=" LETTER "-?" LETTER ")|(?=[" WS "])|\\Z|(?<=" PUNCT ")(?=-{2,}\\w))";
static const char pieces_plain[] = "[" WS "]+|[^" WS "]+";

struct piece {
    struct str s;
    int64_t width; /* code points */
};

struct wrap {
    struct call *c;
    const struct regex *re;
    int64_t width;
    bool break_long;
    bool hyphens;
    struct piece *pieces;
    size_t n;
    size_t cap;
};

static int cut_pieces(struct wrap *w, struct str line)
{
    struct regex_match m = {.n_groups = 0};
    int rc;

    w->n = 0;
    while ((rc = regex_next(w->re, line, &m, w->c->e)) == 1) {
        if (w->n == w->cap) {
            w->pieces = arena_grow(w->c->a, w->pieces, w->cap * sizeof *w->pieces,
                                   (w->cap * 2 + 32) * sizeof *w->pieces);
            w->cap = w->cap * 2 + 32;
        }
        if (m.group[0].to > m.group[0].from) {
            struct str s = str_slice(line, (size_t)m.group[0].from, (size_t)m.group[0].to);

            w->pieces[w->n++] = (struct piece){s, (int64_t)utf8_len(s)};
        }
    }
    return rc < 0 ? lib_pass_error(w->c) : 0;
}

static bool blank(struct str s)
{
    return text_strip(s, NULL, TEXT_BOTH).len == 0;
}

/* How many code points of a word too long for any line go on this one. */
static size_t long_word_cut(const struct wrap *w, struct str word, int64_t left)
{
    size_t end = (size_t)left;
    struct str head = text_slice(word, 0, end);
    ptrdiff_t hyphen = w->hyphens ? str_rfind_char(head, '-') : -1;

    for (ptrdiff_t i = 0; i < hyphen; i++) {
        if (head.p[i] != '-')
            return utf8_len(str_slice(head, 0, (size_t)hyphen)) + 1;
    }
    return end;
}

/* A line being filled: pieces lie side by side, so it is a part of the text. */
struct line {
    struct str s;
    size_t kept;   /* bytes without the blank piece at its end */
    int64_t width; /* code points */
};

static void put_piece(struct line *l, struct str s, int64_t width)
{
    l->kept = l->s.len + (blank(s) ? 0 : s.len);
    l->s.len += s.len;
    l->width += width;
}

/* Put what fits of a piece longer than any line; false when the whole piece was used. */
static bool put_long(const struct wrap *w, struct line *l, struct piece *p)
{
    size_t cut;
    struct str head;

    if (!w->break_long) {
        if (l->s.len > 0)
            return true;
        put_piece(l, p->s, p->width);
        return false;
    }
    cut = long_word_cut(w, p->s, w->width - l->width);
    head = text_slice(p->s, 0, cut);
    put_piece(l, head, (int64_t)cut);
    p->s = str_slice(p->s, head.len, p->s.len);
    p->width -= (int64_t)cut;
    return true;
}

/* Fold the pieces of one line; `sep` between the lines made. */
static int fold_line(struct wrap *w, struct str sep, struct buf *out)
{
    size_t i = 0;
    bool any = false;

    while (i < w->n) {
        struct line l = {.s = {NULL, 0}};

        if (any && blank(w->pieces[i].s) && ++i == w->n)
            break;
        l.s.p = w->pieces[i].s.p;
        for (; i < w->n && l.width + w->pieces[i].width <= w->width; i++)
            put_piece(&l, w->pieces[i].s, w->pieces[i].width);
        if (i < w->n && w->pieces[i].width > w->width && !put_long(w, &l, &w->pieces[i]))
            i++;
        if (l.kept > 0) {
            if (any)
                buf_add_str(out, sep);
            buf_add(out, l.s.p, l.kept);
            any = true;
        }
        if (vm_spend(w->c, 1) != 0)
            return -1;
    }
    return 0;
}

int flt_wordwrap(struct call *c, struct val *out)
{
    struct val arg[4] = {val_int(79), val_bool(true), val_null(), val_bool(true)};
    struct wrap w = {.c = c};
    struct val s;
    struct str sep = STR("\n");
    struct str rest;
    struct str line;
    struct str ending;
    bool first = true;
    struct buf b;

    if (call_bind(c, "width=,break_long_words=,wrapstring=,break_on_hyphens=", arg) != 0 ||
        only_text(c) != 0 || lib_int(c, arg[0], &w.width) != 0 ||
        (!val_is_none(arg[2]) && lib_need_text(c, arg[2], "wrapstring", &sep) != 0))
        return -1;
    s = c->self;
    w.break_long = val_truth(arg[1]);
    w.hyphens = val_truth(arg[3]);
    if (w.width <= 0 && s.len > 0)
        return call_raise(c, TMPL_EXC_VALUE, "invalid width %lld (must be > 0)",
                          (long long)w.width);
    if (regex_cached(&w.re, str_c(w.hyphens ? pieces_hyphens : pieces_plain), 0, c->e) != 0)
        return lib_pass_error(c);
    lib_buf(c, &b);
    rest = val_text(s);
    while (text_line(&rest, &line, &ending)) {
        if (!first)
            buf_add_str(&b, sep);
        first = false;
        if (cut_pieces(&w, line) != 0 || fold_line(&w, sep, &b) != 0)
            return -1;
    }
    return lib_finish(c, &b, 0, out);
}
