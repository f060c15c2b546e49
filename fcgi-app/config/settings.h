/*
 * The table of settings behind validation, masking, sealing and the JSON Schema: settings.def.
 *
 * Inside of config/, and for importing former platforms (legacy/).
 */
#ifndef SLUICE_CONFIG_SETTINGS_H
#define SLUICE_CONFIG_SETTINGS_H

#include "base/value.h"

enum setting_kind {
    SETTING_OBJECT,
    SETTING_MAP,
    SETTING_ARRAY,
    SETTING_TEXT,
    SETTING_BOOL,
    SETTING_INT,
    SETTING_NUMBER,
    SETTING_COUNT,
    SETTING_TEXTS,
    SETTING_URL,
    SETTING_DSN,
    SETTING_SECRET,
    SETTING_ANY,
};

struct setting {
    const char *path;
    enum setting_kind kind;
    int64_t min, max;
    const char *def; /* JSON text or NULL */
    const char *help;
};

extern const struct setting settings[];
extern const size_t n_settings;

/* A place in the document: the steps from the root. */
struct place {
    const struct place *up;
    struct str name; /* member name, or the number of an item */
    bool item;
};

/* The setting at a place, or NULL; a literal name wins over "*". */
const struct setting *setting_at(const struct place *p);
const struct setting *setting_named(const char *path);
/* "gateways.bwks.url" for messages; "/gateways/bwks/url" (RFC 6901) for seals. */
struct str place_dotted(const struct place *p, struct arena *a);
struct str place_pointer(const struct place *p, struct arena *a);

/* A number as the table takes it: an integer, digits as text, a bool for COUNT.  1 = there is one,
 * 0 = none (absent, null, empty text), -1 = something else. */
int setting_number(const struct setting *s, struct val v, double *out);

/* Where the password of an address stands; false when it has none.  Offsets into `dsn`. */
bool dsn_password(struct str dsn, size_t *from, size_t *to);

/* The text the API shows for a secret, and inside an address. */
#define SECRET_MASK "## SECRET ##"
#define SECRET_STARS "********"

#endif
