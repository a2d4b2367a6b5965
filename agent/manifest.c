/* SPDX-License-Identifier: ISC */
/* Lines of a manifest, written. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/manifest.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "verify/digest.h"

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

static void
add_metadata(struct json *j, const struct item_stat *st)
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

struct item_link
manifest_link(const struct manifest_item *m)
{
	if (m->link[0] == '\0')
		return (struct item_link){.nlink = 0};
	return (struct item_link){
	    .nlink = 2, .ino = crc64nvme(0, m->link, strlen(m->link))};
}

void
manifest_add_head(struct buf *out, const struct manifest_head *h)
{
	struct json j;
	char time[40];

	clock_iso8601(h->time_ns, time, sizeof(time));
	json_begin(&j, out);
	json_object(&j, NULL);
	json_str(&j, "type", "manifest");
	json_uint(&j, "format", MANIFEST_FORMAT);
	json_str(&j, "version", PACKAGE_VERSION);
	json_str(&j, "task", h->task);
	json_uint(&j, "run", h->run_id);
	json_str(&j, "time", time);
	json_name(&j, "source", h->source, strlen(h->source));
	json_name(&j, "target", h->target, strlen(h->target));
	json_array(&j, "not_held");
	if (h->not_held.owner)
		json_str(&j, NULL, "owner");
	if (h->not_held.mode)
		json_str(&j, NULL, "mode");
	if (h->not_held.mtime)
		json_str(&j, NULL, "mtime");
	if (h->not_held.xattrs)
		json_str(&j, NULL, "xattrs");
	if (h->not_held.acls)
		json_str(&j, NULL, "acls");
	if (h->not_held.links)
		json_str(&j, NULL, "links");
	json_array_end(&j);
	if (h->root.type == ITEM_DIR) {
		json_object(&j, "root");
		add_metadata(&j, &h->root);
		json_object_end(&j);
	}
	json_object_end(&j);
	buf_addc(out, '\n');
}

static void
add_digests(struct json *j, const struct manifest_item *m)
{
	const struct digest *d = &m->digest;
	bool parts = m->part_bytes > 0;
	char hex[65];

	if (parts)
		json_uint(j, "part_bytes", m->part_bytes);
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

void
manifest_add_item(struct buf *out, const struct manifest_item *m)
{
	struct json j;

	json_begin(&j, out);
	json_object(&j, NULL);
	json_str(&j, "type", item_type_name(m->st.type));
	json_name(&j, "path", m->path, m->path_len);
	if (m->st.type != ITEM_DIR)
		json_uint(&j, "size", m->st.size);
	add_metadata(&j, &m->st);
	if (m->link[0] != '\0')
		json_str(&j, "link", m->link);
	add_digests(&j, m);
	if (m->etag[0] != '\0')
		json_str(&j, "etag", m->etag);
	if (m->version[0] != '\0')
		json_str(&j, "version_id", m->version);
	if (m->key != NULL)
		json_name(&j, "key", m->key, m->key_len);
	json_str(&j, "status", "done");
	json_object_end(&j);
	buf_addc(out, '\n');
}

void
manifest_add_tail(struct buf *out, const struct manifest_tail *t)
{
	struct json j;
	char hex[65];

	text_hex(t->sha256, sizeof(t->sha256), hex);
	json_begin(&j, out);
	json_object(&j, NULL);
	json_str(&j, "type", "end");
	json_uint(&j, "items", t->items);
	json_uint(&j, "bytes", t->bytes);
	json_str(&j, "sha256", hex);
	json_object_end(&j);
	buf_addc(out, '\n');
}
