/*
 * Addresses and networks.
 */
#include "base/ip_net.h"

#include <arpa/inet.h>

/* 16 bytes; *bits is the length of the address inside them (32 or 128). */
static bool ip_parse(struct str text, unsigned char out[16], unsigned *bits)
{
    char buf[INET6_ADDRSTRLEN];

    if (text.len == 0 || text.len >= sizeof buf)
        return false;
    memcpy(buf, text.p, text.len);
    buf[text.len] = '\0';
    memset(out, 0, 16);
    if (inet_pton(AF_INET, buf, out + 12) == 1) {
        out[10] = out[11] = 0xff;
        *bits = 32;
        return true;
    }
    *bits = 128;
    return inet_pton(AF_INET6, buf, out) == 1;
}

bool ip_net_parse(struct str text, struct ip_net *out)
{
    struct str rest = text;
    struct str ip = str_cut(&rest, '/');
    unsigned bits;
    int64_t n;

    if (!ip_parse(ip, out->addr, &bits))
        return false;
    n = bits;
    if (ip.len < text.len && (!str_to_int(rest, &n) || n < 0 || n > (int64_t)bits))
        return false;
    out->bits = (unsigned)n + (128 - bits);
    return true;
}

bool ip_net_has(const struct ip_net *net, struct str ip)
{
    unsigned char addr[16];
    unsigned bits;
    unsigned whole = net->bits / 8;
    unsigned rest = net->bits % 8;

    if (!ip_parse(ip, addr, &bits) || memcmp(addr, net->addr, whole) != 0)
        return false;
    return rest == 0 || ((addr[whole] ^ net->addr[whole]) >> (8 - rest)) == 0;
}

bool ip_nets_have(const struct ip_nets *nets, struct str ip)
{
    for (size_t i = 0; i < nets->n; i++)
        if (ip_net_has(&nets->items[i], ip))
            return true;
    return false;
}

/* "10.0.0.1:4711", "[::1]:4711", "[::1]" without what is around the address. */
static struct str without_port(struct str entry)
{
    ptrdiff_t end;

    if (entry.len > 0 && entry.p[0] == '[') {
        end = str_find_char(entry, ']');
        return end > 0 ? str_slice(entry, 1, (size_t)end) : entry;
    }
    end = str_find_char(entry, ':');
    if (end >= 0 && str_find_char(str_slice(entry, (size_t)end + 1, entry.len), ':') < 0)
        return str_slice(entry, 0, (size_t)end);
    return entry;
}

struct str ip_client(const struct ip_nets *trusted, struct str peer, struct str forwarded)
{
    struct str client = peer;

    while (forwarded.len > 0 && ip_nets_have(trusted, client)) {
        size_t comma = forwarded.len;
        struct ip_net known;
        struct str entry;

        while (comma > 0 && forwarded.p[comma - 1] != ',')
            comma--;
        entry = without_port(str_trim(str_slice(forwarded, comma, forwarded.len)));
        if (!ip_net_parse(entry, &known) || str_find_char(entry, '/') >= 0)
            break;
        client = entry;
        forwarded = str_slice(forwarded, 0, comma > 0 ? comma - 1 : 0);
    }
    return client;
}
