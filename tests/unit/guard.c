/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>

#include "agent/guard.h"
#include "tests/unit/check.h"

/* A run that may delete 10 of 100. */
static const struct guard_facts fine = {
    .victims = 10,
    .target_items = 100,
    .source_items = 90,
    .recorded = "place",
    .scanned = "place",
    .now = "place",
};

static bool
passes(const struct options *o, const struct guard_facts *f)
{
	struct err e = ERR_INIT;
	int rc = guard_check(o, f, &e);

	CHECK(rc == 0 || e.kind == ERR_GUARD);
	CHECK(rc == 0 || strncmp(e.msg, "nothing was deleted: ", 21) == 0);
	return rc == 0;
}

static void
half_may_go_and_no_more(void)
{
	struct options o = {.verbosity = 0};
	struct guard_facts f = fine;

	CHECK(passes(&o, &f));
	f.victims = 50;
	CHECK(passes(&o, &f));
	f.victims = 51;
	CHECK(!passes(&o, &f));
	f.target_items = f.victims = 1;
	CHECK(!passes(&o, &f));
	f.target_items = UINT64_MAX;
	f.victims = UINT64_MAX / 2 - 200;
	CHECK(passes(&o, &f));
	f.victims = UINT64_MAX / 2 + 200;
	CHECK(!passes(&o, &f));
}

static void
what_is_asked_for_decides(void)
{
	struct options o = {.max_delete_set = true, .max_delete = 10};
	struct guard_facts f = fine;

	CHECK(passes(&o, &f));
	o.max_delete = 9;
	CHECK(!passes(&o, &f));
	o.max_delete_percent = true;
	CHECK(!passes(&o, &f));
	o.max_delete = 10;
	CHECK(passes(&o, &f));
	f.target_items = 99;
	CHECK(!passes(&o, &f));
	f = fine;
	f.victims = f.target_items;
	o.max_delete = 99;
	CHECK(!passes(&o, &f));
	o.max_delete = 100;
	CHECK(passes(&o, &f));
}

static void
an_empty_source_deletes_nothing_unless_told_how_much(void)
{
	struct options o = {.verbosity = 0};
	struct guard_facts f = fine;

	f.source_items = 0;
	CHECK(!passes(&o, &f));
	f.part = true; /* of which nothing was found: the number decides */
	CHECK(passes(&o, &f));
	f.victims = 51;
	CHECK(!passes(&o, &f));
	f.part = false;
	o.max_delete_set = o.max_delete_percent = true;
	o.max_delete = 100;
	CHECK(passes(&o, &f));
}

static void
the_source_must_be_the_recorded_one_before_and_after(void)
{
	struct options o = {.max_delete_set = true,
	    .max_delete_percent = true,
	    .max_delete = 100};
	struct guard_facts f = fine;

	f.scanned = "another";
	CHECK(!passes(&o, &f));
	f.now = "another";
	CHECK(!passes(&o, &f));
	f.scanned = "place";
	CHECK(!passes(&o, &f));
	f.now = ""; /* it is gone altogether */
	CHECK(!passes(&o, &f));
	o.accept_source = true;
	CHECK(passes(&o, &f));
	o.accept_source = false;
	f.recorded = ""; /* nothing tells */
	CHECK(passes(&o, &f));
}

static void
a_marker_must_be_there_whatever_else_is_said(void)
{
	struct options o = {.accept_source = true, .ignore_errors = true};
	struct guard_facts f = fine;

	f.source_marker = ".here";
	CHECK(!passes(&o, &f));
	f.has_marker = true;
	CHECK(passes(&o, &f));
}

static void
what_was_not_read_or_not_sent_is_not_gone(void)
{
	struct options o = {.verbosity = 0};
	struct guard_facts f = fine;

	f.failed_items = 1;
	CHECK(!passes(&o, &f));
	o.ignore_errors = true;
	CHECK(passes(&o, &f));
	f.scan_incomplete = true;
	CHECK(!passes(&o, &f));
}

int
main(void)
{
	RUN(half_may_go_and_no_more);
	RUN(what_is_asked_for_decides);
	RUN(an_empty_source_deletes_nothing_unless_told_how_much);
	RUN(the_source_must_be_the_recorded_one_before_and_after);
	RUN(a_marker_must_be_there_whatever_else_is_said);
	RUN(what_was_not_read_or_not_sent_is_not_gone);
	return check_end();
}
