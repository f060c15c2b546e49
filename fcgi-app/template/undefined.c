/*
 * Undefined values: what they print, and what is raised for using them.
 *
 * Rule: Jinja2's Undefined, StrictUndefined, ChainableUndefined and DebugUndefined.  Which of them
 * a template uses is a property of its environment; the value itself remembers what was looked for.
 */
#include "template/vm_int.h"

#include <stdio.h>

static const char *type_words(uint32_t type)
{
    static const char *const words[] = {
        [VAL_UNDEF] = "Undefined",    [VAL_NULL] = "None",          [VAL_BOOL] = "bool object",
        [VAL_INT] = "int object",     [VAL_BIGINT] = "int object",  [VAL_FLOAT] = "float object",
        [VAL_STR] = "str object",     [VAL_BYTES] = "bytes object", [VAL_LIST] = "list object",
        [VAL_TUPLE] = "tuple object", [VAL_DICT] = "dict object",   [VAL_OBJ] = "object",
    };

    return type < COUNT_OF(words) ? words[type] : "object";
}

const char *object_words(struct val v, struct arena *a)
{
    static const char *const runtime[] = {"LoopContext", "TemplateReference", "BlockReference",
                                          "Macro"};
    static const char *const utils[] = {"Namespace", "Cycler", "Joiner"};
    const char *name;
    size_t i;

    if (v.type == VAL_STR && (v.flags & VAL_F_MARKUP) != 0)
        return "markupsafe.Markup object";
    if (v.type != VAL_OBJ)
        return type_words(v.type);
    name = v.u.obj->cls->name;
    for (i = 0; i < COUNT_OF(runtime); i++) {
        if (strcmp(name, runtime[i]) == 0)
            return arena_printf(a, "jinja2.runtime.%s object", name);
    }
    if (strcmp(name, "TemplateModule") == 0)
        return "jinja2.environment.TemplateModule object";
    for (i = 0; i < COUNT_OF(utils); i++) {
        if (strcmp(name, utils[i]) == 0)
            return arena_printf(a, "jinja2.utils.%s object", name);
    }
    return arena_printf(a, "%s object", name);
}

static enum tmpl_undefined policy(const struct call *c)
{
    return c->vm != NULL ? c->vm->undefined : TMPL_UNDEF_LENIENT;
}

/* What the value tells when it is used, for the exception and for _undefined_message. */
static const char *words_of(struct val v, struct arena *a)
{
    const char *name = v.u.undef_name != NULL ? v.u.undef_name : "value";
    const char *key;

    switch (v.reserved) {
    case UNDEF_MESSAGE:
    case UNDEF_LENIENT:
    case UNDEF_SECURITY:
        return name;
    case UNDEF_ELEMENT:
        key = name + strlen(name) + 1;
        if (key[0] == '\'' || key[0] == '"') /* the name of an attribute */
            return arena_printf(a, "'%s' has no attribute %s", name, key);
        return arena_printf(a, "%s has no element %s", name, key);
    case UNDEF_ATTR:
        return arena_printf(a, "'%s' has no attribute '%s'", type_words(v.len), name);
    default:
        return arena_printf(a, "'%s' is undefined", name);
    }
}

int undef_fail(struct call *c, struct val v)
{
    enum tmpl_exc exc = v.reserved == UNDEF_SECURITY ? TMPL_EXC_SECURITY : TMPL_EXC_UNDEFINED;

    return call_raise(c, exc, "%s", words_of(v, c->a));
}

/* Every object of Python has these; none may be touched. */
static bool is_python_own(struct str name)
{
    return str_eq_c(name, "__class__") || str_eq_c(name, "__call__") || str_eq_c(name, "__init__");
}

/* The key that was looked for, of an element: kept as Python prints it. */
static struct val missing_key(struct val v)
{
    struct str key = str_c(v.u.undef_name + strlen(v.u.undef_name) + 1);
    bool quoted = key.len > 1 && (key.p[0] == '\'' || key.p[0] == '"');

    return val_str(quoted ? str_slice(key, 1, key.len - 1) : key);
}

struct val undef_own_attr(struct vm *vm, struct val v, struct str name)
{
    static const char *const classes[] = {[TMPL_UNDEF_LENIENT] = "Undefined",
                                          [TMPL_UNDEF_STRICT] = "StrictUndefined",
                                          [TMPL_UNDEF_CHAINABLE] = "ChainableUndefined",
                                          [TMPL_UNDEF_DEBUG] = "DebugUndefined"};
    bool hint = v.reserved == UNDEF_MESSAGE || v.reserved == UNDEF_LENIENT ||
                v.reserved == UNDEF_SECURITY || v.u.undef_name == NULL;

    if (str_eq_c(name, "_undefined_message"))
        return val_str_c(words_of(v, vm->a));
    if (str_eq_c(name, "_undefined_hint"))
        return hint && v.u.undef_name != NULL ? val_str_c(v.u.undef_name) : val_null();
    if (str_eq_c(name, "_undefined_name")) {
        if (hint)
            return val_null();
        return v.reserved == UNDEF_ELEMENT ? missing_key(v) : val_str_c(v.u.undef_name);
    }
    if (!is_python_own(name))
        return val_undef(NULL);
    return undef_make(UNDEF_SECURITY,
                      arena_printf(vm->a, "access to attribute '%.*s' of '%s' object is unsafe.",
                                   STR_ARG(name), classes[vm->undefined]));
}

int vm_fail_undefined(struct call *c, struct val v)
{
    return undef_fail(c, v);
}

int undef_look(struct call *c, struct val v)
{
    return policy(c) == TMPL_UNDEF_STRICT && v.reserved != UNDEF_LENIENT ? undef_fail(c, v) : 0;
}

static struct val no_element(struct vm *vm, struct val obj, struct val key)
{
    struct buf b;

    buf_init(&b, ERR_TEXT_MAX, vm->a);
    buf_add_c(&b, object_words(obj, vm->a));
    buf_putc(&b, '\0');
    val_to_repr(key, &b);
    return undef_make(UNDEF_ELEMENT, buf_cstr(&b));
}

struct val undef_attr(struct vm *vm, struct val obj, struct str name)
{
    struct val v;

    if (obj.type == VAL_OBJ || (obj.type == VAL_STR && (obj.flags & VAL_F_MARKUP) != 0))
        return no_element(vm, obj, val_str(name));
    v = undef_make(UNDEF_ATTR, str_cstr(vm->a, name));
    v.len = obj.type;
    return v;
}

struct val undef_element(struct vm *vm, struct val obj, struct val key)
{
    return key.type == VAL_STR ? undef_attr(vm, obj, val_text(key)) : no_element(vm, obj, key);
}

struct val vm_undef_attr(struct call *c, struct val obj, struct str name)
{
    return undef_attr(c->vm, obj, name);
}

struct val vm_undef_because(const char *words)
{
    return undef_make(UNDEF_MESSAGE, words);
}

int vm_undef_text(struct call *c, struct val v, struct buf *out)
{
    const char *name = v.u.undef_name != NULL ? v.u.undef_name : "";

    if (undef_look(c, v) != 0)
        return -1;
    if (policy(c) != TMPL_UNDEF_DEBUG || v.reserved == UNDEF_LENIENT)
        return 0;
    if (v.reserved == UNDEF_MESSAGE || v.reserved == UNDEF_SECURITY)
        buf_addf(out, "{{ undefined value printed: %s }}", name);
    else if (v.reserved == UNDEF_ELEMENT)
        buf_addf(out, "{{ no such element: %s[%s] }}", name, name + strlen(name) + 1);
    else if (v.reserved == UNDEF_ATTR)
        buf_addf(out, "{{ no such element: %s['%s'] }}", type_words(v.len), name);
    else
        buf_addf(out, "{{ %s }}", name);
    return 0;
}

int undef_print(struct vm *vm, struct val v)
{
    return vm_undef_text(&vm->call, v, vm->out);
}
