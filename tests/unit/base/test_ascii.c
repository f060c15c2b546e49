/*
 * Characters of ASCII: every byte, so that none beside the digits passes.
 */
#include "support/cases.h"

#include "base/ascii.h"

static void knows_digits(void **state)
{
    static const char digits[] = "0123456789abcdefABCDEF";

    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        const char *at = byte != 0 ? strchr(digits, byte) : NULL;
        int place = at != NULL ? (int)(at - digits) : -1;
        int value = place >= 16 ? place - 6 : place;

        assert_int_equal(ascii_hex((char)byte), value);
        assert_int_equal(ascii_is_hex((char)byte), value >= 0);
        assert_int_equal(ascii_is_digit((char)byte), value >= 0 && value < 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(knows_digits)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
