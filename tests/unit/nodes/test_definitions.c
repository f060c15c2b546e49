/*
 * Checks of definitions, the stored and the served form (workflow-engine.md 1.1, 1.8).
 */
#include "support/cases.h"

#include "graph.c"

#define START "'start':{'original_name':'start','outputs':['ok'],'x':0,'y':0}"
#define END "'end':{'original_name':'end','outputs':[],'x':0,'y':0}"
#define SET(name)                                                                                  \
    "'" name                                                                                       \
    "':{'original_name':'context_setter','outputs':['ok'],'params':{'key':'k','value':'v'}}"

static const struct row {
    const char *name;
    const char *def;
    const char *saved;     /* rules found when saving: "V5w V8w"; "r" = rejected */
    const char *committed; /* NULL: the same */
} rows[] = {
    {"complete", "{'cells':{" START "," END "},'transitions':[['start.ok','end']],'entities':[]}",
     "", NULL},
    {"not JSON", "'{oops'", "V1r", NULL},
    {"cells missing", "{'transitions':[]}", "V1r", NULL},
    {"transitions missing", "{'cells':{" START "}}", "V1r", NULL},
    {"cell without original_name", "{'cells':{'start':{}},'transitions':[]}", "V1r", NULL},
    {"outputs not texts",
     "{'cells':{'start':{'original_name':'start','outputs':[1]}},'transitions':[]}", "V1r", NULL},
    {"transition of four", "{'cells':{" START "},'transitions':[['a','b','c','d']]}", "V1r", NULL},
    {"transition of three, the third ignored",
     "{'cells':{" START "," END "},'transitions':[['start.ok','end',null]]}", "", NULL},
    {"params as an empty array",
     "{'cells':{'start':{'original_name':'start','params':[]}," END
     "},'transitions':[['start.ok','end']]}",
     "", NULL},
    {"two starts", "{'cells':{" START ",'s2':{'original_name':'start'}," END "},'transitions':[]}",
     "V3r V9w", NULL},
    {"no start", "{'cells':{" END "},'transitions':[]}", "V4r V9w", NULL},
    {"edge from nowhere",
     "{'cells':{" START "," END "},'transitions':[['start.ok','end'],['zz.ok','end']]}", "V5w",
     "V5r"},
    {"edge of an unknown output",
     "{'cells':{" START "," END "},'transitions':[['start.ok','end'],['start.no','end']]}", "V5w",
     "V5r"},
    {"edge to nowhere",
     "{'cells':{" START "," END "},'transitions':[['start.ok','end'],['start.ok','zz']]}", "V5w",
     "V5r"},
    {"alias of an output", "{'cells':{" START "," END "},'transitions':[['start.success','end']]}",
     "", NULL},
    {"edge into start",
     "{'cells':{" START "," END
     "," SET("a") "},'transitions':[['start.ok','a'],['a.ok','start'],['a.ok','end']]}",
     "V6w", "V6r"},
    {"edge out of end",
     "{'cells':{" START "," END "},'transitions':[['start.ok','end'],['end.ok','end']]}", "V6w",
     "V6r"},
    {"unknown type",
     "{'cells':{" START "," END
     ",'a':{'original_name':'magic'}},'transitions':[['start.ok','a'],['start.ok','end']]}",
     "V7w", NULL},
    {"no end", "{'cells':{" START "},'transitions':[]}", "V8w", NULL},
    {"unreachable", "{'cells':{" START "," END "," SET("a") "},'transitions':[['start.ok','end']]}",
     "V9w", NULL},
    {"reached by a goto",
     "{'cells':{" START "," END "," SET("a") ",'g':{'original_name':'goto','params':{'task':'a'}}},"
                                             "'transitions':[['start.ok','g'],['a.ok','end']]}",
     "", NULL},
    {"entity twice",
     "{'cells':{" START "," END
     "},'transitions':[['start.ok','end']],'entities':[{'name':'e'},{'name':'e'}]}",
     "V11r", NULL},
    {"entity named like a cell",
     "{'cells':{" START "," END "},'transitions':[['start.ok','end']],'entities':[{'name':'end'}]}",
     "V12r", NULL},
    {"goto to a missing cell",
     "{'cells':{" START "," END ",'g':{'original_name':'goto','params':{'task':'zz'}}},'"
     "transitions':[['start.ok','g'],['start.ok','end']]}",
     "V13w", NULL},
    {"unknown workflow",
     "{'cells':{" START "," END ",'m':{'original_name':'macro','params':{'workflow':'zz'}}},"
     "'transitions':[['start.ok','m'],['start.ok','end']]}",
     "V14w", NULL},
    {"mandatory parameter empty",
     "{'cells':{" START "," END
     ",'a':{'original_name':'context_setter','params':{'key':'','value':''}}},"
     "'transitions':[['start.ok','a'],['a.ok','end']]}",
     "V15w", NULL},
    {"what the create dialog leaves of a form",
     "{'cells':{" START "," END ",'a':{'original_name':'http_call','params':{'method':'post','url':'/x','body':'form'}},"
     "'b':{'original_name':'http_call','params':{'method':'post','url':'/x','body':'multipart','body#format':'default'}}},"
     "'transitions':[['start.ok','a'],['a.success','b'],['b.success','end']]}",
     "V15w", NULL},
    {"join with one edge",
     "{'cells':{" START "," END
     ",'j':{'original_name':'sync_outputs'}},'transitions':[['start.ok','j'],['j.ok','end']]}",
     "V16w", NULL},
    {"join fed by one cell",
     "{'cells':{" START "," END ",'b':{'original_name':'boolean_expression','params':{'expression':"
     "'true'}},'j':{'original_name':'sync_outputs'}},"
     "'transitions':[['start.ok','b'],['b.true','j'],['b.false','j'],['j.ok','end']]}",
     "V16w", NULL},
};

static bool known(void *ctx, struct str name)
{
    (void)ctx;
    return !str_eq_c(name, "zz");
}

static void check(const struct row *r, enum wf_strictness how, const char *want)
{
    const struct node_table nodes = {node_table, node_table_n};
    struct arena *a = arena_new(0);
    struct wf_report report;
    struct str text;
    struct err e;
    struct buf got;
    int rc;

    rc =
        wf_check(val_str(graph_quotes(r->def, a)), &nodes, how, known, NULL, &text, &report, a, &e);
    buf_init(&got, 1 * KIB, a);
    for (const struct wf_issue *i = report.issues; i != NULL; i = i->next)
        buf_addf(&got, "%s%s%s", got.len > 0 ? " " : "", i->rule, i->reject ? "r" : "w");
    assert_string_equal(buf_cstr(&got), want);
    assert_int_equal(rc == 0, report.n_rejects == 0);
    arena_free(a);
}

static void checks(const struct row *r)
{
    check(r, WF_SAVE, r->saved);
    check(r, WF_COMMIT, r->committed != NULL ? r->committed : r->saved);
}

static const struct form {
    const char *name;
    const char *sent;
    const char *stored;
    const char *served; /* NULL: as stored */
} forms[] = {
    {"empty style goes, the rest stays",
     "{'cells':{'start':{'original_name':'start','outputs':['ok'],'params':{},'x':1.5,'y':0,'style'"
     ":{},'extra':1}},"
     "'transitions':[],'more':[1]}",
     "{'cells':{'start':{'original_name':'start','outputs':['ok'],'params':{},'x':1.5,'y':0,'extra'"
     ":1}},'transitions':[],'more':[1]}",
     NULL},
    {"a style with something stays",
     "{'cells':{'start':{'original_name':'start','outputs':[],'params':{},'x':0,'y':0,'style':{'"
     "background_color':'#fff'}}},"
     "'transitions':[]}",
     "{'cells':{'start':{'original_name':'start','outputs':[],'params':{},'x':0,'y':0,'style':{'"
     "background_color':'#fff'}}},"
     "'transitions':[]}",
     NULL},
    {"what is missing is served", "{'cells':{'start':{'original_name':'start'}},'transitions':[]}",
     "{'cells':{'start':{'original_name':'start'}},'transitions':[]}",
     "{'cells':{'start':{'original_name':'start','outputs':[],'x':0,'y':0,'params':{}}},'"
     "transitions':[]}"},
    {"null is missing, in entities too",
     "{'cells':{'start':{'original_name':'start','outputs':null,'x':null,'y':2,'params':[]}},'transitions':[],"
     "'entities':[{'name':'e','original_name':'entity'}]}",
     "{'cells':{'start':{'original_name':'start','outputs':null,'x':null,'y':2,'params':[]}},'transitions':[],"
     "'entities':[{'name':'e','original_name':'entity'}]}",
     "{'cells':{'start':{'original_name':'start','outputs':[],'x':0,'y':2,'params':[]}},'transitions':[],"
     "'entities':[{'name':'e','original_name':'entity','outputs':[],'x':0,'y':0,'params':{}}]}"},
    {"transitions are stored as pairs",
     "{'cells':{'start':{'original_name':'start','outputs':[],'params':{},'x':0,'y':0}},'"
     "transitions':[['start.ok','a.b',{'status':'OK'}]]}",
     "{'cells':{'start':{'original_name':'start','outputs':[],'params':{},'x':0,'y':0}},'"
     "transitions':[['start.ok','a.b']]}",
     NULL},
};

static void stored_and_served(const struct form *f)
{
    const struct node_table nodes = {node_table, node_table_n};
    struct arena *a = arena_new(0);
    struct wf_report report;
    struct val served;
    struct str text;
    struct err e;

    assert_int_equal(
        wf_check(parse(f->sent, a), &nodes, WF_SAVE, NULL, NULL, &text, &report, a, &e), 0);
    assert_string_equal(text.p, graph_quotes(f->stored, a).p);
    assert_int_equal(wf_served(text, &served, a, &e), 0);
    assert_string_equal(json_text(served, a).p,
                        graph_quotes(f->served != NULL ? f->served : f->stored, a).p);
    arena_free(a);
}

/* Every node of the catalogue can be described, and says what it is for. */
static void catalogue(void **state)
{
    const struct node_table nodes = {node_table, node_table_n};
    struct arena *a = arena_new(0);
    struct val cells = val_get(wf_catalogue(&nodes, a), "cells");

    (void)state;
    assert_int_equal(val_count(cells), node_table_n);
    for (size_t i = 0; i < val_count(cells); i++) {
        struct val c = val_at(cells, i), params = val_get(c, "params");

        assert_true(val_get_text(c, "name", STR("")).len > 0);
        assert_true(val_get_text(c, "doc", STR("")).len > 0);
        assert_true(val_get_text(c, "group", STR("")).len > 0);
        for (size_t k = 0; k < val_count(params); k++)
            assert_true(val_get_text(val_at(params, k), "help", STR("")).len > 0);
    }
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(catalogue)};

    return CASES(rows, checks) + CASES(forms, stored_and_served) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
