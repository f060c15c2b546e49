/*
 * Speaking to the API in an integration test: JSON in, JSON out, as the administrator or as somebody else.
 *
 *     api_admin(env);
 *     v = api(env, 200, "POST", "/api/v01/activities", "{...}");
 *     assert_int_equal(api_int(v, "id"), 1);
 */
#ifndef SLUICE_TESTS_INTEGRATION_ENV_API_H
#define SLUICE_TESTS_INTEGRATION_ENV_API_H

#include "base/value.h"
#include "integration/env.h"

/* Create the superuser "admin", wait until the core answers, log in; api() goes on as him. */
void api_admin(struct env *env);
/* The password -newsuperuser printed. */
const char *api_admin_password(void);
/* Log in; the access token, or NULL when refused. */
const char *api_login(struct env *env, const char *username, const char *password);
/* Who api() is from now on; "" = nobody.  Returns who it was. */
const char *api_as(const char *token);
/* A test that starts as the administrator, whatever the one before left. */
#define API_TEST(fn) cmocka_unit_test_setup(fn, api_setup)
int api_setup(void **state);
/* The token api() uses. */
const char *api_token(void);
/* "Authorization: Bearer ..." of it. */
const char *api_auth(struct env *env);

/* One call; the answer must have this status and hold JSON (an empty body gives undefined). */
struct val api(struct env *env, int status, const char *method, const char *path, const char *body);
/* The same, answer as it came. */
struct env_answer api_raw(struct env *env, const char *method, const char *path, const char *body);
struct val api_json(struct env *env, const struct env_answer *a);

/* Text at "a.0.b" of an answer: texts as they are, other values as JSON, "" when absent.  Lives in the environment. */
const char *api_text(struct env *env, struct val v, const char *path);
int64_t api_int(struct val v, const char *path);
/* `text` as a JSON string with its quotes. */
const char *api_quoted(struct env *env, const char *text);

/* Store, commit and activate a definition; the activity's id.  `definition` is JSON text. */
int64_t api_activity(struct env *env, const char *name, const char *definition);
/* A custom route; `more` are further members (",\"sync\":true"); its id.  The core serves it within a second. */
int64_t api_route(struct env *env, const char *method, const char *route, int64_t activity, const char *more);
/* Store a definition and start it with this request as body; the instance's id. */
int64_t api_run(struct env *env, const char *definition, const char *request);
/* What the instance has in its context: JSON text, "" for nothing. */
const char *api_context(struct env *env, int64_t id, const char *key);
/* "STATUS output" of the cell's last task. */
const char *api_task(struct env *env, int64_t id, const char *cell);
void api_until_task(struct env *env, int64_t id, const char *cell, const char *want);
/* Wait until no instance is ACTIVE any more, then the status of this one. */
const char *api_instance_status(struct env *env, int64_t id);
/* Put a member into the configuration document: `path` "gateways", `json` its new value. */
void api_configure(struct env *env, const char *member, const char *json);
/* Wait until the program with this log works with the configuration as it is now. */
void api_configuration_heard(struct env *env, const char *log);

/* Definitions are long: START and END cells, transitions between. CELL("name", "type", "params", "outputs") */
#define CELL(name, type, params, outputs)                                                                              \
    "\"" name "\":{\"original_name\":\"" type "\",\"outputs\":[" outputs "],\"params\":{" params "},\"x\":0,\"y\":0}"
#define START CELL("start", "start", "", "\"ok\"")
#define END CELL("end", "end", "", "")
#define LINE(from, to) "[\"" from "\",\"" to "\"]"
#define DEFINITION(cells, transitions) \
    "{\"cells\":{" START "," cells END "},\"entities\":[],\"transitions\":[" transitions "]}"

#endif
