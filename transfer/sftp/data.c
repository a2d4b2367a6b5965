/* SPDX-License-Identifier: ISC */
/* Bytes of open files: written and read in as many requests as it takes. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "transfer/sftp/internal.h"

/* Bytes in one request: what the server takes, and what is no burst. */
static uint32_t
at_most(struct session *base, uint32_t server)
{
	size_t piece = limit_piece(sftp_store_of(base)->config.limit);

	return piece < server ? (uint32_t)piece : server;
}

size_t
sftp_write_ask(struct session *base, const struct conn_handle *h,
    uint64_t offset, const void *data, size_t len)
{
	struct call *call = &sftp_session_of(base)->call;
	const uint8_t *p = data;
	uint32_t most = at_most(base, call->caps.write_bytes);
	size_t done, n = 0;

	for (done = 0; done < len; n++) {
		uint32_t now =
		    len - done < most ? (uint32_t)(len - done) : most;

		call_write(call, h, offset + done, p + done, now);
		done += now;
	}
	return n;
}

int
sftp_write_check(struct session *base, size_t first, size_t n, struct err *e)
{
	struct call *call = &sftp_session_of(base)->call;
	size_t i;

	for (i = first; i < first + n; i++)
		if (call_status(call, i) != PROTO_OK)
			return sftp_failed(
			    base, call_status(call, i), "write", e);
	return 0;
}

size_t
sftp_read_ask(struct session *base, const struct conn_handle *h,
    uint64_t offset, size_t len, void *into, const void *expect)
{
	struct call *call = &sftp_session_of(base)->call;
	uint32_t most = at_most(base, call->caps.read_bytes);
	size_t done, n = 0;

	for (done = 0; done < len; n++) {
		uint32_t now =
		    len - done < most ? (uint32_t)(len - done) : most;

		call_read(call, h, offset + done, now,
		    into != NULL ? (uint8_t *)into + done : NULL,
		    expect != NULL ? (const uint8_t *)expect + done : NULL);
		done += now;
	}
	return n;
}

/* One answer; what is missing of it goes into *REST (len 0: nothing). */
static int
check_one(struct session *base, const struct request *r, struct request *rest,
    struct err *e)
{
	rest->len = 0;
	if (r->status != PROTO_OK && r->status != PROTO_EOF)
		return sftp_failed(base, r->status, "read", e);
	if (r->differs)
		return err_set(e, ERR_MISMATCH,
		    "read back from the server, bytes %llu to %llu are not "
		    "what was sent",
		    (unsigned long long)r->offset,
		    (unsigned long long)(r->offset + r->got));
	if (r->got == r->len)
		return 0;
	if (r->got == 0)
		return err_set(e, ERR_MISMATCH,
		    "ends at %llu, %u bytes too early",
		    (unsigned long long)r->offset, r->len);
	*rest = *r;
	rest->offset += r->got;
	rest->len -= r->got;
	if (r->into != NULL)
		rest->into = (uint8_t *)r->into + r->got;
	if (r->expect != NULL)
		rest->expect = (const uint8_t *)r->expect + r->got;
	return 0;
}

int
sftp_read_check(struct session *base, size_t first, size_t n,
    const struct conn_handle *h, struct err *e)
{
	struct call *call = &sftp_session_of(base)->call;

	/* Servers may give less than they are asked for. */
	while (n > 0) {
		AUTO(free)
		struct request *rest = calloc(n, sizeof(*rest));
		size_t i, left = 0;

		if (rest == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		for (i = first; i < first + n; i++) {
			if (check_one(
				base, &call->requests[i], &rest[left], e) == -1)
				return -1;
			left += rest[left].len > 0;
		}
		if (left == 0)
			return 0;
		call_again(call);
		for (i = 0; i < left; i++)
			call_read(call, h, rest[i].offset, rest[i].len,
			    rest[i].into, rest[i].expect);
		if (call_run(call, e) == -1)
			return -1;
		first = 0;
		n = left;
	}
	return 0;
}

int
sftp_read_range(struct session *base, const struct conn_handle *h,
    uint64_t offset, size_t len, void *into, const void *expect, struct err *e)
{
	struct call *call = &sftp_session_of(base)->call;
	size_t n;

	call_again(call);
	n = sftp_read_ask(base, h, offset, len, into, expect);
	if (call_run(call, e) == -1)
		return -1;
	return sftp_read_check(base, 0, n, h, e);
}
