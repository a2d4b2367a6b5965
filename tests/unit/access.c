/* SPDX-License-Identifier: ISC */
/* What receivers are shown, and what servers of tokens and consent answer. */
#include "config.h"

#include "agent/events/handshake.h"
#include "agent/events/oauth.h"
#include "base/secret.h"
#include "tests/unit/check.h"

static struct access *
with(const char *key, const char *value, struct access *a)
{
	AUTO(buf) struct buf known = BUF_INIT(4000);
	struct err e = ERR_INIT;

	CHECK(access_set(a, key, value, &known, &e) == 0);
	return a;
}

/* The message that setting KEY to VALUE ends in; "" if it is taken. */
static const char *
refusal(const char *key, const char *value)
{
	static struct err e;
	AUTO(access) struct access *a = access_new(&e);
	AUTO(buf) struct buf known = BUF_INIT(4000);

	e = (struct err)ERR_INIT;
	return access_set(a, key, value, &known, &e) == 0 ? "" : e.msg;
}

static void
headers_cannot_be_smuggled(void)
{
	CHECK_STR(refusal("header", "X-A: b"), "");
	CHECK_STR(refusal("header", "X-A:b"), "");
	CHECK(refusal("header", "X-A: b\r\nX-B: c")[0] != '\0');
	CHECK(refusal("header", "X-A: b\nX-B: c")[0] != '\0');
	CHECK(refusal("header", "X-A\r\nX-B: c")[0] != '\0');
	CHECK(refusal("header", "X-A: b\x7f")[0] != '\0');
	CHECK(refusal("header", "X-A:")[0] != '\0');
	CHECK(refusal("header", "X-A:  \t")[0] != '\0');
	CHECK(refusal("header", ": b")[0] != '\0');
	CHECK(refusal("header", "Host: b")[0] != '\0');
	CHECK(refusal("header", "TRANSFER-ENCODING: b")[0] != '\0');
	CHECK(refusal("header", "webhook-signature: b")[0] != '\0');
	CHECK(refusal("header", "Proxy-Authorization: b")[0] != '\0');
	CHECK(refusal("scope", "a\tb")[0] != '\0');
	CHECK(refusal("origin", "a\r\nb")[0] != '\0');
	setenv("DRAY_HOOK", "a\r\nb", 1); /* a line is what counts */
	CHECK_STR(refusal("token", "env:DRAY_HOOK"), "");
	setenv("DRAY_HOOK", "a\tb", 1);
	CHECK(refusal("token", "env:DRAY_HOOK")[0] != '\0');
	CHECK(refusal("secret-header", "X-A: env:DRAY_HOOK")[0] != '\0');
}

static bool
has(const struct buf *b, const char *text)
{
	return memmem(b->data, b->len, text, strlen(text)) != NULL;
}

static void
id_and_secret_are_encoded_before_they_are_joined(void)
{
	struct err e = ERR_INIT;
	AUTO(access) struct access *a = access_new(&e);
	AUTO(buf) struct buf headers = BUF_SECRET_INIT(4000);
	AUTO(buf) struct buf body = BUF_SECRET_INIT(4000);
	AUTO(buf) struct buf known = BUF_INIT(4000);

	setenv("DRAY_HOOK", "s&c:r%t", 1);
	with("client-id", "an id", a);
	with("client-secret", "env:DRAY_HOOK", a);
	with("scope", "a b", a);
	CHECK(oauth_request(a, &headers, &body, &e) == 0);
	CHECK_STR(buf_str(&body), "grant_type=client_credentials&scope=a%20b");
	/* "an%20id:s%26c%3Ar%25t" */
	CHECK(
	    has(&headers, "authorization: Basic YW4lMjBpZDpzJTI2YyUzQXIlMjV0"));
	buf_reset(&headers);
	buf_reset(&body);
	with("client-auth", "post", a);
	CHECK(oauth_request(a, &headers, &body, &e) == 0);
	CHECK_STR(buf_str(&body),
	    "grant_type=client_credentials&scope=a%20b&client_id=an%20id"
	    "&client_secret=s%26c%3Ar%25t");
	CHECK(!has(&headers, "authorization"));
}

/* How long a token is good for; the message if there is none. */
static const char *
granted(int status, const char *text)
{
	static char out[600];
	AUTO(buf) struct buf token = BUF_SECRET_INIT(100);
	struct err e = ERR_INIT;
	uint64_t ms;

	if (oauth_reply(status, text, strlen(text), &token, &ms, &e) == -1)
		snprintf(out, sizeof(out), "%s", e.msg);
	else
		snprintf(out, sizeof(out), "%s %llu", buf_str(&token),
		    (unsigned long long)ms);
	return out;
}

#define TOKEN "{\"access_token\":\"t.1\",\"token_type\":\"Bearer\""

static void
answers_are_believed_within_limits(void)
{
	char big[300];

	CHECK_STR(granted(200, TOKEN ",\"expires_in\":60}"), "t.1 60000");
	CHECK_STR(granted(200, TOKEN ",\"expires_in\":\"60\"}"), "t.1 60000");
	CHECK_STR(granted(200, TOKEN ",\"expires_in\":60.9}"), "t.1 60000");
	CHECK_STR(granted(200, TOKEN ",\"expires_in\":0}"), "t.1 0");
	CHECK_STR(granted(200, TOKEN "}"), "t.1 300000");
	CHECK_STR(granted(200, TOKEN ",\"expires_in\":-5}"), "t.1 300000");
	CHECK_STR(granted(200, TOKEN ",\"expires_in\":[]}"), "t.1 300000");
	CHECK_STR(
	    granted(200, TOKEN ",\"expires_in\":99999999999999999999999999}"),
	    "t.1 86400000");
	CHECK_STR(granted(200, "{\"access_token\":\"t\"}"), "t 300000");
	CHECK(strstr(granted(200, "{\"access_token\":\"a b\"}"), "without") !=
	    NULL);
	CHECK(strstr(granted(200, "{\"access_token\":\"a\\r\\nb\"}"),
		  "without") != NULL);
	CHECK(
	    strstr(granted(200, "{\"access_token\":\"\"}"), "without") != NULL);
	CHECK(strstr(granted(200, "{\"access_token\":1}"), "without") != NULL);
	CHECK(strstr(granted(200, "[]"), "without") != NULL);
	CHECK(strstr(granted(200, ""), "no JSON") != NULL);
	CHECK(strstr(granted(200, TOKEN), "no JSON") != NULL);
	CHECK(strstr(granted(200,
			 "{\"access_token\":\"t\",\"token_type\":\"mac\"}"),
		  "another type") != NULL);
	memset(big, 'x', sizeof(big));
	memcpy(big, "{\"access_token\":\"", 17);
	memcpy(big + sizeof(big) - 3, "\"}", 3);
	CHECK(strstr(granted(200, big), "too long") != NULL);
	CHECK_STR(granted(400, "{\"error\":\"invalid_scope\"}"),
	    "HTTP 400 invalid_scope");
	/* What might repeat a secret isn't shown. */
	CHECK_STR(granted(400, "{\"error\":\"no: hush hush\"}"), "HTTP 400");
	CHECK_STR(granted(400, "hush"), "HTTP 400");
	CHECK_UINT(oauth_use_ms(3600000), 3240000);
	CHECK_UINT(oauth_use_ms(60000), 30000);
	CHECK_UINT(oauth_use_ms(30000), 0);
	CHECK_UINT(oauth_use_ms(0), 0);
}

/* What the headers LINES (which end in "\n") allow. */
static const char *
allowed(const char *lines, uint64_t asked)
{
	static char out[600];
	struct http_headers h = {.status = 0};
	struct err e = ERR_INIT;
	uint64_t n;

	http_headers_init(&h);
	while (*lines != '\0') {
		size_t len = strcspn(lines, "\n") + 1;

		CHECK(http_headers_add(&h, lines, len) == 0);
		lines += len;
	}
	if (handshake_judge(&h, "us.test", asked, &n, &e) == -1)
		snprintf(out, sizeof(out), "%s", e.msg);
	else
		snprintf(out, sizeof(out), "%llu", (unsigned long long)n);
	buf_free(&h.lines);
	return out;
}

#define ORIGIN "WebHook-Allowed-Origin: US.test\n"

static void
consent_is_a_header(void)
{
	CHECK_STR(allowed("HTTP/1.1 405 No\n" ORIGIN, 0), "0");
	CHECK_STR(allowed("webhook-allowed-origin: *\n", 0), "0");
	CHECK_STR(allowed(ORIGIN "WebHook-Allowed-Rate: 120\n", 600), "120");
	CHECK_STR(allowed(ORIGIN "WebHook-Allowed-Rate: *\n", 600), "0");
	CHECK(strstr(allowed(ORIGIN, 600), "no WebHook-Allowed-Rate") != NULL);
	CHECK(strstr(allowed(ORIGIN "WebHook-Allowed-Rate: 0\n", 0),
		  "no number") != NULL);
	CHECK(strstr(allowed(ORIGIN "WebHook-Allowed-Rate: lots\n", 0),
		  "no number") != NULL);
	CHECK(strstr(allowed("HTTP/1.1 200 OK\n", 0), "(HTTP 200) has no") !=
	    NULL);
	CHECK(strstr(allowed("WebHook-Allowed-Origin: them.test\n", 0),
		  "not us.test") != NULL);
	CHECK(strstr(allowed("WebHook-Allowed-Origin: us.test.evil\n", 0),
		  "not us.test") != NULL);
}

static const char *
redacted(const struct access *a, const char *text)
{
	static char out[200];

	snprintf(out, sizeof(out), "%s", text);
	access_redact(a, "t0ken", out, strlen(out));
	return out;
}

static void
secrets_that_come_back_are_overwritten(void)
{
	struct err e = ERR_INIT;
	AUTO(access) struct access *a = access_new(&e);

	setenv("DRAY_HOOK", "passw0rd", 1);
	with("auth", "basic", a);
	with("user", "me", a);
	with("password", "env:DRAY_HOOK", a);
	with("secret-header", "X-Key: env:DRAY_HOOK", a);
	CHECK_STR(redacted(a, ""), "");
	CHECK_STR(redacted(a, "nothing"), "nothing");
	CHECK_STR(redacted(a, "a passw0rd passw0rd, t0ken"),
	    "a ******** ********, *****");
	/* "me:passw0rd" */
	CHECK_STR(
	    redacted(a, "Basic bWU6cGFzc3cwcmQ=."), "Basic ****************.");
	CHECK_STR(redacted(a, "cut off: passw0r"), "cut off: *******");
	CHECK_STR(redacted(a, "cut off: t0ke"), "cut off: ****");
	CHECK_STR(redacted(a, "cut off: pas"), "cut off: pas");
}

static void
a_secret_buffer_leaves_no_copy(void)
{
	struct buf b = BUF_SECRET_INIT(1000);
	int i;

	for (i = 0; i < 100; i++)
		buf_adds(&b, "0123456");
	CHECK(!buf_failed(&b) && b.len == 700 && b.secret);
	CHECK(strncmp(buf_str(&b), "01234560", 8) == 0);
	buf_free(&b);
	CHECK(b.data == NULL && b.secret && b.max == 1000);
}

int
main(void)
{
	RUN(headers_cannot_be_smuggled);
	RUN(id_and_secret_are_encoded_before_they_are_joined);
	RUN(answers_are_believed_within_limits);
	RUN(consent_is_a_header);
	RUN(secrets_that_come_back_are_overwritten);
	RUN(a_secret_buffer_leaves_no_copy);
	return check_end();
}
