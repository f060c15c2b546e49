/*
 * What the two files of the lexer share.
 */
#ifndef SLUICE_TEMPLATE_LEX_INT_H
#define SLUICE_TEMPLATE_LEX_INT_H

#include "template/lex.h"

/* A number at lx->pos (a digit stands there). */
MUST_CHECK int lex_number(struct lexer *lx, struct token *out);
/* A quoted text at lx->pos; 1 when it is not closed (then the quote is an unexpected character). */
MUST_CHECK int lex_string(struct lexer *lx, struct token *out);
/* `s` with the environment's newline sequence. */
struct str lex_newlines(struct lexer *lx, struct str s);
struct val lex_text_value(struct str s);

#endif
