/*
 * JSON Schema as OpenAPI 3.0 takes it.
 */
#ifndef SLUICE_API_OPENAPI_SCHEMA_H
#define SLUICE_API_OPENAPI_SCHEMA_H

#include "base/value.h"

/*
 * The part of a JSON Schema that OpenAPI 3.0's own dialect can say: types with null become
 * "nullable", constants an "enum" of one, and so on; what it has no words for is left out, so the
 * result never refuses what the schema takes.
 *
 * name        of the schema among the components, where its definitions go as "<name>.<definition>",
 *             and it itself when it refers to itself
 * components  components.schemas, added to
 */
struct val openapi_schema(struct val schema, struct str name, struct val components, struct arena *a);

#endif
