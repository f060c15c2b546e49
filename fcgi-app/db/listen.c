/*
 * The listener's thread: hear, compare, tell.
 */
#include "db/listen.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "db/db_int.h"

enum {
    TOPICS_MAX = 16,
    TOPIC_LEN = 32,
    NUMBER_LEN = 48,
    RETRY_FIRST_MS = 200,
    RETRY_MAX_MS = 5000,
    STATEMENT_MS = 10000
};

/* Keys are compared by content: an operator renames a label with a plain UPDATE that touches
 * nothing else. */
static const char state_sql[] = "SELECT topic, n::text FROM generations UNION ALL "
                                "SELECT 'keys', coalesce(md5(string_agg(concat_ws(' ', id, label, "
                                "algorithm, wrapped_by, state, "
                                "extract(epoch FROM changed_on), "
                                LISTEN_KEY_WORN "), ',' ORDER BY id)), '') "
                                "FROM keys";

struct topic {
    char name[TOPIC_LEN];
    char number[NUMBER_LEN];
};

struct listener {
    struct db *db;
    int64_t poll_ms;
    listener_fn *fn;
    void *arg;
    int wake; /* eventfd: stop */
    pthread_t thread;
    pthread_mutex_t lock;
    bool connected; /* under lock */
    PGconn *pg;
    struct topic topics[TOPICS_MAX];
    size_t n_topics;
    int64_t next_poll_ms, retry_ms;
    bool away;
    bool pooled; /* nothing is heard through a pooler: looking has to do */
};

static void set_connected(struct listener *l, bool yes)
{
    pthread_mutex_lock(&l->lock);
    l->connected = yes;
    pthread_mutex_unlock(&l->lock);
}

static void drop(struct listener *l, const char *why)
{
    if (!l->away)
        log_warn("listen.away", "why=" LOG_Q, why);
    l->away = true;
    PQfinish(l->pg);
    l->pg = NULL;
    set_connected(l, false);
}

/* Remember the number of a topic; true when it is another one than before. */
static bool changed(struct listener *l, const char *name, const char *number)
{
    struct topic *t = l->topics;
    struct topic *end = l->topics + l->n_topics;

    while (t < end && strcmp(t->name, name) != 0)
        t++;
    if (t < end && strcmp(t->number, number) == 0)
        return false;
    if (t == end) {
        if (l->n_topics == TOPICS_MAX || strlen(name) >= TOPIC_LEN || strlen(number) >= NUMBER_LEN)
            return false;
        l->n_topics++;
        memcpy(t->name, name, strlen(name) + 1);
    }
    memcpy(t->number, number, strlen(number) + 1);
    return true;
}

/* Compare the tables with what is known and call back for the differences. */
static int compare(struct listener *l)
{
    PGresult *r = PQexec(l->pg, state_sql);
    char line[200];
    int rc = -1;

    l->next_poll_ms = clock_mono_ms(&clock_system) + l->poll_ms;
    if (PQresultStatus(r) != PGRES_TUPLES_OK) {
        db_first_line(PQerrorMessage(l->pg), line, sizeof line);
        drop(l, line);
        goto out;
    }
    for (int i = 0; i < PQntuples(r); i++) {
        if (changed(l, PQgetvalue(r, i, 0), PQgetvalue(r, i, 1)))
            l->fn(l->arg, PQgetvalue(r, i, 0));
    }
    rc = 0;
out:
    PQclear(r);
    return rc;
}

/* Act on what was heard: topics that are counted are compared, others handed on as they are. */
static void heard(struct listener *l)
{
    PGnotify *n;

    while (l->pg != NULL && (n = PQnotifies(l->pg)) != NULL) {
        bool jobs = strcmp(n->extra, "jobs") == 0;

        PQfreemem(n);
        if (jobs)
            l->fn(l->arg, "jobs");
        else
            (void)compare(l);
    }
}

static bool listen_to(PGconn *pg)
{
    PGresult *r = PQexec(pg, "LISTEN sluice");
    bool ok = PQresultStatus(r) == PGRES_COMMAND_OK;

    PQclear(r);
    return ok;
}

static int attach(struct listener *l)
{
    struct err e = {0};

    if (db_open(db_uri(l->db), db_shown(l->db), db_app_name(l->db), STATEMENT_MS, 0, &l->pg,
                &l->pooled, NULL, NULL, &e) != 0) {
        drop(l, e.detail);
        return -1;
    }
    if (!l->pooled && !listen_to(l->pg)) {
        drop(l, "LISTEN was refused");
        return -1;
    }
    if (compare(l) != 0)
        return -1;
    if (l->away)
        log_info("listen.back", "db=%s", db_shown(l->db));
    l->away = false;
    l->retry_ms = RETRY_FIRST_MS;
    set_connected(l, true);
    return 0;
}

/* Wait for the socket at most `ms`; false when we are to stop. */
static bool wait_for(struct listener *l, int64_t ms, bool *readable)
{
    struct pollfd p[2] = {{l->wake, POLLIN, 0}, {l->pg != NULL ? PQsocket(l->pg) : -1, POLLIN, 0}};

    *readable = false;
    if (poll(p, 2, ms > 0 ? (int)ms : 0) > 0)
        *readable = p[1].revents != 0;
    return p[0].revents == 0;
}

static void *run(void *arg)
{
    struct listener *l = arg;
    bool readable;

    for (;;) {
        int64_t wait_ms = l->retry_ms;

        if (l->pg == NULL && attach(l) != 0)
            l->retry_ms = l->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : l->retry_ms * 2;
        if (l->pg != NULL)
            wait_ms = l->next_poll_ms - clock_mono_ms(&clock_system);
        if (!wait_for(l, wait_ms, &readable))
            break;
        if (l->pg != NULL && readable && PQconsumeInput(l->pg) != 1)
            drop(l, "the server closed the connection");
        if (l->pg != NULL && clock_mono_ms(&clock_system) >= l->next_poll_ms)
            (void)compare(l);
        heard(l); /* comparing may have read more of it */
    }
    return NULL;
}

struct listener *listener_new(struct db *db, int64_t poll_ms, listener_fn *fn, void *arg)
{
    struct listener *l = calloc(1, sizeof *l);

    if (l == NULL)
        abort();
    l->db = db;
    l->poll_ms = poll_ms;
    l->fn = fn;
    l->arg = arg;
    l->retry_ms = RETRY_FIRST_MS;
    l->wake = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&l->lock, NULL);
    if (l->wake < 0 || pthread_create(&l->thread, NULL, run, l) != 0)
        abort();
    return l;
}

void listener_free(struct listener *l)
{
    uint64_t one = 1;

    if (l == NULL)
        return;
    while (write(l->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
    pthread_join(l->thread, NULL);
    PQfinish(l->pg);
    close(l->wake);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

bool listener_connected(const struct listener *l)
{
    struct listener *own = (struct listener *)(uintptr_t)l;
    bool yes;

    pthread_mutex_lock(&own->lock);
    yes = own->connected;
    pthread_mutex_unlock(&own->lock);
    return yes;
}
