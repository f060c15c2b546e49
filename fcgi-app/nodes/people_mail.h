/*
 * Telling people by mail that they are asked.
 */
#ifndef SLUICE_NODES_PEOPLE_MAIL_H
#define SLUICE_NODES_PEOPLE_MAIL_H

#include "nodes/nodes.h"

/*
 * Send a stored template to the addresses of the payload "notify" (engine/manual.h); what goes
 * wrong is noted in the logs of the instance and fails nothing.
 *
 * outputs  the answers, for the template's links.
 */
void people_mail(struct node_run *r, struct str template_key, struct val payload,
                 const struct node_strs *outputs);

#endif
