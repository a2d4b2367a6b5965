/* SPDX-License-Identifier: ISC */
/* Reads volumes and compares them with their indexes. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "transfer/bundle/source.h"

#define CHUNK_BYTES ((size_t)256 << 10)

struct checking {
	struct bundle_source *source;
	struct digester *digester;
	unsigned char *chunk;
	struct frame_cache cache;
	uint32_t slices;
	bundle_bad_fn *bad;
	void *arg;
	struct bundle_checked *out;
};

static int
differs(const struct digest *want, const struct digest *is, struct err *e)
{
	unsigned both = want->have & is->have;

	if (((both & DIGEST_CRC64NVME) != 0 &&
		want->crc64nvme != is->crc64nvme) ||
	    ((both & DIGEST_XXH3) != 0 &&
		memcmp(want->xxh3, is->xxh3, sizeof(is->xxh3)) != 0) ||
	    ((both & DIGEST_SHA256) != 0 &&
		memcmp(want->sha256, is->sha256, sizeof(is->sha256)) != 0))
		return err_set(e, ERR_MISMATCH,
		    "its bytes are not what its digest says: the volume is "
		    "damaged");
	return 0;
}

static int
read_piece(struct checking *c, const struct pack_piece *p, struct err *e)
{
	uint64_t done = 0;

	while (done < p->length) {
		size_t n = p->length - done < CHUNK_BYTES
		    ? (size_t)(p->length - done)
		    : CHUNK_BYTES;

		if (c->source->stop != NULL && atomic_load(c->source->stop))
			return err_set(e, ERR_STOPPED, "stopped");
		if (source_read(c->source, &c->cache, p->volume,
			p->offset + done, c->chunk, n, e) == -1)
			return -1;
		digester_update(c->digester, c->chunk, n);
		done += n;
	}
	return 0;
}

static int
read_member(struct checking *c, const struct pack_record *m, struct err *e)
{
	struct digest want = m->digest, is;
	size_t i;

	/* Of a list of parts, the CRC alone is of the bytes. */
	if (m->part_bytes != 0)
		want.have &= DIGEST_CRC64NVME;
	digester_start(c->digester, want.have);
	for (i = 0; i < m->pieces_n; i++)
		if (read_piece(c, &m->pieces[i], e) == -1)
			return -1;
	digester_finish(c->digester, &is);
	return differs(&want, &is, e);
}

/* Whether some of it is on another disk, and not here. */
static bool
is_elsewhere(struct checking *c, const struct pack_record *m)
{
	const struct bundle_manifest *all = &c->source->manifest;
	const struct bundle_volume *v;
	struct err why;
	size_t i;

	for (i = 0; i < m->pieces_n; i++) {
		v = bundle_manifest_volume(all, m->pieces[i].volume);
		if (v != NULL && v->disk != all->disk &&
		    source_volume_check(c->source, v->number, &why) == -1 &&
		    why.kind == ERR_NOTFOUND)
			return true;
	}
	return false;
}

static int
check_member(void *arg, const struct pack_record *m, struct err *e)
{
	struct checking *c = arg;
	struct err why;

	if (m->refused != NULL || m->pieces_n == 0 ||
	    (c->slices > 1 &&
		crc64nvme(0, m->path, m->path_len) % c->slices != 0))
		return 0;
	if (is_elsewhere(c, m)) {
		c->out->elsewhere++;
		return 0;
	}
	if (read_member(c, m, &why) == -1) {
		if (why.kind == ERR_STOPPED) {
			*e = why;
			return -1;
		}
		c->bad(c->arg, m->path, m->path_len, &why);
	}
	c->out->items++;
	c->out->bytes += m->st.size;
	return 0;
}

static int
check_volume(struct checking *c, const struct bundle_volume *v, struct err *e)
{
	char name[VOLUME_NAME_MAX];
	AUTO(close) int fd = -1;
	struct volume_mark mark;
	struct err why;
	uint64_t bytes;

	volume_name(
	    v->number, volume_end(c->source->manifest.compressed), name);
	if (source_volume_check(c->source, v->number, &why) == -1) {
		c->bad(c->arg, name, strlen(name), &why);
		return 0;
	}
	volume_name(v->number, ".idx", name);
	fd = source_open_checked(
	    c->source, name, v->index_bytes, v->index_sha256, &why);
	if (fd == -1) {
		c->bad(c->arg, name, strlen(name), &why);
		return 0;
	}
	return volume_index_read(fd, name, check_member, c, &mark, &bytes, e);
}

int
bundle_check_volume(struct store *store, size_t n, uint32_t slices,
    bundle_bad_fn *bad, void *arg, struct bundle_checked *out, struct err *e)
{
	struct bundle_source *s = source_of(store);
	const struct bundle_volume *v = &s->manifest.volumes[n];
	AUTO(digester) struct digester *d = digester_new(e);
	AUTO(free) unsigned char *chunk = malloc(CHUNK_BYTES);
	struct checking c = {
	    .source = s,
	    .digester = d,
	    .chunk = chunk,
	    .slices = slices,
	    .bad = bad,
	    .arg = arg,
	    .out = out,
	};
	int rc = 0;

	if (d == NULL)
		return -1;
	if (chunk == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (v->disk == s->manifest.disk)
		rc = check_volume(&c, v, e);
	frame_cache_free(&c.cache);
	return rc;
}
