/*
 * A form read as it comes: a window of a few kilobytes slides over the body.  Of a part's value
 * everything is given that cannot be the beginning of its delimiter.
 */
#include "http/multipart_stream.h"

#include "base/arena.h"
#include "http/header.h"
#include "http/multipart.h"

enum { WINDOW = 32 * 1024, HEADERS_MAX = 16 * 1024, BOUNDARY_MAX = 70, PARTS_MAX = 1000 };

struct multipart_stream {
    multipart_source *source;
    void *ctx;
    struct arena *a;
    struct str delimiter; /* "\r\n--boundary" */
    char *window;
    size_t at, n; /* what was not given yet */
    size_t parts;
    bool begun, in_part, closed;
};

static int bad(struct err *e, const char *why)
{
    err_set(e, ERR_INVALID, "multipart body: %s", why);
    return -1;
}

int multipart_stream_new(struct multipart_stream **out, struct str content_type,
                         multipart_source *source, void *ctx, struct arena *a, struct err *e)
{
    struct str boundary = header_param(content_type, "boundary", a);
    struct multipart_stream *m;

    if (!str_eq_c(header_media_type(content_type, a), "multipart/form-data"))
        return bad(e, "the content type is not multipart/form-data");
    if (boundary.len == 0 || boundary.len > BOUNDARY_MAX)
        return bad(e, "the content type has no usable boundary");
    m = ARENA_NEW(a, struct multipart_stream);
    m->source = source;
    m->ctx = ctx;
    m->a = a;
    m->delimiter = str_printf(a, "\r\n--%.*s", STR_ARG(boundary));
    m->window = arena_alloc(a, WINDOW);
    /* as if the body began on a new line: the first boundary looks like the others */
    memcpy(m->window, "\r\n", 2);
    m->n = 2;
    *out = m;
    return 0;
}

static struct str ahead(const struct multipart_stream *m)
{
    return str_make(m->window + m->at, m->n - m->at);
}

/* More of the body behind what is there: 1, 0 at its end, -1. */
static int more(struct multipart_stream *m, struct err *e)
{
    ptrdiff_t got;

    if (m->at > 0) {
        memmove(m->window, m->window + m->at, m->n - m->at);
        m->n -= m->at;
        m->at = 0;
    }
    if (m->n == WINDOW)
        return bad(e, "the headers of a part are too long");
    got = m->source(m->ctx, m->window + m->n, WINDOW - m->n);
    if (got < 0)
        return bad(e, "the sender broke off");
    m->n += (size_t)got;
    return got > 0;
}

/* How much of what is ahead belongs to the value for sure; *found: the delimiter follows it. */
static size_t value_ahead(const struct multipart_stream *m, bool *found)
{
    struct str s = ahead(m);
    ptrdiff_t end = str_find(s, m->delimiter);

    *found = end >= 0;
    if (*found)
        return (size_t)end;
    for (size_t keep = m->delimiter.len - 1; keep > 0; keep--) {
        if (keep <= s.len &&
            memcmp(s.p + s.len - keep, m->delimiter.p, keep) == 0)
            return s.len - keep;
    }
    return s.len;
}

/* Behind a delimiter: "--" closes, blanks and CRLF lead to the headers. */
static int after_boundary(struct multipart_stream *m, struct err *e)
{
    struct str s;

    m->at += m->delimiter.len;
    for (;;) {
        s = ahead(m);
        while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
            m->at++;
            s = ahead(m);
        }
        if (s.len >= 2)
            break;
        int rc = more(m, e);
        if (rc < 0)
            return -1;
        if (rc == 0)
            return bad(e, "the closing boundary is missing");
    }
    if (str_starts(s, STR("--"))) {
        m->closed = true;
        return 0;
    }
    if (!str_starts(s, STR("\r\n")))
        return bad(e, "text behind a boundary");
    m->at += 2;
    return 0;
}

ptrdiff_t multipart_stream_read(struct multipart_stream *m, void *p, size_t n, struct err *e)
{
    if (!m->in_part || n == 0)
        return 0;
    for (;;) {
        bool found;
        size_t take = value_ahead(m, &found);
        int rc;

        if (take > 0) {
            if (take > n)
                take = n;
            memcpy(p, m->window + m->at, take);
            m->at += take;
            return (ptrdiff_t)take;
        }
        if (found) {
            m->in_part = false;
            return after_boundary(m, e) == 0 ? 0 : -1;
        }
        rc = more(m, e);
        if (rc < 0)
            return -1;
        if (rc == 0)
            return bad(e, "the closing boundary is missing");
    }
}

static int skip_value(struct multipart_stream *m, struct err *e)
{
    char piece[4096];
    ptrdiff_t got;

    while ((got = multipart_stream_read(m, piece, sizeof piece, e)) > 0)
        continue;
    return got < 0 ? -1 : 0;
}

/* One line of the part's headers, without its end; it lives in the arena. */
static int header_line(struct multipart_stream *m, struct str *line, struct err *e)
{
    for (;;) {
        struct str s = ahead(m);
        ptrdiff_t end = str_find(s, STR("\r\n"));
        int rc;

        if (end >= 0) {
            *line = str_dup(m->a, str_slice(s, 0, (size_t)end));
            m->at += (size_t)end + 2;
            return 0;
        }
        if (s.len > HEADERS_MAX)
            return bad(e, "the headers of a part are too long");
        rc = more(m, e);
        if (rc < 0)
            return -1;
        if (rc == 0)
            return bad(e, "a part without end of its headers");
    }
}

int multipart_stream_next(struct multipart_stream *m, struct http_part *part, struct err *e)
{
    size_t length = 0;
    bool named = false;

    *part = (struct http_part){0};
    if (!m->begun)
        m->begun = m->in_part = true; /* a preamble is allowed and ignored */
    if (skip_value(m, e) != 0)
        return -1;
    if (m->closed)
        return 0;
    if (++m->parts > PARTS_MAX) {
        err_set(e, ERR_INVALID, "multipart body: more than %d parts", PARTS_MAX);
        return -1;
    }
    for (;;) {
        struct str line;

        if (header_line(m, &line, e) != 0)
            return -1;
        if (line.len == 0)
            break;
        length += line.len;
        if (length > HEADERS_MAX)
            return bad(e, "the headers of a part are too long");
        multipart_header(line, part, &named, m->a);
    }
    if (!named)
        return bad(e, "a part without a name in its Content-Disposition");
    m->in_part = true;
    return 1;
}

int multipart_stream_text(struct multipart_stream *m, size_t max, struct str *out, struct err *e)
{
    char piece[4096];
    struct buf b;
    ptrdiff_t got;

    buf_init(&b, max, m->a);
    while ((got = multipart_stream_read(m, piece, sizeof piece, e)) > 0)
        buf_add(&b, piece, (size_t)got);
    if (got < 0)
        return -1;
    if (b.over) {
        err_set(e, ERR_LIMIT, "multipart body: a field is longer than %zu bytes", max);
        return -1;
    }
    *out = b.p != NULL ? buf_str(&b) : STR("");
    return 0;
}
