/*
 * YAML of the former product's files, read with its limits (migration.md 4.3): one document, no
 * tags, no duplicate keys; scalars stay text until somebody knows their type.
 */
#ifndef SLUICE_LEGACY_YAML_H
#define SLUICE_LEGACY_YAML_H

#include "base/value.h"

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP, YAML_EMPTY /* a scalar left out or null */ };

struct yaml_node {
    enum yaml_kind kind;
    int line;        /* from 1 */
    int height;      /* levels below it; -1: it is still being read */
    struct str text; /* YAML_TEXT */
    struct yaml_pair *pairs;  /* YAML_MAP */
    struct yaml_node **items; /* YAML_LIST */
    size_t n;
};

struct yaml_pair {
    struct str key;
    int line;
    struct yaml_node *value;
};

/*
 * Read a file's text into `a`.
 *
 * name  for messages: "/etc/apio.yml:17:3: not valid YAML: ...", "/etc/apio.yml:8: not UTF-8 (byte
 * 0xe9); convert it, for example with iconv", "/etc/apio.yml: expected names and values at the top
 * level".
 * Limits: 1 MiB, depth 32 and 10,000 nodes with what aliases stand for, 1,000 aliases, none of them
 * within what it stands for.  ERR_INVALID.
 */
MUST_CHECK int yaml_read(struct str text, const char *name, struct yaml_node **out, struct arena *a,
                         struct err *e);
/* The value of a key of a map, or NULL. */
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);

#endif
