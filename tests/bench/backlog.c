/* SPDX-License-Identifier: ISC */
/*
 * A task with a backlog of events, and what taking deliveries from it costs.
 *
 *	backlog STATE-DIR TASK SUBSCRIPTION EVENTS [DELIVERIES]
 *
 * makes the ledger; every second event is of one key, so that half of them
 * wait for each other.  With DELIVERIES, so many of them become deliveries
 * (the dispatcher makes 10,000 at a time), and a line tells what a
 * delivery costs in us where 64 arrive and 64 are taken in a transaction, and
 * the median and the longest time of taking one.
 */
#include "config.h"

#include <err.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/events/outbox.h"
#include "agent/ledger.h"
#include "base/clock.h"

#define ROUNDS 100
#define TAKEN 64 /* in a round */

static struct err e = ERR_INIT;

static void
must(int rc, const char *what)
{
	if (rc == -1)
		errx(1, "%s: %s", what, e.msg);
}

static void
make_event(struct ledger *l, uint64_t n)
{
	char body[700], key[40];
	struct ledger_event ev = {
	    .time_ns = clock_wall_ns(),
	    .type = "file.completed",
	    .key = key,
	    .run_id = 1,
	    .body = body,
	};

	must(ledger_event_next(l, &ev.seq, &e), "event");
	snprintf(key, sizeof(key), "t/file%" PRIu64, n % 2 == 0 ? n : 1);
	snprintf(body, sizeof(body),
	    "{\"specversion\":\"1.0\",\"id\":\"evt_%020" PRIu64 "\",\"source\":"
	    "\"urn:uuid:0\",\"type\":\"dray.file.completed.v1\",\"subject\":"
	    "\"%s\",\"data\":{\"pad\":\"%0400d\"}}",
	    ev.seq, key, 0);
	must(ledger_event_put(l, &ev, &e), "event");
	if (n % 1000 == 999)
		must(ledger_commit(l, &e), "commit");
}

static void
make_ledger(const char *state, const char *task, const char *name, uint64_t n)
{
	char *aside, key[100];
	struct ledger *l = ledger_open(state, task, LEDGER_WRITE, &aside, &e);
	uint64_t i;

	must(l != NULL ? 0 : -1, "ledger");
	snprintf(key, sizeof(key), "subscribed %s", name);
	must(ledger_meta_set(l, key, "0", &e), "meta");
	for (i = 0; i < n; i++)
		make_event(l, i);
	must(ledger_commit(l, &e), "commit");
	ledger_close(l);
}

static int
all(void *arg, const struct outbox_event *event, struct err *why)
{
	(void)arg;
	(void)event;
	(void)why;
	return 1;
}

static double
us_since(int64_t then_ns)
{
	return (double)(clock_wall_ns() - then_ns) / 1000;
}

static int
by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
route(struct outbox *o, struct outbox_sub *sub, uint64_t deliveries)
{
	struct outbox_routing how = {.filter = all, .max = 256, .now_ms = 1};
	unsigned seen = 0;

	if (sub->live < deliveries)
		must(outbox_route(o, sub, &how, &seen, &e), "route");
}

/* One round, as the dispatcher does it. */
static void
take(struct outbox *o, struct outbox_sub *sub, uint64_t deliveries,
    struct outbox_delivery *d, double *us)
{
	static const struct outbox_outcome ok = {.status = 204, .error = ""};
	int i;

	must(outbox_begin(o, &e), "begin");
	route(o, sub, deliveries);
	for (i = 0; i < TAKEN; i++) {
		if (d[i].body != NULL)
			must(outbox_done(o, sub, &d[i], &ok, &e), "done");
		outbox_delivery_clear(&d[i]);
	}
	for (i = 0; i < TAKEN; i++) {
		int64_t then = clock_wall_ns();

		if (outbox_claim(o, sub, 2, &d[i], &e) != 1)
			errx(1, "no delivery was due: %s", e.msg);
		us[i] = us_since(then);
	}
	must(outbox_sub_save(o, sub, &e), "save");
	must(outbox_commit(o, &e), "commit");
}

static void
measure(const char *dir, const char *name, uint64_t deliveries)
{
	static double us[ROUNDS * TAKEN];
	static struct outbox_delivery d[TAKEN];
	struct outbox *o = outbox_open(dir, true, &e);
	struct outbox_sub sub;
	int64_t then;
	int i;

	must(o != NULL ? 0 : -1, "outbox");
	must(outbox_begin(o, &e), "begin");
	must(outbox_subscribe(o, name, OUTBOX_KEY, 0, &sub, &e), "subscribe");
	while (sub.live < deliveries)
		route(o, &sub, deliveries);
	must(outbox_sub_save(o, &sub, &e), "save");
	must(outbox_commit(o, &e), "commit");
	then = clock_wall_ns();
	for (i = 0; i < ROUNDS; i++)
		take(o, &sub, deliveries, d, us + (ptrdiff_t)i * TAKEN);
	printf("%.1f ", us_since(then) / (ROUNDS * TAKEN));
	qsort(us, ROUNDS * TAKEN, sizeof(us[0]), by_size);
	printf("%.1f %.1f\n", us[ROUNDS * TAKEN / 2], us[ROUNDS * TAKEN - 1]);
	for (i = 0; i < TAKEN; i++)
		outbox_delivery_clear(&d[i]);
	outbox_close(o);
}

int
main(int argc, char **argv)
{
	char dir[4096];

	if (argc < 5)
		errx(2,
		    "usage: backlog STATE-DIR TASK SUBSCRIPTION EVENTS "
		    "[DELIVERIES]");
	make_ledger(argv[1], argv[2], argv[3], strtoull(argv[4], NULL, 10));
	snprintf(dir, sizeof(dir), "%s/%s", argv[1], argv[2]);
	if (argc > 5)
		measure(dir, argv[3], strtoull(argv[5], NULL, 10));
	return 0;
}
