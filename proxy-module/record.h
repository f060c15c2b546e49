/*
 * What a row of the history of proxied calls is made of; proxy.c hands it to history_new().
 */
#ifndef SLUICE_PROXY_RECORD_H
#define SLUICE_PROXY_RECORD_H

#include "history.h"

extern const struct history_kind record_kind;

#endif
