/*
 * Form bodies.
 */
#include "http/multipart.h"

#include "http/header.h"
#include "http/url.h"

enum { PARTS_MAX = 1000, BOUNDARY_MAX = 70 /* RFC 2046 5.1.1 */ };

/* ---- multipart/form-data
 * --------------------------------------------------------------------------- */

struct reader {
    struct str delimiter; /* "\r\n--boundary" */
    struct str rest;
    struct http_part *parts;
    size_t n, cap;
    struct arena *a;
};

static int bad(struct err *e, const char *why)
{
    err_set(e, ERR_INVALID, "multipart body: %s", why);
    return -1;
}

void multipart_header(struct str line, struct http_part *part, bool *named, struct arena *a)
{
    struct str value = line;
    struct str name = str_trim(str_cut(&value, ':'));

    if (str_ieq(name, STR("content-disposition"))) {
        struct str field = header_param(value, "name", a);
        struct str extended = header_param(value, "filename*", a);

        *named = field.p != NULL;
        part->name = field;
        part->filename = header_param(value, "filename", a);
        /* RFC 5987: charset'language'escaped; only the UTF-8 form is in use. */
        if (part->filename.p == NULL && extended.p != NULL) {
            struct str charset = str_cut(&extended, '\'');

            (void)str_cut(&extended, '\'');
            if (str_ieq(charset, STR("utf-8")))
                part->filename = url_decode(extended, false, a);
        }
    } else if (str_ieq(name, STR("content-type"))) {
        part->mime = str_trim(value);
    }
}

static void add_part(struct reader *r, const struct http_part *part)
{
    if (r->n == r->cap) {
        size_t cap = r->cap == 0 ? 8 : 2 * r->cap;

        r->parts = arena_grow(r->a, r->parts, r->cap * sizeof(*part), cap * sizeof(*part));
        r->cap = cap;
    }
    r->parts[r->n++] = *part;
}

/* From behind a delimiter's line end to the next delimiter. */
static int take_part(struct reader *r, struct err *e)
{
    struct http_part part = {0};
    bool named = false;
    ptrdiff_t end;

    for (;;) {
        struct str line;

        end = str_find(r->rest, STR("\r\n"));
        if (end < 0)
            return bad(e, "a part without end of its headers");
        line = str_slice(r->rest, 0, (size_t)end);
        r->rest = str_slice(r->rest, (size_t)end + 2, r->rest.len);
        if (line.len == 0)
            break;
        multipart_header(line, &part, &named, r->a);
    }
    if (!named)
        return bad(e, "a part without a name in its Content-Disposition");
    /* An empty part has its delimiter right here, its CRLF being the one that ended the headers. */
    r->rest = str_make(r->rest.p - 2, r->rest.len + 2);
    end = str_find(r->rest, r->delimiter);
    if (end < 0)
        return bad(e, "the closing boundary is missing");
    part.value = end >= 2 ? str_slice(r->rest, 2, (size_t)end) : STR("");
    r->rest = str_slice(r->rest, (size_t)end + r->delimiter.len, r->rest.len);
    if (r->n == PARTS_MAX) {
        err_set(e, ERR_INVALID, "multipart body: more than %d parts", PARTS_MAX);
        return -1;
    }
    add_part(r, &part);
    return 0;
}

/* Behind a boundary: "--" closes, blanks and CRLF lead to the next part. */
static int after_boundary(struct reader *r, bool *closed, struct err *e)
{
    *closed = str_starts(r->rest, STR("--"));
    if (*closed)
        return 0;
    while (r->rest.len > 0 && (r->rest.p[0] == ' ' || r->rest.p[0] == '\t'))
        r->rest = str_slice(r->rest, 1, r->rest.len);
    if (!str_starts(r->rest, STR("\r\n")))
        return bad(e, "text behind a boundary");
    r->rest = str_slice(r->rest, 2, r->rest.len);
    return 0;
}

static int parse_multipart(struct str boundary, struct reader *r, struct err *e)
{
    struct str first = str_printf(r->a, "--%.*s", STR_ARG(boundary));
    bool closed = false;

    if (boundary.p == NULL || boundary.len == 0 || boundary.len > BOUNDARY_MAX)
        return bad(e, "the content type has no usable boundary");
    r->delimiter = str_printf(r->a, "\r\n--%.*s", STR_ARG(boundary));
    if (str_starts(r->rest, first)) {
        r->rest = str_slice(r->rest, first.len, r->rest.len);
    } else {
        ptrdiff_t at = str_find(r->rest, r->delimiter); /* a preamble is allowed and ignored */

        if (at < 0)
            return bad(e, "the boundary does not occur");
        r->rest = str_slice(r->rest, (size_t)at + r->delimiter.len, r->rest.len);
    }
    for (;;) {
        if (after_boundary(r, &closed, e) != 0)
            return -1;
        if (closed)
            return 0;
        if (take_part(r, e) != 0)
            return -1;
    }
}

/* ---- application/x-www-form-urlencoded
 * ---------------------------------------------------------------- */

static int parse_form(struct reader *r, struct err *e)
{
    while (r->rest.len > 0) {
        struct str value = str_cut(&r->rest, '&');
        struct http_part part = {0};

        if (value.len == 0)
            continue;
        part.name = url_decode(str_cut(&value, '='), true, r->a);
        part.value = url_decode(value, true, r->a);
        if (part.name.p == NULL || part.value.p == NULL) {
            err_set(e, ERR_INVALID, "form body: invalid escape behind \"%%\"");
            return -1;
        }
        if (r->n == PARTS_MAX) {
            err_set(e, ERR_INVALID, "form body: more than %d fields", PARTS_MAX);
            return -1;
        }
        add_part(r, &part);
    }
    return 0;
}

int multipart_parse(struct str content_type, struct str body, struct http_part **out, size_t *n,
                    struct arena *a, struct err *e)
{
    struct reader r = {.rest = body, .a = a};
    struct str type = header_media_type(content_type, a);
    int rc;

    if (str_eq_c(type, "multipart/form-data")) {
        rc = parse_multipart(header_param(content_type, "boundary", a), &r, e);
    } else if (str_eq_c(type, "application/x-www-form-urlencoded")) {
        rc = parse_form(&r, e);
    } else {
        err_set(e, ERR_INVALID, "content type \"%.*s\" is not a form", STR_ARG(type));
        rc = -1;
    }
    if (rc != 0)
        return -1;
    *out = r.parts;
    *n = r.n;
    return 0;
}
