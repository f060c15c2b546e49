/*
 * Reading HTTP/1.1 answers.
 */
#include "http1.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/limits.h"
#include "http/header.h"

enum { HEADERS_MAX = 256, CHUNK_LINE_MAX = 4096, TRAILER_MAX = 16384 };

size_t http1_head_end(struct str bytes)
{
    const char *p = bytes.p, *end = bytes.p + bytes.len;

    while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        p++;
        if (p < end && *p == '\n')
            return (size_t)(p + 1 - bytes.p);
        if (end - p >= 2 && p[0] == '\r' && p[1] == '\n')
            return (size_t)(p + 2 - bytes.p);
    }
    return 0;
}

static int invalid(struct err *e, const char *why)
{
    err_set(e, ERR_UPSTREAM, "sent an invalid answer");
    err_detail(e, "%s", why);
    return -1;
}

static struct str next_line(struct str *rest)
{
    struct str line = str_cut(rest, '\n');

    if (line.len > 0 && line.p[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* "HTTP/1.1 200 OK" */
static int read_status(struct str line, struct http1_head *h, struct err *e)
{
    if (line.len < 12 || !str_starts(line, STR("HTTP/1.")) || (line.p[7] != '0' && line.p[7] != '1') || line.p[8] != ' ')
        return invalid(e, "no status line");
    h->status = 0;
    for (size_t i = 9; i < 12; i++) {
        if (line.p[i] < '0' || line.p[i] > '9')
            return invalid(e, "no status code");
        h->status = h->status * 10 + (line.p[i] - '0');
    }
    if (h->status < 100 || (line.len > 12 && line.p[12] != ' '))
        return invalid(e, "no status code");
    h->keep_alive = line.p[7] == '1';
    return 0;
}

static int read_header(struct str line, struct http1_head *h, struct arena *a, struct err *e)
{
    ptrdiff_t colon = str_find_char(line, ':');
    struct str name, value;

    if (colon <= 0)
        return invalid(e, "header line without a name");
    name = str_slice(line, 0, (size_t)colon);
    value = str_trim(str_slice(line, (size_t)colon + 1, line.len));
    if (!header_is_token(name))
        return invalid(e, "header name with a forbidden character");
    if (!header_is_value(value))
        return invalid(e, "header value with a control character");
    h->headers[h->n_headers++] = (struct http_header){str_lower(a, name), value};
    return 0;
}

static bool has_token(struct str list, struct str token)
{
    while (list.len > 0) {
        if (str_ieq(str_trim(str_cut(&list, ',')), token))
            return true;
    }
    return false;
}

static int read_framing(struct http1_head *h, bool is_head, struct err *e)
{
    bool has_length = false, chunked = false;

    for (size_t i = 0; i < h->n_headers; i++) {
        struct str name = h->headers[i].name, value = h->headers[i].value;
        int64_t n;

        if (str_eq(name, STR("content-length"))) {
            if (value.len == 0 || value.p[0] == '+' || !str_to_int(value, &n) || n < 0)
                return invalid(e, "content-length is no number");
            if (has_length && h->length != (uint64_t)n)
                return invalid(e, "two different lengths");
            has_length = true;
            h->length = (uint64_t)n;
        } else if (str_eq(name, STR("transfer-encoding"))) {
            if (chunked || !str_ieq(value, STR("chunked")))
                return invalid(e, "unknown transfer-encoding");
            chunked = true;
        } else if (str_eq(name, STR("connection"))) {
            if (has_token(value, STR("close")))
                h->keep_alive = false;
            else if (has_token(value, STR("keep-alive")))
                h->keep_alive = true;
        }
    }
    if (chunked && has_length)
        return invalid(e, "both a length and chunks");
    h->framing = chunked ? HTTP1_CHUNKED : has_length ? HTTP1_LENGTH : HTTP1_CLOSE;
    if (is_head || h->status < 200 || h->status == 204 || h->status == 304)
        h->framing = HTTP1_NONE;
    if (h->framing == HTTP1_CLOSE)
        h->keep_alive = false;
    return 0;
}

static size_t count_lines(struct str block)
{
    size_t n = 0;

    for (const char *p = block.p, *end = p + block.len; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
        n++;
    return n;
}

int http1_head_read(struct str block, bool is_head, struct http1_head *out, struct arena *a, struct err *e)
{
    struct str rest = block;
    size_t n_lines = count_lines(block);

    if (n_lines > HEADERS_MAX + 2)
        return invalid(e, "too many header lines");
    *out = (struct http1_head){.headers = ARENA_ARRAY(a, struct http_header, n_lines)};
    if (read_status(next_line(&rest), out, e) != 0)
        return -1;
    while (rest.len > 0) {
        struct str line = next_line(&rest);

        if (line.len == 0)
            break;
        if (line.p[0] == ' ' || line.p[0] == '\t')
            return invalid(e, "folded header line");
        if (read_header(line, out, a, e) != 0)
            return -1;
    }
    return read_framing(out, is_head, e);
}

struct str http1_header(const struct http1_head *h, const char *name)
{
    for (size_t i = 0; i < h->n_headers; i++) {
        if (str_eq_c(h->headers[i].name, name))
            return h->headers[i].value;
    }
    return STR_NONE;
}

/* States of the chunk reader; each names what the next byte belongs to. */
enum {
    CHUNK_SIZE,     /* hexadecimal digits */
    CHUNK_EXT,      /* extension up to the end of the line */
    CHUNK_DATA,     /* `left` bytes of payload */
    CHUNK_DATA_CR,  /* the line end behind the payload */
    CHUNK_DATA_LF,
    CHUNK_TRAILER,  /* start of a trailer line */
    CHUNK_TRAILER_LINE,
};

void http1_body_start(struct http1_body *b, const struct http1_head *h)
{
    *b = (struct http1_body){.framing = h->framing, .state = CHUNK_SIZE};
    if (h->framing == HTTP1_LENGTH)
        b->left = h->length;
    b->done = h->framing == HTTP1_NONE || (h->framing == HTTP1_LENGTH && h->length == 0);
}

/* One byte of chunk framing; -1 when it may not stand there. */
static int chunk_step(struct http1_body *b, char c)
{
    switch (b->state) {
    case CHUNK_SIZE:
        if (ascii_hex(c) >= 0) {
            if (++b->digits > 15)
                return -1;
            b->left = b->left * 16 + (uint64_t)ascii_hex(c);
            return 0;
        }
        if (b->digits == 0 || (c != '\r' && c != '\n' && c != ';' && c != ' ' && c != '\t'))
            return -1;
        b->state = CHUNK_EXT;
        b->line = 0;
        return c == '\n' ? chunk_step(b, c) : 0;
    case CHUNK_EXT:
        if (++b->line > CHUNK_LINE_MAX)
            return -1;
        if (c == '\n') {
            b->state = b->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
            b->digits = 0;
            b->line = 0;
        }
        return 0;
    case CHUNK_DATA_CR:
        b->state = c == '\r' ? CHUNK_DATA_LF : CHUNK_SIZE;
        return c == '\r' || c == '\n' ? 0 : -1;
    case CHUNK_DATA_LF:
        b->state = CHUNK_SIZE;
        return c == '\n' ? 0 : -1;
    case CHUNK_TRAILER:
        if (c == '\n')
            b->done = true;
        else if (c != '\r')
            b->state = CHUNK_TRAILER_LINE;
        return 0;
    default:
        if (++b->line > TRAILER_MAX)
            return -1;
        if (c == '\n')
            b->state = CHUNK_TRAILER;
        return 0;
    }
}

static void take(struct http1_body *b, struct str *bytes, struct str *piece)
{
    size_t n = bytes->len < b->left ? bytes->len : (size_t)b->left;

    *piece = str_slice(*bytes, 0, n);
    *bytes = str_slice(*bytes, n, bytes->len);
    b->left -= n;
}

int http1_body_next(struct http1_body *b, struct str *bytes, struct str *piece)
{
    if (b->done || bytes->len == 0)
        return 0;
    if (b->framing == HTTP1_CLOSE) {
        *piece = *bytes;
        *bytes = str_slice(*bytes, bytes->len, bytes->len);
        return 1;
    }
    if (b->framing == HTTP1_LENGTH) {
        take(b, bytes, piece);
        b->done = b->left == 0;
        return 1;
    }
    while (bytes->len > 0 && !b->done) {
        if (b->state == CHUNK_DATA) {
            take(b, bytes, piece);
            if (b->left == 0)
                b->state = CHUNK_DATA_CR;
            return 1;
        }
        if (chunk_step(b, bytes->p[0]) != 0)
            return -1;
        *bytes = str_slice(*bytes, 1, bytes->len);
    }
    return 0;
}
