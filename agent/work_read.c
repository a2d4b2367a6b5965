/* SPDX-License-Identifier: ISC */
/*
 * The path of the bytes.  A part is read from the source once, in chunks, into
 * a buffer; its digests are taken from each chunk as it arrives; the buffer is
 * what is sent.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/work_do.h"
#include "base/clock.h"

/* Bytes that are read from a store that isn't local at a time. */
#define FAR_CHUNK_BYTES ((size_t)4 << 20)

/* The names of F's file are as the coordinator has them. */
static void
set_links(const struct worker *me, const struct job *j, struct item_stat *meta)
{
	if (work_lists_links(me)) {
		meta->nlink = j->link.nlink;
		meta->dev = j->link.dev;
		meta->ino = j->link.ino;
	} else if (!me->work.hard_links) {
		meta->nlink = 0;
	}
}

struct store_file *
work_open(struct worker *me, struct job *j)
{
	struct store_file *f;

	j->from_source = true;
	j->read_ns = clock_wall_ns();
	f = work_source(me)->open_file(me->from, j->path, j->st.size, &j->err);
	if (f == NULL)
		return NULL;
	j->st = f->state;
	if (work_given(me, j, f) == -1) {
		auto_file(&f);
		return NULL;
	}
	j->st.has_atime = f->meta.has_atime;
	j->st.atime_ns = f->meta.atime_ns;
	j->attrs = attrs_mark(f->meta.attrs, me->work.attrs);
	set_links(me, j, &f->meta);
	return f;
}

/* Reads LEN bytes at OFFSET into OUT, taking the digests on the way. */
int
work_read(struct worker *me, struct store_file *f, unsigned char *out,
    size_t len, uint64_t offset, unsigned algos, struct digest *digest,
    struct err *e)
{
	bool local = (work_source(me)->features & STORE_IS_LOCAL) != 0;
	size_t most = local ? WORK_CHUNK_BYTES : FAR_CHUNK_BYTES, done = 0;

	digester_start(me->digester, algos);
	while (done < len) {
		size_t n = len - done < most ? len - done : most;

		if (work_source(me)->read_file(
			f, offset + done, out + done, n, e) == -1)
			return -1;
		digester_update(me->digester, out + done, n);
		done += n;
	}
	digester_finish(me->digester, digest);
	return 0;
}

/* Digest of LEN bytes at OFFSET: of F (of either store), or, if that is NULL,
 * of what the target has under J's path. */
int
work_hash(struct worker *me, struct job *j, struct store_file *f,
    uint64_t offset, uint64_t len, unsigned algos, struct digest *out,
    struct err *e)
{
	const struct store *s = f != NULL ? f->session->store : me->work.target;
	/* Each read() opens anew: nothing is read ahead for it. */
	bool near = f != NULL && (s->ops->features & STORE_IS_LOCAL) != 0;
	size_t most = near ? WORK_CHUNK_BYTES : FAR_CHUNK_BYTES;
	void *data = me->own;
	uint64_t done = 0;
	int rc = 0;

	if (most > len)
		most = (size_t)len;
	if (most > WORK_OWN_BYTES)
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
	if (data != me->own)
		pool_put(me->work.pool, data);
	if (rc == 0)
		digester_finish(me->digester, out);
	return rc;
}

/* The digest of F, as work_hash, in the form that the ledger keeps: of the
 * whole, or of the list of its parts. */
int
work_hash_like(struct worker *me, struct job *j, struct store_file *f,
    uint64_t part_bytes, struct digest *out)
{
	struct plan plan = {.size = j->st.size, .part_bytes = part_bytes};
	unsigned algos = DIGEST_XXH3 | me->work.algos;
	AUTO(free) uint8_t *list = NULL;
	uint8_t *sha256;
	struct digest part;
	uint32_t i, parts;

	if (part_bytes == 0)
		return work_hash(me, j, f, 0, j->st.size, algos, out, &j->err);
	parts = (uint32_t)((j->st.size + part_bytes - 1) / part_bytes);
	list = malloc((size_t)parts * (16 + 32) + 1);
	if (list == NULL)
		return err_set(&j->err, ERR_NOMEM, "out of memory");
	sha256 = list + (size_t)parts * 16;
	for (i = 0; i < parts; i++) {
		if (work_hash(me, j, f, plan_offset(&plan, i + 1),
			plan_length(&plan, i + 1), algos, &part, &j->err) == -1)
			return -1;
		memcpy(list + (size_t)i * 16, part.xxh3, 16);
		memcpy(sha256 + (size_t)i * 32, part.sha256, 32);
	}
	out->have = 0;
	if ((algos & DIGEST_SHA256) != 0)
		work_sha256_of_list(me, sha256, parts, out);
	digest_of_list(list, parts, out->xxh3);
	out->have |= DIGEST_XXH3;
	return 0;
}

void
work_sha256_of_list(
    struct worker *me, const uint8_t *list, size_t n, struct digest *out)
{
	struct digest d;

	digester_start(me->digester, DIGEST_SHA256);
	digester_update(me->digester, list, n * 32);
	digester_finish(me->digester, &d);
	memcpy(out->sha256, d.sha256, sizeof(d.sha256));
	out->have |= d.have & DIGEST_SHA256;
}

/* Reads back LEN bytes of what was written and compares with WANT. */
int
work_read_back(struct worker *me, struct job *j, uint64_t offset, uint64_t len,
    const struct digest *want, struct err *e)
{
	struct digest got;

	if (work_hash(me, j, NULL, offset, len, DIGEST_XXH3, &got, e) == -1)
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
int
work_check_source(
    const struct digest *said, const struct digest *read, struct err *e)
{
	unsigned both = said->have & read->have;

	if (((both & DIGEST_CRC64NVME) && said->crc64nvme != read->crc64nvme) ||
	    ((both & DIGEST_CRC32C) && said->crc32c != read->crc32c) ||
	    ((both & DIGEST_SHA256) &&
		memcmp(said->sha256, read->sha256, 32) != 0) ||
	    ((both & DIGEST_MD5) && memcmp(said->md5, read->md5, 16) != 0))
		return err_set(e, ERR_MISMATCH,
		    "what was read has another checksum than the source says: "
		    "read again, this is either the line or a damaged file");
	return 0;
}
