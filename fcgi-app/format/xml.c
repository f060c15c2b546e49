/*
 * The reader of XML, over libxml2's pull parser: it stops at a document type, so no entity is ever defined or fetched.
 */
#include "format/xml.h"

#include <libxml/parser.h>
#include <libxml/xmlreader.h>
#include <limits.h>
#include <pthread.h>

/* An element that is open. */
struct open_element {
    struct str name;
    struct val members; /* undefined as long as there are none */
    struct buf text;
};

struct xml_build {
    struct open_element stack[XML_DEPTH_MAX + 1];
    int depth; /* open elements */
    struct val root;
    size_t max_text;
    struct arena *a;
};

static void add_member(struct xml_build *b, struct val *members, struct str name, struct val v)
{
    struct val old, list;

    if (val_is_undef(*members))
        *members = val_dict_new(b->a, 4);
    old = val_get_str(*members, name);
    if (val_is_undef(old)) {
        val_dict_set_str(*members, name, v);
        return;
    }
    if (val_is(old, VAL_LIST)) {
        val_list_add(old, v);
        return;
    }
    list = val_list_new(b->a, 4);
    val_list_add(list, old);
    val_list_add(list, v);
    val_dict_set_str(*members, name, list);
}

static struct str name_of(struct xml_build *b, xmlTextReaderPtr r)
{
    return str_dup(b->a, str_c((const char *)xmlTextReaderConstName(r)));
}

static void attributes(struct xml_build *b, xmlTextReaderPtr r, struct open_element *x)
{
    while (xmlTextReaderMoveToNextAttribute(r) == 1) {
        struct str name = str_printf(b->a, "@%s", (const char *)xmlTextReaderConstName(r));

        add_member(b, &x->members, name, val_str_dup(b->a, str_c((const char *)xmlTextReaderConstValue(r))));
    }
    (void)xmlTextReaderMoveToElement(r);
}

static void element_close(struct xml_build *b)
{
    struct open_element *x = &b->stack[--b->depth];
    struct str text = str_trim(buf_str(&x->text));
    struct val v = val_null();

    if (!val_is_undef(x->members)) {
        v = x->members;
        if (text.len > 0)
            val_dict_set_c(v, "#text", val_str(text));
    } else if (text.len > 0) {
        v = val_str(text);
    }
    add_member(b, b->depth > 0 ? &b->stack[b->depth - 1].members : &b->root, x->name, v);
}

static int element_open(struct xml_build *b, xmlTextReaderPtr r, struct err *e)
{
    struct open_element *x;
    bool empty = xmlTextReaderIsEmptyElement(r) == 1;

    if (b->depth >= XML_DEPTH_MAX) {
        err_set(e, ERR_INVALID, "the XML is nested deeper than %d", XML_DEPTH_MAX);
        return -1;
    }
    x = &b->stack[b->depth++];
    x->name = name_of(b, r);
    x->members = val_undef(NULL);
    buf_init(&x->text, b->max_text, b->a);
    attributes(b, r, x);
    if (empty)
        element_close(b);
    return 0;
}

/* What the reader stands at. */
static int step(struct xml_build *b, xmlTextReaderPtr r, struct err *e)
{
    switch (xmlTextReaderNodeType(r)) {
    case XML_READER_TYPE_ELEMENT:
        return element_open(b, r, e);
    case XML_READER_TYPE_END_ELEMENT:
        element_close(b);
        return 0;
    case XML_READER_TYPE_TEXT:
    case XML_READER_TYPE_CDATA:
    case XML_READER_TYPE_WHITESPACE:
    case XML_READER_TYPE_SIGNIFICANT_WHITESPACE:
        if (b->depth > 0)
            buf_add_c(&b->stack[b->depth - 1].text, (const char *)xmlTextReaderConstValue(r));
        return 0;
    case XML_READER_TYPE_DOCUMENT_TYPE:
    case XML_READER_TYPE_ENTITY_REFERENCE:
        err_set(e, ERR_INVALID, "the XML has a document type or an entity, which is not allowed");
        return -1;
    default:
        return 0;
    }
}

int xml_parse(struct str text, struct val *out, struct arena *a, struct err *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING;
    struct xml_build *b;
    xmlTextReaderPtr r;
    int more, rc = -1;

    (void)pthread_once(&once, xmlInitParser);
    if (text.len == 0 || text.len > INT_MAX) {
        err_set(e, ERR_INVALID, text.len == 0 ? "the XML is empty" : "the XML is too large");
        return -1;
    }
    r = xmlReaderForMemory(text.p, (int)text.len, NULL, NULL, options);
    if (r == NULL)
        abort();
    b = ARENA_NEW(a, struct xml_build);
    b->a = a;
    b->max_text = text.len + 1;
    b->root = val_undef(NULL);
    while ((more = xmlTextReaderRead(r)) == 1)
        if (step(b, r, e) != 0)
            goto out;
    if (more != 0 || b->depth != 0 || val_is_undef(b->root)) {
        err_set(e, ERR_INVALID, "the XML is not well-formed (line %d)", xmlTextReaderGetParserLineNumber(r));
        goto out;
    }
    *out = b->root;
    rc = 0;
out:
    xmlFreeTextReader(r);
    return rc;
}
