/*
 * The SMTP client.  With smtp.ssl TLS comes first; without, it is asked for and used when the server offers it.  A certificate
 * that does not hold is an error either way.
 */
#include "gateway/gw_smtp.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/ip_guard.h"
#include "base/utf8.h"

enum { CONNECT_MS = 10000, WORD_BYTES = 45 };

/* ---- addresses -------------------------------------------------------------------------------------------- */

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}

static bool is_address(struct str s)
{
    ptrdiff_t at = str_rfind_char(s, '@');

    if (at <= 0 || (size_t)at + 1 == s.len || s.len > 320 || utf8_check(s) != s.len || has_control(s))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (strchr(" <>,;:\"\\()[]", s.p[i]) != NULL)
            return false;
    return true;
}

static struct str unquoted(struct str s)
{
    if (s.len >= 2 && s.p[0] == '"' && s.p[s.len - 1] == '"')
        return str_slice(s, 1, s.len - 1);
    return s;
}

static int address_add(struct str text, struct gw_mailboxes *out, struct arena *a, struct err *e)
{
    struct gw_mailbox m = {.address = str_trim(text)};
    ptrdiff_t open = str_find_char(m.address, '<');

    if (m.address.len == 0)
        return 0;
    if (open >= 0 && str_ends(m.address, STR(">"))) {
        m.name = unquoted(str_trim(str_slice(m.address, 0, (size_t)open)));
        m.address = str_slice(m.address, (size_t)open + 1, m.address.len - 1);
    }
    if (!is_address(m.address) || has_control(m.name)) {
        err_set(e, ERR_INVALID, "\"%.*s\" is no mail address", STR_ARG(str_slice(str_trim(text), 0, 200)));
        return -1;
    }
    if (out->n >= GW_MAIL_RECIPIENTS) {
        err_set(e, ERR_LIMIT, "there are more than %d recipients", GW_MAIL_RECIPIENTS);
        return -1;
    }
    out->items = arena_grow(a, out->items, out->n * sizeof *out->items, (out->n + 1) * sizeof *out->items);
    out->items[out->n++] = (struct gw_mailbox){str_dup(a, m.name), str_dup(a, m.address)};
    return 0;
}

int gw_mail_addresses(struct str text, struct gw_mailboxes *out, struct arena *a, struct err *e)
{
    const char *ends = str_find_char(text, '<') >= 0 ? ",;\r\n" : ",; \t\r\n";
    size_t from = 0;
    bool quoted = false;

    *out = (struct gw_mailboxes){0};
    for (size_t i = 0; i <= text.len; i++) {
        quoted = i < text.len && (text.p[i] == '"') != quoted;
        if (i < text.len && (quoted || text.p[i] == '\0' || strchr(ends, text.p[i]) == NULL))
            continue;
        if (address_add(str_slice(text, from, i), out, a, e) != 0)
            return -1;
        from = i + 1;
    }
    return 0;
}

/* ---- headers ------------------------------------------------------------------------------------------------ */

struct str gw_mail_words(struct str text, struct arena *a)
{
    struct buf b;

    if (utf8_is_ascii(text) && str_find(text, STR("=?")) < 0)
        return text;
    buf_init(&b, text.len * 4 + 64, a);
    while (text.len > 0) {
        size_t n = text.len < WORD_BYTES ? text.len : WORD_BYTES;

        while (n < text.len && n > 1 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
            n--; /* a word holds whole characters */
        if (b.len > 0)
            buf_add_c(&b, "\r\n ");
        buf_add_c(&b, "=?utf-8?B?");
        buf_add_str(&b, crypto_b64(a, str_slice(text, 0, n)));
        buf_add_c(&b, "?=");
        text = str_slice(text, n, text.len);
    }
    return buf_str(&b);
}

/* The headers of a message, and whether one could not be written. */
struct message {
    struct curl_slist *headers, *recipients;
    struct arena *a;
};

static struct curl_slist *append(struct curl_slist *list, const char *text)
{
    struct curl_slist *longer = curl_slist_append(list, text);

    if (longer == NULL)
        abort();
    return longer;
}

static int header_put(struct message *m, const char *name, struct str value, struct err *e)
{
    if (has_control(value)) {
        err_set(e, ERR_INVALID, "the %s of the mail holds a line break or another control character", name);
        return -1;
    }
    if (value.len > 0)
        m->headers = append(m->headers, arena_printf(m->a, "%s: %.*s", name, STR_ARG(gw_mail_words(value, m->a))));
    return 0;
}

/* A name that is no plain word is quoted, or encoded. */
static struct str mailbox_text(const struct gw_mailbox *x, struct arena *a)
{
    struct buf b;

    if (x->name.len == 0)
        return x->address;
    if (!utf8_is_ascii(x->name))
        return str_printf(a, "%.*s <%.*s>", STR_ARG(gw_mail_words(x->name, a)), STR_ARG(x->address));
    buf_init(&b, 2 * x->name.len + x->address.len + 8, a);
    buf_putc(&b, '"');
    for (size_t i = 0; i < x->name.len; i++) {
        if (x->name.p[i] == '"' || x->name.p[i] == '\\')
            buf_putc(&b, '\\');
        buf_putc(&b, x->name.p[i]);
    }
    buf_addf(&b, "\" <%.*s>", STR_ARG(x->address));
    return buf_str(&b);
}

static int mailbox_check(const struct gw_mailbox *x, struct err *e)
{
    if (is_address(x->address) && !has_control(x->name))
        return 0;
    err_set(e, ERR_INVALID, "\"%.*s\" is no mail address", STR_ARG(str_slice(x->address, 0, 200)));
    return -1;
}

/* name NULL: recipients that no header shows. */
static int mailboxes_put(struct message *m, const char *name, const struct gw_mailboxes *list, struct err *e)
{
    struct buf b;

    buf_init(&b, 1 * MIB, m->a);
    for (size_t i = 0; i < list->n; i++) {
        if (mailbox_check(&list->items[i], e) != 0)
            return -1;
        if (name != NULL)
            buf_addf(&b, "%s%.*s", i > 0 ? ",\r\n " : "", STR_ARG(mailbox_text(&list->items[i], m->a)));
        m->recipients =
            append(m->recipients, arena_printf(m->a, "<%.*s>", STR_ARG(list->items[i].address)));
    }
    if (b.len > 0)
        m->headers = append(m->headers, arena_printf(m->a, "%s: %s", name, buf_cstr(&b)));
    return 0;
}

static void date_put(struct message *m)
{
    time_t now = (time_t)(clock_wall_us(&clock_system) / 1000000);
    struct tm tm;
    char text[64];

    gmtime_r(&now, &tm);
    (void)strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S +0000", &tm);
    m->headers = append(m->headers, text);
}

static void message_id_put(struct message *m, const struct gw_mail *mail, struct str from)
{
    struct str domain = str_slice(from, (size_t)str_rfind_char(from, '@') + 1, from.len), id = mail->message_id;
    unsigned char random[16];

    if (id.len == 0) {
        crypto_random(random, sizeof random);
        id = crypto_hex(m->a, random, sizeof random);
    }
    m->headers =
        append(m->headers, arena_printf(m->a, "Message-ID: <%.*s@%.*s>", STR_ARG(id), STR_ARG(domain)));
}

static int message_make(struct message *m, const struct gw_mail *mail, const struct gw_mailbox *from, struct err *e)
{
    if (mailbox_check(from, e) != 0)
        return -1;
    date_put(m);
    m->headers = append(m->headers, arena_printf(m->a, "From: %.*s", STR_ARG(mailbox_text(from, m->a))));
    if (mail->reply_to.address.len > 0) {
        if (mailbox_check(&mail->reply_to, e) != 0)
            return -1;
        m->headers =
            append(m->headers, arena_printf(m->a, "Reply-To: %.*s", STR_ARG(mailbox_text(&mail->reply_to, m->a))));
    }
    if (mailboxes_put(m, "To", &mail->to, e) != 0 || mailboxes_put(m, "Cc", &mail->cc, e) != 0 ||
        mailboxes_put(m, NULL, &mail->bcc, e) != 0 || header_put(m, "Subject", mail->subject, e) != 0)
        return -1;
    if (m->recipients == NULL) {
        err_set(e, ERR_INVALID, "the mail has no recipient");
        return -1;
    }
    message_id_put(m, mail, from->address);
    return 0;
}

static curl_mime *mime_of(CURL *curl, const struct gw_mail *m, struct arena *a)
{
    curl_mime *mime = curl_mime_init(curl);
    curl_mimepart *part = curl_mime_addpart(mime);

    curl_mime_data(part, m->body.p != NULL ? m->body.p : "", m->body.len);
    curl_mime_type(part, m->html ? "text/html; charset=utf-8" : "text/plain; charset=utf-8");
    curl_mime_encoder(part, "quoted-printable");
    for (size_t i = 0; i < m->n_attachments; i++) {
        const struct gw_attachment *x = &m->attachments[i];

        part = curl_mime_addpart(mime);
        curl_mime_data(part, x->bytes.p != NULL ? x->bytes.p : "", x->bytes.len);
        curl_mime_filename(part, str_cstr(a, x->name));
        curl_mime_type(part, x->mime_type.len > 0 && !has_control(x->mime_type) ? str_cstr(a, x->mime_type)
                                                                                  : "application/octet-stream");
        curl_mime_encoder(part, "base64");
    }
    return mime;
}

/* ---- sending --------------------------------------------------------------------------------------------------- */

/* The name of the mail server may have become an address that none has. */
static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
    (void)purpose;
    return ip_guard_socket(IP_GUARD_NAMED, &to->addr, to->socktype, to->protocol, arg);
}

static int fail(CURLcode code, const char *text, const struct gw_mail_answer *out, struct err *e)
{
    if (code == CURLE_OPERATION_TIMEDOUT)
        err_set(e, ERR_TIMEOUT, "mail server %.*s did not answer in time", STR_ARG(out->host));
    else if (out->status >= 400)
        err_set(e, ERR_UPSTREAM, "mail server %.*s refused (%d)", STR_ARG(out->host), out->status);
    else
        err_set(e, ERR_UPSTREAM, "mail server %.*s: %s", STR_ARG(out->host),
                text[0] != '\0' ? text : curl_easy_strerror(code));
    return -1;
}

static void set_server(CURL *curl, const struct cfg *cfg, const struct gw_mail_answer *out, struct arena *a)
{
    struct str user = cfg_text(cfg, "smtp.username"), password = cfg_text(cfg, "smtp.password");

    curl_easy_setopt(curl, CURLOPT_URL, str_cstr(a, out->url));
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(curl, CURLOPT_USE_SSL,
                     cfg_bool(cfg, "smtp.ssl") ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_TRY);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (user.len > 0) {
        curl_easy_setopt(curl, CURLOPT_USERNAME, str_cstr(a, user));
        curl_easy_setopt(curl, CURLOPT_PASSWORD, str_cstr(a, password));
    }
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)GW_MAIL_MS);
}

static int server_of(const struct cfg *cfg, struct gw_mail_answer *out, struct arena *a, struct err *e)
{
    struct str host = str_trim(cfg_text(cfg, "smtp.host"));
    bool v6 = str_find_char(host, ':') >= 0 && host.p[0] != '[';

    if (host.len == 0) {
        err_set(e, ERR_CONFIG, "no mail server is configured (smtp.host)");
        return -1;
    }
    for (size_t i = 0; i < host.len; i++)
        if ((unsigned char)host.p[i] <= ' ' || strchr("/?#@\\", host.p[i]) != NULL) {
            err_set(e, ERR_CONFIG, "smtp.host is no host name");
            return -1;
        }
    out->host = str_printf(a, v6 ? "[%.*s]:%d" : "%.*s:%d", STR_ARG(host), (int)cfg_int(cfg, "smtp.port"));
    out->url = str_printf(a, "%s://%.*s", cfg_bool(cfg, "smtp.ssl") ? "smtps" : "smtp", STR_ARG(out->host));
    return 0;
}

static int sender_of(const struct cfg *cfg, const struct gw_mail *m, struct gw_mailbox *out, struct arena *a,
                     struct err *e)
{
    struct gw_mailboxes list;

    *out = m->from;
    if (out->address.len > 0)
        return 0;
    if (gw_mail_addresses(cfg_text(cfg, "smtp.from"), &list, a, e) != 0)
        return -1;
    if (list.n != 1) {
        err_set(e, ERR_CONFIG, "no sender is configured (smtp.from)");
        return -1;
    }
    *out = list.items[0];
    return 0;
}

int gw_smtp_send(const struct cfg *cfg, const struct gw_mail *m, struct gw_mail_answer *out, struct arena *a,
                 struct err *e)
{
    struct message msg = {.a = a};
    struct gw_mailbox from;
    char why[CURL_ERROR_SIZE] = "";
    const char *refused = NULL;
    curl_mime *mime = NULL;
    CURL *curl = NULL;
    CURLcode code;
    long status = 0;
    int rc = -1;

    *out = (struct gw_mail_answer){0};
    if (server_of(cfg, out, a, e) != 0 || sender_of(cfg, m, &from, a, e) != 0 ||
        message_make(&msg, m, &from, e) != 0)
        goto out;
    curl = curl_easy_init();
    if (curl == NULL)
        abort();
    mime = mime_of(curl, m, a);
    set_server(curl, cfg, out, a);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &refused);
    curl_easy_setopt(curl, CURLOPT_MAIL_FROM, arena_printf(a, "<%.*s>", STR_ARG(from.address)));
    curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, msg.recipients);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, msg.headers);
    curl_easy_setopt(curl, CURLOPT_MIMEPOST, mime);
    code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    out->status = (int)status;
    if (code != CURLE_OK && refused != NULL)
        snprintf(why, sizeof why, "must not be called: it has %s", refused);
    rc = code == CURLE_OK ? 0 : fail(code, why, out, e);
out:
    if (mime != NULL)
        curl_mime_free(mime);
    if (curl != NULL)
        curl_easy_cleanup(curl);
    curl_slist_free_all(msg.headers);
    curl_slist_free_all(msg.recipients);
    return rc;
}
