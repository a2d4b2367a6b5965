/* SPDX-License-Identifier: ISC */
/* A line of a manifest, read. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/manifest.h"
#include "transfer/itemjson.h"

static int
read_link(struct manifest_item *m, const struct jdoc_node *o, struct err *e)
{
	const char *id = jdoc_text(o, "link");

	if (jdoc_member(o, "link") == NULL)
		return 0;
	if (id == NULL || id[0] == '\0' || strlen(id) >= sizeof(m->link) ||
	    m->st.type != ITEM_FILE)
		return itemjson_bad(e, "\"link\"");
	snprintf(m->link, sizeof(m->link), "%s", id);
	return 0;
}

static int
read_item(struct manifest_entry *out, const struct jdoc_node *o,
    enum item_type type, struct err *e)
{
	struct manifest_item *m = &out->item;
	const char *etag = jdoc_text(o, "etag");
	const char *version = jdoc_text(o, "version_id");

	out->kind = MANIFEST_ITEM;
	m->st.type = type;
	if (itemjson_path(o, &m->path, &m->path_len, &out->path, e) == -1)
		return -1;
	if (jdoc_uint(o, "size", &m->st.size) != (type != ITEM_DIR))
		return itemjson_bad(e, "\"size\"");
	if (itemjson_stat(o, &m->st, &out->attrs, e) == -1 ||
	    read_link(m, o, e) == -1 ||
	    itemjson_digests(o, &m->digest, &m->part_bytes, e) == -1)
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
	if (jdoc_uint(o, "format", &format) != 1)
		return itemjson_bad(e, "\"format\"");
	if (format != MANIFEST_FORMAT)
		return err_set(e, ERR_PROTOCOL,
		    "is of format %" PRIu64 ", this dray knows %d", format,
		    MANIFEST_FORMAT);
	read_lacks(&h->not_held, o);
	h->task = jdoc_text(o, "task");
	h->source = jdoc_text(o, "source");
	h->target = jdoc_text(o, "target");
	if (h->task == NULL || h->source == NULL || h->target == NULL ||
	    jdoc_uint(o, "run", &h->run_id) != 1)
		return itemjson_bad(
		    e, "\"task\", \"run\", \"source\" or \"target\"");
	if (root == NULL)
		return 0;
	h->root.type = ITEM_DIR;
	return itemjson_stat(root, &h->root, &out->attrs, e);
}

static int
read_tail(struct manifest_entry *out, const struct jdoc_node *o, struct err *e)
{
	struct manifest_tail *t = &out->tail;

	out->kind = MANIFEST_TAIL;
	if (jdoc_uint(o, "items", &t->items) != 1 ||
	    jdoc_uint(o, "bytes", &t->bytes) != 1)
		return itemjson_bad(e, "\"items\" or \"bytes\"");
	if (jdoc_hex(o, "sha256", t->sha256, sizeof(t->sha256)) != 1)
		return itemjson_bad(e, "\"sha256\"");
	return 0;
}

int
manifest_parse(
    struct manifest_entry *out, const char *line, size_t len, struct err *e)
{
	const struct jdoc_node *o, *type;
	enum item_type item;

	*out = (struct manifest_entry){.kind = MANIFEST_ITEM};
	if (len > MANIFEST_LINE_MAX)
		return err_set(e, ERR_PROTOCOL, "a line is too long");
	out->doc = jdoc_parse(line, len, e);
	if (out->doc == NULL)
		return -1;
	o = jdoc_root(out->doc);
	type = jdoc_member(o, "type");
	if (type == NULL || type->type != JDOC_STRING)
		return itemjson_bad(e, "\"type\"");
	if (jdoc_is(type, "manifest"))
		return read_head(out, o, e);
	if (jdoc_is(type, "end"))
		return read_tail(out, o, e);
	return itemjson_type(o, &item, e) == -1 ? -1
						: read_item(out, o, item, e);
}

void
manifest_entry_clear(struct manifest_entry *m)
{
	jdoc_free(m->doc);
	free(m->path);
	attrs_free(m->attrs);
	memset(m, 0, sizeof(*m));
}
