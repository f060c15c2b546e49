/*
 * Reading and making traceparent.
 */
#include "trace.h"

#include <stdatomic.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/clock.h"

enum { ID_LEN = 32, SPAN_LEN = 16, PARENT_LEN = 55 };

static bool is_hex(struct str s)
{
    bool nonzero = false;

    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        nonzero = nonzero || c != '0';
    }
    return nonzero;
}

/* version-id-parent-flags; later versions may be longer, "ff" is none. */
static bool is_valid(struct str s)
{
    if (s.len < PARENT_LEN || s.p[2] != '-' || s.p[35] != '-' || s.p[52] != '-')
        return false;
    if (str_starts(s, STR("ff")) || (str_starts(s, STR("00")) ? s.len != PARENT_LEN : s.len > PARENT_LEN && s.p[PARENT_LEN] != '-'))
        return false;
    return (is_hex(str_slice(s, 0, 2)) || str_starts(s, STR("00"))) && is_hex(str_slice(s, 3, 35)) &&
           is_hex(str_slice(s, 36, 52)) && (is_hex(str_slice(s, 53, 55)) || str_eq(str_slice(s, 53, 55), STR("00")));
}

/* Differs from all others with overwhelming likelihood; no secret. */
static uint64_t random64(void)
{
    static _Thread_local uint64_t state;
    uint64_t z;

    if (state == 0 && getrandom(&state, sizeof state, GRND_NONBLOCK) != (ssize_t)sizeof state)
        state = (uint64_t)clock_wall_us(&clock_system) ^ (uint64_t)(uintptr_t)&state;
    state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return z != 0 ? z : 1;
}

static void put_hex(char *to, uint64_t v)
{
    for (int i = 15; i >= 0; i--, v >>= 4)
        to[i] = "0123456789abcdef"[v & 15];
}

void trace_start(struct trace *t, struct str incoming, const char *id)
{
    struct str given = str_c(id);

    memcpy(t->parent, "00-", 3);
    t->continued = is_valid(incoming);
    if (t->continued) {
        memcpy(t->parent + 3, incoming.p + 3, ID_LEN);
        memcpy(t->parent + 53, incoming.p + 53, 2);
    } else {
        if (given.len == ID_LEN && is_hex(given)) {
            memcpy(t->parent + 3, given.p, ID_LEN);
        } else {
            put_hex(t->parent + 3, random64());
            put_hex(t->parent + 3 + 16, random64());
        }
        memcpy(t->parent + 53, "01", 2);
    }
    t->parent[35] = '-';
    put_hex(t->parent + 36, random64());
    t->parent[52] = '-';
    t->parent[PARENT_LEN] = '\0';
}

struct str trace_id(const struct trace *t)
{
    return str_make(t->parent + 3, ID_LEN);
}
