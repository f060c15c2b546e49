/*
 * escape, forceescape, safe, striptags, xmlattr: texts and HTML.
 */
#include "template/filters/flt.h"
#include "template/text.h"

int flt_escape(struct call *c, struct val *out)
{
    return call_bind(c, "", NULL) != 0 ? -1 : lib_escape(c, c->self, out);
}

int flt_forceescape(struct call *c, struct val *out)
{
    struct val s;

    if (call_bind(c, "", NULL) != 0 || lib_text(c, c->self, &s) != 0)
        return -1;
    s.flags = (uint8_t)(s.flags & ~VAL_F_MARKUP);
    return lib_escape(c, s, out);
}

int flt_safe(struct call *c, struct val *out)
{
    if (call_bind(c, "", NULL) != 0 || lib_text(c, c->self, out) != 0)
        return -1;
    out->flags |= VAL_F_MARKUP;
    return 0;
}

int flt_striptags(struct call *c, struct val *out)
{
    struct val s;
    struct buf b;

    if (call_bind(c, "", NULL) != 0 || lib_text(c, c->self, &s) != 0)
        return -1;
    lib_buf(c, &b);
    html_strip_tags(val_text(s), &b, c->a);
    return lib_finish(c, &b, 0, out);
}

static bool bad_in_name(char ch)
{
    return ch == '/' || ch == '>' || ch == '=' || ch == ' ' || (ch >= 9 && ch <= 13);
}

static int put_attribute(struct call *c, struct val key, struct val value, struct buf *b)
{
    struct val name;
    struct val text;

    if (key.type != VAL_STR)
        return call_raise(c, TMPL_EXC_TYPE, "expected string or bytes-like object, got '%s'",
                          val_type_name(key));
    for (uint32_t i = 0; i < key.len; i++) {
        if (bad_in_name(key.u.s[i]))
            return call_raise(c, TMPL_EXC_VALUE, "Invalid character in attribute name: %.*s",
                              STR_ARG(lib_repr(c, key)));
    }
    if (lib_escape(c, key, &name) != 0 || lib_escape(c, value, &text) != 0)
        return -1;
    if (b->len > 0)
        buf_putc(b, ' ');
    buf_add_str(b, val_text(name));
    buf_add(b, "=\"", 2);
    buf_add_str(b, val_text(text));
    buf_putc(b, '"');
    return 0;
}

int flt_xmlattr(struct call *c, struct val *out)
{
    struct val autospace = val_bool(true);
    struct val key;
    struct val value;
    struct buf b;
    struct val s;

    if (call_bind(c, "autospace=", &autospace) != 0)
        return -1;
    if (!val_is(c->self, VAL_DICT))
        return call_raise(c, TMPL_EXC_ATTRIBUTE, "'%s' object has no attribute 'items'",
                          val_type_name(c->self));
    lib_buf(c, &b);
    for (size_t i = 0; val_pair_at(c->self, i, &key, &value); i++) {
        if (!val_is_none(value) && put_attribute(c, key, value, &b) != 0)
            return -1;
    }
    if (lib_finish(c, &b, 0, &s) != 0)
        return -1;
    if (s.len > 0 && val_truth(autospace))
        s = val_str(str_printf(c->a, " %.*s", (int)s.len, s.u.s));
    if (vm_autoescape(c->vm))
        s.flags |= VAL_F_MARKUP;
    *out = s;
    return 0;
}
