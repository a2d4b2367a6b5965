/* SPDX-License-Identifier: ISC */
/* What is to be known of the daemon's tasks: from the daemon, else from what it
 * left. */
#ifndef AGENT_CLI_ASK_H
#define AGENT_CLI_ASK_H

#include "agent/daemon/conf.h"
#include "agent/options.h"
#include "base/buf.h"
#include "base/jdoc.h"

#define ASK_REPLY_MAX (64 << 20)

struct ask {
	const struct options *o;
	struct daemon_conf *conf;
	const char *name;	 /* NULL: all tasks */
	const char *key, *value; /* of set; or NULL */
	struct buf reply;	 /* the last */
	struct jdoc *doc;	 /* the same */
};

/* Reads the daemon's settings; ask_end() in any case. */
int ask_begin(struct ask *a, const struct options *o, struct err *e);
void ask_end(struct ask *a);

/* OP at the daemon.  ERR_NET if none answers; what it refuses is as it says. */
int ask_daemon(struct ask *a, const char *op, struct err *e);
/* OP, "status" or "history", at the daemon: 1; if none answers, of what it
 * left: 0; -1. */
int ask_or_look(struct ask *a, const char *op, struct err *e);
/* Says that none answers. */
void ask_say_silence(const struct ask *a);

/* The reply's root. */
const struct jdoc_node *ask_reply(const struct ask *a);
/* Member KEY of it, an array: its first element; or NULL. */
const struct jdoc_node *ask_first(const struct ask *a, const char *key);
/* Member KEY of OBJECT, if it is a text; else "". */
const char *ask_text(const struct jdoc_node *object, const char *key);

#endif
