/*
 * What the files of the engine share about a compiled workflow and its parameters.
 */
#ifndef SLUICE_ENGINE_WORKFLOW_INT_H
#define SLUICE_ENGINE_WORKFLOW_INT_H

#include "base/map.h"
#include "engine/workflow.h"

struct clock;
struct tmpl_run;

enum { WF_NO_CELL = -1 };

struct wf_edge {
    struct str label; /* "a.ok", or "<goto g>" */
    int32_t from;
    int32_t to;
    uint32_t in_index; /* among the edges that enter `to` */
};

struct wf_out {
    struct str name;
    uint32_t *edges; /* into workflow.edges */
    uint32_t n_edges;
};

struct wf_cell {
    struct str name;
    struct str type_name;
    const struct node_type *type; /* NULL: unknown */
    enum node_role role;
    struct wf_out *outs;
    uint32_t n_outs;
    uint32_t *in; /* edges that enter, for joins */
    uint32_t n_in;
    int32_t goto_target;
    uint32_t goto_edge;    /* the virtual edge of a goto */
    uint32_t gate;         /* an Or: its number among those */
    bool by_entity;        /* an entity, or what one of its events may lead to */
    void *image;           /* node struct with all plain parameters in place */
    struct param_dyn *dyn; /* what must be rendered */
    uint32_t n_dyn;
    const struct err *flaw; /* why this cell cannot run */
    struct val def;         /* the cell as written */
};

struct workflow {
    _Atomic int refs;
    struct arena *a;
    struct str text;
    struct val def;
    struct wf_cell *cells; /* entities too */
    uint32_t n_cells;
    struct wf_edge *edges;
    uint32_t n_edges;
    uint32_t n_gates; /* Ors */
    struct map by_name; /* -> struct wf_cell */
    int32_t start;
    bool has_entities;
    bool entity_linked; /* an entity has a linked output */
};

const struct wf_cell *wf_cell_find(const struct workflow *w, struct str name);
/* Output by name, else by the alias ok = success; NULL when the cell shows neither. */
const struct wf_out *wf_out_find(const struct wf_cell *c, struct str name);

/* ---- reading cells of a definition, for check and compile (workflow_form.c) ----------------- */

/* "params" of a cell; an empty dictionary for absent ones and the empty array the editor writes. */
struct val wf_cell_params(struct val cell, struct arena *a);
/* The value of a parameter under its name or an alias; undefined for absent, null and "". */
struct val wf_param_raw(const struct param *p, struct val params);
/* Declared outputs: `outputs`, else those of the catalogue and the custom ones. */
struct val wf_cell_outputs(struct val cell, const struct node_type *type, struct arena *a);
/* Cut a transition's source at its last dot; false when there is none. */
bool wf_source_cut(struct str source, struct str *cell, struct str *output);
bool wf_output_listed(struct val outputs, struct str name);

/* ---- parameters (params.c) ------------------------------------------------------------------ */

struct param_dyn {
    const struct param *param;
    struct node_text *texts; /* one, or one per entry (names and values alternate) */
    size_t n;
    bool cleanup;
    enum node_body_form form;
};

struct param_kind_info {
    const char *nature;     /* NULL: one-line text */
    const char *validation; /* NULL: none */
    size_t size;
};
const struct param_kind_info *param_kind_info(enum param_kind k);

/*
 * Read a parameter as written.  Plain values land in the image; *is_dyn tells that *dyn must be
 * rendered.
 *
 * Fails with ERR_INVALID "parameter "x" ...": the cell cannot run.
 */
MUST_CHECK int param_compile(const struct param *p, struct val params, struct tmpl_cache *templates,
                             void *image, struct param_dyn *dyn, bool *is_dyn, struct arena *a,
                             struct err *e);
/* Render into the node's struct. */
MUST_CHECK int param_render(const struct param_dyn *d, const struct tmpl_run *run,
                            struct clock *clock, void *cfg, struct arena *a, struct err *e);
MUST_CHECK int node_text_compile(struct node_text *t, struct val raw, struct tmpl_cache *templates,
                                 struct arena *a, struct err *e);
MUST_CHECK int node_text_run(const struct node_text *t, const struct tmpl_run *run, struct str *out,
                             struct arena *a, struct err *e);
MUST_CHECK int node_expr_run(const struct node_expr *x, const struct tmpl_run *run, bool *out,
                             struct arena *a, struct err *e);
/* The text of a value of any type: what a text field would hold. */
struct str param_raw_text(struct val raw, struct arena *a);
/* A structure given as such or as its JSON text; undefined when it is neither. */
struct val param_raw_data(struct val raw, struct arena *a);
void node_expr_compile(struct node_expr *x, struct val raw, struct tmpl_cache *templates,
                       struct arena *a);
/* Rendered text into the member of a node's struct.  zone: the platform's, for business days. */
MUST_CHECK int param_convert(const struct param *p, struct str text, struct clock *clock,
                             struct str zone, void *dst, struct arena *a, struct err *e);
/* Render pairs; in `texts` names and values alternate. */
MUST_CHECK int param_pairs_run(const struct node_text *texts, size_t n, const struct tmpl_run *run,
                               struct node_pairs *out, struct arena *a, struct err *e);
/* Comma list or array: trimmed entries, empty ones dropped. */
struct node_strs param_list(struct val raw, struct arena *a);
/* Custom outputs that the parameters of a cell create, in order. */
void param_custom_outputs(const struct node_type *t, struct val params, struct val list,
                          struct arena *a);

#endif
