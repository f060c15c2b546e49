/*
 * What the lexer's files share.
 */
#ifndef SLUICE_TEMPLATE_LEX_INT_H
#define SLUICE_TEMPLATE_LEX_INT_H

#include "template/lex.h"

/* Does `what` stand at `pos`?  (An empty one stands nowhere.) */
bool lex_looking_at(const struct lexer *lx, size_t pos, struct str what);
/* Behind the white space at `pos`. */
size_t lex_skip_space(const struct lexer *lx, size_t pos);
/* Length of the end of a tag at `pos` ("+%}", "-%}" with what follows, "%}" with its newline), or
 * 0. */
size_t lex_block_end(const struct lexer *lx, size_t pos, struct str end, bool plus);
/* Move to `pos`, counting lines. */
void lex_advance(struct lexer *lx, size_t pos);
/* The next token inside a tag. */
MUST_CHECK int lex_tag(struct lexer *lx, struct token *out);
/* A number at lx->pos (a digit stands there). */
MUST_CHECK int lex_number(struct lexer *lx, struct token *out);
/* A quoted text at lx->pos; 1 when it is not closed (then the quote is an unexpected character). */
MUST_CHECK int lex_string(struct lexer *lx, struct token *out);
/* `s` with the environment's newline sequence. */
struct str lex_newlines(struct lexer *lx, struct str s);
struct val lex_text_value(struct str s);

#endif
