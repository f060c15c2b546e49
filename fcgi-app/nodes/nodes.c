/*
 * The table itself, expanded from nodes.def, and how nodes read values.
 */
#include "nodes/nodes.h"

#include "base/json.h"
#include "template/literal.h"

const struct node_type *const node_table[] = {
#define NODE(name) &node_##name,
#include "nodes/nodes.def"
#undef NODE
};
const size_t node_table_n = COUNT_OF(node_table);

int node_value(struct str text, bool strict, struct val *out, struct arena *a, struct err *e)
{
    struct str trimmed = str_trim(text);
    struct err ignored;

    *out = val_str(text);
    if (trimmed.len == 0 || (trimmed.p[0] != '{' && trimmed.p[0] != '['))
        return 0;
    if (json_parse(trimmed, out, a, &ignored) == 0)
        return 0;
    if (literal_parse(trimmed, 0, out, a, strict ? e : &ignored) == 0)
        return 0;
    *out = val_str(text);
    return strict ? -1 : 0;
}
