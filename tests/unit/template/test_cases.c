/*
 * Runs the text cases of tests/cases/template: template, context, what is printed or raised.
 *
 *     === name
 *     template, one or more lines
 *     ---
 *     {"context": "as JSON"}
 *     ---
 *     what is printed, or "! TypeError"
 *
 * Files called *_plain.case run as Jinja2's own defaults, pongo2*.case in that dialect, the others
 * as the platform does; i18n*.case have that extension.  A member "templates" of the context holds
 * stored templates.  The clock stands at 2021-02-19 21:20:04.389189 UTC.
 */
#include "support/cases.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "template/tmpl.h"

struct text_case {
    const char *name;
    struct str template;
    struct str context;
    struct str want;
    struct tmpl_env env;
};

static int64_t fixed_now(struct clock *c)
{
    return c->fake_us;
}

static int64_t mono_now(struct clock *c)
{
    (void)c;
    return 1;
}

static struct str read_file(const char *path, struct arena *a)
{
    FILE *f = fopen(path, "rb");
    struct buf b;
    char block[4096];
    size_t n;

    if (f == NULL)
        abort();
    buf_init(&b, 64 * MIB, a);
    while ((n = fread(block, 1, sizeof block, f)) > 0)
        buf_add(&b, block, n);
    fclose(f);
    return buf_str(&b);
}

/* Lines up to the one that is (or begins with) `mark`, without their last line end; *rest stands
 * behind it. */
static struct str until(struct str *rest, const char *mark, bool whole)
{
    const char *from = rest->p;
    size_t len = 0;

    while (rest->len > 0) {
        struct str at = *rest;
        struct str line = str_cut(rest, '\n');

        if (whole ? str_eq_c(line, mark) : str_starts(line, str_c(mark))) {
            if (!whole)
                *rest = at;
            break;
        }
        len = (size_t)(line.p + line.len - from);
    }
    return str_make(from, len);
}

static struct tmpl_env env_of(const char *file)
{
    struct tmpl_env env = strstr(file, "_plain.case") != NULL ? tmpl_env_plain : tmpl_env_platform;

    if (strncmp(file, "pongo2", 6) == 0)
        env.dialect = TMPL_PONGO2;
    env.ext_i18n = strncmp(file, "i18n", 4) == 0;
    return env;
}

static int load(void *ctx, struct str name, struct str *source, struct arena *a, struct err *e)
{
    const struct val *vars = ctx;
    struct val found = val_get_str(val_get(*vars, "templates"), name);

    (void)a;
    if (!val_is(found, VAL_STR)) {
        err_set(e, ERR_NOT_FOUND, "no template \"%.*s\"", STR_ARG(name));
        return -1;
    }
    *source = val_text(found);
    return 0;
}

static size_t read_cases(struct str text, const char *file, struct text_case **out, struct arena *a)
{
    struct text_case *cases = NULL;
    size_t n = 0;

    (void)until(&text, "=== ", false); /* what stands before the first case is a comment */
    while (text.len > 0) {
        struct str head = str_cut(&text, '\n');
        struct text_case *c;

        cases = arena_grow(a, cases, n * sizeof *cases, (n + 1) * sizeof *cases);
        c = &cases[n++];
        c->name = arena_printf(a, "%s: %.*s", file, (int)head.len - 4, head.p + 4);
        c->template = until(&text, "---", true);
        c->context = until(&text, "---", true);
        c->want = until(&text, "=== ", false);
        while (c->want.len > 0 && c->want.p[c->want.len - 1] == '\n')
            c->want.len--;
        c->env = env_of(file);
    }
    *out = cases;
    return n;
}

static void run_case(const struct text_case *c)
{
    struct arena *a = arena_new(0);
    struct clock clock = {fixed_now, mono_now, 1613769604389189};
    struct tmpl_run run = {.clock = &clock, .random_seed = 7, .loader = load};
    struct tmpl *t = NULL;
    struct buf out;
    struct buf want;
    struct err e = {0};
    struct str got;

    assert_int_equal(json_parse(c->context, &run.vars, a, &e), 0);
    run.loader_ctx = &run.vars;
    buf_init(&out, MIB, a);
    if (tmpl_compile(&t, c->template, STR("case"), &c->env, &e) != 0 ||
        tmpl_render(t, &run, &out, a, &e) != 0) {
        got = str_printf(a, "! %s", tmpl_exc_name((enum tmpl_exc)e.app_code));
        if (!str_eq(got, c->want))
            print_error("%s: %s\n", c->name, e.msg);
    } else {
        got = str_make(buf_cstr(&out), out.len);
        while (got.len > 0 && got.p[got.len - 1] == '\n')
            got.len--;
    }
    buf_init(&want, MIB, a);
    buf_add_str(&want, c->want);
    assert_string_equal(str_cstr(a, got), buf_cstr(&want));
    tmpl_unref(t);
    arena_free(a);
}

/* ---- every name of the library stands in a case --------------------------------------------- */

enum use { USED_AS_FILTER, USED_AS_TEST, USED_AS_FUNCTION, USED_IN_PONGO2 };

static const struct name_row {
    const char *name;
    enum use use;
} names[] = {
#define FILTER(name, fn, input, autoescape) {name, USED_AS_FILTER},
#include "template/filters/filters.def"
#define CHECK(name, fn) {name, USED_AS_TEST},
#include "template/checks/checks.def"
#define FUNC(name, fn) {name, USED_AS_FUNCTION},
#include "template/funcs/funcs.def"
#include "template/funcs/i18n.def"
#define PG_FILTER(name, fn) {name, USED_IN_PONGO2},
#define PG_EXTRA(name) {name, USED_IN_PONGO2},
#include "template/pongo2/pg_filters.def"
};

static struct str all_jinja;  /* the texts of all cases */
static struct str all_pongo2; /* those of the dialect */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Does the name stand at the beginning of `rest`, behind what introduces a use of it? */
static bool is_use(struct str before, struct str rest, struct str name, enum use use)
{
    char next = rest.len > name.len ? rest.p[name.len] : ' ';
    char last = before.len > 0 ? before.p[before.len - 1] : ' ';

    if (!str_starts(rest, name) || is_word(next))
        return false;
    switch (use) {
    case USED_AS_TEST: /* is odd, is not odd, select("!=") */
        return str_ends(before, STR("is ")) || str_ends(before, STR("is not ")) ||
               (last == '"' && next == '"');
    case USED_AS_FUNCTION:
        return next == '(' && !is_word(last) && last != '.' && last != '|';
    default:
        return last == '|' || str_ends(before, STR("| "));
    }
}

static void has_example(const struct name_row *r)
{
    struct str text = r->use == USED_IN_PONGO2 ? all_pongo2 : all_jinja;
    struct str name = str_c(r->name);

    for (size_t i = 0; i + name.len <= text.len; i++) {
        if (is_use(str_slice(text, 0, i), str_slice(text, i, text.len), name, r->use))
            return;
    }
    fail_msg("no case uses \"%s\"", r->name);
}

int main(void)
{
    struct arena *a = arena_new(0);
    glob_t files;
    struct buf jinja;
    struct buf pongo2;
    int failed = 0;
    size_t ran = 0;

    buf_init(&jinja, 64 * MIB, a);
    buf_init(&pongo2, 64 * MIB, a);

    if (glob(SLUICE_SOURCE_DIR "/tests/cases/template/*.case", 0, NULL, &files) != 0)
        return 1;
    for (size_t i = 0; i < files.gl_pathc; i++) {
        const char *path = files.gl_pathv[i];
        const char *file = strrchr(path, '/') + 1;
        struct text_case *cases;
        struct str text = read_file(path, a);
        size_t n = read_cases(text, file, &cases, a);

        buf_add_str(strncmp(file, "pongo2", 6) == 0 ? &pongo2 : &jinja, text);
        failed += cases_run(file, cases, n, sizeof *cases, (cases_fn)run_case);
        ran += n;
    }
    globfree(&files);
    all_jinja = buf_str(&jinja);
    all_pongo2 = buf_str(&pongo2);
    failed += CASES(names, has_example);
    arena_free(a);
    return failed + (ran == 0);
}
