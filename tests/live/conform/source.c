/* SPDX-License-Identifier: ISC */
/* Files as a source's: what is read is one state of the file, or says so. */
#include "config.h"

#include "tests/live/conform/conform.h"

#define SIZE (200 * KIB)
#define BIG (300 * KIB)

static struct store_file *
open_it(const char *key, uint64_t hint)
{
	struct err e = ERR_INIT;
	struct store_file *f = OPS->open_file(at.session, key, hint, &e);

	WORKS(f != NULL ? 0 : -1, &e);
	return f;
}

static void
a_file_is_read_whatever_size_was_listed(void)
{
	static const uint64_t hints[] = {
	    0, 1, 1000, SIZE - 1, SIZE, SIZE + 1, 1 << 20, UINT64_C(1) << 40};
	AUTO(free) unsigned char *got = malloc(SIZE);
	struct err e = ERR_INIT;
	size_t i;

	put("d/f", at.bytes, SIZE);
	for (i = 0; got != NULL && i < sizeof(hints) / sizeof(hints[0]); i++) {
		struct store_file *f = open_it("d/f", hints[i]);

		if (f == NULL)
			continue;
		CLAIM(f->state.type == ITEM_FILE && f->state.size == SIZE);
		CLAIM(f->meta.type == ITEM_FILE && f->meta.size == SIZE);
		if (WORKS(OPS->read_file(f, SIZE / 2, got, SIZE / 2, &e), &e))
			CLAIM(memcmp(got, at.bytes + SIZE / 2, SIZE / 2) == 0);
		if (WORKS(OPS->read_file(f, 0, got, SIZE / 2, &e), &e))
			CLAIM(memcmp(got, at.bytes, SIZE / 2) == 0);
		WORKS(OPS->check_file(f, &e), &e);
		FAILS(OPS->read_file(f, SIZE - 1, got, 2, &e), &e,
		    KIND(ERR_CHANGED));
		FAILS(
		    OPS->read_file(f, SIZE, got, 1, &e), &e, KIND(ERR_CHANGED));
		OPS->close_file(f);
	}
	put("d/empty", "", 0);
	for (i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		struct store_file *f = open_it("d/empty", hints[i]);

		if (f == NULL)
			continue;
		CLAIM(f->state.size == 0);
		WORKS(OPS->read_file(f, 0, NULL, 0, &e), &e);
		WORKS(OPS->check_file(f, &e), &e);
		OPS->close_file(f);
	}
	OPS->close_file(NULL);
}

static void
what_is_no_file_is_not_opened(void)
{
	struct err e = ERR_INIT;

	put_text("d/f", "x");
	make_dir("dir");
	FAILS(OPS->open_file(at.session, "none", 5, &e) == NULL ? -1 : 0, &e,
	    KIND(ERR_VANISHED));
	FAILS(OPS->open_file(at.session, "none", 0, &e) == NULL ? -1 : 0, &e,
	    KIND(ERR_VANISHED));
	FAILS(OPS->open_file(at.session, "no/such", 5, &e) == NULL ? -1 : 0, &e,
	    KIND(ERR_VANISHED));
	FAILS(OPS->open_file(at.session, "dir", 5, &e) == NULL ? -1 : 0, &e,
	    KIND(ERR_VANISHED) | KIND(ERR_CHANGED));
	FAILS(OPS->open_file(at.session, "d/f/g", 5, &e) == NULL ? -1 : 0, &e,
	    KIND(ERR_VANISHED) | KIND(ERR_CHANGED));
	holds_text("d/f", "x");
}

/* The scan plans by the listing; whoever opens compares with that. */
static void
listing_and_opening_are_of_one_state(void)
{
	static const size_t sizes[] = {0, 100, BIG};
	char key[20];
	struct listed l;
	size_t i;

	for (i = 0; i < 3; i++) {
		snprintf(key, sizeof(key), "d/f%zu", i);
		put(key, at.bytes, sizes[i]);
	}
	l = list_of("d", false);
	CLAIM(l.n == 3);
	for (i = 0; i < l.n; i++) {
		struct item_stat listed = item_of_listed(&l.entries[i].st);
		struct store_file *f =
		    open_it(l.entries[i].key, l.entries[i].st.size);

		if (f == NULL)
			continue;
		CLAIM(f->state.type == listed.type);
		CLAIM(f->state.size == listed.size);
		CLAIM(f->state.mtime_ns == listed.mtime_ns);
		CLAIM(f->state.ctime_ns == listed.ctime_ns);
		CLAIM(f->state.ino == listed.ino);
		CLAIM(item_same(&f->state, &listed));
		OPS->close_file(f);
	}
	listed_free(&l);
}

static void
a_file_carries_its_metadata(void)
{
	struct item_stat st = a_file(3);
	struct store_stat got = {0};
	struct store_file *f;
	struct digest d = digest_of("abc", 3);
	struct err e = ERR_INIT;

	st.mode = S_IFREG | 0604;
	WORKS(put_by(at.session, "f", &st, "abc", 3, &e), &e);
	f = open_it("f", 3);
	if (f == NULL || !stat_of("f", &got))
		return;
	if (got.has_owner)
		CLAIM(f->meta.mode == got.mode && f->meta.uid == got.uid &&
		    f->meta.gid == got.gid);
	else
		CLAIM(f->meta.mode == 0);
	if (got.has_source_mtime)
		CLAIM(f->meta.mtime_ns == got.mtime_ns);
	if (f->digest.have & d.have & DIGEST_CRC64NVME)
		CLAIM(f->digest.crc64nvme == d.crc64nvme);
	if (f->digest.have & d.have & DIGEST_CRC32C)
		CLAIM(f->digest.crc32c == d.crc32c);
	if (f->digest.have & d.have & DIGEST_MD5)
		CLAIM(memcmp(f->digest.md5, d.md5, 16) == 0);
	OPS->close_file(f);
}

/* What happens to the file between the first and the last read. */
enum event { REPLACED, LONGER, SHORTER, SAME_SIZE, REMOVED, EVENTS };

static void
let_happen(enum event event, size_t size)
{
	struct item_stat st = a_file(size);
	struct err e = ERR_INIT;

	if (event == REMOVED) {
		remove_key("d/f");
		return;
	}
	memset(at.bytes, 'n', size);
	if (event == LONGER)
		size++;
	else if (event == SHORTER)
		size /= 2;
	st.size = size;
	/* the same size and time: only the bytes are others */
	if (event != SAME_SIZE)
		st.mtime_ns++;
	WORKS(put_by(at.session, "d/f", &st, at.bytes, size, &e), &e);
}

/* All that read_file gave is of the file that was opened, or there was an
 * error that says so. */
static void
read_across(
    enum event event, size_t size, unsigned char *was, unsigned char *got)
{
	struct store_file *f;
	struct err e = ERR_INIT;
	size_t half = size / 2;

	memcpy(at.bytes, was, size);
	put("d/f", at.bytes, size);
	f = open_it("d/f", size);
	if (f == NULL)
		return;
	WORKS(OPS->read_file(f, 0, got, half, &e), &e);
	let_happen(event, size);
	if (OPS->read_file(f, half, got + half, size - half, &e) == -1 ||
	    OPS->check_file(f, &e) == -1)
		FAILS(-1, &e, KIND(ERR_CHANGED) | KIND(ERR_VANISHED));
	else if (!CLAIM(memcmp(got, was, size) == 0))
		remark("event %d, %zu bytes", (int)event, size);
	OPS->close_file(f);
	/* the session is as good as new */
	put_text("d/other", "x");
	holds_text("d/other", "x");
}

static void
what_changes_while_it_is_read_is_noticed(void)
{
	AUTO(free) unsigned char *was = malloc(BIG);
	AUTO(free) unsigned char *got = malloc(BIG);
	AUTO(free) unsigned char *keep = malloc(BIG + 1);
	int event;

	if (was == NULL || got == NULL || keep == NULL)
		return;
	memcpy(keep, at.bytes, BIG + 1);
	memcpy(was, at.bytes, BIG);
	for (event = 0; event < EVENTS; event++) {
		read_across((enum event)event, BIG, was, got);
		read_across((enum event)event, 1000, was, got);
	}
	memcpy(at.bytes, keep, BIG + 1);
}

/* A file of the same size and time, but another one, is another state. */
static void
a_new_state_is_told_from_the_old(void)
{
	struct item_stat st = a_file(4), first;
	struct store_file *f;
	struct err e = ERR_INIT;

	WORKS(put_by(at.session, "f", &st, "text", 4, &e), &e);
	if ((f = open_it("f", 4)) == NULL)
		return;
	first = f->state;
	WORKS(OPS->check_file(f, &e), &e);
	OPS->close_file(f);
	f = open_it("f", 4);
	CLAIM(f != NULL && item_same(&f->state, &first));
	if (f != NULL)
		OPS->close_file(f);
	st.mtime_ns += 1000000000;
	WORKS(put_by(at.session, "f", &st, "next", 4, &e), &e);
	f = open_it("f", 4);
	CLAIM(f != NULL && !item_same(&f->state, &first));
	if (f != NULL)
		OPS->close_file(f);
}

static bool
read_parts(struct session *c, unsigned number, void *arg)
{
	AUTO(free) unsigned char *got = malloc(BIG);
	struct err e = ERR_INIT;
	struct store_file *f = OPS->open_file(c, "f", BIG, &e);
	size_t from = number * 50 * KIB;
	bool fine = got != NULL && WORKS(f != NULL ? 0 : -1, &e);

	(void)arg;
	fine = fine && WORKS(OPS->read_file(f, from, got, 50 * KIB, &e), &e) &&
	    CLAIM(memcmp(got, at.bytes + from, 50 * KIB) == 0) &&
	    WORKS(OPS->check_file(f, &e), &e);
	if (f != NULL)
		OPS->close_file(f);
	return fine;
}

static void
many_sessions_read_one_file(void)
{
	put("f", at.bytes, BIG);
	CLAIM(in_threads(6, read_parts, NULL));
}

const struct conform_case source_cases[] = {
    CASE(a_file_is_read_whatever_size_was_listed),
    CASE(what_is_no_file_is_not_opened),
    CASE(listing_and_opening_are_of_one_state),
    CASE(a_file_carries_its_metadata),
    CASE(what_changes_while_it_is_read_is_noticed),
    CASE(a_new_state_is_told_from_the_old),
    CASE(many_sessions_read_one_file),
    {0},
};
