/* SPDX-License-Identifier: ISC */
/* A line of a manifest, read. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/manifest.h"
#include "base/text.h"

#define NUMBER_SIZE 24 /* of 64 bits, as text */

/* The text of string member KEY; NULL if there is none, or one with a NUL. */
static const char *
string_of(const struct jdoc_node *o, const char *key)
{
	const struct jdoc_node *n = jdoc_member(o, key);

	return n != NULL && n->type == JDOC_STRING && strlen(n->text) == n->len
	    ? n->text
	    : NULL;
}

/* Number member KEY as text: 1, 0 if there is none, -1 if it is no number or
 * too long for one. */
static int
number_of(const struct jdoc_node *o, const char *key, char out[NUMBER_SIZE])
{
	const struct jdoc_node *n = jdoc_member(o, key);

	if (n == NULL)
		return 0;
	if (n->type != JDOC_NUMBER || n->len >= NUMBER_SIZE)
		return -1;
	memcpy(out, n->text, n->len);
	out[n->len] = '\0';
	return 1;
}

/* Number member KEY: 1, 0 if there is none, -1 if it is no such number. */
static int
uint_of(const struct jdoc_node *o, const char *key, uint64_t *out)
{
	char text[NUMBER_SIZE], *end;
	int rc = number_of(o, key, text);

	if (rc != 1)
		return rc;
	if (text[0] == '-')
		return -1;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return *end == '\0' && errno == 0 ? 1 : -1;
}

static int
int_of(const struct jdoc_node *o, const char *key, int64_t *out)
{
	char text[NUMBER_SIZE], *end;
	int rc = number_of(o, key, text);

	if (rc != 1)
		return rc;
	errno = 0;
	*out = strtoll(text, &end, 10);
	return *end == '\0' && errno == 0 ? 1 : -1;
}

static int
bad(struct err *e, const char *what)
{
	return err_set(
	    e, ERR_PROTOCOL, "%s is missing or makes no sense", what);
}

/* Components that are names of files, one '/' between. */
static bool
is_path(const char *path, size_t len)
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

static int
read_path(struct manifest_entry *out, const struct jdoc_node *o, struct err *e)
{
	const struct jdoc_node *plain = jdoc_member(o, "path");
	const struct jdoc_node *exact = jdoc_member(o, "path_base64");
	size_t len, pad = 0;

	if (plain == NULL || plain->type != JDOC_STRING)
		return bad(e, "\"path\"");
	out->item.path = plain->text;
	out->item.path_len = plain->len;
	if (exact != NULL) {
		if (exact->type != JDOC_STRING || exact->len % 4 != 0)
			return bad(e, "\"path_base64\"");
		while (pad < 2 && pad < exact->len &&
		    exact->text[exact->len - 1 - pad] == '=')
			pad++;
		len = exact->len / 4 * 3 - pad;
		out->path = malloc(len + 1);
		if (out->path == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		if (!text_unbase64(exact->text, exact->len, out->path, len))
			return bad(e, "\"path_base64\"");
		out->path[len] = '\0';
		out->item.path = out->path;
		out->item.path_len = len;
	}
	if (!is_path(out->item.path, out->item.path_len))
		return err_set(e, ERR_PROTOCOL,
		    "\"path\" can't be that of an item: it is empty, absolute, "
		    "or has an empty, \".\" or \"..\" component");
	return 0;
}

/* Hex member KEY of N bytes: 1, 0, -1. */
static int
hex_of(const struct jdoc_node *o, const char *key, void *out, size_t n)
{
	const struct jdoc_node *member = jdoc_member(o, key);

	if (member == NULL)
		return 0;
	return member->type == JDOC_STRING &&
		text_unhex(member->text, member->len, out, n)
	    ? 1
	    : -1;
}

static int
read_digests(struct manifest_item *m, const struct jdoc_node *o, struct err *e)
{
	struct digest *d = &m->digest;
	uint8_t crc[8];
	bool parts;
	int rc, i;

	if (uint_of(o, "part_bytes", &m->part_bytes) == -1)
		return bad(e, "\"part_bytes\"");
	parts = m->part_bytes > 0;
	if ((rc = hex_of(o, parts ? "xxh3_of_parts" : "xxh3", d->xxh3, 16)) ==
	    -1)
		return bad(e, "\"xxh3\"");
	d->have |= rc == 1 ? DIGEST_XXH3 : 0;
	if ((rc = hex_of(o, "crc64nvme", crc, sizeof(crc))) == -1)
		return bad(e, "\"crc64nvme\"");
	for (i = 0; rc == 1 && i < 8; i++)
		d->crc64nvme = d->crc64nvme << 8 | crc[i];
	d->have |= rc == 1 ? DIGEST_CRC64NVME : 0;
	if ((rc = hex_of(
		 o, parts ? "sha256_of_parts" : "sha256", d->sha256, 32)) == -1)
		return bad(e, "\"sha256\"");
	d->have |= rc == 1 ? DIGEST_SHA256 : 0;
	return 0;
}

static int
read_owner(struct item_stat *st, const struct jdoc_node *o, struct err *e)
{
	const char *mode = string_of(o, "mode");
	uint64_t uid = 0, gid = 0;
	unsigned long bits;
	char *end;

	if (jdoc_member(o, "mode") == NULL)
		return 0;
	if (mode == NULL || strspn(mode, "01234567") != strlen(mode) ||
	    strlen(mode) > 7)
		return bad(e, "\"mode\"");
	bits = strtoul(mode, &end, 8);
	if (uint_of(o, "uid", &uid) != 1 || uid > UINT32_MAX ||
	    uint_of(o, "gid", &gid) != 1 || gid > UINT32_MAX)
		return bad(e, "\"uid\" or \"gid\"");
	st->mode = (uint32_t)bits;
	st->uid = (uint32_t)uid;
	st->gid = (uint32_t)gid;
	return 0;
}

static int
read_attrs(struct manifest_entry *out, struct item_stat *st,
    const struct jdoc_node *o, struct err *e)
{
	const char *text = string_of(o, "xattrs");
	AUTO(free) char *bytes = NULL;
	unsigned kinds = 0;
	size_t len, n;

	if (jdoc_member(o, "xattrs") == NULL)
		return 0;
	for (; text != NULL && (*text == 'x' || *text == 'a'); text++)
		kinds |= *text == 'x' ? ATTRS_XATTRS : ATTRS_ACLS;
	if (kinds == 0 || *text++ != ':')
		return bad(e, "\"xattrs\"");
	len = strlen(text);
	n = len / 4 * 3;
	n -= len > 0 && text[len - 1] == '=';
	n -= len > 1 && text[len - 2] == '=';
	bytes = malloc(n + 1);
	if (bytes == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (!text_unbase64(text, len, bytes, n))
		return bad(e, "\"xattrs\"");
	out->attrs = attrs_parse(bytes, n, kinds, e);
	if (out->attrs == NULL)
		return e->kind == ERR_NOMEM ? -1 : bad(e, "\"xattrs\"");
	st->attrs = out->attrs;
	return 0;
}

/* What add_metadata() in manifest.c wrote. */
static int
read_metadata(struct manifest_entry *out, struct item_stat *st,
    const struct jdoc_node *o, struct err *e)
{
	int rc;

	st->mtime_ns = ITEM_TIME_UNKNOWN;
	if (int_of(o, "mtime_ns", &st->mtime_ns) == -1)
		return bad(e, "\"mtime_ns\"");
	rc = int_of(o, "atime_ns", &st->atime_ns);
	if (rc == -1)
		return bad(e, "\"atime_ns\"");
	st->has_atime = rc == 1;
	return read_owner(st, o, e) == -1 ? -1 : read_attrs(out, st, o, e);
}

static int
read_link(struct manifest_item *m, const struct jdoc_node *o, struct err *e)
{
	const char *id = string_of(o, "link");

	if (jdoc_member(o, "link") == NULL)
		return 0;
	if (id == NULL || id[0] == '\0' || strlen(id) >= sizeof(m->link) ||
	    m->st.type != ITEM_FILE)
		return bad(e, "\"link\"");
	snprintf(m->link, sizeof(m->link), "%s", id);
	return 0;
}

static int
read_item(struct manifest_entry *out, const struct jdoc_node *o,
    enum item_type type, struct err *e)
{
	struct manifest_item *m = &out->item;
	const char *etag = string_of(o, "etag");
	const char *version = string_of(o, "version_id");

	out->kind = MANIFEST_ITEM;
	m->st.type = type;
	if (read_path(out, o, e) == -1)
		return -1;
	if (uint_of(o, "size", &m->st.size) != (type != ITEM_DIR))
		return bad(e, "\"size\"");
	if (read_metadata(out, &m->st, o, e) == -1 ||
	    read_link(m, o, e) == -1 || read_digests(m, o, e) == -1)
		return -1;
	if (etag != NULL)
		snprintf(m->etag, sizeof(m->etag), "%s", etag);
	if (version != NULL)
		snprintf(m->version, sizeof(m->version), "%s", version);
	return 0;
}

static void
read_lacks(struct check_lacks *out, const struct jdoc_node *o)
{
	const struct jdoc_node *list = jdoc_member(o, "not_held"), *n;

	for (n = list != NULL && list->type == JDOC_ARRAY ? list->child : NULL;
	     n != NULL; n = n->next) {
		out->owner |= jdoc_is(n, "owner");
		out->mode |= jdoc_is(n, "mode");
		out->mtime |= jdoc_is(n, "mtime");
		out->xattrs |= jdoc_is(n, "xattrs");
		out->acls |= jdoc_is(n, "acls");
		out->links |= jdoc_is(n, "links");
	}
}

static int
read_head(struct manifest_entry *out, const struct jdoc_node *o, struct err *e)
{
	struct manifest_head *h = &out->head;
	const struct jdoc_node *root = jdoc_member(o, "root");
	uint64_t format;

	out->kind = MANIFEST_HEAD;
	if (uint_of(o, "format", &format) != 1)
		return bad(e, "\"format\"");
	if (format != MANIFEST_FORMAT)
		return err_set(e, ERR_PROTOCOL,
		    "is of format %" PRIu64 ", this dray knows %d", format,
		    MANIFEST_FORMAT);
	read_lacks(&h->not_held, o);
	h->task = string_of(o, "task");
	h->source = string_of(o, "source");
	h->target = string_of(o, "target");
	if (h->task == NULL || h->source == NULL || h->target == NULL ||
	    uint_of(o, "run", &h->run_id) != 1)
		return bad(e, "\"task\", \"run\", \"source\" or \"target\"");
	if (root == NULL)
		return 0;
	h->root.type = ITEM_DIR;
	return read_metadata(out, &h->root, root, e);
}

static int
read_tail(struct manifest_entry *out, const struct jdoc_node *o, struct err *e)
{
	struct manifest_tail *t = &out->tail;

	out->kind = MANIFEST_TAIL;
	if (uint_of(o, "items", &t->items) != 1 ||
	    uint_of(o, "bytes", &t->bytes) != 1)
		return bad(e, "\"items\" or \"bytes\"");
	if (hex_of(o, "sha256", t->sha256, sizeof(t->sha256)) != 1)
		return bad(e, "\"sha256\"");
	return 0;
}

int
manifest_parse(
    struct manifest_entry *out, const char *line, size_t len, struct err *e)
{
	const struct jdoc_node *o, *type;
	size_t i;

	*out = (struct manifest_entry){.kind = MANIFEST_ITEM};
	if (len > MANIFEST_LINE_MAX)
		return err_set(e, ERR_PROTOCOL, "a line is too long");
	out->doc = jdoc_parse(line, len, e);
	if (out->doc == NULL)
		return -1;
	o = jdoc_root(out->doc);
	type = jdoc_member(o, "type");
	if (type == NULL || type->type != JDOC_STRING)
		return bad(e, "\"type\"");
	if (jdoc_is(type, "manifest"))
		return read_head(out, o, e);
	if (jdoc_is(type, "end"))
		return read_tail(out, o, e);
	for (i = ITEM_FILE; i <= ITEM_SYMLINK; i++)
		if (jdoc_is(type, item_type_name((enum item_type)i)))
			return read_item(out, o, (enum item_type)i, e);
	return bad(e, "\"type\"");
}

void
manifest_entry_clear(struct manifest_entry *m)
{
	jdoc_free(m->doc);
	free(m->path);
	attrs_free(m->attrs);
	memset(m, 0, sizeof(*m));
}
