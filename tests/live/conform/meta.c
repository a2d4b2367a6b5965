/* SPDX-License-Identifier: ISC */
/* Owner, mode and times. */
#include "config.h"

#include <inttypes.h>

#include "tests/live/conform/conform.h"

#define SECOND INT64_C(1000000000)

/* Whether the store keeps a source's metadata at all. */
static bool
keeps_any(void)
{
	struct store_stat st = {0};

	put_text("f", "x");
	if (stat_of("f", &st) && (st.has_source_mtime || st.has_owner))
		return true;
	not_applicable("the store keeps no metadata");
	return false;
}

/* SET is how: by put, or afterwards. */
static bool
give(const char *key, const struct item_stat *st, bool set, struct err *e)
{
	struct item_stat other = *st;
	struct store_receipt r;

	other.mtime_ns = 77 * SECOND;
	other.mode = (other.mode & S_IFMT) | 0700;
	if (set &&
	    OPS->set_metadata(at.session, key, &other, NULL, &r, e) == -1)
		return false;
	if (set)
		return OPS->set_metadata(at.session, key, st, NULL, &r, e) == 0;
	if (st->type == ITEM_DIR)
		return OPS->mkdir(at.session, key, st, e) == 0;
	return put_by(at.session, key, st, "text", 4, e) == 0;
}

/* A store may keep less than that, and says so. */
static void
check_time(const char *key, int64_t want_ns, bool set)
{
	struct item_stat st = a_file(4);
	struct store_stat got = {0};
	struct err e = ERR_INIT;
	char text[40];

	st.mtime_ns = want_ns;
	if (!give(key, &st, set, &e)) {
		not_held("mtime %" PRId64 " ns: %s", want_ns, e.msg);
		FAILS(-1, &e,
		    ~(KIND(ERR_NET) | KIND(ERR_SERVER) | KIND(ERR_NONE)));
		return;
	}
	if (!stat_of(key, &got) || !got.has_source_mtime ||
	    got.mtime_ns == want_ns)
		return;
	if (want_ns >= 0 && want_ns < (SECOND << 31)) {
		CLAIM(store_same_time(OPS, want_ns, got.mtime_ns));
		return;
	}
	if (store_same_time(OPS, want_ns, got.mtime_ns))
		return;
	clock_iso8601(want_ns, text, sizeof(text));
	not_held("mtime %" PRId64 " ns (%s) is %" PRId64 " there", want_ns,
	    text, got.mtime_ns);
}

static void
times_are_kept_to_the_nanosecond(void)
{
	static const int64_t times[] = {1595002920123456789, 0, 1, SECOND - 1,
	    SECOND, -1, -SECOND, -1500000001, INT64_C(-2208988800) * SECOND,
	    (SECOND << 31) - 1, SECOND << 31, INT64_C(4102444800) * SECOND,
	    (SECOND << 32) + 5, INT64_C(9214646400) * SECOND};
	size_t i;

	if (!keeps_any())
		return;
	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		check_time("f", times[i], false);
		check_time("f", times[i], true);
	}
	holds_text("f", "text");
}

static void
check_mode(const char *key, const struct item_stat *st, bool set)
{
	struct store_stat got = {0};
	struct err e = ERR_INIT;
	uint32_t lost = 0;

	if (!WORKS(give(key, st, set, &e) ? 0 : -1, &e) ||
	    !stat_of(st->type == ITEM_DIR ? "d/" : key, &got) ||
	    !CLAIM(got.has_owner))
		return;
	CLAIM(got.type == st->type);
	if (got.uid != st->uid || got.gid != st->gid) {
		not_held("owner %u:%u is %u:%u there", st->uid, st->gid,
		    got.uid, got.gid);
		lost = S_ISUID | S_ISGID;
	}
	if ((got.mode & ~lost) != (st->mode & ~lost))
		remark("mode %o is %o there", st->mode, got.mode);
	CLAIM((got.mode & ~lost) == (st->mode & ~lost));
}

static void
modes_and_owners_are_kept(void)
{
	static const uint32_t modes[] = {
	    0644, 0600, 0777, 0444, 01777, 02755, 04711, 0000};
	struct item_stat file = a_file(4), dir = a_dir();
	size_t i;

	if (!keeps_any())
		return;
	for (i = 0; i < 2 * sizeof(modes) / sizeof(modes[0]); i++) {
		file.mode = S_IFREG | modes[i / 2];
		dir.mode = S_IFDIR | modes[i / 2];
		check_mode("f", &file, i % 2 == 1);
		check_mode("d", &dir, i % 2 == 1);
	}
	file.uid = 1000;
	file.gid = 65534;
	file.mode = S_IFREG | 0640;
	check_mode("f", &file, false);
	file.uid = 4000000000;
	file.gid = 7;
	check_mode("f", &file, true);
}

/* A mode of 0 and an unknown time are no wish. */
static void
what_is_unknown_is_left_alone(void)
{
	struct item_stat known = a_file(4),
			 unknown = {.type = ITEM_FILE,
			     .size = 4,
			     .mtime_ns = ITEM_TIME_UNKNOWN};
	struct store_stat was = {0}, got = {0};
	struct store_receipt r;
	struct err e = ERR_INIT;

	if (!keeps_any())
		return;
	WORKS(put_by(at.session, "f", &known, "text", 4, &e), &e);
	stat_of("f", &was);
	WORKS(OPS->set_metadata(at.session, "f", &unknown, NULL, &r, &e), &e);
	stat_of("f", &got);
	CLAIM(got.mode == was.mode && got.uid == was.uid &&
	    got.mtime_ns == was.mtime_ns);
	unknown.mtime_ns = 5 * SECOND;
	WORKS(OPS->set_metadata(at.session, "f", &unknown, NULL, &r, &e), &e);
	stat_of("f", &got);
	CLAIM(got.mode == was.mode && got.uid == was.uid &&
	    got.mtime_ns == 5 * SECOND);
	known.mtime_ns = ITEM_TIME_UNKNOWN;
	known.mode = S_IFREG | 0600;
	WORKS(OPS->set_metadata(at.session, "f", &known, NULL, &r, &e), &e);
	stat_of("f", &got);
	CLAIM(got.mode == (S_IFREG | 0600) && got.mtime_ns == 5 * SECOND);
	holds_text("f", "text");
}

static void
an_item_of_unknown_metadata_is_of_today(void)
{
	struct item_stat st = {
	    .type = ITEM_FILE, .size = 1, .mtime_ns = ITEM_TIME_UNKNOWN};
	struct store_stat got = {0};
	struct err e = ERR_INIT;

	WORKS(put_by(at.session, "new/f", &st, "x", 1, &e), &e);
	st.type = ITEM_DIR;
	WORKS(OPS->mkdir(at.session, "new/d", &st, &e), &e);
	if (stat_of("new/f", &got))
		CLAIM(llabs(got.mtime_ns - clock_wall_ns()) < 600 * SECOND);
	if (stat_of("new/d/", &got))
		CLAIM(got.type == ITEM_DIR);
	/* it can be used by whoever made it */
	holds_text("new/f", "x");
	put_text("new/d/f", "x");
}

static void
what_has_metadata_keeps_its_bytes(void)
{
	struct item_stat st = a_dir();
	struct store_receipt r;
	struct err e = ERR_INIT;

	put("d/f", at.bytes, 70000);
	make_dir("d");
	st.mode = S_IFDIR | 0700;
	WORKS(OPS->set_metadata(at.session, "d", &st, NULL, &r, &e), &e);
	st = a_file(70000);
	st.mode = S_IFREG | 0600;
	WORKS(OPS->set_metadata(at.session, "d/f", &st, NULL, &r, &e), &e);
	holds("d/f", at.bytes, 70000);
}

/* Somebody else's item keeps its own. */
static void
metadata_is_for_what_was_there(void)
{
	struct item_stat st = a_file(4);
	struct store_stat was = {0}, got = {0};
	struct store_receipt r;
	struct err e = ERR_INIT;

	if (!keeps_any())
		return;
	put_text("f", "text");
	stat_of("f", &was);
	st.mtime_ns = 5 * SECOND;
	WORKS(OPS->set_metadata(at.session, "f", &st, &was, &r, &e), &e);
	if (stat_of("f", &got))
		CLAIM(got.mtime_ns == 5 * SECOND);
	st.mtime_ns = 9 * SECOND;
	WORKS(put_by(at.session, "f", &st, "other", 5, &e), &e);
	FAILS(OPS->set_metadata(at.session, "f", &st, &was, &r, &e), &e,
	    KIND(ERR_MISMATCH));
	if (stat_of("f", &got))
		CLAIM(got.mtime_ns == 9 * SECOND);
	holds_text("f", "other");
	remove_key("f");
	FAILS(OPS->set_metadata(at.session, "f", &st, &was, &r, &e), &e,
	    KIND(ERR_NOTFOUND) | KIND(ERR_MISMATCH));
}

const struct conform_case meta_cases[] = {
    CASE(times_are_kept_to_the_nanosecond),
    CASE(modes_and_owners_are_kept),
    CASE(what_is_unknown_is_left_alone),
    CASE(an_item_of_unknown_metadata_is_of_today),
    CASE(what_has_metadata_keeps_its_bytes),
    CASE(metadata_is_for_what_was_there),
    {0},
};
