/*
 * XML to values, in the shape of xmltodict.
 *
 * Element -> object; attributes "@name", namespace declarations among them; text beside them "#text"; text only -> text; nothing
 * -> null; repeated siblings -> list.  Prefixes stay as written; comments and processing instructions go; text is trimmed.
 *
 * Rule: workflow-engine.md 3.8.
 */
#ifndef SLUICE_FORMAT_XML_H
#define SLUICE_FORMAT_XML_H

#include "base/value.h"

enum { XML_DEPTH_MAX = 200 };

/*
 * Read a document.
 *
 * text  in any encoding it declares; nothing outside of it is ever read.
 * out   {"<document element>": ...}, living in `a`.
 * Fails with ERR_INVALID: not well-formed, a document type (and so any entity), nested deeper than XML_DEPTH_MAX.
 * Threads: any.
 */
MUST_CHECK int xml_parse(struct str text, struct val *out, struct arena *a, struct err *e);

#endif
