/* SPDX-License-Identifier: ISC */
/* Another name of a file that is there. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transfer/posix/internal.h"

/* What the name NAME in DIR is; false if it is nothing. */
static bool
look(int dir, const char *name, struct stat *out)
{
	return fstatat(dir, name, out, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

static int
cannot(struct session *c, struct err *e)
{
	int sys = errno;

	switch (sys) {
	case EMLINK:
		err_sys(e, "link");
		e->kind = ERR_UNSUPPORTED;
		return -1;
	case EXDEV:
	case EPERM:
	case ENOSYS:
	case ENOTSUP:
		store_lacks(c->store, STORE_LACK_LINKS,
		    sys == EXDEV
			? "they are on several file systems there"
			: "the file system has none, or lets us make none");
		err_sys(e, "link");
		e->kind = ERR_UNSUPPORTED;
		return -1;
	default:
		return err_sys(e, "link");
	}
}

/* NAME in DIR becomes another name of FROM_NAME in FROM, which is THAT. */
static int
link_as(struct session *c, int from, const char *from_name,
    const struct stat *that, int dir, const char *name, struct err *e)
{
	char temp[TEMP_NAME_SIZE];
	struct stat now;
	int rc;

	temp_name(posix_store_of(c)->owner, temp);
	if (linkat(from, from_name, dir, temp, 0) == -1)
		return cannot(c, e);
	if (!look(dir, temp, &now) || !is_same_file(&now, that))
		rc = err_set(
		    e, ERR_MISMATCH, "was replaced while it was linked");
	else if (posix_defers(c, dir))
		rc = posix_publish_later(c, dir, temp, name, e);
	else
		rc = posix_publish(c, dir, temp, name, e);
	if (rc == -1)
		unlinkat(dir, temp, 0);
	return rc;
}

/* Whether KEY is a name of THAT already: 1, 0, -1.  Nothing is tried there, as
 * nothing may be to be changed. */
static int
is_there(
    struct session *c, const char *key, const struct stat *that, struct err *e)
{
	struct err ignored = ERR_INIT;
	const char *name;
	AUTO(close) int dir = posix_parent(c, key, &name, &ignored);
	struct stat now;

	if (dir == -1 || !look(dir, name, &now) || !is_same_file(&now, that))
		return 0;
	posix_names_look(c, dir, name);
	return posix_spelled(c, dir, name, e) == -1 ? -1 : 1;
}

int
posix_link(struct session *c, const char *key, const char *existing,
    const struct item_stat *st, const struct store_stat *was,
    struct store_receipt *out, struct err *e)
{
	const char *name, *from_name;
	AUTO(close) int from = posix_parent(c, existing, &from_name, e);
	AUTO(close) int dir = -1;
	struct stat that;
	int there;

	(void)st;
	if (from == -1) {
		/* Behind a file or a link there is nothing of ours. */
		if (e->kind == ERR_EXISTS)
			e->kind = ERR_NOTFOUND;
		return -1;
	}
	if (fstatat(from, from_name, &that, AT_SYMLINK_NOFOLLOW) == -1)
		return err_sys(e, "stat");
	if (!S_ISREG(that.st_mode))
		return err_set(
		    e, ERR_MISMATCH, "is another kind of file at the target");
	if (posix_check_was(&that, was, e) == -1)
		return -1;
	/* A rename onto another name of the same file would do nothing. */
	there = is_there(c, key, &that, e);
	if (there == 0) {
		dir = posix_parent_made(c, key, &name, e);
		if (dir == -1 ||
		    posix_names_check(
			posix_store_of(c), name, strlen(name), e) == -1 ||
		    link_as(c, from, from_name, &that, dir, name, e) == -1)
			return -1;
	}
	if (there == -1)
		return -1;
	*out = (struct store_receipt){.proved = true, .was_there = there};
	return 0;
}
