/*
 * Export and import of activities: workflow-engine.md 1.7.
 *
 * One file carries an activity and, each once, those it refers to by name.
 */
#include "api/api_exchange.h"

#include "api/definition.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/utf8.h"

enum { EXPORT_MAX = 1000, LABEL_MAX_CHARS = 255 };

static const struct db_stmt stmt_by_name = {
    "api_exchange_by_name",
    "SELECT a.id, a.description, v.label, d.definition FROM activities a "
    "JOIN activity_versions v ON v.activity_id = a.id AND v.active "
    "JOIN definitions d ON d.id = v.definition_id WHERE a.name = $1",
    1,
};

static const struct db_stmt stmt_all_texts = {
    "api_exchange_texts",
    "SELECT d.definition, v.label IS NULL FROM activity_versions v JOIN definitions d ON d.id = v.definition_id "
    "WHERE v.activity_id = $1",
    1,
};

static const struct db_stmt stmt_versions = {
    "api_exchange_versions",
    "SELECT json_agg(json_build_object('id', v.id, 'label', v.label, 'message', v.message, 'active', v.active, "
    "'definition', d.definition::json, 'created_on', " DB_ISO("v.created_on") ", 'commit_at', " DB_ISO("v.commit_at")
    ") ORDER BY v.id)::text FROM activity_versions v JOIN definitions d ON d.id = v.definition_id WHERE v.activity_id = $1",
    1,
};

static const struct db_stmt *const all[] = {&stmt_by_name, &stmt_all_texts, &stmt_versions};
const struct db_stmts api_exchange_stmts = {"api_exchange", all, COUNT_OF(all)};

/* ---- export ---------------------------------------------------------------------------------- */

struct seen {
    struct val names; /* list of what is in the file */
};

static bool add_seen(struct seen *s, struct str name)
{
    for (size_t i = 0; i < val_count(s->names); i++) {
        if (str_eq(val_text(val_at(s->names, i)), name))
            return false;
    }
    val_list_add(s->names, val_str(name));
    return val_count(s->names) < EXPORT_MAX;
}

/* {"name", "description", "definition", "version_label"}; undefined for an unknown name. */
static int export_one(struct api_call *c, struct str name, struct val *out, struct err *e)
{
    PGresult *res = NULL;
    struct val definition;

    *out = val_undef(NULL);
    if (db_query_in(c->conn, &stmt_by_name, DB_ARGS(DB_STR(name)), &res, c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0)
        return 0;
    if (json_parse(db_str(res, 0, 3), &definition, c->a, e) != 0)
        return -1;
    *out = val_dict_new(c->a, 5);
    val_dict_set_c(*out, "name", val_str(name));
    val_dict_set_c(*out, "description", db_is_null(res, 0, 1) ? val_null() : val_str(db_str(res, 0, 1)));
    val_dict_set_c(*out, "definition", definition);
    val_dict_set_c(*out, "version_label", db_is_null(res, 0, 2) ? val_null() : val_str(db_str(res, 0, 2)));
    return 0;
}

/* The activities `definition` refers to, and theirs, appended to `list`. */
static int export_referenced(struct api_call *c, struct val definition, struct val list, struct seen *s, struct err *e)
{
    struct val names = wf_referenced(definition, c->a);

    for (size_t i = 0; i < val_count(names); i++) {
        struct val one;

        if (!add_seen(s, val_text(val_at(names, i))))
            continue;
        if (export_one(c, val_text(val_at(names, i)), &one, e) != 0)
            return -1;
        if (val_is_undef(one))
            continue;
        val_list_add(list, one);
        if (export_referenced(c, val_get(one, "definition"), list, s, e) != 0)
            return -1;
    }
    return 0;
}

int exchange_export(struct api_call *c, struct str name, bool with_subs, struct val *out, struct err *e)
{
    struct seen s = {val_list_new(c->a, 4)};
    struct val subs = val_list_new(c->a, 4);

    add_seen(&s, name);
    if (export_one(c, name, out, e) != 0)
        return -1;
    if (val_is_undef(*out)) {
        err_set(e, ERR_NOT_FOUND, "no such activity");
        return -1;
    }
    if (!with_subs)
        return 0;
    if (export_referenced(c, val_get(*out, "definition"), subs, &s, e) != 0)
        return -1;
    val_dict_set_c(*out, "sub_activities", subs);
    return 0;
}

static void download_json(struct api_call *c, struct str name, struct val v)
{
    struct buf text;

    buf_init(&text, 64 * MIB, c->a);
    json_write(v, JSON_SPACED, 2, &text);
    api_download(c, arena_printf(c->a, "%.*s.json", STR_ARG(name)), "application/json", buf_str(&text));
}

int activity_export(struct api_call *c, struct err *e)
{
    bool bare = str_eq(http_req_param(c->req, "def_only"), STR("1"));
    struct val activity, file;
    struct str name;
    int64_t id;

    if (api_id(c, 0, "activity", &id, e) != 0 || activity_read(c, id, &activity, e) != 0)
        return -1;
    name = val_get_text(activity, "name", STR(""));
    if (exchange_export(c, name, true, &file, e) != 0)
        return -1;
    download_json(c, name, bare ? val_get(file, "definition") : file);
    return 0;
}

int versions_export(struct api_call *c, struct err *e)
{
    struct val activity, file, versions, out;
    struct str name, list;
    int64_t id;

    if (api_id(c, 0, "activity", &id, e) != 0 || activity_read(c, id, &activity, e) != 0)
        return -1;
    name = val_get_text(activity, "name", STR(""));
    if (exchange_export(c, name, true, &file, e) != 0 ||
        db_text(c->conn, &stmt_versions, DB_ARGS(DB_INT(id)), &list, c->a, e) != 0 ||
        json_parse(list, &versions, c->a, e) != 0)
        return -1;
    out = val_dict_new(c->a, 2);
    val_dict_set_c(out, "activity", file);
    val_dict_set_c(out, "versions", versions);
    download_json(c, name, out);
    return 0;
}

/* ---- import ------------------------------------------------------------------------------------ */

int exchange_options(struct api_call *c, struct exchange_options *o, struct err *e)
{
    o->replace = str_eq(http_req_param(c->req, "replaceWorkingVersion"), STR("true"));
    o->commit = str_eq(http_req_param(c->req, "commitCurrentWorkingVersion"), STR("true"));
    o->commit_label = http_req_param(c->req, "commitCurrentWorkingVersionLabel");
    o->activate = str_eq(http_req_param(c->req, "activateNewVersion"), STR("true"));
    if (o->commit && o->commit_label.len == 0) {
        err_set(e, ERR_INVALID, "commitCurrentWorkingVersionLabel is required to commit the working version");
        return -1;
    }
    if (utf8_len(o->commit_label) > LABEL_MAX_CHARS) {
        err_set(e, ERR_INVALID, "commitCurrentWorkingVersionLabel: longer than %d characters", LABEL_MAX_CHARS);
        return -1;
    }
    return 0;
}

/* Is this definition one of the activity's versions already?  Compared as data, not as text. */
static int is_known(struct api_call *c, int64_t id, struct val definition, bool *known, struct err *e)
{
    PGresult *res = NULL;

    *known = false;
    if (db_query_in(c->conn, &stmt_all_texts, DB_ARGS(DB_INT(id)), &res, c->a, e) != 0)
        return -1;
    for (int i = 0; i < PQntuples(res) && !*known; i++) {
        struct val stored;

        if (json_parse(db_str(res, i, 0), &stored, c->a, e) != 0)
            return -1;
        *known = val_eq(stored, definition);
    }
    return 0;
}

static int import_into(struct api_call *c, int64_t id, struct str name, struct val definition, struct str text,
                       const struct exchange_options *o, struct err *e)
{
    int64_t version_id;
    bool known;

    if (is_known(c, id, definition, &known, e) != 0)
        return -1;
    if (known)
        return 0;
    if (!o->replace) {
        err_set(e, ERR_CONFLICT, "activity \"%.*s\" exists with another definition; allow replacing its working version",
                STR_ARG(name));
        return -1;
    }
    if (o->commit && version_commit(c, id, o->commit_label, STR_NONE, &version_id, e) != 0)
        return -1;
    if (activity_save_working(c, id, text, e) != 0)
        return -1;
    return o->activate ? version_activate(c, id, 0, e) : 0;
}

static int import_one(struct api_call *c, struct str name, struct val description, struct val definition,
                      const struct exchange_options *o, int64_t *id, struct err *e)
{
    struct definition_check check = {.how = WF_SAVE, .definition = definition};
    PGresult *res = NULL;

    if (definition_check(c, &check, e) != 0) {
        err_context(e, "activity \"%.*s\"", STR_ARG(name));
        check.answered = false;
        return -1;
    }
    if (json_parse(check.text, &definition, c->a, e) != 0 ||
        db_query_in(c->conn, &stmt_by_name, DB_ARGS(DB_STR(name)), &res, c->a, e) != 0)
        return -1;
    if (PQntuples(res) == 0)
        return activity_insert(c, name, val_is(description, VAL_STR) ? val_text(description) : STR_NONE, check.text,
                               id, e);
    *id = db_int(res, 0, 0);
    return import_into(c, *id, name, definition, check.text, o, e);
}

int exchange_import(struct api_call *c, struct val file, const struct exchange_options *o, int64_t *id, struct err *e)
{
    struct str name = http_req_param(c->req, "name");
    struct val subs, definition;
    int64_t sub_id;

    if (val_is(val_get(file, "activity"), VAL_DICT))
        file = val_get(file, "activity");
    definition = val_get(file, "definition");
    if (val_is_none(definition) && !val_is_undef(val_get(file, "cells")))
        definition = file;
    else
        name = val_get_text(file, "name", name);
    if (name.len == 0 || val_is_none(definition)) {
        err_set(e, ERR_INVALID, "expected an exported activity with \"name\" and \"definition\", or a definition and ?name=");
        return -1;
    }
    subs = val_get(file, "sub_activities");
    if (!val_is_none(subs) && !val_is(subs, VAL_LIST)) {
        err_set(e, ERR_INVALID, "sub_activities: expected a list, got %s", val_type_name(subs));
        return -1;
    }
    for (size_t i = 0; i < val_count(subs); i++) {
        struct val sub = val_at(subs, i);

        if (!val_is(sub, VAL_DICT)) {
            err_set(e, ERR_INVALID, "sub_activities.%zu: expected an object, got %s", i, val_type_name(sub));
            return -1;
        }
        if (import_one(c, val_get_text(sub, "name", STR("")), val_get(sub, "description"), val_get(sub, "definition"), o,
                       &sub_id, e) != 0)
            return -1;
    }
    return import_one(c, name, val_get(file, "description"), definition, o, id, e);
}

int activities_import(struct api_call *c, struct err *e)
{
    struct exchange_options o;
    int64_t id;

    if (exchange_options(c, &o, e) != 0 || db_begin(c->conn, e) != 0 ||
        exchange_import(c, c->body, &o, &id, e) != 0 || db_commit(c->conn, e) != 0)
        return -1;
    c->status = 200;
    api_answer_id(c, "id", id);
    return 0;
}
