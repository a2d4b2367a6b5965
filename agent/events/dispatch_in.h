/* SPDX-License-Identifier: ISC */
/* Inside of the dispatcher: the outbox of one task and its streams.  For
 * agent/events/dispatch*.c only; its thread's alone. */
#ifndef AGENT_EVENTS_DISPATCH_IN_H
#define AGENT_EVENTS_DISPATCH_IN_H

#include "agent/events/dispatch.h"

struct box {
	const char *task;
	struct outbox *outbox;
	bool owned;
	struct stream **streams;
	size_t n;
	struct err failure; /* the last one of its database */
	bool busy;	    /* there is more to do at once */
	bool failing;
};

/* Whose streams a box may have. */
struct box_setup {
	struct receiver *receivers;
	size_t n;
	bool only_known; /* who is subscribed already, or wants all */
	struct http_many *http;
	const struct keeper_store *claims;
};

int box_open(
    struct box *b, const char *state_dir, const char *task, struct err *e);
void box_close(struct box *b);

/* Owns it, if nobody else does, and has a stream of each subscription and of
 * each replay; later, what others changed. */
int box_look(struct box *b, const struct box_setup *setup, struct err *e);

bool box_has_work(struct box *b);
/* One transaction for all of its streams. */
int box_transact(struct box *b, struct err *e);
/* What is at its claim check by now goes out. */
void box_collect(struct box *b);
/* No batch waits for more events any longer. */
void box_hurry(struct box *b);
/* Nothing more is begun; what landed is settled. */
void box_end(struct box *b);
/* Whether nothing is left that could be begun in the next MS. */
bool box_rests(struct box *b, uint64_t ms);

#endif
