/* SPDX-License-Identifier: ISC */
/* Jobs of single items: queued, answered, recorded. */
#include "config.h"

#include <string.h>

#include "agent/engine_in.h"
#include "base/log.h"
#include "base/text.h"

/* Whether it takes opening a file to know what other names it has. */
static bool
asks_for_links(const struct engine *en)
{
	return en->options->hard_links &&
	    (en->source->ops->features &
		(STORE_LIST_META | STORE_LIST_LINKS)) == 0;
}

void
engine_queue_file(struct engine *en, struct job *j)
{
	j->kind = JOB_PUT;
	j->finding = FOUND_NOTHING;
	j->grown = false;
	if (en->options->dry_run)
		engine_would_write(en, j, UI_WOULD_SEND);
	else if (!j->asked && asks_for_links(en))
		engine_send(en, j);
	else if (j->st.size >= en->limits.threshold_bytes ||
	    j->st.size > en->limits.put_max_bytes)
		job_list_push(&en->big, j);
	else
		engine_send(en, j);
}

void
engine_submit(struct engine *en, struct job *j)
{
	bool file =
	    j->kind == JOB_PUT || j->kind == JOB_ADOPT || j->kind == JOB_REHASH;

	if (file && engine_links_take(en, j))
		return;
	if (j->kind == JOB_PUT)
		engine_queue_file(en, j);
	else if (j->kind == JOB_LINK && en->options->dry_run)
		engine_would_write(en, j, UI_WOULD_LINK);
	else
		engine_send(en, j);
}

int
engine_record(
    struct engine *en, const struct job *j, const struct ledger_file *row)
{
	struct err e = ERR_INIT;

	if (en->options->dry_run)
		return 0;
	if (ledger_file_put(en->ledger, j->dir_id, job_name(j), j->name_len,
		row, &e) == -1 ||
	    engine_event_done(en, j, row, &e) == -1)
		return engine_ledger_failed(en, &e);
	if (row->state == LEDGER_DONE && engine_keep_attrs(en, j, row) == -1)
		return -1;
	if (row->state == LEDGER_PENDING || j->kind == JOB_PUT ||
	    j->kind == JOB_LINK || j->kind == JOB_COMPLETE ||
	    (j->kind == JOB_HARDLINK && !j->receipt.was_there))
		engine_touched(en, j);
	return 0;
}

void
engine_not_queued(struct engine *en, const struct job *j)
{
	stats_sub(en->stats, queued_items, 1);
	if (j->st.type == ITEM_FILE)
		stats_sub(en->stats, queued_bytes, j->st.size);
}

struct store_stat
engine_known(const struct ledger_file *row)
{
	struct store_stat known = {
	    .type = row->st.type,
	    .size = row->st.size,
	    .has_source_mtime = true,
	    .mtime_ns = row->st.mtime_ns,
	    .mode = row->st.mode,
	    .uid = row->st.uid,
	    .gid = row->st.gid,
	    .has_owner = true,
	    .nlink = row->link.nlink,
	    .dev = row->link.dev,
	    .ino = row->link.ino,
	    .digest = {.have = row->digest_have, .crc64nvme = row->crc64nvme},
	};

	memcpy(known.digest.xxh3, row->xxh3, sizeof(row->xxh3));
	memcpy(known.digest.sha256, row->sha256, sizeof(row->sha256));
	memcpy(known.etag, row->etag, sizeof(row->etag));
	memcpy(known.version, row->version, sizeof(row->version));
	return known;
}

struct item_stat
engine_settled(const struct item_stat *st, int64_t read_ns)
{
	struct item_stat settled = *st;

	if (item_is_racy(st, read_ns))
		settled.ctime_ns = -1; /* no scan says that */
	return settled;
}

unsigned
engine_digests(const struct engine *en, const struct job *j)
{
	unsigned kept = DIGEST_XXH3 | DIGEST_CRC64NVME;

	/* Some stores need it of each request: that is no wish of the user. */
	if (en->options->sha256 || j->kind == JOB_REHASH ||
	    j->kind == JOB_HARDLINK)
		kept |= DIGEST_SHA256;
	return kept;
}

/* J's row turns done, with the outcome O. */
static int
record_done(struct engine *en, const struct job *j, const struct outcome *o)
{
	struct ledger_file row = {
	    .state = LEDGER_DONE,
	    .st = j->st,
	    .part_bytes = j->known_part_bytes,
	    .digest_have = j->digest.have & engine_digests(en, j),
	    .crc64nvme = j->digest.crc64nvme,
	    .run_id = en->run_id,
	    .outcome = *o,
	    .attrs = j->attrs,
	    .link = engine_links_record(en, j),
	};

	/* Without a digest there would be nothing to compare. */
	if (j->st.type == ITEM_FILE && (j->digest.have & DIGEST_XXH3) != 0)
		row.st = engine_settled(&j->st, j->read_ns);
	if (j->believed || (j->unsettled && j->read_ns == 0))
		row.st.ctime_ns = -1;
	memcpy(row.xxh3, j->digest.xxh3, sizeof(row.xxh3));
	memcpy(row.sha256, j->digest.sha256, sizeof(row.sha256));
	memcpy(row.etag, j->receipt.etag, sizeof(row.etag));
	memcpy(row.version, j->receipt.version, sizeof(row.version));
	return engine_record(en, j, &row);
}

static void
done(struct engine *en, struct job *j, enum outcome_how how)
{
	static const enum ui_action actions[HOW_COUNT] = {
	    [HOW_SENT] = UI_SENT,
	    [HOW_METADATA] = UI_METADATA,
	    [HOW_SYMLINK] = UI_LINK,
	    [HOW_DIR] = UI_DIR,
	    [HOW_HARDLINK] = UI_HARDLINK,
	};
	bool sent = j->st.type == ITEM_FILE && j->kind != JOB_HARDLINK;
	uint64_t bytes = sent ? j->st.size : 0;
	struct outcome o = engine_outcome(en, j, how);

	if (record_done(en, j, &o) == 0) {
		stats_add(en->stats, done_items, 1);
		stats_add(en->stats, done_bytes, bytes);
		if (how == HOW_SENT || how == HOW_HARDLINK)
			engine_count_proof(en, &o);
		ui_item(
		    en->ui, actions[how], j->path, j->path_len, bytes, NULL);
	}
	engine_links_over(en, j);
	engine_job_end(en, j);
}

/* What was done in it changed a directory, which is as it was again. */
static void
done_again(struct engine *en, struct job *j)
{
	record_done(en, j, &j->before);
	engine_job_end(en, j);
}

void
engine_unchanged(struct engine *en, struct job *j)
{
	struct outcome o = j->before;

	/* It turned out to be right, and the ledger didn't know it. */
	if (o.did_run == 0)
		o = engine_outcome(en, j, HOW_ADOPTED);
	j->unchanged = true;
	if (record_done(en, j, &o) == 0) {
		stats_sub(en->stats, queued_items, 1);
		stats_sub(en->stats, queued_bytes, j->st.size);
		stats_add(en->stats, unchanged_items, 1);
		stats_add(en->stats, unchanged_bytes, j->st.size);
	}
	engine_links_over(en, j);
	engine_job_end(en, j);
}

static void
linked(struct engine *en, struct job *j)
{
	if (j->receipt.was_there) {
		stats_add(en->stats, queued_bytes, j->st.size);
		engine_unchanged(en, j);
	} else {
		stats_add(en->stats, linked_items, 1);
		done(en, j, HOW_HARDLINK);
	}
}

static void
adopted(struct engine *en, struct job *j)
{
	struct outcome o = engine_outcome(en, j, HOW_ADOPTED);

	if (record_done(en, j, &o) == 0) {
		stats_add(en->stats, adopted_items, 1);
		stats_add(en->stats, adopted_bytes, j->st.size);
		engine_count_proof(en, &o);
		ui_item(en->ui,
		    en->options->dry_run ? UI_WOULD_ADOPT : UI_ADOPTED, j->path,
		    j->path_len, j->st.size, NULL);
	}
	engine_links_over(en, j);
	engine_job_end(en, j);
}

static void
found(struct engine *en, struct job *j)
{
	switch (j->finding) {
	case FOUND_SAME:
		if (j->kind == JOB_ADOPT)
			adopted(en, j);
		else
			engine_unchanged(en, j);
		return;
	case FOUND_METADATA:
		if (j->kind == JOB_ADOPT) {
			adopted(en, j);
			return;
		}
		stats_add(en->stats, metadata_items, 1);
		if (j->st.type == ITEM_FILE)
			stats_add(en->stats, metadata_bytes, j->st.size);
		if (en->options->dry_run)
			engine_would(en, j, UI_WOULD_SET_METADATA);
		else
			done(en, j, HOW_METADATA);
		return;
	case FOUND_EXISTING:
	case FOUND_NEWER:
		return; /* of a LOOK only */
	case FOUND_GROUP:
		engine_links_found(en, j);
		return;
	case FOUND_NOTHING:
	case FOUND_OTHER:
	case FOUND_FULL:
	case FOUND_ALONE:
		j->believed = false;
		if (j->link.nlink == 0)
			j->link.nlink = j->st.nlink > 1 ? j->st.nlink : 1;
		engine_links_send(en, j);
		return;
	}
}

/* JOB_LOOK is done: it stays, or J is what it was. */
static void
looked(struct engine *en, struct job *j)
{
	bool newer = j->finding == FOUND_NEWER;

	if (!newer && j->finding != FOUND_EXISTING) {
		j->looked = true;
		j->kind = j->then;
		engine_submit(en, j);
		return;
	}
	if (newer)
		stats_add(en->stats, newer_items, 1);
	else
		stats_add(en->stats, existing_items, 1);
	engine_not_queued(en, j);
	engine_skipped(
	    en, j->path, j->path_len, j->st.type, newer ? "newer" : "existing");
	engine_job_end(en, j);
}

/* JOB_ABORT or JOB_SWEEP is done: forget the upload, if nothing can come
 * after it. */
static void
swept(struct engine *en, struct job *j)
{
	struct err e = ERR_INIT;
	bool over = j->kind == JOB_ABORT || engine_intent_is_settled(j);

	if (j->kind == JOB_ABORT)
		stats_add(en->stats, aborted_uploads, 1);
	if (over && ledger_upload_drop(en->ledger, j->ledger_id, &e) == -1)
		engine_ledger_failed(en, &e);
	if (j->kind == JOB_ABORT || j->finding != FOUND_NOTHING)
		engine_touched(en, j);
	engine_job_end(en, j);
}

/* An object of the source that is a symlink: only its metadata told. */
static void
skipped(struct engine *en, struct job *j)
{
	stats_add(en->stats, skipped_links, 1);
	engine_skipped(en, j->path, j->path_len, ITEM_SYMLINK, "symlink");
	engine_not_queued(en, j);
	engine_job_end(en, j);
}

static void
item_done(struct engine *en, struct job *j)
{
	switch (j->kind) {
	case JOB_PUT:
		if (j->finding == FOUND_GROUP)
			engine_links_found(en, j);
		else if (j->grown)
			engine_queue_file(en, j);
		else if (j->skipped)
			skipped(en, j);
		else
			done(en, j, HOW_SENT);
		return;
	case JOB_LINK:
		done(en, j, HOW_SYMLINK);
		return;
	case JOB_HARDLINK:
		if (j->finding == FOUND_SAME)
			linked(en, j);
		else
			engine_links_not_linked(en, j);
		return;
	case JOB_DIR:
		if (j->path_len == 0)
			engine_root_answer(en, j);
		else if (j->again)
			done_again(en, j);
		else
			done(en, j, HOW_DIR);
		return;
	case JOB_ADOPT:
	case JOB_REHASH:
		found(en, j);
		return;
	case JOB_LOOK:
		looked(en, j);
		return;
	case JOB_ABORT:
	case JOB_SWEEP:
		swept(en, j);
		return;
	case JOB_BEGIN:
	case JOB_CHECK:
	case JOB_PART:
	case JOB_COMPLETE:
		return; /* engine_upload.c's */
	case JOB_DELETE:
		return; /* engine_delete.c's */
	case JOB_VERIFY:
	case JOB_VERIFY_PART:
		return; /* verify_answer.c's */
	}
}

/* Where uploads can't be listed, asking in every run to come won't help. */
static void
not_swept(struct engine *en, struct job *j)
{
	bool never = j->kind == JOB_SWEEP && engine_intent_is_settled(j) &&
	    (j->err.kind == ERR_DENIED || j->err.kind == ERR_UNSUPPORTED);
	char name[256];

	log_warn("%s: an unfinished upload could not be removed at the "
		 "store%s: %s",
	    text_escaped(j->path, j->path_len, name, sizeof(name)),
	    never ? "" : ", the next run tries again", j->err.msg);
	if (never)
		swept(en, j);
	else
		engine_job_end(en, j);
}

void
engine_item_answer(struct engine *en, struct job *j)
{
	if (j->err.kind == ERR_NONE) {
		en->hopeless = en->expired = 0;
		item_done(en, j);
		return;
	}
	if (en->stopping || j->err.kind == ERR_STOPPED) {
		engine_job_end(en, j);
		return;
	}
	if (engine_try_again(en, j))
		return;
	if (j->path_len == 0) {
		engine_root_answer(en, j);
		return;
	}
	if (j->err.kind == ERR_CHANGED && engine_start_over(en, j))
		return;
	if (engine_put_off(en, j))
		return;
	if (j->kind == JOB_ABORT || j->kind == JOB_SWEEP)
		not_swept(en, j);
	else
		engine_item_failed(en, j);
}
