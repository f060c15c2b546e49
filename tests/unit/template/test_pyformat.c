/*
 * str.format and printf-style formatting: the corners of the two languages.
 */
#include "unit/template/renders.h"

static const struct render_row rows[] = {
    {"alignment", "[{{ '{:<5}|{:>5}|{:^5}|{:*^5}'.format('a', 'b', 'c', 'd') }}]",
     "[a    |    b|  c  |**d**]", NULL},
    {"numbers", "{{ '{:d} {:+d} {: d} {:05d} {:,} {:_}'.format(1, 2, 3, 4, 1234567, 1234567) }}",
     "1 +2  3 00004 1,234,567 1_234_567", NULL},
    {"bases", "{{ '{:b} {:o} {:x} {:X} {:#x} {:#b}'.format(5, 8, 255, 255, 255, 5) }}",
     "101 10 ff FF 0xff 0b101", NULL},
    {"big bases", "{{ '{:x} {:b} {:o}'.format(10**20, 2**70, 10**20) }}",
     "56bc75e2d63100000 10000000000000000000000000000000000000000000000000000000000000000000000 "
     "12657072742654304000000",
     NULL},
    {"floats",
     "{{ '{:.2f} {:e} {:g} {:.3} {:%} {:.1%}'.format(3.14159, 12345.678, 1e10, 1.0, 0.5, 0.123) }}",
     "3.14 1.234568e+04 1e+10 1.0 50.000000% 12.3%", NULL},
    {"zeros are grouped", "{{ '{:010,}|{:08.1f}|{:=+8d}'.format(1234, 3.14159, 42) }}",
     "00,001,234|000003.1|+     42", NULL},
    {"nested width", "{{ '{:>{}}|{:{w}.{p}f}'.format('a', 4, 2.5, w=6, p=2) }}", "   a|  2.50",
     NULL},
    {"fields",
     "{{ '{0[a]} {0[b][1]} {x.year} {1!r:>5}'.format({'a': 1, 'b': [2, 3]}, 'q', x=now()) }}",
     "1 3 2021   'q'", NULL},
    {"dates take strftime", "{{ '{:%d.%m.%Y}'.format(now()) }}", "19.02.2021", NULL},
    {"braces", "{{ '{{}} {{{}}}'.format(1) }}", "{} {1}", NULL},
    {"too few", "{{ '{} {}'.format(1) }}", "! IndexError", NULL},
    {"no such name", "{{ '{a}'.format(b=1) }}", "! KeyError", NULL},
    {"mixed numbering", "{{ '{} {0}'.format(1) }}", "! ValueError", NULL},
    {"lone brace", "{{ '}'.format() }}", "! ValueError", NULL},
    {"bad code", "{{ '{:d}'.format('a') }}", "! ValueError", NULL},
    {"bad code for a float", "{{ '{:d}'.format(1.5) }}", "! ValueError", NULL},
    {"none takes no format", "{{ '{:5}'.format(none) }}", "! TypeError", NULL},
    {"private fields", "{{ '{0.__class__.__mro__}'.format(1) }}", "! SecurityError", NULL},
    {"deep nesting", "{{ '{:{:{}}}'.format(1, 2, 3) }}", "! ValueError", NULL},
    {"a width too large", "{{ '{:999999999999}'.format(1) }}", "! LimitError", NULL},
    {"percent", "{{ '%s %r %d %i %5.1f|%-5d|%05d|%+d' % ('a', 'b', 1.9, 2, 3.14, 4, 5, 6) }}",
     "a 'b' 1 2   3.1|4    |00005|+6", NULL},
    {"percent bases",
     "{{ '%x %X %#x %o %#o %e %g %c %c' % (255, 255, 255, 8, 8, 1.5, 1e20, 65, 'b') }}",
     "ff FF 0xff 10 0o10 1.500000e+00 1e+20 A b", NULL},
    {"percent with names", "{{ '%(a)s-%(b)03d' % {'a': 1, 'b': 2} }}", "1-002", NULL},
    {"percent with stars", "{{ '[%*d]' % (5, 42) }}{{ '[%-*.*f]' % (8, 2, 3.14159) }}",
     "[   42][3.14    ]", NULL},
    {"percent itself", "{{ '100%%' % () }}", "100%", NULL},
    {"percent too few", "{{ '%s %s' % (1,) }}", "! TypeError", NULL},
    {"percent too many", "{{ '%s' % (1, 2) }}", "! TypeError", NULL},
    {"percent of a text", "{{ '%d' % 'a' }}", "! TypeError", NULL},
    {"percent unknown", "{{ '%y' % 1 }}", "! ValueError", NULL},
    {"percent cut off", "{{ '%' % 1 }}", "! ValueError", NULL},
    {"percent big", "{{ '%d %x' % (10**25, 10**25) }}",
     "10000000000000000000000000 84595161401484a000000", NULL},
    {"percent ascii", "{{ '%a' % 'h\xC3\xA9' }}", "'h\\xe9'", NULL},
};

int main(void)
{
    return CASES(rows, renders);
}
