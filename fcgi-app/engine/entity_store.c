/*
 * Statements of events of entities, stored with what they brought about.
 */
#include "engine/entity_int.h"

const struct writer_stmt entity_w_done = {
    "entity_event_done",
    "UPDATE entity_events v SET status = u.status, processing_result = u.result "
    "FROM (SELECT DISTINCT ON (id) * FROM unnest($1::bigint[], $2::text[], $3::text[]) AS u(id, "
    "status, result)) u WHERE v.id = u.id AND v.status = 'received'",
    "itt", 63};

/* Those of an instance that closes which are not worked on, neither before nor now. */
const struct writer_stmt entity_w_close = {
    "entity_event_close",
    "UPDATE entity_events SET status = 'rejected', processing_result = '" ENTITY_UNUSED "' "
    "WHERE instance_id = ANY ($1::bigint[]) AND status = 'received'",
    "i", 64};

const struct writer_stmt *const entity_writer_stmts[] = {&entity_w_done, &entity_w_close};
const size_t entity_writer_stmts_n = COUNT_OF(entity_writer_stmts);
