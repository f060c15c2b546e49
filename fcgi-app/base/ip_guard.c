/*
 * Addresses we must not be talked into calling.
 */
#include "base/ip_guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OWN_MAX = 64, MAPPED = 12 /* bytes before the IPv4 address */ };

/* In network order; IPv4 as ::ffff:a.b.c.d. */
struct place {
    unsigned char ip[16];
    in_port_t port;
};

struct refusal {
    const char *net;
    enum ip_guard from; /* IP_GUARD_NAMED: refused to everybody */
    const char *why;
};

/* RFC 6890 and its registries; the addresses clouds give their metadata services. */
static const struct refusal refusals[] = {
    {"169.254.0.0/16", IP_GUARD_NAMED, "a link-local address"},
    {"fe80::/10", IP_GUARD_NAMED, "a link-local address"},
    {"100.100.100.200", IP_GUARD_NAMED, "the address of a metadata service"},
    {"168.63.129.16", IP_GUARD_NAMED, "the address of a metadata service"},
    {"192.0.0.192", IP_GUARD_NAMED, "the address of a metadata service"},
    {"fd00:ec2::/32", IP_GUARD_NAMED, "the address of a metadata service"},
    {"fd20:ce::254", IP_GUARD_NAMED, "the address of a metadata service"},
    {"0.0.0.0/8", IP_GUARD_OPEN, "an unspecified address"},
    {"::", IP_GUARD_OPEN, "an unspecified address"},
    {"224.0.0.0/4", IP_GUARD_OPEN, "a multicast address"},
    {"ff00::/8", IP_GUARD_OPEN, "a multicast address"},
    {"240.0.0.0/4", IP_GUARD_OPEN, "a reserved address"},
};

static struct {
    pthread_mutex_t lock;
    struct place items[OWN_MAX];
    size_t n; /* added so far */
    struct place others[OWN_MAX];
    size_t n_others;
} own = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- addresses ------------------------------------------------------------------------------ */

static void map_v4(unsigned char ip[16], const unsigned char v4[4])
{
    unsigned char copy[4];

    memcpy(copy, v4, sizeof copy);
    memset(ip, 0, 10);
    memset(ip + 10, 0xff, 2);
    memcpy(ip + MAPPED, copy, sizeof copy);
}

/* The IPv4 address an IPv6 one stands for takes its place. */
static void unwrap(unsigned char ip[16])
{
    static const unsigned char nat64[12] = {0, 0x64, 0xff, 0x9b};
    static const unsigned char zero[12] = {0};
    static const unsigned char one[4] = {0, 0, 0, 1};

    if (memcmp(ip, nat64, sizeof nat64) == 0)
        map_v4(ip, ip + MAPPED);
    else if (ip[0] == 0x20 && ip[1] == 0x02)
        map_v4(ip, ip + 2);
    else if (memcmp(ip, zero, sizeof zero) == 0 && memcmp(ip + MAPPED, zero, 4) != 0 &&
             memcmp(ip + MAPPED, one, sizeof one) != 0)
        map_v4(ip, ip + MAPPED);
}

static bool place_of(const struct sockaddr *addr, struct place *out)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (addr->sa_family == AF_INET) {
        memcpy(&v4, addr, sizeof v4);
        map_v4(out->ip, (const unsigned char *)&v4.sin_addr);
        out->port = v4.sin_port;
        return true;
    }
    if (addr->sa_family != AF_INET6)
        return false;
    memcpy(&v6, addr, sizeof v6);
    memcpy(out->ip, &v6.sin6_addr, sizeof out->ip);
    out->port = v6.sin6_port;
    unwrap(out->ip);
    return true;
}

static struct str text_of(const unsigned char ip[16], char buf[INET6_ADDRSTRLEN])
{
    buf[0] = '\0';
    (void)inet_ntop(AF_INET6, ip, buf, INET6_ADDRSTRLEN);
    return str_c(buf);
}

/* Does it lead to this machine?  Only a local address can be bound to. */
static bool is_local(const unsigned char ip[16])
{
    static const unsigned char mapped[MAPPED] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    bool is_v4 = memcmp(ip, mapped, sizeof mapped) == 0;
    int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool yes;

    if (fd < 0)
        return is_v4; /* without descriptors: rather refuse; without IPv6 nothing is there */
    memcpy(&v6.sin6_addr, ip, 16);
    memcpy(&v4.sin_addr, ip + MAPPED, 4);
    yes = is_v4 ? bind(fd, (const struct sockaddr *)&v4, sizeof v4) == 0
                : bind(fd, (const struct sockaddr *)&v6, sizeof v6) == 0;
    close(fd);
    return yes;
}

/* ---- our own -------------------------------------------------------------------------------- */

static void add(const struct place *p)
{
    bool known = false;

    pthread_mutex_lock(&own.lock);
    for (size_t i = 0; i < own.n && i < OWN_MAX && !known; i++)
        known = own.items[i].port == p->port && memcmp(own.items[i].ip, p->ip, 16) == 0;
    if (!known)
        own.items[own.n++ % OWN_MAX] = *p;
    pthread_mutex_unlock(&own.lock);
}

void ip_guard_own_socket(int fd)
{
    struct sockaddr_storage addr = {0};
    socklen_t len = sizeof addr;
    struct place p;

    if (getsockname(fd, (struct sockaddr *)&addr, &len) == 0 &&
        place_of((const struct sockaddr *)&addr, &p))
        add(&p);
}

void ip_guard_own_peer(int fd)
{
    struct sockaddr_storage addr = {0};
    socklen_t len = sizeof addr;
    struct place p;

    if (getpeername(fd, (struct sockaddr *)&addr, &len) == 0 &&
        place_of((const struct sockaddr *)&addr, &p))
        add(&p);
}

void ip_guard_own_port(int port)
{
    struct place p = {.port = htons((in_port_t)port)}; /* ::, all of this machine */

    add(&p);
}

size_t ip_guard_own_list(char (*out)[IP_GUARD_TEXT], size_t max)
{
    size_t n = 0;

    pthread_mutex_lock(&own.lock);
    for (size_t i = 0; i < own.n && i < OWN_MAX && n < max; i++) {
        char buf[INET6_ADDRSTRLEN];

        snprintf(out[n++], IP_GUARD_TEXT, "%s %d", text_of(own.items[i].ip, buf).p, ntohs(own.items[i].port));
    }
    pthread_mutex_unlock(&own.lock);
    return n;
}

void ip_guard_others(const struct str *list, size_t n)
{
    pthread_mutex_lock(&own.lock);
    own.n_others = 0;
    for (size_t i = 0; i < n && own.n_others < OWN_MAX; i++) {
        struct str rest = list[i], ip = str_cut(&rest, ' ');
        struct place p = {.port = 0};
        char text[INET6_ADDRSTRLEN];
        int64_t port;

        if (ip.len >= sizeof text || !str_to_int(rest, &port))
            continue;
        memcpy(text, ip.p, ip.len);
        text[ip.len] = '\0';
        p.port = htons((in_port_t)port);
        if (inet_pton(AF_INET6, text, p.ip) == 1)
            own.others[own.n_others++] = p;
    }
    pthread_mutex_unlock(&own.lock);
}

/* The same port at the same address, or both on this machine: a socket may listen on all of it. */
static bool is_own(const struct place *p)
{
    struct place same_port[2 * OWN_MAX];
    size_t n = 0;
    bool hit = false;

    pthread_mutex_lock(&own.lock);
    for (size_t i = 0; i < own.n && i < OWN_MAX; i++) {
        if (own.items[i].port == p->port)
            same_port[n++] = own.items[i];
    }
    for (size_t i = 0; i < own.n_others; i++) {
        if (own.others[i].port == p->port)
            same_port[n++] = own.others[i];
    }
    pthread_mutex_unlock(&own.lock);
    for (size_t i = 0; i < n && !hit; i++)
        hit = memcmp(same_port[i].ip, p->ip, 16) == 0 ||
              (is_local(p->ip) && is_local(same_port[i].ip));
    return hit;
}

/* ---- the question --------------------------------------------------------------------------- */

const char *ip_guard_refuses(enum ip_guard guard, const struct sockaddr *addr)
{
    char buf[INET6_ADDRSTRLEN];
    struct place p;
    struct str ip;

    if (!place_of(addr, &p))
        return "no internet address";
    ip = text_of(p.ip, buf);
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        struct ip_net net;

        if (refusals[i].from <= guard && ip_net_parse(str_c(refusals[i].net), &net) &&
            ip_net_has(&net, ip))
            return refusals[i].why;
    }
    return guard == IP_GUARD_OPEN && is_own(&p) ? "an address of this platform" : NULL;
}

const char *ip_guard_refuses_text(enum ip_guard guard, struct str ip, int port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((in_port_t)port)};
    char text[INET6_ADDRSTRLEN + 1];

    if (ip.len >= sizeof text)
        return "no internet address";
    memcpy(text, ip.p, ip.len);
    text[ip.len] = '\0';
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return ip_guard_refuses(guard, (const struct sockaddr *)&v4);
    if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
        return ip_guard_refuses(guard, (const struct sockaddr *)&v6);
    return "no internet address";
}

int ip_guard_socket(enum ip_guard guard, const struct sockaddr *addr, int type, int protocol, const char **why)
{
    const char *refused = ip_guard_refuses(guard, addr);

    if (refused != NULL) {
        *why = refused;
        return -1;
    }
    return socket(addr->sa_family, type | SOCK_CLOEXEC, protocol);
}
