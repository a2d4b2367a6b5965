/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "transfer/url.h"

void
store_url_free(struct store_url *u)
{
	if (u == NULL)
		return;
	free(u->host);
	free(u->path);
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
	} else {
		err_set(e, ERR_USAGE,
		    "unknown kind of store: \"%s\" (known: /path, "
		    "file:///path, s3://bucket/prefix)",
		    text);
		return NULL;
	}
	if (rc == -1)
		return NULL;
	if (u->host == NULL || u->path == NULL || u->text == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	return TAKE(u);
}
