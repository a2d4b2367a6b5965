/* SPDX-License-Identifier: ISC */
/*
 * A file system with faults and habits of its own, made of a directory of the
 * real one: loaded with LD_PRELOAD, it stands between a program and libc.
 *
 *	ODDFS_ROOT=/dir		below it, what follows holds
 *	ODDFS_FAULTS="OP:ERRNO:NTH[:COUNT] ..."
 *		the NTH call of OP fails (COUNT of them, 0: all from then on);
 *		OP is open write fsync close rename read stat chown clone
 *	ODDFS_FOLD=1		names are found whatever their case is
 *	ODDFS_FORBID=":?"	no name has one of these
 *	ODDFS_WRITE_MS=50	each write takes so long
 *	ODDFS_LOG=/file		a line for each fault that was given
 *
 * A fault of close closes.  openat2 is not there.
 */
#include "config.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The real one of what is wrapped, which has its type. */
#define REAL(name) ((__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name))

#define RULES_MAX 16

static struct rule {
	char op[16];
	int error;
	long nth, count;
	atomic_long seen;
} rules[RULES_MAX];
static size_t rules_n;
static const char *root, *forbid, *log_path;
static bool fold;
static unsigned write_ms;

__attribute__((constructor)) static void
begin(void)
{
	const char *p = getenv("ODDFS_FAULTS");

	root = getenv("ODDFS_ROOT");
	forbid = getenv("ODDFS_FORBID");
	log_path = getenv("ODDFS_LOG");
	fold = getenv("ODDFS_FOLD") != NULL;
	if (getenv("ODDFS_WRITE_MS") != NULL)
		write_ms =
		    (unsigned)strtoul(getenv("ODDFS_WRITE_MS"), NULL, 10);
	while (p != NULL && *p != '\0' && rules_n < RULES_MAX) {
		struct rule *r = &rules[rules_n];

		r->count = 1;
		if (sscanf(p, "%15[a-z]:%d:%ld:%ld", r->op, &r->error, &r->nth,
			&r->count) >= 3)
			rules_n++;
		p += strcspn(p, " ");
		p += strspn(p, " ");
	}
}

/* Whether FD is the root or below it. */
static bool
is_ours(int fd)
{
	char proc[40], path[PATH_MAX];
	ssize_t n;
	size_t len;

	if (root == NULL || fd < 0)
		return false;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	n = readlink(proc, path, sizeof(path) - 1);
	if (n == -1)
		return false;
	path[n] = '\0';
	len = strlen(root);
	return strncmp(path, root, len) == 0 &&
	    (path[len] == '/' || path[len] == '\0');
}

static void
tell(const struct rule *r)
{
	char line[80];
	int fd, n;

	if (log_path == NULL)
		return;
	fd = (int)syscall(SYS_openat, AT_FDCWD, log_path,
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	n = snprintf(line, sizeof(line), "%s %d\n", r->op, r->error);
	if (fd == -1 || syscall(SYS_write, fd, line, n) != n)
		abort();
	syscall(SYS_close, fd);
}

/* Whether OP on FD is to fail; errno is why. */
static bool
fails(const char *op, int fd)
{
	size_t i;

	for (i = 0; i < rules_n; i++) {
		struct rule *r = &rules[i];
		long n;

		if (strcmp(r->op, op) != 0 || !is_ours(fd))
			continue;
		n = atomic_fetch_add(&r->seen, 1) + 1;
		if (n < r->nth || (r->count > 0 && n >= r->nth + r->count))
			continue;
		tell(r);
		errno = r->error;
		return true;
	}
	return false;
}

static bool
is_forbidden(int dir_fd, const char *name)
{
	if (forbid == NULL || strpbrk(name, forbid) == NULL || !is_ours(dir_fd))
		return false;
	errno = EINVAL;
	return true;
}

/* NAME as it is spelled in DIR_FD, where that is there in any case. */
static const char *
spelled(int dir_fd, const char *name, char out[NAME_MAX + 1])
{
	struct dirent *de;
	DIR *d;
	int fd;

	if (!fold || strchr(name, '/') != NULL || !is_ours(dir_fd))
		return name;
	fd = (int)syscall(
	    SYS_openat, dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd != -1 ? fdopendir(fd) : NULL;
	if (d == NULL)
		return name;
	while ((de = readdir(d)) != NULL)
		if (strcasecmp(de->d_name, name) == 0) {
			snprintf(out, NAME_MAX + 1, "%s", de->d_name);
			name = out;
			break;
		}
	closedir(d);
	return name;
}

long
syscall(long number, ...)
{
	long a[6];
	va_list ap;
	size_t i;

	if (number == SYS_openat2) {
		errno = ENOSYS;
		return -1;
	}
	va_start(ap, number);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int
openat(int dir_fd, const char *name, int flags, ...)
{
	char other[NAME_MAX + 1];
	mode_t mode = 0;
	va_list ap;

	if ((flags & O_CREAT) != 0) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
		if (is_forbidden(dir_fd, name))
			return -1;
	}
	if ((flags & O_DIRECTORY) == 0 && fails("open", dir_fd))
		return -1;
	return REAL(openat)(dir_fd, spelled(dir_fd, name, other), flags, mode);
}

int
fstatat(int dir_fd, const char *name, struct stat *st, int flags)
{
	char other[NAME_MAX + 1];

	if (fails("stat", dir_fd))
		return -1;
	return REAL(fstatat)(dir_fd, spelled(dir_fd, name, other), st, flags);
}

int
mkdirat(int dir_fd, const char *name, mode_t mode)
{
	char other[NAME_MAX + 1];

	if (is_forbidden(dir_fd, name))
		return -1;
	return REAL(mkdirat)(dir_fd, spelled(dir_fd, name, other), mode);
}

int
renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	char other[NAME_MAX + 1];

	if (is_forbidden(to_fd, to) || fails("rename", to_fd))
		return -1;
	return REAL(renameat)(from_fd, from, to_fd, spelled(to_fd, to, other));
}

int
renameat2(
    int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	char other[NAME_MAX + 1];

	if (is_forbidden(to_fd, to) || fails("rename", to_fd))
		return -1;
	return REAL(renameat2)(
	    from_fd, from, to_fd, spelled(to_fd, to, other), flags);
}

int
unlinkat(int dir_fd, const char *name, int flags)
{
	char other[NAME_MAX + 1];

	return REAL(unlinkat)(dir_fd, spelled(dir_fd, name, other), flags);
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t offset)
{
	if (write_ms > 0 && is_ours(fd))
		usleep(write_ms * 1000);
	return fails("write", fd) ? -1 : REAL(pwrite)(fd, data, len, offset);
}

ssize_t
pread(int fd, void *data, size_t len, off_t offset)
{
	return fails("read", fd) ? -1 : REAL(pread)(fd, data, len, offset);
}

int
fsync(int fd)
{
	return fails("fsync", fd) ? -1 : REAL(fsync)(fd);
}

int
fdatasync(int fd)
{
	return fails("fsync", fd) ? -1 : REAL(fdatasync)(fd);
}

int
syncfs(int fd)
{
	return fails("fsync", fd) ? -1 : REAL(syncfs)(fd);
}

int
fchown(int fd, uid_t uid, gid_t gid)
{
	return fails("chown", fd) ? -1 : REAL(fchown)(fd, uid, gid);
}

int
ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	return fails("clone", fd) ? -1 : REAL(ioctl)(fd, request, arg);
}

int
close(int fd)
{
	struct stat st;
	bool file = rules_n > 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);

	if (file && fails("close", fd)) {
		int why = errno;

		REAL(close)(fd);
		errno = why;
		return -1;
	}
	return REAL(close)(fd);
}
