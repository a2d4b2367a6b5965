/* SPDX-License-Identifier: ISC */
/*
 * An answer of a hostile receiver: header lines (Retry-After, consent), an
 * empty line, a body, which is read as one of a server of tokens, too.
 */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "agent/events/handshake.h"
#include "agent/events/oauth.h"
#include "agent/events/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
judge(int status, const struct http_headers *h)
{
	static const int64_t nows[] = {
	    0, 1, INT64_C(1795000000) * 1000000000, INT64_MAX};
	size_t i;

	for (i = 0; i < sizeof(nows) / sizeof(nows[0]); i++) {
		struct policy_answer a = {
		    .status = status,
		    .retry_after_ms = http_retry_after_ms(h, nows[i]),
		};
		struct policy_verdict v =
		    policy_judge(&policy_default, &a, 1, 0, UINT64_MAX);

		assert(a.retry_after_ms <= POLICY_HOLD_MAX_MS);
		assert(v.hold_ms <= POLICY_HOLD_MAX_MS);
		assert(v.action != POLICY_RETRY || v.wait_ms >= 100);
	}
}

static void
read_token(int status, const char *text, size_t size)
{
	AUTO(buf) struct buf token = BUF_SECRET_INIT(4096);
	struct err e = ERR_INIT;
	uint64_t ms;
	size_t i;

	if (oauth_reply(status, text, size, &token, &ms, &e) == -1) {
		assert(e.kind != ERR_NONE && e.msg[0] != '\0');
		return;
	}
	assert(ms <= 86400000 && oauth_use_ms(ms) <= ms && token.len > 0);
	for (i = 0; i < token.len; i++)
		assert(token.data[i] > ' ' && token.data[i] <= '~');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	struct err e = ERR_INIT;
	struct http_headers h;
	uint64_t per_minute;
	bool in_body = false;

	http_headers_init(&h);
	while (size > 0 && !in_body) {
		const char *end = memchr(p, '\n', size);
		size_t n = end != NULL ? (size_t)(end + 1 - p) : size;

		if (http_headers_add(&h, p, n) == -1)
			break;
		in_body = *p == '\n' || *p == '\r';
		p += n;
		size -= n;
	}
	judge(h.status, &h);
	judge(503, &h);
	if (handshake_judge(&h, "us.test", 0, &per_minute, &e) == 0)
		assert(http_header(&h, "webhook-allowed-origin") != NULL &&
		    per_minute <= UINT32_MAX);
	read_token(200, p, size);
	read_token(h.status, p, size);
	buf_free(&h.lines);
	return 0;
}
