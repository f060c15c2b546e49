/*
 * Events that outside systems send to a transaction (http-api.md 5.15, workflow-engine.md 4.10).
 *
 * The event and the signal that brings it into the run are stored together; an event the workflow
 * does not know is kept too, as rejected.
 */
#include "api/transaction.h"
#include "base/arena.h"
#include "base/json.h"
#include "engine/signal.h"

enum { EVENT_BODY_MAX = 1 * MIB, EVENT_KEY_MAX = 255 };

#define EVENT_OBJECT                                                                               \
    "json_build_object('event_id', id, 'source_entity', source_entity, 'username', username, "     \
    "'key', key, 'content', content, 'extra', extra, 'status', status, 'processing_result', "      \
    "processing_result, 'created_on', " DB_ISO("created_on") ")"

static const struct db_stmt stmt_list = {
    "api_events_list",
    "SELECT json_build_object('events', coalesce(json_agg(" EVENT_OBJECT
    " ORDER BY id), '[]'))::text FROM entity_events "
    "WHERE instance_id = $1 AND instance_on = $2::timestamptz",
    2,
};

static const struct db_stmt stmt_get = {
    "api_events_get",
    "SELECT " EVENT_OBJECT "::text FROM entity_events WHERE instance_id = $1 AND instance_on = "
    "$2::timestamptz AND id = $3",
    3,
};

static const struct db_stmt stmt_definition = {
    "api_events_definition",
    "SELECT d.definition FROM instances i JOIN definitions d ON d.id = i.definition_id WHERE i.id "
    "= $1 AND i.created_on = $2::timestamptz",
    2,
};

static const struct db_stmt stmt_add = {
    "api_events_add",
    "INSERT INTO entity_events (instance_id, instance_on, source_entity, user_id, username, key, "
    "content, extra, status, processing_result) VALUES ($1, $2::timestamptz, $3, $4, $5, $6, $7, "
    "$8, $9, $10) RETURNING id",
    10,
};

static const struct db_stmt *const all[] = {&stmt_list, &stmt_get, &stmt_definition, &stmt_add};
const struct db_stmts api_events_stmts = {"api_events", all, COUNT_OF(all)};

int transaction_events(struct api_call *c, struct err *e)
{
    return transaction_answer(c, &stmt_list, e);
}

/* as=csv: the interface's download button; the file holds the event as JSON, as it does for
 * requests. */
int transaction_event_get(struct api_call *c, struct err *e)
{
    struct transaction t;
    int64_t id;

    if (transaction_open(c, &t, e) != 0 || api_id(c, 1, "event", &id, e) != 0 ||
        api_answer_query(c, &stmt_get, DB_ARGS(DB_INT(t.id), DB_STR(t.on), DB_INT(id)), "event",
                         e) != 0)
        return -1;
    if (str_eq_c(http_req_param(c->req, "as"), "csv"))
        api_download(c, arena_printf(c->a, "event_%lld.json", (long long)id), "application/json",
                     c->text);
    return 0;
}

/* ---- which event it is ---------------------------------------------------------------------- */

struct event {
    struct str entity, key; /* of the definition, or as sent */
    struct val value;
    struct str content, extra;
    bool known;
};

static bool has_event(struct val entity, struct str key)
{
    struct val outputs = val_get(entity, "outputs"), events = val_path(entity, "params.events");
    struct str rest = val_text(events);

    for (size_t i = 0; i < val_count(outputs); i++)
        if (str_eq(val_text(val_at(outputs, i)), key))
            return true;
    for (size_t i = 0; val_is(events, VAL_LIST) && i < val_count(events); i++)
        if (str_eq(str_trim(val_text(val_at(events, i))), key))
            return true;
    while (rest.len > 0)
        if (str_eq(str_trim(str_cut(&rest, ',')), key))
            return true;
    return false;
}

static struct val entity_named(struct val entities, struct str name)
{
    for (size_t i = 0; i < val_count(entities); i++)
        if (str_eq(val_get_text(val_at(entities, i), "name", STR("")), name))
            return val_at(entities, i);
    return val_undef(NULL);
}

/* "<entity>.<event>", cut at the first dot whose left part is an entity; undefined when there is
 * none. */
static struct val split(struct val entities, struct str key, struct str *event)
{
    for (size_t i = 0; i < key.len; i++) {
        struct val x;

        if (key.p[i] != '.')
            continue;
        x = entity_named(entities, str_slice(key, 0, i));
        if (val_is_undef(x))
            continue;
        *event = str_slice(key, i + 1, key.len);
        return x;
    }
    return val_undef(NULL);
}

/* Key resolution of 4.10. */
static int resolve(struct api_call *c, const struct transaction *t, struct val entities,
                   struct event *ev, struct err *e)
{
    struct str event = ev->key;
    struct val own, named = split(entities, ev->key, &event);

    if (c->user->entity.len > 0) {
        ev->entity = c->user->entity;
        own = entity_named(entities, c->user->entity);
        if (val_is_undef(own) || (!val_is_undef(named) && !has_event(own, ev->key) &&
                                  !str_eq(val_get_text(named, "name", STR("")), ev->entity))) {
            err_set(e, ERR_FORBIDDEN,
                    "events of another entity than \"%.*s\" are not yours to send",
                    STR_ARG(ev->entity));
            return -1;
        }
        if (!val_is_undef(named) && !has_event(own, ev->key))
            ev->key = event;
        ev->known = has_event(own, ev->key);
        return 0;
    }
    if (api_allowed(c->user, "requests", e) != 0 || transaction_seen(c, t, e) != 0)
        return -1;
    if (!val_is_undef(named)) {
        ev->entity = val_get_text(named, "name", STR(""));
        ev->key = event;
        ev->known = has_event(named, event);
    }
    return 0;
}

/* ---- receiving ------------------------------------------------------------------------------ */

static int read_event(struct api_call *c, struct event *ev, struct err *e)
{
    struct val key, value, sent = val_get(c->body, "value"), extra = val_dict_new(c->a, 4);
    struct err ignored;
    struct val v;

    if (c->req->body.len > EVENT_BODY_MAX) {
        err_set(e, ERR_LIMIT, "request body larger than 1 MiB");
        return -1;
    }
    if (!val_is(c->body, VAL_DICT)) {
        err_set(e, ERR_INVALID, "request body: expected an object, got %s", val_type_name(c->body));
        return -1;
    }
    *ev = (struct event){.entity = STR(""), .extra = STR_NONE};
    if (api_body_text(c, "key", EVENT_KEY_MAX, &ev->key, e) != 0)
        return -1;
    if (ev->key.len == 0 && api_body_text(c, "trigger_type", EVENT_KEY_MAX, &ev->key, e) != 0)
        return -1;
    ev->key = str_trim(ev->key);
    if (ev->key.len == 0) {
        err_set(e, ERR_INVALID, "key is required");
        return -1;
    }
    ev->value = val_is_undef(sent) ? val_null() : sent;
    if (val_is(sent, VAL_STR) && json_parse(val_text(sent), &v, c->a, &ignored) == 0)
        ev->value = v;
    ev->content = val_is(sent, VAL_STR) ? val_text(sent) : json_text(ev->value, c->a);
    for (size_t i = 0; val_pair_at(c->body, i, &key, &value); i++)
        if (!str_eq_c(val_text(key), "key") && !str_eq_c(val_text(key), "trigger_type") &&
            !str_eq_c(val_text(key), "value"))
            val_dict_set(extra, key, value);
    if (val_count(extra) > 0)
        ev->extra = json_text(extra, c->a);
    return 0;
}

static int entities_of(struct api_call *c, const struct transaction *t, struct val *out,
                       struct err *e)
{
    struct str text;
    struct val def;

    if (db_text(c->conn, &stmt_definition, DB_ARGS(DB_INT(t->id), DB_STR(t->on)), &text, c->a, e) !=
            0 ||
        json_parse(text, &def, c->a, e) != 0)
        return -1;
    *out = val_get(def, "entities");
    return 0;
}

static struct str payload_of(struct api_call *c, const struct event *ev, int64_t id)
{
    struct val p = val_dict_new(c->a, 5);

    val_dict_set_c(p, "event_id", val_int(id));
    val_dict_set_c(p, "entity", val_str(ev->entity));
    val_dict_set_c(p, "event", val_str(ev->key));
    val_dict_set_c(p, "value", ev->value);
    val_dict_set_c(p, "username", val_str(c->user->username));
    return json_text(p, c->a);
}

static int store(struct api_call *c, const struct transaction *t, const struct event *ev,
                 int64_t *id, struct err *e)
{
    PGresult *res = NULL;

    if (db_query_in(c->conn, &stmt_add,
                    DB_ARGS(DB_INT(t->id), DB_STR(t->on), DB_STR(ev->entity), DB_INT(c->user->id),
                            DB_STR(c->user->username), DB_STR(ev->key), DB_STR(ev->content),
                            DB_STR_OR_NULL(ev->extra), DB_C(ev->known ? "received" : "rejected"),
                            ev->known ? DB_NULL : DB_C("unknown event")),
                    &res, c->a, e) != 0)
        return -1;
    *id = db_int(res, 0, 0);
    if (!ev->known)
        return 0;
    return engine_signal(c->conn, t->id, 0, "entity", payload_of(c, ev, *id), e);
}

int transaction_event_post(struct api_call *c, struct err *e)
{
    struct transaction t;
    struct val entities;
    struct event ev;
    int64_t id;

    if (transaction_find(c, &t, e) != 0 || read_event(c, &ev, e) != 0 ||
        entities_of(c, &t, &entities, e) != 0 || resolve(c, &t, entities, &ev, e) != 0)
        return -1;
    if (!t.active) {
        err_set(e, ERR_CONFLICT, "the transaction is closed");
        return -1;
    }
    if (db_begin(c->conn, e) != 0)
        return -1;
    if (store(c, &t, &ev, &id, e) != 0 || db_commit(c->conn, e) != 0) {
        db_rollback(c->conn);
        return -1;
    }
    if (!ev.known) {
        err_set(e, ERR_INVALID, "key: unknown event \"%.*s\"", STR_ARG(ev.key));
        return -1;
    }
    engine_wake(c->api->engine);
    api_answer_id(c, "id", id);
    return 0;
}
