/*
 * Templates: Jinja2 3.1 in semantics, compiled to bytecode, rendered inside a budget.
 *
 * A compiled template is immutable and counted; any number of threads render it at once, each with
 * an arena of its own.  No template reaches the host: it sees the variables it is given, stored
 * templates through the loader callback, and the functions listed in funcs.def.
 *
 * Rules: Jinja2 3.1 "Template Designer Documentation"; workflow-engine.md 6.
 */
#ifndef SLUICE_TEMPLATE_TMPL_H
#define SLUICE_TEMPLATE_TMPL_H

#include "base/clock.h"
#include "base/value.h"

struct tmpl;       /* a compiled template */
struct tmpl_cache; /* compiled templates by content, bounded */

enum tmpl_undefined { TMPL_UNDEF_LENIENT, TMPL_UNDEF_STRICT, TMPL_UNDEF_CHAINABLE, TMPL_UNDEF_DEBUG };

enum tmpl_dialect { TMPL_JINJA, TMPL_PONGO2 };

/* How text is cut into tokens and what the language offers; names as in Jinja2's Environment. */
struct tmpl_env {
    enum tmpl_dialect dialect;
    enum tmpl_undefined undefined;
    bool trim_blocks;
    bool lstrip_blocks;
    bool keep_trailing_newline;
    bool autoescape;
    struct str newline_sequence;      /* default "\n" */
    struct str block_start_string;    /* default "{%" */
    struct str block_end_string;
    struct str variable_start_string; /* default "{{" */
    struct str variable_end_string;
    struct str comment_start_string;  /* default "{#" */
    struct str comment_end_string;
    struct str line_statement_prefix; /* empty = off */
    struct str line_comment_prefix;
    bool ext_do;
    bool ext_loopcontrols;
    bool ext_i18n; /* {% trans %} and gettext(), without translations: the texts stay as they are */
};

/* The platform's environment: Jinja2 defaults, extensions `do` and loop controls on. */
extern const struct tmpl_env tmpl_env_platform;
/* Jinja2's own defaults: no extension. */
extern const struct tmpl_env tmpl_env_plain;

/* What ends a rendering; 0 = the default from limits.h. */
struct tmpl_budget {
    int64_t steps;    /* instructions, default 200 million */
    int64_t time_ms;  /* default LIMIT_TMPL_MS */
    size_t memory;    /* bytes of arena, default 256 MiB */
    size_t output;    /* bytes printed, default LIMIT_TMPL_OUTPUT */
    int depth;        /* nested calls, default LIMIT_TMPL_DEPTH */
};

/*
 * Fetch the source of a stored template for include, import and extends.
 *
 * Returns 0 with *source living in `a`, or -1 with ERR_NOT_FOUND (which `ignore missing` swallows).
 */
typedef int tmpl_loader(void *ctx, struct str name, struct str *source, struct arena *a, struct err *e);

/* Where a rendering reports what it read, for the playground (workflow-engine.md 6.7). */
struct tmpl_trace {
    void (*variable)(void *ctx, struct str name);
    void (*step)(void *ctx, int line, struct str expression, struct val value);
    void *ctx;
};

/* What surrounds one rendering.  All members may be zero. */
struct tmpl_run {
    struct val vars;              /* dictionary of variables; not changed */
    /* variables that are dear to build: asked for a name that `vars` lacks; returns undefined if unknown */
    struct val (*lookup)(void *ctx, struct str name, struct arena *a);
    void *lookup_ctx;
    tmpl_loader *loader;
    void *loader_ctx;
    struct tmpl_cache *cache;     /* for templates the loader brings */
    struct tmpl_budget budget;
    struct clock *clock;          /* now(), time budget; NULL = clock_system */
    struct str timezone;          /* zone of now() without argument, "" = UTC */
    uint64_t random_seed;         /* 0 = real randomness for random, randint, uuid */
    struct tmpl_trace *trace;
};

/* Which of Python's exceptions an error stands for; err.msg holds its text. */
enum tmpl_exc {
    TMPL_EXC_NONE,
    TMPL_EXC_SYNTAX,    /* TemplateSyntaxError, TemplateAssertionError */
    TMPL_EXC_ASSERTION, /* TemplateAssertionError: unknown filter or test */
    TMPL_EXC_UNDEFINED, /* UndefinedError */
    TMPL_EXC_RUNTIME,   /* TemplateRuntimeError */
    TMPL_EXC_NOT_FOUND, /* TemplateNotFound */
    TMPL_EXC_NONE_FOUND,/* TemplatesNotFound */
    TMPL_EXC_SECURITY,  /* SecurityError */
    TMPL_EXC_TYPE,      /* TypeError */
    TMPL_EXC_VALUE,     /* ValueError */
    TMPL_EXC_KEY,       /* KeyError */
    TMPL_EXC_INDEX,     /* IndexError */
    TMPL_EXC_ATTRIBUTE, /* AttributeError */
    TMPL_EXC_ZERO_DIV,  /* ZeroDivisionError */
    TMPL_EXC_OVERFLOW,  /* OverflowError */
    TMPL_EXC_FILTER,    /* FilterArgumentError */
    TMPL_EXC_PY_ASSERT, /* AssertionError */
    TMPL_EXC_PY_RUNTIME,/* RuntimeError */
    TMPL_EXC_LIMIT,     /* a budget ended it; the message names the budget */
};

/* err.app_code carries the enum tmpl_exc of a failed compile or rendering. */
const char *tmpl_exc_name(enum tmpl_exc exc);

/*
 * Compile `source`.  The template keeps a copy of what it needs and starts with one reference.
 *
 * name  shown in errors; may be empty.
 * Fails with ERR_INVALID, line, column and app_code set; ERR_LIMIT when larger than LIMIT_TMPL_SOURCE
 *       or nested too deep.
 */
MUST_CHECK int tmpl_compile(struct tmpl **out, struct str source, struct str name, const struct tmpl_env *env,
                            struct err *e);
/* As tmpl_compile, but a bare expression ("a.b == 1 and c is defined"), for tmpl_eval.
 * python = the extra spellings of boolean expressions (workflow-engine.md 2.8, "Boolean expressions"). */
MUST_CHECK int tmpl_compile_expr(struct tmpl **out, struct str source, bool python, struct err *e);
struct tmpl *tmpl_ref(struct tmpl *t);
void tmpl_unref(struct tmpl *t);

/* Render into `out` (its ceiling is the output budget when smaller); scratch and results live in `a`. */
MUST_CHECK int tmpl_render(const struct tmpl *t, const struct tmpl_run *run, struct buf *out, struct arena *a,
                           struct err *e);
/* The value of an expression compiled by tmpl_compile_expr. */
MUST_CHECK int tmpl_eval(const struct tmpl *t, const struct tmpl_run *run, struct val *out, struct arena *a,
                         struct err *e);
/* Disassembly, a line per instruction: for people. */
void tmpl_dump(const struct tmpl *t, struct buf *out);

/* True when the text has none of "{{", "{%", "{#": rendering would print it unchanged (but for one
 * trailing newline, see tmpl_plain_text). */
bool tmpl_is_plain(struct str source);
/* What rendering prints for plain text: one trailing newline removed. */
struct str tmpl_plain_text(struct str source);

/* A cache for at most `max_bytes` of compiled templates; threads share it. */
struct tmpl_cache *tmpl_cache_new(size_t max_bytes);
void tmpl_cache_free(struct tmpl_cache *c);
/* The compiled form of `source`, compiled now if nobody did; a reference for the caller. */
MUST_CHECK int tmpl_cache_get(struct tmpl_cache *c, struct str source, struct str name, const struct tmpl_env *env,
                              struct tmpl **out, struct err *e);
/* Likewise for a python-style expression. */
MUST_CHECK int tmpl_cache_expr(struct tmpl_cache *c, struct str source, struct tmpl **out, struct err *e);

#endif
