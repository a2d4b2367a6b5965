/* SPDX-License-Identifier: ISC */
/*
 * Uploads: a temporary file beside its target, its name the upload's id.
 *
 * What a part's success means: its bytes were written and fdatasync'ed
 * through one descriptor, so an error of writing them back, even one that
 * came up in the background while several parts were under way, was told to
 * every part that had the file open then, and none of those is counted as
 * done.  Parts before were synced without an error and stay good.  So there
 * is no part that succeeded since the last good sync of it.
 *
 * After an error of fsync the kernel may hold pages as clean that never
 * reached the medium, and reading them again proves nothing.  So an error of
 * the last fsync or close throws the whole file away; the parts are sent
 * again (ERR_GONE from the next check).
 *
 * After a crash or power loss the ledger may name parts that the file has
 * not (it was not synced: no_fsync, or a disk that lies) and the file has
 * holes where parts are missing.  Its size says nothing.  Therefore only
 * parts that the ledger names are asked for, and each is kept only if its
 * bytes, read again, have the recorded digest.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transfer/posix/internal.h"

/* The upload's file; its directory into *DIR. */
static int
open_temp(struct session *c, const struct store_upload *u, int *dir,
    const char **name, struct err *e)
{
	int fd;

	if (temp_check_id(u->id, e) == -1)
		return -1;
	/* Not O_PATH: complete() has to fsync it. */
	*dir = posix_parent_made(c, u->key, name, e);
	if (*dir == -1)
		return -1;
	fd = openat(*dir, u->id, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1) {
		if (errno == ENOENT)
			return err_set(e, ERR_GONE,
			    "the unfinished file %s is gone", u->id);
		return err_sys(e, "open %s", u->id);
	}
	return fd;
}

/*
 * Space that is there now can't run out after hours of sending.  A file with
 * holes is to keep them.
 */
static int
reserve(int fd, uint64_t size, bool sparse, struct err *e)
{
	if (size == 0 || sparse ||
	    fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) == 0)
		return 0;
	if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
		return err_sys(
		    e, "reserve %llu bytes", (unsigned long long)size);
	return 0; /* not every file system can */
}

int
posix_upload_begin(struct session *c, const char *key,
    const struct item_stat *st, const struct plan *plan, char *id,
    struct err *e)
{
	const char *name;
	AUTO(close) int dir = posix_parent_made(c, key, &name, e);
	AUTO(close) int fd = -1;
	char temp[TEMP_NAME_SIZE];

	if (dir == -1 || posix_spelled(c, dir, name, e) == -1)
		return -1;
	/* Nobody else reads it before it has its owner and mode. */
	fd = posix_temp_file(c, dir, st->mode != 0 ? 0600 : 0666, temp, e);
	if (fd == -1)
		return -1;
	if (reserve(fd, plan->size, posix_is_sparse(c, st), e) == -1) {
		posix_drop(c, key, dir, temp);
		return -1;
	}
	memcpy(id, temp, sizeof(temp));
	return 0;
}

/* The bytes of a part: DATA, or what FROM has there. */
static int
write_part(struct session *c, const struct store_upload *u, int fd,
    uint64_t offset, const void *data, size_t len, struct store_file *from,
    struct err *e)
{
	if (from != NULL)
		return posix_copy_range(c, from, fd, offset, len, e);
	/* Zeros need no writing, but few of them are worth no look: of a file
	 * with holes each is one. */
	return posix_write_sparse(c, fd, data, len, offset,
	    posix_is_sparse(c, &u->st) ? POSIX_BLOCK : 16 * POSIX_BLOCK, e);
}

static int
part(struct session *c, const struct store_upload *u, uint32_t number,
    const void *data, size_t len, struct store_file *from,
    struct store_receipt *out, struct err *e)
{
	const char *name;
	AUTO(close) int dir = -1;
	AUTO(close) int fd = open_temp(c, u, &dir, &name, e);
	const struct posix_store *s = posix_store_of(c);
	bool prove = s->read_back && from == NULL;
	uint64_t offset;

	if (fd == -1)
		return -1;
	if (number == 0 || number > u->plan.parts ||
	    len != plan_length(&u->plan, number))
		return err_set(e, ERR_MISMATCH,
		    "part %u of %zu bytes is not of the plan", number, len);
	offset = plan_offset(&u->plan, number);
	if (write_part(c, u, fd, offset, data, len, from, e) == -1)
		return -1;
	/* The last may end in a hole. */
	if (number == u->plan.parts && ftruncate(fd, (off_t)u->plan.size) == -1)
		return err_sys(e, "set size");
	if (posix_sync_data(c, fd, e) == -1)
		return -1;
	if (prove &&
	    posix_prove(c, fd, data, len, offset, !s->no_fsync, e) == -1)
		return -1;
	if (close(take_fd(&fd)) == -1)
		return err_sys(e, "close");
	memset(out, 0, sizeof(*out));
	out->proved = prove;
	return 0;
}

int
posix_upload_part(struct session *c, const struct store_upload *u,
    uint32_t number, const void *data, size_t len, const struct digest *digest,
    struct store_receipt *out, struct err *e)
{
	(void)digest;
	return part(c, u, number, data, len, NULL, out, e);
}

int
posix_copy_part(struct session *c, const struct store_upload *u,
    uint32_t number, struct store_file *f, struct store_receipt *out,
    struct err *e)
{
	return part(c, u, number, NULL, (size_t)plan_length(&u->plan, number),
	    f, out, e);
}

/* Whether the bytes in the file have the digest of PART. */
static int
part_holds(struct session *base, int fd, const struct plan *plan,
    const struct store_part *part, bool *holds, struct err *e)
{
	struct posix_session *c = posix_session_of(base);
	uint64_t offset, left;
	struct digest now;

	*holds = false;
	if ((part->digest.have & DIGEST_XXH3) == 0 || part->number == 0 ||
	    part->number > plan->parts ||
	    part->size != plan_length(plan, part->number))
		return 0;
	offset = plan_offset(plan, part->number);
	digester_start(c->digester, DIGEST_XXH3);
	for (left = part->size; left > 0;) {
		size_t n = left < POSIX_IO_SIZE ? (size_t)left : POSIX_IO_SIZE;

		if (posix_go_on(base, e) == -1)
			return -1;
		if (posix_read(base, fd, c->io, n, offset, e) == -1)
			return 0; /* too short, or unreadable: sent again */
		digester_update(c->digester, c->io, n);
		offset += n;
		left -= n;
	}
	digester_finish(c->digester, &now);
	*holds = memcmp(now.xxh3, part->digest.xxh3, sizeof(now.xxh3)) == 0;
	return 0;
}

int
posix_tools(struct session *base, struct err *e)
{
	struct posix_session *c = posix_session_of(base);

	if (c->digester == NULL && (c->digester = digester_new(e)) == NULL)
		return -1;
	if (c->io == NULL && (c->io = malloc(POSIX_IO_SIZE)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	return 0;
}

int
posix_upload_check(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, bool *keep, struct err *e)
{
	const char *name;
	AUTO(close) int dir = -1;
	AUTO(close) int fd = open_temp(c, u, &dir, &name, e);
	size_t i;

	if (fd == -1) {
		/* Its directory was replaced: so the file went, too. */
		if (e->kind == ERR_EXISTS)
			e->kind = ERR_GONE;
		return -1;
	}
	if (posix_tools(c, e) == -1)
		return -1;
	/* From the medium rather than from memory, where that can be had. */
	if (posix_sync_data(c, fd, e) == -1) {
		unlinkat(dir, u->id, 0);
		e->kind = ERR_GONE;
		return -1;
	}
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	for (i = 0; i < n; i++)
		if (part_holds(c, fd, &u->plan, &parts[i], &keep[i], e) == -1)
			return -1;
	return 0;
}

/* Metadata, the last sync, and the last errors.  Takes FD. */
static int
finish(
    struct session *c, const struct store_upload *u, int taken, struct err *e)
{
	AUTO(close) int fd = taken;

	if (posix_apply(c, fd, &u->st, e) == -1 || posix_sync(c, fd, e) == -1)
		return -1;
	if (close(take_fd(&fd)) == -1)
		return err_sys(e, "close");
	return 0;
}

/*
 * Whether the upload was completed before, and then its process was killed:
 * NAME is the file that the parts make.
 */
static bool
is_complete(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, int dir, const char *name)
{
	AUTO(close)
	int fd =
	    openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct err e = ERR_INIT;
	struct stat st;
	bool holds;
	size_t i;

	if (fd == -1 || fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size != u->plan.size ||
	    item_time_ns(st.st_mtim) != u->st.mtime_ns ||
	    posix_tools(c, &e) == -1)
		return false;
	for (i = 0; i < n; i++)
		if (part_holds(c, fd, &u->plan, &parts[i], &holds, &e) == -1 ||
		    !holds)
			return false;
	return n == u->plan.parts;
}

int
posix_upload_complete(struct session *c, const struct store_upload *u,
    const struct store_part *parts, size_t n, const struct digest *whole,
    struct store_receipt *out, struct err *e)
{
	const char *name;
	AUTO(close) int dir = -1;
	AUTO(close) int fd = open_temp(c, u, &dir, &name, e);
	struct stat st;

	(void)whole;
	if (fd == -1) {
		if (e->kind != ERR_GONE || dir == -1 ||
		    !is_complete(c, u, parts, n, dir, name))
			return -1;
		memset(out, 0, sizeof(*out));
		out->proved = true;
		return posix_sync(c, dir, e);
	}
	if (fstat(fd, &st) == -1)
		return err_sys(e, "stat");
	if (n != u->plan.parts || (uint64_t)st.st_size != u->plan.size)
		return err_set(e, ERR_MISMATCH,
		    "the unfinished file has %lld bytes and %zu of %u parts",
		    (long long)st.st_size, n, u->plan.parts);
	if (finish(c, u, take_fd(&fd), e) == -1) {
		posix_drop(c, u->key, dir, u->id);
		return -1;
	}
	if (posix_publish(c, dir, u->id, name, e) == -1 ||
	    posix_sync(c, dir, e) == -1)
		return -1;
	memset(out, 0, sizeof(*out));
	/* Each part was, when it was written or when it was asked for. */
	out->proved = posix_store_of(c)->read_back;
	return 0;
}

int
posix_upload_abort(
    struct session *c, const char *key, const char *id, struct err *e)
{
	const char *name;
	AUTO(close) int dir = -1;

	if (temp_check_id(id, e) == -1)
		return 0;
	dir = posix_parent(c, key, &name, e);
	if (dir == -1)
		return e->kind == ERR_NOTFOUND || e->kind == ERR_EXISTS ? 0
									: -1;
	if (unlinkat(dir, id, 0) == -1 && errno != ENOENT)
		return err_sys(e, "remove %s", id);
	return 0;
}

int
posix_sweep(struct session *c, const char *key, struct err *e)
{
	const char *name;
	AUTO(close) int dir = posix_parent(c, key, &name, e);

	if (dir == -1)
		return e->kind == ERR_NOTFOUND || e->kind == ERR_EXISTS ? 0
									: -1;
	if (unlinkat(dir, name, 0) == -1 && errno != ENOENT)
		return err_sys(e, "remove %s", name);
	return 0;
}
