/*
 * Sending mail through the platform's SMTP server, over libcurl.
 *
 * The message is put together by libcurl's own MIME code.  What would end a header early is refused, never repaired.
 *
 * Rules: workflow-engine.md 3.21; http-api.md 6 (`smtp`); RFC 5321, 5322, 2047.
 */
#ifndef SLUICE_GATEWAY_GW_SMTP_H
#define SLUICE_GATEWAY_GW_SMTP_H

#include "config/config.h"

enum { GW_MAIL_MS = 30000, GW_MAIL_RECIPIENTS = 1000 };

struct gw_mailbox {
    struct str name; /* may be empty */
    struct str address;
};

struct gw_mailboxes {
    struct gw_mailbox *items;
    size_t n;
};

struct gw_attachment {
    struct str name, mime_type; /* mime_type empty: application/octet-stream */
    struct str bytes;
};

struct gw_mail {
    struct gw_mailbox from; /* address empty: smtp.from */
    struct gw_mailbox reply_to;
    struct gw_mailboxes to, cc, bcc;
    struct str subject;
    struct str body; /* UTF-8 */
    bool html;
    struct str message_id; /* without brackets and domain: the same for a repetition; empty: random */
    const struct gw_attachment *attachments;
    size_t n_attachments;
};

struct gw_mail_answer {
    int status;      /* of SMTP, 0 = none */
    struct str host; /* host:port */
    struct str url;
};

/*
 * Read a list of addresses: "a@x", "Name <a@x>", separated by commas, semicolons or line ends, and by blanks too where no name
 * stands.
 *
 * out   living in `a`.  ERR_INVALID naming what is no address; ERR_LIMIT above GW_MAIL_RECIPIENTS.
 */
MUST_CHECK int gw_mail_addresses(struct str text, struct gw_mailboxes *out, struct arena *a, struct err *e);

/* A header value as it travels: ASCII as it is, else encoded words (RFC 2047). */
struct str gw_mail_words(struct str text, struct arena *a);

/*
 * Send one message to all its recipients, and wait, at most GW_MAIL_MS.  Workers only.
 *
 * out   set on failure too, as far as known.
 * Fails with ERR_CONFIG (no server or sender configured), ERR_INVALID (a line break in a header, no recipient), ERR_UPSTREAM
 * (refused, away, TLS), ERR_TIMEOUT.
 */
MUST_CHECK int gw_smtp_send(const struct cfg *cfg, const struct gw_mail *m, struct gw_mail_answer *out, struct arena *a,
                            struct err *e);

#endif
