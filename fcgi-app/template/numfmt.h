/*
 * Numbers as text: the part that str.format and printf-style formatting share.
 */
#ifndef SLUICE_TEMPLATE_NUMFMT_H
#define SLUICE_TEMPLATE_NUMFMT_H

#include "template/library_int.h"

/* How a value is laid out: [[fill]align][sign][z][#][0][width][grouping][.precision][type]. */
struct fmt_spec {
    struct str fill;    /* one code point */
    char align;         /* '<', '>', '^', '=', or 0 for the type's own */
    char sign;          /* '+', ' ' or '-' */
    bool alt;           /* "#": prefix, or always a point */
    bool positive_zero; /* "z": no "-0" */
    int64_t width;
    char grouping;     /* ',', '_' or 0 */
    int64_t precision; /* -1 = not given */
    char type;         /* 0 = not given */
};

/* A number cut in its parts. */
struct num_text {
    bool negative;
    const char *prefix; /* "0x" or "" */
    struct str whole;   /* digits before the point, or "inf", "nan" */
    struct str rest;    /* point, fraction, exponent, "%" */
    bool digits;        /* whole is digits: may be grouped and filled with zeros */
    char small[68];     /* where `whole` lies for small integers: do not copy the struct */
};

/* An integer in base 2, 8, 10 or 16 (type b o d x X).  Raises when it is too large. */
MUST_CHECK int num_int_text(struct call *c, struct val v, char type, bool alt,
                            struct num_text *out);
/* A float after type e f g % or 0 (repr-like), any case. */
void num_float_text(struct call *c, double f, const struct fmt_spec *spec, struct num_text *out);
/* Sign, prefix, digits with grouping, and filling to the width. */
void num_put(const struct num_text *n, const struct fmt_spec *spec, struct arena *a,
             struct buf *out);
/* Text filled to the width; `align` is used when the spec has none. */
void fmt_pad(struct str text, const struct fmt_spec *spec, char align, struct buf *out);

#endif
