/* SPDX-License-Identifier: ISC */
/*
 * Uploads: a temporary file beside its target, its name the upload's id.  A
 * part's success means that the server has it on stable storage, so the parts
 * of an upload depend on nothing but themselves.  The file has holes where
 * parts are missing: its size says nothing, and only parts that the ledger
 * names are asked for, each kept only if its bytes, read again, have the
 * recorded digest.
 */
#include "config.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "transfer/nfs/internal.h"
#include "transfer/retry.h"

static int
begin_once(struct session *c, const char *key, const struct plan *plan,
    char *id, struct err *e)
{
	char temp[TEMP_NAME_SIZE], size[16];
	struct item_stat now;
	struct nfs_place p;
	struct nfs_fh fh;
	uint64_t free_bytes;

	if (nfs_parent(c, key, true, &p, e) == -1)
		return -1;
	/* What can't fit shouldn't be found out after hours of sending. */
	if (nfs_wire_free_bytes(
		nfs_session_of(c)->wire, &p.dir, &free_bytes, e) == -1)
		return -1;
	if (free_bytes < plan->size)
		return err_set(e, ERR_NOSPACE, "the server has %s left for it",
		    text_size(free_bytes, size, sizeof(size)));
	if (nfs_temp_file(c, &p, temp, &fh, &now, e) == -1)
		return -1;
	memcpy(id, temp, sizeof(temp));
	return 0;
}

int
nfs_upload_begin(struct session *c, const char *key, const struct item_stat *st,
    const struct plan *plan, char *id, struct err *e)
{
	(void)st;
	return NFS_TWICE_MAKING(c, e, begin_once(c, key, plan, id, e));
}

/* "dir/id" */
static int
temp_path(const struct store_upload *u, struct buf *out, struct err *e)
{
	const char *slash = strrchr(u->key, '/');

	if (temp_check_id(u->id, e) == -1)
		return -1;
	if (slash != NULL)
		buf_add(out, u->key, (size_t)(slash + 1 - u->key));
	buf_adds(out, u->id);
	if (buf_failed(out))
		return err_set(e, ERR_NOMEM, "out of memory");
	return 0;
}

/* The upload's file; ST may be NULL, then a handle that is known will do. */
static int
find_temp(struct session *c, const struct store_upload *u, struct nfs_fh *fh,
    struct item_stat *st, struct err *e)
{
	AUTO(buf) struct buf path = BUF_INIT(NFS_PATH_MAX);
	struct item_stat now;

	if (temp_path(u, &path, e) == -1 || nfs_reach(c, false, e) == -1)
		return -1;
	if (st == NULL && nfs_file_known(c, path.data, fh))
		return 0;
	if (nfs_find(c, path.data, fh, &now, e) == -1) {
		if (e->kind == ERR_NOTFOUND)
			return err_set(e, ERR_GONE,
			    "the unfinished file %s is gone", u->id);
		return -1;
	}
	if (now.type != ITEM_FILE)
		return err_set(e, ERR_GONE, "%s is not a file any more", u->id);
	nfs_file_remember(c, path.data, fh);
	nfs_session_of(c)->file_next = 0;
	if (st != NULL)
		*st = now;
	return 0;
}

static int
part_once(struct session *c, const struct store_upload *u, uint32_t number,
    const void *data, size_t len, struct err *e)
{
	uint64_t offset = plan_offset(&u->plan, number);
	struct nfs_fh fh;

	if (find_temp(c, u, &fh, NULL, e) == -1 ||
	    nfs_wire_write(
		nfs_session_of(c)->wire, &fh, offset, data, len, e) == -1)
		return -1;
	return nfs_store_of(c)->read_back
	    ? nfs_compare(c, &fh, offset, data, len, e)
	    : 0;
}

int
nfs_upload_part(struct session *c, const struct store_upload *u,
    uint32_t number, const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e)
{
	(void)digest;
	if (number == 0 || number > u->plan.parts ||
	    len != plan_length(&u->plan, number))
		return err_set(e, ERR_MISMATCH,
		    "part %u of %zu bytes is not of the plan", number, len);
	if (NFS_TWICE(c, e, part_once(c, u, number, data, len, e)) == -1)
		return -1;
	memset(out, 0, sizeof(*out));
	out->proved = nfs_store_of(c)->read_back;
	return 0;
}

/* Whether the bytes in the file have the digest of PART. */
static int
part_holds(struct session *base, const struct nfs_fh *fh,
    const struct plan *plan, const struct store_part *part, bool *holds,
    struct err *e)
{
	struct nfs_session *c = nfs_session_of(base);
	struct digest now;
	uint64_t at, end;
	size_t n;

	*holds = false;
	if ((part->digest.have & DIGEST_XXH3) == 0 || part->number == 0 ||
	    part->number > plan->parts ||
	    part->size != plan_length(plan, part->number))
		return 0;
	at = plan_offset(plan, part->number);
	end = at + part->size;
	digester_start(c->digester, DIGEST_XXH3);
	for (; at < end; at += n) {
		n = end - at < NFS_IO_SIZE ? (size_t)(end - at) : NFS_IO_SIZE;
		if (nfs_wire_read(c->wire, fh, at, c->io, n, NULL, e) == -1)
			/* the file ends before the part does */
			return e->kind == ERR_MISMATCH ? 0 : -1;
		digester_update(c->digester, c->io, n);
	}
	digester_finish(c->digester, &now);
	*holds = memcmp(now.xxh3, part->digest.xxh3, sizeof(now.xxh3)) == 0;
	return 0;
}

static int
check_once(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, bool *keep, struct err *e)
{
	struct item_stat now;
	struct nfs_fh fh;
	size_t i;

	if (find_temp(c, u, &fh, &now, e) == -1 || nfs_tools(c, e) == -1)
		return -1;
	for (i = 0; i < n; i++)
		if (part_holds(c, &fh, &u->plan, &parts[i], &keep[i], e) == -1)
			return -1;
	return 0;
}

int
nfs_upload_check(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, bool *keep, struct err *e)
{
	return NFS_TWICE(c, e, check_once(c, u, parts, n, keep, e));
}

/*
 * Whether the upload was completed before, and then its process was killed or
 * the answer lost: the key is the file that the parts make.  If not, *E may
 * say why that couldn't be seen.
 */
static bool
is_complete(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, struct err *e)
{
	struct item_stat now;
	struct nfs_fh fh;
	bool holds;
	size_t i;

	if (n != u->plan.parts || nfs_find(c, u->key, &fh, &now, e) == -1 ||
	    now.type != ITEM_FILE || now.size != u->plan.size ||
	    now.mtime_ns != u->st.mtime_ns || nfs_tools(c, e) == -1)
		return false;
	for (i = 0; i < n; i++)
		if (part_holds(c, &fh, &u->plan, &parts[i], &holds, e) == -1 ||
		    !holds)
			return false;
	return true;
}

static int
complete_once(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, bool *proved, struct err *e)
{
	struct err why = ERR_INIT;
	struct item_stat now;
	struct nfs_place p;
	struct nfs_fh fh;

	/* Each part was, when it was written or when it was asked for. */
	*proved = nfs_store_of(c)->read_back;
	if (find_temp(c, u, &fh, &now, e) == -1) {
		*proved =
		    e->kind == ERR_GONE && is_complete(c, u, parts, n, &why);
		/* What can't be seen now isn't gone. */
		if (why.kind == ERR_STOPPED || why.sys == ESTALE ||
		    retry_makes_sense(why.kind))
			*e = why;
		return *proved ? 0 : -1;
	}
	if (n != u->plan.parts || now.size != u->plan.size)
		return err_set(e, ERR_MISMATCH,
		    "the unfinished file has %llu bytes and %zu of %u parts",
		    (unsigned long long)now.size, n, u->plan.parts);
	if (nfs_parent(c, u->key, false, &p, e) == -1 ||
	    nfs_apply(c, &fh, &now, &u->st, e) == -1)
		return -1;
	return nfs_publish(c, &p, u->id, e);
}

int
nfs_upload_complete(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, const struct digest *whole,
    struct store_receipt *out, struct err *e)
{
	bool proved;
	int rc = NFS_TWICE(c, e, complete_once(c, u, parts, n, &proved, e));

	(void)whole;
	nfs_file_forget(c);
	if (rc == -1)
		return -1;
	memset(out, 0, sizeof(*out));
	out->proved = proved;
	return 0;
}

static int
remove_beside(
    struct session *c, const char *key, const char *name, struct err *e)
{
	struct nfs_place p;

	if (nfs_parent(c, key, false, &p, e) == -1)
		return e->kind == ERR_NOTFOUND || e->kind == ERR_EXISTS ? 0
									: -1;
	if (nfs_wire_remove(nfs_session_of(c)->wire, &p.dir, name, e) == -1 &&
	    e->kind != ERR_NOTFOUND)
		return -1;
	return 0;
}

int
nfs_upload_abort(
    struct session *c, const char *key, const char *id, struct err *e)
{
	nfs_file_forget(c);
	if (temp_check_id(id, e) == -1)
		return 0;
	return NFS_TWICE(c, e, remove_beside(c, key, id, e));
}

int
nfs_sweep(struct session *c, const char *key, struct err *e)
{
	const char *slash = strrchr(key, '/');
	const char *name = slash != NULL ? slash + 1 : key;

	return NFS_TWICE(c, e, remove_beside(c, key, name, e));
}
