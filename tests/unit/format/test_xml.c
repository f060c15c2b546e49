/*
 * XML to values (workflow-engine.md 3.8).
 */
#include "support/cases.h"

#include "base/json.h"
#include "format/xml.h"

static const struct row {
    const char *name;
    const char *xml;
    const char *want; /* JSON; NULL: refused */
} rows[] = {
    {"text", "<a>x</a>", "{\"a\":\"x\"}"},
    {"nothing", "<a/>", "{\"a\":null}"},
    {"only blanks", "<a> \n </a>", "{\"a\":null}"},
    {"text is trimmed", "<a>\n  x y \n</a>", "{\"a\":\"x y\"}"},
    {"attributes", "<a b='1' c=\"2\"/>", "{\"a\":{\"@b\":\"1\",\"@c\":\"2\"}}"},
    {"attributes and text", "<a b='1'>x</a>", "{\"a\":{\"@b\":\"1\",\"#text\":\"x\"}}"},
    {"children", "<a><b>1</b><c/></a>", "{\"a\":{\"b\":\"1\",\"c\":null}}"},
    {"repeated siblings", "<a><b>1</b><c/><b/><b>3</b></a>", "{\"a\":{\"b\":[\"1\",null,\"3\"],\"c\":null}}"},
    {"mixed content", "<a>x<b/>y</a>", "{\"a\":{\"b\":null,\"#text\":\"xy\"}}"},
    {"prefixes and declarations stay", "<s:a xmlns:s='urn:s' xmlns='urn:d'><s:b s:c='1'/></s:a>",
     "{\"s:a\":{\"@xmlns:s\":\"urn:s\",\"@xmlns\":\"urn:d\",\"s:b\":{\"@s:c\":\"1\"}}}"},
    {"cdata is text", "<a><![CDATA[<x>&]]></a>", "{\"a\":\"<x>&\"}"},
    {"comments and instructions go", "<?xml version='1.0'?><?p x?><a><!-- c -->x<?q?></a>", "{\"a\":\"x\"}"},
    {"the five entities", "<a>&lt;&amp;&gt;&quot;&apos;&#233;</a>", "{\"a\":\"<&>\\\"'é\"}"},
    {"another encoding", "<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>", "{\"a\":\"é\"}"},
    {"not well-formed", "<a><b></a>", NULL},
    {"two roots", "<a/><b/>", NULL},
    {"no XML at all", "{\"a\":1}", NULL},
    {"empty", "", NULL},
    {"unknown entity", "<a>&x;</a>", NULL},
    {"a document type", "<!DOCTYPE a><a/>", NULL},
    {"an entity of its own", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", NULL},
    {"a file", "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>", NULL},
    {"a parameter entity", "<!DOCTYPE a [<!ENTITY % x SYSTEM 'http://127.0.0.1:1/x'> %x;]><a/>", NULL},
};

static void reads(const struct row *r)
{
    struct arena *a = arena_new(0);
    struct val v;
    struct err e;
    int rc = xml_parse(str_c(r->xml), &v, a, &e);

    if (r->want == NULL)
        assert_int_equal(rc, -1);
    else if (rc != 0)
        fail_msg("%s", e.msg);
    else
        assert_string_equal(json_text(v, a).p, r->want);
    arena_free(a);
}

static struct str nested(int depth, struct arena *a)
{
    struct buf b;

    buf_init(&b, 1 << 20, a);
    for (int i = 0; i < depth; i++)
        buf_add_c(&b, "<a>");
    for (int i = 0; i < depth; i++)
        buf_add_c(&b, "</a>");
    return buf_str(&b);
}

static void bounds_depth(void **state)
{
    struct arena *a = arena_new(0);
    struct val v;
    struct err e;

    (void)state;
    assert_int_equal(xml_parse(nested(XML_DEPTH_MAX, a), &v, a, &e), 0);
    assert_int_equal(xml_parse(nested(XML_DEPTH_MAX + 1, a), &v, a, &e), -1);
    assert_int_equal(e.code, ERR_INVALID);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(bounds_depth)};

    return CASES(rows, reads) + cmocka_run_group_tests(more, NULL, NULL);
}
