/*
 * The scheduler with real nodes: outputs, gates, goto, ends, errors, context
 * (workflow-engine.md 2.9, 3, 4).
 */
#include "support/cases.h"

#include "graph.c"

static const struct row {
    const char *name;
    const char *cells;
    const char *edges;
    const char *want;
    struct graph_opts opts;
} rows[] = {
    {"start to end", "{}", "start.ok>end", "CLOSED_IN_SUCCESS start=ok end=ok | {}", {0}},
    {"a setter writes text",
     "{'a':['context_setter',{'key':'x','value':'0032475'}]}",
     "start.ok>a a.ok>end",
     "CLOSED_IN_SUCCESS start=ok a=ok end=ok | {\"x\":\"0032475\"}",
     {0}},
    {"text that starts like data is data",
     "{'a':['context_setter',{'key':'x','value':'[1, None, True,]'}]}",
     "start.ok>a a.ok>end",
     "CLOSED_IN_SUCCESS start=ok a=ok end=ok | {\"x\":[1,null,true]}",
     {0}},
    {"text that only looks so stays text",
     "{'a':['context_setter',{'key':'x','value':'{oops'}]}",
     "start.ok>a a.ok>end",
     "CLOSED_IN_SUCCESS start=ok a=ok end=ok | {\"x\":\"{oops\"}",
     {0}},
    {"values are templates",
     "{'a':['context_setter',{'key':'{{ request.k }}','value':'hello {{ request.n }}'}]}",
     "start.ok>a a.ok>end",
     "CLOSED_IN_SUCCESS start=ok a=ok end=ok | {\"y\":\"hello 7\"}",
     {.request = "{'k':'y','n':7}"}},
    {"an empty key is an error",
     "{'a':['context_setter',{'key':'','value':'1'}]}",
     "start.ok>a a.ok>end",
     "ACTIVE start=ok a=ERROR | {} ! parameter \"key\" is empty",
     {0}},
    {"error leaves by its output when linked",
     "{'a':['context_setter',{'key':'{{ 1/0 "
     "}}','value':'1'},['ok','error']],'b':['context_setter',{'key':'e','value':'1'}]}",
     "start.ok>a a.ok>end a.error>b b.ok>end",
     "CLOSED_IN_SUCCESS start=ok a=error b=ok end=ok | {\"e\":\"1\"} ! parameter \"key\": division "
     "by zero (line 1)",
     {0}},
    {"alias: ok leaves by success",
     "{'a':['context_setter',{'key':'x','value':'1'},['success']]}",
     "start.ok>a a.success>end",
     "CLOSED_IN_SUCCESS start=ok a=success end=ok | {\"x\":\"1\"}",
     {0}},
    {"a hidden output ends the branch",
     "{'a':['boolean_expression',{'expression':'1 == 2'},['true']]}",
     "start.ok>a a.true>end",
     "CLOSED_IN_SUCCESS start=ok a=false | {}",
     {0}},
    {"several setters see each other",
     "{'a':['multi_context_setter',{'entries':[{'key':'x','value':'1'},{'key':'y','value':'{{ "
     "context.x }}2'}]}]}",
     "start.ok>a a.ok>end",
     "CLOSED_IN_SUCCESS start=ok a=ok end=ok | {\"x\":\"1\",\"y\":\"12\"}",
     {0}},
    {"several setters write all or none",
     "{'a':['multi_context_setter',{'entries':[{'key':'x','value':'1'},{'key':'y','value':'{{ 1/0 "
     "}}'}]}]}",
     "start.ok>a a.ok>end",
     "ACTIVE start=ok a=ERROR | {} ! entry 2: division by zero (line 1)",
     {0}},
    {"the cleanup flag deletes at the end",
     "{'a':['context_setter',{'key':'{\\u0022key\\u0022:\\u0022x\\u0022,\\u0022cleanup\\u0022:true}"
     "','value':'1'}]}",
     "start.ok>a a.ok>end",
     "CLOSED_IN_SUCCESS start=ok a=ok end=ok | {}",
     {0}},
    {"sync_response",
     "{'a':['sync_response',{'body':'{\\u0022id\\u0022: {{ request.id }}}','status':'201'}]}",
     "start.ok>a a.ok>end",
     "CLOSED_IN_SUCCESS start=ok a=ok end=ok | "
     "{\"*sync_response*\":{\"status\":201,\"body\":{\"id\":3}}}",
     {.request = "{'id':3}"}},
    {"sync_response with bad JSON",
     "{'a':['sync_response',{'body':'{oops'}]}",
     "start.ok>a a.ok>end",
     "ACTIVE start=ok a=ERROR | {} !*",
     {0}},
    {"sync_response with a bad status",
     "{'a':['sync_response',{'status':'99'}]}",
     "start.ok>a a.ok>end",
     "ACTIVE start=ok a=ERROR | {} ! status 99 is not between 100 and 599",
     {0}},
    {"boolean: rendered, then evaluated",
     "{'a':['boolean_expression',{'expression':'\\u0022{{ request.r }}\\u0022 == "
     "\\u0022admin\\u0022'}]}",
     "start.ok>a a.true>end",
     "CLOSED_IN_SUCCESS start=ok a=true end=ok | {}",
     {.request = "{'r':'admin'}"}},
    {"boolean: an unknown name is an error",
     "{'a':['boolean_expression',{'expression':'nope'}]}",
     "start.ok>a a.true>end",
     "ACTIVE start=ok a=ERROR | {} !*",
     {0}},
    {"switch: first true case wins",
     "{'a':['switch',{'expressions':[['request.n == 1','one'],['request.n > 0','many']]}]}",
     "start.ok>a a.one>end a.many>end a.default>end",
     "CLOSED_IN_SUCCESS start=ok a=many end=ok | {}",
     {.request = "{'n':5}"}},
    {"switch: default",
     "{'a':['switch',{'expressions':'[[\\u0022request.n == 1\\u0022,\\u0022one\\u0022]]'}]}",
     "start.ok>a a.one>end a.default>end",
     "CLOSED_IN_SUCCESS start=ok a=default end=ok | {}",
     {.request = "{'n':5}"}},
    {"fan-out and a merge without gate runs twice",
     "{'a':['context_setter',{'key':'a','value':'1'}],'b':['context_setter',{'key':'b','value':'1'}"
     "],'c':['context_setter',"
     "{'key':'c','value':'1'}]}",
     "start.ok>a start.ok>b a.ok>c b.ok>c c.ok>end",
     "CLOSED_IN_SUCCESS start=ok a=ok b=ok c=ok c=ok end=ok end=ok | "
     "{\"a\":\"1\",\"b\":\"1\",\"c\":\"1\"}",
     {0}},
    {"join waits for all",
     "{'a':['context_setter',{'key':'a','value':'1'}],'b':['context_setter',{'key':'b','value':'1'}"
     "],'j':['sync_outputs']}",
     "start.ok>a start.ok>b a.ok>j b.ok>j j.ok>end",
     "CLOSED_IN_SUCCESS start=ok a=ok b=ok j=ok end=ok | {\"a\":\"1\",\"b\":\"1\"}",
     {0}},
    {"join never completed",
     "{'a':['boolean_expression',{'expression':'true'}],'b':['context_setter',{'key':'b','value':'"
     "1'}],'j':['sync_outputs']}",
     "start.ok>a start.ok>b a.false>j b.ok>j j.ok>end",
     "ACTIVE start=ok a=true b=ok j=ERROR | {\"b\":\"1\"} ! join never completed, missing: a.false",
     {0}},
    {"join of three branches",
     "{'a':['context_setter',{'key':'a','value':'1'}],'b':['context_setter',{'key':'b','value':'1'}"
     "],'c':['context_setter',{'key':'c','value':'1'}],'j':['sync_outputs']}",
     "start.ok>a start.ok>b start.ok>c a.ok>j b.ok>j c.ok>j j.ok>end",
     "CLOSED_IN_SUCCESS start=ok a=ok b=ok c=ok j=ok end=ok | "
     "{\"a\":\"1\",\"b\":\"1\",\"c\":\"1\"}",
     {0}},
    {"join: twice by the same edge counts once",
     "{'a':['context_setter',{'key':'a','value':'1'}],'b':['context_setter',{'key':'b','value':'1'}"
     "],'m':['context_setter',{'key':'m','value':'1'}],'c':['boolean_expression',{'expression':"
     "'true'}],'j':['sync_outputs']}",
     "start.ok>a start.ok>b start.ok>c a.ok>m b.ok>m m.ok>j c.false>j j.ok>end",
     "ACTIVE start=ok a=ok b=ok c=true m=ok m=ok j=ERROR | "
     "{\"a\":\"1\",\"b\":\"1\",\"m\":\"1\"} ! join never completed, missing: c.false",
     {0}},
    {"join in a loop: a round each time",
     "{'n':['context_setter',{'key':'n','value':'{{ context.n|default(0)|int + 1 }}'}],"
     "'a':['context_setter',{'key':'a','value':'1'}],'b':['context_setter',{'key':'b','value':'1'}"
     "],'j':['sync_outputs'],'t':['boolean_expression',{'expression':'context.n|int < 2'}]}",
     "start.ok>n n.ok>a n.ok>b a.ok>j b.ok>j j.ok>t t.true>n t.false>end",
     "CLOSED_IN_SUCCESS start=ok n=ok a=ok b=ok j=ok t=true n=ok a=ok b=ok j=ok t=false end=ok | "
     "{\"n\":\"2\",\"a\":\"1\",\"b\":\"1\"}",
     {0}},
    {"restart: a join in its second round",
     "{'n':['context_setter',{'key':'n','value':'{{ context.n|default(0)|int + 1 }}'}],"
     "'a':['timer',{'timeout':'1 hour'}],'b':['context_setter',{'key':'b','value':'1'}"
     "],'j':['sync_outputs'],'t':['boolean_expression',{'expression':'context.n|int < 2'}]}",
     "start.ok>n n.ok>a n.ok>b a.ok>j b.ok>j j.ok>t t.true>n t.false>end",
     "CLOSED_IN_SUCCESS start=ok n=ok a=ok b=ok j=ok t=true n=ok a=ok b=ok j=ok t=false end=ok | "
     "{\"n\":\"2\",\"b\":\"1\"}",
     {.rounds = 2, .restart = true}},
    {"two ends: the first one closes",
     "{'a':['context_setter',{'key':'a','value':'1'}],'late':['end']}",
     "start.ok>end start.ok>a a.ok>late",
     "CLOSED_IN_SUCCESS start=ok end=ok a=ok late=ok | {\"a\":\"1\"}",
     {0}},
    {"or lets one pass",
     "{'a':['context_setter',{'key':'a','value':'1'}],'b':['context_setter',{'key':'b','value':'1'}"
     "],'o':['or_outputs']}",
     "start.ok>a start.ok>b a.ok>o b.ok>o o.ok>end",
     "CLOSED_IN_SUCCESS start=ok a=ok b=ok o=ok end=ok | {\"a\":\"1\",\"b\":\"1\"}",
     {0}},
    {"or in a loop",
     "{'o':['or_outputs'],'n':['context_setter',{'key':'n','value':'{{ context.n|default(0)|int + "
     "1 }}'}],"
     "'t':['boolean_expression',{'expression':'context.n|int < 3'}]}",
     "start.ok>o o.ok>n n.ok>t t.true>o t.false>end",
     "CLOSED_IN_SUCCESS start=ok o=ok n=ok t=true o=ok n=ok t=true o=ok n=ok t=false end=ok | "
     "{\"n\":\"3\"}",
     {0}},
    {"goto is no task",
     "{'g':['goto',{'task':'a'}],'a':['context_setter',{'key':'x','value':'1'}]}",
     "start.ok>g a.ok>end",
     "CLOSED_IN_SUCCESS start=ok a=ok end=ok | {\"x\":\"1\"}",
     {0}},
    {"goto by its other name",
     "{'g':['goto',{'target':'end'}]}",
     "start.ok>g",
     "CLOSED_IN_SUCCESS start=ok end=ok | {}",
     {0}},
    {"goto nowhere",
     "{'g':['goto',{'task':'zz'}]}",
     "start.ok>g",
     "ACTIVE start=ok g=ERROR | {} ! goto zz: unknown task",
     {0}},
    {"gotos in a circle",
     "{'g':['goto',{'task':'h'}],'h':['goto',{'task':'g'}]}",
     "start.ok>g",
     "ACTIVE start=ok g=ERROR | {} ! too many gotos in a row",
     {0}},
    {"a goto counts as an edge of a join",
     "{'a':['context_setter',{'key':'a','value':'1'}],'g':['goto',{'task':'j'}],'j':['sync_outputs'"
     "]}",
     "start.ok>a start.ok>g a.ok>j j.ok>end",
     "CLOSED_IN_SUCCESS start=ok a=ok j=ok end=ok | {\"a\":\"1\"}",
     {0}},
    {"end waits for what is runnable",
     "{'a':['context_setter',{'key':'a','value':'1'}]}",
     "start.ok>end start.ok>a",
     "CLOSED_IN_SUCCESS start=ok end=ok a=ok | {\"a\":\"1\"}",
     {0}},
    {"end beside a blocked branch",
     "{'a':['context_setter',{'key':'{{ 1/0 }}','value':'1'}]}",
     "start.ok>end start.ok>a",
     "CLOSED_IN_ERROR start=ok end=ok a=ERROR | {} ! parameter \"key\": division by zero (line 1)",
     {0}},
    {"no end closes by itself",
     "{'a':['context_setter',{'key':'a','value':'1'}]}",
     "start.ok>a",
     "CLOSED_IN_SUCCESS start=ok a=ok | {\"a\":\"1\"}",
     {0}},
    {"a linked entity keeps it open",
     "{}",
     "start.ok>e e.go>end",
     "ACTIVE start=ok | {}",
     {.entities =
          "[{'name':'e','original_name':'entity','params':{'events':'go'},'outputs':['go']}]"}},
    {"unknown node type",
     "{'a':['nonsense',{}]}",
     "start.ok>a",
     "ACTIVE start=ok a=ERROR | {} ! unknown node type \"nonsense\"",
     {0}},
    {"unknown template engine",
     "{'a':['context_setter',{'key':'x','value':{'lang':'mako','value':'1'}}]}",
     "start.ok>a",
     "ACTIVE start=ok a=ERROR | {} ! parameter \"value\": unknown template engine \"mako\"",
     {0}},
    {"dots and blanks in names",
     "{'my v1.2 step':['context_setter',{'key':'x','value':'1'}]}",
     "start.ok>my~v1.2~step my~v1.2~step.ok>end",
     "CLOSED_IN_SUCCESS start=ok my v1.2 step=ok end=ok | {\"x\":\"1\"}",
     {0}},
    {"edges to nowhere are ignored",
     "{}",
     "start.ok>zz start.ok>end zz.ok>end",
     "CLOSED_IN_SUCCESS start=ok end=ok | {}",
     {0}},
    {"an absolute URL is needed without holder",
     "{'a':['http_call',{'url':'/x','output_context_key':'r'}]}",
     "start.ok>a a.success>end",
     "ACTIVE start=ok a=ERROR | * ! \"/x\" is no absolute URL and no session holder is given",
     {0}},
    {"a timer parks",
     "{'t':['timer',{'timeout':'1 hour'}]}",
     "start.ok>t t.ok>end",
     "ACTIVE start=ok t=WAIT | {}",
     {0}},
    {"a timer fires",
     "{'t':['timer',{'timeout':'1 hour'}]}",
     "start.ok>t t.ok>end",
     "CLOSED_IN_SUCCESS start=ok t=ok end=ok | {}",
     {.rounds = 1}},
    {"a timer with nonsense",
     "{'t':['timer',{'timeout':'soon'}]}",
     "start.ok>t t.ok>end",
     "ACTIVE start=ok t=ERROR | {} ! parameter \"timeout\"*",
     {0}},
    {"end cancels a timer",
     "{'t':['timer',{'timeout':'1 hour'}]}",
     "start.ok>t start.ok>end",
     "CLOSED_IN_SUCCESS start=ok t=WAIT end=ok | {}",
     {.rounds = 1}},
    {"a join over a timer",
     "{'t':['timer',{'timeout':'1 hour'}],'j':['sync_outputs']}",
     "start.ok>t start.ok>j t.ok>j j.ok>end",
     "CLOSED_IN_SUCCESS start=ok t=ok j=ok end=ok | {}",
     {.rounds = 1}},
    {"restart: a join over a timer",
     "{'t':['timer',{'timeout':'1 hour'}],'j':['sync_outputs']}",
     "start.ok>t start.ok>j t.ok>j j.ok>end",
     "CLOSED_IN_SUCCESS start=ok t=ok j=ok end=ok | {}",
     {.rounds = 1, .restart = true}},
    {"restart: an or remembers its passage",
     "{'t':['timer',{'timeout':'1 hour'}],'o':['or_outputs'],'k':['timer',{'timeout':'2 hours'}]}",
     "start.ok>t start.ok>o t.ok>o o.ok>k",
     "CLOSED_IN_SUCCESS start=ok t=ok o=ok k=ok | {}",
     {.rounds = 2, .restart = true}},
    {"macro",
     "{'m':['macro',{'workflow':'other','input':'{1: 2, "
     "}','output_context_key':'r','terminations':'end,bad'}]}",
     "start.ok>m m.end>end",
     "CLOSED_IN_SUCCESS start=ok m=end end=ok | {\"r\":{\"status\":200,\"body\":{\"got\":2}}}",
     {.other_cells = "{'a':['callback_response',{'body':'{\\u0022got\\u0022: {{ request[1] }}}'}]}",
      .other_edges = "start.ok>a a.ok>end"}},
    {"macro: unexpected termination",
     "{'m':['macro',{'workflow':'other','terminations':'good'}]}",
     "start.ok>m m.good>end",
     "ACTIVE start=ok m=ERROR | {} ! unexpected termination \"end\"",
     {.other_cells = "{}", .other_edges = "start.ok>end"}},
    {"macro: no such workflow",
     "{'m':['macro',{'workflow':'nope'}]}",
     "start.ok>m",
     "ACTIVE start=ok m=ERROR | {} ! there is no workflow \"nope\"",
     {0}},
    {"macro: nested without end",
     "{'m':['macro',{'workflow':'other','terminations':'end'},['end','error']]}",
     "start.ok>m m.end>end m.error>end",
     "ACTIVE start=ok m=WAIT | {}",
     {.other_cells = "{'m':['macro',{'workflow':'other','terminations':'end'}]}",
      .other_edges = "start.ok>m m.end>end"}},
    {"macro over a timer",
     "{'m':['macro',{'workflow':'other','terminations':'end'}]}",
     "start.ok>m m.end>end",
     "CLOSED_IN_SUCCESS start=ok m=end end=ok | {}",
     {.rounds = 1,
      .other_cells = "{'t':['timer',{'timeout':'1 hour'}]}",
      .other_edges = "start.ok>t t.ok>end"}},
    {"restart: macro over a timer",
     "{'m':['macro',{'workflow':'other','terminations':'end'}]}",
     "start.ok>m m.end>end",
     "CLOSED_IN_SUCCESS start=ok m=end end=ok | {}",
     {.rounds = 1,
      .restart = true,
      .other_cells = "{'t':['timer',{'timeout':'1 hour'}]}",
      .other_edges = "start.ok>t t.ok>end"}},
    {"end closes a sub-instance",
     "{'m':['macro',{'workflow':'other','terminations':'end'}]}",
     "start.ok>m start.ok>end m.end>end",
     "CLOSED_IN_SUCCESS start=ok m=WAIT end=ok | {}",
     {.rounds = 1,
      .other_cells = "{'t':['timer',{'timeout':'1 hour'}]}",
      .other_edges = "start.ok>t t.ok>end"}},
    {"a timer of the past fires at once",
     "{'t':['context_timer',{'variable':'2021-01-01 00:00:00','timeout':'1 day'}]}",
     "start.ok>t t.ok>end",
     "CLOSED_IN_SUCCESS start=ok t=ok end=ok | {}",
     {0}},
    {"a timer of the future parks",
     "{'t':['context_timer',{'variable':'2999-01-01T00:00:00Z'}]}",
     "start.ok>t t.ok>end",
     "ACTIVE start=ok t=WAIT | {}",
     {0}},
    {"a timer from seconds since 1970",
     "{'t':['context_timer',{'variable':'1600000000'}]}",
     "start.ok>t t.ok>end",
     "CLOSED_IN_SUCCESS start=ok t=ok end=ok | {}",
     {0}},
    {"a timer from nonsense",
     "{'t':['context_timer',{'variable':'some day'}]}",
     "start.ok>t t.ok>end",
     "ACTIVE start=ok t=ERROR | {} ! parameter \"variable\": \"some day\" is no date",
     {0}},
    {"stop_timer by cell",
     "{'t':['timer',{'timeout':'1 hour'}],'s':['stop_timer',{'timer':'t'}]}",
     "start.ok>t start.ok>s t.ok>end",
     "CLOSED_IN_SUCCESS start=ok t=stopped s=ok | {}",
     {0}},
    {"stop_timer by key",
     "{'t':['context_timer',{'timeout':'1 hour','key':'k'}],'s':['stop_timer',{'key':'k'}]}",
     "start.ok>t start.ok>s t.ok>end",
     "CLOSED_IN_SUCCESS start=ok t=stopped s=ok | {}",
     {0}},
    {"stop_timer of nothing",
     "{'s':['stop_timer',{'key':'k'}],'a':['context_setter',{'key':'x','value':'1'}]}",
     "start.ok>s s.ok>end s.not_found>a",
     "CLOSED_IN_SUCCESS start=ok s=not_found a=ok | {\"x\":\"1\"}",
     {0}},
    {"a timer replaces those of its key",
     "{'t':['context_timer',{'timeout':'1 hour','key':'k'}],'u':['context_timer',{'timeout':'1 "
     "hour','key':'k','cancel_active_key':'true'}]}",
     "start.ok>t start.ok>u t.ok>end u.ok>end",
     "ACTIVE start=ok t=cancelled u=WAIT | {}",
     {0}},
    {"context is a copy in a template",
     "{'a':['context_setter',{'key':'a','value':'{% do context.update({\\u0022x\\u0022: 5}) %}{{ context.x }}'}],"
     "'b':['context_setter',{'key':'b','value':'{{ context.x is defined }}'}]}",
     "start.ok>a a.ok>b b.ok>end",
     "CLOSED_IN_SUCCESS start=ok a=ok b=ok end=ok | {\"a\":\"5\",\"b\":\"False\"}",
     {0}},
    {"a key with a NUL",
     "{'a':['context_setter',{'key':'a{{ \\u0022\\\\0\\u0022 }}b','value':'1'}]}",
     "start.ok>a",
     "ACTIVE start=ok a=ERROR | {} ! a context key cannot hold a NUL",
     {0}},
    {"random text",
     "{'a':['generate_random_string',{'length':'4','digits':'true','output_context_key':'r'}]}",
     "start.ok>a a.ok>end",
     "CLOSED_IN_SUCCESS start=ok a=ok end=ok | {\"r\":\"????\"}",
     {0}},
    {"random text too short",
     "{'a':['generate_random_string',{'length':'1','digits':'true','lowercase':'true'}]}",
     "start.ok>a",
     "ACTIVE start=ok a=ERROR | {} ! parameter \"length\": 1 is not between 2 and 1024",
     {0}},
    {"set_task_status blocks a task",
     "{'a':['context_setter',{'key':'a','value':'1'}],'s':['set_task_status',{'target_id':'a','"
     "message':'look at it'}]}",
     "start.ok>a a.ok>s",
     "ACTIVE start=ok a=ERROR s=ok | {\"a\":\"1\"} ! look at it",
     {0}},
    {"set_task_status of nothing",
     "{'s':['set_task_status',{'target_id':'zz'}]}",
     "start.ok>s",
     "ACTIVE start=ok s=ERROR | {} ! cell \"zz\" has no task",
     {0}},
    {"get_owner without one",
     "{'s':['get_owner',{'output_context_key':'o'}]}",
     "start.ok>s s.ok>end",
     "CLOSED_IN_SUCCESS start=ok s=ok end=ok | {\"o\":null}",
     {0}},
    {"a call does not run on a loop",
     "{'a':['http_call',{'url':'/x'}]}",
     "start.ok>a a.success>end",
     "ACTIVE start=ok a=QUEUED | {}",
     {.loop = true}},
};

/* In what is wanted, '*' stands for anything and '?' for one character. */
static bool like(const char *got, const char *want)
{
    if (*want == '*' && want[1] != 's' && want[1] != '"') {
        for (;; got++) {
            if (like(got, want + 1))
                return true;
            if (*got == '\0')
                return false;
        }
    }
    if (*got != *want && (*want != '?' || *got == '\0'))
        return false;
    return *got == '\0' || like(got + 1, want + 1);
}

static void runs(const struct row *r)
{
    struct arena *a = arena_new(0);
    const char *got = graph_run(r->cells, r->edges, &r->opts, a);

    if (!like(got, r->want))
        assert_string_equal(got, r->want);
    arena_free(a);
}

/* A circle of tasks ends at the limit, visibly. */
static void endless(const struct row *r)
{
    struct arena *a = arena_new(0);
    const char *got = graph_run(r->cells, r->edges, &r->opts, a);

    assert_non_null(strstr(got, "! too many tasks"));
    assert_memory_equal(got, "ACTIVE ", 7);
    arena_free(a);
}

static const struct row loops[] = {
    {"endless loop",
     "{'a':['context_setter',{'key':'a','value':'1'}],'b':['context_setter',{'key':'b','value':'1'}"
     "]}",
     "start.ok>a a.ok>b b.ok>a",
     NULL,
     {0}},
};

int main(void)
{
    return CASES(rows, runs) + CASES(loops, endless);
}
