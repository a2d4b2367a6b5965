/* SPDX-License-Identifier: ISC */
/* Extended attributes as others may have written them: bytes and headers. */
#include "config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "transfer/attrs.h"
#include "transfer/s3/attrtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was taken is told in one way only. */
static void
check(const struct attrs *a)
{
	AUTO(buf) struct buf bytes = BUF_INIT(ATTRS_BYTES_MAX);
	AUTO(attrs) struct attrs *back = NULL;
	struct err e = ERR_INIT;

	if (a == NULL)
		return;
	attrs_format(a, &bytes);
	assert(!buf_failed(&bytes) && bytes.len == a->bytes);
	back = attrs_parse(buf_str(&bytes), bytes.len, a->kinds, &e);
	assert(back != NULL && back->n == a->n);
	assert(attrs_mark(a, a->kinds) == attrs_mark(back, a->kinds));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(free) char *text = malloc(size + 1);
	AUTO(attrs) struct attrs *bytes = NULL;
	AUTO(attrs) struct attrs *header = NULL;
	AUTO(attrs) struct attrs *s3fs = NULL;
	struct err e = ERR_INIT;
	const char *digest;
	unsigned kinds;

	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	bytes = attrs_parse(data, size, ATTRS_XATTRS | ATTRS_ACLS, &e);
	check(bytes);
	header = attrtext_parse(text, &kinds, &digest, &e);
	assert(digest == NULL || strlen(digest) == ATTRTEXT_DIGEST_LEN);
	check(header);
	s3fs = attrtext_parse_s3fs(text, &e);
	check(s3fs);
	return 0;
}
