/* SPDX-License-Identifier: ISC */
/* Jobs of whole items: files, symlinks, directories. */
#include "config.h"

#include <limits.h>
#include <string.h>

#include "agent/work_do.h"
#include "base/buf.h"
#include "base/text.h"

static int
put_bytes(
    struct worker *me, struct job *j, struct store_file *f, unsigned char *data)
{
	unsigned algos = work_algos(me) | f->digest.have;
	struct item_stat meta = f->meta;
	size_t len = (size_t)j->st.size;
	struct store_expect x;
	int rc;

	if (work_read(me, f, data, len, 0, algos, &j->digest, &j->err) == -1 ||
	    work_source(me)->check_file(f, &j->err) == -1 ||
	    work_check_source(&f->digest, &j->digest, &j->err) == -1)
		return -1;
	j->sent_bytes = len;
	j->from_source = false;
	work_held(me, &meta);
	rc = work_expect(me, j, &x);
	if (rc == 0)
		rc = me->work.target->ops->put(me->session, j->path, &meta,
		    data, len, &j->digest, &j->receipt, &j->err);
	return work_written(me, j, rc);
}

static int
make_link(struct worker *me, struct job *j, const struct item_stat *st,
    const char *target, size_t len)
{
	struct item_stat meta = *st;
	struct store_expect x;
	int rc;

	digester_start(me->digester, DIGEST_XXH3 | DIGEST_CRC64NVME);
	digester_update(me->digester, target, len);
	digester_finish(me->digester, &j->digest);
	j->from_source = false;
	work_held(me, &meta);
	rc = work_expect(me, j, &x);
	if (rc == 0)
		rc = me->work.target->ops->symlink(
		    me->session, j->path, &meta, target, len, &j->err);
	return work_written(me, j, rc);
}

/* An object whose metadata says that it stands for a symlink. */
static int
put_link(struct worker *me, struct job *j, struct store_file *f)
{
	char target[PATH_MAX];
	size_t len = (size_t)j->st.size;

	if (!me->work.keep_links) {
		j->skipped = true;
		return 0;
	}
	if (j->st.size >= sizeof(target))
		return err_set(&j->err, ERR_NAME, "symlink target too long");
	if (work_source(me)->read_file(f, 0, target, len, &j->err) == -1)
		return -1;
	return make_link(me, j, &f->meta, target, len);
}

int
work_put(struct worker *me, struct job *j)
{
	AUTO(file) struct store_file *f = work_open(me, j);
	void *data = me->own;
	int rc;

	if (f == NULL)
		return -1;
	if (f->meta.type == ITEM_SYMLINK)
		return put_link(me, j, f);
	if (work_is_grouped(me, j, f))
		return 0;
	if (j->st.size >= me->work.limits.threshold_bytes ||
	    j->st.size > me->work.limits.put_max_bytes) {
		j->grown = true;
		return 0;
	}
	if (j->st.size > WORK_OWN_BYTES)
		data = pool_get(me->work.pool, (size_t)j->st.size, &j->err);
	if (data == NULL)
		return -1;
	rc = put_bytes(me, j, f, data);
	if (data != me->own)
		pool_put(me->work.pool, data);
	if (rc == -1)
		return -1;
	j->proved = j->receipt.proved;
	if (j->proved || !me->work.read_back)
		return 0;
	j->proved = j->read_back = true;
	return work_read_back(me, j, 0, j->st.size, &j->digest, &j->err);
}

int
work_link(struct worker *me, struct job *j)
{
	AUTO(attrs) struct attrs *attrs = NULL;
	char target[PATH_MAX];
	struct item_stat st;
	size_t n;

	j->from_source = true;
	if (work_source(me)->readlink(me->from, j->path, &j->st, target,
		sizeof(target), &n, &j->err) == -1)
		return -1;
	work_given_still(j, &j->st);
	if (work_attrs(me, j, ITEM_SYMLINK, &attrs) == -1)
		return -1;
	st = j->st;
	st.attrs = attrs;
	return make_link(me, j, &st, target, n);
}

static bool
has_dirs(const struct store_driver *d)
{
	return (d->features & STORE_HAS_DIRS) != 0;
}

/*
 * A directory, with the metadata that the source has of it.  What a store
 * without directories doesn't know stays as the target makes it; between two
 * such stores nothing is made of what is only the beginning of other names.
 */
int
work_dir(struct worker *me, struct job *j)
{
	AUTO(attrs) struct attrs *attrs = NULL;
	struct item_stat st = j->st;
	AUTO(buf) struct buf key = BUF_INIT(1 << 20);
	struct store_stat there;

	if (!(work_source(me)->features & STORE_LIST_META)) {
		j->from_source = true;
		buf_adds(&key, j->path);
		if (j->path_len > 0)
			buf_addc(&key, '/');
		st.mtime_ns = ITEM_TIME_UNKNOWN;
		if (work_source(me)->stat(
			me->from, buf_str(&key), &there, &j->err) == 0) {
			st = item_of_listed(&there);
			if (!there.has_source_mtime)
				st.mtime_ns = ITEM_TIME_UNKNOWN;
		} else if (j->err.kind != ERR_NOTFOUND) {
			return -1;
		} else {
			j->err = (struct err)ERR_INIT;
			if (!has_dirs(work_source(me)) &&
			    !has_dirs(me->work.target->ops))
				return 0;
		}
	}
	if (work_attrs(me, j, ITEM_DIR, &attrs) == -1)
		return -1;
	st.attrs = attrs;
	work_held(me, &st);
	j->from_source = false;
	return me->work.target->ops->mkdir(me->session, j->path, &st, &j->err);
}

/* 0 if set_metadata would succeed, as far as looking can tell. */
static int
would_set_metadata(
    struct worker *me, struct job *j, const struct store_stat *was)
{
	const struct store_driver *ops = me->work.target->ops;
	struct store_stat now;

	if (ops->stat(me->session, j->path, &now, &j->err) == -1)
		return -1;
	if (was->etag[0] == '\0' || now.etag[0] == '\0')
		return store_check_still(ops, &now, was, &j->err);
	return strcmp(was->etag, now.etag) == 0
	    ? 0
	    : err_set(&j->err, ERR_MISMATCH, "another item");
}

/* What is at the target is left alone unless it still is WAS. */
static int
set_metadata(struct worker *me, struct job *j, const struct item_stat *st,
    const struct store_stat *was)
{
	struct item_stat meta = *st;

	j->from_source = false;
	work_held(me, &meta);
	if ((me->work.dry_run
		    ? would_set_metadata(me, j, was)
		    : me->work.target->ops->set_metadata(me->session, j->path,
			  &meta, was, &j->receipt, &j->err)) == 0) {
		j->finding = FOUND_METADATA;
		return 0;
	}
	/* It is gone, another one, or too big to be copied: send it again. */
	if (j->err.kind != ERR_NOTFOUND && j->err.kind != ERR_MISMATCH &&
	    j->err.kind != ERR_UNSUPPORTED)
		return -1;
	j->finding = FOUND_OTHER;
	return 0;
}

static bool
has_metadata(const struct store_stat *there, const struct item_stat *st)
{
	return there->has_owner && there->mode == st->mode &&
	    there->uid == st->uid && there->gid == st->gid &&
	    there->mtime_ns == st->mtime_ns;
}

/* 1 if the content of F is what the ledger says; 0, or -1. */
static int
has_content(struct worker *me, struct job *j, struct store_file *f)
{
	struct digest now;

	if (j->believed)
		return 1;
	if ((j->was.digest.have & DIGEST_XXH3) == 0)
		return 0;
	if (work_hash_like(me, j, f, j->known_part_bytes, &now) == -1 ||
	    work_source(me)->check_file(f, &j->err) == -1)
		return -1;
	if ((now.have & DIGEST_SHA256) != 0) {
		memcpy(j->was.digest.sha256, now.sha256, sizeof(now.sha256));
		j->was.digest.have |= DIGEST_SHA256;
	}
	return memcmp(now.xxh3, j->was.digest.xxh3, sizeof(now.xxh3)) == 0;
}

/* All digests that are asked for were taken when it was sent. */
static bool
has_digests(const struct worker *me, const struct job *j)
{
	return (me->work.algos & ~j->was.digest.have) == 0;
}

/* The ledger knows it, but ctime, mtime, inode or owner moved; or nothing did,
 * and its attributes were never asked for. */
int
work_rehash(struct worker *me, struct job *j)
{
	struct item_stat scanned = j->st;
	AUTO(file) struct store_file *f = work_open(me, j);
	int same = 0;

	if (f == NULL)
		return -1;
	if (f->meta.type == ITEM_FILE && work_is_grouped(me, j, f))
		return 0;
	if (f->meta.type == ITEM_FILE)
		same = j->unmoved && has_digests(me, j) &&
			item_same(&scanned, &j->st)
		    ? 1
		    : has_content(me, j, f);
	if (same == -1)
		return -1;
	if (same == 0) {
		j->finding = FOUND_OTHER;
		return 0;
	}
	j->digest = j->was.digest;
	if (!has_metadata(&j->was, &j->st) ||
	    !work_marks_same(me, &j->was, &f->meta) ||
	    (me->work.attrs != 0 && !attrs_same_mark(j->attrs, j->was_attrs)))
		return set_metadata(me, j, &f->meta, &j->was);
	job_finds(j, &j->was);
	j->finding = FOUND_SAME;
	return 0;
}

/* An ETag that is the MD5 of the object: what others uploaded in one put. */
static bool
etag_is_md5(const char *etag)
{
	return strspn(etag, "0123456789abcdef") == 32 && etag[32] == '\0';
}

/* The same, where it may be that nobody keeps an owner there. */
static bool
has_owner(const struct store_stat *there, const struct item_stat *st)
{
	return !there->has_owner || st->mode == 0 ||
	    ((there->mode & 07777) == (st->mode & 07777) &&
		there->uid == st->uid && there->gid == st->gid);
}

/* Whether only reading can tell what the store holds. */
static bool
must_be_read(const struct worker *me, const struct store_stat *there)
{
	const struct store *s = me->work.target;

	/* A directory tells of no checksums, even if it takes them. */
	return me->work.read_back && there->digest.have == 0 &&
	    ((s->ops->features & STORE_HAS_DIRS) != 0 ||
		s->ops->digests(s) == 0);
}

/* Reads all of F, for ALGOS. */
static int
hash_source(
    struct worker *me, struct job *j, struct store_file *f, unsigned algos)
{
	struct digest now;

	if (work_hash(me, j, f, 0, j->st.size, algos | f->digest.have, &now,
		&j->err) == -1 ||
	    work_source(me)->check_file(f, &j->err) == -1 ||
	    work_check_source(&f->digest, &now, &j->err) == -1)
		return -1;
	j->digest = now;
	return 0;
}

/* 1 if source and target, both read, are the same; 0, or -1. */
static int
compare_by_reading(struct worker *me, struct job *j, struct store_file *f)
{
	struct digest there;

	if (hash_source(me, j, f, DIGEST_XXH3 | DIGEST_CRC64NVME) == -1)
		return -1;
	j->from_source = false;
	if (work_hash(me, j, NULL, 0, j->st.size, DIGEST_XXH3, &there,
		&j->err) == 0) {
		j->proved = memcmp(there.xxh3, j->digest.xxh3, 16) == 0;
		j->read_back = j->proved;
		return j->proved;
	}
	/* What can't be read there can be replaced. */
	return j->err.kind == ERR_NOTFOUND || j->err.kind == ERR_MISMATCH ||
		j->err.kind == ERR_DENIED
	    ? 0
	    : -1;
}

static bool
is_as_old(const struct worker *me, const struct store_stat *there,
    const struct item_stat *st)
{
	return there->has_source_mtime &&
	    store_same_time(
		me->work.target->ops, there->mtime_ns, st->mtime_ns);
}

/* 1 if source and target have the same content, 0, -1: by the checksum that
 * the store tells, if it tells one, else by reading. */
static int
compare_content(struct worker *me, struct job *j, struct store_file *f,
    const struct store_stat *there)
{
	struct err differs;

	if (there->digest.have == 0)
		return compare_by_reading(me, j, f);
	if (hash_source(me, j, f,
		there->digest.have | DIGEST_XXH3 | DIGEST_CRC64NVME) == -1)
		return -1;
	j->proved =
	    work_check_source(&there->digest, &j->digest, &differs) == 0;
	return j->proved;
}

/* --checksum, --size-only: THERE, of the same size, is the same if its content
 * is, or for its size alone.  Then nothing but metadata is to be set. */
static int
adopt_anyhow(struct worker *me, struct job *j, const struct store_stat *there)
{
	AUTO(file) struct store_file *f = work_open(me, j);
	bool same_attrs;
	int rc = 1;

	if (f == NULL)
		return -1;
	if (f->meta.type != ITEM_FILE || there->size != j->st.size ||
	    work_is_grouped(me, j, f))
		return 0;
	j->believed = me->work.compare == COMPARE_SIZE;
	if (!j->believed)
		rc = compare_content(me, j, f, there);
	if (rc != 1)
		return rc;
	j->from_source = false;
	if (work_target_has(me, j, f->meta.attrs, &same_attrs) == -1)
		return -1;
	j->finding = FOUND_SAME;
	return is_as_old(me, there, &f->meta) && has_owner(there, &f->meta) &&
		same_attrs && work_marks_same(me, there, &f->meta)
	    ? 0
	    : set_metadata(me, j, &f->meta, there);
}

static int
look(struct worker *me, struct job *j)
{
	struct store_stat there;

	j->finding = FOUND_OTHER;
	if (me->work.target->ops->stat(me->session, j->path, &there, &j->err) ==
	    -1)
		return j->err.kind == ERR_NOTFOUND ? 0 : -1;
	if (there.type == ITEM_DIR)
		return 0;
	if (me->work.ignore_existing)
		j->finding = FOUND_EXISTING;
	else if (me->work.update && there.mtime_ns > j->st.mtime_ns &&
	    !store_same_time(
		me->work.target->ops, there.mtime_ns, j->st.mtime_ns))
		j->finding = FOUND_NEWER;
	return 0;
}

/* --update, --ignore-existing: whether J may have its way; in a dry run, also
 * whether it would find what it expects. */
int
work_look(struct worker *me, struct job *j)
{
	bool writes = j->then == JOB_PUT || j->then == JOB_LINK;
	struct store_expect x;
	int rc = look(me, j);

	if (rc == -1 || j->finding != FOUND_OTHER || !me->work.dry_run ||
	    !writes)
		return rc;
	rc = work_expect(me, j, &x);
	me->session->expect = NULL;
	return rc;
}

/*
 * The target has an item of that name and size already.  It is the same if
 * it carries the source's mtime (and its content, read, is the same where the
 * store tells no checksum of it), or if its ETag is the MD5 of the content.
 */
int
work_adopt(struct worker *me, struct job *j)
{
	bool listed = (work_source(me)->features & STORE_LIST_META) != 0;
	AUTO(file) struct store_file *f = NULL;
	const struct item_stat *meta = &j->st;
	struct store_stat there;
	uint8_t md5[16];
	bool same_age, same_attrs;
	int rc = 1;

	j->finding = FOUND_OTHER;
	if (me->work.target->ops->stat(me->session, j->path, &there, &j->err) ==
	    -1)
		return j->err.kind == ERR_NOTFOUND ? 0 : -1;
	job_finds(j, &there);
	if (there.type != ITEM_FILE || there.size != j->st.size)
		return 0;
	if (me->work.compare != COMPARE_TIMES)
		return adopt_anyhow(me, j, &there);
	same_age = is_as_old(me, &there, meta);
	if (!listed || !same_age || me->work.attrs != 0 ||
	    must_be_read(me, &there)) {
		if (listed && !same_age && !etag_is_md5(there.etag))
			return 0;
		if ((f = work_open(me, j)) == NULL)
			return -1;
		if (f->meta.type != ITEM_FILE || there.size != j->st.size ||
		    work_is_grouped(me, j, f))
			return 0;
		meta = &f->meta;
		same_age = is_as_old(me, &there, meta);
	}
	if (same_age) {
		if (must_be_read(me, &there))
			rc = compare_by_reading(me, j, f);
		if (rc != 1)
			return rc;
		j->from_source = false;
		if (work_target_has(me, j, meta->attrs, &same_attrs) == -1)
			return -1;
		j->finding = FOUND_SAME;
		return has_owner(&there, meta) && same_attrs &&
			work_marks_same(me, &there, meta)
		    ? 0
		    : set_metadata(me, j, meta, &there);
	}
	if (f == NULL || !etag_is_md5(there.etag))
		return 0;
	if (hash_source(
		me, j, f, DIGEST_MD5 | DIGEST_XXH3 | DIGEST_CRC64NVME) == -1)
		return -1;
	if (!text_unhex(there.etag, 32, md5, sizeof(md5)) ||
	    memcmp(md5, j->digest.md5, sizeof(md5)) != 0)
		return 0;
	j->proved = true;
	return set_metadata(me, j, meta, &there);
}
