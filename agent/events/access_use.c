/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

#include "agent/events/access.h"
#include "agent/events/client_cert.h"
#include "base/secret.h"
#include "base/text.h"

#define PAIR_MAX ((size_t)2 * SECRET_MAX) /* of user and password */
#define REST_MIN 4 /* bytes of a cut secret that tell nothing */

/* What goes with one way of authorization must be there, and nowhere else. */
static int
check_pair(const struct access *a, enum access_auth auth, const char *word,
    const char *key, bool is_set, struct err *e)
{
	if (a->auth == auth && !is_set)
		return err_set(e, ERR_USAGE, "auth = %s needs %s", word, key);
	if (a->auth != auth && is_set)
		return err_set(
		    e, ERR_USAGE, "%s goes with auth = %s", key, word);
	return 0;
}

static int
check_auth(const struct access *a, struct err *e)
{
	const char *p = buf_str(&a->secret_headers);
	const char *end = p + a->secret_headers.len;

	if (check_pair(a, ACCESS_BASIC, "basic", "user", a->user != NULL, e) ||
	    check_pair(
		a, ACCESS_BASIC, "basic", "password", a->password.len > 0, e) ||
	    check_pair(
		a, ACCESS_BEARER, "bearer", "token", a->token.len > 0, e) ||
	    check_pair(a, ACCESS_OAUTH2, "oauth2", "token-url",
		a->token_url != NULL, e) ||
	    check_pair(a, ACCESS_OAUTH2, "oauth2", "client-id",
		a->client_id != NULL, e) ||
	    check_pair(a, ACCESS_OAUTH2, "oauth2", "client-secret",
		a->client_secret.len > 0, e))
		return -1;
	if (a->auth == ACCESS_HEADER && p == end)
		return err_set(
		    e, ERR_USAGE, "auth = header needs secret-header");
	for (; p < end; p += strlen(p) + 1)
		if (strncasecmp(p, "authorization:", 14) == 0 &&
		    a->auth != ACCESS_HEADER)
			return err_set(e, ERR_USAGE,
			    "secret-header = Authorization: ... goes with "
			    "auth = header");
	return 0;
}

int
access_finish(struct access *a, struct err *e)
{
	char host[HOST_NAME_MAX + 1] = "";

	if (check_auth(a, e) == -1)
		return -1;
	if ((a->client_cert.len > 0) != (a->client_key.len > 0))
		return err_set(
		    e, ERR_USAGE, "client-cert and client-key go together");
	if (a->client_cert.len > 0 &&
	    client_cert_check(&a->client_cert, &a->client_key, e) == -1)
		return -1;
	if ((a->proxy_user != NULL) != (a->proxy_password.len > 0) ||
	    (a->proxy_user != NULL && a->proxy == NULL))
		return err_set(e, ERR_USAGE,
		    "proxy-user and proxy-password go with proxy, and "
		    "together");
	if (!a->handshake || a->origin != NULL)
		return 0;
	if (gethostname(host, sizeof(host) - 1) == -1 || host[0] == '\0')
		return err_set(e, ERR_CONFIG,
		    "this machine has no name: handshake needs origin");
	a->origin = strdup(host);
	return a->origin != NULL ? 0 : err_set(e, ERR_NOMEM, "out of memory");
}

void
access_http(const struct access *a, struct http_many_config *config)
{
	if (a->client_cert.len > 0) {
		config->client_cert = &a->client_cert;
		config->client_key = &a->client_key;
	}
	config->tls13 = a->tls13;
	config->proxy = a->proxy;
	if (a->proxy_user != NULL) {
		config->proxy_user = a->proxy_user;
		config->proxy_password = buf_str(&a->proxy_password);
	}
}

/* Base64 of "user:password"; TEXT has 4/3 of PAIR_MAX and some. */
static bool
join(const char *user, const char *password, char *text)
{
	AUTO(buf) struct buf pair = BUF_SECRET_INIT(PAIR_MAX);

	buf_addf(&pair, "%s:%s", user, password);
	if (buf_failed(&pair))
		return false;
	text_base64(pair.data, pair.len, text);
	return true;
}

void
access_basic(struct buf *out, const char *user, const char *password)
{
	char text[4 * ((PAIR_MAX + 2) / 3) + 1];

	if (!join(user, password, text)) {
		out->failed = true;
		return;
	}
	buf_adds(out, "authorization: Basic ");
	buf_add(out, text, strlen(text) + 1);
	secret_wipe(text, sizeof(text));
}

void
access_headers(const struct access *a, const char *token, struct buf *out)
{
	buf_add(out, a->headers.data, a->headers.len);
	buf_add(out, a->secret_headers.data, a->secret_headers.len);
	if (a->auth == ACCESS_BASIC)
		access_basic(out, a->user, buf_str(&a->password));
	if (a->auth == ACCESS_BEARER)
		token = buf_str(&a->token);
	if (token != NULL) {
		buf_adds(out, "authorization: Bearer ");
		buf_add(out, token, strlen(token) + 1);
	}
	if (a->handshake) {
		buf_addf(out, "webhook-request-origin: %s", a->origin);
		buf_addc(out, '\0');
	}
}

static void
redact(const char *secret, char *text, size_t len)
{
	size_t n = strlen(secret), rest = n < len ? n : len;
	char *p = text;

	if (n == 0)
		return;
	while ((p = memmem(p, len - (size_t)(p - text), secret, n)) != NULL)
		memset(p, '*', n);
	/* The beginning of one, where it was cut. */
	for (; rest >= REST_MIN; rest--)
		if (memcmp(text + len - rest, secret, rest) == 0) {
			memset(text + len - rest, '*', rest);
			return;
		}
}

void
access_redact(const struct access *a, const char *token, char *text, size_t len)
{
	const char *p = buf_str(&a->secret_headers);
	const char *end = p + a->secret_headers.len;
	char pair[4 * ((PAIR_MAX + 2) / 3) + 1];

	for (; p < end; p += strlen(p) + 1)
		redact(strchr(p, ':') + 2, text, len);
	redact(buf_str(&a->password), text, len);
	redact(buf_str(&a->token), text, len);
	redact(buf_str(&a->client_secret), text, len);
	redact(buf_str(&a->proxy_password), text, len);
	if (token != NULL)
		redact(token, text, len);
	if (a->auth == ACCESS_BASIC &&
	    join(a->user, buf_str(&a->password), pair)) {
		redact(pair, text, len);
		secret_wipe(pair, sizeof(pair));
	}
}
