/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>
#include <strings.h>

#include "agent/events/access.h"
#include "agent/events/client_cert.h"
#include "base/secret.h"
#include "base/text.h"

static const char auth_words[][8] = {
    [ACCESS_NONE] = "none",
    [ACCESS_BASIC] = "basic",
    [ACCESS_BEARER] = "bearer",
    [ACCESS_HEADER] = "header",
    [ACCESS_OAUTH2] = "oauth2",
};

struct access *
access_new(struct err *e)
{
	struct access *a = calloc(1, sizeof(*a));

	if (a == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	a->password = a->token = a->client_secret = a->proxy_password =
	    (struct buf)BUF_SECRET_INIT(SECRET_MAX);
	a->headers = a->secret_headers =
	    (struct buf)BUF_SECRET_INIT(ACCESS_HEADERS_MAX);
	a->client_cert = a->client_key =
	    (struct buf)BUF_SECRET_INIT(SECRET_FILE_MAX);
	return a;
}

void
access_free(struct access *a)
{
	if (a == NULL)
		return;
	buf_free(&a->password);
	buf_free(&a->token);
	buf_free(&a->headers);
	buf_free(&a->secret_headers);
	buf_free(&a->client_secret);
	buf_free(&a->client_cert);
	buf_free(&a->client_key);
	buf_free(&a->proxy_password);
	free(a->user);
	free(a->token_url);
	free(a->client_id);
	free(a->scope);
	free(a->audience);
	free(a->proxy);
	free(a->proxy_user);
	free(a->origin);
	free(a);
}

static bool
has_controls(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return true;
	return false;
}

/* What may stand in a header or a form. */
static int
keep(char **to, const char *value, struct err *e)
{
	if (value[0] == '\0')
		return err_set(e, ERR_USAGE, "an empty value");
	if (has_controls(value))
		return err_set(e, ERR_USAGE, "a control character in it");
	free(*to);
	*to = strdup(value);
	return *to != NULL ? 0 : err_set(e, ERR_NOMEM, "out of memory");
}

static int
keep_secret(struct buf *to, const char *ref, struct err *e)
{
	char secret[SECRET_MAX];
	int rc;

	if (secret_read(ref, secret, e) == -1)
		return -1;
	rc = has_controls(secret)
	    ? err_set(e, ERR_CONFIG, "%s: a control character in it", ref)
	    : 0;
	buf_reset(to);
	buf_adds(to, secret);
	secret_wipe(secret, sizeof(secret));
	if (rc == 0 && buf_failed(to))
		rc = err_set(e, ERR_NOMEM, "out of memory");
	return rc;
}

static int
set_auth(struct access *a, const char *value, struct err *e)
{
	unsigned i;

	for (i = 0; i < sizeof(auth_words) / sizeof(auth_words[0]); i++) {
		if (strcmp(value, auth_words[i]) != 0)
			continue;
		a->auth = (enum access_auth)i;
		return 0;
	}
	return err_set(e, ERR_USAGE,
	    "none, basic, bearer, header or oauth2, not \"%.100s\"", value);
}

static int
set_user(struct access *a, const char *value, struct err *e)
{
	if (strchr(value, ':') != NULL)
		return err_set(
		    e, ERR_USAGE, "a user's name can't have a colon");
	return keep(&a->user, value, e);
}

static int
set_password(struct access *a, const char *value, struct err *e)
{
	return keep_secret(&a->password, value, e);
}

static int
set_token(struct access *a, const char *value, struct err *e)
{
	return keep_secret(&a->token, value, e);
}

/* Headers that are made by us, or that decide where a request ends. */
static bool
is_ours(const char *name, size_t len)
{
	static const char *const ours[] = {"connection", "content-encoding",
	    "content-length", "content-type", "expect", "host", "keep-alive",
	    "te", "trailer", "transfer-encoding", "upgrade", "user-agent"};
	static const char *const families[] = {
	    "ce-", "proxy-", "webhook-", "x-dray-", "x-hub-signature"};
	size_t i, n;

	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strlen(ours[i]) == len &&
		    strncasecmp(name, ours[i], len) == 0)
			return true;
	for (i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		n = strlen(families[i]);
		if (len >= n && strncasecmp(name, families[i], n) == 0)
			return true;
	}
	return false;
}

static bool
has_header(const struct buf *headers, const char *name, size_t len)
{
	const char *p = buf_str(headers), *end = p + headers->len;

	for (; p < end; p += strlen(p) + 1)
		if (strncasecmp(p, name, len) == 0 && p[len] == ':')
			return true;
	return false;
}

/* "Name: value": the value's place, the name's LEN bytes; NULL if it isn't
 * one that may be set. */
static const char *
split_header(
    const struct access *a, const char *text, size_t *len, struct err *e)
{
	const char *p = text +
	    strspn(text,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789!#$%&'*+-.^_`|~");

	*len = (size_t)(p - text);
	if (*len == 0 || *p != ':') {
		/* Behind the colon may be a secret. */
		err_set(e, ERR_USAGE, "not \"Name: value\"");
		return NULL;
	}
	p++;
	p += strspn(p, " \t");
	if (is_ours(text, *len))
		err_set(e, ERR_USAGE, "\"%.*s\" is set by dray itself",
		    (int)(*len < 60 ? *len : 60), text);
	else if (has_header(&a->headers, text, *len) ||
	    has_header(&a->secret_headers, text, *len))
		err_set(e, ERR_USAGE, "\"%.*s\" is set twice",
		    (int)(*len < 60 ? *len : 60), text);
	else if (*p == '\0')
		err_set(e, ERR_USAGE, "an empty value");
	else
		return p;
	return NULL;
}

static int
add_header_line(struct buf *to, const char *name, size_t len, const char *value,
    struct err *e)
{
	buf_add(to, name, len);
	buf_adds(to, ": ");
	buf_add(to, value, strlen(value) + 1);
	return buf_failed(to)
	    ? err_set(e, ERR_CONFIG, "more than %d bytes of headers",
		  ACCESS_HEADERS_MAX)
	    : 0;
}

static int
add_header(struct access *a, const char *text, struct err *e)
{
	size_t len;
	const char *value = split_header(a, text, &len, e);

	if (value == NULL)
		return -1;
	if (len == 13 && strncasecmp(text, "authorization", 13) == 0)
		return err_set(e, ERR_USAGE,
		    "what authorizes is secret: auth = basic, bearer or "
		    "oauth2, or secret-header = Authorization: REFERENCE");
	if (has_controls(value))
		return err_set(e, ERR_USAGE, "a control character in it");
	return add_header_line(&a->headers, text, len, value, e);
}

static int
add_secret_header(struct access *a, const char *text, struct err *e)
{
	AUTO(buf) struct buf value = BUF_SECRET_INIT(SECRET_MAX);
	size_t len;
	const char *ref = split_header(a, text, &len, e);

	if (ref == NULL || keep_secret(&value, ref, e) == -1)
		return -1;
	return add_header_line(
	    &a->secret_headers, text, len, buf_str(&value), e);
}

/* A URL of printable characters, without user and password; its scheme is one
 * of SCHEMES, which ends in NULL.  Returns which, or -1. */
static int
check_url(const char *url, const char *const *schemes, struct err *e)
{
	const char *host;
	int which;

	for (which = 0; schemes[which] != NULL; which++)
		if (strncmp(url, schemes[which], strlen(schemes[which])) == 0)
			break;
	if (schemes[which] == NULL)
		return err_set(e, ERR_USAGE,
		    "not a URL that begins with %s or %s", schemes[0],
		    schemes[1]);
	host = url + strlen(schemes[which]);
	if (host[0] == '\0' || strchr("/?#:", host[0]) != NULL)
		return err_set(e, ERR_USAGE, "no host in the URL");
	if (memchr(host, '@', strcspn(host, "/?#")) != NULL)
		return err_set(e, ERR_USAGE,
		    "no user and password in the URL, where everybody can "
		    "read them");
	return http_many_check_url(url, e) == 0 ? which : -1;
}

static int
set_token_url(struct access *a, const char *value, struct err *e)
{
	static const char *const schemes[] = {"https://", "http://", NULL};
	int which = check_url(value, schemes, e);

	if (which == -1)
		return -1;
	a->token_plain = which == 1;
	return keep(&a->token_url, value, e);
}

static int
set_client_id(struct access *a, const char *value, struct err *e)
{
	return keep(&a->client_id, value, e);
}

static int
set_client_secret(struct access *a, const char *value, struct err *e)
{
	return keep_secret(&a->client_secret, value, e);
}

static int
set_client_auth(struct access *a, const char *value, struct err *e)
{
	a->post = strcmp(value, "post") == 0;
	if (!a->post && strcmp(value, "basic") != 0)
		return err_set(
		    e, ERR_USAGE, "basic or post, not \"%.100s\"", value);
	return 0;
}

static int
set_scope(struct access *a, const char *value, struct err *e)
{
	return keep(&a->scope, value, e);
}

static int
set_audience(struct access *a, const char *value, struct err *e)
{
	return keep(&a->audience, value, e);
}

static int
set_client_cert(struct access *a, const char *value, struct err *e)
{
	buf_reset(&a->client_cert);
	return client_cert_load(value, &a->client_cert, e);
}

static int
set_client_key(struct access *a, const char *value, struct err *e)
{
	buf_reset(&a->client_key);
	return secret_read_all(value, &a->client_key, e);
}

static int
set_tls_min(struct access *a, const char *value, struct err *e)
{
	a->tls13 = strcmp(value, "1.3") == 0;
	if (!a->tls13 && strcmp(value, "1.2") != 0)
		return err_set(
		    e, ERR_USAGE, "1.2 or 1.3, not \"%.100s\"", value);
	return 0;
}

static int
set_proxy(struct access *a, const char *value, struct err *e)
{
	static const char *const schemes[] = {
	    "http://", "https://", "socks5h://", NULL};

	if (check_url(value, schemes, e) == -1)
		return -1;
	return keep(&a->proxy, value, e);
}

static int
set_proxy_user(struct access *a, const char *value, struct err *e)
{
	if (strchr(value, ':') != NULL)
		return err_set(
		    e, ERR_USAGE, "a user's name can't have a colon");
	return keep(&a->proxy_user, value, e);
}

static int
set_proxy_password(struct access *a, const char *value, struct err *e)
{
	return keep_secret(&a->proxy_password, value, e);
}

static int
set_handshake(struct access *a, const char *value, struct err *e)
{
	a->handshake = strcmp(value, "require") == 0;
	if (!a->handshake && strcmp(value, "off") != 0)
		return err_set(
		    e, ERR_USAGE, "off or require, not \"%.100s\"", value);
	return 0;
}

static int
set_origin(struct access *a, const char *value, struct err *e)
{
	if (value[strspn(value,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789.-")] != '\0' ||
	    strlen(value) > 253)
		return err_set(
		    e, ERR_USAGE, "not a host's name: \"%.100s\"", value);
	return keep(&a->origin, value, e);
}

static const struct setting {
	const char *key;
	int (*set)(struct access *a, const char *value, struct err *e);
} settings[] = {
    {"auth", set_auth},
    {"user", set_user},
    {"password", set_password},
    {"token", set_token},
    {"header", add_header},
    {"secret-header", add_secret_header},
    {"token-url", set_token_url},
    {"client-id", set_client_id},
    {"client-secret", set_client_secret},
    {"client-auth", set_client_auth},
    {"scope", set_scope},
    {"audience", set_audience},
    {"client-cert", set_client_cert},
    {"client-key", set_client_key},
    {"tls-min", set_tls_min},
    {"proxy", set_proxy},
    {"proxy-user", set_proxy_user},
    {"proxy-password", set_proxy_password},
    {"handshake", set_handshake},
    {"origin", set_origin},
};

int
access_set(struct access *a, const char *key, const char *value,
    struct buf *known, struct err *e)
{
	size_t i;

	for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (strcmp(settings[i].key, key) == 0)
			return settings[i].set(a, value, e);
		buf_addf(known, " %s", settings[i].key);
	}
	return 1;
}
