/*
 * Mail of nodes.
 *
 * Headers are recognised after rendering, so a value with a line break could smuggle one in: a header that the source of the
 * template does not write itself is refused.
 */
#include "nodes/mail.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "gateway/mask.h"
#include "template/literal.h"
#include "template/tmpl.h"

enum mail_header { H_FROM, H_SUBJECT, H_TO, H_CC, H_BCC, H_REPLY_TO, H_CONTENT_TYPE, H_COUNT };

static const char *const header_names[H_COUNT] = {"From", "Subject",  "To",          "Cc",
                                                  "Bcc",  "Reply-To", "Content-Type"};

/* ---- the header block ----------------------------------------------------------------------------------- */

struct header_block {
    struct str values[H_COUNT]; /* .p NULL: not there */
    int times[H_COUNT];
    struct str text; /* what follows */
};

/* "Subject: x" -> H_SUBJECT, " x"; -1: no such line. */
static int header_line(struct str line, struct str *value)
{
    struct str rest = line, name = str_cut(&rest, ':');

    if (name.len == line.len)
        return -1;
    for (int i = 0; i < H_COUNT; i++)
        if (str_ieq(name, str_c(header_names[i]))) {
            *value = str_trim(rest);
            return i;
        }
    return -1;
}

static struct str line_cut(struct str *rest)
{
    struct str line = str_cut(rest, '\n');

    return str_ends(line, STR("\r")) ? str_slice(line, 0, line.len - 1) : line;
}

static void block_read(struct str text, struct header_block *b, struct arena *a)
{
    struct str rest = text, value, line = line_cut(&rest);
    int last = header_line(line, &value);

    *b = (struct header_block){.text = text};
    if (last < 0)
        return;
    b->values[last] = value;
    b->times[last] = 1;
    b->text = rest;
    while (rest.len > 0) {
        struct str before = rest;
        int h;

        line = line_cut(&rest);
        h = header_line(line, &value);
        b->text = rest;
        if (line.len == 0)
            return;
        if (line.p[0] == ' ' || line.p[0] == '\t') { /* goes on */
            b->values[last] = str_printf(a, "%.*s %.*s", STR_ARG(b->values[last]), STR_ARG(str_trim(line)));
        } else if (h >= 0) {
            last = h;
            b->values[h] = value;
            b->times[h]++;
        } else if (str_find_char(line, ':') <= 0) { /* no header: the text begins without a blank line */
            b->text = before;
            return;
        }
    }
}

/* How often the source itself writes that header: "Subject:" at the start of a line or behind a tag. */
static int times_written(struct str source, const char *name, struct arena *a)
{
    struct str needle = str_lower(a, str_printf(a, "%s:", name)), low = str_lower(a, source);
    int n = 0;

    for (ptrdiff_t at = str_find(low, needle); at >= 0; at = str_find(low, needle)) {
        char before = at > 0 ? low.p[at - 1] : '\n';

        n += before == '\n' || before == '}';
        low = str_slice(low, (size_t)at + needle.len, low.len);
    }
    return n;
}

static int check_smuggled(const struct header_block *b, struct str source, struct arena *a, struct err *e)
{
    for (int i = 0; i < H_COUNT; i++)
        if (b->times[i] > 0 && b->times[i] > times_written(source, header_names[i], a)) {
            err_set(e, ERR_INVALID, "a value of the mail template brings a header \"%s\" of its own", header_names[i]);
            return -1;
        }
    return 0;
}

/* ---- rendering -------------------------------------------------------------------------------------------- */

static int one_mailbox(struct str text, const char *what, struct gw_mailbox *out, struct arena *a, struct err *e)
{
    struct gw_mailboxes list;

    if (text.len == 0)
        return 0;
    if (gw_mail_addresses(text, &list, a, e) != 0)
        return -1;
    if (list.n != 1) {
        err_set(e, ERR_INVALID, "header %s of the mail template does not name one address", what);
        return -1;
    }
    *out = list.items[0];
    return 0;
}

static int use_block(const struct header_block *b, struct gw_mail *m, struct arena *a, struct err *e)
{
    struct str type = b->values[H_CONTENT_TYPE];

    m->subject = b->values[H_SUBJECT];
    m->body = b->text;
    m->html = str_find(str_lower(a, type), STR("html")) >= 0 ||
              (type.len == 0 && str_starts(str_trim(b->text), STR("<")));
    if (one_mailbox(b->values[H_FROM], "From", &m->from, a, e) != 0 ||
        one_mailbox(b->values[H_REPLY_TO], "Reply-To", &m->reply_to, a, e) != 0 ||
        gw_mail_addresses(b->values[H_TO], &m->to, a, e) != 0 ||
        gw_mail_addresses(b->values[H_CC], &m->cc, a, e) != 0)
        return -1;
    return gw_mail_addresses(b->values[H_BCC], &m->bcc, a, e);
}

int mail_render(struct node_run *r, struct str key, const struct tmpl_run *run, struct gw_mail *out, struct err *e)
{
    const struct cfg_template *t = node_cfg(r) != NULL ? cfg_template(node_cfg(r), key) : NULL;
    struct header_block block;
    struct tmpl_run own;
    struct tmpl *compiled;
    struct buf b;
    int rc;

    *out = (struct gw_mail){0};
    if (t == NULL) {
        err_set(e, ERR_NOT_FOUND, "there is no template \"%.*s\"", STR_ARG(key));
        return -1;
    }
    if (run == NULL) {
        node_tmpl_run(r, &own);
        run = &own;
    }
    buf_init(&b, LIMIT_TMPL_OUTPUT, r->a);
    rc = tmpl_cache_get(run->cache, t->source, key, &tmpl_env_platform, &compiled, e);
    if (rc == 0) {
        rc = tmpl_render(compiled, run, &b, r->a, e);
        tmpl_unref(compiled);
    }
    if (rc != 0) {
        err_context(e, "template \"%.*s\"", STR_ARG(key));
        return -1;
    }
    block_read(buf_str(&b), &block, r->a);
    if (check_smuggled(&block, t->source, r->a, e) != 0)
        return -1;
    return use_block(&block, out, r->a, e);
}

int mail_recipients(struct str text, struct gw_mailboxes *out, struct arena *a, struct err *e)
{
    struct str trimmed = str_trim(text);
    struct val list;
    struct buf b;

    if (trimmed.len == 0 || trimmed.p[0] != '[')
        return gw_mail_addresses(trimmed, out, a, e);
    if (literal_parse(trimmed, 0, &list, a, e) != 0)
        return -1;
    buf_init(&b, 1 * MIB, a);
    for (size_t i = 0; i < val_count(list); i++) {
        buf_add_str(&b, val_str_of(val_at(list, i), a));
        buf_putc(&b, '\n');
    }
    return gw_mail_addresses(buf_str(&b), out, a, e);
}

/* ---- sending ------------------------------------------------------------------------------------------------- */

static struct val addresses(const struct gw_mailboxes *list, struct arena *a)
{
    struct val out = val_list_new(a, list->n);

    for (size_t i = 0; i < list->n; i++)
        val_list_add(out, val_str(list->items[i].address));
    return out;
}

static struct str shown(struct node_run *r, const struct gw_mail *m)
{
    struct arena *a = r->a;
    struct val in = val_dict_new(a, 8), files = val_list_new(a, m->n_attachments);

    for (size_t i = 0; i < m->n_attachments; i++) {
        struct val file = val_dict_new(a, 2);

        val_dict_set_c(file, "name", val_str(m->attachments[i].name));
        val_dict_set_c(file, "size", val_int((int64_t)m->attachments[i].bytes.len));
        val_list_add(files, file);
    }
    if (m->from.address.len > 0)
        val_dict_set_c(in, "from", val_str(m->from.address));
    val_dict_set_c(in, "to", addresses(&m->to, a));
    if (m->cc.n > 0)
        val_dict_set_c(in, "cc", addresses(&m->cc, a));
    if (m->bcc.n > 0)
        val_dict_set_c(in, "bcc", addresses(&m->bcc, a));
    val_dict_set_c(in, "subject", val_str(m->subject));
    val_dict_set_c(in, "body",
                   val_str(node_trace_body(r, m->html ? STR("text/html") : STR("text/plain"), m->body)));
    val_dict_set_c(in, "attachments", files);
    return json_text(in, a);
}

int mail_send(struct node_run *r, struct gw_mail *m, struct err *e)
{
    struct val out = val_dict_new(r->a, 2);
    struct gw_mail_answer ans;
    const struct cfg *cfg;
    struct node_trace t = {.method = STR("SMTP"), .started_us = clock_wall_us(&clock_system)};
    int rc;

    if (m->message_id.len == 0)
        m->message_id = node_idempotency_key(r);
    cfg = node_cfg(r);
    node_blocks(r);
    rc = gw_smtp_send(cfg, m, &ans, r->a, e);
    node_goes_on(r);
    if (rc != 0 && (e->code == ERR_CONFIG || e->code == ERR_INVALID))
        return -1; /* nobody was asked */
    val_dict_set_c(out, "status", val_int(ans.status));
    if (rc != 0)
        val_dict_set_c(out, "error", val_str_c(e->msg));
    t.status = rc == 0 ? 250 : ans.status;
    t.host = ans.host;
    t.url = ans.url;
    t.input = shown(r, m);
    t.output = json_text(out, r->a);
    t.ended_us = clock_wall_us(&clock_system);
    node_trace(r, &t);
    return rc;
}
