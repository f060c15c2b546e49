/*
 * Renders per second of the template engine: the same templates and contexts as template.py and template.js.
 *
 * One line per case: "name value unit".  Compiled templates are reused; each rendering has an arena that is reset.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "template/tmpl.h"

enum { SECONDS = 2 };

static const char small[] = "Dear {{ user.name|upper }}, order {{ number }} of {{ day }} ({{ kind|title }}) is {{ state }}.";
static const char small_vars[] = "{\"user\":{\"name\":\"ada\"},\"number\":4711,\"day\":\"2026-01-02\",\"kind\":\"fixed line\","
                                 "\"state\":\"done\"}";
static const char loop[] = "{% for u in users %}{% if u.active %}{{ loop.index }}. {{ u.name|upper }} <{{ u.mail }}>{% else %}"
                           "({{ u.name|capitalize }}){% endif %}{{ ', admin' if u.level > 8 else '' }}\n{% endfor %}";

static struct tmpl *compile(const char *source)
{
    struct err e = {0};
    struct tmpl *t;

    if (tmpl_compile(&t, str_c(source), STR(""), &tmpl_env_plain, &e) != 0) {
        fprintf(stderr, "bench: %s\n", e.msg);
        exit(1);
    }
    return t;
}

static struct val parse(const char *text, struct arena *a)
{
    struct err e = {0};
    struct val v;

    if (json_parse(str_c(text), &v, a, &e) != 0)
        exit(1);
    return v;
}

static size_t render(const struct tmpl *t, struct val vars, struct arena *a)
{
    const struct tmpl_run run = {.vars = vars, .budget = {.steps = INT64_MAX, .time_ms = 100000, .memory = 2048 * MIB}};
    struct err e = {0};
    struct buf out;

    buf_init(&out, 64 * MIB, a);
    if (tmpl_render(t, &run, &out, a, &e) != 0) {
        fprintf(stderr, "bench: %s\n", e.msg);
        exit(1);
    }
    return out.len;
}

static void rate(const char *name, const struct tmpl *t, struct val vars)
{
    struct arena *a = arena_new(256 * KIB);
    int64_t start = clock_mono_us(&clock_system), now;
    uint64_t n = 0;
    size_t len;

    do {
        for (int i = 0; i < 16; i++, n++) {
            len = render(t, vars, a);
            arena_reset(a);
        }
        now = clock_mono_us(&clock_system);
    } while (now - start < SECONDS * 1000000);
    printf("%s %.0f renders/s (%zu bytes)\n", name, (double)n * 1e6 / (double)(now - start), len);
    arena_free(a);
}

static void once(const char *name, const struct tmpl *t, struct val vars)
{
    struct arena *a = arena_new(256 * KIB);
    int64_t start = clock_mono_us(&clock_system);
    size_t len = render(t, vars, a);

    printf("%s %.1f ms (%zu bytes)\n", name, (double)(clock_mono_us(&clock_system) - start) / 1000.0, len);
    arena_free(a);
}

static struct val users(struct arena *a)
{
    struct val list = val_list_new(a, 1000), root = val_dict_new(a, 1);

    for (int i = 0; i < 1000; i++) {
        struct val u = val_dict_new(a, 4);

        val_dict_set_c(u, "name", val_str(str_printf(a, "user number %d", i)));
        val_dict_set_c(u, "mail", val_str(str_printf(a, "user%d@example.org", i)));
        val_dict_set_c(u, "active", val_bool(i % 3 != 0));
        val_dict_set_c(u, "level", val_int(i % 17));
        val_list_add(list, u);
    }
    val_dict_set_c(root, "users", list);
    return root;
}

static struct val numbers(struct arena *a, int n)
{
    struct val list = val_list_new(a, (size_t)n), root = val_dict_new(a, 1);

    for (int i = 0; i < n; i++)
        val_list_add(list, val_int(i));
    val_dict_set_c(root, "numbers", list);
    return root;
}

/* Read 10 MB of JSON and print one field of it. */
static void one_field(struct arena *a)
{
    struct tmpl *t = compile("{{ wanted.name }}");
    struct err e = {0};
    struct buf text;
    struct val v;
    int64_t start;

    buf_init(&text, 16 * MIB, a);
    buf_add_c(&text, "{\"rows\":[");
    while (text.len < 10 * MIB)
        buf_add_c(&text, "{\"id\":12345,\"name\":\"some name\",\"tags\":[\"a\",\"b\"],\"value\":1.5},");
    buf_add_c(&text, "0],\"wanted\":{\"name\":\"found\"}}");
    start = clock_mono_us(&clock_system);
    if (json_lazy(buf_str(&text), &v, a, &e) != 0)
        exit(1);
    render(t, v, a);
    printf("one-field-of-10MB %.1f ms\n", (double)(clock_mono_us(&clock_system) - start) / 1000.0);
    tmpl_unref(t);
}

static void compile_time(struct arena *a)
{
    int64_t start;
    struct buf text;

    buf_init(&text, 1 * MIB, a);
    for (int i = 0; i < 50; i++)
        buf_add_c(&text, "{% if a.b == 1 and c is defined %}\n  {{ d|default('x')|upper }} {{ e.f[0] }}\n"
                         "{% else %}{% for g in h %}{{ loop.index }}: {{ g }}\n{% endfor %}\n{% endif %}");
    start = clock_mono_us(&clock_system);
    tmpl_unref(compile(buf_cstr(&text)));
    printf("compile-200-lines %.2f ms\n", (double)(clock_mono_us(&clock_system) - start) / 1000.0);
}

static long rss_kb(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long size = 0, pages = 0;

    if (f != NULL) {
        if (fscanf(f, "%ld %ld", &size, &pages) != 2)
            pages = 0;
        fclose(f);
    }
    return pages * 4;
}

static void memory(const struct tmpl *t, struct val vars)
{
    struct arena *a = arena_new(0);
    long before;

    for (int i = 0; i < 1000; i++, arena_reset(a))
        render(t, vars, a);
    before = rss_kb();
    for (int i = 0; i < 1000000; i++, arena_reset(a))
        render(t, vars, a);
    printf("memory-growth-over-a-million-renders %ld kB\n", rss_kb() - before);
    arena_free(a);
}

int main(void)
{
    struct arena *a = arena_new(1 * MIB);
    struct tmpl *t_small = compile(small), *t_loop = compile(loop);
    struct tmpl *t_for = compile("{% for n in numbers %}{{ n }},{% endfor %}");
    struct val vars = parse(small_vars, a);

    rate("small", t_small, vars);
    rate("loop-1000-dicts", t_loop, users(a));
    once("for-1000000", t_for, numbers(a, 1000000));
    one_field(a);
    compile_time(a);
    memory(t_small, vars);
    tmpl_unref(t_small);
    tmpl_unref(t_loop);
    tmpl_unref(t_for);
    arena_free(a);
    return 0;
}
