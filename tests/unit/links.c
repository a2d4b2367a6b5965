/* SPDX-License-Identifier: ISC */
/* Files with several names, as the engine (engine_links.c) sees to them. */
#include "config.h"

#include <time.h>

#include "base/log.h"
#include "tests/unit/rig.h"

static struct rig
links_begin(void)
{
	struct rig r = rig_begin();

	r.o.hard_links = true;
	return r;
}

static void
add_name(struct rig *r, const char *old, const char *name)
{
	if (linkat(r->source, old, r->source, name, 0) == -1) {
		perror(name);
		exit(99);
	}
}

static unsigned
file_of(struct rig *r, const char *name)
{
	struct fake_object *o = fake_find(r->target, name);

	return o != NULL ? o->file : 0;
}

/* Whether all of NAMES (NULL ends them) are there, as one file. */
static bool
one_file(struct rig *r, const char *const *names)
{
	unsigned file = file_of(r, names[0]);
	size_t i;

	for (i = 0; names[i] != NULL; i++)
		if (!arrived(r, names[i]) || file_of(r, names[i]) != file)
			return false;
	return true;
}

#define ONE_FILE(r, ...) \
	CHECK(one_file(r, (const char *const[]){__VA_ARGS__, NULL}))

/* "d/one", "a" and "z" are one file; "single" is another. */
static void
make_group(struct rig *r)
{
	tree_dir(r->source, "d");
	make_file(r, "d/one", 5000, 1);
	add_name(r, "d/one", "a");
	add_name(r, "d/one", "z");
	make_file(r, "single", 300, 2);
}

/* Until no ctime is too young to be believed. */
static void
come_of_age(void)
{
	struct timespec t = {.tv_sec = 2, .tv_nsec = 100000000};

	nanosleep(&t, NULL);
}

static unsigned
sent(struct rig *r)
{
	return fake_calls(r->target, FAKE_PUT) +
	    fake_calls(r->target, FAKE_BEGIN);
}

/* Another run, of which only its own calls count. */
static enum run_outcome
again(struct rig *r)
{
	fake_forget_faults(r->target);
	fake_forget_calls(r->target);
	return run(r);
}

static void
content_is_sent_once(void)
{
	struct rig r = links_begin();

	make_group(&r);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(sent(&r), 2);
	CHECK_UINT(fake_calls(r.target, FAKE_LINK), 2);
	ONE_FILE(&r, "d/one", "a", "z");
	CHECK(arrived(&r, "single"));
	CHECK_UINT(stats_get(&r.stats, linked_items), 2);
	CHECK_UINT(stats_get(&r.stats, sent_bytes), 5300);
	CHECK_UINT(stats_get(&r.stats, done_bytes), 5300);
	CHECK_UINT(stats_get(&r.stats, queued_bytes), 5300);
	CHECK_UINT(stats_get(&r.stats, verified_items), 4);
	CHECK(nothing_more_to_do(&r));
	rig_end(&r);
}

static void
unasked_each_name_is_a_file(void)
{
	struct rig r = rig_begin();

	make_group(&r);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(sent(&r), 4);
	CHECK_UINT(fake_calls(r.target, FAKE_LINK), 0);
	rig_end(&r);
}

static void
asked_later_names_are_linked_without_sending(void)
{
	struct rig r = rig_begin();

	make_group(&r);
	CHECK_UINT(run(&r), RUN_OK);
	r.o.hard_links = true;
	CHECK_UINT(again(&r), RUN_OK);
	CHECK_UINT(sent(&r), 0);
	ONE_FILE(&r, "d/one", "a", "z");
	CHECK(nothing_more_to_do(&r));
	rig_end(&r);
}

static void
thousands_of_names_wait_for_a_big_file(void)
{
	struct rig r = links_begin();
	char name[64];
	unsigned i;

	make_file(&r, "0-big", 200 * KIB, 1);
	for (i = 0; i < 6000; i++) {
		snprintf(name, sizeof(name), "name%u", i);
		add_name(&r, "0-big", name);
	}
	fake_fault(r.target,
	    &(struct fake_fault){.op = FAKE_PART, .times = 13, .delay_ms = 60});
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(fake_calls(r.target, FAKE_PART), 13);
	CHECK_UINT(sent(&r), 1);
	CHECK_UINT(stats_get(&r.stats, linked_items), 6000);
	ONE_FILE(&r, "0-big", "name0", "name2999", "name5999");
	rig_end(&r);
}

static void
where_the_first_fails_the_next_leads(void)
{
	struct rig r = links_begin();

	make_file(&r, "a", 5000, 1);
	add_name(&r, "a", "b");
	add_name(&r, "a", "c");
	fake_fault(r.target,
	    &(struct fake_fault){
		.op = FAKE_PUT, .key = "a", .times = 9, .kind = ERR_DENIED});
	CHECK_UINT(run(&r), RUN_FAILURES);
	CHECK_UINT(stats_get(&r.stats, failed_items), 1);
	ONE_FILE(&r, "b", "c");
	CHECK_UINT(file_of(&r, "a"), 0);
	CHECK_UINT(again(&r), RUN_OK);
	CHECK_UINT(sent(&r), 0);
	ONE_FILE(&r, "b", "c", "a");
	rig_end(&r);
}

static void
a_link_that_fails_in_passing_is_tried_again(void)
{
	struct rig r = links_begin();

	make_group(&r);
	fake_fault(r.target,
	    &(struct fake_fault){.op = FAKE_LINK, .times = 1, .kind = ERR_NET});
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(sent(&r), 2);
	ONE_FILE(&r, "d/one", "a", "z");
	rig_end(&r);
}

static void
changed_content_goes_once_and_to_all(void)
{
	struct rig r = links_begin();

	make_group(&r);
	CHECK_UINT(run(&r), RUN_OK);
	make_file(&r, "z", 4000, 9);
	CHECK_UINT(again(&r), RUN_OK);
	CHECK_UINT(sent(&r), 1);
	ONE_FILE(&r, "d/one", "a", "z");
	/* Of the same size. */
	make_file(&r, "a", 4000, 10);
	CHECK_UINT(again(&r), RUN_OK);
	CHECK_UINT(sent(&r), 1);
	ONE_FILE(&r, "d/one", "a", "z");
	CHECK(nothing_more_to_do(&r));
	rig_end(&r);
}

static void
changed_metadata_is_set_once(void)
{
	struct rig r = links_begin();

	make_group(&r);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK(fchmodat(r.source, "z", 0600, 0) == 0);
	CHECK_UINT(again(&r), RUN_OK);
	CHECK_UINT(sent(&r), 0);
	CHECK_UINT(fake_calls(r.target, FAKE_SET_METADATA), 1);
	CHECK_UINT(fake_find(r.target, "a")->st.mode & 07777, 0600);
	ONE_FILE(&r, "d/one", "a", "z");
	CHECK(nothing_more_to_do(&r));
	rig_end(&r);
}

/* Its ctime moves with each name; only one is read, and nobody is asked. */
static void
a_new_name_is_linked_and_the_others_left_alone(void)
{
	struct rig r = links_begin();

	make_group(&r);
	come_of_age();
	CHECK_UINT(run(&r), RUN_OK);
	add_name(&r, "z", "0-first");
	CHECK_UINT(again(&r), RUN_OK);
	CHECK_UINT(sent(&r), 0);
	CHECK_UINT(fake_calls(r.target, FAKE_LINK), 1);
	CHECK_UINT(stats_get(&r.stats, unchanged_items), 5);
	ONE_FILE(&r, "d/one", "a", "z", "0-first");
	add_name(&r, "single", "with single");
	CHECK_UINT(again(&r), RUN_OK);
	CHECK_UINT(sent(&r), 0);
	ONE_FILE(&r, "single", "with single");
	rig_end(&r);
}

static void
a_name_that_left_is_a_file_of_its_own(void)
{
	struct rig r = links_begin();
	struct fake_object *o;
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
	struct stat st;

	make_group(&r);
	CHECK_UINT(run(&r), RUN_OK);
	/* A copy of the same content and time takes its name. */
	CHECK(fstatat(r.source, "a", &st, 0) == 0);
	times[1] = st.st_mtim;
	make_file(&r, "copy", 5000, 1);
	CHECK(utimensat(r.source, "copy", times, 0) == 0);
	CHECK(renameat(r.source, "copy", r.source, "a") == 0);
	CHECK_UINT(again(&r), RUN_OK);
	CHECK(arrived(&r, "a"));
	CHECK(file_of(&r, "a") != file_of(&r, "z"));
	ONE_FILE(&r, "d/one", "z");
	/* What happens to one is nothing to the other. */
	CHECK(fchmodat(r.source, "a", 0640, 0) == 0);
	CHECK_UINT(again(&r), RUN_OK);
	o = fake_find(r.target, "z");
	CHECK_UINT(o->st.mode & 07777, 0644);
	rig_end(&r);
}

static void
what_others_changed_there_is_not_linked_to(void)
{
	struct rig r = links_begin();

	make_group(&r);
	CHECK_UINT(run(&r), RUN_OK);
	fake_put(r.target, "a", "other", 5, 1);
	fake_put(r.target, "d/one", "other", 5, 1);
	fake_put(r.target, "z", "other", 5, 1);
	add_name(&r, "z", "new");
	CHECK_UINT(again(&r), RUN_OK);
	CHECK(arrived(&r, "new"));
	CHECK(file_of(&r, "new") != file_of(&r, "a"));
	rig_end(&r);
}

static void
where_it_cant_be_each_name_is_a_file(void)
{
	struct rig r = links_begin();

	make_group(&r);
	fake_fault(r.target,
	    &(struct fake_fault){
		.op = FAKE_LINK, .times = 99, .kind = ERR_UNSUPPORTED});
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(sent(&r), 4);
	CHECK(arrived(&r, "a"));
	CHECK(arrived(&r, "d/one"));
	CHECK(arrived(&r, "z"));
	CHECK_UINT(stats_get(&r.stats, lack_link_items), 2);
	CHECK(nothing_more_to_do(&r));
	rig_end(&r);
}

static void
a_full_file_is_followed_by_another(void)
{
	struct rig r = links_begin();
	char name[64];
	unsigned i;

	r.o.transfers = 1;
	make_file(&r, "0", 700, 1);
	for (i = 1; i < 10; i++) {
		snprintf(name, sizeof(name), "%u", i);
		add_name(&r, "0", name);
	}
	fake_names_max(r.target, 4);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(sent(&r), 3);
	for (i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "%u", i);
		CHECK(arrived(&r, name));
	}
	CHECK(nothing_more_to_do(&r));
	rig_end(&r);
}

static void
a_dry_run_tells_what_would_be_linked(void)
{
	struct rig r = links_begin();

	make_group(&r);
	r.o.dry_run = true;
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(fake_objects(r.target), 0);
	CHECK_UINT(stats_get(&r.stats, linked_items), 2);
	CHECK_UINT(stats_get(&r.stats, queued_bytes), 5300);
	r.o.dry_run = false;
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(stats_get(&r.stats, linked_items), 2);
	rig_end(&r);
}

static void
what_is_there_as_links_is_adopted(void)
{
	struct rig r = links_begin();

	make_group(&r);
	CHECK_UINT(run(&r), RUN_OK);
	/* The ledger is lost. */
	snprintf(r.state, sizeof(r.state), "%s/other", tree_path);
	r.reconcile = true;
	CHECK_UINT(again(&r), RUN_OK);
	CHECK_UINT(sent(&r), 0);
	CHECK_UINT(stats_get(&r.stats, linked_items), 0);
	ONE_FILE(&r, "d/one", "a", "z");
	rig_end(&r);
}

/* A store such as S3: each name is a whole object. */
static void
copies_name_their_group(void)
{
	struct rig r = links_begin();
	struct fake_object *a, *z;
	struct stat st;

	store_close(r.target);
	r.target = fake_open_copying();
	make_group(&r);
	come_of_age();
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(sent(&r), 2);
	CHECK_UINT(fake_calls(r.target, FAKE_LINK), 2);
	a = fake_find(r.target, "a");
	z = fake_find(r.target, "z");
	CHECK(fstatat(r.source, "a", &st, 0) == 0);
	CHECK(a->st.nlink > 1 && z->st.nlink > 1);
	CHECK_UINT(a->st.ino, st.st_ino);
	CHECK_UINT(z->st.ino, st.st_ino);
	CHECK_UINT(fake_find(r.target, "single")->st.nlink, 1);
	/* Content and metadata are right: nothing is copied again. */
	add_name(&r, "z", "new");
	CHECK_UINT(again(&r), RUN_OK);
	CHECK_UINT(fake_calls(r.target, FAKE_LINK), 1);
	CHECK_UINT(fake_calls(r.target, FAKE_SET_METADATA), 0);
	/* New metadata is each one's. */
	CHECK(fchmodat(r.source, "z", 0600, 0) == 0);
	CHECK_UINT(again(&r), RUN_OK);
	CHECK_UINT(sent(&r), 0);
	CHECK_UINT(a->st.mode & 07777, 0600);
	CHECK_UINT(z->st.mode & 07777, 0600);
	CHECK_UINT(fake_find(r.target, "new")->st.mode & 07777, 0600);
	/* Alone again. */
	CHECK(unlinkat(r.source, "z", 0) == 0);
	CHECK(unlinkat(r.source, "new", 0) == 0);
	CHECK(unlinkat(r.source, "d/one", 0) == 0);
	CHECK_UINT(again(&r), RUN_OK);
	CHECK_UINT(a->st.nlink, 1);
	CHECK_UINT(sent(&r), 0);
	rig_end(&r);
}

/* As engine.c has it, for files of one part and of many. */
struct stopper {
	struct rig *r;
	atomic_uint calls;
	unsigned at;
};

static void
stop_at_call(void *arg, enum fake_op op, const char *key)
{
	struct stopper *s = arg;

	(void)op;
	(void)key;
	if (atomic_fetch_add(&s->calls, 1) + 1 == s->at)
		atomic_store(&s->r->stop_soon, true);
}

static void
stopping_at_any_call_loses_no_link(void)
{
	unsigned fds = open_fds(), at;

	for (at = 1; at < 24; at++) {
		struct rig r = links_begin();
		struct stopper s = {.r = &r, .at = at};
		unsigned tries = 0;

		make_group(&r);
		make_file(&r, "big", 100 * KIB, 3);
		add_name(&r, "big", "big2");
		add_name(&r, "big", "d/big3");
		fake_on_call(r.target, stop_at_call, &s);
		while (run(&r) == RUN_INTERRUPTED && tries++ < 100) {
			atomic_store(&s.calls, 0);
			s.at += tries;
		}
		CHECK_UINT(r.result.outcome, RUN_OK);
		ONE_FILE(&r, "d/one", "a", "z");
		ONE_FILE(&r, "big", "big2", "d/big3");
		CHECK_UINT(fake_uploads(r.target), 0);
		rig_end(&r);
	}
	CHECK_UINT(open_fds(), fds);
}

static void
stop_at_part(void *arg, enum fake_op op, const char *key)
{
	struct rig *r = arg;

	(void)key;
	if (op == FAKE_PART && atomic_fetch_add(&r->count, 1) + 1 == 5)
		atomic_store(&r->stop_soon, true);
}

/* The name that is seen first isn't the one that was begun with. */
static void
parts_sent_under_another_name_are_kept(void)
{
	struct rig r = links_begin();
	struct filter *all = r.o.filter, *some;
	struct err e = ERR_INIT;
	uint64_t kept;

	some = filter_new(&e);
	CHECK(filter_exclude(some, "a*", &e) == 0);
	make_file(&r, "z-big", 200 * KIB, 3);
	add_name(&r, "z-big", "a-big");
	r.o.filter = some;
	fake_on_call(r.target, stop_at_part, &r);
	CHECK_UINT(run(&r), RUN_INTERRUPTED);
	kept = stats_get(&r.stats, kept_parts);
	CHECK(kept >= 4);
	fake_on_call(r.target, NULL, NULL);
	r.o.filter = all;
	CHECK_UINT(again(&r), RUN_OK);
	CHECK_UINT(stats_get(&r.stats, resumed_parts), kept);
	CHECK_UINT(fake_calls(r.target, FAKE_PART), 13 - kept);
	ONE_FILE(&r, "a-big", "z-big");

	/* It isn't there any more: nobody waits for ever. */
	make_file(&r, "z-big", 201 * KIB, 4);
	atomic_store(&r.count, 0);
	r.o.filter = some;
	fake_on_call(r.target, stop_at_part, &r);
	CHECK_UINT(run(&r), RUN_INTERRUPTED);
	fake_on_call(r.target, NULL, NULL);
	filter_free(some);
	some = filter_new(&e);
	CHECK(filter_exclude(some, "z*", &e) == 0);
	r.o.filter = some;
	CHECK_UINT(again(&r), RUN_OK);
	CHECK(arrived(&r, "a-big"));
	CHECK_UINT(fake_uploads(r.target), 0);
	r.o.filter = all;
	filter_free(some);
	rig_end(&r);
}

int
main(void)
{
	log_set_level(LOG_ERROR);
	RUN(content_is_sent_once);
	RUN(unasked_each_name_is_a_file);
	RUN(asked_later_names_are_linked_without_sending);
	RUN(thousands_of_names_wait_for_a_big_file);
	RUN(where_the_first_fails_the_next_leads);
	RUN(a_link_that_fails_in_passing_is_tried_again);
	RUN(changed_content_goes_once_and_to_all);
	RUN(changed_metadata_is_set_once);
	RUN(a_new_name_is_linked_and_the_others_left_alone);
	RUN(a_name_that_left_is_a_file_of_its_own);
	RUN(what_others_changed_there_is_not_linked_to);
	RUN(where_it_cant_be_each_name_is_a_file);
	RUN(a_full_file_is_followed_by_another);
	RUN(a_dry_run_tells_what_would_be_linked);
	RUN(what_is_there_as_links_is_adopted);
	RUN(copies_name_their_group);
	RUN(parts_sent_under_another_name_are_kept);
	RUN(stopping_at_any_call_loses_no_link);
	return check_end();
}
