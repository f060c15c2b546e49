/*
 * Secrets a run knows: what nodes have written as such (one-time tokens), and members of its request that are named so.
 *
 * A mail or a call may carry one in the middle of a text, where no name tells what it is.  So each is looked for as it is, and as
 * JSON writes it, in what is kept for people to read: traces, logs, errors, the answer.
 *
 * Rules: workflow-engine.md 4.7; gateway-proxy.md 8 "Masking".
 */
#include "engine/instance_int.h"

#include "base/json.h"
#include "base/limits.h"
#include "engine/engine.h"
#include "gateway/mask.h"

enum { SECRET_MIN = 6 }; /* shorter ones would be found in any text */

static struct str hide_text(struct str text, struct str secret, struct arena *a)
{
    ptrdiff_t at = secret.len >= SECRET_MIN ? str_find(text, secret) : -1;
    struct buf b;

    if (at < 0)
        return text;
    buf_init(&b, text.len * 2 + 64, a);
    for (; at >= 0; at = str_find(text, secret)) {
        buf_add(&b, text.p, (size_t)at);
        buf_add_c(&b, MASK_SHOWN);
        text = str_slice(text, (size_t)at + secret.len, text.len);
    }
    buf_add_str(&b, text);
    return buf_str(&b);
}

static struct str hide_value(struct str text, struct val v, struct arena *a)
{
    struct str quoted, secret;

    if (!val_is(v, VAL_STR))
        return text;
    secret = val_text(v);
    quoted = json_text(v, a);
    text = hide_text(text, secret, a);
    return quoted.len == secret.len + 2 ? text : hide_text(text, str_slice(quoted, 1, quoted.len - 1), a);
}

static struct str hide_members(struct str text, struct val request, struct arena *a)
{
    struct val key, value;

    for (size_t i = 0; val_is(request, VAL_DICT) && i < val_count(request); i++)
        if (val_pair_at(request, i, &key, &value) && mask_key(val_text(key)))
            text = hide_value(text, value, a);
    return text;
}

struct str engine_hide(struct str text, struct val secrets, struct arena *a)
{
    for (size_t i = 0; i < val_count(secrets); i++)
        text = hide_value(text, val_at(secrets, i), a);
    return text;
}

struct str node_trace_body(struct node_run *r, struct str content_type, struct str body)
{
    return mask_body(content_type, instance_hide(r->inst, body, r->a), LIMIT_TRACE_BODY, r->a);
}

struct str instance_hide(const struct instance *in, struct str text, struct arena *a)
{
    for (; in != NULL && text.len > 0; in = in->parent) {
        for (uint32_t i = 0; i < in->n_ctx; i++)
            if (in->ctx[i].present && in->ctx[i].sensitive)
                text = hide_value(text, in->ctx[i].v, a);
        text = engine_hide(text, in->v_parent_secrets, a);
        text = hide_members(text, in->request, a);
    }
    return text;
}
