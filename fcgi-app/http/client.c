/*
 * The blocking HTTP client: libcurl easy handles, each with its own kept-alive connections.
 *
 * Handles are not shared between threads at one time, nor is a connection cache (libcurl does not
 * support that); a free handle that spoke to the same origin last is preferred, so connections are
 * met again.
 */
#include "http/client.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "http/header.h"
#include "http/url.h"

enum { CONNECT_MS = 10000, TOTAL_MS = 60000, IDLE_S = 30, CONNS_PER_HANDLE = 8, HEADERS_MAX = 256 };

struct http_client {
    CURL *curl;
    uint64_t origin; /* hash of the one it spoke to last */
    struct http_client *next;
    char error[CURL_ERROR_SIZE];
};

struct http_client_pool {
    pthread_mutex_t lock;
    struct http_client *idle; /* last used first */
};

/* One call under way. */
struct exchange {
    const struct http_call *call;
    CURL *curl;
    struct http_result *out;
    struct arena *a;
    struct buf body;
    size_t max_body;
    size_t header_bytes;
    struct http_header headers[HEADERS_MAX];
    size_t n_headers;
    bool connected;
    bool repeats;   /* libcurl may send it again on a fresh connection */
    bool too_large; /* body or headers */
    const char *refused; /* why the guard did not let us connect */
    struct url url;
    char where[300]; /* "host:port" for messages */
};

void http_client_init(void)
{
    (void)signal(SIGPIPE,
                 SIG_IGN); /* a peer that closes is an error of the call, not of the process */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        log_error("http.client", "why=" LOG_Q, "libcurl cannot be initialised");
        abort();
    }
}

/* ---- the pool
 * ------------------------------------------------------------------------------------ */

struct http_client_pool *http_client_pool_new(void)
{
    struct http_client_pool *p = calloc(1, sizeof(*p));

    if (p == NULL)
        abort();
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

void http_client_pool_free(struct http_client_pool *p)
{
    if (p == NULL)
        return;
    while (p->idle != NULL) {
        struct http_client *c = p->idle;

        p->idle = c->next;
        curl_easy_cleanup(c->curl);
        free(c);
    }
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static struct http_client *client_get(struct http_client_pool *p, uint64_t origin)
{
    struct http_client *c = NULL;

    pthread_mutex_lock(&p->lock);
    for (struct http_client **at = &p->idle; *at != NULL; at = &(*at)->next) {
        if ((*at)->origin == origin) {
            c = *at;
            *at = c->next;
            break;
        }
    }
    if (c == NULL && p->idle != NULL) {
        c = p->idle;
        p->idle = c->next;
    }
    pthread_mutex_unlock(&p->lock);
    if (c == NULL) {
        c = calloc(1, sizeof(*c));
        if (c == NULL || (c->curl = curl_easy_init()) == NULL)
            abort();
    }
    c->origin = origin;
    return c;
}

static void client_put(struct http_client_pool *p, struct http_client *c)
{
    curl_easy_reset(
        c->curl); /* keeps connections and cached names; forgets what belongs to the call */
    pthread_mutex_lock(&p->lock);
    c->next = p->idle;
    p->idle = c;
    pthread_mutex_unlock(&p->lock);
}

/* ---- what comes back
 * --------------------------------------------------------------------------------- */

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct exchange *x = arg;
    long status = 0;

    if (x->call->sink != NULL && curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status == 200)
        return x->call->sink(x->call->sink_ctx, str_make(data, size * n)) ? size * n : 0;
    buf_add(&x->body, data, size * n);
    if (!x->body.over)
        return size * n;
    x->too_large = true;
    return 0;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
    struct exchange *x = arg;
    struct str line = str_make(data, size * n);
    struct str name;

    x->header_bytes += line.len;
    if (x->header_bytes > LIMIT_HEADERS) {
        x->too_large = true;
        return 0;
    }
    if (str_starts(line, STR("HTTP/"))) {
        x->n_headers = 0; /* an interim answer (1xx) came before */
        return line.len;
    }
    if (str_find_char(line, ':') <= 0)
        return size * n;
    if (x->n_headers == HEADERS_MAX) {
        x->too_large = true;
        return 0;
    }
    name = str_cut(&line, ':');
    x->headers[x->n_headers++] =
        (struct http_header){str_lower(x->a, str_trim(name)), str_dup(x->a, str_trim(line))};
    return size * n;
}

/* The guard looks at the address itself: whatever a name has become meanwhile. */
static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct exchange *x = arg;

    (void)purpose;
    return ip_guard_socket(x->call->guard, &to->addr, to->socktype, to->protocol, &x->refused);
}

/* Called each time a connection is about to be used for the request. */
static int on_connected(void *arg, char *ip, char *local_ip, int port, int local_port)
{
    struct exchange *x = arg;

    (void)local_ip;
    (void)local_port;
    /* A kept connection was made for a call that may have been freer. */
    x->refused = ip_guard_refuses_text(x->call->guard, str_c(ip), port);
    if (x->refused != NULL)
        return CURL_PREREQFUNC_ABORT;
    /* A kept connection that breaks before the first answer byte makes libcurl send again; what is
     * not GET or HEAD might then happen twice. */
    if (x->connected && !x->repeats)
        return CURL_PREREQFUNC_ABORT;
    x->connected = true;
    x->out->primary_ip = str_dup(x->a, str_c(ip));
    return CURL_PREREQFUNC_OK;
}

/* ---- the request
 * ---------------------------------------------------------------------------------------- */

static int check_call(const struct http_call *c, struct err *e)
{
    if (!header_is_token(c->method)) {
        err_set(e, ERR_INVALID, "method \"%.*s\" is not valid", STR_ARG(c->method));
        return -1;
    }
    for (size_t i = 0; i < c->n_headers; i++) {
        struct str name = c->headers[i].name;
        struct str value = c->headers[i].value;

        if (!header_is_token(name)) {
            err_set(e, ERR_INVALID, "header \"%.*s\" is not a valid name", STR_ARG(name));
            return -1;
        }
        if (!header_is_value(value)) {
            err_set(e, ERR_INVALID, "the value of header \"%.*s\" holds a control character",
                    STR_ARG(name));
            return -1;
        }
    }
    return 0;
}

static bool has_header(const struct http_call *c, const char *name)
{
    for (size_t i = 0; i < c->n_headers; i++) {
        if (str_ieq(c->headers[i].name, str_c(name)))
            return true;
    }
    return false;
}

static struct curl_slist *append(struct curl_slist *list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(list, line);

    if (longer == NULL)
        abort();
    return longer;
}

static struct curl_slist *header_list(const struct http_call *c, struct arena *a)
{
    struct curl_slist *list = append(NULL, "Expect:"); /* no waiting for 100 Continue */

    for (size_t i = 0; i < c->n_headers; i++) {
        struct http_header h = c->headers[i];
        struct str value = str_trim(h.value);

        /* With parts the type holds the boundary, which only libcurl knows. */
        if (c->n_parts > 0 && str_ieq(h.name, STR("content-type")))
            continue;
        if (str_ieq(h.name, STR("content-length")))
            continue;
        /* "Name;" is libcurl's way to write a header without a value. */
        list = append(list, value.len > 0
                                ? arena_printf(a, "%.*s: %.*s", STR_ARG(h.name), STR_ARG(value))
                                : arena_printf(a, "%.*s;", STR_ARG(h.name)));
    }
    if (c->n_parts == 0 && !has_header(c, "content-type"))
        list = append(list, "Content-Type:"); /* not the form type libcurl would add */
    return list;
}

static curl_mime *mime_of(CURL *curl, const struct http_call *c, struct arena *a)
{
    curl_mime *mime = curl_mime_init(curl);

    for (size_t i = 0; i < c->n_parts; i++) {
        const struct http_part *p = &c->parts[i];
        curl_mimepart *part = curl_mime_addpart(mime);

        curl_mime_name(part, str_cstr(a, p->name));
        curl_mime_data(part, p->value.p != NULL ? p->value.p : "", p->value.len);
        if (p->filename.p != NULL)
            curl_mime_filename(part, str_cstr(a, p->filename));
        if (p->mime.len > 0)
            curl_mime_type(part, str_cstr(a, p->mime));
    }
    return mime;
}

static void set_body(CURL *curl, const struct http_call *c, curl_mime *mime)
{
    bool wants_body =
        str_eq_c(c->method, "POST") || str_eq_c(c->method, "PUT") || str_eq_c(c->method, "PATCH");

    if (mime != NULL) {
        curl_easy_setopt(curl, CURLOPT_MIMEPOST, mime);
    } else if (c->body.p != NULL || wants_body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, c->body.p != NULL ? c->body.p : "");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body.len);
    } else if (str_eq_c(c->method, "HEAD")) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    }
}

static void set_blob(CURL *curl, CURLoption option, struct str pem)
{
    /* libcurl only reads it, and the text outlives the call */
    struct curl_blob blob = {(void *)(uintptr_t)pem.p, pem.len, CURL_BLOB_NOCOPY};

    if (pem.len > 0)
        curl_easy_setopt(curl, option, &blob);
}

static void set_security(CURL *curl, const struct http_call *c, struct arena *a)
{
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, c->tls_insecure ? 0L : 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, c->tls_insecure ? 0L : 2L);
    set_blob(curl, CURLOPT_CAINFO_BLOB, c->tls_ca); /* the system's are in CURLOPT_CAPATH as well */
    set_blob(curl, CURLOPT_SSLCERT_BLOB, c->client_cert);
    set_blob(curl, CURLOPT_SSLKEY_BLOB, c->client_key);
    /* Both said, so that http_proxy and no_proxy of the environment never count. */
    curl_easy_setopt(curl, CURLOPT_PROXY, str_cstr(a, c->proxy));
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "");
    curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

static void set_options(struct http_client *h, struct exchange *x, struct curl_slist *headers)
{
    const struct http_call *c = x->call;
    CURL *curl = h->curl;

    h->error[0] = '\0';
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, h->error);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_URL, str_cstr(x->a, c->url));
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L); /* "a/../b" is the peer's business */
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, str_cstr(x->a, c->method));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "sluice/" SLUICE_VERSION);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(c->connect_ms > 0 ? c->connect_ms : CONNECT_MS));
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(c->total_ms > 0 ? c->total_ms : TOTAL_MS));
    curl_easy_setopt(curl, CURLOPT_MAXCONNECTS, (long)CONNS_PER_HANDLE);
    curl_easy_setopt(curl, CURLOPT_MAXAGE_CONN, (long)IDLE_S);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, x);
    curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, on_connected);
    curl_easy_setopt(curl, CURLOPT_PREREQDATA, x);
    set_security(curl, c, x->a);
}

/* ---- errors
 * ---------------------------------------------------------------------------------------------- */

struct str http_client_words(const char *text, struct arena *a)
{
    char *s = arena_strdup(a, text);
    size_t len = strlen(s);

    while (len > 0 && (s[len - 1] == '.' || s[len - 1] == '\n' || s[len - 1] == ' '))
        len--;
    if (len > 1 && islower((unsigned char)s[1]))
        s[0] = (char)tolower((unsigned char)s[0]);
    return str_make(s, len);
}

/* "OpenSSL SSL_read: error:0A00045C:SSL routines::tlsv13 alert certificate required, errno 0" */
struct str http_client_alert(const char *text, struct arena *a)
{
    const char *at = strstr(text, "SSL routines:"), *end;

    if (at == NULL || strstr(at, " alert ") == NULL)
        return STR("");
    at += strlen("SSL routines:");
    at += strspn(at, ":");
    end = strchr(at, ',');
    return str_dup(a, str_make(at, end != NULL ? (size_t)(end - at) : strlen(at)));
}

static void err_timeout(const struct exchange *x, struct err *e)
{
    int64_t total = x->call->total_ms > 0 ? x->call->total_ms : TOTAL_MS;
    int64_t connect = x->call->connect_ms > 0 ? x->call->connect_ms : CONNECT_MS;

    if (x->connected)
        err_set(e, ERR_TIMEOUT, "%s did not answer within %lld ms", x->where, (long long)total);
    else
        err_set(e, ERR_TIMEOUT, "connection to %s was not made within %lld ms", x->where,
                (long long)(connect < total ? connect : total));
}

static void err_connect(struct http_client *h, const struct exchange *x, struct err *e)
{
    long os = 0;

    curl_easy_getinfo(h->curl, CURLINFO_OS_ERRNO, &os);
    if (os != 0) {
        char text[128];
        const char *why = strerror_r((int)os, text, sizeof(text));

        err_set(e, ERR_UPSTREAM, "connection to %s failed (%.*s)", x->where,
                STR_ARG(http_client_words(why, x->a)));
    } else {
        err_set(e, ERR_UPSTREAM, "connection to %s failed", x->where);
    }
}

static void err_from_curl(struct http_client *h, const struct exchange *x, CURLcode code,
                          struct err *e)
{
    const char *text = h->error[0] != '\0' ? h->error : curl_easy_strerror(code);
    struct str alert;

    if (x->too_large) {
        err_set(e, ERR_UPSTREAM,
                x->body.over ? "the answer of %s is larger than %zu bytes"
                             : "the headers %s sent are larger than %zu bytes",
                x->where, x->body.over ? x->max_body : LIMIT_HEADERS);
        return;
    }
    if (x->refused != NULL && !x->connected) {
        err_set(e, ERR_INVALID, "%s must not be called: it is %s", x->where, x->refused);
        return;
    }
    if (strstr(text, "CONNECT tunnel failed") != NULL) {
        err_set(e, ERR_UPSTREAM, "connection to %s failed (%s)", x->where, text);
        return;
    }
    alert = http_client_alert(text, x->a);
    if (alert.len > 0) {
        err_set(e, ERR_UPSTREAM, "tls with %s failed (%.*s)", x->where, STR_ARG(alert));
        return;
    }
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        err_timeout(x, e);
        return;
    case CURLE_COULDNT_CONNECT:
        err_connect(h, x, e);
        return;
    case CURLE_COULDNT_RESOLVE_HOST:
        err_set(e, ERR_UPSTREAM, "connection to %s failed (host name not found)", x->where);
        return;
    case CURLE_COULDNT_RESOLVE_PROXY:
        err_set(e, ERR_UPSTREAM, "connection to %s failed (name of the outbound proxy not found)",
                x->where);
        return;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
        err_set(e, ERR_UPSTREAM, "tls with %s failed (%.*s)", x->where, STR_ARG(http_client_words(text, x->a)));
        return;
    case CURLE_URL_MALFORMAT:
        err_set(e, ERR_INVALID, "the url cannot be used (%.*s)",
                STR_ARG(http_client_words(curl_easy_strerror(code), x->a)));
        return;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_ABORTED_BY_CALLBACK:
        err_set(e, ERR_UPSTREAM, "%s closed the connection without a complete answer", x->where);
        break;
    case CURLE_PARTIAL_FILE:
        err_set(e, ERR_UPSTREAM, "%s closed the connection in the middle of its answer", x->where);
        break;
    default:
        err_set(e, ERR_UPSTREAM, "%s sent an invalid answer", x->where);
        break;
    }
    err_detail(e, "libcurl %d: %s", (int)code, text);
}

/* ---- the call
 * -----------------------------------------------------------------------------------------------
 */

static int prepare(struct exchange *x, const struct http_call *c, struct http_result *out,
                   struct arena *a, struct err *e)
{
    int port;

    memset(x, 0, offsetof(struct exchange, headers));
    x->n_headers = 0;
    x->connected = x->too_large = false;
    x->refused = NULL;
    if (check_call(c, e) != 0 || url_parse(c->url, &x->url, a, e) != 0)
        return -1;
    if (!str_eq_c(x->url.scheme, "http") && !str_eq_c(x->url.scheme, "https")) {
        err_set(e, ERR_INVALID, "url: scheme \"%.*s\" is neither http nor https",
                STR_ARG(x->url.scheme));
        return -1;
    }
    port = x->url.port != 0 ? x->url.port : url_default_port(x->url.scheme);
    snprintf(x->where, sizeof(x->where), "%.*s:%d", STR_ARG(x->url.host), port);
    x->call = c;
    x->out = out;
    x->a = a;
    x->max_body = c->max_body > 0 ? c->max_body : LIMIT_UPSTREAM_BODY;
    x->repeats = str_eq_c(c->method, "GET") || str_eq_c(c->method, "HEAD");
    buf_init(&x->body, x->max_body, a);
    return 0;
}

static void fill_result(struct http_client *h, struct exchange *x)
{
    struct http_result *out = x->out;
    long status = 0;

    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    out->status = (int)status;
    out->headers = arena_dup(x->a, x->headers, x->n_headers * sizeof(x->headers[0]));
    out->n_headers = x->n_headers;
    out->body = buf_str(&x->body);
    if (out->body.p == NULL)
        out->body = STR("");
}

int http_client_do(struct http_client_pool *p, const struct http_call *c, struct http_result *out,
                   struct arena *a, struct err *e)
{
    struct exchange x;
    struct http_client *h = NULL;
    struct curl_slist *headers = NULL;
    curl_mime *mime = NULL;
    int64_t start_us = clock_mono_us(&clock_system);
    CURLcode code;
    int rc = -1;

    memset(out, 0, sizeof(*out));
    if (prepare(&x, c, out, a, e) != 0)
        return -1;
    h = client_get(p, str_hash(url_origin(&x.url, a)));
    x.curl = h->curl;
    headers = header_list(c, a);
    if (c->n_parts > 0)
        mime = mime_of(h->curl, c, a);
    set_options(h, &x, headers);
    set_body(h->curl, c, mime);
    code = curl_easy_perform(h->curl);
    out->elapsed_us = clock_mono_us(&clock_system) - start_us;
    out->connected = x.connected;
    if (code == CURLE_OK) {
        fill_result(h, &x);
        rc = 0;
    } else {
        err_from_curl(h, &x, code, e);
    }
    client_put(p, h);
    curl_mime_free(mime); /* takes NULL, as the next */
    curl_slist_free_all(headers);
    return rc;
}

struct str http_result_header(const struct http_result *r, const char *name)
{
    for (size_t i = 0; i < r->n_headers; i++) {
        if (str_eq_c(r->headers[i].name, name))
            return r->headers[i].value;
    }
    return STR("");
}
