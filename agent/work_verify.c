/* SPDX-License-Identifier: ISC */
/*
 * Is what the target has what it should be?  The cheapest proof that is one:
 * the ETag that the ledger knows, a checksum that the store tells, the bytes.
 * A worker only finds out; nothing is changed anywhere.
 */
#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "agent/work_do.h"
#include "base/buf.h"

/* What a store may tell of a whole object. */
#define STORES_ALGOS \
	(DIGEST_CRC64NVME | DIGEST_CRC32C | DIGEST_MD5 | DIGEST_SHA256)

static int
stat_as(struct session *c, const struct job *j, bool dir,
    struct store_stat *out, struct err *e)
{
	AUTO(buf) struct buf key = BUF_INIT(1 << 20);

	buf_add(&key, j->path, j->path_len);
	if (dir && j->path_len > 0)
		buf_addc(&key, '/');
	return c->store->ops->stat(c, buf_str(&key), out, e);
}

/* What the target has now; 0 if it has nothing of that name, 1, -1. */
static int
look(struct worker *me, struct job *j)
{
	struct check *c = j->check;
	bool dir =
	    c->listed ? c->there.type == ITEM_DIR : j->st.type == ITEM_DIR;

	j->from_source = false;
	if (stat_as(me->session, j, dir, &c->now, &j->err) == 0)
		return 1;
	if (j->err.kind != ERR_NOTFOUND)
		return -1;
	c->status = c->extra ? CHECK_SKIPPED : CHECK_MISSING_ON_DST;
	return 0;
}

/*
 * What the source's listing doesn't tell.  1, 0 if there is nothing to be
 * compared with, -1.
 */
static int
know_source(struct worker *me, struct job *j, struct digest *digest)
{
	struct check *c = j->check;
	struct store_stat st;

	if (me->work.source == NULL ||
	    (work_source(me)->features & STORE_LIST_META) != 0)
		return 1;
	j->from_source = true;
	if (stat_as(me->from, j, j->st.type == ITEM_DIR, &st, &j->err) == -1) {
		/* A directory that is only the beginning of names. */
		if (j->err.kind == ERR_NOTFOUND && j->st.type == ITEM_DIR)
			return 1;
		if (j->err.kind == ERR_NOTFOUND)
			j->err.kind = ERR_VANISHED;
		return -1;
	}
	c->want.type = st.type;
	c->want.size = st.size;
	c->want.mode = st.has_owner ? st.mode : 0;
	c->want.uid = st.uid;
	c->want.gid = st.gid;
	c->want.nlink = st.nlink;
	c->want.dev = st.dev;
	c->want.ino = st.ino;
	if (st.has_source_mtime)
		c->want.mtime_ns = st.mtime_ns;
	*digest = st.digest;
	if (st.type != ITEM_SYMLINK || me->work.keep_links)
		return 1;
	c->status = CHECK_SKIPPED;
	return 0;
}

static bool
same_etag(const struct job *j)
{
	const struct check *c = j->check;

	return c->recorded && j->was.etag[0] != '\0' &&
	    strcmp(j->was.etag, c->now.etag) == 0;
}

/* What the source's links lead to: LEN bytes in OUT. */
static int
read_source_link(struct worker *me, struct job *j, char *out, size_t *len)
{
	AUTO(file) struct store_file *f = NULL;
	struct item_stat st;

	j->from_source = true;
	if (work_source(me)->readlink != NULL)
		return work_source(me)->readlink(
		    me->from, j->path, &st, out, PATH_MAX, len, &j->err);
	f = work_open(me, j);
	if (f == NULL)
		return -1;
	*len = (size_t)f->state.size;
	if (f->state.size >= PATH_MAX)
		return err_set(&j->err, ERR_NAME, "symlink target too long");
	return work_source(me)->read_file(f, 0, out, *len, &j->err);
}

static int
read_target_link(struct worker *me, struct job *j, char *out, size_t *len)
{
	const struct store_driver *ops = me->work.target->ops;
	struct item_stat st;

	j->from_source = false;
	if (ops->readlink != NULL)
		return ops->readlink(
		    me->session, j->path, &st, out, PATH_MAX, len, &j->err);
	*len = (size_t)j->check->now.size;
	if (*len >= PATH_MAX)
		return err_set(&j->err, ERR_NAME, "symlink target too long");
	return ops->read(me->session, j->path, 0, out, *len, &j->err);
}

/* Sets whether the content is the same; always 0. */
static int
found(struct check *c, enum check_by proof, bool same)
{
	c->proof = proof;
	c->compared |= CHECK_CONTENT;
	if (!same)
		c->differs |= CHECK_CONTENT;
	return 0;
}

static int
verify_link(struct worker *me, struct job *j)
{
	char want[PATH_MAX], now[PATH_MAX];
	struct digest d;
	size_t want_len, now_len;

	if (j->check->known && same_etag(j) && !j->check->deep)
		return found(j->check, BY_STORE, true);
	if (me->work.source == NULL && (j->was.digest.have & DIGEST_XXH3) == 0)
		return 0;
	if (read_target_link(me, j, now, &now_len) == -1)
		return -1;
	if (me->work.source == NULL) {
		digester_start(me->digester, DIGEST_XXH3);
		digester_update(me->digester, now, now_len);
		digester_finish(me->digester, &d);
		return found(j->check, BY_READING,
		    memcmp(d.xxh3, j->was.digest.xxh3, 16) == 0);
	}
	if (read_source_link(me, j, want, &want_len) == -1)
		return -1;
	return found(j->check, BY_READING,
	    want_len == now_len && memcmp(want, now, now_len) == 0);
}

/* Digest of the source's bytes, which must not change meanwhile. */
static int
hash_source(
    struct worker *me, struct job *j, unsigned algos, struct digest *out)
{
	AUTO(file) struct store_file *f = work_open(me, j);

	if (f == NULL)
		return -1;
	if (j->st.size != j->check->want.size)
		return work_changed(&j->err);
	if (work_hash(me, j, f, 0, j->st.size, algos, out, &j->err) == -1)
		return -1;
	return work_source(me)->check_file(f, &j->err);
}

/* What the ledger says of the whole file, as far as a store can. */
static struct digest
known_whole(const struct job *j)
{
	struct digest d = j->was.digest;

	d.have = j->check->known ? d.have & STORES_ALGOS : 0;
	if (j->known_part_bytes > 0)
		d.have &= ~(unsigned)DIGEST_SHA256;
	return d;
}

/* The target has what was sent then: is the source the same now? */
static int
by_record(struct worker *me, struct job *j)
{
	AUTO(file) struct store_file *f = work_open(me, j);
	struct digest now;

	if (f == NULL)
		return -1;
	if (j->st.size != j->check->want.size)
		return work_changed(&j->err);
	if (work_hash_like(me, j, f, j->known_part_bytes, &now) == -1 ||
	    work_source(me)->check_file(f, &j->err) == -1)
		return -1;
	found(j->check, BY_STORE,
	    memcmp(now.xxh3, j->was.digest.xxh3, sizeof(now.xxh3)) == 0);
	return 1;
}

/* 1 if the store's word was enough; 0 if it has none; -1. */
static int
by_checksum(struct worker *me, struct job *j, const struct digest *source)
{
	struct check *c = j->check;
	struct digest want = known_whole(j);
	unsigned algos = c->now.digest.have & STORES_ALGOS & digest_available();
	int same;

	if (same_etag(j) && c->known) {
		found(c, BY_STORE, true);
		return 1;
	}
	if (same_etag(j) && (j->was.digest.have & DIGEST_XXH3) != 0 &&
	    me->work.source != NULL)
		return by_record(me, j);
	same = check_digests(&want, &c->now.digest);
	if (same == -1)
		same = check_digests(source, &c->now.digest);
	if (same == -1 && algos != 0 && me->work.source != NULL) {
		if (hash_source(me, j, algos, &want) == -1)
			return -1;
		same = check_digests(&want, &c->now.digest);
	}
	if (same == -1)
		return 0;
	found(c, BY_STORE, same == 1);
	return 1;
}

/* The target's digest, in the form of what the ledger or the source has. */
static int
hash_target(struct worker *me, struct job *j, uint64_t part_bytes,
    unsigned algos, struct digest *out)
{
	const struct store_driver *ops = me->work.target->ops;
	AUTO(file) struct store_file *f = NULL;
	int rc;

	j->from_source = false;
	/* One request brings a small object with all that is told of it. */
	if ((ops->features & STORE_LIST_META) == 0) {
		f = ops->open_file(
		    me->session, j->path, j->check->now.size, &j->err);
		if (f == NULL)
			return -1;
		if (f->state.size != j->st.size)
			return work_changed(&j->err);
	}
	rc = part_bytes > 0
	    ? work_hash_like(me, j, f, part_bytes, out)
	    : work_hash(me, j, f, 0, j->st.size, algos, out, &j->err);
	if (rc == 0 && f != NULL)
		rc = ops->check_file(f, &j->err);
	if (rc == 0)
		j->sent_bytes += j->st.size;
	return rc;
}

static bool
has_digest(const struct job *j)
{
	return j->check->known &&
	    (j->was.digest.have & (DIGEST_XXH3 | DIGEST_CRC64NVME)) != 0;
}

/* Too big for one worker, if it can be cut up. */
static bool
goes_in_parts(const struct worker *me, const struct job *j)
{
	if (j->check->want.size < me->work.limits.threshold_bytes)
		return false;
	if (!has_digest(j))
		return me->work.source != NULL;
	return j->known_part_bytes > 0 &&
	    (j->was.digest.have & DIGEST_XXH3) != 0;
}

static int
by_reading(struct worker *me, struct job *j)
{
	struct check *c = j->check;
	struct digest want = j->was.digest, now;
	uint64_t part_bytes = j->known_part_bytes;
	unsigned algos = DIGEST_XXH3;

	if (!has_digest(j) && me->work.source == NULL)
		return 0;
	if (goes_in_parts(me, j)) {
		c->in_parts = true;
		c->part_bytes = has_digest(j) ? j->known_part_bytes
					      : me->work.limits.part_bytes;
		return 0;
	}
	if (!has_digest(j)) {
		if (hash_source(me, j, DIGEST_XXH3, &want) == -1)
			return -1;
		part_bytes = 0;
	} else if ((want.have & DIGEST_XXH3) == 0) {
		algos = DIGEST_CRC64NVME;
		part_bytes = 0;
	}
	j->st.size = c->want.size;
	if (hash_target(me, j, part_bytes, algos, &now) == -1)
		return -1;
	want.have &= algos;
	return found(c, BY_READING, check_digests(&want, &now) == 1);
}

static int
verify_file(struct worker *me, struct job *j, const struct digest *source)
{
	struct check *c = j->check;
	bool replaced = c->recorded && j->was.etag[0] != '\0' && !same_etag(j);
	int rc;

	if (c->want.size == 0)
		return found(c, BY_STORE, true);
	if (c->deep)
		return by_reading(me, j);
	rc = by_checksum(me, j, source);
	if (rc != 0)
		return rc == 1 ? 0 : -1;
	/* The object isn't the one that was left there, and nothing is told
	 * of it: look into it. */
	return replaced ? by_reading(me, j) : 0;
}

int
work_verify(struct worker *me, struct job *j)
{
	struct check *c = j->check;
	struct digest source = {.have = 0};
	int rc = 1;

	c->differs = c->compared = 0;
	c->proof = BY_NOTHING;
	c->in_parts = false;
	c->now = c->there;
	if (c->fresh || !c->listed)
		rc = look(me, j);
	if (rc == 1 && c->extra) {
		c->status = CHECK_MISSING_ON_SRC;
		if (c->now.type == ITEM_SYMLINK && !me->work.keep_links)
			c->status = CHECK_SKIPPED;
		return 0;
	}
	if (rc == 1)
		rc = know_source(me, j, &source);
	if (rc != 1)
		return rc;
	c->differs =
	    check_metadata(me->work.rules, &c->want, &c->now, &c->compared);
	rc = 0;
	if ((c->differs & (CHECK_TYPE | CHECK_SIZE)) == 0) {
		if (c->want.type == ITEM_FILE)
			rc = verify_file(me, j, &source);
		else if (c->want.type == ITEM_SYMLINK)
			rc = verify_link(me, j);
	}
	if (rc == 0 && (c->differs & CHECK_TYPE) == 0)
		rc = work_verify_attrs(me, j);
	c->status = c->differs != 0 ? CHECK_DIFFER : CHECK_MATCH;
	return rc;
}

/* Whether the source has the same in this part; 1, 0, -1. */
static int
source_has(struct worker *me, struct job *j, uint64_t offset, uint64_t len,
    const struct digest *now)
{
	AUTO(file) struct store_file *f = work_open(me, j);
	struct digest d;

	if (f == NULL)
		return -1;
	if (j->st.size != j->check->want.size)
		return work_changed(&j->err);
	if (work_hash(me, j, f, offset, len, DIGEST_XXH3, &d, &j->err) == -1 ||
	    work_source(me)->check_file(f, &j->err) == -1)
		return -1;
	return memcmp(d.xxh3, now->xxh3, sizeof(d.xxh3)) == 0;
}

int
work_verify_part(struct worker *me, struct job *j)
{
	struct check *c = j->check;
	const struct plan plan = {
	    .size = c->want.size, .part_bytes = c->part_bytes};
	uint64_t offset = plan_offset(&plan, j->part);
	uint64_t len = plan_length(&plan, j->part);
	struct digest now;
	int same = 1;

	j->from_source = false;
	if (work_hash(me, j, NULL, offset, len, DIGEST_XXH3, &now, &j->err) ==
	    -1)
		return -1;
	j->sent_bytes = len;
	memcpy(c->part[j->part - 1].xxh3, now.xxh3, sizeof(now.xxh3));
	/* With the ledger's digest, the list of all tells. */
	if (!has_digest(j))
		same = source_has(me, j, offset, len, &now);
	j->finding = same == 1 ? FOUND_SAME : FOUND_OTHER;
	return same == -1 ? -1 : 0;
}
