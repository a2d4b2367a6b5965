/* SPDX-License-Identifier: ISC */
/*
 * What names the target's file system takes, and for one and the same: found
 * by trying, as it depends on the mount, the server and its settings as well.
 *
 * Where case is folded (FAT, SMB shares, ext4 directories with +F) two items
 * of the source may be one at the target.  The first to come stays; whatever
 * would go to another spelling of its name is refused.  Only there a directory
 * is read for each name that is taken already.
 */
#include "config.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "transfer/posix/internal.h"

/* What some file systems refuse; a space and a dot: at the end. */
static const char suspects[] = "\"*:<>?\\|\x01\xff .";

/* Whether a file NAME can be made in DIR_FD; it is removed. */
static bool
can_be_made(int dir_fd, const char *name, bool *refused)
{
	AUTO(close)
	int fd = openat(dir_fd, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	*refused = fd == -1 && (errno == EINVAL || errno == EILSEQ);
	if (fd == -1)
		return false;
	unlinkat(dir_fd, name, 0);
	return true;
}

static bool
folds_case(int dir_fd, const char *name)
{
	char upper[TEMP_NAME_SIZE];
	bool folds = false;
	struct stat a, b;
	size_t i;
	int fd;

	for (i = 0; name[i] != '\0'; i++)
		upper[i] = (char)toupper((unsigned char)name[i]);
	upper[i] = '\0';
	fd = openat(dir_fd, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return false;
	folds = fstat(fd, &a) == 0 &&
	    fstatat(dir_fd, upper, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	    a.st_ino == b.st_ino;
	close(fd);
	unlinkat(dir_fd, name, 0);
	return folds;
}

static void
try_names(struct posix_store *s, int dir_fd)
{
	char name[TEMP_NAME_SIZE], odd[TEMP_NAME_SIZE + 2];
	long max = fpathconf(dir_fd, _PC_NAME_MAX);
	size_t i, n = 0;
	bool refused;

	if (max > 0 && max < NAME_MAX)
		atomic_store(&s->name_max, (unsigned)max);
	temp_fixed_name(s->owner, name);
	unlinkat(dir_fd, name, 0); /* what a killed run left */
	if (folds_case(dir_fd, name))
		atomic_store(&s->folds, true);
	if (s->knows_holes) /* a file system that is known to take all */
		return;
	for (i = 0; suspects[i] != '\0'; i++) {
		snprintf(odd, sizeof(odd), "%s%c", name, suspects[i]);
		unlinkat(dir_fd, odd, 0);
		can_be_made(dir_fd, odd, &refused);
		if (refused)
			s->forbidden[n++] = suspects[i];
	}
	atomic_store(&s->forbids, n > 0);
}

void
posix_names_try(struct session *c, int dir_fd)
{
	struct posix_store *s = posix_store_of(c);

	if (atomic_load_explicit(&s->names_known, memory_order_acquire))
		return;
	pthread_mutex_lock(&s->names);
	if (!atomic_load(&s->names_known)) {
		try_names(s, dir_fd);
		atomic_store(&s->names_known, true);
	}
	pthread_mutex_unlock(&s->names);
}

void
posix_names_look(struct session *c, int dir_fd, const char *name)
{
	struct posix_store *s = posix_store_of(c);
	char other[NAME_MAX + 1];
	struct stat a, b;
	size_t i, n = strlen(name);

	if (atomic_load(&s->names_known) || n >= sizeof(other))
		return;
	for (i = 0; i <= n; i++)
		other[i] = (char)(islower((unsigned char)name[i])
			? toupper((unsigned char)name[i])
			: tolower((unsigned char)name[i]));
	if (strcmp(other, name) != 0 &&
	    fstatat(dir_fd, name, &a, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstatat(dir_fd, other, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	    a.st_dev == b.st_dev && a.st_ino == b.st_ino)
		atomic_store(&s->folds, true);
}

int
posix_names_check(
    const struct posix_store *s, const char *p, size_t n, struct err *e)
{
	size_t i;

	if (n > atomic_load(&s->name_max))
		return err_set(e, ERR_NAME,
		    "a component of %zu bytes: the most is %u", n,
		    atomic_load(&s->name_max));
	if (!atomic_load(&s->forbids))
		return 0;
	for (i = 0; s->forbidden[i] != '\0'; i++) {
		char bad = s->forbidden[i];
		bool at_end = bad == '.' || bad == ' ';
		char shown[16];

		if (at_end ? p[n - 1] != bad : memchr(p, bad, n) == NULL)
			continue;
		return err_set(e, ERR_NAME,
		    "the target's file system takes no \"%s\"%s in a name",
		    text_escaped(&bad, 1, shown, sizeof(shown)),
		    at_end ? " at the end" : "");
	}
	return 0;
}

/* The name that the file of inode INO has in DIR_FD.  1 if it is NAME, 0 if
 * it is the one in OUT, -1 if there is none. */
static int
spelling(int dir_fd, const char *name, ino_t ino, char *out, size_t size)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd != -1 ? fdopendir(fd) : NULL;
	struct dirent *de;
	int found = -1;

	if (d == NULL) {
		if (fd != -1)
			close(fd);
		return -1;
	}
	while (found != 1 && (de = readdir(d)) != NULL) {
		if (strcmp(de->d_name, name) == 0) {
			found = 1;
		} else if (de->d_ino == ino) {
			snprintf(out, size, "%s", de->d_name);
			found = 0;
		}
	}
	closedir(d);
	return found;
}

int
posix_spelled(struct session *c, int dir_fd, const char *name, struct err *e)
{
	char other[256 * 4], shown[300];
	struct stat st;

	if (!atomic_load(&posix_store_of(c)->folds) ||
	    fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    spelling(dir_fd, name, st.st_ino, other, sizeof(other)) != 0)
		return 0;
	return err_set(e, ERR_NAME,
	    "differs only in case from \"%s\", which is at the target, and "
	    "its file system takes both for one: rename or exclude one",
	    text_escaped(other, strlen(other), shown, sizeof(shown)));
}

int
posix_spelled_path(struct session *c, int root, char *dir, struct err *e)
{
	AUTO(close) int at = -1;
	char *p = dir;

	if (!atomic_load(&posix_store_of(c)->folds))
		return 0;
	while (*p != '\0') {
		size_t n = strcspn(p, "/");
		char was = p[n];
		int from = at != -1 ? at : root, next, rc;

		p[n] = '\0';
		rc = posix_spelled(c, from, p, e);
		next = openat(
		    from, p, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		p[n] = was;
		if (at != -1)
			close(at);
		at = next;
		if (rc == -1)
			return err_context(e, "%.*s", (int)n, p);
		if (next == -1)
			return 0;
		p += n + (was != '\0');
	}
	return 0;
}
