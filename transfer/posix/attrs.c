/* SPDX-License-Identifier: ISC */
/*
 * Extended attributes and ACLs of files, as Linux has them.  Of a directory or
 * symbolic link that isn't open for reading they are had through
 * /proc/self/fd, which leads to what was opened and nowhere else.
 * https://man7.org/linux/man-pages/man7/xattr.7.html
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "transfer/posix/internal.h"

/* What Linux gives at most: of names, and as one value. */
#define NAMES_MAX ((size_t)64 << 10)
#define VALUE_MAX ((size_t)64 << 10)
#define LABEL "security.selinux"

/* A file, or by its PATH what FD (O_PATH) stands for. */
struct place {
	int fd;
	bool by_path;
	char path[32];
	bool opened; /* opened_up() has */
	mode_t mode; /* what it had before */
};

struct posix_scratch {
	char names[NAMES_MAX];
	uint8_t value[VALUE_MAX];
};

static struct place
place_of(int fd, bool by_path)
{
	struct place at = {.fd = fd, .by_path = by_path};

	if (by_path)
		snprintf(at.path, sizeof(at.path), "/proc/self/fd/%d", fd);
	return at;
}

static ssize_t
list(const struct place *at, char *names)
{
	return at->by_path ? listxattr(at->path, names, NAMES_MAX)
			   : flistxattr(at->fd, names, NAMES_MAX);
}

static ssize_t
get(const struct place *at, const char *name, void *value)
{
	return at->by_path ? getxattr(at->path, name, value, VALUE_MAX)
			   : fgetxattr(at->fd, name, value, VALUE_MAX);
}

static int
set(const struct place *at, const struct attr *a)
{
	return at->by_path ? setxattr(at->path, a->name, a->value, a->len, 0)
			   : fsetxattr(at->fd, a->name, a->value, a->len, 0);
}

static int
take_away(const struct place *at, const char *name)
{
	return at->by_path ? removexattr(at->path, name)
			   : fremovexattr(at->fd, name);
}

static bool
has_none(int sys)
{
	return sys == ENOTSUP || sys == ENOSYS;
}

/* Where /proc isn't mounted there is no way to them. */
static int
failed(const struct place *at, const char *what, struct err *e)
{
	if (at->by_path && errno == ENOENT)
		return err_set(e, ERR_SYS,
		    "%s: needs /proc, which is not mounted here", what);
	return err_sys(e, "%s", what);
}

/* All but root sees of others than user.* what it could never set. */
static bool
is_ours(const char *name, unsigned kinds)
{
	unsigned kind = attrs_kind(name);

	return (kind & kinds) != 0 &&
	    (kind == ATTRS_ACLS || geteuid() == 0 ||
		strncmp(name, "user.", 5) == 0);
}

static struct posix_scratch *
scratch_of(struct session *base, struct err *e)
{
	struct posix_session *c = posix_session_of(base);

	if (c->scratch == NULL)
		c->scratch = malloc(sizeof(*c->scratch));
	if (c->scratch == NULL)
		err_set(e, ERR_NOMEM, "out of memory");
	return c->scratch;
}

/* The names, each with a NUL behind; how many bytes of them. */
static int
names_of(
    const struct place *at, struct posix_scratch *s, size_t *len, struct err *e)
{
	ssize_t n = list(at, s->names);

	if (n == -1 && !has_none(errno))
		return failed(at, "list extended attributes", e);
	*len = n > 0 ? (size_t)n : 0;
	return 0;
}

struct attrs *
posix_attrs_read(struct session *c, int fd, bool by_path, struct err *e)
{
	struct posix_scratch *s = scratch_of(c, e);
	unsigned kinds = posix_store_of(c)->attrs;
	AUTO(attrs) struct attrs *a = NULL;
	struct place at = place_of(fd, by_path);
	const char *name;
	size_t len;

	if (s == NULL || names_of(&at, s, &len, e) == -1 ||
	    (a = attrs_new(kinds, e)) == NULL)
		return NULL;
	for (name = s->names; name < s->names + len; name += strlen(name) + 1) {
		ssize_t n;

		if (!is_ours(name, kinds))
			continue;
		n = get(&at, name, s->value);
		if (n == -1 && (errno == ENODATA || has_none(errno)))
			continue;
		if (n == -1) {
			failed(&at, "read an extended attribute", e);
			return NULL;
		}
		if (attrs_add(a, name, s->value, (size_t)n, e) == -1)
			return NULL;
	}
	return TAKE(a);
}

int
posix_attrs(struct session *c, const char *key, enum item_type type,
    struct attrs **out, struct err *e)
{
	bool follow = posix_store_of(c)->follow_links;
	int flags = O_PATH | (follow && type != ITEM_SYMLINK ? 0 : O_NOFOLLOW);
	AUTO(close) int fd = posix_open_key(c, key, flags, e);
	struct item_stat st;
	struct attrs *a;

	if (fd == -1 || posix_state_of(fd, type, &st, e) == -1)
		return -1;
	a = posix_attrs_read(c, fd, true, e);
	if (a == NULL)
		return -1;
	*out = a;
	return 0;
}

/* Why it wasn't set, if the item may be there without it. */
static const char *
why_not(int sys)
{
	switch (sys) {
	case ENOTSUP:
	case ENOSYS:
		return "its file system takes none, or not of that kind";
	case EPERM:
	case EACCES:
		return "not all of them may be set by this user (trusted.* and "
		       "security.*: by root only)";
	case ENOSPC:
	case EDQUOT:
	case E2BIG:
	case ERANGE:
		return "too big for its file system";
	case EINVAL:
		return "the kernel doesn't take them";
	default:
		return NULL;
	}
}

/* A file of ours that its mode closes is opened for that long. */
static bool
opened_up(struct place *at)
{
	int sys = errno;
	struct stat st;

	if (sys == EACCES && !at->by_path && !at->opened &&
	    fstat(at->fd, &st) == 0 && (st.st_mode & S_IWUSR) == 0) {
		at->mode = st.st_mode & 07777;
		at->opened = fchmod(at->fd, at->mode | S_IWUSR) == 0;
		errno = sys;
		return at->opened;
	}
	errno = sys;
	return false;
}

/* Whether it has that value already: some may be read only. */
static bool
is_there(const struct place *at, const struct attr *a, struct posix_scratch *s)
{
	int sys = errno;
	ssize_t n = get(at, a->name, s->value);
	bool same = n != -1 && (size_t)n == a->len &&
	    memcmp(s->value, a->value, a->len) == 0;

	errno = sys;
	return same;
}

/* The label is given by the system where it isn't ours to give. */
static bool
may_lack(const char *name)
{
	return strcmp(name, LABEL) == 0;
}

/* Why attributes of each kind aren't there; NULL: they are. */
struct lacking {
	const char *xattr, *acl;
};

/* NAME wasn't set or removed, and errno says why: 0 if that may be. */
static int
refused(struct lacking *l, const struct place *at, const char *name,
    const char *what, struct err *e)
{
	const char *why = why_not(errno);

	if (why == NULL)
		return failed(at, what, e);
	if (attrs_kind(name) == ATTRS_ACLS)
		l->acl = why;
	else if (!may_lack(name))
		l->xattr = why;
	return 0;
}

/* What is there, of KINDS, and not in WANT, goes. */
static int
take_the_rest(struct place *at, const struct attrs *want, unsigned kinds,
    struct posix_scratch *s, struct lacking *l, struct err *e)
{
	const char *name;
	size_t len;

	if (names_of(at, s, &len, e) == -1)
		return -1;
	for (name = s->names; name < s->names + len; name += strlen(name) + 1) {
		if (!is_ours(name, kinds) || may_lack(name) ||
		    attrs_find(want, name) != NULL)
			continue;
		if (take_away(at, name) == 0 || errno == ENODATA ||
		    (opened_up(at) && take_away(at, name) == 0))
			continue;
		if (refused(l, at, name, "remove an extended attribute", e) ==
		    -1)
			return -1;
	}
	return 0;
}

/* Makes those of KINDS what WANT says, as far as can be. */
static int
make_like(struct place *at, const struct attrs *want, unsigned kinds,
    struct posix_scratch *s, struct lacking *l, struct err *e)
{
	size_t i;

	if (take_the_rest(at, want, kinds, s, l, e) == -1)
		return -1;
	for (i = 0; i < want->n; i++) {
		const struct attr *a = &want->each[i];

		if ((attrs_kind(a->name) & kinds) == 0 || set(at, a) == 0 ||
		    (opened_up(at) && set(at, a) == 0) || is_there(at, a, s))
			continue;
		if (refused(l, at, a->name, "set an extended attribute", e) ==
		    -1)
			return -1;
	}
	return 0;
}

int
posix_attrs_set(struct session *c, int fd, bool by_path,
    const struct attrs *want, struct err *e)
{
	unsigned kinds = want->kinds & posix_store_of(c)->attrs;
	struct place at = place_of(fd, by_path);
	struct posix_scratch *s = NULL;
	struct lacking l = {NULL, NULL};
	int rc;

	if (kinds == 0)
		return 0;
	if ((s = scratch_of(c, e)) == NULL)
		return -1;
	rc = make_like(&at, want, kinds, s, &l, e);
	if (at.opened && fchmod(fd, at.mode) == -1 && rc == 0)
		rc = err_sys(e, "chmod");
	if (rc == 0 && l.xattr != NULL)
		store_lacks(c->store, STORE_LACK_XATTR, l.xattr);
	if (rc == 0 && l.acl != NULL)
		store_lacks(c->store, STORE_LACK_ACL, l.acl);
	return rc;
}
