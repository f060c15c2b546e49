/*
 * Values in PostgreSQL's binary form.
 */
#include "db/pg_binary.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>

static const struct pg_type types[] = {
    {'i', 20, 1016},   /* bigint */
    {'k', 23, 0},      /* integer */
    {'t', 25, 1009},   /* text */
    {'b', 16, 1000},   /* boolean */
    {'f', 701, 1022},  /* double precision */
    {'z', 1184, 1185}, /* timestamptz */
    {'j', 114, 199},   /* json */
    {'y', 17, 1001},   /* bytea */
};

const struct pg_type *pg_type_of(char letter)
{
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        if (types[i].letter == letter)
            return &types[i];
    }
    abort(); /* an unknown letter in a statement: our own mistake */
}

char *pg_put16(char *p, uint16_t v)
{
    v = htobe16(v);
    memcpy(p, &v, sizeof v);
    return p + sizeof v;
}

char *pg_put32(char *p, uint32_t v)
{
    v = htobe32(v);
    memcpy(p, &v, sizeof v);
    return p + sizeof v;
}

static char *put64(char *p, uint64_t v)
{
    v = htobe64(v);
    memcpy(p, &v, sizeof v);
    return p + sizeof v;
}

size_t pg_value_size(char letter, const struct db_arg *arg)
{
    if (arg->kind == DB_ARG_NULL)
        return 4;
    switch (letter) {
    case 'b':
        return 4 + 1;
    case 'k':
        return 4 + 4;
    case 't':
    case 'j':
    case 'y':
        return 4 + arg->s.len;
    default:
        return 4 + 8;
    }
}

char *pg_put_value(char *p, char letter, const struct db_arg *arg)
{
    const int64_t epoch_2000_us = 946684800LL * 1000000; /* where timestamptz counts from */
    double f;
    uint64_t bits;

    if (arg->kind == DB_ARG_NULL)
        return pg_put32(p, UINT32_MAX);
    switch (letter) {
    case 'b':
        p = pg_put32(p, 1);
        *p = arg->i != 0 ? 1 : 0;
        return p + 1;
    case 'f':
        f = arg->kind == DB_ARG_FLOAT ? arg->f : (double)arg->i;
        memcpy(&bits, &f, sizeof bits);
        return put64(pg_put32(p, 8), bits);
    case 'z':
        return put64(pg_put32(p, 8), (uint64_t)(arg->i - epoch_2000_us));
    case 'i':
        return put64(pg_put32(p, 8), (uint64_t)arg->i);
    case 'k':
        return pg_put32(pg_put32(p, 4), (uint32_t)(int32_t)arg->i);
    default:
        p = pg_put32(p, (uint32_t)arg->s.len);
        if (arg->s.len > 0)
            memcpy(p, arg->s.p, arg->s.len);
        return p + arg->s.len;
    }
}

bool pg_put_inet(char *p, struct str text, char **end)
{
    enum { FAMILY_4 = 2, FAMILY_6 = 3 };
    char name[INET6_ADDRSTRLEN];
    bool v6 = str_find_char(text, ':') >= 0;
    unsigned char n = v6 ? 16 : 4;

    if (text.len == 0 || text.len >= sizeof name)
        return false;
    memcpy(name, text.p, text.len);
    name[text.len] = '\0';
    if (inet_pton(v6 ? AF_INET6 : AF_INET, name, p + 8) != 1)
        return false;
    p = pg_put32(p, 4U + n);
    p[0] = v6 ? FAMILY_6 : FAMILY_4;
    p[1] = (char)(8 * n); /* bits of the mask: one address */
    p[2] = 0;             /* inet, not cidr */
    p[3] = (char)n;
    *end = p + 4 + n;
    return true;
}
