/* SPDX-License-Identifier: ISC */
/* What a batch tells beside its entries: counted, said and recorded. */
#include "config.h"

#include "agent/engine_in.h"
#include "base/buf.h"

/* An entry that the scan could not look at. */
static void
trouble(
    struct engine *en, const struct scan_batch *b, const struct scan_trouble *t)
{
	AUTO(buf) struct buf path = BUF_INIT(1 << 20);

	en->scan_incomplete = true;
	stats_add(en->stats, unreadable_items, 1);
	buf_add(&path, b->dir, b->dir_len);
	if (b->dir_len > 0)
		buf_addc(&path, '/');
	buf_add(&path, t->name, t->name_len);
	engine_failure(en, UI_UNREADABLE, buf_str(&path), path.len, &t->err, 1);
}

/* Why a special file isn't carried. */
static const char *
special_name(uint32_t mode)
{
	if (S_ISFIFO(mode))
		return "fifo";
	if (S_ISSOCK(mode))
		return "socket";
	return S_ISCHR(mode) ? "character device" : "block device";
}

static void
left_alone(struct engine *en, const struct scan_batch *b)
{
	AUTO(buf) struct buf path = BUF_INIT(1 << 20);
	size_t i, prefix;

	buf_add(&path, b->dir, b->dir_len);
	if (b->dir_len > 0)
		buf_addc(&path, '/');
	prefix = path.len;
	for (i = b->left_n; i > 0; i--) {
		const struct scan_entry *entry = &b->left[i - 1];
		bool link = entry->st.type == ITEM_SYMLINK;

		if (link)
			stats_add(en->stats, skipped_links, 1);
		else
			stats_add(en->stats, special_items, 1);
		path.len = prefix;
		buf_add(&path, entry->name, entry->name_len);
		engine_skipped(en, buf_str(&path), path.len, entry->st.type,
		    link ? "symlink" : special_name(entry->st.mode));
	}
}

void
engine_count(struct engine *en, const struct scan_batch *b)
{
	const struct scan_trouble *t;
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < b->n; i++)
		if (b->entries[i].st.type == ITEM_FILE)
			bytes += b->entries[i].st.size;
	stats_add(en->stats, scanned_dirs, b->first ? 1 : 0);
	stats_add(en->stats, scanned_items, b->n);
	stats_add(en->stats, scanned_bytes, bytes);
	stats_add(en->stats, excluded_items, b->excluded);
	left_alone(en, b);
	for (t = b->troubles; t != NULL; t = t->next)
		trouble(en, b, t);
	if (b->error.kind == ERR_NONE)
		return;
	en->scan_incomplete = true;
	if (b->error.kind == ERR_VANISHED) {
		stats_add(en->stats, vanished_items, 1);
		engine_failure(
		    en, UI_VANISHED, b->dir, b->dir_len, &b->error, 1);
		return;
	}
	stats_add(en->stats, unreadable_items, 1);
	engine_failure(en, UI_UNREADABLE, b->dir, b->dir_len, &b->error, 1);
	if (b->error.kind == ERR_NOMEM)
		engine_fatal(en, &b->error);
}
