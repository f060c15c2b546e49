/*
 * Printing values.
 */
#include "template/vm_fast.h"
#include "template/vm_int.h"

static void put_int(struct buf *out, int64_t i)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
        "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
        "8081828384858687888990919293949596979899";
    char digits[24];
    char *p = digits + sizeof(digits);
    uint64_t n = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;

    while (n >= 100) {
        p -= 2;
        memcpy(p, pairs + n % 100 * 2, 2);
        n /= 100;
    }
    if (n >= 10) {
        p -= 2;
        memcpy(p, pairs + n * 2, 2);
    } else {
        *--p = (char)('0' + n);
    }
    if (i < 0)
        *--p = '-';
    put_text(out, p, (size_t)(digits + sizeof(digits) - p));
}

int vm_print(struct vm *vm, struct val v)
{
    struct buf *out = vm->out;

    switch (v.type) {
    case VAL_STR:
        put_text(out, v.u.s, v.len);
        return 0;
    case VAL_INT:
        put_int(out, v.u.i);
        return 0;
    case VAL_UNDEF:
        return undef_print(vm, v);
    default:
        val_to_str(v, out);
        return 0;
    }
}

int vm_print_escaped(struct vm *vm, struct val v)
{
    struct buf words;

    if (v.type == VAL_UNDEF && vm->undefined == TMPL_UNDEF_DEBUG) {
        buf_init(&words, SIZE_MAX, vm->a);
        if (vm_undef_text(&vm->call, v, &words) != 0)
            return -1;
        html_escape(buf_str(&words), vm->out);
        return 0;
    }
    if (v.type == VAL_STR) {
        if ((v.flags & VAL_F_MARKUP) != 0)
            put_text(vm->out, v.u.s, v.len);
        else
            html_escape(val_text(v), vm->out);
        return 0;
    }
    if (v.type < VAL_STR)
        return vm_print(vm, v);
    html_escape(val_str_of(v, vm->a), vm->out);
    return 0;
}

int vm_print_raw(struct vm *vm, struct val v)
{
    if (v.type != VAL_STR)
        return call_raise(&vm->call, TMPL_EXC_TYPE,
                          "sequence item 0: expected str instance, %s found",
                          v.type == VAL_UNDEF ? "Undefined" : val_type_name(v));
    put_text(vm->out, v.u.s, v.len);
    return 0;
}
