/*
 * What the tests of process managers share: a database that has its gateway, nginx before the sockets of the manager, and what
 * both programs have to be like (migration.md 5).
 */
#ifndef SLUICE_TESTS_INTEGRATION_ENV_MANAGERS_H
#define SLUICE_TESTS_INTEGRATION_ENV_MANAGERS_H

#include "integration/env.h"

#define DEPLOY SLUICE_SOURCE_DIR "/deploy/"

/* The manager's sockets, core.sock and p1.sock, will be in this folder, which belongs to nobody. */
struct env *managers_start(const char *folder);
/* Every `from` in `text` by `to`. */
const char *managers_text(const char *text, const char *from, const char *to);
/* Run a program to its end; its status. */
int managers_run(const char *log, const char *const *argv, const char *const *vars);
/* Whether the core, the proxy serves. */
bool managers_healthy(void);
bool managers_proxy_answers(void);
/* n requests, each answered. */
void managers_ask(int n);
/* Started by root: a process of another account, and a socket for it and the group of nginx only. */
void managers_little_rights(pid_t pid, const char *socket);

#endif
