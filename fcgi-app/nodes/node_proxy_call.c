/*
 * proxy_call: pass a request on to a gateway, its URL rewritten (workflow-engine.md 3.11).
 */
#include "nodes/http_node.h"

#include "base/json.h"
#include "base/limits.h"
#include "format/regex.h"
#include "http/url.h"

struct cfg {
    struct http_node call;
    struct str substitution;
    struct val source;
};

static const struct param params[] = {
    {.name = "session_holder",
     .kind = PARAM_SESSION,
     .offset = offsetof(struct cfg, call.session_holder),
     .help = "HTTP client of the configuration; empty for an absolute URL."},
    {.name = "url_substitution_re",
     .kind = PARAM_LINE,
     .offset = offsetof(struct cfg, substitution),
     .help = "s/regex/replacement/flags; or a regex: its group is the new URL, without group what "
             "matches is removed."},
    {.name = "source",
     .kind = PARAM_DATA,
     .offset = offsetof(struct cfg, source),
     .mandatory = true,
     .help = "The request to pass on, usually {{ request }}: an object with url and method."},
    {.name = "output_context_key",
     .kind = PARAM_KEY,
     .offset = offsetof(struct cfg, call.output),
     .help = "Context key that receives status and body."},
    {.name = "http_codes",
     .kind = PARAM_OUTPUTS,
     .offset = offsetof(struct cfg, call.http_codes),
     .help = "Status codes with an output of their own, such as 404 or 4*."},
    {.name = "cache_key",
     .kind = PARAM_LINE,
     .offset = offsetof(struct cfg, call.cache_key),
     .help = "Where a GET's answer is kept and looked up; other methods forget it."},
    {.name = "cache_ttl",
     .kind = PARAM_INT,
     .offset = offsetof(struct cfg, call.cache_ttl_s),
     .otherwise = "300",
     .help = "Seconds an answer is kept, 300 when empty, 0 = for ever."},
    {0},
};

/* ---- rewriting the URL ---------------------------------------------------------------------- */

struct substitution {
    struct str regex, with;
    bool replaces; /* s/regex/with/flags; else a regex alone */
    bool all, any_case;
};

/* Up to the next delimiter; a delimiter behind a backslash is one of the text. */
static bool part_cut(struct str *rest, char delimiter, struct str *part, struct arena *a)
{
    struct buf b;

    buf_init(&b, rest->len + 1, a);
    for (size_t i = 0; i < rest->len; i++) {
        if (rest->p[i] == delimiter) {
            *part = buf_str(&b);
            *rest = str_slice(*rest, i + 1, rest->len);
            return true;
        }
        if (rest->p[i] == '\\' && i + 1 < rest->len) {
            if (rest->p[++i] != delimiter)
                buf_putc(&b, '\\');
        }
        buf_putc(&b, rest->p[i]);
    }
    return false;
}

/* "s/a/b/gi", any delimiter; false: not of this form. */
static bool substitution_read(struct str text, struct substitution *out, struct arena *a)
{
    struct str rest = str_slice(text, 2, text.len);
    char d = text.len > 3 && text.p[0] == 's' ? text.p[1] : 'a';

    *out = (struct substitution){.regex = text};
    if ((d >= 'a' && d <= 'z') || (d >= 'A' && d <= 'Z') || (d >= '0' && d <= '9') || d == '\\' ||
        d == ' ' || (unsigned char)d >= 0x80)
        return false;
    if (!part_cut(&rest, d, &out->regex, a) || !part_cut(&rest, d, &out->with, a)) {
        out->regex = text;
        return false;
    }
    for (size_t i = 0; i < rest.len; i++) {
        out->all = out->all || rest.p[i] == 'g';
        out->any_case = out->any_case || rest.p[i] == 'i';
        if (rest.p[i] != 'g' && rest.p[i] != 'i') {
            *out = (struct substitution){.regex = text};
            return false;
        }
    }
    out->replaces = true;
    return true;
}

static int rewrite(struct str text, struct str *url, struct arena *a, struct err *e)
{
    struct substitution s;
    struct regex_match m;
    struct regex *re;
    struct buf b;
    int rc;

    if (text.len == 0)
        return 0;
    (void)substitution_read(text, &s, a);
    buf_init(&b, 1 * MIB, a);
    if (regex_compile(&re, s.regex, s.any_case ? REGEX_ICASE : 0, a, e) != 0)
        return -1;
    if (s.replaces || regex_n_groups(re) == 0) {
        if (regex_sub(re, s.with, *url, s.replaces && s.all ? 0 : 1, &b, e) != 0)
            return -1;
        *url = buf_str(&b);
        return 0;
    }
    rc = regex_exec(re, *url, 0, &m, e);
    if (rc < 0)
        return -1;
    if (rc > 0 && m.group[1].from >= 0)
        *url = str_slice(*url, (size_t)m.group[1].from, (size_t)m.group[1].to);
    return 0;
}

/* The query is nobody's to rewrite: the new URL has it as it was. */
static int rewrite_path(struct str text, struct str *url, struct arena *a, struct err *e)
{
    ptrdiff_t mark = str_find_char(*url, '?');
    struct str query = mark < 0 ? STR("") : str_slice(*url, (size_t)mark, url->len), path = str_slice(*url, 0, url->len - query.len);

    if (rewrite(text, &path, a, e) != 0)
        return -1;
    if (query.len > 0 && str_find_char(path, '?') >= 0)
        query = str_printf(a, "&%.*s", STR_ARG(str_slice(query, 1, query.len)));
    *url = str_printf(a, "%.*s%.*s", STR_ARG(path), STR_ARG(query));
    return 0;
}

/* ---- the request to pass on ----------------------------------------------------------------- */

static void query_add(struct buf *b, struct str name, struct val v, struct arena *a)
{
    buf_putc(b, str_find_char(buf_str(b), '?') >= 0 ? '&' : '?');
    buf_add_str(b, url_encode(name, "", a));
    buf_putc(b, '=');
    buf_add_str(b, url_encode(val_is(v, VAL_STR) ? val_text(v) : json_text(v, a), "", a));
}

static int with_params(struct str *url, struct val list, struct arena *a, struct err *e)
{
    struct val key, value;
    struct buf b;

    buf_init(&b, 1 * MIB, a);
    buf_add_str(&b, *url);
    for (size_t i = 0; val_is(list, VAL_DICT) && i < val_count(list); i++) {
        if (!val_pair_at(list, i, &key, &value))
            continue;
        if (!val_is(value, VAL_LIST))
            query_add(&b, val_text(key), value, a);
        for (size_t k = 0; val_is(value, VAL_LIST) && k < val_count(value); k++)
            query_add(&b, val_text(key), val_at(value, k), a);
    }
    if (b.over) {
        err_set(e, ERR_LIMIT, "parameter \"source\": url and params are larger than %zu bytes", b.max);
        return -1;
    }
    *url = buf_str(&b);
    return 0;
}

static int method_of(struct val source, struct str *out, struct arena *a, struct err *e)
{
    struct str method = str_lower(a, str_trim(val_get_text(source, "method", STR(""))));

    for (const char *const *m = http_node_methods; *m != NULL; m++)
        if (str_eq_c(method, *m)) {
            *out = method;
            return 0;
        }
    err_set(e, ERR_INVALID, "parameter \"source\": method \"%.*s\" is not known",
            STR_ARG(str_slice(method, 0, 20)));
    return -1;
}

static void content_of(struct val source, struct http_node *call, struct arena *a)
{
    struct val body = val_get(source, "body");
    struct str type = str_trim(val_get_text(source, "content_type", STR("")));

    if (!val_is_none(body))
        call->text = val_is(body, VAL_STR) ? val_text(body) : json_text(body, a);
    if (type.len == 0 || call->text.len == 0)
        return;
    call->headers.items = ARENA_NEW(a, struct node_pair);
    call->headers.items[0] = (struct node_pair){STR("Content-Type"), type};
    call->headers.n = 1;
}

static enum node_rc proxy_call_run(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;
    struct http_node call = c->call;

    if (!val_is(c->source, VAL_DICT) || !val_is(val_get(c->source, "url"), VAL_STR)) {
        err_set(e, ERR_INVALID, "parameter \"source\" is no object with a url");
        return NODE_FAIL;
    }
    call.url = str_trim(val_text(val_get(c->source, "url")));
    if (method_of(c->source, &call.method, r->a, e) != 0)
        return NODE_FAIL;
    if (rewrite_path(c->substitution, &call.url, r->a, e) != 0) {
        err_context(e, "parameter \"url_substitution_re\"");
        return NODE_FAIL;
    }
    if (with_params(&call.url, val_get(c->source, "params"), r->a, e) != 0)
        return NODE_FAIL;
    content_of(c->source, &call, r->a);
    return http_node_run(r, &call, e);
}

const struct node_type node_proxy_call = {
    .name = "proxy_call",
    .group = "calls",
    .doc = "Passes a request on to another server.",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = http_node_outputs,
    .flags = NODE_BLOCKING,
    .run = proxy_call_run,
};
