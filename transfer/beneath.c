/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef HAVE_LINUX_OPENAT2_H
#include <linux/openat2.h>
#endif

#include "base/auto.h"
#include "transfer/beneath.h"

/* Pieces leave room for the NUL that PATH_MAX counts. */
#define PIECE_MAX ((size_t)PATH_MAX - 1)

enum { WAY_UNKNOWN, WAY_OPENAT2, WAY_COMPONENTS };

static atomic_int way;

void
beneath_force_fallback(int on)
{
	atomic_store(&way, on ? WAY_COMPONENTS : WAY_UNKNOWN);
}

#if defined(HAVE_LINUX_OPENAT2_H) && defined(SYS_openat2)
static int
openat2_beneath(int dir_fd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
	    .flags = (unsigned)(flags | O_CLOEXEC),
	    .mode = (flags & O_CREAT) != 0 ? mode : 0,
	    .resolve =
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	/* NO_SYMLINKS says ELOOP for a link at the end; with O_NOFOLLOW the
	 * kernel would say ENOTDIR for some of them. */
	if ((flags & O_PATH) == 0)
		how.flags &= ~(unsigned long long)O_NOFOLLOW;
	return (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
}
#else
static int
openat2_beneath(int dir_fd, const char *path, int flags, mode_t mode)
{
	(void)dir_fd;
	(void)path;
	(void)flags;
	(void)mode;
	errno = ENOSYS;
	return -1;
}
#endif

/* Old kernels don't know the call; some container rules answer EPERM to it,
 * which a file may do as well.  Asked once, for what can't be refused. */
static int
way_to_go(int root_fd)
{
	int w = atomic_load_explicit(&way, memory_order_relaxed);

	if (w == WAY_UNKNOWN) {
		AUTO(close) int fd = openat2_beneath(root_fd, ".", O_PATH, 0);

		w = fd == -1 && (errno == ENOSYS || errno == EPERM)
		    ? WAY_COMPONENTS
		    : WAY_OPENAT2;
		atomic_store(&way, w);
	}
	return w;
}

/* openat() of one component, which says ELOOP wherever that is a symlink. */
static int
open_component(int dir_fd, const char *name, int flags, mode_t mode)
{
	AUTO(close)
	int fd = openat(dir_fd, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
	struct stat st;

	if (fd == -1) {
		if (errno != ENOTDIR)
			return -1;
		if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISLNK(st.st_mode))
			errno = ELOOP;
		else
			errno = ENOTDIR;
		return -1;
	}
	/* O_PATH opens the link itself. */
	if ((flags & O_PATH) != 0 && (flags & O_NOFOLLOW) == 0) {
		if (fstat(fd, &st) == -1)
			return -1;
		if (S_ISLNK(st.st_mode)) {
			errno = ELOOP;
			return -1;
		}
	}
	return take_fd(&fd);
}

static int
open_by_components(int dir_fd, char *path, int flags, mode_t mode)
{
	AUTO(close) int held = -1;
	char *name = path;
	int at = dir_fd;

	for (;;) {
		char *slash = strchr(name, '/');
		int fd;

		if (slash == NULL)
			return open_component(at, name, flags, mode);
		*slash = '\0';
		fd = open_component(at, name, O_PATH | O_DIRECTORY, 0);
		if (fd == -1)
			return -1;
		if (held != -1)
			close(held);
		at = held = fd;
		name = slash + 1;
	}
}

/*
 * Copies PATH without "." and empty components, so that both ways see the
 * same.  False with EXDEV where it is absolute or has a "..".
 */
static bool
tidy(const char *path, char *out)
{
	char *o = out;

	errno = EXDEV;
	if (path[0] == '/')
		return false;
	while (*path != '\0') {
		size_t n = strcspn(path, "/");

		if (n == 2 && memcmp(path, "..", 2) == 0)
			return false;
		if (n > 0 && !(n == 1 && path[0] == '.')) {
			if (o > out)
				*o++ = '/';
			memcpy(o, path, n);
			o += n;
		}
		path += n;
		path += strspn(path, "/");
	}
	*o = '\0';
	if (o == out)
		memcpy(out, ".", 2);
	return true;
}

/* PATH is tidy, and is cut into pieces in place. */
static int
open_tidy(int root_fd, char *path, int flags, mode_t mode)
{
	AUTO(close) int held = -1;
	size_t len = strlen(path);
	int at = root_fd;

	if (way_to_go(root_fd) == WAY_COMPONENTS)
		return open_by_components(root_fd, path, flags, mode);
	while (len > PIECE_MAX) {
		char *cut = memrchr(path, '/', PIECE_MAX + 1);
		int fd;

		if (cut == NULL) {
			errno = ENAMETOOLONG;
			return -1;
		}
		*cut = '\0';
		fd = openat2_beneath(at, path, O_PATH | O_DIRECTORY, 0);
		if (fd == -1)
			return -1;
		if (held != -1)
			close(held);
		at = held = fd;
		len -= (size_t)(cut + 1 - path);
		path = cut + 1;
	}
	return openat2_beneath(at, path, flags, mode);
}

int
beneath_open(int root_fd, const char *path, int flags, mode_t mode)
{
	size_t len = strlen(path);
	AUTO(free) char *big = NULL;
	char small[1024];
	char *copy = small;

	if (len > 0 && path[len - 1] == '/')
		flags |= O_DIRECTORY;
	if (len + 2 > sizeof(small)) {
		copy = big = malloc(len + 2);
		if (big == NULL)
			return -1;
	}
	if (!tidy(path, copy))
		return -1;
	return open_tidy(root_fd, copy, flags, mode);
}

int
beneath_parent(int root_fd, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	const char *last = slash != NULL ? slash + 1 : path;
	AUTO(free) char *dir = NULL;
	int fd;

	if (last[0] == '\0' || strcmp(last, ".") == 0 ||
	    strcmp(last, "..") == 0) {
		errno = EINVAL;
		return -1;
	}
	if (slash == path) {
		errno = EXDEV;
		return -1;
	}
	dir = strndup(path, slash != NULL ? (size_t)(slash - path) : 0);
	if (dir == NULL)
		return -1;
	fd = beneath_open(root_fd, dir, O_PATH | O_DIRECTORY, 0);
	if (fd != -1)
		*name = last;
	return fd;
}
