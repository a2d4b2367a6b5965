/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <sqlite3.h>
#include <string.h>

#include "agent/events/outbox_archive.h"
#include "agent/events/outbox_keep.h"
#include "agent/retain.h"
#include "base/clock.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

#define DAY_MS INT64_C(86400000)

/* A task with ten events, of a day each, and a subscription. */
struct fixture {
	int dir_fd;
	char task[4200];
	struct ledger *ledger;
	struct outbox *box;
	struct outbox_sub sub;
	uint64_t first;
	struct retain retain;
	struct err e;
};

static int
wants_even(void *arg, const char *name, const struct outbox_event *event,
    struct err *e)
{
	(void)arg;
	(void)e;
	CHECK_STR(name, "s");
	return event->seq % 2 == 0;
}

/* In strict order events of many keys, else all of one. */
static void
begin_with(struct fixture *f, enum outbox_ordering ordering)
{
	int64_t now = clock_wall_ns();
	char *aside, key[8];
	int i;

	*f = (struct fixture){.dir_fd = tree_begin()};
	snprintf(f->task, sizeof(f->task), "%s/t", tree_path);
	f->ledger = ledger_open(tree_path, "t", LEDGER_WRITE, &aside, &f->e);
	f->box = outbox_open(f->task, true, &f->e);
	CHECK(f->ledger != NULL && f->box != NULL);
	for (i = 0; i < 10; i++) {
		struct ledger_event ev = {
		    .time_ns = now - (9 - i) * DAY_MS * 1000000 - 1000000000,
		    .type = "x",
		    .key = key,
		    .run_id = 1,
		    .body = "{\"ten\":10}",
		};

		snprintf(
		    key, sizeof(key), "%d", ordering == OUTBOX_STRICT ? i : 0);
		CHECK(ledger_event_next(f->ledger, &ev.seq, &f->e) == 0);
		CHECK(ledger_event_put(f->ledger, &ev, &f->e) == 0);
		if (i == 0)
			f->first = ev.seq;
	}
	CHECK(ledger_commit(f->ledger, &f->e) == 0);
	CHECK(outbox_subscribe(f->box, "s", ordering, 0, &f->sub, &f->e) == 0);
	f->retain = (struct retain){
	    .dir = f->task, .age_ms = 100 * DAY_MS, .wants = wants_even};
}

static void
begin(struct fixture *f)
{
	begin_with(f, OUTBOX_KEY);
}

static void
end(struct fixture *f)
{
	outbox_close(f->box);
	ledger_close(f->ledger);
	tree_end(f->dir_fd);
}

static int
all(void *arg, const struct outbox_event *event, struct err *e)
{
	(void)arg;
	(void)event;
	(void)e;
	return 1;
}

static void
route(struct fixture *f, unsigned n)
{
	struct outbox_routing how = {.filter = all, .max = n, .now_ms = 1};
	unsigned seen;

	CHECK(outbox_route(f->box, &f->sub, &how, &seen, &f->e) == 0);
	CHECK(outbox_sub_save(f->box, &f->sub, &f->e) == 0);
}

/* N deliveries arrive, or are dead letters. */
static void
settle(struct fixture *f, unsigned n, bool dead)
{
	const struct outbox_outcome how = {.status = 200, .error = ""};
	struct outbox_delivery d;

	for (; n > 0; n--) {
		CHECK(outbox_claim(f->box, &f->sub, 1, &d, &f->e) == 1);
		CHECK((dead ? outbox_dead(
				  f->box, &f->sub, &d, &how, "permanent", &f->e)
			    : outbox_done(f->box, &f->sub, &d, &how, &f->e)) ==
		    0);
		outbox_delivery_clear(&d);
	}
	CHECK(outbox_sub_save(f->box, &f->sub, &f->e) == 0);
}

static int
add_bit(void *arg, const struct outbox_event *event, struct err *e)
{
	unsigned *bits = ((void **)arg)[0];
	const struct fixture *f = ((void **)arg)[1];

	(void)e;
	*bits |= 1U << (event->seq - f->first);
	return 0;
}

/* A bit for each event that is there after the sweep. */
static unsigned
left(struct fixture *f)
{
	unsigned bits = 0;
	void *arg[] = {&bits, f};

	CHECK(retain_events(&f->retain, f->ledger, &f->e) == 0);
	CHECK(outbox_events(f->box, 0, add_bit, arg, &f->e) == 0);
	return bits;
}

struct seen {
	struct fixture *f;
	unsigned retention, others;
};

static int
see(void *arg, const struct outbox_letter *l, struct err *e)
{
	struct seen *s = arg;
	unsigned bit = 1U << (l->seq - s->f->first);

	(void)e;
	if (strcmp(l->reason, "retention") == 0)
		s->retention |= bit;
	else
		s->others |= bit;
	return 0;
}

static struct seen
letters(struct fixture *f)
{
	struct outbox_choice any = {.seq = 0};
	struct seen s = {.f = f};

	CHECK(outbox_dead_letters(f->box, &any, see, &s, &f->e) == 0);
	return s;
}

static void
what_everybody_had_goes_by_age(void)
{
	struct fixture f;

	begin(&f);
	f.retain.age_ms = 5 * DAY_MS;
	CHECK_UINT(left(&f), 0x3ff); /* nobody had any */
	route(&f, 10);
	CHECK_UINT(left(&f), 0x3ff);
	settle(&f, 3, false);
	CHECK_UINT(left(&f), 0x3f8);
	settle(&f, 7, false);
	CHECK_UINT(left(&f), 0x3e0);
	CHECK_UINT(letters(&f).retention, 0);
	end(&f);
}

static void
what_is_dead_is_kept_and_nothing_else(void)
{
	struct fixture f;

	begin(&f);
	f.retain.age_ms = 1;
	route(&f, 10);
	settle(&f, 2, false);
	settle(&f, 1, true);
	settle(&f, 6, false);
	CHECK_UINT(left(&f), 0x204); /* the last waits for its delivery */
	settle(&f, 1, false);
	CHECK_UINT(left(&f), 0x004);
	end(&f);
}

static void
whoever_has_long_been_away_is_not_waited_for(void)
{
	struct fixture f;
	uint64_t seq = 0;

	begin(&f);
	CHECK(outbox_keep_passed(f.box, 0, &seq, &f.e) == 0 && seq == 1);
	CHECK(outbox_keep_passed(f.box, INT64_MAX, &seq, &f.e) == 0);
	CHECK_UINT(seq, INT64_MAX);
	route(&f, 10);
	CHECK(outbox_keep_referred(f.box, 0, 0, &seq, &f.e) == 0);
	CHECK_UINT(seq, f.first);
	CHECK(outbox_keep_referred(f.box, INT64_MAX, 0, &seq, &f.e) == 0);
	CHECK_UINT(seq, INT64_MAX);
	end(&f);
}

/* Nobody has been here for a month. */
static void
pass_a_month(struct fixture *f)
{
	char path[4300], sql[200];
	sqlite3 *db = NULL;

	snprintf(path, sizeof(path), "%s/deliveries.db", f->task);
	snprintf(sql, sizeof(sql),
	    "UPDATE subscription SET seen_ms=seen_ms-%lld;"
	    "UPDATE archive SET seen_ms=seen_ms-%lld;",
	    (long long)(30 * DAY_MS), (long long)(30 * DAY_MS));
	CHECK(sqlite3_open(path, &db) == SQLITE_OK);
	CHECK(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(db);
}

static const char *
s_is_here(void *arg, size_t i)
{
	(void)arg;
	return i == 0 ? "s" : NULL;
}

static void
whoever_is_here_is_waited_for_however_rare_the_runs(void)
{
	struct fixture f;
	struct outbox_archive a;

	begin(&f);
	f.retain.age_ms = 1;
	f.retain.here = s_is_here;
	route(&f, 3);
	pass_a_month(&f);
	CHECK_UINT(left(&f), 0x3ff);
	CHECK_UINT(letters(&f).retention, 0);
	route(&f, 10);
	settle(&f, 10, false);
	CHECK(outbox_archive_find(f.box, "a", f.first + 4, &a, &f.e) == 0);
	CHECK(outbox_archive_save(f.box, &a, &f.e) == 0);
	f.retain.archive = "a";
	pass_a_month(&f);
	CHECK_UINT(left(&f), 0x3e0);
	end(&f);
}

static void
whoever_is_gone_has_dead_letters(void)
{
	struct fixture f;
	struct outbox_archive a;
	unsigned even;

	begin(&f);
	even = f.first % 2 == 0 ? 0x155 : 0x2aa;
	f.retain.age_ms = 1;
	route(&f, 4);
	settle(&f, 1, true);
	settle(&f, 1, false);
	CHECK(outbox_archive_find(f.box, "a", f.first + 4, &a, &f.e) == 0);
	CHECK(outbox_archive_save(f.box, &a, &f.e) == 0);
	pass_a_month(&f);
	/* Of two there were deliveries, of the rest it wanted half. */
	CHECK_UINT(left(&f), 0x001);
	CHECK_UINT(letters(&f).retention, 0x00c | (even & 0x3f0));
	CHECK_UINT(letters(&f).others, 0x001);
	CHECK(outbox_archive_find(f.box, "a", 0, &a, &f.e) == 0);
	CHECK_UINT(a.dropped, 5);
	end(&f);
}

static int
count_notice(void *arg, const struct outbox_event *event, struct err *e)
{
	(void)e;
	CHECK(strstr(event->body, "\"reason\":\"retention\"") != NULL);
	CHECK(strstr(event->body, "\"task\":\"t\"") != NULL);
	++*(unsigned *)arg;
	return 0;
}

static void
others_are_told_once_of_what_was_given_up(void)
{
	struct fixture f;
	unsigned n = 0;

	begin(&f);
	route(&f, 3);
	f.retain.rows = 5;
	CHECK_UINT(left(&f), 0x3e0);
	f.retain.rows = 3;
	CHECK_UINT(left(&f), 0x380);
	CHECK(outbox_notices(f.box, 0, count_notice, &n, &f.e) == 0);
	CHECK_UINT(n, 1);
	end(&f);
}

static void
where_another_sends_nobody_is_given_up(void)
{
	struct fixture f;

	begin(&f);
	f.retain.age_ms = 1;
	route(&f, 4);
	settle(&f, 2, false);
	pass_a_month(&f);
	CHECK(outbox_own(f.box, &f.e) == 1);
	CHECK_UINT(left(&f), 0x3fc);
	CHECK_UINT(letters(&f).retention, 0);
	end(&f);
}

static void
too_many_rows_leave_dead_letters(void)
{
	struct fixture f;
	struct outbox_delivery d;
	unsigned even;

	begin(&f);
	even = f.first % 2 == 0 ? 0x155 : 0x2aa;
	route(&f, 3);
	settle(&f, 1, true); /* what died of something else */
	f.retain.rows = 10;
	CHECK_UINT(left(&f), 0x3ff);
	f.retain.rows = 3;
	CHECK_UINT(left(&f), 0x380);
	/* One had died, two were deliveries, four only half of them wanted. */
	CHECK_UINT(letters(&f).retention, 0x007 | (even & 0x078));
	CHECK_UINT(letters(&f).others, 0);
	CHECK(outbox_subscribe(f.box, "s", OUTBOX_KEY, 0, &f.sub, &f.e) == 0);
	CHECK_UINT(f.sub.dead, 1 + 2 + 2);
	CHECK_UINT(f.sub.filtered, 2);
	CHECK_UINT(f.sub.live, 0);
	route(&f, 10);
	CHECK_UINT(f.sub.live, 3);
	CHECK(outbox_claim(f.box, &f.sub, 1, &d, &f.e) == 1);
	CHECK_UINT(d.seq, f.first + 7);
	outbox_delivery_clear(&d);
	end(&f);
}

static void
what_waited_for_an_abandoned_delivery_may_go(void)
{
	struct outbox_choice any = {.seq = 0};
	struct fixture f;
	struct outbox_delivery d;
	uint64_t n = 1;

	begin(&f);
	route(&f, 10);
	f.retain.rows = 3;
	CHECK_UINT(left(&f), 0x380);
	CHECK_UINT(letters(&f).retention, 0x07f);
	/* There is nothing left of them to be sent. */
	CHECK(outbox_redrive(f.box, &any, 1, 0, &n, &f.e) == 0 && n == 0);
	CHECK_UINT(letters(&f).retention, 0x07f);
	CHECK(outbox_claim(f.box, &f.sub, 1, &d, &f.e) == 1);
	CHECK_UINT(d.seq, f.first + 7);
	outbox_delivery_clear(&d);
	end(&f);
}

static void
in_strict_order_only_the_next_one_may_go(void)
{
	struct fixture f;
	struct outbox_delivery d, none;
	const struct outbox_outcome how = {.status = 200, .error = ""};

	begin_with(&f, OUTBOX_STRICT);
	route(&f, 10);
	f.retain.rows = 3;
	CHECK_UINT(left(&f), 0x380);
	CHECK(outbox_claim(f.box, &f.sub, 1, &d, &f.e) == 1);
	CHECK_UINT(d.seq, f.first + 7);
	CHECK(outbox_claim(f.box, &f.sub, 1, &none, &f.e) == 0);
	CHECK(outbox_done(f.box, &f.sub, &d, &how, &f.e) == 0);
	outbox_delivery_clear(&d);
	CHECK(outbox_claim(f.box, &f.sub, 1, &d, &f.e) == 1);
	CHECK_UINT(d.seq, f.first + 8);
	outbox_delivery_clear(&d);
	end(&f);
}

/* N deliveries whose events were lost. */
static void
lose(struct fixture *f, unsigned n)
{
	const struct outbox_outcome how = {.error = ""};
	struct outbox_delivery d;

	for (; n > 0; n--) {
		CHECK(outbox_claim(f->box, &f->sub, 1, &d, &f->e) == 1);
		CHECK(
		    outbox_dead(f->box, &f->sub, &d, &how, "lost", &f->e) == 0);
		outbox_delivery_clear(&d);
	}
}

static void
dead_letters_without_an_event_go_with_their_age(void)
{
	struct outbox_choice any = {.seq = 0};
	uint64_t n = 0;
	struct fixture f;

	begin(&f);
	route(&f, 10);
	settle(&f, 1, true);
	f.retain.rows = 3;
	CHECK_UINT(left(&f), 0x380);
	CHECK_UINT(letters(&f).retention, 0x07f);
	settle(&f, 1, true);
	CHECK(outbox_keep_prune(f.box, 1, &f.e) == 0);
	CHECK_UINT(letters(&f).retention, 0x07f);
	/* By when they became so, not by the age of their events. */
	f.retain.age_ms = 60000;
	CHECK_UINT(left(&f), 0x380);
	CHECK_UINT(letters(&f).retention, 0x07f);
	CHECK(outbox_keep_prune(f.box, INT64_MAX, &f.e) == 0);
	CHECK_UINT(letters(&f).retention, 0);
	/* The others stay until somebody drops them. */
	CHECK_UINT(letters(&f).others, 0x080);
	/* But for those that nothing can be done about, either. */
	lose(&f, 1);
	CHECK_UINT(letters(&f).others, 0x180);
	CHECK(outbox_redrive(f.box, &any, 1, 0, &n, &f.e) == 0 && n == 1);
	CHECK_UINT(letters(&f).others, 0x100);
	CHECK(outbox_keep_prune(f.box, INT64_MAX, &f.e) == 0);
	CHECK_UINT(letters(&f).others, 0);
	end(&f);
}

static int
wants_all(void *arg, const char *name, const struct outbox_event *event,
    struct err *e)
{
	(void)arg;
	(void)name;
	(void)event;
	(void)e;
	return 1;
}

static int
count(void *arg, const struct outbox_letter *l, struct err *e)
{
	(void)l;
	(void)e;
	++*(unsigned *)arg;
	return 0;
}

static void
there_is_an_end_to_dead_letters(void)
{
	struct outbox_choice any = {.seq = 0};
	struct ledger_event ev = {
	    .type = "x", .key = "k", .run_id = 1, .body = "{}"};
	struct fixture f;
	unsigned n = 0, i;

	begin(&f);
	ev.time_ns = clock_wall_ns();
	for (i = 0; i < OUTBOX_KEEP_LETTERS + 10; i++)
		if (ledger_event_next(f.ledger, &ev.seq, &f.e) == -1 ||
		    ledger_event_put(f.ledger, &ev, &f.e) == -1)
			break;
	CHECK_UINT(i, OUTBOX_KEEP_LETTERS + 10);
	CHECK(ledger_commit(f.ledger, &f.e) == 0);
	f.retain.wants = wants_all;
	f.retain.rows = 1;
	CHECK(retain_events(&f.retain, f.ledger, &f.e) == 0);
	CHECK(outbox_dead_letters(f.box, &any, count, &n, &f.e) == 0);
	CHECK_UINT(n, OUTBOX_KEEP_LETTERS);
	CHECK(outbox_subscribe(f.box, "s", OUTBOX_KEY, 0, &f.sub, &f.e) == 0);
	CHECK_UINT(f.sub.dead, OUTBOX_KEEP_LETTERS + 19);
	/* One more, and one less. */
	ev.time_ns = clock_wall_ns();
	CHECK(ledger_event_next(f.ledger, &ev.seq, &f.e) == 0 &&
	    ledger_event_put(f.ledger, &ev, &f.e) == 0 &&
	    ledger_commit(f.ledger, &f.e) == 0);
	CHECK(retain_events(&f.retain, f.ledger, &f.e) == 0);
	CHECK(retain_events(&f.retain, f.ledger, &f.e) == 0);
	n = 0;
	CHECK(outbox_dead_letters(f.box, &any, count, &n, &f.e) == 0);
	CHECK_UINT(n, OUTBOX_KEEP_LETTERS);
	end(&f);
}

static void
bytes_count_from_the_newest(void)
{
	struct fixture f;
	uint64_t seq = 0;

	begin(&f);
	CHECK(ledger_event_over(f.ledger, 0, 1 << 30, &seq, &f.e) == 0);
	CHECK_UINT(seq, 0);
	CHECK(ledger_event_over(f.ledger, 0, 30, &seq, &f.e) == 0);
	CHECK_UINT(seq, f.first + 7);
	CHECK(ledger_event_over(f.ledger, 2, 30, &seq, &f.e) == 0);
	CHECK_UINT(seq, f.first + 8);
	CHECK(ledger_event_over(f.ledger, 0, 5, &seq, &f.e) == 0);
	CHECK_UINT(seq, f.first + 10);
	end(&f);
}

/* From now on they are long; who has counted them doesn't know. */
static void
make_long(struct fixture *f)
{
	char path[4300];
	sqlite3 *db = NULL;

	CHECK(ledger_commit(f->ledger, &f->e) == 0);
	snprintf(path, sizeof(path), "%s/ledger.db", f->task);
	CHECK(sqlite3_open(path, &db) == SQLITE_OK);
	CHECK(sqlite3_exec(db, "UPDATE event SET body=printf('%0500d',1)", NULL,
		  NULL, NULL) == SQLITE_OK);
	sqlite3_close(db);
}

static void
no_event_is_counted_in_every_run(void)
{
	struct ledger_event ev = {
	    .type = "x", .key = "k", .run_id = 1, .body = "{\"ten\":10}"};
	struct fixture f;
	uint64_t seq = 1;
	bool more;

	begin(&f);
	CHECK(ledger_event_over(f.ledger, 10, 100, &seq, &f.e) == 0);
	CHECK_UINT(seq, 0);
	CHECK(ledger_event_next(f.ledger, &ev.seq, &f.e) == 0 &&
	    ledger_event_put(f.ledger, &ev, &f.e) == 0);
	CHECK(ledger_event_over(f.ledger, 10, 0, &seq, &f.e) == 0);
	CHECK_UINT(seq, f.first + 1);
	CHECK(ledger_event_forget(f.ledger, 0, seq, &more, &f.e) == 0 && !more);
	make_long(&f);
	CHECK(ledger_event_over(f.ledger, 10, 100, &seq, &f.e) == 0);
	CHECK_UINT(seq, 0);
	CHECK(ledger_event_next(f.ledger, &ev.seq, &f.e) == 0 &&
	    ledger_event_put(f.ledger, &ev, &f.e) == 0);
	CHECK(ledger_event_over(f.ledger, 0, 109, &seq, &f.e) == 0);
	CHECK(seq > f.first + 1);
	end(&f);
}

static void
an_archive_is_waited_for_as_well(void)
{
	struct fixture f;
	struct outbox_archive a;
	struct outbox_segment s = {.events = 4}, got = {0};
	struct err *e = &f.e;

	begin(&f);
	s.first = f.first;
	s.last = f.first + 3;
	s.object = s.pattern = (char[]){"x"};
	route(&f, 10);
	settle(&f, 10, false);
	CHECK(outbox_archive_find(f.box, "a", f.first - 1, &a, e) == 0);
	f.retain.age_ms = 1;
	CHECK_UINT(left(&f), 0x3ff);
	a.routed = s.last;
	CHECK(outbox_segment_seal(f.box, &a, &s, e) == 0);
	CHECK(outbox_archive_save(f.box, &a, e) == 0);
	CHECK_UINT(left(&f), 0x3ff); /* sealed, not stored */
	/* Within a segment nothing is cut. */
	f.retain.rows = 8;
	CHECK_UINT(left(&f), 0x3ff);
	CHECK(outbox_segment_next(f.box, &a, &got, e) == 1);
	CHECK_UINT(got.last, f.first + 3);
	outbox_segment_clear(&got);
	CHECK(outbox_segment_drop(f.box, &a, &s, e) == 0);
	f.retain.rows = 0;
	CHECK_UINT(left(&f), 0x3f0);
	/* What is too much is counted. */
	f.retain.rows = 4;
	CHECK_UINT(left(&f), 0x3c0);
	CHECK(outbox_archive_find(f.box, "a", 0, &a, e) == 0);
	CHECK_UINT(a.dropped, 2);
	CHECK_UINT(a.routed, f.first + 5);
	end(&f);
}

int
main(void)
{
	RUN(what_everybody_had_goes_by_age);
	RUN(what_is_dead_is_kept_and_nothing_else);
	RUN(whoever_has_long_been_away_is_not_waited_for);
	RUN(whoever_is_here_is_waited_for_however_rare_the_runs);
	RUN(whoever_is_gone_has_dead_letters);
	RUN(others_are_told_once_of_what_was_given_up);
	RUN(where_another_sends_nobody_is_given_up);
	RUN(too_many_rows_leave_dead_letters);
	RUN(what_waited_for_an_abandoned_delivery_may_go);
	RUN(in_strict_order_only_the_next_one_may_go);
	RUN(dead_letters_without_an_event_go_with_their_age);
	RUN(there_is_an_end_to_dead_letters);
	RUN(bytes_count_from_the_newest);
	RUN(no_event_is_counted_in_every_run);
	RUN(an_archive_is_waited_for_as_well);
	return check_end();
}
