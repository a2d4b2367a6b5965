/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/rig.h"

static void
make_tree(struct rig *r)
{
	char name[64];
	unsigned i;

	tree_dir(r->source, "d");
	tree_dir(r->source, "d/e");
	for (i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "d/e/small%u", i);
		make_file(r, name, i * 100, i);
	}
	make_file(r, "empty", 0, 0);
	make_file(r, "d/big1", 200 * KIB + 1, 1);
	make_file(r, "d/big2", 64 * KIB, 2);
	make_file(r, "d/almost", 64 * KIB - 1, 3);
}

/* Whether the ledger knows no unfinished upload and no intent. */
static bool
no_upload_known(struct rig *r)
{
	AUTO(ledger) struct ledger *l = open_ledger(r, LEDGER_READ);
	struct ledger_upload *u = NULL;
	struct err e = ERR_INIT;
	size_t n = 1;

	if (ledger_uploads(l, &u, &n, &e) == 0)
		ledger_uploads_free(u, n);
	return n == 0;
}

static void
a_tree_arrives_and_then_nothing_is_asked(void)
{
	struct rig r = rig_begin();

	make_tree(&r);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(fake_objects(r.target), 46);
	CHECK(fake_find(r.target, "") != NULL);
	CHECK(arrived(&r, "d/big1"));
	CHECK(arrived(&r, "d/big2"));
	CHECK(arrived(&r, "d/almost"));
	CHECK(arrived(&r, "d/e/small39"));
	CHECK(arrived(&r, "empty"));
	CHECK_UINT(fake_calls(r.target, FAKE_PART), 13 + 4);
	CHECK_UINT(stats_get(&r.stats, done_items), 46);
	CHECK(no_upload_known(&r));
	CHECK(nothing_more_to_do(&r));
	CHECK_UINT(fake_calls(r.target, FAKE_PROBE), 0);
	rig_end(&r);
}

/* What a crash at the beginning of this call would leave in the ledger. */
static void
look_at_ledger(void *arg, enum fake_op op, const char *key)
{
	struct rig *r = arg;
	AUTO(ledger) struct ledger *l = NULL;
	struct ledger_upload *all = NULL;
	struct store_part *parts = NULL;
	struct err e = ERR_INIT;
	size_t n = 0, i, m = 0;
	bool right = false;

	if (op != FAKE_BEGIN && op != FAKE_PART && op != FAKE_COMPLETE)
		return;
	l = open_ledger(r, LEDGER_READ);
	if (ledger_uploads(l, &all, &n, &e) == 0)
		for (i = 0; i < n; i++) {
			if (strcmp(all[i].path, key) != 0)
				continue;
			right = op == FAKE_BEGIN || all[i].store_id[0] != '\0';
			if (op == FAKE_COMPLETE &&
			    ledger_parts(l, all[i].id, &parts, &m, &e) == 0)
				right = m ==
				    (all[i].st.size + 16 * KIB - 1) /
					(16 * KIB);
			free(parts);
			parts = NULL;
		}
	ledger_uploads_free(all, n);
	if (!right)
		atomic_fetch_add(&r->count, 1);
}

static void
what_a_request_relies_on_is_durable_before_it(void)
{
	struct rig r = rig_begin();

	make_tree(&r);
	fake_on_call(r.target, look_at_ledger, &r);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(atomic_load(&r.count), 0);
	rig_end(&r);
}

static void
what_may_pass_is_tried_again(void)
{
	static const enum err_kind kinds[] = {
	    ERR_NET, ERR_THROTTLE, ERR_SERVER};
	static const enum fake_op ops[] = {
	    FAKE_PUT, FAKE_BEGIN, FAKE_PART, FAKE_COMPLETE, FAKE_MKDIR};
	struct rig r = rig_begin();
	size_t i, k;

	make_tree(&r);
	for (i = 0; i < 5; i++)
		for (k = 0; k < 3; k++)
			fake_fault(r.target,
			    &(struct fake_fault){.op = ops[i],
				.after = (unsigned)k,
				.times = 1,
				.kind = kinds[k]});
	CHECK_UINT(run(&r), RUN_OK);
	CHECK(stats_get(&r.stats, retries) >= 10);
	CHECK(arrived(&r, "d/big1"));
	CHECK(arrived(&r, "d/e/small1"));
	CHECK_UINT(fake_uploads(r.target), 0);
	CHECK(nothing_more_to_do(&r));
	rig_end(&r);
}

static int
count_failure(void *arg, const struct ledger_failure *f, struct err *e)
{
	(void)f;
	(void)e;
	++*(unsigned *)arg;
	return 0;
}

static void
one_refused_file_stops_no_other(void)
{
	struct rig r = rig_begin();
	struct ledger *l;
	struct err e = ERR_INIT;
	unsigned failures = 0;

	make_tree(&r);
	fake_fault(r.target,
	    &(struct fake_fault){.op = FAKE_PUT,
		.key = "empty",
		.times = 9,
		.kind = ERR_DENIED});
	fake_fault(r.target,
	    &(struct fake_fault){.op = FAKE_PART,
		.key = "d/big1",
		.after = 3,
		.times = 1,
		.kind = ERR_DENIED});
	CHECK_UINT(run(&r), RUN_FAILURES);
	CHECK_UINT(stats_get(&r.stats, failed_items), 2);
	CHECK_UINT(fake_objects(r.target), 44);
	l = open_ledger(&r, LEDGER_READ);
	CHECK_UINT(
	    ledger_failures(l, r.result.run_id, count_failure, &failures, &e),
	    0);
	CHECK_UINT(failures, 2);
	ledger_close(l);
	/* What was sent of the big one is kept. */
	CHECK(stats_get(&r.stats, kept_parts) >= 3);
	CHECK_UINT(fake_uploads(r.target), 1);
	fake_forget_faults(r.target);
	fake_forget_calls(r.target);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK(fake_calls(r.target, FAKE_PART) <= 10);
	CHECK_UINT(fake_calls(r.target, FAKE_BEGIN), 0);
	CHECK(arrived(&r, "d/big1"));
	CHECK(arrived(&r, "empty"));
	CHECK_UINT(fake_uploads(r.target), 0);
	rig_end(&r);
}

static void
a_dead_store_ends_the_run(void)
{
	struct rig r = rig_begin();
	char name[64];
	unsigned i;

	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		make_file(&r, name, 10, i);
	}
	r.o.retries = 1;
	fake_fault(r.target,
	    &(struct fake_fault){.op = FAKE_PUT,
		.times = 1000,
		.kind = ERR_SERVER,
		.delay_ms = 2});
	CHECK_UINT(run(&r), RUN_UNREACHABLE);
	CHECK(stats_get(&r.stats, failed_items) >= ENGINE_HOPELESS);
	CHECK(fake_calls(r.target, FAKE_PUT) < 100);
	CHECK(nothing_more_to_do(&r) == false);
	CHECK_UINT(fake_objects(r.target), 200);
	rig_end(&r);
}

static void
change_once(void *arg, enum fake_op op, const char *key)
{
	struct rig *r = arg;

	if (op == FAKE_BEGIN && strcmp(key, "d/big1") == 0 && r->count++ == 0)
		make_file(r, "d/big1", 150 * KIB, 77);
}

static void
a_file_that_changes_is_sent_as_it_is_then(void)
{
	struct rig r = rig_begin();

	make_tree(&r);
	fake_on_call(r.target, change_once, &r);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(r.count, 2);
	CHECK(arrived(&r, "d/big1"));
	CHECK_UINT(fake_uploads(r.target), 0);
	CHECK_UINT(fake_calls(r.target, FAKE_ABORT), 1);
	CHECK(no_upload_known(&r));
	CHECK(nothing_more_to_do(&r));
	rig_end(&r);
}

static void
shrink_once(void *arg, enum fake_op op, const char *key)
{
	struct rig *r = arg;

	if (op == FAKE_BEGIN && strcmp(key, "d/big1") == 0 && r->count++ == 0)
		make_file(r, "d/big1", 100, 78);
}

static void
a_big_file_that_becomes_small_goes_in_one_put(void)
{
	struct rig r = rig_begin();

	make_tree(&r);
	fake_on_call(r.target, shrink_once, &r);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK(arrived(&r, "d/big1"));
	CHECK_UINT(fake_uploads(r.target), 0);
	CHECK(no_upload_known(&r));
	rig_end(&r);
}

static void
an_upload_that_the_store_lost_starts_over(void)
{
	static const enum fake_op ops[] = {FAKE_PART, FAKE_COMPLETE};
	size_t i;

	for (i = 0; i < 2; i++) {
		struct rig r = rig_begin();

		make_file(&r, "big", 200 * KIB, 1);
		fake_fault(r.target,
		    &(struct fake_fault){.op = ops[i],
			.after = i == 0 ? 5 : 0,
			.times = 1,
			.kind = ERR_GONE});
		CHECK_UINT(run(&r), RUN_OK);
		CHECK(arrived(&r, "big"));
		CHECK_UINT(fake_calls(r.target, FAKE_BEGIN), 2);
		CHECK(no_upload_known(&r));
		rig_end(&r);
	}
}

static void
stop_at_part(void *arg, enum fake_op op, const char *key)
{
	struct rig *r = arg;

	(void)key;
	if (op == FAKE_PART && ++r->count == 7)
		atomic_store(&r->stop_soon, true);
}

/* Stops a run in the middle of a file of 20 parts. */
static struct rig
stopped_rig(void)
{
	struct rig r = rig_begin();

	make_file(&r, "big", 320 * KIB, 1);
	fake_on_call(r.target, stop_at_part, &r);
	CHECK_UINT(run(&r), RUN_INTERRUPTED);
	CHECK(stats_get(&r.stats, kept_parts) >= 5);
	fake_on_call(r.target, NULL, NULL);
	fake_forget_calls(r.target);
	return r;
}

static void
a_stopped_run_goes_on_where_it_was(void)
{
	struct rig r = stopped_rig();
	uint64_t kept = stats_get(&r.stats, kept_parts);

	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(fake_calls(r.target, FAKE_PART), 20 - kept);
	CHECK_UINT(fake_calls(r.target, FAKE_BEGIN), 0);
	CHECK_UINT(stats_get(&r.stats, resumed_parts), kept);
	CHECK(arrived(&r, "big"));
	CHECK(no_upload_known(&r));
	rig_end(&r);
}

static void
what_the_store_lost_meanwhile_is_sent_anew(void)
{
	struct rig r = stopped_rig();

	fake_forget_uploads(r.target);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(fake_calls(r.target, FAKE_PART), 20);
	CHECK(arrived(&r, "big"));
	CHECK(no_upload_known(&r));
	rig_end(&r);
}

static void
a_source_that_changed_meanwhile_starts_over(void)
{
	struct rig r = stopped_rig();

	make_file(&r, "big", 300 * KIB, 9);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(fake_calls(r.target, FAKE_ABORT), 1);
	CHECK(arrived(&r, "big"));
	CHECK_UINT(fake_uploads(r.target), 0);
	CHECK(no_upload_known(&r));
	rig_end(&r);
}

static void
an_upload_of_a_file_that_is_gone_is_aborted(void)
{
	struct rig r = stopped_rig();

	unlinkat(r.source, "big", 0);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(fake_uploads(r.target), 0);
	CHECK_UINT(stats_get(&r.stats, aborted_uploads), 1);
	CHECK(no_upload_known(&r));
	rig_end(&r);
}

static void
other_settings_dont_lose_what_was_sent(void)
{
	struct rig r = stopped_rig();
	uint64_t kept = stats_get(&r.stats, kept_parts);

	r.o.part_bytes = 50 * KIB;
	r.o.concurrency = 1;
	r.o.transfers = 1;
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(fake_calls(r.target, FAKE_PART), 20 - kept);
	CHECK(arrived(&r, "big"));
	rig_end(&r);
}

static void
a_lost_answer_costs_nothing_but_time(void)
{
	static const enum fake_op ops[] = {
	    FAKE_PUT, FAKE_BEGIN, FAKE_PART, FAKE_COMPLETE};
	struct rig r = rig_begin();
	size_t i;

	make_tree(&r);
	for (i = 0; i < 4; i++)
		fake_fault(r.target,
		    &(struct fake_fault){.op = ops[i],
			.times = 1,
			.kind = ERR_NET,
			.lost = true});
	CHECK_UINT(run(&r), RUN_OK);
	CHECK(arrived(&r, "d/big1"));
	CHECK(arrived(&r, "d/big2"));
	/* The first to begin was never heard of again. */
	CHECK_UINT(fake_uploads(r.target), 0);
	CHECK_UINT(fake_calls(r.target, FAKE_BEGIN), 3);
	CHECK_UINT(stats_get(&r.stats, aborted_uploads), 1);
	CHECK(nothing_more_to_do(&r));
	rig_end(&r);
}

/* An intent as a killed run leaves it, of KEY in the root. */
static void
leave_intent(struct rig *r, const char *key, int64_t ago_ns)
{
	AUTO(ledger) struct ledger *l = open_ledger(r, LEDGER_WRITE);
	struct ledger_upload u = {
	    .path = strdup(key),
	    .path_len = strlen(key),
	    .name_len = strlen(key),
	    .st = {.type = ITEM_FILE, .size = 99},
	    .part_bytes = 16 * KIB,
	    .begun_ns = clock_wall_ns() - ago_ns,
	};
	struct err e = ERR_INIT;

	CHECK_UINT(ledger_dir_id(l, "", 0, true, &u.dir_id, &e), 0);
	CHECK_UINT(ledger_upload_intend(l, &u, &e), 0);
	CHECK_UINT(ledger_commit(l, &e), 0);
	free(u.path);
}

static void
what_an_intent_began_is_aborted(void)
{
	struct rig r = rig_begin();

	leave_intent(&r, "x", (int64_t)120 * 1000000000);
	fake_begin_upload(r.target, "x");
	fake_begin_upload(r.target, "y");
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(fake_uploads(r.target), 1); /* y is not ours */
	CHECK_UINT(stats_get(&r.stats, aborted_uploads), 1);
	CHECK(no_upload_known(&r));
	rig_end(&r);
}

static void
a_young_intent_is_looked_after_again(void)
{
	struct rig r = rig_begin();

	leave_intent(&r, "x", 1000000000);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK(!no_upload_known(&r));
	/* The killed run's request comes late. */
	fake_begin_upload(r.target, "x");
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(fake_uploads(r.target), 0);
	rig_end(&r);
}

static void
an_intent_takes_no_kept_upload_with_it(void)
{
	struct rig r = stopped_rig();
	uint64_t kept = stats_get(&r.stats, kept_parts);

	leave_intent(&r, "big", (int64_t)120 * 1000000000);
	fake_begin_upload(r.target, "big");
	fake_fault(r.target,
	    &(struct fake_fault){
		.op = FAKE_PART, .times = 1, .kind = ERR_DENIED});
	CHECK_UINT(run(&r), RUN_FAILURES);
	CHECK_UINT(fake_uploads(r.target), 1);
	fake_forget_calls(r.target);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK(fake_calls(r.target, FAKE_PART) <= 20 - kept);
	CHECK(arrived(&r, "big"));
	CHECK_UINT(fake_uploads(r.target), 0);
	rig_end(&r);
}

static void
a_dry_run_changes_nothing(void)
{
	struct rig r = rig_begin();
	char path[4300];
	unsigned i;

	make_tree(&r);
	r.o.dry_run = true;
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(stats_get(&r.stats, queued_items), 46);
	for (i = FAKE_STAT; i < FAKE_OPS; i++)
		CHECK_UINT(fake_calls(r.target, i), 0);
	CHECK_UINT(fake_objects(r.target), 0);
	snprintf(path, sizeof(path), "%s/task", r.state);
	CHECK(access(path, F_OK) == -1);
	rig_end(&r);
}

static int64_t
mtime_of(struct rig *r, const char *name)
{
	struct stat st = {0};

	fstatat(r->source, name, &st, 0);
	return item_time_ns(st.st_mtim);
}

static void
what_is_there_is_adopted(void)
{
	struct rig r = rig_begin();

	make_file(&r, "same", 100, 1);
	make_file(&r, "older", 100, 2);
	make_file(&r, "longer", 100, 3);
	fake_put(r.target, "same", "?", 1, mtime_of(&r, "same"));
	fake_find(r.target, "same")->len = 100;
	fake_put(r.target, "older", "?", 1, 12345);
	fake_find(r.target, "older")->len = 100;
	fake_put(r.target, "longer", "?", 1, mtime_of(&r, "longer"));
	r.reconcile = true;
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(stats_get(&r.stats, adopted_items), 1);
	CHECK_UINT(stats_get(&r.stats, done_items), 2);
	CHECK_UINT(fake_calls(r.target, FAKE_PUT), 2);
	CHECK(arrived(&r, "older"));
	CHECK(arrived(&r, "longer"));
	rig_end(&r);
}

/* What a task with another ledger has sent. */
static struct rig
sent_rig(void)
{
	struct rig r = rig_begin();

	make_tree(&r);
	CHECK_UINT(run(&r), RUN_OK);
	snprintf(r.state, sizeof(r.state), "%s/another", tree_path);
	fake_forget_calls(r.target);
	r.reconcile = true;
	return r;
}

static void
what_is_adopted_gets_its_owner_and_mode(void)
{
	struct rig r = sent_rig();

	fake_find(r.target, "d/almost")->st.mode = S_IFREG | 0600;
	fake_find(r.target, "d/big2")->st.uid++;
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(stats_get(&r.stats, adopted_items), 44);
	CHECK_UINT(stats_get(&r.stats, verified_items), 0);
	CHECK_UINT(stats_get(&r.stats, done_items), 2); /* directories */
	CHECK_UINT(fake_calls(r.target, FAKE_SET_METADATA), 2);
	CHECK_UINT(fake_calls(r.target, FAKE_PUT), 0);
	CHECK_UINT(fake_calls(r.target, FAKE_READ), 0);
	CHECK_UINT(fake_find(r.target, "d/almost")->st.mode, S_IFREG | 0644);
	CHECK_UINT(fake_find(r.target, "d/big2")->st.uid, geteuid());
	rig_end(&r);
}

static void
what_the_store_cant_prove_is_adopted_by_reading(void)
{
	struct rig r = sent_rig();

	fake_prove_nothing(r.target);
	/* As long and as old, but not the same. */
	fake_find(r.target, "d/almost")->data[70] ^= 1;
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(stats_get(&r.stats, adopted_items), 43);
	CHECK_UINT(stats_get(&r.stats, verified_items), 44);
	CHECK_UINT(stats_get(&r.stats, done_items), 3);
	CHECK_UINT(fake_calls(r.target, FAKE_PUT), 1);
	CHECK(arrived(&r, "d/almost"));
	/* And the ledger has digests to go by. */
	fchmodat(r.source, "d/big1", 0600, 0);
	fake_forget_calls(r.target);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(stats_get(&r.stats, metadata_items), 1);
	CHECK_UINT(fake_calls(r.target, FAKE_BEGIN), 0);
	rig_end(&r);
}

static void
what_is_not_proved_is_read_back(void)
{
	struct rig r = rig_begin();

	make_tree(&r);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(fake_calls(r.target, FAKE_READ), 0);
	CHECK_UINT(stats_get(&r.stats, verified_items), 44);
	snprintf(r.state, sizeof(r.state), "%s/another", tree_path);
	fake_prove_nothing(r.target);
	CHECK_UINT(run(&r), RUN_OK);
	/* But for the empty ones. */
	CHECK_UINT(fake_calls(r.target, FAKE_READ), 40 + 13 + 4);
	CHECK_UINT(stats_get(&r.stats, verified_items), 44);
	snprintf(r.state, sizeof(r.state), "%s/third", tree_path);
	fake_forget_calls(r.target);
	r.o.verify = VERIFY_NONE;
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(fake_calls(r.target, FAKE_READ), 0);
	CHECK_UINT(stats_get(&r.stats, verified_items), 0);
	CHECK_UINT(stats_get(&r.stats, done_items), 46);
	rig_end(&r);
}

static void
damage_before_it_is_read(void *arg, enum fake_op op, const char *key)
{
	struct rig *r = arg;

	if (op == FAKE_READ &&
	    (strcmp(key, "d/big1") == 0 || strcmp(key, "d/almost") == 0) &&
	    fake_find(r->target, key)->puts == 1)
		fake_find(r->target, key)->data[50] ^= 1;
}

static void
what_is_read_back_wrong_is_sent_again(void)
{
	struct rig r = rig_begin();

	make_tree(&r);
	fake_prove_nothing(r.target);
	fake_on_call(r.target, damage_before_it_is_read, &r);
	r.o.transfers = r.o.concurrency = 1;
	CHECK_UINT(run(&r), RUN_OK);
	CHECK(arrived(&r, "d/big1"));
	CHECK(arrived(&r, "d/almost"));
	CHECK_UINT(fake_find(r.target, "d/big1")->puts, 2);
	CHECK_UINT(fake_find(r.target, "d/almost")->puts, 2);
	rig_end(&r);
}

/* What an earlier run's parts prove is known to the next. */
static void
parts_stay_proved_over_a_crash(void)
{
	struct rig r = stopped_rig();
	uint64_t kept = stats_get(&r.stats, kept_parts);

	fake_prove_nothing(r.target);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(fake_calls(r.target, FAKE_READ), 20 - kept);
	CHECK(arrived(&r, "big"));
	rig_end(&r);
}

static void
touched_files_are_not_sent_again(void)
{
	struct rig r = rig_begin();

	make_tree(&r);
	CHECK_UINT(run(&r), RUN_OK);
	fake_forget_calls(r.target);
	utimensat(r.source, "d/big1", NULL, 0);
	utimensat(r.source, "d/almost", NULL, 0);
	make_file(&r, "d/big2", 64 * KIB, 99);
	make_file(&r, "d/e/small9", 900, 99);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(stats_get(&r.stats, metadata_items), 2);
	CHECK_UINT(fake_calls(r.target, FAKE_SET_METADATA), 2);
	CHECK_UINT(fake_calls(r.target, FAKE_PUT), 1);
	CHECK_UINT(fake_calls(r.target, FAKE_BEGIN), 1);
	CHECK(arrived(&r, "d/big1"));
	CHECK(arrived(&r, "d/big2"));
	CHECK(arrived(&r, "d/e/small9"));
	CHECK(nothing_more_to_do(&r));
	rig_end(&r);
}

static void
what_others_put_there_is_given_no_metadata(void)
{
	struct rig r = rig_begin();

	make_tree(&r);
	CHECK_UINT(run(&r), RUN_OK);
	fake_put(r.target, "d/almost", "other", 5, 1);
	fake_put(r.target, "d/big1", "other", 5, 1);
	fchmodat(r.source, "d/almost", 0600, 0);
	utimensat(r.source, "d/big1", NULL, 0);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(stats_get(&r.stats, metadata_items), 0);
	CHECK(arrived(&r, "d/almost"));
	CHECK(arrived(&r, "d/big1"));
	CHECK(nothing_more_to_do(&r));
	rig_end(&r);
}

/* Another ctime, another inode: nothing that the target would know. */
static void
what_moved_at_the_source_alone_asks_for_nothing(void)
{
	struct rig r = rig_begin();
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
	struct stat file, dir;

	make_tree(&r);
	fstatat(r.source, "d/almost", &file, 0);
	fstatat(r.source, "d", &dir, 0);
	CHECK_UINT(run(&r), RUN_OK);
	fchmodat(r.source, "d/big1", 0600, 0);
	fchmodat(r.source, "d/big1", 0644, 0);
	make_file(&r, "d/copy", 64 * KIB - 1, 3);
	times[1] = file.st_mtim;
	utimensat(r.source, "d/copy", times, 0);
	CHECK(renameat(r.source, "d/copy", r.source, "d/almost") == 0);
	times[1] = dir.st_mtim;
	utimensat(r.source, "d", times, 0);
	CHECK(nothing_more_to_do(&r));
	CHECK_UINT(stats_get(&r.stats, metadata_items), 0);
	CHECK_UINT(stats_get(&r.stats, unchanged_items), 46);
	CHECK_UINT(stats_get(&r.stats, queued_items), 0);
	CHECK_UINT(stats_get(&r.stats, queued_bytes), 0);
	rig_end(&r);
}

/* The ctime that the ledger has of file NAME in the root. */
static int64_t
recorded_ctime(struct rig *r, const char *name)
{
	AUTO(ledger) struct ledger *l = open_ledger(r, LEDGER_READ);
	struct ledger_file row;
	struct err e = ERR_INIT;
	int64_t dir, ctime_ns = -2;

	if (ledger_dir_id(l, "", 0, false, &dir, &e) == -1 ||
	    ledger_diff_begin(l, dir, NULL, NULL, &e) == -1)
		return -1;
	while (ledger_diff_next(l, &row, &e) == 1)
		if (row.name_len == strlen(name) &&
		    memcmp(row.name, name, row.name_len) == 0)
			ctime_ns = row.st.ctime_ns;
	return ctime_ns;
}

static void
a_file_too_young_to_be_sure_of_is_looked_at_again(void)
{
	struct rig r = rig_begin();
	struct timespec wait = {.tv_sec = 2, .tv_nsec = 100000000};
	struct stat small, big;

	make_file(&r, "small", 100, 1);
	make_file(&r, "big", 100 * KIB, 2);
	fstatat(r.source, "small", &small, 0);
	fstatat(r.source, "big", &big, 0);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK(recorded_ctime(&r, "small") == -1);
	CHECK(recorded_ctime(&r, "big") == -1);
	nanosleep(&wait, NULL);
	/* It is read and hashed, and nothing else. */
	CHECK(nothing_more_to_do(&r));
	CHECK_UINT(stats_get(&r.stats, unchanged_items), 2);
	CHECK(recorded_ctime(&r, "small") == item_time_ns(small.st_ctim));
	CHECK(recorded_ctime(&r, "big") == item_time_ns(big.st_ctim));
	/* What was at rest is recorded as it is at once. */
	snprintf(r.state, sizeof(r.state), "%s/another", tree_path);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK(recorded_ctime(&r, "small") == item_time_ns(small.st_ctim));
	CHECK(recorded_ctime(&r, "big") == item_time_ns(big.st_ctim));
	rig_end(&r);
}

static void
a_ctime_is_young_for_two_seconds(void)
{
	const int64_t s = 1000000000, now = 1700000000 * s;
	struct item_stat st = {.ctime_ns = now};

	CHECK(item_is_racy(&st, now) && item_is_racy(&st, now + s));
	CHECK(!item_is_racy(&st, now + 2 * s));
	/* A server's clock may be ahead of ours, but not by days. */
	CHECK(item_is_racy(&st, now - 60 * s));
	CHECK(!item_is_racy(&st, now - 86400 * s));
	/* Where mtime is all that moves, and the clock is another one. */
	st = (struct item_stat){.mtime_ns = now - 50 * s};
	CHECK(item_is_racy(&st, now));
	st.mtime_ns = now - 70 * s;
	CHECK(!item_is_racy(&st, now));
	st.ino = 1;
	st.mtime_ns = now;
	CHECK(!item_is_racy(&st, now));
}

static void
reconciling_finds_what_others_did(void)
{
	struct rig r = rig_begin();

	make_tree(&r);
	CHECK_UINT(run(&r), RUN_OK);
	fake_put(r.target, "d/e/small7", "other", 5, 1);
	fake_put(r.target, "d/big2", "other", 5, 1);
	CHECK(nothing_more_to_do(&r)); /* the ledger doesn't know */
	r.reconcile = true;
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(stats_get(&r.stats, drift_items), 2);
	CHECK(arrived(&r, "d/e/small7"));
	CHECK(arrived(&r, "d/big2"));
	rig_end(&r);
}

static void
a_directory_that_fails_stops_no_other(void)
{
	struct rig r = rig_begin();

	make_tree(&r);
	fake_fault(r.target,
	    &(struct fake_fault){
		.op = FAKE_MKDIR, .key = "d", .times = 1, .kind = ERR_EXISTS});
	CHECK_UINT(run(&r), RUN_FAILURES);
	CHECK_UINT(stats_get(&r.stats, failed_items), 1);
	CHECK_UINT(fake_objects(r.target), 45);
	fake_forget_calls(r.target);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(fake_calls(r.target, FAKE_MKDIR), 1);
	CHECK_UINT(fake_calls(r.target, FAKE_PUT), 0);
	rig_end(&r);
}

struct watch {
	struct rig *r;
	_Atomic uint64_t most;
};

static void
watch_jobs(void *arg, enum fake_op op, const char *key)
{
	struct watch *w = arg;
	uint64_t alive = stats_get(&w->r->stats, queued_items) -
	    stats_get(&w->r->stats, done_items);

	(void)op;
	(void)key;
	if (alive > atomic_load(&w->most) && alive < UINT64_MAX / 2)
		atomic_store(&w->most, alive);
}

static void
jobs_are_bounded_however_many_files(void)
{
	struct rig r = rig_begin();
	struct watch w = {.r = &r};
	char name[64];
	unsigned i;

	for (i = 0; i < 12000; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		make_file(&r, name, 1, i);
	}
	/* Even where nearly all of them wait for another try. */
	fake_fault(r.target,
	    &(struct fake_fault){
		.op = FAKE_PUT, .times = 6000, .kind = ERR_NET});
	r.o.retries = 40;
	fake_on_call(r.target, watch_jobs, &w);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(fake_objects(r.target), 12000);
	CHECK(atomic_load(&w.most) <=
	    ENGINE_JOBS_MAX + SCAN_BATCH_MAX + 4 /* workers */);
	rig_end(&r);
}

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
stopping_at_any_call_loses_nothing(void)
{
	unsigned fds = open_fds(), at;

	for (at = 1; at < 90; at += 4) {
		struct rig r = rig_begin();
		struct stopper s = {.r = &r, .at = at};
		unsigned tries = 0;

		make_tree(&r);
		fake_on_call(r.target, stop_at_call, &s);
		while (run(&r) == RUN_INTERRUPTED && tries++ < 200) {
			atomic_store(&s.calls, 0);
			s.at += tries;
		}
		CHECK_UINT(r.result.outcome, RUN_OK);
		CHECK(tries < 200);
		CHECK_UINT(fake_objects(r.target), 46);
		CHECK_UINT(fake_uploads(r.target), 0);
		CHECK(arrived(&r, "d/big1"));
		CHECK(arrived(&r, "d/big2"));
		rig_end(&r);
	}
	CHECK_UINT(open_fds(), fds);
}

static bool
remove_file(struct rig *r, const char *name)
{
	return unlinkat(r->source, name, 0) == 0;
}

/* The fates that the ledger has of run RUN_ID, by number. */
struct fates {
	unsigned n[8];
};

static int
count_fate(void *arg, const struct ledger_deletion *d, struct err *e)
{
	struct fates *f = arg;

	(void)e;
	f->n[d->fate]++;
	return 0;
}

static struct fates
fates_of_last_run(struct rig *r)
{
	AUTO(ledger) struct ledger *l = open_ledger(r, LEDGER_READ);
	struct err e = ERR_INIT;
	struct ledger_run run;
	struct fates f = {.n = {0}};

	CHECK_UINT(ledger_run_get(l, INT64_MAX, &run, &e), 1);
	CHECK_UINT(ledger_deletions(l, run.id, count_fate, &f, &e), 0);
	return f;
}

/* A run of --delete after ten of the tree's small files went. */
static struct rig
mirror_begin(void)
{
	struct rig r = rig_begin();
	char name[64];
	unsigned i;

	make_tree(&r);
	r.o.delete_extra = true;
	CHECK_UINT(run(&r), RUN_OK);
	for (i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "d/e/small%u", i);
		CHECK(remove_file(&r, name));
	}
	fake_forget_calls(r.target);
	return r;
}

/* What a crash at the beginning of a removal would leave. */
static void
look_at_intents(void *arg, enum fake_op op, const char *key)
{
	struct rig *r = arg;

	(void)key;
	if (op != FAKE_REMOVE)
		return;
	if (fates_of_last_run(r).n[FATE_OPEN] != 10)
		atomic_fetch_add(&r->count, 1);
}

static void
what_is_gone_is_deleted_and_its_intent_is_durable_before(void)
{
	struct rig r = mirror_begin();
	struct fates f;

	fake_on_call(r.target, look_at_intents, &r);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(atomic_load(&r.count), 0);
	CHECK_UINT(fake_calls(r.target, FAKE_REMOVE), 10);
	CHECK_UINT(fake_calls(r.target, FAKE_LIST), 0);
	CHECK_UINT(fake_objects(r.target), 36);
	CHECK_UINT(stats_get(&r.stats, deleted_items), 10);
	f = fates_of_last_run(&r);
	CHECK_UINT(f.n[FATE_DELETED], 10);
	CHECK_UINT(f.n[FATE_OPEN], 0);
	CHECK(nothing_more_to_do(&r));
	rig_end(&r);
}

static void
a_removal_that_may_pass_is_tried_again(void)
{
	struct rig r = mirror_begin();

	fake_fault(r.target,
	    &(struct fake_fault){.op = FAKE_REMOVE,
		.key = "d/e/small3",
		.times = 2,
		.kind = ERR_SERVER});
	fake_fault(r.target,
	    &(struct fake_fault){.op = FAKE_REMOVE,
		.key = "d/e/small4",
		.times = 1,
		.kind = ERR_NET,
		.lost = true});
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(fake_objects(r.target), 36);
	CHECK_UINT(stats_get(&r.stats, deleted_items), 10);
	CHECK_UINT(fates_of_last_run(&r).n[FATE_DELETED], 10);
	CHECK(nothing_more_to_do(&r));
	rig_end(&r);
}

static void
a_removal_that_is_refused_fails_alone(void)
{
	struct rig r = mirror_begin();

	fake_fault(r.target,
	    &(struct fake_fault){.op = FAKE_REMOVE,
		.key = "d/e/small3",
		.times = 1,
		.kind = ERR_DENIED});
	CHECK_UINT(run(&r), RUN_FAILURES);
	CHECK_UINT(fake_objects(r.target), 37);
	CHECK_UINT(fates_of_last_run(&r).n[FATE_DELETED], 9);
	CHECK_UINT(fates_of_last_run(&r).n[FATE_FAILED], 1);
	/* Its row is there still: the next run tries it again. */
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(fake_objects(r.target), 36);
	rig_end(&r);
}

static void
what_others_changed_is_not_deleted(void)
{
	struct rig r = mirror_begin();

	fake_put(r.target, "d/e/small3", "theirs", 6, 7);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK(fake_find(r.target, "d/e/small3") != NULL);
	CHECK_UINT(fates_of_last_run(&r).n[FATE_CHANGED], 1);
	CHECK_UINT(stats_get(&r.stats, kept_items), 1);
	/* It is nobody's we know, until a listing says so. */
	fake_forget_calls(r.target);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(fake_calls(r.target, FAKE_REMOVE), 0);
	r.reconcile = true;
	CHECK_UINT(run(&r), RUN_OK);
	CHECK(fake_find(r.target, "d/e/small3") == NULL);
	rig_end(&r);
}

/* A file that comes back while the run is about to delete it. */
static void
bring_back(void *arg, enum fake_op op, const char *key)
{
	struct rig *r = arg;

	if (op == FAKE_STAT && strcmp(key, "d/e/small2") == 0)
		make_file(r, "d/e/small7", 700, 7);
}

static void
what_came_back_is_not_deleted(void)
{
	struct rig r = mirror_begin();

	fake_on_call(r.target, bring_back, &r);
	CHECK_UINT(run(&r), RUN_OK);
	CHECK(fake_find(r.target, "d/e/small7") != NULL);
	CHECK_UINT(fates_of_last_run(&r).n[FATE_RETURNED], 1);
	rig_end(&r);
}

static void
a_dry_run_deletes_nothing(void)
{
	struct rig r = mirror_begin();

	r.o.dry_run = true;
	CHECK_UINT(run(&r), RUN_OK);
	CHECK_UINT(fake_calls(r.target, FAKE_REMOVE), 0);
	CHECK_UINT(stats_get(&r.stats, deleted_items), 10);
	CHECK_UINT(fake_objects(r.target), 46);
	rig_end(&r);
}

static void
a_guarded_run_deletes_nothing_and_says_so(void)
{
	struct rig r = mirror_begin();

	r.o.max_delete_set = true;
	r.o.max_delete = 9;
	CHECK_UINT(run(&r), RUN_GUARDED);
	CHECK_UINT(r.result.why.kind, ERR_GUARD);
	CHECK_UINT(fake_calls(r.target, FAKE_REMOVE), 0);
	CHECK_UINT(fates_of_last_run(&r).n[FATE_OPEN], 0);
	CHECK_UINT(stats_get(&r.stats, gone_items), 10);
	rig_end(&r);
}

static void
a_stopped_deletion_is_decided_anew(void)
{
	unsigned at;

	for (at = 1; at < 12; at += 2) {
		struct rig r = mirror_begin();
		struct stopper s = {.r = &r, .at = at};
		enum run_outcome outcome;

		fake_on_call(r.target, stop_at_call, &s);
		outcome = run(&r);
		CHECK(outcome == RUN_INTERRUPTED || outcome == RUN_OK);
		fake_on_call(r.target, NULL, NULL);
		make_file(&r, "d/e/small5", 500, 5);
		CHECK_UINT(run(&r), RUN_OK);
		CHECK_UINT(fake_objects(r.target), 37);
		CHECK(arrived(&r, "d/e/small5"));
		rig_end(&r);
	}
}

int
main(void)
{
	log_set_level(LOG_ERROR);
	RUN(a_tree_arrives_and_then_nothing_is_asked);
	RUN(what_a_request_relies_on_is_durable_before_it);
	RUN(what_may_pass_is_tried_again);
	RUN(one_refused_file_stops_no_other);
	RUN(a_dead_store_ends_the_run);
	RUN(a_file_that_changes_is_sent_as_it_is_then);
	RUN(a_big_file_that_becomes_small_goes_in_one_put);
	RUN(an_upload_that_the_store_lost_starts_over);
	RUN(a_stopped_run_goes_on_where_it_was);
	RUN(what_the_store_lost_meanwhile_is_sent_anew);
	RUN(a_source_that_changed_meanwhile_starts_over);
	RUN(an_upload_of_a_file_that_is_gone_is_aborted);
	RUN(other_settings_dont_lose_what_was_sent);
	RUN(a_lost_answer_costs_nothing_but_time);
	RUN(what_an_intent_began_is_aborted);
	RUN(a_young_intent_is_looked_after_again);
	RUN(an_intent_takes_no_kept_upload_with_it);
	RUN(a_dry_run_changes_nothing);
	RUN(what_is_there_is_adopted);
	RUN(what_is_adopted_gets_its_owner_and_mode);
	RUN(what_the_store_cant_prove_is_adopted_by_reading);
	RUN(what_is_not_proved_is_read_back);
	RUN(what_is_read_back_wrong_is_sent_again);
	RUN(parts_stay_proved_over_a_crash);
	RUN(touched_files_are_not_sent_again);
	RUN(what_others_put_there_is_given_no_metadata);
	RUN(what_moved_at_the_source_alone_asks_for_nothing);
	RUN(a_file_too_young_to_be_sure_of_is_looked_at_again);
	RUN(a_ctime_is_young_for_two_seconds);
	RUN(reconciling_finds_what_others_did);
	RUN(a_directory_that_fails_stops_no_other);
	RUN(jobs_are_bounded_however_many_files);
	RUN(stopping_at_any_call_loses_nothing);
	RUN(what_is_gone_is_deleted_and_its_intent_is_durable_before);
	RUN(a_removal_that_may_pass_is_tried_again);
	RUN(a_removal_that_is_refused_fails_alone);
	RUN(what_others_changed_is_not_deleted);
	RUN(what_came_back_is_not_deleted);
	RUN(a_dry_run_deletes_nothing);
	RUN(a_guarded_run_deletes_nothing_and_says_so);
	RUN(a_stopped_deletion_is_decided_anew);
	return check_end();
}
