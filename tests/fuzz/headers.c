/* SPDX-License-Identifier: ISC */
/* Header lines of a hostile server, and all that reads their values. */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "transfer/s3/error.h"
#include "transfer/s3/meta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	struct reply_error error = {.code = ""};
	struct store_stat st = {.type = ITEM_FILE};
	struct err e = ERR_INIT;
	struct http_headers h;
	const char *value;
	int64_t ns;

	http_headers_init(&h);
	while (size > 0) {
		const char *end = memchr(p, '\n', size);
		size_t n = end != NULL ? (size_t)(end + 1 - p) : size;

		if (http_headers_add(&h, p, n) == -1)
			break;
		p += n;
		size -= n;
	}
	meta_parse(&h, &st);
	assert(!st.has_owner || st.mode <= 0177777);
	assert(http_retry_after_ms(&h, 0) <= 3600000);
	s3_error("GET", h.status, &error, &h, &e);
	assert(e.kind != ERR_NONE);
	value = http_header(&h, "last-modified");
	if (value != NULL)
		http_parse_date(value, &ns);
	buf_free(&h.lines);
	return 0;
}
