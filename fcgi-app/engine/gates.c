/*
 * Or and Join: which arrivals pass.
 *
 * An arrival at an Or passes when nobody did before, or when it comes back from an earlier passage (a
 * loop).  So a token remembers the gates behind it: as one set of bits, shared by all that pass no
 * further gate, so that a loop costs the same in its last round as in its first.
 *
 * Rules: workflow-engine.md 4.4.
 */
#include "engine/instance_int.h"

static size_t words(const struct instance *in)
{
    return (in->wf->n_gates + 63) / 64;
}

bool gate_behind(const struct task *t, uint32_t gate)
{
    return t->gates != NULL && (t->gates[gate / 64] >> (gate % 64) & 1) != 0;
}

void gate_pass(struct instance *in, struct task *t, uint32_t gate)
{
    uint64_t *set;

    if (gate_behind(t, gate))
        return;
    set = ARENA_ARRAY(in->a, uint64_t, words(in));
    for (size_t i = 0; i < words(in); i++)
        set[i] = t->gates != NULL ? t->gates[i] : 0;
    set[gate / 64] |= (uint64_t)1 << (gate % 64);
    t->gates = set;
}

void gate_follow(struct instance *in, struct task *t, const struct task *from)
{
    bool more = false;
    uint64_t *set;

    if (from->gates == NULL || from->gates == t->gates)
        return;
    if (t->gates == NULL) {
        t->gates = from->gates;
        return;
    }
    for (size_t i = 0; i < words(in); i++)
        more = more || (from->gates[i] & ~t->gates[i]) != 0;
    if (!more)
        return;
    set = ARENA_ARRAY(in->a, uint64_t, words(in));
    for (size_t i = 0; i < words(in); i++)
        set[i] = t->gates[i] | from->gates[i];
    t->gates = set;
}

void gate_or(struct instance *in, int32_t cell, const struct task *from)
{
    const struct wf_cell *c = &in->wf->cells[cell];
    struct task *t;

    if (in->latest[cell] >= 0 && !gate_behind(from, c->gate)) {
        instance_log(in, "engine", "\"%.*s\" swallowed a branch coming from \"%.*s\"",
                     STR_ARG(c->name), STR_ARG(from->cell_name));
        return;
    }
    t = task_new(in, cell, c->name, from);
    if (t == NULL)
        return;
    gate_pass(in, t, c->gate);
    queue_push(in, t);
}

void gate_join(struct instance *in, int32_t cell, uint32_t edge, struct task *from)
{
    const struct wf_cell *c = &in->wf->cells[cell];
    struct task *t = in->latest[cell] >= 0 ? in->tasks[in->latest[cell]] : NULL;

    if (t != NULL && t->status == TASK_ERROR && t->n_arrived > 0 && t->n_arrived < c->n_in) {
        /* a branch that was blocked comes after all: the round goes on */
        task_touch(in, t, TASK_WAIT);
        in->n_joins++;
    }
    if (t == NULL || t->status != TASK_WAIT) {
        t = task_new(in, cell, c->name, from);
        if (t == NULL)
            return;
        t->status = TASK_WAIT;
        in->n_joins++;
    } else {
        gate_follow(in, t, from);
    }
    for (uint32_t i = 0; i < t->n_arrived; i++)
        if (t->arrived[i] == edge)
            return;
    t->arrived = arena_grow(in->a, t->arrived, t->n_arrived * sizeof *t->arrived,
                            (t->n_arrived + 1) * sizeof *t->arrived);
    t->arrived[t->n_arrived++] = edge;
    if (t->n_arrived == c->n_in) {
        in->n_joins--;
        task_touch(in, t, TASK_QUEUED);
        queue_push(in, t);
    }
}
