/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transfer/beneath.h"
#include "transfer/posix/internal.h"
#include "transfer/scandir.h"

static const atomic_bool never;

static struct store_stat
store_stat_of(const struct stat *st)
{
	return (struct store_stat){
	    .type = item_type_of_mode(st->st_mode),
	    .size = (uint64_t)st->st_size,
	    .has_source_mtime = true,
	    .mtime_ns = item_time_ns(st->st_mtim),
	    .mode = st->st_mode,
	    .uid = st->st_uid,
	    .gid = st->st_gid,
	    .has_owner = true,
	    .ino = st->st_ino,
	    .dev = st->st_dev,
	    .ctime_ns = item_time_ns(st->st_ctim),
	    .nlink = S_ISREG(st->st_mode) ? (uint32_t)st->st_nlink : 0,
	};
}

int
posix_stat(
    struct session *c, const char *key, struct store_stat *out, struct err *e)
{
	AUTO(free) char *plain = NULL;
	AUTO(close) int fd = -1;
	bool dir = posix_is_dir_key(key, &plain);
	const char *name = ".";
	struct stat st;

	if (plain == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (key[0] == '\0')
		fd = posix_open(c, key, O_PATH, e);
	else
		fd = posix_parent(c, plain, &name, e);
	if (fd == -1) {
		/* Behind a file or a link there is nothing. */
		if (e->kind == ERR_EXISTS)
			e->kind = ERR_NOTFOUND;
		return -1;
	}
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return err_sys(e, "stat");
	if (dir && !S_ISDIR(st.st_mode))
		return err_set(e, ERR_NOTFOUND, "not a directory");
	if (posix_spelled(c, fd, name, e) == -1) {
		e->kind = ERR_NOTFOUND;
		return -1;
	}
	*out = store_stat_of(&st);
	return 0;
}

int
posix_read(struct session *c, int fd, void *data, size_t len, uint64_t offset,
    struct err *e)
{
	struct limit *limit = posix_store_of(c)->limit;
	uint8_t *p = data;

	while (len > 0) {
		ssize_t n = pread(fd, p, limit_take(limit, len), (off_t)offset);

		if (n == 0)
			return err_set(
			    e, ERR_MISMATCH, "ends %zu bytes too early", len);
		if (n == -1) {
			if (errno == EINTR)
				continue;
			return err_sys(e, "read");
		}
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* A symlink's bytes are its target, as in every store. */
static int
read_link(struct session *c, const char *key, uint64_t offset, void *data,
    size_t len, struct err *e)
{
	const char *name;
	AUTO(close) int dir = posix_parent(c, key, &name, e);
	char target[PATH_MAX];
	ssize_t n;

	if (dir == -1)
		return -1;
	n = readlinkat(dir, name, target, sizeof(target));
	if (n == -1)
		return err_sys(e, "read link");
	if (offset > (uint64_t)n || len > (uint64_t)n - offset)
		return err_set(e, ERR_MISMATCH, "ends too early");
	memcpy(data, target + offset, len);
	return 0;
}

int
posix_read_key(struct session *c, const char *key, uint64_t offset, void *data,
    size_t len, struct err *e)
{
	/* O_NONBLOCK: who opens a fifo would wait for its writer. */
	AUTO(close) int fd = posix_open(c, key, O_RDONLY | O_NONBLOCK, e);
	struct stat st;

	if (fd == -1) {
		if (e->sys != ELOOP)
			return -1;
		return read_link(c, key, offset, data, len, e);
	}
	if (fstat(fd, &st) == -1)
		return err_sys(e, "stat");
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_MISMATCH, "not a regular file");
	/* What was written is to be proved on the medium: cached pages that
	 * are clean are dropped, where the file system takes the advice. */
	posix_fadvise(fd, (off_t)offset, (off_t)len, POSIX_FADV_DONTNEED);
	return posix_read(c, fd, data, len, offset, e);
}

/* A directory that waits to be listed. */
struct pending {
	struct pending *next;
	char path[];
};

struct listing {
	struct session *c;
	bool recursive;
	store_list_fn *fn;
	void *arg;
	struct pending *stack;
	struct scandir names;
};

static int
push(struct listing *l, const char *path, size_t len, struct err *e)
{
	struct pending *p = malloc(sizeof(*p) + len + 1);

	if (p == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	memcpy(p->path, path, len + 1);
	p->next = l->stack;
	l->stack = p;
	return 0;
}

/* Passes on the entry NAME of DIR_FD, whose path is in KEY. */
static int
list_entry(struct listing *l, int dir_fd, const char *name,
    const struct buf *key, struct err *e)
{
	struct store_list_entry entry = {
	    .key = key->data,
	    .key_len = key->len,
	    .leftover = temp_is_name(name, strlen(name)),
	};
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : err_sys(e, "stat %s", key->data);
	entry.st = store_stat_of(&st);
	if (entry.st.type == ITEM_SPECIAL && l->recursive)
		return 0;
	if (l->fn(l->arg, &entry, e) == -1)
		return -1;
	if (entry.st.type == ITEM_DIR && l->recursive && !entry.leftover)
		return push(l, key->data, key->len, e);
	return 0;
}

static int
list_dir(struct listing *l, const char *dir, struct err *e)
{
	AUTO(close) int fd = posix_open(l->c, dir, O_RDONLY | O_DIRECTORY, e);
	AUTO(buf) struct buf key = BUF_INIT(1 << 24);
	const atomic_bool *stop = posix_store_of(l->c)->stop;
	size_t i, prefix;

	if (fd == -1) {
		/* gone meanwhile, or no longer a directory */
		if (e->kind != ERR_NOTFOUND && e->sys != ENOTDIR &&
		    e->sys != ELOOP)
			return err_context(e, "%s", dir);
		if (!l->recursive)
			return err_set(e, ERR_NOTFOUND, "no such directory");
		*e = (struct err)ERR_INIT;
		return 0;
	}
	scandir_reset(&l->names);
	if (scandir_read(&l->names, fd,
		l->c->tells_leftovers ? NULL : TEMP_PREFIX,
		stop != NULL ? stop : &never, e) == -1)
		return err_context(e, "%s", dir);
	buf_adds(&key, dir);
	if (key.len > 0)
		buf_addc(&key, '/');
	prefix = key.len;
	for (i = 0; i < l->names.n; i++) {
		const char *name = scandir_name(&l->names, i);

		if (posix_go_on(l->c, e) == -1)
			return -1;
		if (temp_is_name(name, strlen(name)) &&
		    !temp_is_of(
			posix_store_of(l->c)->owner, name, strlen(name)))
			continue;
		key.len = prefix;
		buf_adds(&key, name);
		if (buf_failed(&key))
			return err_set(e, ERR_NOMEM, "out of memory");
		if (list_entry(l, fd, name, &key, e) == -1)
			return -1;
	}
	return posix_go_on(l->c, e);
}

int
posix_list(struct session *c, const char *dir, bool recursive,
    store_list_fn *fn, void *arg, struct err *e)
{
	struct listing l = {
	    .c = c,
	    .recursive = recursive,
	    .fn = fn,
	    .arg = arg,
	};
	int rc;

	if (posix_root(c, e) == -1)
		return -1;
	scandir_init(&l.names);
	rc = push(&l, dir, strlen(dir), e);
	while (l.stack != NULL) {
		struct pending *p = l.stack;

		l.stack = p->next;
		if (rc == 0)
			rc = list_dir(&l, p->path, e);
		free(p);
	}
	scandir_free(&l.names);
	return rc;
}
