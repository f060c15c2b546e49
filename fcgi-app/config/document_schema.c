/*
 * The JSON Schema of the configuration document, made from the table of settings.
 */
#include "config/config_int.h"

#include "base/json.h"

static struct val types(struct arena *a, const char *const *names)
{
    struct val list = val_list_new(a, 4);

    for (; *names != NULL; names++)
        val_list_add(list, val_str_c(*names));
    val_list_add(list, VAL_STR_LIT("null"));
    return list;
}

static void set_bounds(struct val schema, const struct setting *s)
{
    val_dict_set_c(schema, "minimum", val_int(s->min));
    val_dict_set_c(schema, "maximum", val_int(s->max));
}

static struct val container(struct val schema, const char *member, struct arena *a)
{
    struct val v = val_get(schema, member);

    if (!val_is(v, VAL_DICT)) {
        v = val_dict_new(a, 4);
        val_dict_set_c(schema, member, v);
    }
    return v;
}

static void describe(struct val schema, const struct setting *s, struct arena *a)
{
    static const char *const kinds[][4] = {
        [SETTING_OBJECT] = {"object"},
        [SETTING_MAP] = {"object"},
        [SETTING_ARRAY] = {"array"},
        [SETTING_TEXT] = {"string"},
        [SETTING_BOOL] = {"boolean"},
        [SETTING_INT] = {"integer", "string"},
        [SETTING_NUMBER] = {"number", "string"},
        [SETTING_COUNT] = {"integer", "boolean", "string"},
        [SETTING_TEXTS] = {"array"},
        [SETTING_URL] = {"string"},
        [SETTING_DSN] = {"string"},
        [SETTING_SECRET] = {"string"},
        [SETTING_ANY] = {NULL},
    };
    struct val def;
    struct err e = {0};

    val_dict_set_c(schema, "description", val_str_c(s->help));
    if (kinds[s->kind][0] != NULL)
        val_dict_set_c(schema, "type", types(a, kinds[s->kind]));
    if (s->kind == SETTING_INT || s->kind == SETTING_NUMBER || s->kind == SETTING_COUNT)
        set_bounds(schema, s);
    if (s->kind == SETTING_TEXTS)
        val_dict_set_c(container(schema, "items", a), "type", VAL_STR_LIT("string"));
    if (s->kind == SETTING_URL)
        val_dict_set_c(schema, "pattern", VAL_STR_LIT("^([hH][tT][tT][pP][sS]?://.*)?$"));
    if (s->kind == SETTING_SECRET || s->kind == SETTING_DSN)
        val_dict_set_c(schema, "x-secret", val_bool(true));
    if (s->def != NULL && json_parse(str_c(s->def), &def, a, &e) == 0)
        val_dict_set_c(schema, "default", def);
}

struct val cfg_document_schema(struct arena *a)
{
    struct val root = val_dict_new(a, 8);

    val_dict_set_c(root, "$schema", VAL_STR_LIT("http://json-schema.org/draft-07/schema#"));
    val_dict_set_c(root, "title", VAL_STR_LIT("configuration"));
    val_dict_set_c(root, "type", VAL_STR_LIT("object"));
    for (size_t i = 0; i < n_settings; i++) {
        struct str rest = str_c(settings[i].path);
        struct val at = root;

        while (rest.len > 0) {
            struct str step = str_cut(&rest, '.');

            if (str_eq_c(step, "*")) {
                at = container(at, "additionalProperties", a);
            } else if (str_eq_c(step, "[]")) {
                at = container(at, "items", a);
            } else {
                struct val members = container(at, "properties", a);
                struct val next = val_get_str(members, step);

                if (!val_is(next, VAL_DICT)) {
                    next = val_dict_new(a, 4);
                    val_dict_set_str(members, step, next);
                }
                at = next;
            }
        }
        describe(at, &settings[i], a);
    }
    return root;
}
