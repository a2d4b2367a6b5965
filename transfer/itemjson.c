/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "transfer/itemjson.h"

/* Which kinds are known, a colon, the attributes' bytes in base64. */
static void
add_attrs(struct json *j, const struct attrs *a)
{
	AUTO(buf) struct buf bytes = BUF_INIT(2 * ATTRS_BYTES_MAX);
	AUTO(free) char *text = NULL;
	char *at;

	attrs_format(a, &bytes);
	text = malloc(4 * ((bytes.len + 2) / 3) + 4);
	if (text == NULL || buf_failed(&bytes)) {
		j->out->failed = true;
		return;
	}
	at = text;
	if ((a->kinds & ATTRS_XATTRS) != 0)
		*at++ = 'x';
	if ((a->kinds & ATTRS_ACLS) != 0)
		*at++ = 'a';
	*at++ = ':';
	text_base64(buf_str(&bytes), bytes.len, at);
	json_str(j, "xattrs", text);
}

void
itemjson_add_stat(struct json *j, const struct item_stat *st)
{
	char mode[16];

	if (st->mtime_ns != ITEM_TIME_UNKNOWN)
		json_int(j, "mtime_ns", st->mtime_ns);
	if (st->has_atime)
		json_int(j, "atime_ns", st->atime_ns);
	if (st->mode != 0) {
		snprintf(mode, sizeof(mode), "%07" PRIo32, st->mode);
		json_str(j, "mode", mode);
		json_uint(j, "uid", st->uid);
		json_uint(j, "gid", st->gid);
	}
	if (st->attrs != NULL && st->attrs->kinds != 0)
		add_attrs(j, st->attrs);
}

void
itemjson_add_digests(
    struct json *j, const struct digest *d, uint64_t part_bytes)
{
	bool parts = part_bytes > 0;
	char hex[65];

	if (parts)
		json_uint(j, "part_bytes", part_bytes);
	if ((d->have & DIGEST_XXH3) != 0) {
		text_hex(d->xxh3, sizeof(d->xxh3), hex);
		json_str(j, parts ? "xxh3_of_parts" : "xxh3", hex);
	}
	if ((d->have & DIGEST_CRC64NVME) != 0) {
		snprintf(hex, sizeof(hex), "%016" PRIx64, d->crc64nvme);
		json_str(j, "crc64nvme", hex);
	}
	if ((d->have & DIGEST_SHA256) != 0) {
		text_hex(d->sha256, sizeof(d->sha256), hex);
		json_str(j, parts ? "sha256_of_parts" : "sha256", hex);
	}
}

int
itemjson_bad(struct err *e, const char *what)
{
	return err_set(
	    e, ERR_PROTOCOL, "%s is missing or makes no sense", what);
}

bool
itemjson_is_path(const char *path, size_t len)
{
	size_t i = 0;

	if (memchr(path, '\0', len) != NULL)
		return false;
	while (i <= len) {
		const char *name = path + i;
		const char *slash = memchr(name, '/', len - i);
		size_t n = slash != NULL ? (size_t)(slash - name) : len - i;

		if (n == 0 || (n == 1 && name[0] == '.') ||
		    (n == 2 && name[0] == '.' && name[1] == '.'))
			return false;
		i += n + 1;
	}
	return true;
}

int
itemjson_path(const struct jdoc_node *o, const char **path, size_t *len,
    char **exact, struct err *e)
{
	int rc = jdoc_name(o, "path", path, len, exact);

	if (rc == -2)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (rc != 1)
		return itemjson_bad(e,
		    jdoc_text(o, "path") != NULL ? "\"path_base64\""
						 : "\"path\"");
	if (!itemjson_is_path(*path, *len))
		return err_set(e, ERR_PROTOCOL,
		    "\"path\" can't be that of an item: it is empty, absolute, "
		    "or has an empty, \".\" or \"..\" component");
	return 0;
}

int
itemjson_type(const struct jdoc_node *o, enum item_type *type, struct err *e)
{
	const struct jdoc_node *word = jdoc_member(o, "type");
	size_t i;

	for (i = ITEM_FILE; word != NULL && i <= ITEM_SYMLINK; i++)
		if (jdoc_is(word, item_type_name((enum item_type)i))) {
			*type = (enum item_type)i;
			return 0;
		}
	return itemjson_bad(e, "\"type\"");
}

int
itemjson_digests(const struct jdoc_node *o, struct digest *d,
    uint64_t *part_bytes, struct err *e)
{
	uint8_t crc[8];
	bool parts;
	int rc, i;

	if (jdoc_uint(o, "part_bytes", part_bytes) == -1)
		return itemjson_bad(e, "\"part_bytes\"");
	parts = *part_bytes > 0;
	rc = jdoc_hex(o, parts ? "xxh3_of_parts" : "xxh3", d->xxh3, 16);
	if (rc == -1)
		return itemjson_bad(e, "\"xxh3\"");
	d->have |= rc == 1 ? DIGEST_XXH3 : 0;
	rc = jdoc_hex(o, "crc64nvme", crc, sizeof(crc));
	if (rc == -1)
		return itemjson_bad(e, "\"crc64nvme\"");
	for (i = 0; rc == 1 && i < 8; i++)
		d->crc64nvme = d->crc64nvme << 8 | crc[i];
	d->have |= rc == 1 ? DIGEST_CRC64NVME : 0;
	rc = jdoc_hex(o, parts ? "sha256_of_parts" : "sha256", d->sha256, 32);
	if (rc == -1)
		return itemjson_bad(e, "\"sha256\"");
	d->have |= rc == 1 ? DIGEST_SHA256 : 0;
	return 0;
}

static int
read_owner(const struct jdoc_node *o, struct item_stat *st, struct err *e)
{
	const char *mode = jdoc_text(o, "mode");
	uint64_t uid = 0, gid = 0;
	unsigned long bits;
	char *end;

	if (jdoc_member(o, "mode") == NULL)
		return 0;
	if (mode == NULL || strspn(mode, "01234567") != strlen(mode) ||
	    strlen(mode) > 7)
		return itemjson_bad(e, "\"mode\"");
	bits = strtoul(mode, &end, 8);
	if (jdoc_uint(o, "uid", &uid) != 1 || uid > UINT32_MAX ||
	    jdoc_uint(o, "gid", &gid) != 1 || gid > UINT32_MAX)
		return itemjson_bad(e, "\"uid\" or \"gid\"");
	st->mode = (uint32_t)bits;
	st->uid = (uint32_t)uid;
	st->gid = (uint32_t)gid;
	return 0;
}

static int
read_attrs(const struct jdoc_node *o, struct attrs **out, struct err *e)
{
	const char *text = jdoc_text(o, "xattrs");
	AUTO(free) char *bytes = NULL;
	unsigned kinds = 0;
	size_t len, n;

	if (jdoc_member(o, "xattrs") == NULL)
		return 0;
	for (; text != NULL && (*text == 'x' || *text == 'a'); text++)
		kinds |= *text == 'x' ? ATTRS_XATTRS : ATTRS_ACLS;
	if (kinds == 0 || *text++ != ':')
		return itemjson_bad(e, "\"xattrs\"");
	len = strlen(text);
	n = len / 4 * 3;
	n -= len > 0 && text[len - 1] == '=';
	n -= len > 1 && text[len - 2] == '=';
	bytes = malloc(n + 1);
	if (bytes == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (!text_unbase64(text, len, bytes, n))
		return itemjson_bad(e, "\"xattrs\"");
	*out = attrs_parse(bytes, n, kinds, e);
	if (*out == NULL)
		return e->kind == ERR_NOMEM ? -1
					    : itemjson_bad(e, "\"xattrs\"");
	return 0;
}

int
itemjson_stat(const struct jdoc_node *o, struct item_stat *st,
    struct attrs **attrs, struct err *e)
{
	int rc;

	st->mtime_ns = ITEM_TIME_UNKNOWN;
	if (jdoc_int(o, "mtime_ns", &st->mtime_ns) == -1)
		return itemjson_bad(e, "\"mtime_ns\"");
	rc = jdoc_int(o, "atime_ns", &st->atime_ns);
	if (rc == -1)
		return itemjson_bad(e, "\"atime_ns\"");
	st->has_atime = rc == 1;
	if (read_owner(o, st, e) == -1 || read_attrs(o, attrs, e) == -1)
		return -1;
	st->attrs = *attrs;
	return 0;
}
