/*
 * Call nodes, mail, search, csv and sub-workflows: each output, each error, what goes out and what is shown of it
 * (workflow-engine.md 3.3 to 3.11, 3.13, 3.21, 3.37, 3.40, 3.41).
 *
 * All cases of the table are cells of one workflow; the request says which one runs.
 */
#include "base/arena.h"

#include <signal.h>
#include <string.h>

#include "base/json.h"
#include "integration/env_api.h"
#include "support/cases.h"
#include "support/peer.h"
#include "support/smtp.h"

static struct env *env;
static struct peer *peer;
static struct smtp_peer *mail;
static int nobody; /* a port where nobody listens */

#define JSON_IS "Content-Type: application/json\r\n"

static const struct peer_step fine[] = {{.kind = PEER_ANSWER, .headers = JSON_IS, .body = "{\"a\":1}"}};
static const struct peer_step odd[] = {{.kind = PEER_ANSWER, .body = "\xff\xfe"}};
static const struct peer_step empty[] = {{.kind = PEER_ANSWER}};
static const struct peer_step plain[] = {{.kind = PEER_ANSWER, .body = "just text"}};
static const struct peer_step gone[] = {{.kind = PEER_ANSWER, .status = 404, .body = "{\"e\":\"no\"}"}};
static const struct peer_step broken[] = {{.kind = PEER_ANSWER, .status = 500, .body = "x"}};
static const struct peer_step busy_once[] = {{.kind = PEER_ANSWER, .status = 503}, {.kind = PEER_ANSWER, .body = "[1]"}};
static const struct peer_step xml[] = {{.kind = PEER_ANSWER, .body = "<a b='1'><c>x</c><c/></a>"}};
static const struct peer_step bad_xml[] = {{.kind = PEER_ANSWER, .body = "<a><b></a>"}};
static const struct peer_step audited[] = {
    {.kind = PEER_ANSWER, .headers = JSON_IS, .body = "{\"_record_internal_id\":\"r7\"}"}};
static const struct peer_step odd_audit[] = {
    {.kind = PEER_ANSWER, .headers = JSON_IS, .body = "{\"_record_internal_id\":\"r\\u0000\"}"}};
static const struct peer_step hung[] = {{.kind = PEER_HANG}};

/* ---- one workflow for all cases --------------------------------------------------------------------------- */

static const struct row {
    const char *name, *type;
    const char *params; /* members, ' for " */
    const char *links;  /* outputs that lead to the end, blanks between */
    const struct peer_step *script;
    const char *want; /* "OK success | <context key k> ! error"; a * at the end stands for the rest */
    const char *sent; /* part of what the peer received, or NULL */
    const char *in;   /* JSON, request.body.in */
} rows[] = {
    /* http_call */
    {"a JSON answer is data", "http_call", "'session_holder':'p','url':'/x','output_context_key':'k'", "success", fine,
     "OK success | {\"status\":200,\"body\":{\"a\":1}}", "GET /x HTTP/1.1\r\n", NULL},
    {"an empty answer is null", "http_call", "'session_holder':'p','url':'x','output_context_key':'k'", "success", empty,
     "OK success | {\"status\":200,\"body\":null}", "GET /x HTTP/1.1\r\n", NULL},
    {"other text is text", "http_call", "'session_holder':'p','url':'x','output_context_key':'k'", "success", plain,
     "OK success | {\"status\":200,\"body\":\"just text\"}", NULL, NULL},
    {"bytes are base64", "http_call", "'session_holder':'p','url':'x','output_context_key':'k'", "success", odd,
     "OK success | {\"status\":200,\"body\":\"//4=\"}", NULL, NULL},
    {"an absolute URL", "http_call", "'url':'{{ request.body.in }}/abs?x=1','output_context_key':'k'", "success", fine,
     "OK success | {\"status\":200,\"body\":{\"a\":1}}", "GET /abs?x=1 HTTP/1.1\r\n", "\"http://127.0.0.1:%PORT%\""},
    {"a code has its output", "http_call", "'session_holder':'p','url':'x','http_codes':'5*,4*,404','output_context_key':'k'",
     "404 4* success", gone, "OK 404 | {\"status\":404,\"body\":{\"e\":\"no\"}}", NULL, NULL},
    {"no code matches a success", "http_call", "'session_holder':'p','url':'x','http_codes':'201'", "201 success", fine,
     "OK success | -", NULL, NULL},
    {"no code matches and success leads nowhere", "http_call", "'session_holder':'p','url':'x','http_codes':'201'", "201",
     fine, "ERROR - | - ! p answered 200", NULL, NULL},
    {"500 without code", "http_call", "'session_holder':'p','url':'x','output_context_key':'k'", "success", broken,
     "ERROR - | {\"status\":500,\"body\":\"x\"} ! p answered 500", NULL, NULL},
    {"500 with error linked", "http_call", "'session_holder':'p','url':'x'", "success error", broken,
     "OK error | - ! p answered 500", NULL, NULL},
    {"nobody there", "http_call", "'session_holder':'gone','url':'x','output_context_key':'k'", "success error", NULL,
     "OK error | {\"status\":0,\"body\":null,\"error\":\"connection to 127.0.0.1:*", NULL, NULL},
    {"no answer in time", "http_call", "'session_holder':'p','url':'x'", "success", hung,
     "ERROR - | - ! 127.0.0.1:*", NULL, NULL},
    {"relative without holder", "http_call", "'url':'x'", "success", NULL,
     "ERROR - | - ! \"x\" is no absolute URL and no session holder is given", NULL, NULL},
    {"unknown holder", "http_call", "'session_holder':'nope','url':'x'", "success", NULL,
     "ERROR - | - ! there is no gateway \"nope\"", NULL, NULL},
    {"no URL", "http_call", "'session_holder':'p','url':'{{ \\u0027\\u0027 }}'", "success", NULL,
     "ERROR - | - ! parameter \"url\" is empty", NULL, NULL},
    {"unknown method", "http_call", "'session_holder':'p','url':'x','method':'zap'", "success", NULL,
     "ERROR - | - ! parameter \"method\": \"zap\" is not among its values", NULL, NULL},
    {"negative time to live", "http_call", "'session_holder':'p','url':'x','cache_key':'c','cache_ttl':'-1'", "success", NULL,
     "ERROR - | - ! parameter \"cache_ttl\" is negative", NULL, NULL},
    {"a time to live that is no number", "http_call", "'session_holder':'p','url':'x','cache_ttl':'{{ \\u0027soon\\u0027 }}'", "success", NULL,
     "ERROR - | - ! parameter \"cache_ttl\": \"soon\" is not a whole number", NULL, NULL},
    {"a time to live beyond counting", "http_call", "'session_holder':'p','url':'x','cache_key':'c','cache_ttl':'9223372036854775807'",
     "success", NULL, "ERROR - | - ! parameter \"cache_ttl\" is more than 2147483647", NULL, NULL},
    {"JSON is sent as JSON", "http_call", "'session_holder':'p','method':'post','url':'x','body':'{\\u0022a\\u0022:1}'",
     "success", empty, "OK success | -", "content-type: application/json\r\n", NULL},
    {"text is sent as text", "http_call", "'session_holder':'p','method':'put','url':'x','body':'hello'", "success", empty,
     "OK success | -", "content-type: text/plain; charset=utf-8\r\n", NULL},
    {"a header wins", "http_call",
     "'session_holder':'p','method':'put','url':'x','body':'hello','headers':[['content-type','text/csv']]", "success", empty,
     "OK success | -", "content-type: text/csv\r\n", NULL},
    {"an empty header takes the holder's away", "http_call",
     "'session_holder':'p','url':'x','headers':[['X-Held',''],['X-Own','1']]", "success", empty, "OK success | -",
     "x-own: 1\r\n", NULL},
    {"a form", "http_call",
     "'session_holder':'p','method':'post','url':'x','body#format':'form','body#form':[['a b','1&2'],['c','{{ 1+1 }}']]",
     "success", empty, "OK success | -", "a%20b=1%262&c=2", NULL},
    {"a form too long to send", "http_call",
     "'session_holder':'p','method':'post','url':'x','body#format':'form','body#form':[['a','{{ request.body.in * 12000000 }}']]",
     "success", NULL, "ERROR - | - ! the form is larger than 33554432 bytes", NULL, "\"&\""},
    {"a multipart", "http_call",
     "'session_holder':'p','method':'post','url':'x','body#format':'multipart','body#multipart':[['f','v w']]", "success",
     empty, "OK success | -", "content-disposition: form-data; name=\"f\"\r\n\r\nv w\r\n", NULL},
    {"an unknown document", "http_call",
     "'session_holder':'p','method':'post','url':'x','body#format':'multipart','body#multipart':[['f','# documents.no.txt']]",
     "success", NULL, "ERROR - | - ! no document \"no.txt\"", NULL, NULL},
    {"an immediate repetition", "http_call",
     "'session_holder':'p','url':'x','output_context_key':'k','retry policy':{'conditions':['503'],'delay':'immediate','max':3}",
     "success", busy_once, "OK success | {\"status\":200,\"body\":[1]}", NULL, NULL},
    {"repeated in vain", "http_call", "'session_holder':'p','url':'x','retry':{'conditions':['5*'],'max':'2'}", "success",
     broken, "ERROR - | - ! p answered 500", NULL, NULL},
    {"a repetition that is no number", "http_call", "'session_holder':'p','url':'x','retry':{'conditions':['5*'],'max':'x'}",
     "success", NULL, "ERROR - | - ! parameter \"retry policy\": max is not a whole number", NULL, NULL},
    {"header injection", "http_call", "'session_holder':'p','url':'x','headers':[['X-A','{{ request.body.in }}']]", "success",
     NULL, "ERROR - | - ! the value of header \"X-A\" holds a control character", NULL, "\"a\\r\\nX-B: c\""},
    /* older forms */
    {"rest_call keeps the audit id", "rest_call", "'session_holder':'p','url':'x','output_context_key':'k'", "success",
     audited, "OK success | {\"status\":200,\"body\":{\"_record_internal_id\":\"r7\"}}", NULL, NULL},
    {"json_call forces JSON", "json_call",
     "'session_holder':'p','method':'post','url':'x','body':'1','headers':[['Content-Type','text/x']]", "success", empty,
     "OK success | -", "content-type: application/json\r\n", NULL},
    {"an audit id that no column can hold", "rest_call", "'session_holder':'p','url':'x','output_context_key':'k'", "success",
     odd_audit, "OK success | {\"status\":200,\"body\":{\"_record_internal_id\":\"r\\u0000\"}}", NULL, NULL},
    /* xml_call */
    {"XML is data", "xml_call", "'session_holder':'p','method':'post','url':'x','body':'<q/>','output_context_key':'k'",
     "success", xml, "OK success | {\"status\":200,\"body\":{\"a\":{\"@b\":\"1\",\"c\":[\"x\",null]}}}",
     "content-type: text/xml; charset=utf-8\r\n", NULL},
    {"broken XML is text", "xml_call", "'session_holder':'p','url':'x','output_context_key':'k'", "success", bad_xml,
     "OK success | {\"status\":200,\"body\":\"<a><b></a>\"}", NULL, NULL},
    {"the status decides", "xml_call", "'session_holder':'p','url':'x','http_codes':'4*'", "4*", gone, "OK 4* | -", NULL, NULL},
    /* proxy_call */
    {"a request passed on", "proxy_call",
     "'session_holder':'p','source':'{{ request.body.in }}','output_context_key':'k'", "success", fine,
     "OK success | {\"status\":200,\"body\":{\"a\":1}}", "PUT /a/b?q=1&x=y%20z&l=1&l=2 HTTP/1.1\r\n",
     "{\"url\":\"/a/b?q=1\",\"method\":\"PUT\",\"params\":{\"x\":\"y z\",\"l\":[\"1\",\"2\"]},\"body\":{\"n\":null}}"},
    {"its body", "proxy_call", "'session_holder':'p','source':'{{ request.body.in }}'", "success", fine, "OK success | -",
     "\r\n\r\n{\"n\":null}", "{\"url\":\"/a\",\"method\":\"post\",\"body\":{\"n\":null},\"content_type\":\"application/json\"}"},
    {"a substitution", "proxy_call",
     "'session_holder':'p','url_substitution_re':'s#^/api/v01/(\\\\w+)/#/v2/\\\\1/#','source':'{{ request.body.in }}'",
     "success", fine, "OK success | -", "GET /v2/p1/x HTTP/1.1\r\n", "{\"url\":\"/api/v01/p1/x\",\"method\":\"GET\"}"},
    {"everywhere, in any case", "proxy_call",
     "'session_holder':'p','url_substitution_re':'s/A/b/gi','source':'{{ request.body.in }}'", "success", fine,
     "OK success | -", "GET /bb HTTP/1.1\r\n", "{\"url\":\"/aA\",\"method\":\"GET\"}"},
    {"a group is the URL", "proxy_call",
     "'session_holder':'p','url_substitution_re':'^/api/v01/p1(/.*)$','source':'{{ request.body.in }}'", "success", fine,
     "OK success | -", "GET /x/y HTTP/1.1\r\n", "{\"url\":\"/api/v01/p1/x/y\",\"method\":\"GET\"}"},
    {"a part removed", "proxy_call", "'session_holder':'p','url_substitution_re':'^/api/v01','source':'{{ request.body.in }}'",
     "success", fine, "OK success | -", "GET /x HTTP/1.1\r\n", "{\"url\":\"/api/v01/x\",\"method\":\"GET\"}"},
    {"the query stays", "proxy_call", "'session_holder':'p','url_substitution_re':'^/api/v01/p1(/[^?]*)','source':'{{ request.body.in }}'",
     "success", fine, "OK success | -", "GET /x?a=1&b=%2F HTTP/1.1\r\n", "{\"url\":\"/api/v01/p1/x?a=1&b=%2F\",\"method\":\"GET\"}"},
    {"beside one of the substitution", "proxy_call", "'session_holder':'p','url_substitution_re':'s#^/api(/x)$#\\\\1?new=1#','source':'{{ request.body.in }}'",
     "success", fine, "OK success | -", "GET /x?new=1&a=?b HTTP/1.1\r\n", "{\"url\":\"/api/x?a=?b\",\"method\":\"GET\"}"},
    {"a bad substitution", "proxy_call", "'session_holder':'p','url_substitution_re':'(','source':'{{ request.body.in }}'",
     "success", NULL, "ERROR - | - ! parameter \"url_substitution_re\"*", NULL, "{\"url\":\"/x\",\"method\":\"GET\"}"},
    {"no object", "proxy_call", "'session_holder':'p','source':'[1]'", "success", NULL,
     "ERROR - | - ! parameter \"source\" is no object with a url", NULL, NULL},
    {"no source", "proxy_call", "'session_holder':'p','source':''", "success", NULL,
     "ERROR - | - ! parameter \"source\" is empty", NULL, NULL},
    {"parameters too long to send", "proxy_call",
     "'session_holder':'p','source':'{\\u0022url\\u0022:\\u0022/x\\u0022,\\u0022method\\u0022:\\u0022GET\\u0022,\\u0022params\\u0022:"
     "{\\u0022a\\u0022:\\u0022{{ request.body.in * 1100000 }}\\u0022}}'",
     "success", NULL, "ERROR - | - ! parameter \"source\": url and params are larger than 1048576 bytes", NULL, "\"x\""},
    {"an odd method", "proxy_call", "'session_holder':'p','source':'{{ request.body.in }}'", "success", NULL,
     "ERROR - | - ! parameter \"source\": method \"brew\" is not known", NULL, "{\"url\":\"/x\",\"method\":\"BREW\"}"},
    /* proxy_session_call, in the core */
    {"no proxy here", "proxy_session_call", "'session_holder':'system','url':'/x'", "success", NULL,
     "ERROR - | - ! no proxy mapping in this process", NULL, NULL},
    {"an unknown session", "proxy_session_call", "'session_holder':'nobody','url':'/x'", "success", NULL,
     "ERROR - | - ! parameter \"session_holder\": \"nobody\" is not among its values", NULL, NULL},
    /* cleanup_cache */
    {"nothing to forget", "cleanup_cache", "'cache_keys':''", "ok", NULL, "ERROR - | - ! parameter \"cache_keys\" is empty",
     NULL, NULL},
    {"forgetting what is not there", "cleanup_cache", "'keys':'a, {{ 1 }}*'", "ok", NULL, "OK ok | -", NULL, NULL},
    /* search_transactions */
    {"finds itself not yet", "search_transactions", "'query':'id = 0','output_context_key':'k'", "ok", NULL, "OK ok | []", NULL,
     NULL},
    {"a bad condition", "search_transactions", "'condition':'password = 1'", "ok", NULL,
     "ERROR - | - ! condition: unknown field \"password\"", NULL, NULL},
    {"a bad condition, taken", "search_transactions", "'condition':'id ='", "ok error", NULL,
     "OK error | - ! condition: a value is expected*", NULL, NULL},
    {"a time that is none", "search_transactions", "'condition':'created_on > \\u00272026-02-31\\u0027'", "ok", NULL,
     "ERROR - | -*", NULL, NULL},
    {"a negative limit", "search_transactions", "'limit':'-1'", "ok", NULL, "ERROR - | - ! parameter \"limit\" is negative", NULL,
     NULL},
    {"a negative offset", "search_transactions", "'offset':'-1'", "ok", NULL,
     "ERROR - | - ! parameter \"offset\" is negative", NULL, NULL},
    {"a limit that is no number", "search_transactions", "'limit':'{{ \\u0027many\\u0027 }}'", "ok", NULL,
     "ERROR - | - ! parameter \"limit\": \"many\" is not a whole number", NULL, NULL},
    /* create_csv */
    {"rows that are none", "create_csv", "'filename':'a.csv','inputs':'[1]'", "ok", NULL,
     "ERROR - | - ! parameter \"inputs\": row 1 is no list", NULL, NULL},
    {"lists and objects", "create_csv", "'filename':'a.csv','inputs':'[{\\u0022a\\u0022:1},[2]]'", "ok", NULL,
     "ERROR - | - ! parameter \"inputs\": row 2 is no object", NULL, NULL},
    {"no list", "create_csv", "'filename':'a.csv','inputs':'{}'", "ok", NULL,
     "ERROR - | - ! parameter \"inputs\" is no list", NULL, NULL},
    {"unreadable", "create_csv", "'filename':'a.csv','inputs':'[[1'", "ok error", NULL, "OK error | - ! parameter \"inputs\"*",
     NULL, NULL},
    {"no name", "create_csv", "'filename':'','inputs':'[]'", "ok", NULL, "ERROR - | - ! parameter \"filename\" is empty", NULL,
     NULL},
    {"a bad name", "create_csv", "'filename':'a/b','inputs':'[]'", "ok", NULL, "ERROR - | - ! *", NULL, NULL},
    /* send_email_template */
    {"no template", "send_email_template", "'to':'a@x.org','template':'no.such'", "ok", NULL,
     "ERROR - | - ! there is no template \"no.such\"", NULL, NULL},
    {"no template name", "send_email_template", "'to':'a@x.org','template':''", "ok", NULL,
     "ERROR - | - ! parameter \"template\" is empty", NULL, NULL},
    {"nobody to tell", "send_email_template", "'to':' ','template':'mails.plain'", "ok", NULL,
     "ERROR - | - ! parameter \"to\" names no recipient", NULL, NULL},
    {"no address", "send_email_template", "'to':'ann','template':'mails.plain'", "ok", NULL,
     "ERROR - | - ! parameter \"to\": \"ann\" is no mail address", NULL, NULL},
    {"an unknown attachment", "send_email_template", "'to':'a@x.org','template':'mails.plain','attachments':'no.txt'",
     "ok error", NULL, "OK error | - ! no document \"no.txt\"", NULL, NULL},
    {"a subject of two lines", "send_email_template",
     "'to':'a@x.org','template':'mails.plain','subject':'{{ request.body.in }}'", "ok", NULL,
     "ERROR - | - ! the Subject of the mail holds a line break*", NULL, "\"a\\r\\nBcc: b@x.org\""},
    {"a value that brings a header", "send_email_template", "'to':'a@x.org','template':'mails.headed'", "ok", NULL,
     "ERROR - | - ! a value of the mail template brings a header \"Bcc\" of its own", NULL, "\"a\\nBcc: b@x.org\""},
    {"a recipient refused", "send_email_template", "'to':'refused@x.org','template':'mails.plain'", "ok error", NULL,
     "OK error | - ! mail server 127.0.0.1:*", NULL, NULL},
    {"a template that fails", "send_email_template", "'to':'a@x.org','template':'mails.failing'", "ok", NULL,
     "ERROR - | - ! template \"mails.failing\": division by zero*", NULL, NULL},
    /* trigger_subworkflows: what needs no run */
    {"nothing to start", "trigger_subworkflows", "'workflow':'child','source':'[]'", "ok skip", NULL, "OK ok | -", NULL, NULL},
    {"nothing to start, skipped", "trigger_subworkflows", "'workflow':'child','source':'[]','skip_if_empty':'true'", "ok skip",
     NULL, "OK skip | -", NULL, NULL},
    {"no list of requests", "trigger_subworkflows", "'workflow':'child','source':'[1]'", "ok", NULL,
     "ERROR - | - ! parameter \"source\": item 1 is no object", NULL, NULL},
    {"unreadable requests", "trigger_subworkflows", "'workflow':'child','source':'[{'", "ok error", NULL,
     "OK error | - ! parameter \"source\"*", NULL, NULL},
    {"unknown workflow", "trigger_subworkflows", "'workflow':'nope','source':'[{}]'", "ok", NULL,
     "ERROR - | - ! there is no workflow \"nope\"", NULL, NULL},
    /* what a failure says is stored, whatever it quotes */
    {"a quotation cut inside a character", "timer", "'timeout':'{{ request.body.in * 50 }}'", "ok", NULL,
     "ERROR - | - ! parameter \"timeout\": cannot read 'x\xc3\xa9x\xc3\xa9*", NULL, "\"x\xc3\xa9\""},
    {"a message with a NUL", "set_task_status", "'target_id':'start','message':'a{{ request.body.in }}b'", "ok", NULL,
     "ERROR - | - ! parameter \"message\" cannot hold a NUL", NULL, "\"\\u0000\""},
    {"a long message", "set_task_status", "'target_id':'start','message':'{{ request.body.in * 100 }}'", "ok", NULL,
     "OK ok | - ! x\xc3\xa9x\xc3\xa9*", NULL, "\"x\xc3\xa9\""},
    {"a moment beyond counting", "context_timer", "'variable':'9223372036854','timeout':'1 hour'", "ok", NULL,
     "ERROR - | - ! parameter \"timeout\": the moment is out of range", NULL, NULL},
    {"a key too long for its index", "context_timer", "'timeout':'1 hour','key':'{{ request.body.in * 50 }}'", "ok", NULL,
     "ERROR - | - ! parameter \"key\" is longer than 255 characters", NULL, "\"abcdefghij\""},
    {"a key with a NUL", "context_timer", "'timeout':'1 hour','key':'{{ request.body.in }}'", "ok", NULL,
     "ERROR - | - ! parameter \"key\" cannot hold a NUL", NULL, "\"k\\u0000\""},
    {"none at a time", "trigger_subworkflows", "'workflow':'child','source':'[{}]','parallel_factor':'0'", "ok", NULL,
     "ERROR - | - ! parameter \"parallel_factor\" is less than 1", NULL, NULL},
};

static struct arena *mem(void)
{
    return env_arena(env);
}

static const char *quoted(const char *s)
{
    char *copy = arena_strdup(mem(), s);

    for (char *p = copy; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    return copy;
}

static void cell_add(struct buf *cells, struct buf *edges, const char *cell, const char *type, const char *params,
                     const char *links)
{
    struct str rest = str_c(links);

    buf_addf(cells, ",\"%s\":{\"original_name\":\"%s\",\"outputs\":[", cell, type);
    for (bool first = true; rest.len > 0; first = false) {
        struct str output = str_cut(&rest, ' ');

        buf_addf(cells, "%s\"%.*s\"", first ? "" : ",", STR_ARG(output));
        buf_addf(edges, ",[\"%s.%.*s\",\"end\"]", cell, STR_ARG(output));
    }
    buf_addf(cells, "],\"params\":{%s},\"x\":0,\"y\":0}", quoted(params));
}

static const char *whole_definition(void)
{
    struct buf cells, edges, cases;

    buf_init(&cells, 1 << 20, mem());
    buf_init(&edges, 1 << 20, mem());
    buf_init(&cases, 1 << 20, mem());
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *cell = arena_printf(mem(), "c%zu", i);

        cell_add(&cells, &edges, cell, rows[i].type, rows[i].params, rows[i].links);
        buf_addf(&edges, ",[\"pick.o%zu\",\"%s\"]", i, cell);
        buf_addf(&cases, "%s[\"request.body.n == %zu\",\"o%zu\"]", i > 0 ? "," : "", i, i);
    }
    return arena_printf(mem(),
                        "{\"cells\":{" START "," END ",\"pick\":{\"original_name\":\"switch\",\"params\":{\"expressions\":[%s]},"
                        "\"x\":0,\"y\":0}%s},\"entities\":[],\"transitions\":[[\"start.ok\",\"pick\"]%s]}",
                        buf_cstr(&cases), buf_cstr(&cells), buf_cstr(&edges));
}

#define LATEST "(SELECT id FROM instances WHERE parent_instance_id IS NULL ORDER BY id DESC LIMIT 1)"

/* What the cell of the latest instance did. */
static const char *outcome(const char *cell)
{
    return env_psql(env,
                    arena_printf(mem(),
                                 "SELECT t.status || ' ' || coalesce(t.output, '-') || ' | ' || coalesce((SELECT c.value::text FROM "
                                 "contexts c WHERE c.instance_id = t.instance_id AND c.key = 'k'), '-') || coalesce((SELECT ' ! ' || "
                                 "string_agg(e.description, ' / ' ORDER BY e.id) FROM errors e WHERE e.instance_id = "
                                 "t.instance_id), '') FROM tasks t WHERE t.instance_id = " LATEST
                                 " AND t.cell_id = '%s' ORDER BY t.id DESC LIMIT 1",
                                 cell));
}

/* Everything the latest instance said to others, as text. */
static const char *traces(void)
{
    return env_psql(env, "SELECT coalesce(string_agg(concat_ws(' ', t.status, t.http_method, t.session_holder, t.external_id, "
                         "t.cache_hit, t.http_url, t.input, t.output), E'\\n' ORDER BY t.id), '') FROM traces t WHERE t.instance_id = " LATEST);
}

static void expect(const char *got, const char *want)
{
    size_t n = strlen(want);

    if (n > 0 && want[n - 1] == '*' ? strncmp(got, want, n - 1) != 0 : strcmp(got, want) != 0)
        env_fail(env, "expected: %s\n     got: %s", want, got);
}

static const char *with_port(const char *s)
{
    const char *at = s != NULL ? strstr(s, "%PORT%") : NULL;

    if (at == NULL)
        return s != NULL ? s : "null";
    return arena_printf(mem(), "%.*s%d%s", (int)(at - s), s, peer_port(peer), at + 6);
}

static void script(const struct peer_step *steps)
{
    size_t n = steps == busy_once ? 2 : 1;

    peer_script(peer, steps != NULL ? steps : empty, n);
}

static struct env_answer call(const char *path, const char *body)
{
    static const char *const json[] = {"Content-Type: application/json", NULL};

    return env_http(env, "POST", path, json, body);
}

static bool contains_any_case(struct str text, const char *part)
{
    return str_find(str_lower(mem(), text), str_lower(mem(), str_c(part))) >= 0;
}

static void runs(const struct row *r)
{
    size_t n = (size_t)(r - rows);
    const char *cell = arena_printf(mem(), "c%zu", n);
    struct env_answer a;

    script(r->script);
    a = call("/api/v01/public/nodes", arena_printf(mem(), "{\"n\":%zu,\"in\":%s}", n, with_port(r->in)));
    if (a.status != 200 && a.status != 500)
        env_fail(env, "answered %d: %.300s", a.status, a.body);
    expect(outcome(cell), r->want);
    if (r->sent != NULL && !contains_any_case(peer_request(peer, 0), r->sent))
        env_fail(env, "expected %s in: %.*s", r->sent, STR_ARG(peer_request(peer, 0)));
    if (r->script == NULL)
        assert_int_equal(peer_requests(peer), 0);
}

static void must_run(const char *path, const char *body)
{
    struct env_answer a = call(path, body);

    if (a.status != 200)
        env_fail(env, "%s answered %d: %.300s\n%s", path, a.status, a.body,
                 env_psql(env, "SELECT string_agg(cell_id || ': ' || description, E'\\n') FROM errors WHERE instance_id = " LATEST));
}

/* ---- workflows of their own ----------------------------------------------------------------------------------- */

/* The path of a public route, once it is known there (for POST). */
static const char *served(const char *name)
{
    const char *path = arena_printf(mem(), "/api/v01/public/%s", name);

    ENV_WAIT(env, 5000, env_http(env, "GET", path, NULL, NULL).status == 405);
    return path;
}

/* A public synchronous route for a workflow of one cell "a"; answers its path. */
static const char *workflow(const char *name, const char *type, const char *params, const char *links)
{
    struct buf cells, edges;
    int64_t id;

    buf_init(&cells, 1 << 20, mem());
    buf_init(&edges, 1 << 20, mem());
    cell_add(&cells, &edges, "a", type, params, links);
    id = api_activity(env, name,
                      arena_printf(mem(), "{\"cells\":{" START "," END "%s},\"entities\":[],\"transitions\":[[\"start.ok\",\"a\"]%s]}",
                                   buf_cstr(&cells), buf_cstr(&edges)));
    api_route(env, "post", arena_printf(mem(), "/%s", name), id, ",\"sync\":true,\"public\":true");
    return served(name);
}

/* ---- the cache ------------------------------------------------------------------------------------------------------- */

static const char *get_path, *put_path, *forget_path;

static void get_once(size_t requests, const char *hit)
{
    must_run(get_path, "{}");
    assert_int_equal(peer_requests(peer), requests);
    expect(outcome("a"), "OK success | {\"status\":200,\"body\":{\"a\":1}}");
    if (strstr(traces(), hit) == NULL)
        env_fail(env, "expected %s in: %s", hit, traces());
}

static void keeps_answers(void)
{
    peer_script(peer, fine, 1);
    get_once(1, "200 GET p f ");
    get_once(1, "200 GET p t ");
    must_run(put_path, "{}"); /* another method: invalidates */
    assert_int_equal(peer_requests(peer), 2);
    get_once(3, "200 GET p f ");
    get_once(3, "200 GET p t ");
    must_run(forget_path, "{}");
    expect(outcome("a"), "OK ok | -");
    get_once(4, "200 GET p f ");
    must_run(forget_path, "{}");
    peer_script(peer, gone, 1); /* no success: not kept */
    call(get_path, "{}");
    call(get_path, "{}");
    assert_int_equal(peer_requests(peer), 2);
}

static void keeps_answers_in_memory(void **state)
{
    (void)state;
    get_path = workflow("cached", "http_call",
                        "'session_holder':'p','url':'/c','cache_key':'t1.{{ 1 }}, t2','cache_ttl':'60','output_context_key':'k'",
                        "success");
    put_path = workflow("uncached", "http_call", "'session_holder':'p','url':'/c','method':'put','cache_key':'t2,t1.1'", "success");
    forget_path = workflow("forget", "cleanup_cache", "'cache_keys':'t1.*'", "ok");
    keeps_answers();
}

static void keeps_answers_in_redis(void **state)
{
    int port = env_free_port(env);
    const char *text = arena_printf(mem(), "%d", port);
    pid_t pid;

    (void)state;
    pid = env_spawn(env, "redis",
                    (const char *const[]){"/usr/bin/redis-server", "--bind", "127.0.0.1", "--port", text, "--save", "",
                                          "--appendonly", "no", "--requirepass", "pw d", "--daemonize", "no", NULL},
                    NULL);
    ENV_WAIT(env, 10000, env_port_open(port));
    api_configure(env, "cache", arena_printf(mem(), "{\"store\":\"redis://:pw%%20d@127.0.0.1:%d/3\"}", port));
    /* from the first run on that finds the server */
    peer_script(peer, fine, 1);
    ENV_WAIT(env, 10000, (call(forget_path, "{}"), call(get_path, "{}"), call(get_path, "{}"), strstr(traces(), "200 GET p t ") != NULL));
    call(forget_path, "{}");
    keeps_answers();
    (void)env_kill(env, pid, SIGKILL);

    /* without it calls go on, and forgetting fails */
    peer_script(peer, fine, 1);
    get_once(1, "200 GET p f ");
    get_once(2, "200 GET p f ");
    assert_int_equal(call(forget_path, "{}").status, 500);
    expect(outcome("a"), "ERROR - | - ! the cache server cannot be used*");
    api_configure(env, "cache", "{\"store\":\"memory://\"}");
}

/* ---- traces ------------------------------------------------------------------------------------------------------------ */

static void shows_no_secret(void **state)
{
    const char *path = workflow("secret", "http_call",
                                "'session_holder':'p','method':'post','url':'/s?token=hush1','headers':[['Authorization','Bearer "
                                "hush2'],['X-Api-Key','hush3']],'body':'{\\u0022password\\u0022:\\u0022hush4\\u0022,\\u0022n\\u0022:1}'",
                                "success");
    const char *shown;

    (void)state;
    peer_script(peer, fine, 1);
    must_run(path, "{}");
    assert_true(contains_any_case(peer_request(peer, 0), "bearer hush2"));
    shown = traces();
    assert_null(strstr(shown, "hush"));
    assert_non_null(strstr(shown, "********"));
    assert_non_null(strstr(shown, "idempotency-key") != NULL ? "y" : strstr(shown, "Idempotency-Key"));
}

/* Unless the gateway wants none, or the author sends his own. */
static void keys_what_changes_something(void **state)
{
    const char *path = workflow("keyed", "http_call", "'session_holder':'p','method':'put','url':'/x'", "success");
    const char *get = workflow("unkeyed", "http_call", "'session_holder':'p','url':'/x'", "success");
    const char *own = workflow("ownkey", "http_call", "'session_holder':'p','method':'post','url':'/x','headers':[['Idempotency-Key','mine']]", "success");
    const char *none = workflow("nokey", "http_call", "'session_holder':'k','method':'post','url':'/x'", "success");

    (void)state;
    peer_script(peer, fine, 1);
    must_run(path, "{}");
    assert_true(contains_any_case(peer_request(peer, 0), "idempotency-key: "));
    must_run(get, "{}");
    assert_false(contains_any_case(peer_request(peer, 1), "idempotency-key: "));
    must_run(own, "{}");
    assert_true(contains_any_case(peer_request(peer, 2), "idempotency-key: mine\r\n"));
    must_run(none, "{}");
    assert_false(contains_any_case(peer_request(peer, 3), "idempotency-key: "));
}

static void names_the_audit_record(void **state)
{
    const char *path = workflow("audited", "rest_call", "'session_holder':'p','url':'x'", "success");

    (void)state;
    peer_script(peer, audited, 1);
    call(path, "{}");
    assert_non_null(strstr(traces(), "200 GET p r7 "));
}

static void retries_later(void **state)
{
    const char *path = workflow("later", "http_call",
                                "'session_holder':'p','url':'x','output_context_key':'k','retry':{'conditions':['503'],'delay':'200 "
                                "ms','max':2}",
                                "success");

    (void)state;
    peer_script(peer, busy_once, 2);
    assert_int_equal(call(path, "{}").status, 202);
    ENV_WAIT(env, 10000, strncmp(outcome("a"), "OK", 2) == 0);
    expect(outcome("a"), "OK success | {\"status\":200,\"body\":[1]}");
    assert_int_equal(peer_requests(peer), 2);
    assert_string_equal(env_psql(env, "SELECT count(*) FROM traces WHERE instance_id = " LATEST), "2");
    assert_string_equal(env_psql(env, "SELECT name || ' ' || type FROM timers WHERE instance_id = " LATEST), "a retry");
}

/* ---- documents --------------------------------------------------------------------------------------------------------- */

static const char *document_of_latest(const char *name)
{
    const char *id = env_psql(env, "SELECT " LATEST);
    const char *doc = env_psql(env, arena_printf(mem(), "SELECT id FROM documents WHERE name = '%s' AND instance_id = %s", name, id));
    struct env_answer a = api_raw(env, "GET", arena_printf(mem(), "/api/v01/transactions/%s/documents/%s", id, doc), NULL);

    return a.status == 200 ? a.body : "?";
}

static void makes_csv(void **state)
{
    const char *path =
        workflow("csv", "create_csv", "'filename':'r {{ 1 }}.csv','inputs':'{{ request.body.in }}','description':'d'", "ok");

    (void)state;
    must_run(path, "{\"in\":[[\"a,b\",1,null,true],[\"say \\\"x\\\"\",1.5,\"l\\nm\",\"=1+1\"],[]]}");
    assert_string_equal(document_of_latest("r 1.csv"), "\"a,b\",1,,true\n\"say \"\"x\"\"\",1.5,\"l\nm\",=1+1\n\n");
    assert_string_equal(env_psql(env, "SELECT mime_type || ' ' || description FROM documents WHERE instance_id = " LATEST),
                        "text/csv d");
    call(path, "{\"in\":[{\"a\":1,\"b\":\"x\"},{\"b\":[1],\"c\":3}]}");
    assert_string_equal(document_of_latest("r 1.csv"), "a,b\n1,x\n,[1]\n");
    call(path, "{\"in\":\"[[1,2] [3]]\"}"); /* the published sample lacks the comma */
    assert_string_equal(document_of_latest("r 1.csv"), "1,2\n3\n");
    call(path, "{\"in\":\"\"}");
    assert_string_equal(document_of_latest("r 1.csv"), "");
}

/* A document made, then sent as a part and by mail. */
static void sends_documents(void **state)
{
    int64_t id = api_activity(
        env, "sends",
        quoted("{'cells':{'start':{'original_name':'start','outputs':['ok'],'params':{}},'end':{'original_name':'end'},"
               "'csv':{'original_name':'create_csv','outputs':['ok'],'params':{'filename':'n.csv','inputs':'[[1,2]]'}},"
               "'post':{'original_name':'http_call','outputs':['success'],'params':{'session_holder':'p','method':'post','url':'up',"
               "'body#format':'multipart','body#multipart':[['file','# documents.n.csv'],['x','y']]}},"
               "'mail':{'original_name':'send_email_template','outputs':['ok'],'params':{'to':'Ann <a@x.org>, b@x.org',"
               "'template':'mails.rich','subject':'S {{ 1 + 1 }}','attachments':'n.csv'}}},'entities':[],'transitions':"
               "[['start.ok','csv'],['csv.ok','post'],['post.success','mail'],['mail.ok','end']]}"));
    size_t before = smtp_peer_count(mail);
    struct str sent;
    const char *text;

    (void)state;
    api_route(env, "post", "/sends", id, ",\"sync\":true,\"public\":true");
    (void)served("sends");
    peer_script(peer, empty, 1);
    must_run("/api/v01/public/sends", "{\"name\":\"Zoé\"}");
    sent = peer_request(peer, 0);
    assert_true(contains_any_case(sent, "name=\"file\"; filename=\"n.csv\"\r\ncontent-type: text/csv\r\n\r\n1,2\n"));
    assert_int_equal(smtp_peer_count(mail), before + 1);
    text = smtp_peer_message(mail, before);
    assert_non_null(strstr(text, "MAIL FROM:<noreply@sluice.example>"));
    assert_non_null(strstr(text, "RCPT TO:<a@x.org>\n"));
    assert_non_null(strstr(text, "RCPT TO:<b@x.org>\n"));
    assert_non_null(strstr(text, "RCPT TO:<hidden@x.org>\n"));
    assert_null(strstr(strstr(text, "\n\n"), "hidden@x.org"));
    assert_non_null(strstr(text, "\r\nFrom: \"Sluice\" <noreply@sluice.example>\r\n"));
    assert_non_null(strstr(text, "\r\nTo: \"Ann\" <a@x.org>,\r\n b@x.org\r\n"));
    assert_non_null(strstr(text, "\r\nSubject: S 2\r\n"));
    assert_non_null(strstr(text, "\r\nDate: "));
    assert_non_null(strstr(text, "\r\nMessage-ID: <"));
    assert_non_null(strstr(text, "Content-Type: text/html; charset=utf-8"));
    assert_non_null(strstr(text, "<p>Zo=C3=A9</p>"));
    assert_non_null(strstr(text, "filename=\"n.csv\""));
    assert_non_null(strstr(text, "MSwyCg==")); /* "1,2\n" */
    text = traces();
    assert_non_null(strstr(text, "250 SMTP"));
    assert_non_null(strstr(text, "n.csv"));
    assert_null(strstr(text, "MSwyCg"));
    assert_null(strstr(text, "mail-secret"));
}

/* ---- mail ------------------------------------------------------------------------------------------------------------------ */

static void uses_headers_of_the_template(void **state)
{
    const char *path = workflow("headed", "send_email_template", "'template':'mails.headed','to':''", "ok");
    size_t before = smtp_peer_count(mail);
    const char *text;

    (void)state;
    must_run(path, "{\"in\":\"Grüße\"}");
    text = smtp_peer_message(mail, before);
    assert_non_null(text);
    assert_non_null(strstr(text, "AUTH PLAIN"));
    assert_non_null(strstr(text, "MAIL FROM:<other@x.org>"));
    assert_non_null(strstr(text, "RCPT TO:<c@x.org>"));
    assert_non_null(strstr(text, "Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\n"));
    assert_non_null(strstr(text, "Content-Type: text/plain; charset=utf-8"));
    assert_non_null(strstr(text, "first line\r\n"));
}

static void needs_a_server(void **state)
{
    const char *path = workflow("mailless", "send_email_template", "'template':'mails.plain','to':'a@x.org'", "ok");

    (void)state;
    api_configure(env, "smtp", "{}");
    ENV_WAIT(env, 5000, call(path, "{}").status == 500);
    expect(outcome("a"), "ERROR - | - ! no mail server is configured (smtp.host)");
    api_configure(env, "smtp", arena_printf(mem(), "{\"host\":\"127.0.0.1\",\"port\":%d,\"from\":\"a@x.org\"}", nobody));
    ENV_WAIT(env, 5000, (call(path, "{}"), strstr(outcome("a"), "! mail server 127.0.0.1") != NULL));
    assert_non_null(strstr(traces(), "0 SMTP"));
    /* TLS is asked of a server that speaks none */
    api_configure(env, "smtp", arena_printf(mem(), "{\"host\":\"127.0.0.1\",\"port\":%d,\"from\":\"a@x.org\",\"ssl\":true}", smtp_peer_port(mail)));
    ENV_WAIT(env, 5000, (call(path, "{}"), strstr(traces(), "smtps://") != NULL));
    assert_non_null(strstr(outcome("a"), "ERROR"));
}

/* ---- search ----------------------------------------------------------------------------------------------------------------- */

static void finds_instances(void **state)
{
    const char *path = workflow("finds", "search_transactions",
                                "'condition':'activity = \\u0027csv\\u0027 and status = \\u0027CLOSED_IN_SUCCESS\\u0027 and created_on > "
                                "\\u00272020-01-01\\u0027','limit':'2','offset':'1','output_context_key':'k'",
                                "ok");
    struct val list;
    const char *found;
    struct err e;

    (void)state;
    must_run(path, "{}");
    found = outcome("a");
    assert_int_equal(strncmp(found, "OK ok | ", 8), 0);
    if (json_parse(str_c(found + 8), &list, mem(), &e) != 0)
        env_fail(env, "%s in %s", e.msg, found);
    assert_int_equal(val_count(list), 2);
    assert_true(api_int(val_at(list, 0), "id") > api_int(val_at(list, 1), "id"));
    assert_string_equal(api_text(env, val_at(list, 0), "activity"), "csv");
    assert_string_equal(api_text(env, val_at(list, 0), "status"), "CLOSED_IN_SUCCESS");
    assert_int_equal(api_int(val_at(list, 0), "errors"), 0);
    assert_int_equal(strlen(api_text(env, val_at(list, 0), "created_on")), 27);
    assert_int_equal(val_count(val_at(list, 0)), 12);
}

/* ---- sub-workflows ------------------------------------------------------------------------------------------------------------ */

#define OF_LATEST(what, more) \
    "SELECT " what " FROM instances c WHERE c.parent_instance_id = " LATEST more

static void start(const char *path, const char *body)
{
    int status = call(path, body).status;

    if (status != 202 && status != 200)
        env_fail(env, "answered %d: %s", status, outcome("a"));
}

static void ended(const char *want)
{
    ENV_WAIT(env, 30000, strncmp(outcome("a"), "WAIT", 4) != 0 && strncmp(outcome("a"), "QUEUED", 6) != 0);
    expect(outcome("a"), want);
    if (strncmp(want, "OK", 2) == 0)
        ENV_WAIT(env, 5000, strcmp(env_psql(env, "SELECT status FROM instances WHERE id = " LATEST), "CLOSED_IN_SUCCESS") == 0);
}

static void starts_children(void **state)
{
    const char *path = workflow("parent", "trigger_subworkflows",
                                "'workflow':'child','source':'{{ request.body.in }}','labels':'{{ request.body.labels }}',"
                                "'parallel_factor':'{{ request.body.f|default(10) }}'",
                                "ok");

    (void)state;
    start(path, "{\"in\":[{\"v\":1},{\"v\":2},\"three\"],\"labels\":[\"one\",\"two\",\"3\"],\"f\":2}");
    ended("OK ok | -");
    assert_string_equal(env_psql(env, OF_LATEST("string_agg(c.label || c.status || c.request::text, ' ' ORDER BY c.id)", "")),
                        "oneCLOSED_IN_SUCCESS{\"v\":1} twoCLOSED_IN_SUCCESS{\"v\":2} 3CLOSED_IN_SUCCESS{\"value\":\"three\"}");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM subworkflow_items"), "0");

    start(path, "{\"in\":{\"v\":1},\"labels\":[\"a\",\"b\"]}"); /* one object; labels that do not fit */
    ended("OK ok | -");
    assert_string_equal(env_psql(env, OF_LATEST("string_agg(c.label, ' ')", "")), "1");
}

/* The request of the top instance has the status that the latest of them to close set; each shows its own. */
static void children_set_the_status_of_the_request(void **state)
{
    const char *path;

    (void)state;
    (void)api_activity(env, "inner",
                       quoted("{'cells':{'start':{'original_name':'start'},'end':{'original_name':'end'},"
                              "'s':{'original_name':'set_request_status','params':{'status':'at {{ request.v }}'}}},"
                              "'entities':[],'transitions':[['start.ok','s'],['s.ok','end']]}"));
    (void)api_activity(env, "between",
                       quoted("{'cells':{'start':{'original_name':'start'},'end':{'original_name':'end'},"
                              "'m':{'original_name':'macro','params':{'workflow':'inner','input':'{{ request }}'},'outputs':['ok']}},"
                              "'entities':[],'transitions':[['start.ok','m'],['m.ok','end']]}"));
    path = workflow("telling", "trigger_subworkflows", "'workflow':'between','source':'{{ request.body.in }}','sequential':'true'", "ok");
    start(path, "{\"in\":[{\"v\":1},{\"v\":2}]}");
    ended("OK ok | -");
    assert_string_equal(env_psql(env, "SELECT r.status FROM requests r JOIN instances i ON i.original_request_id = r.id WHERE i.id = " LATEST), "at 2");
    assert_string_equal(env_psql(env, OF_LATEST("string_agg(c.request_status, ' ' ORDER BY c.id)", "")), "at 1 at 2");
    assert_string_equal(env_psql(env, "SELECT string_agg(request_status, ' ' ORDER BY id) FROM instances WHERE kind = 'sub' AND "
                                      "request_status LIKE 'at %'"),
                        "at 1 at 2");
}

static void counts_failures(void **state)
{
    (void)state;
    start("/api/v01/public/parent", "{\"in\":[{\"v\":1},{\"fail\":1},{\"v\":3}],\"labels\":\"\",\"f\":1}");
    ENV_WAIT(env, 30000, strcmp(env_psql(env, OF_LATEST("count(*)", " AND c.cnt_tasks_in_error > 0")), "1") == 0);
    assert_string_equal(outcome("a"), "WAIT - | -"); /* blocked, not closed */
    api(env, 200, "PUT", arena_printf(mem(), "/api/v01/transactions/%s", env_psql(env, OF_LATEST("c.id", " AND c.cnt_tasks_in_error > 0"))),
        "{\"status\":\"CLOSED_IN_ERROR\"}");
    ended("ERROR - | - ! *");
    assert_non_null(strstr(outcome("a"), "1 of 3 sub-workflows were closed in error"));
    assert_string_equal(env_psql(env, OF_LATEST("count(*)", "")), "3");
    assert_string_equal(env_psql(env, "SELECT count(*) FROM subworkflow_items"), "0");
}

/* Many, a few at a time; how many ran at once is seen by the times of their rows. */
static void bounds_what_runs(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 20, mem());
    for (int i = 0; i < 300; i++)
        buf_addf(&b, "%s{\"v\":%d}", i > 0 ? "," : "", i);
    start("/api/v01/public/parent", arena_printf(mem(), "{\"in\":[%s],\"labels\":\"\",\"f\":7}", buf_cstr(&b)));
    ended("OK ok | -");
    assert_string_equal(env_psql(env, OF_LATEST("count(*) || ' ' || count(DISTINCT c.label)", " AND c.status = 'CLOSED_IN_SUCCESS'")),
                        "300 300");
    assert_string_equal(env_psql(env, OF_LATEST("max((SELECT count(*) FROM instances o WHERE o.parent_instance_id = c.parent_instance_id "
                                                "AND o.created_on <= c.created_on AND o.closed_on > c.created_on)) <= 7", "")),
                        "t");
}

static void items_go_with_their_instance(void **state)
{
    const char *id;

    (void)state;
    start("/api/v01/public/parent", "{\"in\":[{\"fail\":1},{\"v\":2}],\"labels\":\"\",\"f\":1}");
    ENV_WAIT(env, 30000, strcmp(env_psql(env, "SELECT count(*) FROM subworkflow_items"), "1") == 0);
    id = env_psql(env, "SELECT " LATEST);
    api(env, 200, "PUT", arena_printf(mem(), "/api/v01/transactions/%s", id), "{\"status\":\"CLOSED_IN_ERROR\"}");
    ENV_WAIT(env, 10000, strcmp(env_psql(env, "SELECT count(*) FROM subworkflow_items"), "0") == 0);
    ENV_WAIT(env, 10000, strcmp(env_psql(env, OF_LATEST("count(*)", " AND c.status = 'ACTIVE'")), "0") == 0);
}

/* ---- the house ------------------------------------------------------------------------------------------------------------------ */

static void template_put(const char *key, const char *text)
{
    api_raw(env, "POST", "/api/v01/templates",
            arena_printf(mem(), "{\"key\":\"%s\",\"type\":\"jinja\",\"template\":%s}", key, api_quoted(env, text)));
}

static void furnish(void)
{
    api_configure(env, "gateways",
                  arena_printf(mem(),
                               "{\"peer\":{\"url\":\"http://127.0.0.1:%d/\",\"session_holder\":\"p\",\"timeout\":1,\"auth\":\"basic\","
                               "\"headers\":\"[[\\\"X-Held\\\",\\\"1\\\"]]\"},\"gone\":{\"url\":\"http://127.0.0.1:%d\",\"timeout\":1,"
                               "\"auth\":\"basic\"},\"keyless\":{\"url\":\"http://127.0.0.1:%d/\",\"session_holder\":\"k\",\"auth\":\"basic\","
                               "\"idempotency_key\":false}}",
                               peer_port(peer), nobody, peer_port(peer)));
    api_configure(env, "smtp",
                  arena_printf(mem(),
                               "{\"host\":\"127.0.0.1\",\"port\":%d,\"from\":\"Sluice <noreply@sluice.example>\",\"username\":\"mailer\","
                               "\"password\":\"mail-secret\"}",
                               smtp_peer_port(mail)));
    template_put("mails.plain", "hello");
    template_put("mails.failing", "{{ 1/0 }}");
    template_put("mails.headed", "From: other@x.org\nTo: c@x.org\nSubject: {{ request.body.in }}\n\nfirst line\n");
    template_put("mails.rich", "Bcc: hidden@x.org\nSubject: lost\n\n<p>{{ request.body.name }}</p>");
    (void)api_activity(env, "child",
                       quoted("{'cells':{'start':{'original_name':'start','outputs':['ok'],'params':{}},'end':{'original_name':'end'},"
                              "'f':{'original_name':'boolean_expression','outputs':['true','false'],'params':{'expression':'request.fail is defined'}},"
                              "'e':{'original_name':'context_setter','outputs':['ok'],'params':{'key':'','value':'1'}}},"
                              "'entities':[],'transitions':[['start.ok','f'],['f.false','end'],['f.true','e'],['e.ok','end']]}"));
    api_route(env, "post", "/nodes", api_activity(env, "nodes", whole_definition()), ",\"sync\":true,\"public\":true");
    ENV_WAIT(env, 5000, call("/api/v01/public/nodes", "{\"n\":-1}").status != 404);
}

int main(void)
{
    const struct CMUnitTest more[] = {
        API_TEST(keeps_answers_in_memory), API_TEST(keeps_answers_in_redis), API_TEST(shows_no_secret),
        API_TEST(names_the_audit_record),  API_TEST(keys_what_changes_something),  API_TEST(retries_later),          API_TEST(makes_csv),
        API_TEST(sends_documents),         API_TEST(uses_headers_of_the_template), API_TEST(finds_instances),
        API_TEST(starts_children),         API_TEST(children_set_the_status_of_the_request), API_TEST(counts_failures),        API_TEST(bounds_what_runs),
        API_TEST(items_go_with_their_instance), API_TEST(needs_a_server),
    };
    int failed;

    env = env_start();
    peer = peer_new(empty, 1);
    mail = smtp_peer_new();
    nobody = peer_closed_port();
    env_app_start(env, "sluice-core", "core.sock", (const char *const[]){"-workflows", NULL});
    env_nginx_start(env, "core.sock", NULL);
    api_admin(env);
    furnish();
    failed = CASES(rows, runs);
    failed += cmocka_run_group_tests(more, NULL, NULL);
    peer_free(peer);
    smtp_peer_free(mail);
    return env_end(env, failed);
}
