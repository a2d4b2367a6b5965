/* SPDX-License-Identifier: ISC */
/*
 * An answer at the control socket that may take a while, as it is read from a
 * disk: made by a process of its own, while the daemon goes on.
 */
#ifndef AGENT_DAEMON_ASIDE_H
#define AGENT_DAEMON_ASIDE_H

#include "agent/daemon/conf_words.h"
#include "agent/daemon/run.h"
#include "base/buf.h"

/* What it is to do; MAIN writes the answer, an object without a line break, to
 * the descriptor RUN_PASSED_FD.  Zero-initialize: no MAIN, nothing to do. */
struct aside_order {
	run_main_fn *main;
	struct conf_words words;
};

struct aside {
	struct run *run; /* NULL: none; all else counts only if there is one */
	struct loop *loop;
	int fd;
	struct buf answer; /* what is there of it */
	uint64_t since_ms;
};

/* A is zero-initialized, or was reaped.  ORDER is borrowed. */
int aside_start(struct aside *a, const struct aside_order *order,
    struct loop *l, uint64_t now_ms, struct err *e);
/* It isn't wanted any more; it is reaped all the same. */
void aside_kill(const struct aside *a);
/* Whether its process is found to have ended.  Then *ANSWER, the caller's, is
 * what it has written. */
bool aside_reap(struct aside *a, struct buf *answer);
/* Killed, and not waited for. */
void aside_end(struct aside *a);

#endif
