/* SPDX-License-Identifier: ISC */
/* What a hostile SFTP server sends: the first byte chooses the reader. */
#include "config.h"

#include <assert.h>

#include "transfer/sftp/proto.h"
#include "transfer/sftp/sumtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
read_names(struct proto_in in, struct err *e)
{
	struct proto_name n;
	size_t left;

	while (in.left > 0) {
		left = in.left;
		if (proto_next_name(&in, &n, e) == -1)
			return -1;
		assert(in.left < left && n.len < left);
	}
	return 0;
}

static int
read_reply(const uint8_t *p, size_t size, struct err *e)
{
	struct proto_statvfs fs;
	struct proto_limits limits;
	struct proto_reply r;

	if (proto_reply(p, size, &r, e) == -1)
		return -1;
	if (r.type == PROTO_NAME)
		return read_names(r.rest, e);
	if (r.type == PROTO_EXTENDED_REPLY) {
		if (proto_get_limits(r.rest, &limits, e) == -1)
			return -1;
		return proto_get_statvfs(r.rest, &fs, e);
	}
	assert(r.len == 0 || (r.data >= p && r.data + r.len <= p + size));
	assert(
	    r.type != PROTO_HANDLE || (r.len > 0 && r.len <= PROTO_HANDLE_MAX));
	return 0;
}

/* The shell beside it. */
static int
read_sums(const char *p, size_t size, struct err *e)
{
	struct sumtext_answer a;
	uint8_t digest[32];
	int rc;

	while ((rc = sumtext_next(p, size, "n0nce", &a, e)) == 1) {
		assert(a.len < a.used && a.used <= size);
		sumtext_digest(a.text, a.len, digest, sizeof(digest));
		p += a.used;
		size -= a.used;
	}
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	unsigned features;
	size_t len;
	int rc;

	if (size-- == 0)
		return 0;
	switch (data[0] == '#' ? '#' : data[0] % 3) {
	case '#':
		rc = read_sums((const char *)data + 1, size, &e);
		break;
	case 0:
		rc = read_reply(data + 1, size, &e);
		break;
	case 1:
		rc = proto_version(data + 1, size, &features, &e);
		break;
	default:
		rc = proto_length(data + 1, size, &len, &e);
		assert(rc == -1 || len <= PROTO_PACKET_MAX);
		break;
	}
	assert(rc != -1 || (e.kind != ERR_NONE && e.msg[0] != '\0'));
	return 0;
}
