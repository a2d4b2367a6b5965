/* SPDX-License-Identifier: ISC */
/* What a batch tells beside its entries: counted, said and recorded. */
#include "config.h"

#include <string.h>

#include "agent/engine_in.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/text.h"

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

/* Why what has a name like our own temporary files isn't carried. */
#define TEMPORARY "temporary"

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

/* Counts it, and says why it isn't carried. */
static const char *
why_left(struct engine *en, const struct scan_entry *entry)
{
	switch (entry->st.type) {
	case ITEM_SYMLINK:
		stats_add(en->stats, skipped_links, 1);
		return "symlink";
	case ITEM_SPECIAL:
		stats_add(en->stats, special_items, 1);
		return special_name(entry->st.mode);
	case ITEM_FILE:
	case ITEM_DIR:
		break;
	}
	stats_add(en->stats, excluded_items, 1);
	return TEMPORARY;
}

static void
warn_of_temporary(struct engine *en, const char *path, size_t len)
{
	char name[256];

	if (en->warned_of_temporary)
		return;
	en->warned_of_temporary = true;
	log_warn("%s: left out, as its name is that of a temporary file of "
		 "dray: remove it, or rename it to have it carried; so are "
		 "others like it, see dray report",
	    text_escaped(path, len, name, sizeof(name)));
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
		const char *why = why_left(en, entry);

		path.len = prefix;
		buf_add(&path, entry->name, entry->name_len);
		if (strcmp(why, TEMPORARY) == 0)
			warn_of_temporary(en, buf_str(&path), path.len);
		engine_skipped(
		    en, buf_str(&path), path.len, entry->st.type, why);
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
