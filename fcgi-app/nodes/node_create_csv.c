/*
 * create_csv: a document of rows, separated by commas (workflow-engine.md 3.41; RFC 4180).
 */
#include "base/json.h"
#include "engine/documents.h"
#include "format/csv.h"
#include "nodes/nodes.h"
#include "template/literal.h"

enum { RECORDS_MAX = 1000000 };

struct cfg {
    struct str filename;
    struct str inputs;
    struct str description;
};

static const struct param params[] = {
    {.name = "filename",
     .kind = PARAM_LINE,
     .offset = offsetof(struct cfg, filename),
     .mandatory = true,
     .help = "Name of the document; one of that name is replaced."},
    {.name = "inputs",
     .kind = PARAM_JINJA,
     .offset = offsetof(struct cfg, inputs),
     .help = "List of lists, or of objects: then the first row holds the members of the first one."},
    {.name = "description",
     .kind = PARAM_LINE,
     .offset = offsetof(struct cfg, description),
     .help = "What the document is."},
    {0},
};

static void cell_put(struct buf *b, struct val v, bool first, struct arena *a)
{
    struct str text = val_is_none(v)         ? STR("")
                      : val_is(v, VAL_STR) ? val_text(v)
                                           : json_text(v, a);

    if (!first)
        buf_putc(b, ',');
    csv_add_cell(b, text);
}

static void row_of_list(struct buf *b, struct val row, struct arena *a)
{
    for (size_t i = 0; i < val_count(row); i++)
        cell_put(b, val_at(row, i), i == 0, a);
    buf_putc(b, '\n');
}

/* The members of the first object name the columns; others have nothing else. */
static void row_of_object(struct buf *b, struct val columns, struct val row, struct arena *a)
{
    struct val key, ignored;

    for (size_t i = 0; i < val_count(columns); i++)
        if (val_pair_at(columns, i, &key, &ignored))
            cell_put(b, val_is_undef(row) ? key : val_get_val(row, key), i == 0, a);
    buf_putc(b, '\n');
}

static int write_rows(struct buf *b, struct val rows, struct arena *a, struct err *e)
{
    struct val first = val_at(rows, 0);
    bool objects = val_is(first, VAL_DICT);

    if (objects)
        row_of_object(b, first, val_undef(NULL), a);
    for (size_t i = 0; i < val_count(rows); i++) {
        struct val row = val_at(rows, i);

        if (objects ? !val_is(row, VAL_DICT) : !val_is(row, VAL_LIST) && !val_is(row, VAL_TUPLE)) {
            err_set(e, ERR_INVALID, "parameter \"inputs\": row %zu is no %s", i + 1,
                    objects ? "object" : "list");
            return -1;
        }
        if (objects)
            row_of_object(b, first, row, a);
        else
            row_of_list(b, row, a);
    }
    if (b->over) {
        err_set(e, ERR_LIMIT, "the rows are larger than %zu bytes", b->max);
        return -1;
    }
    return 0;
}

static enum node_rc create_csv_run(struct node_run *r, struct err *e)
{
    const struct cfg *c = r->cfg;
    struct val rows = val_list_new(r->a, 0);
    struct buf b;

    if (str_trim(c->inputs).len > 0 &&
        literal_parse(str_trim(c->inputs), LITERAL_ROWS_WITHOUT_COMMA, &rows, r->a, e) != 0) {
        err_context(e, "parameter \"inputs\"");
        return NODE_FAIL;
    }
    if (!val_is(rows, VAL_LIST) && !val_is(rows, VAL_TUPLE)) {
        err_set(e, ERR_INVALID, "parameter \"inputs\" is no list");
        return NODE_FAIL;
    }
    if (val_count(rows) > RECORDS_MAX) {
        err_set(e, ERR_LIMIT, "parameter \"inputs\" has more than %d records", RECORDS_MAX);
        return NODE_FAIL;
    }
    buf_init(&b, LIMIT_DOCUMENT, r->a);
    if (write_rows(&b, rows, r->a, e) != 0 ||
        node_document_put(r, c->filename, STR("text/csv"), c->description, buf_str(&b), NULL, e) != 0)
        return NODE_FAIL;
    return node_fire(r, "ok");
}

const struct node_type node_create_csv = {
    .name = "create_csv",
    .group = "files",
    .doc = "Makes a document of comma separated rows.",
    .params = params,
    .cfg_size = sizeof(struct cfg),
    .outputs = (const char *const[]){"ok", "error", NULL},
    .flags = NODE_BLOCKING,
    .run = create_csv_run,
};
