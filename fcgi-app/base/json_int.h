/*
 * Reading JSON: what json.c (values) and json_lazy.c (checking, opening) share.
 */
#ifndef SLUICE_BASE_JSON_INT_H
#define SLUICE_BASE_JSON_INT_H

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/json.h"

/* One per object or array, in the order of the text: how to step over it without reading it. */
struct json_tape {
    uint32_t len;  /* bytes from bracket to bracket */
    uint32_t n;    /* items or members, repeated ones too */
    uint32_t next; /* entries of it and all it contains */
};

struct json_reader {
    const char *at;
    const char *end;
    const char *start;
    struct arena *a;
    const char *why; /* what is wrong at `at`, once something is */
    unsigned depth, limit;
    const struct json_tape *tape; /* of the next container, when opening; NULL reads everything */
    struct val *stack;            /* finished values of the containers being read */
    size_t n;
    size_t cap;
    struct val first[64];
};

struct json_span {
    struct str raw; /* between the quotes */
    bool escaped;
    bool ascii; /* no byte beyond ASCII in `raw` */
};

struct json_number {
    struct str raw;
    uint64_t mantissa; /* valid up to 19 digits */
    int n_digits;
    int exponent; /* of ten, for the mantissa */
    bool negative;
    bool is_float;
};

void json_reader_init(struct json_reader *r, struct str text, unsigned limit, struct arena *a);
void json_reader_release(struct json_reader *r);
/* Text is UTF-8 and of a length we can count; fills `e` otherwise. */
MUST_CHECK int json_admit(struct str text, struct err *e);
/* The reader's reason and place as an error; returns -1. */
int json_error(const struct json_reader *r, struct err *e);

/* Each of these returns false with r->why set. */
bool json_fail(struct json_reader *r, const char *why);
bool json_enter(struct json_reader *r);
bool json_scan_string(struct json_reader *r, struct json_span *out);
/* The text of a scanned string with escapes; its flag for ASCII is json_read_value's business. */
struct val json_decode(struct json_reader *r, struct json_span *s);
bool json_scan_number(struct json_reader *r, struct json_number *out);
bool json_scan_word(struct json_reader *r, struct val *out);
bool json_float(struct json_reader *r, const struct json_number *n, double *out);
bool json_read_value(struct json_reader *r, struct val *out);
bool json_read_list(struct json_reader *r, struct val *out);
bool json_read_dict(struct json_reader *r, struct val *out);

/* A container that stays unread: r->at and r->tape at its start, both are moved behind it. */
struct val json_lazy_child(struct json_reader *r);

static inline void json_blanks(struct json_reader *r)
{
    while (r->at < r->end && (unsigned char)*r->at <= ' ' &&
           (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
        r->at++;
}

/* The next byte, 0 at the end. */
static inline char json_peek(const struct json_reader *r)
{
    return r->at < r->end ? *r->at : '\0';
}

#if defined(__SSE2__)
/* Sixteen bytes at p: a bit for each that a string cannot hold as it is, and in *tops for each that is not ASCII. */
static inline unsigned json_marks(const char *p, unsigned *tops)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
    __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
    __m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));

    *tops = (unsigned)_mm_movemask_epi8(v);
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, slash)));
}
#endif

/*
 * The first byte from `p` on that a string cannot hold as it is: quote, backslash, control; `end`
 * when there is none.  *high collects the top bits of all bytes before it.
 *
 * Sixteen bytes a step where the processor surely can, else eight: (x - 0x01..) & ~x marks zero
 * bytes; marks above the lowest one may be wrong, the lowest is right, and that is the one used.
 */
static inline const char *json_plain_run(const char *p, const char *end, uint64_t *high)
{
    const uint64_t ones = 0x0101010101010101U;
    const uint64_t tops = 0x8080808080808080U;

#if defined(__SSE2__)
    for (; end - p >= 16; p += 16) {
        unsigned not_ascii, found = json_marks(p, &not_ascii);

        if (found != 0) {
            unsigned at = (unsigned)__builtin_ctz(found);

            *high |= not_ascii & ((1U << at) - 1);
            return p + at;
        }
        *high |= not_ascii;
    }
#endif
    while (end - p >= 8) {
        uint64_t w;
        __builtin_memcpy(&w, p, 8);
        uint64_t quote = w ^ ones * '"';
        uint64_t slash = w ^ ones * '\\';
        uint64_t marks =
            ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((w - ones * 0x20) & ~w);
        marks &= tops;
        if (marks != 0) {
            unsigned bit = (unsigned)__builtin_ctzll(marks) - 7;
            *high |= w & tops & ((UINT64_C(1) << bit) - 1);
            return p + bit / 8;
        }
        *high |= w & tops;
        p += 8;
    }
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        *high |= (unsigned char)*p++ & 0x80U;
    return p;
}

#endif
