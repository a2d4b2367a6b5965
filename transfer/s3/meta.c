/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "transfer/s3/meta.h"

void
meta_format(const struct item_stat *st, struct meta_text *out)
{
	snprintf(out->owner, sizeof(out->owner), "%" PRIu32, st->uid);
	snprintf(out->group, sizeof(out->group), "%" PRIu32, st->gid);
	snprintf(out->permissions, sizeof(out->permissions), "0%06" PRIo32,
	    st->mode & 0177777);
	snprintf(out->mtime, sizeof(out->mtime), "%" PRId64 "ns", st->mtime_ns);
	out->atime[0] = '\0';
	if (st->has_atime)
		snprintf(out->atime, sizeof(out->atime), "%" PRId64 "ns",
		    st->atime_ns);
	out->hardlink[0] = '\0';
	if (st->nlink > 1)
		snprintf(out->hardlink, sizeof(out->hardlink),
		    "%" PRIx64 "-%" PRIx64, st->dev, st->ino);
}

/* A number of at most 18 digits; false if anything else stands there. */
static bool
parse_number(const char *s, int base, uint64_t *out)
{
	char *end;

	if (!isdigit((unsigned char)*s) || strlen(s) > 18)
		return false;
	*out = strtoull(s, &end, base);
	return *end == '\0';
}

static bool
parse_id(const char *s, uint32_t *out)
{
	uint64_t v;

	if (s == NULL || !parse_number(s, 10, &v) || v > UINT32_MAX)
		return false;
	*out = (uint32_t)v;
	return true;
}

/* A type that exists, or none at all (permissions only). */
static bool
plausible(uint64_t mode)
{
	uint64_t type = mode & S_IFMT;

	return mode <= 0177777 &&
	    (type == 0 || type == S_IFREG || type == S_IFDIR ||
		type == S_IFLNK);
}

static bool
parse_permissions(const char *s, uint32_t *out)
{
	uint64_t v;

	if (s == NULL || !parse_number(s, 8, &v) || !plausible(v))
		return false;
	*out = (uint32_t)v;
	return true;
}

/* rclone writes "mode" octal, s3fs decimal: the file type tells. */
static bool
parse_mode(const char *s, uint32_t *out)
{
	uint64_t decimal;
	bool has_type;

	if (s == NULL)
		return false;
	has_type = parse_number(s, 10, &decimal) && plausible(decimal) &&
	    (decimal & S_IFMT) != 0;
	if (has_type &&
	    (S_ISLNK((mode_t)decimal) || !parse_permissions(s, out)))
		*out = (uint32_t)decimal;
	else
		return parse_permissions(s, out);
	return true;
}

/*
 * "1595002920000000000ns", or a number of seconds (with a fraction, maybe),
 * ms, us or ns: which one, its size tells.
 */
static bool
parse_time(const char *s, int64_t *out)
{
	int64_t v = 0, unit = 1000000000, fraction = 0;
	bool negative = *s == '-';
	int n = 0;

	for (s += negative; isdigit((unsigned char)*s) && n < 19; s++, n++) {
		if (v > (INT64_MAX - 9) / 10)
			return false;
		v = v * 10 + (*s - '0');
	}
	if (n == 0 || isdigit((unsigned char)*s))
		return false;
	if (strcmp(s, "ns") == 0 || n > 16)
		unit = 1;
	else if (n > 14)
		unit = 1000;
	else if (n > 11)
		unit = 1000000;
	if (*s == '.' && unit == 1000000000) {
		int64_t digit = 100000000;

		for (s++; isdigit((unsigned char)*s); s++, digit /= 10)
			fraction += (*s - '0') * digit;
	}
	if ((*s != '\0' && strcmp(s, "ns") != 0) ||
	    v > (INT64_MAX - fraction) / unit)
		return false;
	v = v * unit + fraction;
	*out = negative ? -v : v;
	return true;
}

/* 1 to 16 hex digits and then END; NULL if anything else stands there. */
static const char *
parse_hex(const char *s, char end, uint64_t *out)
{
	size_t n = strspn(s, "0123456789abcdef");

	if (n == 0 || n > 16 || s[n] != end)
		return NULL;
	*out = strtoull(s, NULL, 16);
	return s + n;
}

static bool
parse_hardlink(const char *s, uint64_t *dev, uint64_t *ino)
{
	s = parse_hex(s, '-', dev);
	return s != NULL && parse_hex(s + 1, '\0', ino) != NULL;
}

struct found {
	const char *owner, *group, *permissions, *mtime;
	const char *uid, *gid, *mode, *plain_mtime;
	const char *hardlink, *atime, *plain_atime, *sparse;
};

static void
find(const struct http_headers *headers, struct found *f)
{
	const struct {
		const char *name;
		const char **value;
	} keys[] = {{"file-owner", &f->owner}, {"file-group", &f->group},
	    {"file-permissions", &f->permissions}, {"file-mtime", &f->mtime},
	    {"uid", &f->uid}, {"gid", &f->gid}, {"mode", &f->mode},
	    {"mtime", &f->plain_mtime}, {"dray-hardlink", &f->hardlink},
	    {"file-atime", &f->atime}, {"atime", &f->plain_atime},
	    {"dray-sparse", &f->sparse}};
	const char *name, *value;
	size_t pos = 0, n, i;

	while ((value = http_header_next(
		    headers, "x-amz-meta-", &pos, &name, &n)) != NULL)
		for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (strlen(keys[i].name) == n &&
			    strncasecmp(keys[i].name, name, n) == 0)
				*keys[i].value = value;
}

void
meta_parse(const struct http_headers *headers, struct store_stat *out)
{
	struct found f = {0};
	uint32_t mode, uid, gid;
	uint64_t dev, ino;

	find(headers, &f);
	if (f.hardlink != NULL && parse_hardlink(f.hardlink, &dev, &ino)) {
		out->nlink = 2;
		out->dev = dev;
		out->ino = ino;
	}
	if (parse_permissions(f.permissions, &mode) ||
	    parse_mode(f.mode, &mode)) {
		if (S_ISLNK(mode))
			out->type = ITEM_SYMLINK;
		else if (S_ISDIR(mode) && out->size == 0)
			out->type = ITEM_DIR;
		if ((parse_id(f.owner, &uid) || parse_id(f.uid, &uid)) &&
		    (parse_id(f.group, &gid) || parse_id(f.gid, &gid))) {
			out->mode = mode;
			out->uid = uid;
			out->gid = gid;
			out->has_owner = true;
		}
	}
	if ((f.mtime != NULL && parse_time(f.mtime, &out->mtime_ns)) ||
	    (f.plain_mtime != NULL &&
		parse_time(f.plain_mtime, &out->mtime_ns)))
		out->has_source_mtime = true;
	if ((f.atime != NULL && parse_time(f.atime, &out->atime_ns)) ||
	    (f.plain_atime != NULL &&
		(parse_time(f.plain_atime, &out->atime_ns) ||
		    http_parse_date(f.plain_atime, &out->atime_ns))))
		out->has_atime = true;
	out->sparse = f.sparse != NULL && strcmp(f.sparse, "1") == 0;
}
