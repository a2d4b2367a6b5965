/* SPDX-License-Identifier: ISC */
/*
 * Another name of a file, where there are none: a copy that the store makes.
 * Its metadata says of which group it is (meta.h).
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
 */
#include "config.h"

#include <string.h>

#include "transfer/s3/request.h"

/* Whether KEY, the copy, has the content of the object FROM. */
static int
prove(struct s3_session *c, const char *key, const struct store_stat *from,
    struct store_receipt *copy, struct err *e)
{
	struct store_stat now;
	unsigned both;

	if (req_etag_is_md5(c) && from->etag[0] != '\0' &&
	    strcmp(copy->etag, from->etag) == 0) {
		copy->proved = true;
		return 0;
	}
	if (s3_head(c, key, false, &now, e) == -1)
		return err_context(e, "after the copy");
	both = now.digest.have & from->digest.have;
	if (now.size != from->size ||
	    ((both & DIGEST_CRC64NVME) &&
		now.digest.crc64nvme != from->digest.crc64nvme) ||
	    ((both & DIGEST_CRC32C) &&
		now.digest.crc32c != from->digest.crc32c))
		return err_set(e, ERR_MISMATCH,
		    "the copy that the store made is not what it was made of");
	copy->proved = (both & (DIGEST_CRC64NVME | DIGEST_CRC32C)) != 0;
	return 0;
}

/*
 * Swift compares the ETag of an object of parts with another one; but it has
 * just been looked at, and the copy has it, too.
 */
static int
copy(struct s3_session *c, const char *existing, const char *key,
    const struct store_stat *now, const struct s3_carried *x,
    struct store_receipt *out, struct err *e)
{
	if (s3_copy(c, existing, key, false, now->etag, x, out, e) == 0)
		return 0;
	if (e->kind != ERR_MISMATCH || strchr(now->etag, '-') == NULL)
		return -1;
	if (s3_copy(c, existing, key, false, "", x, out, e) == -1)
		return -1;
	return strcmp(out->etag, now->etag) == 0
	    ? 0
	    : err_set(e, ERR_MISMATCH, "was replaced while it was copied");
}

int
s3_link(struct session *session, const char *key, const char *existing,
    const struct item_stat *st, const struct store_stat *was,
    struct store_receipt *out, struct err *e)
{
	struct s3_session *c = s3_session_of(session);
	AUTO(s3_carried) struct s3_carried x = {.st = *st};
	struct store_receipt r;
	struct store_stat now;

	if (st->size > S3_COPY_MAX) {
		store_lacks(session->store, STORE_LACK_LINKS,
		    "S3 copies objects of 5 GiB at most");
		return err_set(e, ERR_UNSUPPORTED, "too big to be copied");
	}
	if (s3_carry(c, existing, false, was, &now, &x, e) == -1 ||
	    copy(c, existing, key, &now, &x, &r, e) == -1 ||
	    prove(c, key, &now, &r, e) == -1)
		return -1;
	*out = r;
	return 0;
}
