/* SPDX-License-Identifier: ISC */
/*
 * The path of the bytes.  A part is read from the source once, in chunks, into
 * a buffer; its digests are taken from each chunk as it arrives; the buffer is
 * what is sent.  fstat before the first and after the last read: if anything
 * moved, the file changed under us and what was read counts for nothing.
 */
#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "agent/work_do.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "transfer/retry.h"

/* Bytes that are read from a store that isn't local at a time. */
#define FAR_CHUNK_BYTES ((size_t)4 << 20)

static int
changed(struct err *e)
{
	return err_set(e, ERR_CHANGED, "changed while it was read");
}

static const struct store_driver *
source(const struct worker *me)
{
	return me->work.source->ops;
}

static inline void
auto_file(struct store_file **f)
{
	if (*f != NULL)
		(*f)->session->store->ops->close_file(*f);
}

static struct store_file *
open_source(struct worker *me, struct job *j)
{
	struct store_file *f;

	j->read_ns = clock_wall_ns();
	f = source(me)->open_file(me->from, j->path, j->st.size, &j->err);
	if (f != NULL)
		j->st = f->state;
	return f;
}

/* Reads LEN bytes at OFFSET into OUT, taking the digests on the way. */
static int
read_hashed(struct worker *me, struct store_file *f, unsigned char *out,
    size_t len, uint64_t offset, unsigned algos, struct digest *digest,
    struct err *e)
{
	bool local = (source(me)->features & STORE_IS_LOCAL) != 0;
	size_t most = local ? WORK_CHUNK_BYTES : FAR_CHUNK_BYTES, done = 0;

	digester_start(me->digester, algos);
	while (done < len) {
		size_t n = len - done < most ? len - done : most;

		if (source(me)->read_file(f, offset + done, out + done, n, e) ==
		    -1)
			return -1;
		digester_update(me->digester, out + done, n);
		done += n;
	}
	digester_finish(me->digester, digest);
	return 0;
}

static unsigned
algos_needed(const struct worker *me)
{
	return DIGEST_XXH3 | DIGEST_CRC64NVME |
	    me->work.target->ops->digests(me->work.target);
}

/* Digest of LEN bytes at OFFSET: of F, or, if that is NULL, of what the target
 * has under J's path. */
static int
hash_range(struct worker *me, struct job *j, struct store_file *f,
    uint64_t offset, uint64_t len, unsigned algos, struct digest *out,
    struct err *e)
{
	const struct store *s = f != NULL ? me->work.source : me->work.target;
	bool local = (s->ops->features & STORE_IS_LOCAL) != 0;
	size_t most = local ? WORK_CHUNK_BYTES : FAR_CHUNK_BYTES;
	void *data = me->chunk;
	uint64_t done = 0;
	int rc = 0;

	if (most > len)
		most = (size_t)len;
	if (most > WORK_CHUNK_BYTES)
		data = pool_get(me->work.pool, most, e);
	if (data == NULL)
		return -1;
	digester_start(me->digester, algos);
	while (done < len && rc == 0) {
		size_t n = len - done < most ? (size_t)(len - done) : most;

		if (atomic_load_explicit(me->work.stop, memory_order_relaxed))
			rc = err_set(e, ERR_STOPPED, "stopped");
		else if (f != NULL)
			rc = s->ops->read_file(f, offset + done, data, n, e);
		else
			rc = s->ops->read(
			    me->session, j->path, offset + done, data, n, e);
		if (rc == 0)
			digester_update(me->digester, data, n);
		done += n;
	}
	if (data != me->chunk)
		pool_put(me->work.pool, data);
	if (rc == 0)
		digester_finish(me->digester, out);
	return rc;
}

/* Reads back LEN bytes of what was written and compares with WANT. */
static int
read_back(struct worker *me, struct job *j, uint64_t offset, uint64_t len,
    const struct digest *want, struct err *e)
{
	struct digest got;

	if (hash_range(me, j, NULL, offset, len, DIGEST_XXH3, &got, e) == -1)
		return err_context(e, "reading it back");
	if (memcmp(got.xxh3, want->xxh3, sizeof(got.xxh3)) != 0)
		return err_set(e, ERR_MISMATCH,
		    "read back from the target, bytes %llu to %llu are not "
		    "what was sent",
		    (unsigned long long)offset,
		    (unsigned long long)(offset + len));
	return 0;
}

/* What was read must be what the source store says it holds. */
static int
check_source(
    const struct digest *said, const struct digest *read, struct err *e)
{
	unsigned both = said->have & read->have;

	if (((both & DIGEST_CRC64NVME) && said->crc64nvme != read->crc64nvme) ||
	    ((both & DIGEST_CRC32C) && said->crc32c != read->crc32c) ||
	    ((both & DIGEST_MD5) && memcmp(said->md5, read->md5, 16) != 0))
		return err_set(e, ERR_MISMATCH,
		    "what was read has another checksum than the source store "
		    "says");
	return 0;
}

static int
put_bytes(
    struct worker *me, struct job *j, struct store_file *f, unsigned char *data)
{
	size_t len = (size_t)j->st.size;

	if (read_hashed(me, f, data, len, 0, algos_needed(me), &j->digest,
		&j->err) == -1 ||
	    source(me)->check_file(f, &j->err) == -1 ||
	    check_source(&f->digest, &j->digest, &j->err) == -1)
		return -1;
	j->sent_bytes = len;
	return me->work.target->ops->put(me->session, j->path, &f->meta, data,
	    len, &j->digest, &j->receipt, &j->err);
}

static int
make_link(struct worker *me, struct job *j, const struct item_stat *st,
    const char *target, size_t len)
{
	return me->work.target->ops->symlink(
	    me->session, j->path, st, target, len, &j->err);
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
	if (source(me)->read_file(f, 0, target, len, &j->err) == -1)
		return -1;
	return make_link(me, j, &f->meta, target, len);
}

static int
do_put(struct worker *me, struct job *j)
{
	AUTO(file) struct store_file *f = open_source(me, j);
	void *data = me->chunk;
	int rc;

	if (f == NULL)
		return -1;
	if (f->meta.type == ITEM_SYMLINK)
		return put_link(me, j, f);
	if (j->st.size >= me->work.limits.threshold_bytes ||
	    j->st.size > me->work.limits.put_max_bytes) {
		j->grown = true;
		return 0;
	}
	if (j->st.size > WORK_CHUNK_BYTES)
		data = pool_get(me->work.pool, (size_t)j->st.size, &j->err);
	if (data == NULL)
		return -1;
	rc = put_bytes(me, j, f, data);
	if (data != me->chunk)
		pool_put(me->work.pool, data);
	if (rc == -1)
		return -1;
	j->proved = j->receipt.proved;
	if (j->proved || !me->work.read_back)
		return 0;
	j->proved = true;
	return read_back(me, j, 0, j->st.size, &j->digest, &j->err);
}

static int
do_link(struct worker *me, struct job *j)
{
	char target[PATH_MAX];
	size_t n;

	if (source(me)->readlink(me->from, j->path, &j->st, target,
		sizeof(target), &n, &j->err) == -1)
		return -1;
	return make_link(me, j, &j->st, target, n);
}

/*
 * A directory, with the metadata that the source has of it.  What a store
 * without directories doesn't know stays as the target makes it.
 */
static int
do_dir(struct worker *me, struct job *j)
{
	struct item_stat st = j->st;
	AUTO(buf) struct buf key = BUF_INIT(1 << 20);
	struct store_stat there;

	if (!(source(me)->features & STORE_LIST_META)) {
		buf_adds(&key, j->path);
		if (j->path_len > 0)
			buf_addc(&key, '/');
		st.mtime_ns = ITEM_TIME_UNKNOWN;
		if (source(me)->stat(
			me->from, buf_str(&key), &there, &j->err) == 0) {
			st = item_of_listed(&there);
			if (!there.has_source_mtime)
				st.mtime_ns = ITEM_TIME_UNKNOWN;
		} else if (j->err.kind != ERR_NOTFOUND) {
			return -1;
		}
	}
	return me->work.target->ops->mkdir(me->session, j->path, &st, &j->err);
}

/* The digest of the source in the form that the ledger keeps: of the whole,
 * or of the list of its parts. */
static int
hash_like(struct worker *me, struct job *j, struct store_file *f,
    uint64_t part_bytes, struct digest *out)
{
	struct plan plan = {.size = j->st.size, .part_bytes = part_bytes};
	AUTO(free) uint8_t *list = NULL;
	struct digest part;
	uint32_t i, parts;

	if (part_bytes == 0)
		return hash_range(
		    me, j, f, 0, j->st.size, DIGEST_XXH3, out, &j->err);
	parts = (uint32_t)((j->st.size + part_bytes - 1) / part_bytes);
	list = malloc((size_t)parts * 16 + 1);
	if (list == NULL)
		return err_set(&j->err, ERR_NOMEM, "out of memory");
	for (i = 0; i < parts; i++) {
		if (hash_range(me, j, f, plan_offset(&plan, i + 1),
			plan_length(&plan, i + 1), DIGEST_XXH3, &part,
			&j->err) == -1)
			return -1;
		memcpy(list + (size_t)i * 16, part.xxh3, 16);
	}
	digest_of_list(list, parts, out->xxh3);
	out->have = DIGEST_XXH3;
	return 0;
}

/* What is at the target is left alone unless it still is WAS. */
static int
set_metadata(struct worker *me, struct job *j, const struct item_stat *meta,
    const struct store_stat *was)
{
	if (me->work.target->ops->set_metadata(
		me->session, j->path, meta, was, &j->receipt, &j->err) == 0) {
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

/* The ledger knows it, but ctime, mtime, inode or owner moved. */
static int
do_rehash(struct worker *me, struct job *j)
{
	AUTO(file) struct store_file *f = open_source(me, j);
	struct digest now;

	if (f == NULL)
		return -1;
	if (f->meta.type != ITEM_FILE) {
		j->finding = FOUND_OTHER;
		return 0;
	}
	if (hash_like(me, j, f, j->known_part_bytes, &now) == -1 ||
	    source(me)->check_file(f, &j->err) == -1)
		return -1;
	if (memcmp(now.xxh3, j->was.digest.xxh3, sizeof(now.xxh3)) != 0) {
		j->finding = FOUND_OTHER;
		return 0;
	}
	j->digest = j->was.digest;
	if (!has_metadata(&j->was, &j->st))
		return set_metadata(me, j, &f->meta, &j->was);
	memcpy(j->receipt.etag, j->was.etag, sizeof(j->receipt.etag));
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
	return me->work.read_back && there->digest.have == 0 &&
	    me->work.target->ops->digests(me->work.target) == 0;
}

/* Reads all of F, for ALGOS. */
static int
hash_source(
    struct worker *me, struct job *j, struct store_file *f, unsigned algos)
{
	struct digest now;

	if (hash_range(me, j, f, 0, j->st.size, algos, &now, &j->err) == -1 ||
	    source(me)->check_file(f, &j->err) == -1)
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
	if (hash_range(me, j, NULL, 0, j->st.size, DIGEST_XXH3, &there,
		&j->err) == 0) {
		j->proved = memcmp(there.xxh3, j->digest.xxh3, 16) == 0;
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

/*
 * The target has an item of that name and size already.  It is the same if
 * it carries the source's mtime (and its content, read, is the same where the
 * store tells no checksum of it), or if its ETag is the MD5 of the content.
 */
static int
do_adopt(struct worker *me, struct job *j)
{
	bool listed = (source(me)->features & STORE_LIST_META) != 0;
	AUTO(file) struct store_file *f = NULL;
	const struct item_stat *meta = &j->st;
	struct store_stat there;
	uint8_t md5[16];
	bool same_age;
	int rc = 1;

	j->finding = FOUND_OTHER;
	if (me->work.target->ops->stat(me->session, j->path, &there, &j->err) ==
	    -1)
		return j->err.kind == ERR_NOTFOUND ? 0 : -1;
	memcpy(j->receipt.etag, there.etag, sizeof(j->receipt.etag));
	if (there.type != ITEM_FILE || there.size != j->st.size)
		return 0;
	same_age = is_as_old(me, &there, meta);
	if (!listed || !same_age || must_be_read(me, &there)) {
		if (listed && !same_age && !etag_is_md5(there.etag))
			return 0;
		if ((f = open_source(me, j)) == NULL)
			return -1;
		if (f->meta.type != ITEM_FILE || there.size != j->st.size)
			return 0;
		meta = &f->meta;
		same_age = is_as_old(me, &there, meta);
	}
	if (same_age) {
		if (must_be_read(me, &there))
			rc = compare_by_reading(me, j, f);
		if (rc != 1)
			return rc;
		j->finding = FOUND_SAME;
		return has_owner(&there, meta)
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

void
work_release(struct worker *me)
{
	auto_file(&me->held);
	me->held = NULL;
}

/* The source of J's upload, which must be what the plan was made for. */
static struct store_file *
hold_upload(struct worker *me, struct job *j)
{
	struct store_file *f;

	if (me->held != NULL && me->held_serial == j->up->serial)
		return me->held;
	work_release(me);
	f = open_source(me, j);
	if (f == NULL)
		return NULL;
	me->held = f;
	me->held_serial = j->up->serial;
	if (item_same(&f->state, &j->up->st))
		return f;
	work_release(me);
	changed(&j->err);
	return NULL;
}

/* The first that is asked of an upload: what its item is to carry. */
static int
open_upload(struct worker *me, struct job *j)
{
	struct store_file *f = hold_upload(me, j);

	if (f == NULL)
		return -1;
	j->up->meta = f->meta;
	j->up->source = f->digest;
	return 0;
}

/* One upload that an intent may have begun. */
struct sweep {
	struct worker *me;
	struct job *job;
};

static int
sweep_one(
    void *arg, const char *key, const char *id, int64_t begun_ns, struct err *e)
{
	struct sweep *s = arg;

	if (strcmp(key, s->job->path) != 0 ||
	    strcmp(id, s->job->upload_id) == 0 || begun_ns < s->job->begun_ns)
		return 0;
	if (s->me->work.target->ops->upload_abort(s->me->session, key, id, e) ==
	    -1)
		return -1;
	stats_add(s->me->work.stats, aborted_uploads, 1);
	s->job->finding = FOUND_OTHER;
	return 0;
}

static int
do_sweep(struct worker *me, struct job *j)
{
	struct sweep s = {.me = me, .job = j};

	return me->work.target->ops->uploads(
	    me->session, j->path, sweep_one, &s, &j->err);
}

/* Whether bytes can go from source to target without passing through here. */
static bool
same_driver(const struct worker *me)
{
	return source(me) == me->work.target->ops;
}

static int
do_begin(struct worker *me, struct job *j)
{
	const struct store_driver *to = me->work.target->ops;

	if (open_upload(me, j) == -1)
		return -1;
	if (same_driver(me) && to->clone != NULL) {
		if (to->clone(me->session, j->path, hold_upload(me, j),
			&j->receipt, &j->err) == 0) {
			j->finding = FOUND_SAME;
			return 0;
		}
		if (j->err.kind != ERR_UNSUPPORTED)
			return -1;
	}
	return me->work.target->ops->upload_begin(me->session, j->path,
	    &j->up->meta, &j->up->plan, j->up->id, &j->err);
}

static struct store_upload
store_upload_of(const struct job *j)
{
	return (struct store_upload){
	    .key = j->path,
	    .id = j->up->id,
	    .plan = j->up->plan,
	    .st = j->up->meta,
	};
}

/* The store is asked of the parts that were sent, and of no others. */
static int
do_check(struct worker *me, struct job *j)
{
	struct store_upload u = store_upload_of(j);
	struct upload *up = j->up;
	AUTO(free) struct store_part *sent = NULL;
	AUTO(free) bool *keep = NULL;
	uint32_t i, n = 0;

	if (open_upload(me, j) == -1)
		return -1;
	sent = calloc(up->plan.parts, sizeof(*sent));
	keep = calloc(up->plan.parts, sizeof(*keep));
	if (sent == NULL || keep == NULL)
		return err_set(&j->err, ERR_NOMEM, "out of memory");
	for (i = 0; i < up->plan.parts; i++)
		if (up->parts[i].number != 0)
			sent[n++] = up->parts[i];
	if (me->work.target->ops->upload_check(
		me->session, &u, sent, n, keep, &j->err) == -1)
		return -1;
	for (i = 0; i < n; i++)
		up->keep[sent[i].number - 1] = keep[i];
	return 0;
}

static int
send_part(struct worker *me, struct job *j, unsigned char *data, size_t len)
{
	struct store_upload u = store_upload_of(j);
	struct store_file *f = hold_upload(me, j);

	if (f == NULL || source(me)->check_file(f, &j->err) == -1 ||
	    read_hashed(me, f, data, len, plan_offset(&u.plan, j->part),
		algos_needed(me), &j->digest, &j->err) == -1 ||
	    source(me)->check_file(f, &j->err) == -1)
		return -1;
	j->sent_bytes = len;
	return me->work.target->ops->upload_part(me->session, &u, j->part, data,
	    len, &j->digest, &j->receipt, &j->err);
}

/* 0 if it was copied, 1 if its bytes have to be sent. */
static int
copy_part(struct worker *me, struct job *j)
{
	const struct store_driver *to = me->work.target->ops;
	struct store_upload u = store_upload_of(j);
	struct store_file *f;

	/* Nobody would know what was copied. */
	if (me->work.read_back || !same_driver(me) || to->copy_part == NULL)
		return 1;
	f = hold_upload(me, j);
	if (f == NULL || source(me)->check_file(f, &j->err) == -1)
		return -1;
	if (to->copy_part(me->session, &u, j->part, f, &j->receipt, &j->err) ==
	    -1)
		return j->err.kind == ERR_UNSUPPORTED ? 1 : -1;
	memset(&j->digest, 0, sizeof(j->digest));
	j->sent_bytes = plan_length(&u.plan, j->part);
	return source(me)->check_file(f, &j->err);
}

static int
do_part(struct worker *me, struct job *j)
{
	size_t len = (size_t)plan_length(&j->up->plan, j->part);
	int copied = copy_part(me, j);
	void *data;
	int rc;

	if (copied <= 0)
		return copied == 0 ? 0
				   : err_context(&j->err, "part %u", j->part);
	data = pool_get(me->work.pool, len, &j->err);

	if (data == NULL)
		return -1;
	rc = send_part(me, j, data, len);
	pool_put(me->work.pool, data);
	return rc == 0 ? 0 : err_context(&j->err, "part %u", j->part);
}

/* What combines over parts, and the digest of their list. */
static int
digest_of_parts(const struct upload *up, struct digest *out, struct err *e)
{
	AUTO(free) uint8_t *list = malloc((size_t)up->plan.parts * 16);
	uint32_t i;

	if (list == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	memset(out, 0, sizeof(*out));
	out->have = DIGEST_XXH3 | DIGEST_CRC64NVME | DIGEST_CRC32C;
	for (i = 0; i < up->plan.parts; i++) {
		const struct store_part *p = &up->parts[i];

		memcpy(list + (size_t)i * 16, p->digest.xxh3, 16);
		out->crc64nvme = crc64nvme_combine(
		    out->crc64nvme, p->digest.crc64nvme, p->size);
		out->crc32c =
		    crc32c_combine(out->crc32c, p->digest.crc32c, p->size);
		out->have &= p->digest.have;
	}
	digest_of_list(list, up->plan.parts, out->xxh3);
	return 0;
}

static int
read_back_part(struct worker *me, struct job *j, uint32_t i)
{
	const struct plan *plan = &j->up->plan;

	return read_back(me, j, plan_offset(plan, i + 1),
	    plan_length(plan, i + 1), &j->up->parts[i].digest, &j->err);
}

static int
do_complete(struct worker *me, struct job *j)
{
	struct store_upload u = store_upload_of(j);
	struct store_file *f = hold_upload(me, j);
	uint32_t i;

	if (f == NULL || source(me)->check_file(f, &j->err) == -1 ||
	    digest_of_parts(j->up, &j->digest, &j->err) == -1 ||
	    check_source(&j->up->source, &j->digest, &j->err) == -1 ||
	    me->work.target->ops->upload_complete(me->session, &u, j->up->parts,
		j->up->plan.parts, &j->digest, &j->receipt, &j->err) == -1)
		return -1;
	j->proved = j->receipt.proved;
	if (j->proved || !me->work.read_back)
		return 0;
	for (i = 0; i < u.plan.parts; i++)
		if (!j->up->parts[i].proved && read_back_part(me, j, i) == -1)
			return -1;
	j->proved = true;
	return 0;
}

/* 0, or -1 with the job's err set. */
static int
dispatch(struct worker *me, struct job *j)
{
	const struct store_driver *ops = me->work.target->ops;

	switch (j->kind) {
	case JOB_PUT:
		return do_put(me, j);
	case JOB_LINK:
		return do_link(me, j);
	case JOB_DIR:
		return do_dir(me, j);
	case JOB_ADOPT:
		return do_adopt(me, j);
	case JOB_REHASH:
		return do_rehash(me, j);
	case JOB_BEGIN:
		return do_begin(me, j);
	case JOB_CHECK:
		return do_check(me, j);
	case JOB_PART:
		return do_part(me, j);
	case JOB_COMPLETE:
		return do_complete(me, j);
	case JOB_ABORT:
		return ops->upload_abort(
		    me->session, j->path, j->upload_id, &j->err);
	case JOB_SWEEP:
		return do_sweep(me, j);
	}
	return 0;
}

void
work_do(struct worker *me, struct job *j)
{
	j->proved = false;
	/* What went wrong on the way to success says nothing. */
	if (dispatch(me, j) == 0)
		j->err.kind = ERR_NONE;
	else if (j->up != NULL)
		work_release(me); /* the connection that it is of may be dead */
}
