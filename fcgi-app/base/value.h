/*
 * Values: one type for JSON, template and workflow data, with Python's meaning.
 *
 * A value is 16 bytes, passed by value; text, lists and dictionaries live in an arena that must
 * outlive it.  Values are immutable once built: who builds a list or dictionary may add to it until
 * it is handed on.  Crossing to a longer-lived arena is an explicit val_copy().
 *
 * Rules of equality, truth, ordering and text form are those of Python 3 (language reference 3.1,
 * 6.10), because Jinja2 templates show them: True == 1 == 1.0, str(1e20) == "1e+20".
 *
 * VAL_OBJ is how an upper folder adds a kind of its own (macros, loops, generators, date-times):
 * a table of functions beside a pointer.
 */
#ifndef SLUICE_BASE_VALUE_H
#define SLUICE_BASE_VALUE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum val_type {
    VAL_UNDEF = 0, /* nothing there: Jinja's undefined; has no JSON form (written as null) */
    VAL_NULL,      /* None */
    VAL_BOOL,
    VAL_INT,    /* fits 64 bits */
    VAL_BIGINT, /* does not: see base/bigint.h */
    VAL_FLOAT,
    VAL_STR,   /* well-formed UTF-8, may hold NUL */
    VAL_BYTES, /* Python's bytes */
    VAL_LIST,
    VAL_TUPLE,
    VAL_DICT, /* insertion order; keys are hashable values */
    VAL_OBJ,
};

enum val_flags {
    VAL_F_ASCII = 1,  /* VAL_STR: known to be ASCII, so a code point is a byte */
    VAL_F_MARKUP = 2, /* VAL_STR: safe HTML (markupsafe.Markup) */
    VAL_F_LAZY = 4,   /* VAL_LIST, VAL_DICT: unread JSON text, opened by the accessors */
};

struct val_list;
struct val_dict;
struct val_obj;
struct bigint;

struct val {
    uint8_t type;
    uint8_t flags;
    uint16_t reserved;
    uint32_t len; /* VAL_STR, VAL_BYTES: bytes */
    union {
        bool b;
        int64_t i;
        double f;
        const char *s;
        struct val_list *list;
        struct val_dict *dict;
        struct val_obj *obj;
        const struct bigint *big;
        const char *undef_name; /* VAL_UNDEF: what was looked for, or NULL */
    } u;
};

struct val_list {
    uint32_t n;
    uint32_t cap;
    struct val *items;
    struct arena *a; /* where it grows */
};

struct val_pair {
    struct val key;
    struct val value;
    uint64_t hash; /* of the key; 0 as long as nobody needed it */
};

struct val_dict {
    uint32_t n;
    uint32_t cap;
    struct val_pair *pairs; /* in insertion order, without holes */
    uint32_t *index;        /* open addressing over pairs; NULL while n is small */
    uint32_t index_size;    /* power of two, or 0 */
    struct arena *a;
};

/* A kind of value of an upper folder.  NULL members mean "does not have that". */
struct val_class {
    const char *name; /* Python type name */
    void (*str)(const struct val_obj *o, struct buf *out);
    void (*repr)(const struct val_obj *o, struct buf *out);          /* NULL: as str */
    bool (*truth)(const struct val_obj *o);                          /* NULL: true */
    bool (*eq)(const struct val_obj *o, struct val other);           /* NULL: identity */
    int (*cmp)(const struct val_obj *o, struct val other, int *out); /* 0, or -1: not comparable */
    uint64_t (*hash)(const struct val_obj *o);                       /* NULL: not hashable */
    struct val (*json)(const struct val_obj *o, struct arena *a);    /* NULL: not serialisable */
    struct val (*copy)(const struct val_obj *o, struct arena *a);    /* NULL: str() is copied */
};

struct val_obj {
    const struct val_class *cls;
};

/* ---- making ------------------------------------------------------------------------------ */

static inline struct val val_undef(const char *name)
{
    return (struct val){.type = VAL_UNDEF, .u.undef_name = name};
}
static inline struct val val_null(void)
{
    return (struct val){.type = VAL_NULL};
}
static inline struct val val_bool(bool b)
{
    return (struct val){.type = VAL_BOOL, .u.b = b};
}
static inline struct val val_int(int64_t i)
{
    return (struct val){.type = VAL_INT, .u.i = i};
}
static inline struct val val_float(double f)
{
    return (struct val){.type = VAL_FLOAT, .u.f = f};
}
/* Whether the whole part of f is one of our integers; a NaN has none. */
static inline bool float_fits_int(double f)
{
    return f >= -0x1p63 && f < 0x1p63; /* cppcheck-suppress incorrectLogicOperator ; it misreads the binary exponent */
}
/* The bytes are not copied; they must be well-formed UTF-8 and outlive the value.  s.len < 4 GiB.
 */
static inline struct val val_str(struct str s)
{
    return (struct val){.type = VAL_STR, .len = (uint32_t)s.len, .u.s = s.p != NULL ? s.p : ""};
}
static inline struct val val_bytes(struct str s)
{
    return (struct val){.type = VAL_BYTES, .len = (uint32_t)s.len, .u.s = s.p != NULL ? s.p : ""};
}
static inline struct val val_obj(struct val_obj *o)
{
    return (struct val){.type = VAL_OBJ, .u.obj = o};
}
#define VAL_STR_LIT(literal) val_str(STR(literal))
struct val val_str_c(const char *s);                   /* not copied */
struct val val_str_dup(struct arena *a, struct str s); /* copied */
struct val val_list_new(struct arena *a, size_t room); /* empty */
struct val val_tuple_new(struct arena *a, size_t room);
struct val val_dict_new(struct arena *a, size_t room);
void val_list_add(struct val list, struct val item); /* while building */
void val_dict_set(struct val dict, struct val key,
                  struct val value); /* replaces, keeps the place */
void val_dict_set_c(struct val dict, const char *key, struct val value);  /* key not copied */
void val_dict_set_str(struct val dict, struct str key, struct val value); /* key not copied */
bool val_dict_del(struct val dict, struct val key);

/* ---- reading ----------------------------------------------------------------------------- */

struct val val_open_lazy(struct val v);

/*
 * Read unread JSON one level deep; other values pass through.  Every function below does so by
 * itself: this is for those who walk u.list->items or u.dict->pairs on their own. Threads: opening
 * writes to the value's arena, so a value with unread parts belongs to one thread.
 */
static inline struct val val_open(struct val v)
{
    return (v.flags & VAL_F_LAZY) != 0 ? val_open_lazy(v) : v;
}

static inline bool val_is(struct val v, enum val_type t)
{
    return v.type == (uint8_t)t;
}
static inline bool val_is_undef(struct val v)
{
    return v.type == VAL_UNDEF;
}
/* null or undefined */
static inline bool val_is_none(struct val v)
{
    return v.type == VAL_NULL || v.type == VAL_UNDEF;
}
static inline struct str val_text(struct val v)
{
    return v.type == VAL_STR || v.type == VAL_BYTES ? str_make(v.u.s, v.len) : STR_NONE;
}
/* Items of a list or tuple, pairs of a dictionary, bytes of a text; 0 for the rest. */
size_t val_count(struct val v);
struct val val_at(struct val list, size_t i);         /* undefined beyond the end */
struct val val_get(struct val dict, const char *key); /* undefined when absent */
struct val val_get_str(struct val dict, struct str key);
struct val val_get_val(struct val dict, struct val key);
bool val_pair_at(struct val dict, size_t i, struct val *key, struct val *value);
/* Follow "a.b.0.c"; undefined as soon as a part is missing. */
struct val val_path(struct val v, const char *path);

/* Members with a default for absent, null and wrong types: for data we wrote ourselves. */
struct str val_get_text(struct val dict, const char *key, struct str otherwise);
int64_t val_get_int(struct val dict, const char *key, int64_t otherwise);
bool val_get_bool(struct val dict, const char *key, bool otherwise);

/* ---- Python's rules ---------------------------------------------------------------------- */

/* Templates can nest lists without end: beyond this depth texts show "...", copies undefined, JSON
 * null, and containers equal only themselves. */
enum { VAL_DEPTH_MAX = 1000 };

/* bool(v): empty, zero, None and undefined are false. */
bool val_truth(struct val v);
/* a == b as Python compares: numbers by value over their types, containers item by item. */
bool val_eq(struct val a, struct val b);
enum { VAL_UNORDERED = 2 };
/* Order as `<` needs it: *out is -1, 0, 1, or VAL_UNORDERED when a NaN makes every comparison
 * false. Returns -1 when Python raises TypeError ('<' not supported). */
MUST_CHECK int val_cmp(struct val a, struct val b, int *out);
bool val_hashable(struct val v);
/* Equal values hash equally, over the number types too; never 0.  Differs from run to run. */
uint64_t val_hash(struct val v);
/* str(v) and repr(v) of Python 3.11; undefined prints nothing. */
void val_to_str(struct val v, struct buf *out);
void val_to_repr(struct val v, struct buf *out);
struct str val_str_of(struct val v, struct arena *a); /* str(v); no copy for a text */
const char *val_type_name(struct val v);              /* "int", "str", "NoneType", ... */
/* Shortest text that reads back as `f`, in Python's repr form ("1e+20", "0.1", "nan").  At most 32.
 */
size_t val_float_repr(double f, char out[32]);

/* A deep copy in `a`, independent of where `v` lives. */
struct val val_copy(struct val v, struct arena *a);

#endif
