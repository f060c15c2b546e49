/*
 * Workflow definitions: checked, brought to their stored form, and compiled.
 *
 * A compiled workflow is immutable and counted; any number of instances on any threads share it.
 * Outputs are indexes, templates are bytecode, plain parameters are already in the node's struct.
 *
 * Rules: workflow-engine.md 1 (definition), 2 (params), 4.4 (gates).
 */
#ifndef SLUICE_ENGINE_WORKFLOW_H
#define SLUICE_ENGINE_WORKFLOW_H

#include "engine/node.h"

struct tmpl_cache;
struct workflow;

/* ---- checking (workflow-engine.md 1.8) --------------------------------------------------------
 */

struct wf_issue {
    struct wf_issue *next;
    const char *rule; /* "V5" */
    bool reject;      /* else a warning */
    struct str cell;  /* empty when it concerns the whole */
    struct str path;  /* "cells.a.outputs" */
    struct str message;
};

struct wf_report {
    struct wf_issue *issues; /* in order */
    struct wf_issue *last;
    size_t n_rejects;
    size_t n_warnings;
};

enum wf_strictness {
    WF_SAVE,   /* V5 and V6 warn */
    WF_COMMIT, /* V5 and V6 reject; parameters are validated as in 2.4 */
};

/*
 * Check a definition and bring it to its stored form.
 *
 * def     what the client sent: an object, or a text holding one (also a text of a text).
 * known   tells whether an activity of that name exists (V14); may be NULL.
 * text    JSON text to store: what was sent, without empty `style`; untouched when rejected.
 * report  what was found; living in `a`.
 * Returns 0, or -1 with ERR_INVALID (the first reject) when report->n_rejects > 0, ERR_LIMIT when
 * larger than LIMIT_DEFINITION.
 */
MUST_CHECK int wf_check(struct val def, const struct node_table *nodes, enum wf_strictness how,
                        bool (*known)(void *ctx, struct str name), void *ctx, struct str *text,
                        struct wf_report *report, struct arena *a, struct err *e);

/* [{"cell","rule","message"}] of the warnings. */
struct val wf_report_warnings(const struct wf_report *r, struct arena *a);
/* [{"message","path"}] of the rejects. */
struct val wf_report_errors(const struct wf_report *r, struct arena *a);

/* The stored text as it is served: cells and entities get missing outputs, x, y and params (1.1). */
MUST_CHECK int wf_served(struct str text, struct val *out, struct arena *a, struct err *e);
/* The same as text, for what carries definitions as text; one that cannot be read stays as it is. */
struct str wf_served_text(struct str text, struct arena *a);

/* Names of the activities a definition refers to (macro, trigger_subworkflows), each once. */
struct val wf_referenced(struct val def, struct arena *a);

/* ---- compiling ------------------------------------------------------------------------------ */

/*
 * Compile a stored text.  Never fails for a flaw of one cell: that cell's task is in ERROR when it
 * runs.
 *
 * Fails with ERR_INVALID when the text has not the form of V1 or no start (V4).
 */
MUST_CHECK int wf_compile(struct workflow **out, struct str text, const struct node_table *nodes,
                          struct tmpl_cache *templates, struct err *e);
struct workflow *wf_ref(struct workflow *w);
void wf_unref(struct workflow *w); /* takes NULL */

/* Compiled workflows by the content of their definition, bounded. */
struct wf_cache;
struct wf_cache *wf_cache_new(const struct node_table *nodes, struct tmpl_cache *templates,
                              size_t max);
void wf_cache_free(struct wf_cache *c);
/* A reference for the caller.  Threads: any; compiling happens outside the lock. */
MUST_CHECK int wf_cache_get(struct wf_cache *c, struct str text, struct workflow **out,
                            struct err *e);

/* ---- the catalogue (workflow-engine.md 2.1 to 2.3) ------------------------------------------ */

/* {"cells": [descriptor, ...]}, living in `a`. */
struct val wf_catalogue(const struct node_table *nodes, struct arena *a);

#endif
