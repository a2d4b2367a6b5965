/* SPDX-License-Identifier: ISC */
/*
 * What is to be compared with what.  What the listings and the ledger prove is
 * settled here; the rest becomes jobs.
 */
#include "config.h"

#include <string.h>

#include "agent/compare.h"
#include "agent/verify_in.h"
#include "base/buf.h"
#include "base/text.h"
#include "verify/digest.h"

/* An item of the source, with what the ledger knows of it. */
struct wanted {
	const char *dir;
	size_t dir_len;
	const char *name;
	size_t name_len;
	const struct item_stat *st;
	const struct ledger_file *row;	      /* or NULL */
	const struct manifest_item *manifest; /* or NULL */
};

static bool
lists_metadata(const struct store *s)
{
	return (s->ops->features & STORE_LIST_META) != 0;
}

static int
ledger_trouble(struct verifier *v, const struct err *e)
{
	verify_fatal(v, e);
	return -1;
}

static void
take_row(struct job *j, const struct ledger_file *row)
{
	j->check->has_row = true;
	j->check->moved = row->st.type != j->st.type ||
	    row->st.size != j->st.size || row->st.mtime_ns != j->st.mtime_ns;
	if (row->state != LEDGER_DONE || row->st.type != j->st.type ||
	    row->st.size != j->st.size)
		return;
	j->check->recorded = true;
	j->check->known = item_same(&j->st, &row->st);
	j->was.type = row->st.type;
	j->was.size = row->st.size;
	j->was.digest.have = row->digest_have;
	memcpy(j->was.digest.sha256, row->sha256, sizeof(row->sha256));
	j->was.digest.crc64nvme = row->crc64nvme;
	memcpy(j->was.digest.xxh3, row->xxh3, sizeof(row->xxh3));
	memcpy(j->was.etag, row->etag, sizeof(row->etag));
	j->was_attrs = row->attrs;
	j->known_part_bytes = row->part_bytes;
}

static int
take_manifest(struct job *j, const struct manifest_item *m, struct err *e)
{
	struct item_link link = manifest_link(m);
	struct check *c = j->check;

	/* A file of its own, then. */
	if (link.nlink == 0)
		link = (struct item_link){
		    .nlink = 1, .ino = crc64nvme(0, m->path, m->path_len)};
	c->has_row = c->recorded = c->known = true;
	c->want.nlink = link.nlink;
	c->want.dev = link.dev;
	c->want.ino = link.ino;
	j->was.type = m->st.type;
	j->was.size = m->st.size;
	j->was.digest = m->digest;
	memcpy(j->was.etag, m->etag, sizeof(m->etag));
	j->known_part_bytes = m->part_bytes;
	c->want.attrs = NULL;
	if (m->st.attrs == NULL)
		return 0;
	c->want.attrs = j->carried = attrs_copy(m->st.attrs, e);
	return j->carried != NULL ? 0 : -1;
}

/*
 * A directory that the target's store doesn't have by itself, but that is
 * there by what is in it; dray itself leaves a marker.  1, 0, -1.
 */
static int
is_implied(struct verifier *v, const struct job *j)
{
	struct err e = ERR_INIT;
	int rc;

	if (j->st.type != ITEM_DIR || j->check->known ||
	    (v->target->ops->features & STORE_HAS_DIRS) != 0)
		return 0;
	rc = ledger_listed_below(v->ledger, j->path, j->path_len, &e);
	return rc == -1 ? ledger_trouble(v, &e) : rc;
}

/* Fills what the listing has of J's path; 1, 0 or -1. */
static int
look_up(struct verifier *v, struct job *j)
{
	struct check *c = j->check;
	struct err e = ERR_INIT;
	int rc = ledger_listed_take(v->ledger, j->path, j->path_len,
	    j->st.type == ITEM_DIR, &c->there, &e);

	if (rc == -1)
		return ledger_trouble(v, &e);
	c->listed = rc == 1;
	c->now = c->there;
	return rc;
}

/* Whether the listings and the ledger tell all that is to be told of J. */
static bool
is_settled(struct verifier *v, struct job *j)
{
	struct check *c = j->check;
	bool same_object = c->known && j->was.etag[0] != '\0' &&
	    strcmp(j->was.etag, c->there.etag) == 0;
	bool all_told = lists_metadata(v->target) &&
	    (v->source == NULL || lists_metadata(v->source));

	c->differs =
	    check_metadata(&v->rules, &c->want, &c->there, &c->compared);
	if (c->differs != 0 || c->deep || v->rules.attrs != 0 ||
	    (c->want.type == ITEM_FILE && !v->lists_links))
		return false;
	if (c->want.type != ITEM_DIR && same_object) {
		c->compared |= CHECK_CONTENT;
		c->proof = BY_STORE;
		return true;
	}
	if (c->want.type == ITEM_DIR)
		return all_told || !lists_metadata(v->target);
	return c->want.type == ITEM_FILE && all_told &&
	    (v->target->ops->features & STORE_HAS_DIRS) != 0;
}

static void
consider(struct verifier *v, const struct wanted *w)
{
	struct job *j =
	    verify_job(v, JOB_VERIFY, w->dir, w->dir_len, w->name, w->name_len);
	struct err e = ERR_INIT;
	struct check *c;
	int there;

	if (j == NULL)
		return;
	if (!sample_has(&v->setup->sample, j->path, j->path_len)) {
		verify_job_end(v, j);
		return;
	}
	c = j->check;
	j->st = c->want = *w->st;
	c->deep = v->options->deep;
	if (w->row != NULL)
		take_row(j, w->row);
	if (w->manifest != NULL && take_manifest(j, w->manifest, &e) == -1) {
		verify_fatal(v, &e);
		verify_job_end(v, j);
		return;
	}
	/* What a listing says of an object is not what it carries. */
	if (v->source != NULL && !lists_metadata(v->source)) {
		c->want.mode = 0;
		c->want.mtime_ns = ITEM_TIME_UNKNOWN;
	}
	stats_add(v->stats, queued_items, 1);
	if (c->want.type == ITEM_FILE && c->deep)
		stats_add(v->stats, queued_bytes, c->want.size);
	there = look_up(v, j);
	if (there == 0) {
		there = is_implied(v, j);
		c->status = there == 1 ? CHECK_MATCH : CHECK_MISSING_ON_DST;
		c->compared = there == 1 ? CHECK_TYPE : 0;
		verify_found(v, j);
	} else if (there == -1) {
		verify_job_end(v, j);
	} else if (is_settled(v, j)) {
		c->status = CHECK_MATCH;
		verify_found(v, j);
	} else {
		/* A run may be going on: what differs is asked again. */
		c->fresh = c->differs != 0 || !lists_metadata(v->target);
		verify_send(v, j);
	}
}

/* NAME, and what the target has below it, is not looked at. */
static int
pass(struct verifier *v, const struct scan_batch *b, const char *name,
    size_t name_len, struct err *e)
{
	AUTO(buf) struct buf path = BUF_INIT(1 << 20);

	buf_add(&path, b->dir, b->dir_len);
	if (b->dir_len > 0)
		buf_addc(&path, '/');
	buf_add(&path, name, name_len);
	return ledger_listed_pass(v->ledger, buf_str(&path), path.len, e);
}

/* What could not be looked at: neither is what the target has below it. */
static void
troubles(struct verifier *v, const struct scan_batch *b)
{
	const struct scan_trouble *t;
	struct err e = ERR_INIT;

	for (t = b->troubles; t != NULL; t = t->next) {
		AUTO(buf) struct buf path = BUF_INIT(1 << 20);

		buf_add(&path, b->dir, b->dir_len);
		if (b->dir_len > 0)
			buf_addc(&path, '/');
		buf_add(&path, t->name, t->name_len);
		verify_trouble(v, buf_str(&path), path.len, &t->err);
		if (ledger_listed_pass(
			v->ledger, buf_str(&path), path.len, &e) == -1)
			ledger_trouble(v, &e);
	}
	if (b->error.kind == ERR_NONE)
		return;
	verify_trouble(v, b->dir, b->dir_len, &b->error);
	if (ledger_listed_pass(v->ledger, b->dir, b->dir_len, &e) == -1)
		ledger_trouble(v, &e);
	if (b->error.kind == ERR_NOMEM || (b->dir_len == 0 && b->n == 0))
		verify_fatal(v, &b->error);
}

/* What is left alone at the source may be at the target, from other runs. */
static void
left_alone(struct verifier *v, const struct scan_batch *b)
{
	struct err e = ERR_INIT;
	size_t i;

	for (i = 0; i < b->left_n; i++) {
		const struct scan_entry *entry = &b->left[i];

		if (entry->st.type == ITEM_SYMLINK)
			stats_add(v->stats, skipped_links, 1);
		else if (entry->st.type == ITEM_SPECIAL)
			stats_add(v->stats, special_items, 1);
		else
			stats_add(v->stats, excluded_items, 1);
		if (pass(v, b, entry->name, entry->name_len, &e) == -1)
			ledger_trouble(v, &e);
	}
}

static void
count(struct verifier *v, const struct scan_batch *b)
{
	stats_add(v->stats, scanned_dirs, b->first ? 1 : 0);
	stats_add(v->stats, scanned_items, b->n);
	stats_add(v->stats, excluded_items, b->excluded);
}

/* Whether ENTRY is to be compared; another file system below it is not. */
static bool
is_wanted(struct verifier *v, const struct scan_batch *b,
    const struct scan_entry *entry)
{
	bool wanted = compare_is_wanted(v->options, &entry->st, v->begun_ns);
	struct err e = ERR_INIT;

	if (!wanted)
		stats_add(v->stats, excluded_items, 1);
	if ((!wanted || entry->not_walked) &&
	    pass(v, b, entry->name, entry->name_len, &e) == -1)
		ledger_trouble(v, &e);
	return wanted;
}

void
verify_batch(struct verifier *v, const struct scan_batch *b)
{
	struct ledger_file row = {0};
	struct err e = ERR_INIT;
	int64_t dir_id = 0;
	int have = 0;
	size_t i;

	count(v, b);
	left_alone(v, b);
	troubles(v, b);
	if (ledger_dir_id(v->ledger, b->dir, b->dir_len, false, &dir_id, &e) ==
		-1 ||
	    (dir_id != 0 &&
		(ledger_diff_begin(v->ledger, dir_id, b->after, b->upto, &e) ==
			-1 ||
		    (have = ledger_diff_next(v->ledger, &row, &e)) == -1))) {
		verify_fatal(v, &e);
		return;
	}
	for (i = 0; i < b->n && !v->stopping; i++) {
		const struct scan_entry *entry = &b->entries[i];
		struct wanted w = {
		    .dir = b->dir,
		    .dir_len = b->dir_len,
		    .name = entry->name,
		    .name_len = entry->name_len,
		    .st = &entry->st,
		};
		int c = -1;

		if (!is_wanted(v, b, entry))
			continue;
		while (have == 1 &&
		    (c = text_compare(entry->name, entry->name_len, row.name,
			 row.name_len)) > 0)
			have = ledger_diff_next(v->ledger, &row, &e);
		if (have == -1) {
			verify_fatal(v, &e);
			return;
		}
		if (have == 1 && c == 0)
			w.row = &row;
		consider(v, &w);
	}
}

bool
verify_manifest(struct verifier *v)
{
	const struct manifest_item *m;
	struct err e = ERR_INIT;
	int rc;

	while (v->jobs < VERIFY_JOBS_MAX && v->big.n < VERIFY_BIG_MAX &&
	    !v->stopping) {
		struct wanted w = {.dir = ""};

		rc = manifest_in_next(v->setup->manifest, &m, &e);
		if (rc == -1)
			verify_fatal(v, &e);
		if (rc != 1)
			return true;
		if (!filter_passes_from_root(v->options->filter, m->path,
			m->path_len, m->st.type == ITEM_DIR)) {
			stats_add(v->stats, excluded_items, 1);
			continue;
		}
		stats_add(v->stats, scanned_items, 1);
		w.name = m->path;
		w.name_len = m->path_len;
		w.st = &m->st;
		w.manifest = m;
		consider(v, &w);
	}
	return false;
}

/* Whether what the source doesn't have at PATH is none of our business. */
static bool
is_left_out(const struct verifier *v, const char *path, size_t len,
    const struct store_stat *st)
{
	return st->type == ITEM_SPECIAL ||
	    !sample_has(&v->setup->sample, path, len) ||
	    (st->type == ITEM_SYMLINK &&
		v->options->links == SCAN_LINKS_SKIP) ||
	    !filter_passes_from_root(
		v->options->filter, path, len, st->type == ITEM_DIR);
}

static void
extra(struct verifier *v, const char *path, size_t len,
    const struct store_stat *st)
{
	struct job *j;

	if (is_left_out(v, path, len, st))
		return;
	j = verify_job(v, JOB_VERIFY, "", 0, path, len);
	if (j == NULL)
		return;
	j->check->extra = j->check->listed = true;
	j->check->there = j->check->now = *st;
	j->st.type = st->type;
	stats_add(v->stats, queued_items, 1);
	/* It may be a symlink, and those are left out. */
	j->check->fresh = !lists_metadata(v->target) && st->type == ITEM_FILE &&
	    v->options->links == SCAN_LINKS_SKIP;
	if (j->check->fresh) {
		verify_send(v, j);
	} else {
		j->check->status = CHECK_MISSING_ON_SRC;
		verify_found(v, j);
	}
}

bool
verify_extras(struct verifier *v)
{
	struct err e = ERR_INIT;
	struct store_stat st;
	const char *path;
	size_t len;
	int rc;

	while (v->jobs < VERIFY_JOBS_MAX && !v->stopping) {
		rc = ledger_listed_next(v->ledger, &path, &len, &st, &e);
		if (rc == -1)
			verify_fatal(v, &e);
		if (rc != 1)
			return true;
		extra(v, path, len, &st);
	}
	return false;
}
