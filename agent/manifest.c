/* SPDX-License-Identifier: ISC */
/* Lines of a manifest, written. */
#include "config.h"

#include <string.h>

#include "agent/manifest.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "transfer/itemjson.h"
#include "verify/digest.h"

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
		itemjson_add_stat(&j, &h->root);
		json_object_end(&j);
	}
	json_object_end(&j);
	buf_addc(out, '\n');
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
	itemjson_add_stat(&j, &m->st);
	if (m->link[0] != '\0')
		json_str(&j, "link", m->link);
	itemjson_add_digests(&j, &m->digest, m->part_bytes);
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
