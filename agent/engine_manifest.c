/* SPDX-License-Identifier: ISC */
/* --manifest: at the end of a run, what the task has at its target. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/engine_in.h"
#include "agent/manifest_file.h"
#include "agent/verify.h"
#include "base/clock.h"

struct listing {
	struct engine *en;
	struct manifest_out *out;
	struct buf key; /* begins with the target's prefix, if KEY_AT > 0 */
	size_t key_at;
	struct attrs *attrs; /* whose mark is that, if it isn't 0 */
	uint64_t mark;
};

/* Where objects have names of their own: bucket and prefix. */
static int
begin_keys(struct listing *l, const char *target, struct err *e)
{
	AUTO(store_url) struct store_url *url = store_url_parse(target, e);

	if (url == NULL)
		return -1;
	if (url->scheme != STORE_S3)
		return 0;
	buf_adds(&l->key, "s3://");
	buf_adds(&l->key, url->host);
	buf_addc(&l->key, '/');
	buf_adds(&l->key, url->path);
	if (url->path[0] != '\0')
		buf_addc(&l->key, '/');
	l->key_at = l->key.len;
	return 0;
}

static void
set_key(struct listing *l, struct manifest_item *m)
{
	if (l->key_at == 0)
		return;
	l->key.len = l->key_at;
	buf_add(&l->key, m->path, m->path_len);
	if (m->st.type == ITEM_DIR)
		buf_addc(&l->key, '/');
	m->key = buf_str(&l->key);
	m->key_len = l->key.len;
}

/* Most items have one of the same few sets. */
static int
set_attrs(
    struct listing *l, struct manifest_item *m, uint64_t mark, struct err *e)
{
	if (mark == 0)
		return 0;
	if (mark != l->mark) {
		attrs_free(l->attrs);
		l->attrs = NULL;
		l->mark = 0;
		if (ledger_attrs_get(l->en->ledger, mark, &l->attrs, e) == -1)
			return -1;
		l->mark = mark;
	}
	m->st.attrs = l->attrs;
	return 0;
}

/* Not the id that links at the target have: where it holds none, names are of
 * one file all the same. */
static void
set_link(struct manifest_item *m, const struct item_link *link)
{
	if (m->st.type == ITEM_FILE && link->nlink != 1 && link->ino != 0)
		snprintf(m->link, sizeof(m->link), "%" PRIx64 "-%" PRIx64,
		    link->dev, link->ino);
}

static int
add_row(void *arg, const char *path, size_t len, const struct ledger_file *row,
    struct err *e)
{
	struct listing *l = arg;
	struct manifest_item m = {
	    .path = path,
	    .path_len = len,
	    .st = row->st,
	    .part_bytes = row->part_bytes,
	    .digest.have = row->digest_have,
	    .digest.crc64nvme = row->crc64nvme,
	};

	if (row->state != LEDGER_DONE)
		return 0;
	if (atomic_load(l->en->setup->stop_soon))
		return err_set(e, ERR_STOPPED, "stopped");
	/* What a listing says of an object is not what it carries. */
	if ((l->en->source->ops->features & STORE_LIST_META) == 0) {
		m.st.mode = 0;
		m.st.mtime_ns = ITEM_TIME_UNKNOWN;
	}
	memcpy(m.digest.xxh3, row->xxh3, sizeof(row->xxh3));
	memcpy(m.digest.sha256, row->sha256, sizeof(row->sha256));
	memcpy(m.etag, row->etag, sizeof(row->etag));
	memcpy(m.version, row->version, sizeof(row->version));
	set_key(l, &m);
	set_link(&m, &row->link);
	if (set_attrs(l, &m, row->attrs, e) == -1)
		return -1;
	return manifest_out_add(l->out, &m, e);
}

static int
write_manifest(struct engine *en, struct err *e)
{
	const struct ui_run *about = en->setup->about;
	struct listing l = {.en = en, .key = BUF_INIT(1 << 20)};
	AUTO(manifest_out) struct manifest_out *out = NULL;
	struct manifest_head head = {
	    .task = about->task,
	    .source = about->source,
	    .target = about->target,
	    .run_id = en->run_id,
	    .time_ns = clock_wall_ns(),
	};
	AUTO(attrs) struct attrs *attrs = NULL;
	int rc;

	rc = engine_root(en, &head.root, &attrs, e);
	if (rc == -1)
		return err_context(e, "the source directory itself");
	if (rc == 0)
		head.root.type = 0;
	head.root.attrs = attrs;
	if (verify_find_lacks(en->ledger, &head.not_held, e) == -1)
		return -1;
	verify_add_lacks(&head.not_held, en->stats);
	out = manifest_out_new(&head, e);
	if (out == NULL)
		return -1;
	l.out = out;
	rc = begin_keys(&l, about->target, e);
	if (rc == 0)
		rc = ledger_all(en->ledger, add_row, &l, e);
	if (rc == 0)
		rc = manifest_out_send(out, en->options->manifest, en->options,
		    about->task, en->setup->stop_now, &en->manifest, e);
	attrs_free(l.attrs);
	buf_free(&l.key);
	return rc;
}

void
engine_manifest(struct engine *en)
{
	struct err e = ERR_INIT;

	if (en->options->manifest == NULL || en->options->dry_run ||
	    en->stopping)
		return;
	if (write_manifest(en, &e) == 0)
		return;
	if (e.kind == ERR_STOPPED)
		en->stopping = true;
	else
		en->no_manifest = e;
}
