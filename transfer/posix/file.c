/* SPDX-License-Identifier: ISC */
/*
 * Files as a source.  What is opened is a regular file below the root, and
 * fstat tells whether it is still what it was; a file that is replaced under
 * its name meanwhile is read on as it was.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transfer/beneath.h"
#include "transfer/posix/internal.h"

static struct posix_file *
posix_file_of(struct store_file *f)
{
	return (struct posix_file *)(void *)f;
}

struct posix_holes *
posix_source_of(struct store_file *f)
{
	return &posix_file_of(f)->in;
}

static int
other_kind(struct err *e)
{
	return err_set(e, ERR_CHANGED, "is another kind of file now");
}

static int
try_open(struct session *c, int root, const char *key, int flags)
{
	if (posix_store_of(c)->follow_links)
		return openat(
		    root, key[0] != '\0' ? key : ".", flags | O_CLOEXEC);
	return beneath_open(root, key, flags, 0);
}

int
posix_open_key(struct session *c, const char *key, int flags, struct err *e)
{
	int root = posix_root(c, e);
	bool quiet = posix_store_of(c)->keep_atimes && (flags & O_PATH) == 0;
	int fd = -1;

	if (root == -1)
		return -1;
	/* Who may not ask for that leaves traces. */
	if (quiet)
		fd = try_open(c, root, key, flags | O_NOATIME);
	if (fd == -1 && (!quiet || errno == EPERM))
		fd = try_open(c, root, key, flags);
	if (fd >= 0)
		return fd;
	if (errno == ESTALE)
		posix_root_again(c);
	if (errno == ENOENT)
		return err_set(e, ERR_VANISHED, "vanished before it was read");
	if (errno == ELOOP || errno == ENOTDIR || errno == ENXIO)
		return other_kind(e);
	if (errno == EXDEV)
		return err_set(e, ERR_CHANGED, "was moved while it was opened");
	return err_sys(e, "open");
}

int
posix_state_of(
    int fd, enum item_type type, struct item_stat *out, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return err_sys(e, "fstat");
	if (item_type_of_mode(st.st_mode) != type)
		return other_kind(e);
	*out = item_of_stat(&st);
	return 0;
}

struct store_file *
posix_open_file(
    struct session *base, const char *key, uint64_t size, struct err *e)
{
	struct posix_session *c = posix_session_of(base);
	/* O_NONBLOCK: who opens a fifo would wait for its writer. */
	int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
	AUTO(close) int fd = -1;
	struct attrs *a = NULL;
	struct posix_file *f;
	struct item_stat st;

	(void)size;
	if (!posix_store_of(base)->follow_links)
		flags |= O_NOFOLLOW;
	fd = posix_open_key(base, key, flags, e);
	if (fd == -1 || posix_state_of(fd, ITEM_FILE, &st, e) == -1)
		return NULL;
	if (posix_store_of(base)->attrs != 0 &&
	    (a = posix_attrs_read(base, fd, false, e)) == NULL)
		return NULL;
	f = c->spare != NULL ? TAKE(c->spare) : malloc(sizeof(*f));
	if (f == NULL) {
		attrs_free(a);
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	f->base = (struct store_file){
	    .session = base,
	    .state = st,
	    .meta = st,
	    .attrs = a,
	};
	f->base.meta.attrs = a;
	f->base.meta.has_atime = posix_store_of(base)->keep_atimes;
	posix_holes_init(base, &f->in, take_fd(&fd), st.size, st.sparse);
	return &f->base;
}

int
posix_read_file(struct store_file *f, uint64_t offset, void *data, size_t len,
    struct err *e)
{
	if (posix_holes_read(&posix_file_of(f)->in, data, len, offset, e) == 0)
		return 0;
	if (e->kind == ERR_MISMATCH)
		return err_set(e, ERR_CHANGED, "changed while it was read");
	return -1;
}

int
posix_check_file(struct store_file *f, struct err *e)
{
	struct item_stat now;

	if (posix_state_of(posix_file_of(f)->in.fd, ITEM_FILE, &now, e) == -1)
		return -1;
	if (item_same(&now, &f->state))
		return 0;
	return err_set(e, ERR_CHANGED, "changed while it was read");
}

void
posix_close_file(struct store_file *base)
{
	struct posix_file *f = posix_file_of(base);
	struct posix_session *c;

	if (f == NULL)
		return;
	c = posix_session_of(base->session);
	close(f->in.fd);
	attrs_free(f->base.attrs);
	free(c->spare);
	c->spare = f;
}

int
posix_readlink(struct session *c, const char *key, struct item_stat *st,
    char *out, size_t size, size_t *len, struct err *e)
{
	/* The link itself, so that its state and its target are of one. */
	AUTO(close) int fd = -1;
	struct item_stat now;
	ssize_t n;

	fd = posix_open_key(c, key, O_PATH | O_NOFOLLOW, e);
	if (fd == -1 || posix_state_of(fd, ITEM_SYMLINK, &now, e) == -1)
		return -1;
	n = readlinkat(fd, "", out, size);
	if (n == -1)
		return err_sys(e, "readlink");
	if ((size_t)n == size)
		return err_set(e, ERR_NAME, "symlink target too long");
	*st = now;
	st->has_atime = posix_store_of(c)->keep_atimes;
	*len = (size_t)n;
	return 0;
}
