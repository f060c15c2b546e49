/*
 * generate_random_string: a text of random characters, at least one of each chosen class
 * (workflow-engine.md 3.32).
 */
#include "nodes/nodes.h"

#include "crypto/crypto.h"

struct cfg {
    int64_t length;
    bool lowercase, uppercase, digits, special_chars;
    struct node_key output;
};

enum { MAX_LENGTH = 1024, CLASSES = 4 };

static const struct param params[] = {
    {.name = "length",
     .kind = PARAM_INT,
     .offset = offsetof(struct cfg, length),
     .otherwise = "10",
     .help = "Number of characters, 10 when empty."},
    {.name = "lowercase",
     .kind = PARAM_BOOL,
     .offset = offsetof(struct cfg, lowercase),
     .help = "Use a to z."},
    {.name = "uppercase",
     .kind = PARAM_BOOL,
     .offset = offsetof(struct cfg, uppercase),
     .help = "Use A to Z."},
    {.name = "digits",
     .kind = PARAM_BOOL,
     .offset = offsetof(struct cfg, digits),
     .help = "Use 0 to 9."},
    {.name = "special_chars",
     .kind = PARAM_BOOL,
     .offset = offsetof(struct cfg, special_chars),
     .help = "Use !@#$%&*."},
    {.name = "output_context_key",
     .kind = PARAM_KEY,
     .offset = offsetof(struct cfg, output),
     .help = "Context key that receives the text."},
    {0},
};

/* Evenly from 0 to n - 1: values that would favour the first ones are thrown away. */
static size_t random_below(size_t n)
{
    uint32_t limit = UINT32_MAX - (uint32_t)(UINT32_MAX % n), v;

    do
        crypto_random(&v, sizeof v);
    while (v >= limit);
    return v % n;
}

static void fill(char *out, size_t n, const struct str *classes, size_t n_classes)
{
    for (size_t i = 0; i < n; i++) {
        struct str c = classes[i < n_classes ? i : random_below(n_classes)];

        out[i] = c.p[random_below(c.len)];
    }
    for (size_t i = n - 1; i > 0; i--) {
        size_t k = random_below(i + 1);
        char swap = out[i];

        out[i] = out[k];
        out[k] = swap;
    }
}

static enum node_rc generate_random_string_run(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;
    bool none = !c->lowercase && !c->uppercase && !c->digits && !c->special_chars;
    struct str classes[CLASSES];
    size_t n = 0;
    char *text;

    if (c->lowercase || none)
        classes[n++] = STR("abcdefghijklmnopqrstuvwxyz");
    if (c->uppercase || none)
        classes[n++] = STR("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    if (c->digits || none)
        classes[n++] = STR("0123456789");
    if (c->special_chars)
        classes[n++] = STR("!@#$%&*");
    if (c->length < (int64_t)n || c->length < 1 || c->length > MAX_LENGTH) {
        err_set(e, ERR_INVALID, "parameter \"length\": %lld is not between %zu and %d",
                (long long)c->length, n, MAX_LENGTH);
        return NODE_FAIL;
    }
    text = arena_alloc(r->a, (size_t)c->length);
    fill(text, (size_t)c->length, classes, n);
    if (node_set(r, &c->output, val_str(str_make(text, (size_t)c->length)), e) != 0)
        return NODE_FAIL;
    return node_fire(r, "ok");
}

const struct node_type node_generate_random_string = {
    .name = "generate_random_string",
    .group = "data",
    .doc = "Makes a random text.",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){"ok", NULL},
    .flags = NODE_PURE,
    .run = generate_random_string_run,
};
