/* SPDX-License-Identifier: ISC */
/*
 * The report as AWS DataSync writes its task reports, so that what reads those
 * reads ours:
 *
 *	Summary-Reports/TASK/EXEC/EXEC.json
 *	Detailed-Reports/TASK/EXEC/EXEC.files-KIND-v1-NNNNN-HEX.json
 *
 * KIND is transferred, verified, skipped or deleted; a file holds 5 MB of
 * records at most.  Identifiers have DataSync's form, and are always the same
 * for the same run.  After "Monitoring your transfers with task reports" in
 * the DataSync user guide; what its parsers rely on is RelativePath,
 * SrcMetadata, DstMetadata.Type, and the Status, Timestamp, FailureCode and
 * FailureReason members.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/report/report.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "verify/digest.h"

#define FILE_BYTES ((size_t)5 * 1000 * 1000)

struct kind {
	const char *name;  /* of the files */
	const char *array; /* in them */
};

static const struct kind transferred = {"transferred", "Transferred"};
static const struct kind verified = {"verified", "Verified"};
static const struct kind skipped = {"skipped", "Skipped"};
static const struct kind deleted = {"deleted", "Deleted"};

/* The files of one kind as they are made. */
struct set {
	struct report *r;
	const struct kind *kind;
	struct json j;
	char dir[8192];
	char exec[32];
	char task[32];
	unsigned files;
	size_t bytes; /* in the file that is open */
};

static void
identify(struct set *s)
{
	const char *task = s->r->task;
	uint64_t id = crc64nvme(0, task, strlen(task));
	uint64_t run[2] = {s->r->run.id, (uint64_t)s->r->run.started_ns};

	snprintf(s->task, sizeof(s->task), "task-0%016" PRIx64, id);
	snprintf(s->exec, sizeof(s->exec), "exec-0%016" PRIx64,
	    crc64nvme(id, run, sizeof(run)));
}

/* Makes PATH and the directories that it is in. */
static int
make_directories(const char *path, struct err *e)
{
	AUTO(free) char *p = strdup(path);
	char *slash;

	if (p == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (slash = strchr(p + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash != NULL)
			*slash = '\0';
		if (mkdir(p, 0777) == -1 && errno != EEXIST)
			return err_sys(e, "directory %s", p);
		if (slash == NULL)
			return 0;
		*slash = '/';
	}
}

static int
enter(struct set *s, const char *root, const char *what, struct err *e)
{
	int n = snprintf(s->dir, sizeof(s->dir), "%s/%s/%s/%s", root, what,
	    s->task, s->exec);

	if (n < 0 || (size_t)n >= sizeof(s->dir))
		return err_set(e, ERR_CONFIG, "--output: the path is too long");
	return make_directories(s->dir, e);
}

static int
open_part(struct set *s, struct err *e)
{
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);
	char id[64];

	s->files++;
	snprintf(id, sizeof(id), "%s %s %u", s->exec, s->kind->name, s->files);
	buf_addf(&path, "%s/%s.files-%s-v1-%05u-0%016" PRIx64 ".json", s->dir,
	    s->exec, s->kind->name, s->files, crc64nvme(0, id, strlen(id)));
	s->r->out = out_open(buf_str(&path), e);
	if (s->r->out == NULL)
		return -1;
	s->bytes = 0;
	buf_reset(&s->r->line);
	json_begin(&s->j, &s->r->line);
	json_object(&s->j, NULL);
	json_str(&s->j, "TaskExecutionId", s->exec);
	json_array(&s->j, s->kind->array);
	return 0;
}

static int
close_part(struct set *s, struct err *e)
{
	int rc;

	if (s->r->out == NULL)
		return 0;
	json_array_end(&s->j);
	json_object_end(&s->j);
	rc = report_flush(s->r, e);
	if (rc == 0)
		rc = out_commit(s->r->out, e);
	out_free(s->r->out);
	s->r->out = NULL;
	return rc;
}

static void
add_time(struct json *j, const char *key, int64_t ns)
{
	char second[32], text[48];
	int64_t part = ns % 1000000000;

	clock_iso8601(ns, second, sizeof(second));
	second[strcspn(second, "Z")] = '\0';
	snprintf(text, sizeof(text), "%s.%09" PRId64 "Z", second,
	    part < 0 ? part + 1000000000 : part);
	json_str(j, key, text);
}

/* Rows of an earlier release don't tell when. */
static void
add_done(struct json *j, const char *key, const struct ledger_file *row)
{
	if (row->outcome.done_ns != 0)
		add_time(j, key, row->outcome.done_ns);
}

/* Begins a record. */
static int
begin(struct set *s, const char *path, size_t len, struct err *e)
{
	AUTO(buf) struct buf whole = BUF_INIT(1 << 20);

	if (s->r->out == NULL && open_part(s, e) == -1)
		return -1;
	buf_addc(&whole, '/');
	buf_add(&whole, path, len);
	json_object(&s->j, NULL);
	json_name(&s->j, "RelativePath", buf_str(&whole), whole.len);
	return 0;
}

static int
end(struct set *s, struct err *e)
{
	json_object_end(&s->j);
	s->bytes += s->r->line.len;
	if (report_flush(s->r, e) == -1)
		return -1;
	return s->bytes < FILE_BYTES ? 0 : close_part(s, e);
}

static const char *
type_name(enum item_type type)
{
	switch (type) {
	case ITEM_FILE:
		return "Regular";
	case ITEM_DIR:
		return "Directory";
	case ITEM_SYMLINK:
		return "SymbolicLink";
	case ITEM_SPECIAL:
		break;
	}
	return "Special";
}

static void
add_metadata(struct json *j, const char *key, const struct item_stat *st)
{
	char mode[16];

	json_object(j, key);
	json_str(j, "Type", type_name(st->type));
	json_uint(j, "ContentSize", st->type == ITEM_FILE ? st->size : 0);
	if (st->mtime_ns != ITEM_TIME_UNKNOWN)
		add_time(j, "Mtime", st->mtime_ns);
	if (st->mode != 0) {
		snprintf(mode, sizeof(mode), "%04" PRIo32, st->mode & 07777);
		json_uint(j, "Uid", st->uid);
		json_uint(j, "Gid", st->gid);
		json_str(j, "Mode", mode);
	}
	json_object_end(j);
}

static void
add_digest(struct json *j, const char *key, const struct ledger_file *row)
{
	char text[64], hex[33];

	if ((row->digest_have & DIGEST_CRC64NVME) != 0) {
		snprintf(text, sizeof(text), "crc64nvme:%016" PRIx64,
		    row->crc64nvme);
	} else if ((row->digest_have & DIGEST_XXH3) != 0) {
		text_hex(row->xxh3, sizeof(row->xxh3), hex);
		snprintf(text, sizeof(text), "%s:%s",
		    row->part_bytes > 0 ? "xxh3-of-parts" : "xxh3", hex);
	} else {
		return;
	}
	json_str(j, key, text);
}

static int
item_transferred(void *arg, const char *path, size_t len,
    const struct ledger_file *row, struct err *e)
{
	struct set *s = arg;
	struct json *j = &s->j;

	if (row->outcome.how == HOW_ADOPTED)
		return 0;
	if (begin(s, path, len, e) == -1)
		return -1;
	add_metadata(j, "SrcMetadata", &row->st);
	add_done(j, "TransferTimestamp", row);
	json_str(j, "TransferType",
	    row->outcome.how == HOW_METADATA ? "METADATA_ONLY"
					     : "CONTENT_AND_METADATA");
	json_str(j, "TransferStatus", "SUCCESS");
	return end(s, e);
}

static int
failure_transferred(void *arg, const struct ledger_failure *f, struct err *e)
{
	struct set *s = arg;

	if (strcmp(f->kind, err_kind_name(ERR_MISMATCH)) == 0)
		return 0;
	if (begin(s, f->path, f->path_len, e) == -1)
		return -1;
	add_time(&s->j, "TransferTimestamp", f->at_ns);
	json_str(&s->j, "TransferType", "CONTENT_AND_METADATA");
	json_str(&s->j, "TransferStatus", "FAILED");
	json_str(&s->j, "FailureReason", f->message);
	json_str(&s->j, "FailureCode", f->kind);
	return end(s, e);
}

static int
item_verified(void *arg, const char *path, size_t len,
    const struct ledger_file *row, struct err *e)
{
	struct set *s = arg;
	struct json *j = &s->j;

	if (row->outcome.proof == PROOF_NONE)
		return 0;
	if (begin(s, path, len, e) == -1)
		return -1;
	add_metadata(j, "SrcMetadata", &row->st);
	add_digest(j, "SrcHash", row);
	add_metadata(j, "DstMetadata", &row->st);
	add_digest(j, "DstHash", row);
	add_done(j, "VerifyTimestamp", row);
	json_str(j, "VerifyStatus", "SUCCESS");
	return end(s, e);
}

static int
failure_verified(void *arg, const struct ledger_failure *f, struct err *e)
{
	struct set *s = arg;
	const struct item_stat unknown = {
	    .type = ITEM_FILE, .mtime_ns = ITEM_TIME_UNKNOWN};

	if (strcmp(f->kind, err_kind_name(ERR_MISMATCH)) != 0)
		return 0;
	if (begin(s, f->path, f->path_len, e) == -1)
		return -1;
	add_metadata(&s->j, "DstMetadata", &unknown);
	add_time(&s->j, "VerifyTimestamp", f->at_ns);
	json_str(&s->j, "VerifyStatus", "FAILED");
	json_str(&s->j, "FailureReason", f->message);
	json_str(&s->j, "FailureCode", f->kind);
	return end(s, e);
}

static int
notice_skipped(void *arg, const struct ledger_notice *n, struct err *e)
{
	struct set *s = arg;
	const struct item_stat st = {
	    .type = n->type, .mtime_ns = ITEM_TIME_UNKNOWN};

	if (begin(s, n->path, n->path_len, e) == -1)
		return -1;
	add_metadata(&s->j, "SrcMetadata", &st);
	json_str(&s->j, "SkippedReason", n->reason);
	json_str(&s->j, "SkippedStatus", "SUCCESS");
	return end(s, e);
}

static int
skipped_adopted(void *arg, const char *path, size_t len,
    const struct ledger_file *row, struct err *e)
{
	struct set *s = arg;

	if (row->outcome.how != HOW_ADOPTED)
		return 0;
	if (begin(s, path, len, e) == -1)
		return -1;
	add_metadata(&s->j, "SrcMetadata", &row->st);
	add_done(&s->j, "SkippedTimestamp", row);
	json_str(&s->j, "SkippedReason", "was at the target already");
	json_str(&s->j, "SkippedStatus", "SUCCESS");
	return end(s, e);
}

/* What was not there, or kept, is no deletion. */
static int
item_deleted(void *arg, const struct ledger_deletion *d, struct err *e)
{
	struct set *s = arg;
	const struct item_stat st = {
	    .type = d->type, .size = d->size, .mtime_ns = ITEM_TIME_UNKNOWN};

	if (d->fate != FATE_DELETED && d->fate != FATE_FAILED)
		return 0;
	if (begin(s, d->path, d->path_len, e) == -1)
		return -1;
	add_metadata(&s->j, "DstMetadata", &st);
	json_str(&s->j, "DeleteStatus",
	    d->fate == FATE_DELETED ? "SUCCESS" : "FAILED");
	return end(s, e);
}

/* All files of one kind. */
static int
make_set(struct set *s, const struct kind *kind, ledger_item_fn *item,
    ledger_failure_fn *fail, struct err *e)
{
	struct ledger *l = s->r->ledger;
	uint64_t run = s->r->run.id;

	s->kind = kind;
	s->files = 0;
	if (fail != NULL && ledger_failures(l, run, fail, s, e) == -1)
		return -1;
	if (kind == &skipped && s->r->all &&
	    ledger_notices(l, run, NOTICE_SKIPPED, notice_skipped, s, e) == -1)
		return -1;
	if (kind == &deleted &&
	    ledger_deletions(l, run, item_deleted, s, e) == -1)
		return -1;
	if (s->r->all && item != NULL && ledger_items(l, run, item, s, e) == -1)
		return -1;
	return close_part(s, e);
}

static void
add_counts(struct json *j, const struct stats_snapshot *c)
{
	json_object(j, "Result");
	json_uint(j, "FilesListed", c->scanned_items);
	json_uint(j, "FilesTransferred", c->done_items);
	json_uint(j, "BytesTransferred", c->sent_bytes);
	json_uint(j, "BytesWritten", c->done_bytes);
	json_uint(j, "FilesVerified", c->verified_items);
	json_uint(j, "FilesSkipped",
	    c->unchanged_items + c->adopted_items + c->special_items +
		c->skipped_links);
	json_uint(j, "FilesDeleted", c->deleted_items);
	json_uint(j, "FilesFailed",
	    c->failed_items + c->changed_items + c->vanished_items +
		c->unreadable_items);
	json_object_end(j);
}

static const char *
status_of(const struct report *r)
{
	if (r->run.ended_ns == 0)
		return r->going_on ? "TRANSFERRING" : "ERROR";
	return strcmp(r->run.outcome, "ok") == 0 ? "SUCCESS" : "ERROR";
}

static int
make_summary(struct set *s, struct err *e)
{
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);
	struct report *r = s->r;
	struct json *j = &s->j;
	int rc;

	buf_addf(&path, "%s/%s.json", s->dir, s->exec);
	r->out = out_open(buf_str(&path), e);
	if (r->out == NULL)
		return -1;
	buf_reset(&r->line);
	json_begin(j, &r->line);
	json_object(j, NULL);
	json_str(j, "TaskExecutionId", s->exec);
	json_str(j, "TaskId", s->task);
	json_str(j, "TaskName", r->task);
	json_uint(j, "Run", r->run.id);
	json_name(j, "SourceLocation", r->source, strlen(r->source));
	json_name(j, "DestinationLocation", r->target, strlen(r->target));
	json_str(j, "Status", status_of(r));
	add_time(j, "StartTime", r->run.started_ns);
	if (r->run.ended_ns != 0) {
		add_time(j, "EndTime", r->run.ended_ns);
		json_int(j, "TotalDuration",
		    (r->run.ended_ns - r->run.started_ns) / 1000000);
	}
	if (r->run.why[0] != '\0')
		json_string(j, "ErrorDetail", r->run.why, strlen(r->run.why));
	add_counts(j, &r->run.stats);
	json_object_end(j);
	rc = report_flush(r, e);
	if (rc == 0)
		rc = out_commit(r->out, e);
	out_free(r->out);
	r->out = NULL;
	return rc;
}

int
report_datasync(struct report *r, const char *dir, struct err *e)
{
	AUTO(free) struct set *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	s->r = r;
	identify(s);
	rc = enter(s, dir, "Detailed-Reports", e);
	if (rc == 0)
		rc = make_set(
		    s, &transferred, item_transferred, failure_transferred, e);
	if (rc == 0)
		rc = make_set(s, &verified, item_verified, failure_verified, e);
	if (rc == 0)
		rc = make_set(s, &skipped, skipped_adopted, NULL, e);
	if (rc == 0)
		rc = make_set(s, &deleted, NULL, NULL, e);
	/* The summary last: where it is, the rest is. */
	if (rc == 0)
		rc = enter(s, dir, "Summary-Reports", e);
	if (rc == 0)
		rc = make_summary(s, e);
	out_free(r->out);
	r->out = NULL;
	return rc;
}
