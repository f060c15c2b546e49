/*
 * capitalize, lower, title, trim, upper, center, string: texts in other clothes.
 */
#include "template/filters/flt.h"
#include "template/text.h"

static int in_case(struct call *c, enum text_case how, struct val *out)
{
    struct val s;

    return lib_text(c, c->self, &s) != 0
               ? -1
               : lib_case(c, s, (int)how, VAL_F_ASCII | VAL_F_MARKUP, out);
}

int flt_upper(struct call *c, struct val *out)
{
    return call_bind(c, "", NULL) != 0 ? -1 : in_case(c, TEXT_UPPER, out);
}

int flt_lower(struct call *c, struct val *out)
{
    return call_bind(c, "", NULL) != 0 ? -1 : in_case(c, TEXT_LOWER, out);
}

int flt_capitalize(struct call *c, struct val *out)
{
    return call_bind(c, "", NULL) != 0 ? -1 : in_case(c, TEXT_CAPITALIZE, out);
}

static bool begins_word(char ch)
{
    return ch == '-' || ch == '(' || ch == '{' || ch == '[' || ch == '<';
}

/* Not str.title(): words begin after blanks and - ( { [ < only, so "don't" stays one word. */
int flt_title(struct call *c, struct val *out)
{
    struct val s;
    struct buf b;
    const char *p;
    const char *end;

    if (call_bind(c, "", NULL) != 0 || lib_text(c, c->self, &s) != 0)
        return -1;
    lib_buf(c, &b);
    p = s.u.s;
    end = p + s.len;
    while (p < end) {
        const char *from = p;
        const char *second = p;
        bool border = false;

        utf8_next(&second, end);
        while (p < end && !border) {
            const char *q = p;
            uint32_t cp = utf8_next(&q, end);

            border = text_space(cp) || (cp < 0x80 && begins_word((char)cp));
            if (!border)
                p = q;
        }
        if (p > from) {
            text_case(str_make(from, (size_t)(second - from)), TEXT_UPPER, &b);
            text_case(str_make(second, (size_t)(p - second)), TEXT_LOWER, &b);
        }
        while (border && p < end) {
            const char *q = p;
            uint32_t cp = utf8_next(&q, end);

            if (!text_space(cp) && (cp >= 0x80 || !begins_word((char)cp)))
                break;
            buf_add(&b, p, (size_t)(q - p));
            p = q;
        }
    }
    return lib_finish(c, &b, s.flags & VAL_F_ASCII, out);
}

int flt_trim(struct call *c, struct val *out)
{
    struct val chars = val_null();
    struct val s;
    struct str set;

    if (call_bind(c, "chars=", &chars) != 0 || lib_text(c, c->self, &s) != 0)
        return -1;
    if (val_is(chars, VAL_NULL)) {
        *out = lib_str(text_strip(val_text(s), NULL, TEXT_BOTH), s.flags);
        return 0;
    }
    if (lib_need_text(c, chars, "strip arg", &set) != 0)
        return -1;
    *out = lib_str(text_strip(val_text(s), &set, TEXT_BOTH), s.flags);
    return 0;
}

int flt_center(struct call *c, struct val *out)
{
    struct val width = val_int(80);
    struct val s;
    struct buf b;
    int64_t want;
    size_t len;
    size_t pad;
    size_t left;

    if (call_bind(c, "width=", &width) != 0 || lib_text(c, c->self, &s) != 0 ||
        lib_int(c, width, &want) != 0)
        return -1;
    len = lib_text_len(s);
    if (want < 0 || (size_t)want <= len) {
        *out = s;
        return 0;
    }
    if (vm_memory(c, (uint64_t)want) != 0)
        return -1;
    pad = (size_t)want - len;
    left = pad / 2 + (pad & (size_t)want & 1);
    lib_buf(c, &b);
    text_fill(STR(" "), left, &b);
    buf_add_str(&b, val_text(s));
    text_fill(STR(" "), pad - left, &b);
    return lib_finish(c, &b, s.flags, out);
}

int flt_string(struct call *c, struct val *out)
{
    return call_bind(c, "", NULL) != 0 ? -1 : lib_text(c, c->self, out);
}
