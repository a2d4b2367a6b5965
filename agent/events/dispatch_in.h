/* SPDX-License-Identifier: ISC */
/* Inside of the dispatcher: the outbox of one task and its streams.  For
 * agent/events/dispatch*.c only; its thread's alone. */
#ifndef AGENT_EVENTS_DISPATCH_IN_H
#define AGENT_EVENTS_DISPATCH_IN_H

#include "agent/events/dispatch.h"

/* How one subscription of a task, or a replay of it, has fared so far. */
struct tally {
	char name[64];
	char replay[64];
	uint64_t delivered, dead, waiting;
	bool unrouted;
	struct err last;
};

enum box_state {
	BOX_WAITS, /* for its turn: from again_ms on */
	BOX_OPEN,
	BOX_OVER, /* whatever there is can't be sent now */
};

struct box {
	const char *task;
	enum box_state state;
	uint64_t opened_ms, again_ms; /* clock_mono_ms() */
	uint64_t pause_ms;	      /* to its next turn but one */
	struct outbox *outbox;
	bool owned;
	struct stream **streams;
	size_t n;
	struct tally *tallies; /* of streams that were closed */
	size_t tallies_n;
	struct err failure; /* the last one of its database */
	bool stale;	    /* others changed it */
	bool busy;	    /* there is more to do at once */
	bool failing;
	bool leaving; /* nothing more is begun */
};

/* Whose streams a box may have. */
struct box_setup {
	struct receiver *receivers;
	size_t n;
	bool only_known; /* who is subscribed already, or looks back */
	struct http_many *http;
	const struct keeper_store *claims;
};

int box_open(struct box *b, const char *state_dir, struct err *e);
/* Its streams' results so far are added to its tallies, which stay. */
void box_tally(struct box *b);
void box_close(struct box *b);
void box_free(struct box *b);

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
/* Nothing more is begun. */
void box_leave(struct box *b);
/* Whether nothing is under way, and nothing to be done now. */
bool box_is_idle(struct box *b);
/* Whether something is due that only waits for a place at its receiver, or for
 * its rate. */
bool box_is_crowded(struct box *b);
/* Nothing more is begun, and what landed is settled. */
void box_end(struct box *b);
/* Whether nothing is left that could be begun in the next MS. */
bool box_rests(struct box *b, uint64_t ms);

/*
 * Turns: of many tasks only some have their outboxes open at a time.  Whoever
 * can't begin anything now, or had its time, goes behind those that wait.
 */
#define TURNS_PLACES 64

struct turns {
	struct box *boxes;
	size_t n;
	size_t next; /* whose turn may be next */
	const char *state_dir;
};

/* Boxes are closed and opened; LEFT_MS is how long all this goes on. */
void turns_pass(
    struct turns *t, const struct box_setup *setup, uint64_t left_ms);
bool turns_are_over(const struct turns *t);
/* Those that had no turn are asked what waits, one after another, unless
 * *STOP. */
void turns_end(
    struct turns *t, const struct box_setup *setup, const atomic_bool *stop);

#endif
