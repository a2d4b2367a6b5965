/* SPDX-License-Identifier: ISC */
/* The store as a whole: probing, limits, checksums, errors, many sessions. */
#include "config.h"

#include <unistd.h>

#include "tests/live/conform/conform.h"

/* Comes first: it makes the place that all the others use. */
static void
a_place_that_is_not_there_is_made_by_probe(void)
{
	struct store_probe p;
	struct err e = ERR_INIT;
	struct handle h = handle_open(&at.config);

	if (HAS(STORE_HAS_DIRS))
		FAILS(OPS->probe(h.session, false, false, &p, &e), &e,
		    KIND(ERR_NOTFOUND) | KIND(ERR_CONFIG));
	if (!WORKS(OPS->probe(h.session, true, true, &p, &e), &e)) {
		puts("FAIL  the store can't be reached: no case can follow");
		exit(1);
	}
	CLAIM(strlen(p.text) < sizeof(p.text) && p.text[0] != '\0');
	CLAIM(strchr(p.text, '\n') == NULL);
	CLAIM(llabs(p.clock_skew_ms) < 5000);
	remark("%s", p.text);
	handle_close(&h);
	WORKS(OPS->probe(at.session, false, false, &p, &e), &e);
	WORKS(OPS->probe(at.session, true, true, &p, &e), &e);
}

static void
what_probe_found_can_be_set_again(void)
{
	struct store_probe p = {0};
	struct err e = ERR_INIT;
	struct handle h = handle_open(&at.config);

	if (!WORKS(OPS->probe(at.session, false, true, &p, &e), &e))
		return;
	CLAIM((OPS->digests(at.store) & p.checksum) == p.checksum);
	CLAIM((OPS->digests(at.store) & ~digest_available()) == 0);
	OPS->set_checksum(h.store, p.checksum);
	CLAIM(OPS->digests(h.store) == OPS->digests(at.store));
	if (OPS->digests(at.store) == 0)
		remark("the store verifies no checksum: the engine reads back");
	handle_close(&h);
}

static void
two_handles_are_of_one_place(void)
{
	struct handle h = handle_open(&at.config);
	char one[400] = "", two[400] = "";

	OPS->place(at.store, one, sizeof(one));
	OPS->place(h.store, two, sizeof(two));
	CLAIM(strcmp(one, two) == 0);
	remark("%s", one[0] != '\0' ? one : "nothing tells it from others");
	handle_close(&h);
}

static void
limits_are_usable_and_leave_the_users_wishes_alone(void)
{
	struct plan_limits limits = {
	    .threshold_bytes = 12345, .part_bytes = 6789};

	OPS->limits(at.store, &limits);
	CLAIM(limits.threshold_bytes == 12345 && limits.part_bytes == 6789);
	CLAIM(limits.part_min_bytes > 0);
	CLAIM(limits.part_min_bytes <= limits.part_max_bytes);
	CLAIM(limits.parts_max > 1 && limits.put_max_bytes > 0);
	CLAIM(limits.part_min_bytes <= 16 << 20);
}

static void
plain_keys_can_be_held(void)
{
	struct err e = ERR_INIT;

	WORKS(OPS->check_key(at.store, "a", ITEM_FILE, &e), &e);
	WORKS(OPS->check_key(at.store, "a/b/.c", ITEM_SYMLINK, &e), &e);
	WORKS(OPS->check_key(at.store, "a/b c", ITEM_DIR, &e), &e);
}

static void
credentials_can_be_loaded_anew(void)
{
	struct err e = ERR_INIT;

	if (OPS->refresh == NULL) {
		not_applicable("nothing to refresh");
		return;
	}
	WORKS(OPS->refresh(at.store, &e), &e);
	put_text("after", "x");
}

/* Whatever failed, the session's next call is as good as any. */
static void
a_session_goes_on_after_errors(void)
{
	struct item_stat st = a_file(0);
	struct store_receipt r;
	struct store_stat got, was;
	struct err e = ERR_INIT;
	char c = 'z';

	memset(&got, 0x5a, sizeof(got));
	was = got;
	FAILS(OPS->stat(at.session, "none", &got, &e), &e, KIND(ERR_NOTFOUND));
	FAILS(
	    OPS->stat(at.session, "no/ne/", &got, &e), &e, KIND(ERR_NOTFOUND));
	CLAIM(memcmp(&got, &was, sizeof(got)) == 0);
	FAILS(OPS->read(at.session, "none", 0, &c, 1, &e), &e,
	    KIND(ERR_NOTFOUND));
	FAILS(OPS->set_metadata(at.session, "none", &st, NULL, &r, &e), &e,
	    KIND(ERR_NOTFOUND));
	put_text("a", "text");
	FAILS(OPS->read(at.session, "a", 4, &c, 1, &e), &e, KIND(ERR_MISMATCH));
	FAILS(OPS->read(at.session, "a", 1000, &c, 1, &e), &e,
	    KIND(ERR_MISMATCH));
	holds_text("a", "text");
}

static bool
put_into_new_dirs(struct session *c, unsigned number, void *arg)
{
	struct item_stat st = a_file(3);
	struct err e = ERR_INIT;
	char key[100];
	unsigned i;

	(void)arg;
	for (i = 0; i < 8; i++) {
		snprintf(key, sizeof(key), "new-%u/sub/of %u", i, number);
		if (!WORKS(put_by(c, key, &st, "abc", 3, &e), &e))
			return false;
	}
	return true;
}

static void
sessions_make_the_same_directories_at_once(void)
{
	struct listed l;

	CLAIM(in_threads(6, put_into_new_dirs, NULL));
	l = list_of("new-7/sub", false);
	CLAIM(l.n == 6);
	listed_free(&l);
}

static void
what_waits_for_flush_is_there_after_it(void)
{
	struct store_config config = at.config;
	struct item_stat st = a_file(5), dir = a_dir();
	struct store_receipt r;
	struct err e = ERR_INIT;
	struct handle h;

	if (OPS->flush == NULL) {
		not_applicable("nothing to flush");
		return;
	}
	config.defer_sync = true;
	h = handle_open(&config);
	WORKS(put_by(h.session, "d/a", &st, "first", 5, &e), &e);
	WORKS(put_by(h.session, "d/a", &st, "again", 5, &e), &e);
	WORKS(OPS->mkdir(h.session, "d", &dir, &e), &e);
	WORKS(OPS->set_metadata(h.session, "d/a", &st, NULL, &r, &e), &e);
	WORKS(OPS->flush(h.session, &e), &e);
	WORKS(OPS->flush(h.session, &e), &e);
	holds_text("d/a", "again");
	handle_close(&h);
	WORKS(OPS->flush(at.session, &e), &e);
}

static void
a_stopped_run_waits_for_no_call(void)
{
	unsigned fine = KIND(ERR_STOPPED);
	uint64_t began_ms = clock_mono_ms();
	struct store_receipt r;
	struct store_stat st;
	struct item_stat as = a_file(1);
	struct digest d = digest_of("x", 1);
	struct err e = ERR_INIT;

	put_text("a", "x");
	atomic_store(&at.stop, true);
	/* What is done at once may be done all the same. */
	if (OPS->stat(at.session, "a", &st, &e) == -1)
		CLAIM(KIND(e.kind) == fine);
	if (OPS->put(at.session, "b", &as, "x", 1, &d, &r, &e) == -1)
		CLAIM(KIND(e.kind) == fine);
	CLAIM(clock_mono_ms() - began_ms < 5000);
	atomic_store(&at.stop, false);
	holds_text("a", "x");
	/* What it left of "b" is replaced, once the server has seen its end. */
	usleep(300000);
	put_text("b", "y");
	holds_text("b", "y");
}

const struct conform_case store_cases[] = {
    CASE(a_place_that_is_not_there_is_made_by_probe),
    CASE(what_probe_found_can_be_set_again),
    CASE(two_handles_are_of_one_place),
    CASE(limits_are_usable_and_leave_the_users_wishes_alone),
    CASE(plain_keys_can_be_held),
    CASE(credentials_can_be_loaded_anew),
    CASE(a_session_goes_on_after_errors),
    CASE(sessions_make_the_same_directories_at_once),
    CASE(what_waits_for_flush_is_there_after_it),
    CASE(a_stopped_run_waits_for_no_call),
    {0},
};
