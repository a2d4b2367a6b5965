/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "transfer/bundle/pieces.h"
#include "transfer/pack/tar.h"

#define CHUNK_BYTES ((size_t)256 << 10)

uint32_t
pieces_parts(const struct plan *plan, uint64_t volume_bytes)
{
	uint64_t usable =
	    volume_bytes - VOLUME_OVERHEAD - TAR_BLOCK - TAR_END_BYTES;
	uint64_t n = usable / plan->part_bytes;

	if (plan->size <= usable || n >= plan->parts)
		return plan->parts;
	return n > 0 ? (uint32_t)n : 1;
}

uint32_t
pieces_of_id(const char *id)
{
	const char *last = strrchr(id, '-');
	unsigned long n = last != NULL ? strtoul(last + 1, NULL, 10) : 0;

	return n <= UINT32_MAX ? (uint32_t)n : 0;
}

struct piece
piece_of(const struct plan *plan, uint32_t parts_in_piece, uint32_t part)
{
	uint32_t index = (part - 1) / parts_in_piece;
	uint64_t from = (uint64_t)index * parts_in_piece * plan->part_bytes;
	uint64_t most = (uint64_t)parts_in_piece * plan->part_bytes;
	uint64_t left = from < plan->size ? plan->size - from : 0;

	return (struct piece){
	    .number = index + 1,
	    .of = (plan->parts - 1) / parts_in_piece + 1,
	    .first = index * parts_in_piece + 1,
	    .bytes = left < most ? left : most,
	};
}

void
pieces_place(uint64_t volume, uint64_t offset, char *out, size_t size)
{
	snprintf(out, size, "%" PRIu64 ":%" PRIu64, volume, offset);
}

static bool
parse_place(const char *etag, uint64_t *volume, uint64_t *offset)
{
	char *end;

	*volume = strtoull(etag, &end, 10);
	if (end == etag || *end != ':')
		return false;
	etag = end + 1;
	*offset = strtoull(etag, &end, 10);
	return end != etag && *end == '\0' && *offset <= INT64_MAX;
}

struct pack_piece *
pieces_join(
    const struct store_part *parts, size_t n, size_t *count, struct err *e)
{
	struct pack_piece *out = calloc(n + 1, sizeof(*out));
	size_t used = 0, i;

	if (out == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	for (i = 0; i < n; i++) {
		struct pack_piece *last = used > 0 ? &out[used - 1] : NULL;
		uint64_t volume, offset;

		if (!parse_place(parts[i].etag, &volume, &offset)) {
			free(out);
			err_set(e, ERR_GONE,
			    "the ledger doesn't know where part %zu is", i + 1);
			return NULL;
		}
		if (last != NULL && last->volume == volume &&
		    last->offset + last->length == offset) {
			last->length += parts[i].size;
			continue;
		}
		out[used++] = (struct pack_piece){
		    .volume = volume,
		    .offset = offset,
		    .length = parts[i].size,
		};
	}
	*count = used;
	return out;
}

/* Where bytes of this disk are read. */
struct place {
	int fd;
	struct volume *volume; /* that it is; NULL: it isn't compressed */
	struct frame_cache cache;
	uint64_t offset;
};

static bool
read_at(struct place *p, char *to, size_t len)
{
	struct err e;
	int rc;

	if (p->volume != NULL) {
		pthread_mutex_lock(&p->volume->lock);
		rc = frames_read(&p->volume->frames, p->fd, &p->cache,
		    p->offset, to, len, &e);
		pthread_mutex_unlock(&p->volume->lock);
		p->offset += len;
		return rc == 0;
	}
	while (len > 0) {
		ssize_t n = pread(p->fd, to, len, (off_t)p->offset);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		to += n;
		p->offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return true;
}

/* XXH3 of LEN bytes from P on. */
static bool
hash(struct place *p, struct digester *d, uint64_t len, struct digest *out)
{
	AUTO(free) char *chunk = malloc(CHUNK_BYTES);

	if (chunk == NULL)
		return false;
	digester_start(d, DIGEST_XXH3);
	while (len > 0) {
		size_t n = len < CHUNK_BYTES ? (size_t)len : CHUNK_BYTES;

		if (!read_at(p, chunk, n))
			return false;
		digester_update(d, chunk, n);
		len -= n;
	}
	digester_finish(d, out);
	return true;
}

static struct volume *
find_volume(struct bundle_target *s, uint64_t number)
{
	struct volume *v = NULL;
	size_t i;

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < s->n && v == NULL; i++)
		if (s->volumes[i]->number == number)
			v = s->volumes[i];
	pthread_mutex_unlock(&s->lock);
	return v;
}

static bool
is_there(struct bundle_target *s, struct digester *d, uint64_t number,
    uint64_t offset, const struct store_part *part)
{
	bool compressed = s->order->level > 0;
	struct place p = {.offset = offset};
	char name[VOLUME_NAME_MAX];
	struct digest is;
	bool same;

	volume_name(number, volume_end(compressed), name);
	p.volume = compressed ? find_volume(s, number) : NULL;
	if (compressed && p.volume == NULL)
		return false;
	p.fd = openat(
	    atomic_load(&s->dir_fd), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (p.fd == -1)
		return false;
	same = hash(&p, d, part->size, &is) &&
	    memcmp(is.xxh3, part->digest.xxh3, sizeof(is.xxh3)) == 0;
	frame_cache_free(&p.cache);
	close(p.fd);
	return same;
}

bool
bundle_part_is(
    struct bundle_target *s, struct digester *d, const struct store_part *part)
{
	const struct bundle_volume *before = NULL;
	uint64_t volume, offset;

	if (!parse_place(part->etag, &volume, &offset) ||
	    (part->digest.have & DIGEST_XXH3) == 0)
		return false;
	if (s->order->before != NULL)
		before = bundle_manifest_volume(s->order->before, volume);
	if (before != NULL)
		return part->size <= before->tar_bytes &&
		    offset <= before->tar_bytes - part->size;
	return is_there(s, d, volume, offset, part);
}
