/*
 * Telephone numbers, by libphonenumber.
 *
 * Its tables are read-only after the first use: any number of threads may ask at once.
 */
#ifndef SLUICE_FORMAT_PHONE_H
#define SLUICE_FORMAT_PHONE_H

#include "base/str.h"

#ifdef __cplusplus
extern "C" {
#endif

struct phone {
    int country_code;
    char e164[24];    /* "+33612345678" */
    char region[4];   /* ISO alpha-2, or "001" for numbers of no country */
    const char *type; /* "MOBILE", "FIXED_LINE" ...; static */
};

/* Read a number; `region` ("FR") says where national ones are at home, empty = only "+..." is read.
 * True when it is a valid number, *out is filled then. */
bool phone_parse(struct str text, struct str region, struct phone *out);

#ifdef __cplusplus
}
#endif

#endif
