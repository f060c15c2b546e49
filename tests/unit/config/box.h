/*
 * A snapshot made by hand, without a database: for the tests of config/ and auth/.
 */
#ifndef SLUICE_TESTS_BOX_H
#define SLUICE_TESTS_BOX_H

#include "base/json.h"
#include "config/config_int.h"
#include "support/cases.h"

static inline struct val box_json(const char *text, struct arena *a)
{
    struct val v = val_undef(NULL);
    struct err e = {0};

    if (json_parse(str_c(text), &v, a, &e) != 0)
        fail_msg("%s: %s", text, e.msg);
    return v;
}

/* A snapshot with this document (plain secrets) and a key "secrets" of id 7; free with cfg_put().
 */
static inline struct cfg_box *box_new(const char *doc)
{
    struct cfg_box *b = cfg_box_new();
    struct cfg_key *k = ARENA_NEW(b->c.a, struct cfg_key);

    *k = (struct cfg_key){.id = 7,
                          .label = STR("secrets"),
                          .algorithm = STR("aes-256-gcm"),
                          .state = STR("active"),
                          .material = secret_new(b->c.a, "0123456789abcdef0123456789abcdef", 32)};
    b->c.keys = k;
    b->c.n_keys = 1;
    b->c.generation = 1;
    b->c.doc = box_json(doc, b->c.a);
    b->c.masked = cfg_document_masked(b->c.doc, b->c.a);
    gateways_read(b);
    proxy_names_read(b);
    return b;
}

#endif
