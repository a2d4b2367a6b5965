/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"
#include "transfer/url.h"

void
store_url_free(struct store_url *u)
{
	if (u == NULL)
		return;
	free(u->host);
	free(u->user);
	free(u->path);
	free(u->query);
	free(u->text);
	free(u);
}

static char *
slice(const char *p, size_t n)
{
	char *s = malloc(n + 1);

	if (s != NULL) {
		memcpy(s, p, n);
		s[n] = '\0';
	}
	return s;
}

/* https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
 * with the upper case, '_' and ':' that older and other stores allow. */
static int
check_bucket(const char *b, size_t n, struct err *e)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-_:";

	if (n == 0)
		return err_set(e, ERR_USAGE,
		    "no bucket: write s3://BUCKET or s3://BUCKET/PREFIX");
	if (n < 3 || n > 255 || strspn(b, allowed) < n || b[0] == '.')
		return err_set(e, ERR_USAGE, "not a bucket name: \"%.*s\"",
		    n > 255 ? 255 : (int)n, b);
	return 0;
}

static int
parse_s3(const char *rest, struct store_url *u, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 16);
	size_t n = strcspn(rest, "/");
	const char *p = rest + n;
	size_t len;

	if (check_bucket(rest, n, e) == -1)
		return -1;
	p += strspn(p, "/");
	for (len = strlen(p); len > 0 && p[len - 1] == '/';)
		len--;
	u->scheme = STORE_S3;
	u->host = slice(rest, n);
	u->path = slice(p, len);
	buf_addf(&text, "s3://%.*s", (int)n, rest);
	if (len > 0)
		buf_addc(&text, '/');
	buf_add(&text, p, len);
	u->text = buf_take(&text);
	return 0;
}

static int
parse_posix(const char *path, struct store_url *u, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 16);
	char cwd[PATH_MAX];
	size_t len;

	if (path[0] == '\0')
		return err_set(e, ERR_USAGE, "an empty path names no place");
	if (path[0] != '/') {
		if (getcwd(cwd, sizeof(cwd)) == NULL)
			return err_sys(e, "working directory");
		buf_adds(&text, cwd);
		buf_addc(&text, '/');
		while (path[0] == '.' && path[1] == '/')
			for (path++; *path == '/';)
				path++;
		if (strcmp(path, ".") == 0)
			path++;
	}
	buf_adds(&text, path);
	for (len = text.len; len > 1 && text.data[len - 1] == '/';)
		text.data[--len] = '\0';
	u->scheme = STORE_POSIX;
	u->host = slice("", 0);
	u->text = buf_take(&text);
	u->path = u->text != NULL ? slice(u->text, strlen(u->text)) : NULL;
	return 0;
}

/* The directory that a bundle is in. */
static int
parse_bundle(const char *path, struct store_url *u, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 16);

	if (parse_posix(path, u, e) == -1)
		return -1;
	u->scheme = STORE_BUNDLE;
	buf_addf(&text, "bundle://%s", u->text != NULL ? u->text : "");
	free(u->text);
	u->text = buf_take(&text);
	return 0;
}

/* "host", "host:22" or "[::1]:22"; brackets don't belong to the host. */
static int
parse_host(const char *p, size_t n, struct store_url *u, struct err *e)
{
	const char *end = p + n, *port = memchr(p, ':', n), *host = p;
	size_t len = port != NULL ? (size_t)(port - p) : n;

	if (n > 0 && *p == '[') {
		const char *close = memchr(p, ']', n);

		if (close == NULL || (close + 1 < end && close[1] != ':'))
			return err_set(e, ERR_USAGE, "not a host: \"%.*s\"",
			    (int)(n > 255 ? 255 : n), p);
		host = p + 1;
		len = (size_t)(close - host);
		port = close + 1 < end ? close + 1 : NULL;
	}
	if (len == 0 || len > 255 || host[0] == '-')
		return err_set(e, ERR_USAGE, "not a host: \"%.*s\"",
		    (int)(n > 255 ? 255 : n), p);
	u->host = slice(host, len);
	if (port == NULL)
		return 0;
	for (port++;
	     port < end && *port >= '0' && *port <= '9' && u->port <= 65535;
	     port++)
		u->port = u->port * 10 + (unsigned)(*port - '0');
	if (port < end || u->port == 0 || u->port > 65535)
		return err_set(e, ERR_USAGE, "not a port in \"%.*s\"",
		    (int)(n > 255 ? 255 : n), p);
	return 0;
}

/* The path of N bytes without what doubles or ends in a slash. */
static char *
plain_path(const char *p, size_t n)
{
	char *out = malloc(n + 2);
	size_t len = 0, i;

	if (out == NULL)
		return NULL;
	for (i = 0; i < n; i++)
		if (p[i] != '/' || len == 0 || out[len - 1] != '/')
			out[len++] = p[i];
	while (len > 1 && out[len - 1] == '/')
		len--;
	out[len] = '\0';
	return out;
}

static void
add_host(struct buf *text, const struct store_url *u)
{
	bool v6 = u->host != NULL && strchr(u->host, ':') != NULL;

	if (u->user != NULL && u->user[0] != '\0')
		buf_addf(text, "%s@", u->user);
	buf_addf(text, v6 ? "[%s]" : "%s", u->host != NULL ? u->host : "");
	if (u->port != 0)
		buf_addf(text, ":%u", u->port);
}

static int
parse_sftp(const char *rest, struct store_url *u, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 16);
	size_t n = strcspn(rest, "/");
	const char *at = memrchr(rest, '@', n);
	const char *path = rest + n;

	u->scheme = STORE_SFTP;
	if (at != NULL && memchr(rest, ':', (size_t)(at - rest)) != NULL)
		return err_set(e, ERR_USAGE,
		    "no password belongs into a URL, where others can read "
		    "it: see --sftp-password-file");
	if (at != NULL) {
		u->user = slice(rest, (size_t)(at - rest));
		n -= (size_t)(at + 1 - rest);
		rest = at + 1;
	}
	if (parse_host(rest, n, u, e) == -1)
		return -1;
	if (*path == '\0')
		return err_set(e, ERR_USAGE,
		    "no path: write sftp://%s/PATH, or sftp://%s/~/PATH for "
		    "one below the home directory",
		    u->host != NULL ? u->host : "",
		    u->host != NULL ? u->host : "");
	if (strncmp(path, "/~", 2) == 0 && (path[2] == '/' || path[2] == '\0'))
		path++;
	u->path = plain_path(path, strlen(path));
	buf_adds(&text, "sftp://");
	add_host(&text, u);
	if (*path == '~')
		buf_addc(&text, '/');
	buf_adds(&text, u->path != NULL ? u->path : "");
	u->text = buf_take(&text);
	return 0;
}

static int
parse_nfs(const char *rest, struct store_url *u, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 16);
	size_t n = strcspn(rest, "/?");
	const char *path = rest + n;
	size_t len = strcspn(path, "?");

	u->scheme = STORE_NFS;
	if (parse_host(rest, n, u, e) == -1)
		return -1;
	if (u->port != 0)
		return err_set(e, ERR_USAGE,
		    "write the port as nfs://%s/...?nfsport=%u",
		    u->host != NULL ? u->host : "", u->port);
	if (len == 0)
		return err_set(
		    e, ERR_USAGE, "no export: write nfs://HOST/EXPORT/PATH");
	u->path = plain_path(path, len);
	u->query = slice(path + len + (path[len] == '?'),
	    strlen(path + len + (path[len] == '?')));
	buf_adds(&text, "nfs://");
	add_host(&text, u);
	buf_addf(&text, "%s", u->path != NULL ? u->path : "");
	buf_adds(&text, path + len);
	u->text = buf_take(&text);
	return 0;
}

struct store_url *
store_url_parse(const char *text, struct err *e)
{
	AUTO(store_url) struct store_url *u = calloc(1, sizeof(*u));
	const char *sep = strstr(text, "://");
	int rc;

	if (u == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (sep != NULL && memchr(text, '/', (size_t)(sep - text)) != NULL)
		sep = NULL;
	if (sep == NULL) {
		rc = parse_posix(text, u, e);
	} else if (strncmp(text, "s3://", 5) == 0) {
		rc = parse_s3(text + 5, u, e);
	} else if (strncmp(text, "file:///", 8) == 0) {
		rc = parse_posix(text + 7, u, e);
	} else if (strncmp(text, "sftp://", 7) == 0) {
		rc = parse_sftp(text + 7, u, e);
	} else if (strncmp(text, "nfs://", 6) == 0) {
		rc = parse_nfs(text + 6, u, e);
	} else if (strncmp(text, "bundle:///", 10) == 0) {
		rc = parse_bundle(text + 9, u, e);
	} else {
		err_set(e, ERR_USAGE,
		    "unknown kind of store: \"%s\" (known: /path, "
		    "file:///path, s3://bucket/prefix, "
		    "sftp://host/path, nfs://host/export/path, "
		    "bundle:///path)",
		    text);
		return NULL;
	}
	if (rc == -1)
		return NULL;
	if (u->user == NULL)
		u->user = slice("", 0);
	if (u->query == NULL)
		u->query = slice("", 0);
	if (u->host == NULL || u->user == NULL || u->path == NULL ||
	    u->query == NULL || u->text == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	return TAKE(u);
}

char *
store_url_uri(const struct store_url *u)
{
	const char *rest = strstr(u->text, "://") + 3;
	size_t len = u->scheme == STORE_NFS ? strcspn(rest, "?") : strlen(rest);
	AUTO(buf) struct buf uri = BUF_INIT(1 << 16);

	buf_add(&uri, u->text, (size_t)(rest - u->text));
	text_percent(&uri, rest, len, "/:@[]");
	return buf_take(&uri);
}
