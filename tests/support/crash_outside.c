/*
 * The courier and the clerk.
 */
#include "support/crash_outside.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "support/crash_graphs.h"
#include "support/crash_ledger.h"
#include "support/fcgi_client.h"

enum { LOOK_MS = 20, ASK_MS = 150, LATE_MS = 400, TRIES_MAX = 400, ACTIONS_MAX = 4096 };

struct errand {
    struct outside_said said;
    int64_t due_ms;
    int tries;
};

struct outside {
    struct ledger *ledger;
    const char *const *sockets;
    size_t n_sockets;
    const char *params[2];
    pthread_t courier, clerk;
    pthread_mutex_t lock; /* the rest */
    bool stop;
    size_t n_read; /* calls of the ledger the courier knows */
    struct errand *errands;
    size_t n_errands, cap_errands;
    struct outside_said *said;
    size_t n_said, cap_said;
};

static bool stopped(struct outside *o)
{
    bool stop;

    pthread_mutex_lock(&o->lock);
    stop = o->stop;
    pthread_mutex_unlock(&o->lock);
    return stop;
}

static void *grown(void *p, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return p;
    *cap = *cap > 0 ? *cap * 2 : 256;
    p = realloc(p, *cap * size);
    if (p == NULL)
        abort();
    return p;
}

static void note(struct outside *o, const struct outside_said *s)
{
    pthread_mutex_lock(&o->lock);
    o->said = grown(o->said, o->n_said, &o->cap_said, sizeof *o->said);
    o->said[o->n_said++] = *s;
    pthread_mutex_unlock(&o->lock);
}

static struct fcgi_answer call(struct outside *o, int turn, const char *method, const char *uri,
                               const char *body, struct arena *a)
{
    struct fcgi_request r = {.method = method,
                             .uri = uri,
                             .params = o->params,
                             .body = body != NULL ? str_c(body) : STR(""),
                             .content_type = body != NULL ? "application/json" : NULL};

    return fcgi_call(o->sockets[(size_t)turn % o->n_sockets], &r, a);
}

/* Whether that is an answer to what was said, rather than to the moment. */
static bool definite(int status)
{
    return (status >= 200 && status < 300) || (status >= 400 && status < 500 && status != 429);
}

static uint64_t hash(const char *s)
{
    uint64_t h = 0xcbf29ce484222325U;

    while (*s != '\0')
        h = (h ^ (unsigned char)*s++) * 0x100000001b3U;
    return h;
}

/* ---- the courier ---------------------------------------------------------------------------- */

static void add_errand(struct outside *o, enum outside_kind kind, const char *guid,
                       const char *cell, int n, int64_t due_ms)
{
    struct errand e = {.said = {.kind = kind}, .due_ms = due_ms};

    (void)snprintf(e.said.guid, sizeof e.said.guid, "%s", guid);
    (void)snprintf(e.said.cell, sizeof e.said.cell, "%s", cell);
    (void)snprintf(e.said.what, sizeof e.said.what, "%d", n);
    o->errands = grown(o->errands, o->n_errands, &o->cap_errands, sizeof *o->errands);
    o->errands[o->n_errands++] = e;
}

/* Both events of an entity, for the first of calls that are one. */
static void add_events(struct outside *o, const struct ledger_call *c, int n, int64_t due_ms)
{
    struct str rest = STR(CRASH_EVENTS);
    char cell[sizeof((struct outside_said *)0)->cell];

    for (size_t i = 0; i < o->n_read; i++)
        if (strcmp(ledger_get(o->ledger, i).key, c->key) == 0)
            return;
    while (rest.len > 0) {
        struct str event = str_cut(&rest, ',');

        (void)snprintf(cell, sizeof cell, "of_%s.%.*s", c->cell, STR_ARG(event));
        add_errand(o, OUTSIDE_EVENT, c->guid, cell, n++, due_ms);
    }
}

/* A third comes back before the call is answered, a quarter comes twice. */
static void read_ledger(struct outside *o)
{
    int64_t now_ms = clock_mono_ms(&clock_system);
    size_t n;

    pthread_mutex_lock(&o->lock);
    n = ledger_count(o->ledger); /* under the lock: outside_clear() sets back both */
    for (; o->n_read < n; o->n_read++) {
        struct ledger_call c = ledger_get(o->ledger, o->n_read);
        uint64_t chance = hash(c.key);
        int64_t due_ms = chance % 3 == 0 ? now_ms : now_ms + (int64_t)(chance / 3 % LATE_MS);
        int number = (int)(o->n_read * 2);

        if (strncmp(c.cell, CRASH_EVENT, strlen(CRASH_EVENT)) == 0)
            add_events(o, &c, number, due_ms);
        if (strncmp(c.cell, "async", 5) != 0)
            continue;
        add_errand(o, OUTSIDE_CALLBACK, c.guid, c.cell, number, due_ms);
        if (chance % 4 == 0)
            add_errand(o, OUTSIDE_CALLBACK, c.guid, c.cell, number + 1,
                       due_ms + (int64_t)(chance / 4 % LATE_MS));
    }
    pthread_mutex_unlock(&o->lock);
}

/* The next errand that is due, taken out; false: none. */
static bool take_errand(struct outside *o, struct errand *out)
{
    int64_t now_ms = clock_mono_ms(&clock_system);
    bool found = false;

    pthread_mutex_lock(&o->lock);
    for (size_t i = 0; i < o->n_errands && !found; i++) {
        if (o->errands[i].due_ms > now_ms)
            continue;
        *out = o->errands[i];
        o->errands[i].due_ms = INT64_MAX; /* under way */
        found = true;
    }
    pthread_mutex_unlock(&o->lock);
    return found;
}

/* It is over, or comes again in a moment. */
static void end_errand(struct outside *o, const struct errand *e, bool over)
{
    pthread_mutex_lock(&o->lock);
    for (size_t i = 0; i < o->n_errands; i++) {
        struct errand *at = &o->errands[i];

        if (strcmp(at->said.guid, e->said.guid) != 0 || strcmp(at->said.what, e->said.what) != 0)
            continue;
        if (over) {
            *at = o->errands[--o->n_errands];
        } else {
            *at = *e;
            at->due_ms = clock_mono_ms(&clock_system) + LOOK_MS;
        }
        break;
    }
    pthread_mutex_unlock(&o->lock);
}

static struct fcgi_answer say(struct outside *o, struct errand *e, struct arena *a)
{
    const struct outside_said *s = &e->said;

    if (s->kind == OUTSIDE_EVENT)
        return call(o, e->tries++, "POST",
                    arena_printf(a, "/api/v01/transactions/%s/events", s->guid),
                    arena_printf(a, "{\"key\":\"%s\",\"value\":%s}", s->cell, s->what), a);
    return call(o, e->tries++, "POST",
                arena_printf(a, "/api/v01/transactions/callbacks/%s-%s", s->guid, s->cell),
                arena_printf(a, "{\"n\":%s}", s->what), a);
}

static void run_errand(struct outside *o, struct errand *e, struct arena *a)
{
    struct fcgi_answer got = say(o, e, a);
    bool over = definite(got.status) || e->tries > TRIES_MAX;

    e->said.status = got.status;
    if (over)
        note(o, &e->said);
    else /* a 503 too: the connection may have broken in the middle of the commit */
        e->said.unsure = true;
    end_errand(o, e, over);
}

static void *courier_main(void *arg)
{
    struct outside *o = arg;
    struct arena *a = arena_new(0);
    struct errand e;

    while (!stopped(o)) {
        read_ledger(o);
        while (take_errand(o, &e) && !stopped(o))
            run_errand(o, &e, a);
        arena_reset(a);
        usleep(LOOK_MS * 1000);
    }
    arena_free(a);
    return NULL;
}

/* ---- the clerk ------------------------------------------------------------------------------ */

/* Questions that were answered for good, and those of which an answer may have been taken. */
struct desk {
    int64_t ids[ACTIONS_MAX];
    bool unsure[ACTIONS_MAX], done[ACTIONS_MAX];
    size_t n;
    int turn; /* of the cores */
};

static size_t place_of(struct desk *d, int64_t id)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->ids[i] == id)
            return i;
    if (d->n == ACTIONS_MAX)
        d->n = 0; /* those of long ago are not asked any more */
    d->ids[d->n] = id;
    d->unsure[d->n] = d->done[d->n] = false;
    return d->n++;
}

static int post_answer(struct outside *o, int turn, struct val action, struct str what,
                       struct arena *a)
{
    return call(o, turn, "POST",
                arena_printf(a, "/api/v01/transactions/%lld/manual_actions/%lld",
                             (long long)val_get_int(action, "instance_id", 0),
                             (long long)val_get_int(action, "id", 0)),
                arena_printf(a, "{\"output\":\"%.*s\"}", STR_ARG(what)), a)
        .status;
}

/* Which answer hangs on the question alone, so that it is the same whenever it is repeated. */
static void answer(struct outside *o, struct desk *d, struct val action, struct arena *a)
{
    struct str cell = val_get_text(action, "description", STR("")), guid = str_cut(&cell, ' ');
    struct str second = val_get_text(action, "possible_outputs", STR("")),
               first = str_cut(&second, ',');
    struct outside_said s = {.kind = OUTSIDE_ANSWER};
    size_t at = place_of(d, val_get_int(action, "id", 0));
    uint64_t chance = hash(arena_printf(a, "%.*s %.*s", STR_ARG(guid), STR_ARG(cell)));
    struct str what = chance % 2 == 0 ? first : second;

    if (d->done[at] || str_eq_c(guid, CRASH_LEFT))
        return;
    (void)snprintf(s.guid, sizeof s.guid, "%.*s", STR_ARG(guid));
    (void)snprintf(s.cell, sizeof s.cell, "%.*s", STR_ARG(cell));
    (void)snprintf(s.what, sizeof s.what, "%.*s", STR_ARG(what));
    s.status = post_answer(o, d->turn++, action, what, a);
    if (!definite(s.status)) {
        s.unsure = true; /* if it was taken, nobody asks for it again */
        if (!d->unsure[at])
            note(o, &s);
        d->unsure[at] = true;
        return;
    }
    d->done[at] = true;
    note(o, &s);
    if (chance % 3 != 0)
        return;
    what = chance % 2 == 0 ? second : first;
    (void)snprintf(s.what, sizeof s.what, "%.*s", STR_ARG(what));
    s.status = post_answer(o, d->turn++, action, what, a);
    s.unsure = !definite(s.status);
    note(o, &s);
}

static void *clerk_main(void *arg)
{
    struct outside *o = arg;
    struct arena *a = arena_new(0);
    struct desk *d = calloc(1, sizeof *d);
    struct err e;

    if (d == NULL)
        abort();
    for (int turn = 0; !stopped(o); turn++) {
        struct fcgi_answer got = call(
            o, turn, "GET", "/api/v01/system/users/local/manual_actions?pending=1", NULL, a);
        struct val v = val_undef(NULL), list;

        if (got.status == 200 && json_parse(got.body, &v, a, &e) == 0) {
            list = val_get(val_get(v, "manual_actions_per_role"), CRASH_ROLE);
            for (size_t i = 0; i < val_count(list) && !stopped(o); i++)
                answer(o, d, val_at(list, i), a);
        }
        arena_reset(a);
        usleep(ASK_MS * 1000);
    }
    free(d);
    arena_free(a);
    return NULL;
}

/* ---- both ----------------------------------------------------------------------------------- */

struct outside *outside_new(struct ledger *l, const char *const *sockets, size_t n,
                            const char *auth)
{
    struct outside *o = calloc(1, sizeof *o);

    if (o == NULL)
        abort();
    o->ledger = l;
    o->sockets = sockets;
    o->n_sockets = n;
    o->params[0] = auth;
    pthread_mutex_init(&o->lock, NULL);
    if (pthread_create(&o->courier, NULL, courier_main, o) != 0 ||
        pthread_create(&o->clerk, NULL, clerk_main, o) != 0)
        abort();
    return o;
}

void outside_free(struct outside *o)
{
    if (o == NULL)
        return;
    pthread_mutex_lock(&o->lock);
    o->stop = true;
    pthread_mutex_unlock(&o->lock);
    pthread_join(o->courier, NULL);
    pthread_join(o->clerk, NULL);
    pthread_mutex_destroy(&o->lock);
    free(o->errands);
    free(o->said);
    free(o);
}

size_t outside_count(struct outside *o)
{
    size_t n;

    pthread_mutex_lock(&o->lock);
    n = o->n_said;
    pthread_mutex_unlock(&o->lock);
    return n;
}

struct outside_said outside_get(struct outside *o, size_t i)
{
    struct outside_said s = {0};

    pthread_mutex_lock(&o->lock);
    if (i < o->n_said)
        s = o->said[i];
    pthread_mutex_unlock(&o->lock);
    return s;
}

bool outside_idle(struct outside *o)
{
    size_t n = ledger_count(o->ledger);
    bool idle;

    pthread_mutex_lock(&o->lock);
    idle = o->n_read >= n && o->n_errands == 0;
    pthread_mutex_unlock(&o->lock);
    return idle;
}

void outside_clear(struct outside *o)
{
    pthread_mutex_lock(&o->lock);
    o->n_said = o->n_read = 0;
    ledger_clear(o->ledger);
    pthread_mutex_unlock(&o->lock);
}
