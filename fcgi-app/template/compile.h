/*
 * From a syntax tree to bytecode.
 */
#ifndef SLUICE_TEMPLATE_COMPILE_H
#define SLUICE_TEMPLATE_COMPILE_H

#include "template/ast.h"
#include "template/code.h"

struct lexer;

/*
 * Compile the statements of a template into `t`, whose arena, env and name are set.
 *
 * lx  the lexer of the source, for columns in errors.
 * Fails with ERR_INVALID (app_code TMPL_EXC_ASSERTION or TMPL_EXC_SYNTAX), line and column set.
 */
MUST_CHECK int compile_template(struct tmpl *t, const struct node *body, struct lexer *lx,
                                struct arena *scratch, struct err *e);
/* Likewise for one expression. */
MUST_CHECK int compile_expression(struct tmpl *t, const struct node *expr, struct lexer *lx,
                                  struct arena *scratch, struct err *e);

#endif
