/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "transfer/s3/uri.h"

void
s3_encode(struct buf *out, const char *s, size_t n, bool slash)
{
	static const char hex[] = "0123456789ABCDEF";
	static const char kept[256] = {['-'] = 1,
	    ['.'] = 1,
	    ['_'] = 1,
	    ['~'] = 1,
	    ['0' ... '9'] = 1,
	    ['A' ... 'Z'] = 1,
	    ['a' ... 'z'] = 1};
	const unsigned char *u = (const unsigned char *)s;
	size_t i = 0;

	while (i < n) {
		size_t run = i;
		char code[3];

		while (run < n && (kept[u[run]] || (slash && u[run] == '/')))
			run++;
		buf_add(out, s + i, run - i);
		if ((i = run) == n)
			break;
		code[0] = '%';
		code[1] = hex[u[i] >> 4];
		code[2] = hex[u[i] & 15];
		buf_add(out, code, 3);
		i++;
	}
}

long
s3_decode(char *s, size_t n)
{
	size_t i, o = 0;

	for (i = 0; i < n; i++) {
		char c = s[i];

		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			if (n - i < 3 || !text_unhex(s + i + 1, 2, &c, 1))
				return -1;
			i += 2;
		}
		if (c == '\0')
			return -1;
		s[o++] = c;
	}
	return (long)o;
}

static bool
ends_with(const char *s, size_t n, const char *tail)
{
	size_t t = strlen(tail);

	return n >= t && memcmp(s + n - t, tail, t) == 0;
}

static int
wrong(struct err *e, const char *url, const char *why)
{
	return err_set(e, ERR_CONFIG,
	    "endpoint URL \"%.200s\": %s (write https://HOST[:PORT])", url,
	    why);
}

/* Cuts URL into host with port (lower case, no default port) and path. */
static int
split(const char *url, char *host, size_t host_size, const char **path,
    size_t *path_len, bool *https, struct err *e)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-_:[]";
	const char *p, *drop;
	size_t n, i;

	if (strncasecmp(url, "https://", 8) == 0)
		*https = true, p = url + 8;
	else if (strncasecmp(url, "http://", 7) == 0)
		*https = false, p = url + 7;
	else
		return wrong(e, url,
		    "it begins with neither https:// nor "
		    "http://");
	n = strcspn(p, "/?#");
	if (n == 0 || strspn(p, allowed) < n || n >= host_size)
		return wrong(e, url, "its host makes no sense");
	*path = p + n;
	*path_len = strlen(*path);
	if (strpbrk(*path, "?#") != NULL)
		return wrong(e, url, "a query has no place in it");
	while (*path_len > 0 && (*path)[*path_len - 1] == '/')
		--*path_len;
	for (i = 0; i < n; i++)
		host[i] = (char)tolower((unsigned char)p[i]);
	drop = *https ? ":443" : ":80";
	if (ends_with(host, n, drop))
		n -= strlen(drop);
	host[n] = '\0';
	return 0;
}

static bool
is_aws(const char *host)
{
	size_t n = strcspn(host, ":");

	return ends_with(host, n, ".amazonaws.com") ||
	    ends_with(host, n, ".amazonaws.com.cn");
}

/* Whether BUCKET can be a DNS label of a certificate's wildcard. */
static bool
is_label(const char *bucket)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	return strspn(bucket, allowed) == strlen(bucket) &&
	    strlen(bucket) <= 63;
}

static int
choose(const char *addressing, const char *bucket, struct s3_place *p,
    const char *host, struct err *e)
{
	bool numeric =
	    host[0] == '[' || strspn(host, "0123456789.") == strcspn(host, ":");

	if (addressing == NULL || strcmp(addressing, "auto") == 0) {
		p->virtual_host = p->aws && is_label(bucket);
	} else if (strcmp(addressing, "path") == 0) {
		p->virtual_host = false;
	} else if (strcmp(addressing, "virtual") == 0) {
		p->virtual_host = true;
		if (numeric)
			return err_set(e, ERR_CONFIG,
			    "virtual-host addressing needs a host name, not "
			    "the address %s",
			    host);
	} else {
		return err_set(e, ERR_CONFIG,
		    "addressing \"%s\" is none of auto, path, virtual",
		    addressing);
	}
	return 0;
}

int
s3_place_of(const char *endpoint, const char *region, const char *bucket,
    const char *addressing, struct s3_place *out, struct err *e)
{
	AUTO(buf) struct buf base = BUF_INIT(sizeof(out->base) - 1);
	struct s3_place p = {0};
	char host[200] = "";
	const char *path = "";
	size_t path_len = 0;

	if (strspn(region,
		"abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != strlen(region) ||
	    *region == '\0' || strlen(region) > 63)
		return err_set(
		    e, ERR_CONFIG, "\"%.64s\" is not a region", region);
	if (endpoint != NULL)
		snprintf(p.endpoint, sizeof(p.endpoint), "%s", endpoint);
	else
		snprintf(p.endpoint, sizeof(p.endpoint),
		    "https://s3.%s.amazonaws.com%s", region,
		    strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
	if (split(p.endpoint, host, sizeof(host), &path, &path_len, &p.https,
		e) == -1)
		return -1;
	p.aws = is_aws(host);
	if (choose(addressing, bucket, &p, host, e) == -1)
		return -1;
	s3_encode(&base, path, path_len, true);
	if (!p.virtual_host) {
		buf_addc(&base, '/');
		s3_encode(&base, bucket, strlen(bucket), false);
	}
	snprintf(p.host, sizeof(p.host), "%s%s%s", p.virtual_host ? bucket : "",
	    p.virtual_host ? "." : "", host);
	snprintf(p.origin, sizeof(p.origin), "http%s://%s", p.https ? "s" : "",
	    p.host);
	snprintf(p.base, sizeof(p.base), "%s", buf_str(&base));
	if (buf_failed(&base) || strlen(bucket) + strlen(host) > 290)
		return err_set(
		    e, ERR_CONFIG, "endpoint URL and bucket name are too long");
	*out = p;
	return 0;
}
