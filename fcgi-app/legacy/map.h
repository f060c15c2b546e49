/*
 * Structure maps: which of a former platform's tables and columns hold what we take (migration.md
 * 6.4).  A file, line by line:
 *
 *     # comment
 *     version 0.23.2
 *     fingerprint SHA256                     of the structure it is for; any number
 *     table THEIRS as KIND by KEY            KEY orders the rows and names them
 *       MEMBER = COLUMN                      text as it is
 *       MEMBER = COLUMN | CONVERSION         number, int, flag, json, list, time, upper, lower, base64
 *       MEMBER = COLUMN | lookup TABLE.KEY NAME    the column NAME of the row with that key
 *       MEMBER = 'text'                      the same for all
 *
 * KIND is a word of legacy/content.h, "configuration" (member content: the newest row counts), or one
 * of the past (legacy/archive.h): "keys" (material), "instances", "documents" (content: fetched one by
 * one), "requests", "tasks", "errors", "traces".  MEMBER is one of the API's ("profile.name": inside an
 * object), with names in place of ids; what hangs on an instance, a task or a request names its key:
 * members "instance", "task", "request", each a column as it is; so does an instance another one started: "parent".
 */
#ifndef SLUICE_LEGACY_MAP_H
#define SLUICE_LEGACY_MAP_H

#include "legacy/content.h"

enum map_conversion {
    MAP_TEXT,
    MAP_CONSTANT,
    MAP_INT,
    MAP_NUMBER,
    MAP_FLAG,
    MAP_JSON,
    MAP_LIST,
    MAP_TIME,
    MAP_UPPER,
    MAP_LOWER,
    MAP_BASE64,
    MAP_LOOKUP,
};

enum map_archive {
    MAP_NO_ARCHIVE,
    MAP_KEYS,
    MAP_INSTANCES,
    MAP_DOCUMENTS,
    MAP_REQUESTS,
    MAP_TASKS,
    MAP_ERRORS,
    MAP_TRACES,
    MAP_ARCHIVES
};

struct map_member {
    struct map_member *next;
    struct str member, column; /* MAP_CONSTANT: the text */
    enum map_conversion conversion;
    struct str table, key, name; /* MAP_LOOKUP */
    int line;
};

struct map_table {
    struct map_table *next;
    struct str table, key;
    bool configuration;
    enum map_archive archive;
    enum legacy_kind_id kind; /* unless configuration or archive */
    struct map_member *members;
    struct map_member *content; /* MAP_DOCUMENTS: the sealed bytes, not among the members */
    int line;
};

struct legacy_map {
    struct str version;
    struct val fingerprints; /* list of texts */
    struct map_table *tables;
};

/* ERR_USAGE naming file, line and fault. */
MUST_CHECK int legacy_map_parse(struct legacy_map *out, struct str text, const char *path,
                                struct arena *a, struct err *e);

/* The member of that name; NULL: the table has none. */
const struct map_member *map_member(const struct map_table *t, const char *name);

#endif
