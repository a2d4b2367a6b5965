/* SPDX-License-Identifier: ISC */
/* Multipart uploads: begun, cut off, found again, completed, aborted. */
#include "config.h"

#include "tests/live/conform/conform.h"

#define PARTS 4

/* An upload of at.plan and what is known of its parts. */
struct trial {
	struct store_upload u;
	char id[STORE_ID_MAX];
	struct store_part parts[PARTS];
};

static bool
begin(struct trial *t, const char *key)
{
	struct err e = ERR_INIT;

	memset(t, 0, sizeof(*t));
	t->u = (struct store_upload){.key = key,
	    .id = t->id,
	    .plan = at.plan,
	    .st = a_file(at.plan.size)};
	return WORKS(OPS->upload_begin(
			 at.session, key, &t->u.st, &at.plan, t->id, &e),
		   &e) &&
	    CLAIM(t->id[0] != '\0' && memchr(t->id, '\0', STORE_ID_MAX));
}

/* Part NUMBER with the bytes at P. */
static int
send_bytes(struct session *c, struct trial *t, uint32_t number, const void *p,
    struct err *e)
{
	struct store_part *part = &t->parts[number - 1];
	size_t len = (size_t)plan_length(&t->u.plan, number);
	struct digest d = digest_of(p, len);
	struct store_receipt r;

	if (OPS->upload_part(c, &t->u, number, p, len, &d, &r, e) == -1)
		return -1;
	part->number = number;
	part->size = len;
	part->digest = d;
	memcpy(part->etag, r.etag, sizeof(part->etag));
	return 0;
}

static bool
send(struct session *c, struct trial *t, uint32_t number)
{
	struct err e = ERR_INIT;

	return WORKS(send_bytes(c, t, number,
			 at.bytes + plan_offset(&at.plan, number), &e),
	    &e);
}

static bool
send_from_the_end(struct session *c, unsigned number, void *arg)
{
	return send(c, arg, PARTS - number);
}

static int
complete(struct trial *t, size_t n, struct err *e)
{
	struct digest whole = digest_of(at.bytes, at.plan.size);
	struct store_receipt r;

	/* as the engine has it: only what combines */
	whole.have &= DIGEST_CRC64NVME | DIGEST_CRC32C;
	return OPS->upload_complete(
	    at.session, &t->u, t->parts, n, &whole, &r, e);
}

static int
check(struct trial *t, size_t n, bool *keep, struct err *e)
{
	return OPS->upload_check(at.session, &t->u, t->parts, n, keep, e);
}

static bool
abort_it(struct trial *t)
{
	struct err e = ERR_INIT;

	return WORKS(OPS->upload_abort(at.session, t->u.key, t->id, &e), &e);
}

static void
parts_of_many_sessions_become_one_file(void)
{
	struct store_stat st = {0};
	struct err e = ERR_INIT;
	struct trial t;
	struct listed l;

	put_text("d/big", "old");
	if (!begin(&t, "d/big") ||
	    !CLAIM(in_threads(PARTS, send_from_the_end, &t)))
		return;
	holds_text("d/big", "old");
	l = list_of("", true);
	CLAIM(l.n == (HAS(STORE_HAS_DIRS) ? 2 : 1));
	listed_free(&l);
	WORKS(complete(&t, PARTS, &e), &e);
	holds("d/big", at.bytes, at.plan.size);
	if (stat_of("d/big", &st) && st.has_owner)
		CLAIM(st.mode == t.u.st.mode);
	if (st.has_source_mtime)
		CLAIM(st.mtime_ns / 1000000000 == t.u.st.mtime_ns / 1000000000);
	/* the answer may have got lost: the same again harms nothing */
	if (complete(&t, PARTS, &e) == -1)
		FAILS(-1, &e, KIND(ERR_GONE));
	holds("d/big", at.bytes, at.plan.size);
}

static void
one_part_is_enough(void)
{
	struct err e = ERR_INIT;
	struct trial t;
	struct digest whole = digest_of(at.bytes, 1000);
	struct store_receipt r;

	memset(&t, 0, sizeof(t));
	t.u = (struct store_upload){.key = "new/dir/one",
	    .id = t.id,
	    .plan = {.size = 1000,
		.part_bytes = at.plan.part_bytes,
		.parts = 1},
	    .st = a_file(1000)};
	whole.have &= DIGEST_CRC64NVME | DIGEST_CRC32C;
	if (!WORKS(OPS->upload_begin(
		       at.session, t.u.key, &t.u.st, &t.u.plan, t.id, &e),
		&e) ||
	    !WORKS(send_bytes(at.session, &t, 1, at.bytes, &e), &e))
		return;
	WORKS(
	    OPS->upload_complete(at.session, &t.u, t.parts, 1, &whole, &r, &e),
	    &e);
	holds("new/dir/one", at.bytes, 1000);
}

/* An upload as a killed process left it; the store and session are new. */
static void
reopen(struct handle *was)
{
	struct handle h = handle_open(&at.config);
	struct err e = ERR_INIT;
	struct store_probe p;

	was->store = at.store;
	was->session = at.session;
	at.store = h.store;
	at.session = h.session;
	WORKS(OPS->probe(at.session, false, true, &p, &e), &e);
	handle_close(was);
}

static void
after_a_crash_whole_parts_are_kept(void)
{
	struct handle was;
	struct err e = ERR_INIT;
	struct store_part good;
	bool keep[PARTS];
	struct trial t;

	if (!begin(&t, "d/big"))
		return;
	send(at.session, &t, 1);
	send(at.session, &t, 2);
	good = t.parts[1];
	/* number 2 is another one now; number 3 was never sent */
	if (!WORKS(send_bytes(at.session, &t, 2, at.bytes, &e), &e))
		return;
	t.parts[1] = good;
	send(at.session, &t, 4);
	t.parts[2] = good;
	t.parts[2].number = 3;
	reopen(&was);
	memset(keep, true, sizeof(keep));
	if (WORKS(check(&t, PARTS, keep, &e), &e))
		CLAIM(keep[0] && !keep[1] && !keep[2] && keep[3]);
	CLAIM(is_absent("d/big"));
	/* of some only */
	memset(keep, true, sizeof(keep));
	if (WORKS(check(&t, 2, keep, &e), &e))
		CLAIM(keep[0] && !keep[1]);
	send(at.session, &t, 3);
	send(at.session, &t, 2);
	memset(keep, false, sizeof(keep));
	if (WORKS(check(&t, PARTS, keep, &e), &e))
		CLAIM(keep[0] && keep[1] && keep[2] && keep[3]);
	WORKS(complete(&t, PARTS, &e), &e);
	holds("d/big", at.bytes, at.plan.size);
}

static void
a_part_that_lacks_makes_no_file(void)
{
	struct err e = ERR_INIT;
	bool keep[PARTS] = {false};
	struct trial t;

	if (!begin(&t, "big"))
		return;
	send(at.session, &t, 1);
	send(at.session, &t, 2);
	send(at.session, &t, 3);
	FAILS(complete(&t, 3, &e), &e, ~(KIND(ERR_NONE) | KIND(ERR_GONE)));
	CLAIM(is_absent("big"));
	/* all is as it was */
	if (WORKS(check(&t, 3, keep, &e), &e))
		CLAIM(keep[0] && keep[1] && keep[2]);
	send(at.session, &t, 4);
	WORKS(complete(&t, PARTS, &e), &e);
	holds("big", at.bytes, at.plan.size);
}

static void
a_part_of_another_checksum_is_refused(void)
{
	size_t len = (size_t)plan_length(&at.plan, 1);
	struct digest d = digest_of(at.bytes, len);
	struct store_receipt r;
	struct err e = ERR_INIT;
	struct trial t;

	if (OPS->digests(at.store) == 0) {
		not_applicable("the store verifies no checksum");
		return;
	}
	if (!begin(&t, "big"))
		return;
	d.crc64nvme ^= 1;
	d.crc32c ^= 1;
	d.md5[0] ^= 1;
	d.sha256[0] ^= 1;
	FAILS(OPS->upload_part(at.session, &t.u, 1, at.bytes, len, &d, &r, &e),
	    &e, KIND(ERR_MISMATCH));
	abort_it(&t);
}

static void
an_aborted_upload_is_gone(void)
{
	struct err e = ERR_INIT;
	bool keep[PARTS];
	struct trial t;

	if (!begin(&t, "d/big"))
		return;
	send(at.session, &t, 1);
	abort_it(&t);
	abort_it(&t);
	FAILS(check(&t, 1, keep, &e), &e, KIND(ERR_GONE));
	FAILS(send_bytes(at.session, &t, 1, at.bytes, &e), &e, KIND(ERR_GONE));
	FAILS(complete(&t, PARTS, &e), &e, KIND(ERR_GONE));
	CLAIM(is_absent("d/big"));
	put_text("d/big", "whole");
	FAILS(check(&t, 1, keep, &e), &e, KIND(ERR_GONE));
	FAILS(complete(&t, PARTS, &e), &e, KIND(ERR_GONE));
	holds_text("d/big", "whole");
}

/* Ids come back from a ledger: nobody knows what is in them. */
static void
ids_of_nobody_do_no_harm(void)
{
	static const char *const ids[] = {"victim", "../victim", ".", "",
	    "no such id", ".dray-0123456789abcdef", "2~abcdefgh"};
	struct err e = ERR_INIT;
	bool keep[PARTS];
	struct trial t;
	size_t i;

	put_text("victim", "untouched");
	put_text("d/victim", "untouched");
	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		memset(&t, 0, sizeof(t));
		snprintf(t.id, sizeof(t.id), "%s", ids[i]);
		t.u = (struct store_upload){.key = "d/big",
		    .id = t.id,
		    .plan = at.plan,
		    .st = a_file(at.plan.size)};
		t.parts[0] = (struct store_part){.number = 1,
		    .size = at.plan.part_bytes,
		    .digest = digest_of(at.bytes, at.plan.part_bytes)};
		if (!FAILS(check(&t, 1, keep, &e), &e, KIND(ERR_GONE)) ||
		    !abort_it(&t))
			remark("the id \"%s\"", ids[i]);
	}
	holds_text("victim", "untouched");
	holds_text("d/victim", "untouched");
	CLAIM(is_absent("d/big"));
}

/* What uploads() tells of one key. */
struct found {
	const char *key, *id;
	unsigned n, others;
	bool hit;
};

static int
on_upload(
    void *arg, const char *key, const char *id, int64_t begun_ns, struct err *e)
{
	struct found *f = arg;

	(void)e;
	if (strcmp(key, f->key) != 0) {
		f->others++;
		return 0;
	}
	f->n++;
	if (strcmp(id, f->id) == 0)
		f->hit = true;
	CLAIM(llabs(begun_ns - clock_wall_ns()) < INT64_C(600000000000));
	return 0;
}

/* KEY's that list() tells of, as far as they can be told from others'. */
static int
on_leftover(void *arg, const struct store_list_entry *entry, struct err *e)
{
	struct found *f = arg;
	const char *slash = strrchr(entry->key, '/');

	(void)e;
	if (!entry->leftover)
		return 0;
	f->n++;
	if (strcmp(slash != NULL ? slash + 1 : entry->key, f->id) == 0)
		f->hit = true;
	return 0;
}

static struct found
leftovers_of(const char *id)
{
	struct found f = {.id = id};
	struct err e = ERR_INIT;

	at.session->tells_leftovers = true;
	WORKS(OPS->list(at.session, "", true, on_leftover, &f, &e), &e);
	at.session->tells_leftovers = false;
	return f;
}

static struct found
uploads_of(const char *key, const char *id)
{
	struct found f = {.key = key, .id = id};
	struct err e = ERR_INIT;

	WORKS(OPS->uploads(at.session, key, on_upload, &f, &e), &e);
	return f;
}

static void
what_was_begun_is_found(void)
{
	struct handle was;
	struct found f;
	struct trial t, other;

	if (!begin(&t, "d/b & ig") || !begin(&other, "d/other"))
		return;
	send(at.session, &t, 1);
	reopen(&was);
	if (OPS->uploads == NULL) {
		f = leftovers_of(t.id);
		CLAIM(f.n == 2 && f.hit);
		abort_it(&t);
		f = leftovers_of(t.id);
		CLAIM(f.n == 1 && !f.hit);
		abort_it(&other);
		return;
	}
	f = uploads_of("d/b & ig", t.id);
	CLAIM(f.n == 1 && f.hit && f.others == 0);
	f = uploads_of("d/none", "");
	CLAIM(f.n == 0 && f.others == 0);
	f = uploads_of("no/such", "");
	CLAIM(f.n == 0 && f.others == 0);
	abort_it(&t);
	f = uploads_of("d/b & ig", t.id);
	CLAIM(f.n == 0);
	f = uploads_of("d/other", other.id);
	CLAIM(f.hit);
	abort_it(&other);
}

static void
two_uploads_of_a_key_are_two(void)
{
	struct err e = ERR_INIT;
	struct trial t, other;
	struct found f;

	if (!begin(&t, "big") || !begin(&other, "big"))
		return;
	CLAIM(strcmp(t.id, other.id) != 0);
	f = OPS->uploads == NULL ? leftovers_of(t.id) : uploads_of("big", t.id);
	CLAIM(f.n == 2 && f.hit);
	CLAIM(in_threads(PARTS, send_from_the_end, &t));
	abort_it(&other);
	WORKS(complete(&t, PARTS, &e), &e);
	holds("big", at.bytes, at.plan.size);
}

static bool
parts_begin_in_a_new_directory(struct session *c, unsigned number, void *arg)
{
	struct item_stat st = a_file(at.plan.size);
	char key[60], id[STORE_ID_MAX];
	struct err e = ERR_INIT;

	(void)arg;
	snprintf(key, sizeof(key), "new/dir/%u", number);
	return WORKS(OPS->upload_begin(c, key, &st, &at.plan, id, &e), &e) &&
	    WORKS(OPS->upload_abort(c, key, id, &e), &e);
}

static void
uploads_begin_at_once(void)
{
	CLAIM(in_threads(4, parts_begin_in_a_new_directory, NULL));
}

const struct conform_case part_cases[] = {
    CASE(parts_of_many_sessions_become_one_file),
    CASE(one_part_is_enough),
    CASE(after_a_crash_whole_parts_are_kept),
    CASE(a_part_that_lacks_makes_no_file),
    CASE(a_part_of_another_checksum_is_refused),
    CASE(an_aborted_upload_is_gone),
    CASE(ids_of_nobody_do_no_harm),
    CASE(what_was_begun_is_found),
    CASE(two_uploads_of_a_key_are_two),
    CASE(uploads_begin_at_once),
    {0},
};
