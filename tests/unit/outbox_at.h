/* SPDX-License-Identifier: ISC */
/* A task that events happen in, and its outbox. */
#ifndef TESTS_UNIT_OUTBOX_AT_H
#define TESTS_UNIT_OUTBOX_AT_H

#include "agent/events/outbox.h"
#include "agent/ledger.h"
#include "base/clock.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

/* A task with a ledger and an outbox with one subscription. */
struct fixture {
	int dir_fd;
	char task[4200];
	struct ledger *ledger;
	struct outbox *box;
	enum outbox_ordering ordering;
	struct outbox_sub sub;
	struct err e;
};

static inline void
open_all(struct fixture *f)
{
	char *aside;

	f->ledger = ledger_open(tree_path, "t", LEDGER_WRITE, &aside, &f->e);
	f->box = outbox_open(f->task, true, &f->e);
	CHECK(f->ledger != NULL && f->box != NULL);
	CHECK(
	    outbox_subscribe(f->box, "s", f->ordering, 0, &f->sub, &f->e) == 0);
}

static inline void
close_all(struct fixture *f)
{
	outbox_close(f->box);
	ledger_close(f->ledger);
}

static inline void
begin_with(struct fixture *f, enum outbox_ordering ordering)
{
	*f = (struct fixture){.dir_fd = tree_begin(), .ordering = ordering};
	snprintf(f->task, sizeof(f->task), "%s/t", tree_path);
	open_all(f);
}

static inline void
begin(struct fixture *f)
{
	begin_with(f, OUTBOX_KEY);
}

static inline void
end(struct fixture *f)
{
	close_all(f);
	tree_end(f->dir_fd);
}

/* Its number. */
static inline uint64_t
happens(struct fixture *f, const char *key, bool ends_run)
{
	struct ledger_event ev = {
	    .time_ns = clock_wall_ns(),
	    .type = "x",
	    .key = key,
	    .run_id = 1,
	    .ends_run = ends_run,
	    .body = "{}",
	};

	CHECK(ledger_event_next(f->ledger, &ev.seq, &f->e) == 0);
	CHECK(ledger_event_put(f->ledger, &ev, &f->e) == 0);
	return ev.seq;
}

static inline int
all(void *arg, const struct outbox_event *event, struct err *e)
{
	(void)arg;
	(void)event;
	(void)e;
	return 1;
}

static const struct outbox_routing everything = {
    .filter = all, .max = 1000, .now_ms = 1};

static inline unsigned
route(struct fixture *f)
{
	unsigned seen = 0;

	CHECK(ledger_commit(f->ledger, &f->e) == 0);
	CHECK(outbox_route(f->box, &f->sub, &everything, &seen, &f->e) == 0);
	CHECK(outbox_sub_save(f->box, &f->sub, &f->e) == 0);
	return seen;
}

/* The number of the one that was claimed at NOW_MS; 0 if there was none. */
static inline uint64_t
claim(struct fixture *f, int64_t now_ms, struct outbox_delivery *d)
{
	int rc = outbox_claim(f->box, &f->sub, now_ms, d, &f->e);

	CHECK(rc != -1);
	return rc == 1 ? d->seq : 0;
}

static const struct outbox_outcome ok = {.status = 204, .error = ""};
static const struct outbox_outcome bad = {.status = 500, .error = "no"};

static inline void
arrives(struct fixture *f, struct outbox_delivery *d)
{
	CHECK(outbox_done(f->box, &f->sub, d, &ok, &f->e) == 0);
	outbox_delivery_clear(d);
}

#endif
