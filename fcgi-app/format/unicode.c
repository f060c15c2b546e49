/*
 * Names and directions of characters, from ICU's tables.
 *
 * Rule: Unicode's names with their corrections; RFC 5893, section 2, for labels of host names.
 */
#include "format/unicode.h"

#include <unicode/uchar.h>

enum { NAME_MAX_BYTES = 120 };

bool unicode_by_name(struct str name, uint32_t *cp)
{
    UErrorCode status = U_ZERO_ERROR;
    char text[NAME_MAX_BYTES];
    UChar32 c;

    if (name.len == 0 || name.len >= sizeof text || memchr(name.p, '\0', name.len) != NULL)
        return false;
    memcpy(text, name.p, name.len);
    text[name.len] = '\0';
    c = u_charFromName(U_UNICODE_CHAR_NAME, text, &status);
    if (U_FAILURE(status)) {
        status = U_ZERO_ERROR;
        c = u_charFromName(U_CHAR_NAME_ALIAS, text, &status);
    }
    *cp = (uint32_t)c;
    return U_SUCCESS(status);
}

#define IS(direction) (1U << U_##direction)
#define NEUTRAL                                                                                    \
    (IS(EUROPEAN_NUMBER) | IS(EUROPEAN_NUMBER_SEPARATOR) | IS(COMMON_NUMBER_SEPARATOR) |           \
     IS(EUROPEAN_NUMBER_TERMINATOR) | IS(OTHER_NEUTRAL) | IS(BOUNDARY_NEUTRAL) |                   \
     IS(DIR_NON_SPACING_MARK))
#define LEFT IS(LEFT_TO_RIGHT)
#define RIGHT (IS(RIGHT_TO_LEFT) | IS(RIGHT_TO_LEFT_ARABIC))

bool unicode_bidi_label(const uint32_t *cp, size_t n, bool *rtl)
{
    unsigned all = 0;
    unsigned last = 0; /* marks at the end do not count */
    unsigned first;

    if (n == 0)
        return true;
    for (size_t i = 0; i < n; i++) {
        unsigned direction = 1U << u_charDirection((UChar32)cp[i]);

        all |= direction;
        if (direction != IS(DIR_NON_SPACING_MARK))
            last = direction;
    }
    if ((all & (RIGHT | IS(ARABIC_NUMBER))) != 0)
        *rtl = true;
    first = 1U << u_charDirection((UChar32)cp[0]);
    if ((first & RIGHT) != 0)
        return (all & ~(RIGHT | IS(ARABIC_NUMBER) | NEUTRAL)) == 0 &&
               (last & (RIGHT | IS(EUROPEAN_NUMBER) | IS(ARABIC_NUMBER))) != 0 &&
               (all & (IS(EUROPEAN_NUMBER) | IS(ARABIC_NUMBER))) !=
                   (IS(EUROPEAN_NUMBER) | IS(ARABIC_NUMBER));
    return (first & LEFT) != 0 && (all & ~(LEFT | NEUTRAL)) == 0 &&
           (last & (LEFT | IS(EUROPEAN_NUMBER))) != 0;
}
