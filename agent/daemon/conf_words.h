/* SPDX-License-Identifier: ISC */
/* Options of a run as lines of a file have them. */
#ifndef AGENT_DAEMON_CONF_WORDS_H
#define AGENT_DAEMON_CONF_WORDS_H

#include "agent/daemon/conf.h"

void conf_words_free(struct conf_words *w);

/*
 * Adds what KEY = VALUE asks for.  For options without a value it is "yes", or
 * "no": then those that were there are taken out.  ERR_CONFIG if there is no
 * such option, it takes no such value, or the daemon sees to it itself.
 */
int conf_words_set(
    struct conf_words *w, const char *key, const char *value, struct err *e);

/* Adds NAME, or NAME=VALUE, whatever that is. */
int conf_words_add(
    struct conf_words *w, const char *name, const char *value, struct err *e);

/* Adds who is told of events: DIR, or nobody as long as there is no DIR, which
 * is an error to a run that was told of one. */
int conf_words_add_subscriptions(
    struct conf_words *w, const char *dir, struct err *e);

/* INTO gets copies of FROM's. */
int conf_words_copy(
    struct conf_words *into, const struct conf_words *from, struct err *e);

/* Whether VERB takes them all, and they agree with each other. */
int conf_words_check(
    const struct conf_words *w, enum verb_id verb, struct err *e);

/* "yes", "no", and what else means these. */
int conf_bool(const char *value, bool *out, struct err *e);

#endif
