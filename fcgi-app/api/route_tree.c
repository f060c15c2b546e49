/*
 * The tree of path segments; children stand in the order in which they are tried.
 */
#include "api/route_tree.h"

#include "base/arena.h"

enum { METHODS = HTTP_OTHER + 1 };

enum segment { SEGMENT_TEXT, SEGMENT_START, SEGMENT_ANY };

struct route_tree {
    enum segment kind;
    struct str text;
    struct route_tree *children, *next;
    const struct api_route *routes[METHODS];
};

static enum http_method asked(enum http_method m)
{
    return m == HTTP_HEAD ? HTTP_GET : m;
}

static enum segment kind_of(struct str segment)
{
    if (segment.len > 2 && segment.p[0] == '{')
        return SEGMENT_ANY;
    return segment.len > 1 && segment.p[segment.len - 1] == '*' ? SEGMENT_START : SEGMENT_TEXT;
}

static struct route_tree *child_for(struct route_tree *t, struct str segment, struct arena *a)
{
    enum segment kind = kind_of(segment);
    struct route_tree **at = &t->children, *child;

    if (kind == SEGMENT_START)
        segment.len--;
    while (*at != NULL && (*at)->kind <= kind) {
        if ((*at)->kind == kind && (kind == SEGMENT_ANY || str_eq((*at)->text, segment)))
            return *at;
        at = &(*at)->next;
    }
    child = ARENA_NEW(a, struct route_tree);
    child->kind = kind;
    child->text = segment;
    child->next = *at;
    *at = child;
    return child;
}

const struct route_tree *route_tree_new(const struct api_route *routes, size_t n, struct arena *a)
{
    struct route_tree *root = ARENA_NEW(a, struct route_tree);

    for (size_t i = 0; i < n; i++) {
        struct str rest = str_c(routes[i].path);
        struct route_tree *t = root;

        while (rest.len > 0)
            t = child_for(t, str_cut(&rest, '/'), a);
        if (t->routes[routes[i].method] == NULL)
            t->routes[routes[i].method] = &routes[i];
    }
    return root;
}

struct walk {
    enum http_method method;
    struct str tried[API_PARAMS_MAX];
    size_t n_tried;
    unsigned *allowed;
};

static const struct api_route *arrived(const struct route_tree *t, struct walk *w)
{
    unsigned methods = 0;

    for (unsigned m = 0; m < METHODS; m++)
        if (t->routes[m] != NULL)
            methods |= 1u << m;
    if (*w->allowed == 0)
        *w->allowed = methods;
    return t->routes[w->method];
}

static bool fits(const struct route_tree *t, struct str segment)
{
    switch (t->kind) {
    case SEGMENT_TEXT:
        return str_eq(t->text, segment);
    case SEGMENT_START:
        return str_starts(segment, t->text);
    case SEGMENT_ANY:
        break;
    }
    return segment.len > 0;
}

static const struct api_route *walk(const struct route_tree *t, struct str rest, struct walk *w)
{
    const struct api_route *found = NULL;
    size_t n = w->n_tried;
    struct str segment;

    if (rest.len == 0)
        return arrived(t, w);
    segment = str_cut(&rest, '/');
    for (const struct route_tree *c = t->children; c != NULL && found == NULL; c = c->next) {
        if (!fits(c, segment))
            continue;
        w->n_tried = n;
        if (c->kind != SEGMENT_TEXT && n < API_PARAMS_MAX)
            w->tried[w->n_tried++] = segment;
        found = walk(c, rest, w);
    }
    return found;
}

const struct api_route *route_tree_find(const struct route_tree *t, enum http_method method,
                                        struct str path, struct str params[API_PARAMS_MAX],
                                        unsigned *allowed)
{
    struct walk w = {.method = asked(method), .allowed = allowed};
    const struct api_route *found;

    *allowed = 0;
    if (path.len > 1 && path.p[path.len - 1] == '/')
        path.len--;
    found = walk(t, path, &w);
    for (size_t i = 0; i < API_PARAMS_MAX; i++)
        params[i] = found != NULL && i < w.n_tried ? w.tried[i] : (struct str){0};
    return found;
}
