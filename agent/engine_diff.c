/* SPDX-License-Identifier: ISC */
/*
 * What is to be done about a batch: its sorted entries are merged with the
 * ledger's rows of the same stretch of the directory.
 */
#include "config.h"

#include <string.h>

#include "agent/compare.h"
#include "agent/engine_in.h"
#include "base/buf.h"
#include "base/text.h"

/* What engine_later.c keeps in place of a verdict, if there is no row. */
#define VERDICT_UNKNOWN (-1)

/* A batch on its way through the diff. */
struct diff {
	struct engine *en;
	const struct scan_batch *batch;
	struct given given;    /* for the entry at hand; type 0: nothing */
	struct item_link link; /* of that entry */
	int64_t dir_id;	 /* 0: the ledger doesn't know the directory yet */
	struct buf path; /* whole_path()'s */
};

/* NAME in the batch's directory; valid until the next call.  NULL, and the run
 * ends, without memory. */
static const char *
whole_path(struct diff *d, const char *name, size_t len)
{
	const struct scan_batch *b = d->batch;
	struct err e;

	buf_reset(&d->path);
	buf_add(&d->path, b->dir, b->dir_len);
	if (b->dir_len > 0)
		buf_addc(&d->path, '/');
	buf_add(&d->path, name, len);
	if (!buf_failed(&d->path))
		return buf_str(&d->path);
	err_set(&e, ERR_NOMEM, "out of memory");
	engine_fatal(d->en, &e);
	return NULL;
}

static void
forget_given(struct diff *d)
{
	attrs_free(d->given.is.attrs);
	memset(&d->given, 0, sizeof(d->given));
}

/* From here on ENTRY is what a manifest makes of it, if one is given. */
static void
take_given(struct diff *d, struct scan_entry *entry)
{
	const char *path = whole_path(d, entry->name, entry->name_len);
	struct item_stat *st = &entry->st;

	forget_given(d);
	d->link = (struct item_link){
	    .nlink = st->nlink > 1 ? st->nlink : 1,
	    .dev = st->dev,
	    .ino = st->ino,
	};
	if (path == NULL ||
	    engine_given(d->en, path, d->path.len, st, &d->given) != 1)
		return;
	given_to(&d->given.is, st);
	/* What the source itself tells of links is so. */
	if (d->link.nlink <= 1)
		d->link =
		    d->given.is.link.nlink > 1 ? d->given.is.link : d->link;
}

static struct job *
new_job(struct diff *d, enum job_kind kind, const struct scan_entry *entry)
{
	struct err e = ERR_INIT;
	struct job *j;

	/* Rows of this directory will be written: now it needs an id. */
	if (d->dir_id == 0 && !d->en->options->dry_run &&
	    ledger_dir_id(d->en->ledger, d->batch->dir, d->batch->dir_len, true,
		&d->dir_id, &e) == -1) {
		engine_ledger_failed(d->en, &e);
		return NULL;
	}
	j = engine_job(d->en, kind, d->batch->dir, d->batch->dir_len,
	    entry->name, entry->name_len);
	if (j == NULL)
		return NULL;
	j->dir_id = d->dir_id;
	j->st = entry->st;
	j->link = d->link;
	if (d->given.is.st.type == 0)
		return j;
	j->given = given_copy(&d->given, &e);
	if (j->given != NULL)
		return j;
	engine_fatal(d->en, &e);
	engine_job_end(d->en, j);
	return NULL;
}

static bool
key_is_possible(struct diff *d, struct job *j)
{
	if (d->en->ops->check_key(
		d->en->target, j->path, j->st.type, &j->err) == 0)
		return true;
	engine_item_failed(d->en, j);
	return false;
}

static void
queued(struct diff *d, const struct scan_entry *entry)
{
	stats_add(d->en->stats, queued_items, 1);
	if (entry->st.type == ITEM_FILE)
		stats_add(d->en->stats, queued_bytes, entry->st.size);
}

static void
need_dir(struct diff *d, const struct scan_entry *entry)
{
	struct ledger_file row = {
	    .state = LEDGER_PENDING,
	    .st = entry->st,
	    .run_id = d->en->run_id,
	};
	struct job *j = new_job(d, JOB_DIR, entry);

	if (j == NULL || !key_is_possible(d, j))
		return;
	queued(d, entry);
	if (d->en->options->dry_run) {
		engine_would(d->en, j, UI_WOULD_MKDIR);
		return;
	}
	engine_record(d->en, j, &row);
	engine_job_end(d->en, j);
}

/* What the target's listing says of J's path: 1, 0 or -1. */
static int
look_at_target(struct diff *d, const struct job *j, struct ledger_target *t)
{
	struct err e = ERR_INIT;
	int rc;

	if (!d->en->use_target)
		return 0;
	rc = ledger_target_get(
	    d->en->ledger, j->path, j->path_len, false, t, &e);
	if (rc == -1)
		engine_ledger_failed(d->en, &e);
	return rc;
}

/* Whether the target has ENTRY, which the ledger has as done. */
static bool
is_there(struct diff *d, const struct scan_entry *entry)
{
	struct ledger_target there;
	struct err e = ERR_INIT;
	const char *path = whole_path(d, entry->name, entry->name_len);
	int rc = path != NULL && d->en->use_target
	    ? ledger_target_get(
		  d->en->ledger, path, d->path.len, false, &there, &e)
	    : 1;

	if (rc == -1)
		engine_ledger_failed(d->en, &e);
	return rc == 1;
}

/* What J must find at the target.  ROW may be NULL. */
static void
expect(struct diff *d, struct job *j, const struct scan_entry *entry,
    const struct ledger_file *row)
{
	if (d->en->options->overwrite == OVERWRITE_ALWAYS)
		return;
	j->expect = EXPECT_NOTHING;
	if (row == NULL || row->state != LEDGER_DONE ||
	    row->st.type == ITEM_DIR || !is_there(d, entry))
		return;
	j->expect = EXPECT_WAS;
	j->expected = engine_known(row);
}

/*
 * J goes to work, or first looks whether what the target has is to stay.  What
 * the ledger knows as done (not NEW) is there, and --ignore-existing has
 * decided on it.
 */
static void
submit(struct diff *d, struct job *j, bool new)
{
	const struct options *o = d->en->options;
	struct ledger_target there;
	int rc = 1;

	if (o->update || (o->ignore_existing && new)) {
		if (d->en->use_target)
			rc = look_at_target(d, j, &there);
		if (rc == 1) {
			j->then = j->kind;
			j->kind = JOB_LOOK;
		}
	}
	engine_submit(d->en, j);
}

static void
need_link(struct diff *d, const struct scan_entry *entry,
    const struct ledger_file *row)
{
	struct job *j = new_job(d, JOB_LINK, entry);

	if (j == NULL || !key_is_possible(d, j))
		return;
	queued(d, entry);
	expect(d, j, entry, row);
	submit(d, j, true);
}

/* A file that the ledger has not as done. */
static void
need_file(struct diff *d, const struct scan_entry *entry,
    const struct ledger_file *row)
{
	struct job *j = new_job(d, JOB_PUT, entry);
	struct ledger_target there;

	if (j == NULL || !key_is_possible(d, j))
		return;
	queued(d, entry);
	expect(d, j, entry, row);
	if (d->en->options->compare != COMPARE_NOTHING &&
	    look_at_target(d, j, &there) == 1 && there.type == ITEM_FILE &&
	    there.size == entry->st.size)
		j->kind = JOB_ADOPT;
	submit(d, j, true);
}

static void
unchanged(struct diff *d, const struct scan_entry *entry)
{
	stats_add(d->en->stats, unchanged_items, 1);
	if (entry->st.type == ITEM_FILE)
		stats_add(d->en->stats, unchanged_bytes, entry->st.size);
}

/* Whether names of one file are one at the target. */
static bool
shares(const struct diff *d)
{
	return (d->en->ops->features & STORE_HAS_LINKS) != 0;
}

/* Its file has several names, but the target's item is of this one only. */
static bool
is_to_be_linked(const struct diff *d, const struct ledger_file *row)
{
	return d->link.nlink > 1 && row->link.nlink == 1;
}

/*
 * The target's item is linked with those of names that this one may have left:
 * it must not be changed in place.  Devices are numbered anew, now and then.
 */
static bool
may_be_left(const struct diff *d, const struct ledger_file *row)
{
	if (row->link.nlink <= 1)
		return false;
	if (!d->en->lists_links)
		return true;
	return shares(d) && row->link.ino != d->link.ino;
}

/* As which the target's item is linked; 0: with nothing that would count. */
static uint64_t
link_id(const struct diff *d, const struct ledger_file *row)
{
	if (row->link.nlink <= 1 || row->link.ino != d->link.ino)
		return 0;
	/* A copy names its device. */
	return shares(d) || row->link.dev == d->link.dev ? row->link.id : 0;
}

/* A file whose content may be what the ledger says: look before sending. */
static void
maybe_file(struct diff *d, const struct scan_entry *entry,
    const struct ledger_file *row)
{
	struct job *j;

	j = new_job(d, JOB_REHASH, entry);
	if (j == NULL)
		return;
	j->was = engine_known(row);
	expect(d, j, entry, row);
	j->known_part_bytes = row->part_bytes;
	j->before = row->outcome;
	if (j->before.did_run == 0)
		j->before.did_run = row->run_id;
	j->was_attrs = row->attrs;
	j->unmoved = d->en->options->compare != COMPARE_CHECKSUM &&
	    item_same(&entry->st, &row->st) && !is_to_be_linked(d, row);
	j->local = item_same_metadata(&entry->st, &row->st);
	j->believed = d->en->options->compare == COMPARE_SIZE;
	if (row->link.nlink == 0 && j->link.nlink > 1)
		j->link.nlink = 0;
	if (j->link.nlink > 1)
		j->link.id = link_id(d, row);
	/* Without a digest only the target can tell. */
	if (!j->believed && !j->unmoved &&
	    (row->digest_have & DIGEST_XXH3) == 0)
		j->kind = JOB_ADOPT;
	queued(d, entry);
	submit(d, j, false);
}

static void
needed(struct diff *d, const struct scan_entry *entry,
    const struct ledger_file *row)
{
	switch (entry->st.type) {
	case ITEM_FILE:
		need_file(d, entry, row);
		return;
	case ITEM_DIR:
		need_dir(d, entry);
		return;
	case ITEM_SYMLINK:
		need_link(d, entry, row);
		return;
	case ITEM_SPECIAL:
		return;
	}
}

/* Whether size or age exclude ENTRY, or it would go to where others are kept;
 * then it is as good as not there. */
static bool
is_left_out(struct diff *d, const struct scan_entry *entry)
{
	struct engine *en = d->en;
	const char *path = en->setup->backup_dir != NULL
	    ? whole_path(d, entry->name, entry->name_len)
	    : NULL;

	if (compare_is_wanted(en->options, &entry->st, en->started_ns) &&
	    (path == NULL || !engine_is_backup(en, path, d->path.len)))
		return false;
	stats_sub(en->stats, scanned_items, 1);
	stats_sub(en->stats, scanned_bytes, entry->st.size);
	stats_add(en->stats, excluded_items, 1);
	return true;
}

/* The ledger knows nothing of it. */
static void
unknown(struct diff *d, struct scan_entry *entry)
{
	if (is_left_out(d, entry) ||
	    engine_later_put(
		d->en, d->batch, entry, &entry->st, VERDICT_UNKNOWN))
		return;
	take_given(d, entry);
	needed(d, entry, NULL);
}

/* True if somebody else changed or removed the item at the target. */
static bool
drifted(struct diff *d, const struct scan_entry *entry,
    const struct ledger_file *row)
{
	struct ledger_target there;
	struct job *j;
	struct err e;
	int rc;

	if (!d->en->use_target || entry->st.type != ITEM_FILE)
		return false;
	j = new_job(d, JOB_PUT, entry);
	if (j == NULL)
		return false;
	rc = look_at_target(d, j, &there);
	if (rc == 0)
		err_set(&e, ERR_NOTFOUND, "is gone at the target");
	else if (there.type != ITEM_FILE || there.size != entry->st.size)
		err_set(&e, ERR_MISMATCH, "has another size at the target");
	else if (row->etag[0] != '\0' && there.etag[0] != '\0' &&
	    strcmp(row->etag, there.etag) != 0)
		err_set(&e, ERR_MISMATCH, "was changed at the target");
	else
		rc = -1;
	if (rc != -1) {
		stats_add(d->en->stats, drift_items, 1);
		engine_drifted(d->en, j, &e);
		ui_item(d->en->ui, UI_DRIFT, j->path, j->path_len,
		    entry->st.size, &e);
	}
	engine_job_end(d->en, j);
	return rc != -1;
}

/* Whether a directory's metadata would show if it had changed. */
static bool
dirs_show(const struct engine *en)
{
	return (en->source->ops->features & STORE_LIST_META) != 0 ||
	    !en->setup->reconcile;
}

static void
existing(struct diff *d, const struct scan_entry *entry)
{
	const char *path = whole_path(d, entry->name, entry->name_len);

	stats_add(d->en->stats, existing_items, 1);
	if (path != NULL)
		engine_skipped(
		    d->en, path, d->path.len, entry->st.type, "existing");
}

/* Whether what the scan has not of NAME tells something. */
static bool
is_looked_for(struct diff *d, const char *name, size_t len)
{
	const struct pathset *only = d->en->setup->only;
	const char *path;

	if (only == NULL)
		return true;
	if (!d->en->setup->only_changed)
		return false;
	path = whole_path(d, name, len);
	return path != NULL &&
	    (pathset_has(only, path, d->path.len) ||
		pathset_leads(only, path, d->path.len));
}

static void
row_is_gone(struct diff *d, const struct ledger_file *row)
{
	const char *path = whole_path(d, row->name, row->name_len);

	if (path != NULL)
		engine_gone(d->en, path, d->path.len, row);
}

/* Whether the item's extended attributes or ACLs were never looked at, or may
 * have changed without anything else: of files, only reading tells. */
static bool
look_at_attrs(const struct diff *d, const struct item_stat *is,
    const struct ledger_file *row)
{
	const struct engine *en = d->en;
	const struct attrs *given = d->given.is.attrs;

	if (given != NULL &&
	    !attrs_same_mark(attrs_mark(given, en->attrs), row->attrs))
		return true;
	return (attrs_mark_kinds(row->attrs) & en->attrs) != en->attrs ||
	    (en->attrs != 0 && is->type == ITEM_DIR &&
		is->ctime_ns != row->st.ctime_ns);
}

static void
act(struct diff *d, const struct scan_entry *entry,
    const struct ledger_file *row, enum verdict v)
{
	switch (v) {
	case VERDICT_SAME:
		unchanged(d, entry);
		return;
	case VERDICT_LOOK:
		maybe_file(d, entry, row);
		return;
	case VERDICT_KEEP:
		existing(d, entry);
		return;
	case VERDICT_SEND:
		needed(d, entry, row);
		return;
	}
}

/* The ledger's row of ENTRY, which begins a query: 1, 0, -1. */
static int
row_of(struct diff *d, const struct scan_entry *entry, struct ledger_file *row,
    struct err *e)
{
	AUTO(buf) struct buf before = BUF_INIT((size_t)1 << 20);
	size_t n = entry->name_len - 1;
	int rc;

	/* What sorts between both is next to nothing. */
	buf_add(&before, entry->name, n);
	if (entry->name[n] > 1) {
		buf_addc(&before, (char)(entry->name[n] - 1));
		buf_adds(&before, "\xff\xff\xff\xff");
	}
	if (ledger_diff_begin(d->en->ledger, d->dir_id, buf_str(&before),
		entry->name, e) == -1)
		return -1;
	while ((rc = ledger_diff_next(d->en->ledger, row, e)) == 1)
		if (row->name_len == entry->name_len &&
		    memcmp(row->name, entry->name, row->name_len) == 0)
			return 1;
	return rc;
}

/* An entry that the ledger has a row for. */
static void
known(struct diff *d, struct scan_entry *entry, const struct ledger_file *row)
{
	bool file = entry->st.type == ITEM_FILE;
	struct item_stat scanned = entry->st;
	enum verdict v;
	bool look;

	take_given(d, entry);
	look = look_at_attrs(d, &entry->st, row) &&
	    !d->en->options->ignore_existing;
	v = compare_known(d->en->options, &entry->st, row);

	/* What was in a directory is in none of the batches. */
	if ((entry->st.type == ITEM_DIR) != (row->st.type == ITEM_DIR) &&
	    d->en->options->delete_extra &&
	    is_looked_for(d, row->name, row->name_len))
		row_is_gone(d, row);
	if (entry->st.type == ITEM_DIR && v == VERDICT_SAME &&
	    !dirs_show(d->en))
		v = VERDICT_SEND;
	if (v == VERDICT_SAME && file && is_to_be_linked(d, row))
		v = (row->digest_have & DIGEST_XXH3) != 0 ? VERDICT_LOOK
							  : VERDICT_SEND;
	if (v == VERDICT_LOOK && may_be_left(d, row))
		v = VERDICT_SEND;
	if (v == VERDICT_SAME && look)
		v = file ? VERDICT_LOOK : VERDICT_SEND;
	if (v == VERDICT_KEEP ? !is_there(d, entry)
			      : v != VERDICT_SEND && drifted(d, entry, row))
		v = VERDICT_SEND;
	if ((v == VERDICT_LOOK || v == VERDICT_SEND) &&
	    engine_later_put(d->en, d->batch, entry, &scanned, (int)v))
		return;
	act(d, entry, row, v);
}

void
engine_take_now(struct engine *en, const struct scan_batch *b, int what)
{
	struct scan_entry *entry = &b->entries[0];
	struct diff d = {
	    .en = en, .batch = b, .path = BUF_INIT((size_t)1 << 20)};
	struct ledger_file row;
	struct err e = ERR_INIT;
	int rc = 0;

	if (ledger_dir_id(
		en->ledger, b->dir, b->dir_len, false, &d.dir_id, &e) == -1)
		rc = -1;
	take_given(&d, entry);
	if (rc == 0 && what != VERDICT_UNKNOWN)
		rc = row_of(&d, entry, &row, &e);
	if (rc == -1)
		engine_ledger_failed(en, &e);
	else if (rc == 0)
		needed(&d, entry, NULL);
	else
		act(&d, entry, &row, (enum verdict)what);
	forget_given(&d);
	buf_free(&d.path);
}
/* Whether ROW's item could not be looked at: nothing is known of it then. */
static bool
is_unseen(const struct scan_batch *b, const struct ledger_file *row)
{
	const struct scan_trouble *t;

	for (t = b->troubles; t != NULL; t = t->next)
		if (t->name_len == row->name_len &&
		    memcmp(t->name, row->name, t->name_len) == 0)
			return true;
	return b->error.kind != ERR_NONE;
}

/* The source has them. */
static void
note_seen(struct diff *d)
{
	const struct scan_batch *b = d->batch;
	size_t i;

	for (i = 0; d->en->use_target && i < b->n; i++) {
		const struct scan_entry *entry = &b->entries[i];
		const char *path = whole_path(d, entry->name, entry->name_len);

		if (path != NULL)
			engine_seen(d->en, path, d->path.len,
			    entry->st.type == ITEM_DIR, !entry->not_walked);
	}
}

/* Merges; returns -1 if the ledger can't be read. */
static int
merge(struct diff *d, struct err *e)
{
	const struct scan_batch *b = d->batch;
	struct ledger_file row = {0};
	size_t i = 0;
	int have;

	if (ledger_diff_begin(d->en->ledger, d->dir_id, b->after, b->upto, e) ==
	    -1)
		return -1;
	have = ledger_diff_next(d->en->ledger, &row, e);
	while (have != -1 && (have == 1 || i < b->n)) {
		int c = i == b->n ? 1 : -1;

		if (have == 1 && i < b->n)
			c = text_compare(b->entries[i].name,
			    b->entries[i].name_len, row.name, row.name_len);
		if (c < 0) {
			unknown(d, &b->entries[i++]);
			continue;
		}
		if (c == 0 && is_left_out(d, &b->entries[i]))
			i++;
		else if (c == 0)
			known(d, &b->entries[i++], &row);
		else if (is_looked_for(d, row.name, row.name_len) &&
		    !is_unseen(b, &row))
			row_is_gone(d, &row);
		have = ledger_diff_next(d->en->ledger, &row, e);
	}
	return have;
}

static void
compare(struct diff *d)
{
	const struct scan_batch *b = d->batch;
	struct err e = ERR_INIT;
	size_t i;

	if (ledger_dir_id(
		d->en->ledger, b->dir, b->dir_len, false, &d->dir_id, &e) == -1)
		engine_ledger_failed(d->en, &e);
	else if (d->dir_id != 0 && merge(d, &e) == -1)
		engine_ledger_failed(d->en, &e);
	else if (d->dir_id == 0)
		for (i = 0; i < b->n; i++)
			unknown(d, &b->entries[i]);
}

void
engine_batch(struct engine *en, struct scan_batch *b)
{
	struct diff d = {
	    .en = en, .batch = b, .path = BUF_INIT((size_t)1 << 20)};
	size_t i;

	engine_count(en, b);
	for (i = 0; i < b->n && !en->options->hard_links; i++)
		b->entries[i].st.nlink = 0; /* it was not asked for */
	if (b->dir_len == 0 && b->first && b->error.kind != ERR_NONE &&
	    b->n == 0)
		engine_fatal(en, &b->error);
	compare(&d);
	note_seen(&d);
	forget_given(&d);
	buf_free(&d.path);
}
