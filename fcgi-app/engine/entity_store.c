/*
 * Statements of events of entities, stored with what they brought about.
 */
#include "engine/entity_int.h"

const struct writer_stmt entity_w_done = {
    "entity_event_done",
    "UPDATE entity_events v SET status = u.status, processing_result = u.result "
    "FROM (SELECT DISTINCT ON (id) * FROM unnest($1::bigint[], $2::text[], $3::text[]) AS u(id, "
    "status, result)) u WHERE v.id = u.id",
    "itt", 63};

const struct writer_stmt *const entity_writer_stmts[] = {&entity_w_done};
const size_t entity_writer_stmts_n = COUNT_OF(entity_writer_stmts);
