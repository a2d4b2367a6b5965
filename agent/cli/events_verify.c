/* SPDX-License-Identifier: ISC */
/* dray events verify: whether a request that was captured is genuine. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/cli/events_verify.h"
#include "agent/events/signature.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "transfer/http.h"

#define AGE_MAX_S 300 /* what verifiers allow */

static struct signature_keys *
read_keys(const struct options *o, struct err *e)
{
	AUTO(signature_keys) struct signature_keys *k = signature_keys_new(e);
	char secret[SECRET_MAX];
	unsigned i;
	int rc = 0;

	if (k == NULL)
		return NULL;
	if (o->webhook_secret_n == 0)
		rc = err_set(
		    e, ERR_USAGE, "say by which secret: --webhook-secret REF");
	for (i = 0; rc == 0 && i < o->webhook_secret_n; i++) {
		rc = secret_read(o->webhook_secrets[i], secret, e);
		if (rc == 0)
			rc = signature_keys_add(k, secret, e);
		secret_wipe(secret, sizeof(secret));
		if (rc == -1)
			err_context(e, "--webhook-secret");
	}
	return rc == 0 ? TAKE(k) : NULL;
}

/* Header lines up to an empty one; where the body begins. */
static int
read_headers(const struct buf *request, struct http_headers *h, size_t *body,
    struct err *e)
{
	const char *text = buf_str(request);
	size_t at = 0;

	while (at < request->len) {
		const char *end = memchr(text + at, '\n', request->len - at);
		size_t n =
		    end != NULL ? (size_t)(end - text) - at : request->len - at;
		bool empty = n == 0 || (n == 1 && text[at] == '\r');

		if (end == NULL)
			break;
		if (!empty && http_headers_add(h, text + at, n) == -1)
			break;
		at += n + 1;
		if (empty) {
			*body = at;
			return 0;
		}
	}
	return err_set(e, ERR_USAGE,
	    "not a request: header lines, an empty line, then the body");
}

/* Whether the lists GIVEN and WANT, parted by SEPARATORS, share a word. */
static bool
shares_word(const char *given, const char *want, const char *separators)
{
	while (*given != '\0') {
		size_t n = strcspn(given, separators);
		const char *p = want;

		while (n > 0 && *p != '\0') {
			size_t m = strcspn(p, separators);

			if (m == n && memcmp(given, p, n) == 0)
				return true;
			p += m;
			p += strspn(p, separators);
		}
		given += n;
		given += strspn(given, separators);
	}
	return false;
}

/* Whether a signature in H is what the COUNT headers of OURS have. */
static bool
is_signed(const struct http_headers *h, const struct buf *ours)
{
	static const char standard[] = "webhook-signature: ";
	static const char github[] = "x-hub-signature-256: ";
	const char *line;
	size_t at;

	for (at = 0; at < ours->len; at += strlen(line) + 1) {
		const char *given = NULL, *parts = " ";

		line = ours->data + at;
		if (strncmp(line, standard, strlen(standard)) == 0) {
			given = http_header(h, "webhook-signature");
			line += strlen(standard);
			at += strlen(standard);
		} else if (strncmp(line, github, strlen(github)) == 0) {
			given = http_header(h, "x-hub-signature-256");
			line += strlen(github);
			at += strlen(github);
			parts = ", ";
		}
		if (given != NULL && shares_word(given, line, parts))
			return true;
	}
	return false;
}

/* STAMPED: it says when it was signed, AGE_S ago. */
static void
say(const struct options *o, bool genuine, bool stamped, int64_t age_s)
{
	AUTO(buf) struct buf out = BUF_INIT(1024);
	bool fresh = age_s <= AGE_MAX_S && age_s >= -AGE_MAX_S;
	struct json j;

	if (o->json) {
		json_begin(&j, &out);
		json_object(&j, NULL);
		json_bool(&j, "genuine", genuine);
		if (genuine && stamped) {
			json_int(&j, "age_s", age_s);
			json_bool(&j, "fresh", fresh);
		}
		json_object_end(&j);
		puts(buf_str(&out));
	} else if (genuine && stamped && !fresh) {
		printf("genuine, but signed %lld s ago: a receiver refuses "
		       "it\n",
		    (long long)age_s);
	} else {
		puts(genuine ? "genuine" : "not signed by this secret");
	}
}

int
events_verify(const struct options *o, const struct buf *request, struct err *e)
{
	AUTO(signature_keys) struct signature_keys *keys = read_keys(o, e);
	AUTO(buf) struct buf ours = BUF_INIT(1 << 16);
	struct http_headers h;
	const char *id, *stamp;
	size_t body = 0, count;
	int64_t at, age;
	int rc;

	if (keys == NULL)
		return -1;
	http_headers_init(&h);
	rc = read_headers(request, &h, &body, e);
	id = rc == 0 ? http_header(&h, "webhook-id") : NULL;
	stamp = rc == 0 ? http_header(&h, "webhook-timestamp") : NULL;
	at = stamp != NULL ? strtoll(stamp, NULL, 10) : 0;
	if (rc == 0)
		rc = signature_headers(keys, id != NULL ? id : "", at,
		    request->data + body, request->len - body, &ours, &count,
		    e);
	if (rc == 0)
		rc = is_signed(&h, &ours);
	age = clock_wall_ns() / 1000000000 - at;
	if (rc != -1)
		say(o, rc == 1, stamp != NULL, age);
	buf_free(&h.lines);
	return rc;
}
