/*
 * Mail of nodes: from a stored template to a sent message with its trace.
 *
 * A stored mail template may begin with mail headers, then a blank line, then the text (workflow-engine.md 3.21).
 */
#ifndef SLUICE_NODES_MAIL_H
#define SLUICE_NODES_MAIL_H

#include "gateway/gw_smtp.h"
#include "nodes/nodes.h"

struct tmpl_run;

/*
 * Render the stored template `key` into `out`: its headers and its text, living in r->a.
 *
 * run  the surroundings, NULL: those of the instance.
 * Fails with ERR_NOT_FOUND (no such template), ERR_INVALID (rendering; a value that brings a header of its own).
 */
MUST_CHECK int mail_render(struct node_run *r, struct str key, const struct tmpl_run *run, struct gw_mail *out,
                           struct err *e);
/* Addresses of a parameter: a list literal, or as gw_mail_addresses(). */
MUST_CHECK int mail_recipients(struct str text, struct gw_mailboxes *out, struct arena *a, struct err *e);
/* Send it and write the trace: method SMTP, no content of attachments.  As gw_smtp_send(). */
MUST_CHECK int mail_send(struct node_run *r, struct gw_mail *m, struct err *e);

#endif
