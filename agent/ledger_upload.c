/* SPDX-License-Identifier: ISC */
/* Unfinished uploads and their parts. */
#include "config.h"

#include <string.h>

#include "agent/ledger_db.h"

int
ledger_upload_intend(struct ledger *l, struct ledger_upload *u, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare_write(l, STMT_UPLOAD_ADD, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, u->dir_id);
	bind_bytes(s, 2, u->path + u->path_len - u->name_len, u->name_len);
	bind_u64(s, 3, u->part_bytes);
	sqlite3_bind_int64(s, 4, u->begun_ns);
	bind_stat(s, 5, &u->st);
	if (ledger_done(l, s, e) == -1)
		return -1;
	u->id = sqlite3_last_insert_rowid(l->db);
	return 0;
}

int
ledger_upload_begun(struct ledger *l, int64_t id, const char *store_id,
    uint64_t attrs, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare_write(l, STMT_UPLOAD_BEGUN, e);

	if (s == NULL)
		return -1;
	bind_text(s, 1, store_id);
	bind_attrs(s, 2, attrs);
	sqlite3_bind_int64(s, 3, id);
	return ledger_done(l, s, e);
}

int
ledger_upload_drop(struct ledger *l, int64_t id, struct err *e)
{
	static const enum ledger_stmt both[] = {
	    STMT_PART_DROP, STMT_UPLOAD_DROP};
	size_t i;

	for (i = 0; i < 2; i++) {
		sqlite3_stmt *s = ledger_prepare_write(l, both[i], e);

		if (s == NULL)
			return -1;
		sqlite3_bind_int64(s, 1, id);
		if (ledger_done(l, s, e) == -1)
			return -1;
	}
	return 0;
}

static int
column_upload(sqlite3_stmt *s, struct ledger_upload *u, struct err *e)
{
	u->id = sqlite3_column_int64(s, 0);
	u->dir_id = sqlite3_column_int64(s, 1);
	u->name_len = (size_t)sqlite3_column_bytes(s, 3);
	u->path = ledger_join(sqlite3_column_blob(s, 2),
	    (size_t)sqlite3_column_bytes(s, 2), sqlite3_column_blob(s, 3),
	    u->name_len, &u->path_len);
	if (u->path == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	column_copy(s, 4, u->store_id, sizeof(u->store_id));
	u->part_bytes = column_u64(s, 5);
	u->begun_ns = sqlite3_column_int64(s, 6);
	u->attrs = column_u64(s, 7);
	column_stat(s, 8, &u->st);
	return 0;
}

int
ledger_uploads(
    struct ledger *l, struct ledger_upload **out, size_t *n, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_UPLOAD_LIST, e);
	struct ledger_upload *all = NULL;
	size_t count = 0;
	int rc;

	if (s == NULL)
		return -1;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct ledger_upload *more =
		    realloc(all, (count + 1) * sizeof(*all));

		if (more == NULL) {
			err_set(e, ERR_NOMEM, "out of memory");
			break;
		}
		all = more;
		memset(&all[count], 0, sizeof(*all));
		if (column_upload(s, &all[count], e) == -1)
			break;
		count++;
	}
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		ledger_error(l, "read", e);
	sqlite3_reset(s);
	if (rc != SQLITE_DONE) {
		ledger_uploads_free(all, count);
		return -1;
	}
	*out = all;
	*n = count;
	return 0;
}

void
ledger_uploads_free(struct ledger_upload *u, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(u[i].path);
	free(u);
}

/* In part.digest_have, beside the digests: the store has checked the part. */
#define PART_PROVED (1 << 16)

int
ledger_part_put(struct ledger *l, int64_t upload_id,
    const struct store_part *part, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare_write(l, STMT_PART_PUT, e);

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, upload_id);
	bind_u64(s, 2, part->number);
	bind_u64(s, 3, part->size);
	sqlite3_bind_int(
	    s, 4, (int)part->digest.have | (part->proved ? PART_PROVED : 0));
	bind_bytes(s, 5, part->digest.xxh3, sizeof(part->digest.xxh3));
	bind_u64(s, 6, part->digest.crc64nvme);
	bind_u64(s, 7, part->digest.crc32c);
	bind_text(s, 8, part->etag);
	if ((part->digest.have & DIGEST_SHA256) != 0)
		bind_bytes(
		    s, 9, part->digest.sha256, sizeof(part->digest.sha256));
	else
		sqlite3_bind_null(s, 9);
	return ledger_done(l, s, e);
}

/* Only what was stored of a digest is claimed. */
static void
column_part(sqlite3_stmt *s, struct store_part *p)
{
	memset(p, 0, sizeof(*p));
	p->number = (uint32_t)sqlite3_column_int64(s, 0);
	p->size = column_u64(s, 1);
	p->proved = (sqlite3_column_int(s, 2) & PART_PROVED) != 0;
	p->digest.have = (unsigned)sqlite3_column_int(s, 2) &
	    (DIGEST_CRC64NVME | DIGEST_CRC32C);
	if (column_bytes(s, 3, p->digest.xxh3, sizeof(p->digest.xxh3)))
		p->digest.have |= DIGEST_XXH3;
	if (column_bytes(s, 7, p->digest.sha256, sizeof(p->digest.sha256)))
		p->digest.have |= DIGEST_SHA256;
	p->digest.crc64nvme = column_u64(s, 4);
	p->digest.crc32c = (uint32_t)column_u64(s, 5);
	column_copy(s, 6, p->etag, sizeof(p->etag));
}

int
ledger_parts(struct ledger *l, int64_t upload_id, struct store_part **out,
    size_t *n, struct err *e)
{
	sqlite3_stmt *s = ledger_prepare(l, STMT_PART_LIST, e);
	AUTO(free) struct store_part *all = NULL;
	size_t count = 0, room = 0;
	int rc;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, upload_id);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		if (count == room) {
			size_t want = room > 0 ? 2 * room : 64;
			void *more = realloc(all, want * sizeof(*all));

			if (more == NULL) {
				sqlite3_reset(s);
				return err_set(e, ERR_NOMEM, "out of memory");
			}
			all = more;
			room = want;
		}
		column_part(s, &all[count++]);
	}
	if (rc != SQLITE_DONE)
		ledger_error(l, "read", e);
	sqlite3_reset(s);
	if (rc != SQLITE_DONE)
		return -1;
	*out = TAKE(all);
	*n = count;
	return 0;
}
