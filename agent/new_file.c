/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/account.h"
#include "agent/new_file.h"
#include "base/auto.h"

#define SYSTEM_DIR "/etc/dray/"

static int
make_dirs(const char *dir, struct err *e)
{
	AUTO(free) char *copy = strdup(dir);
	char *p;

	if (copy == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (p = strchr(copy + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(copy, 0755);
		*p = '/';
	}
	if (mkdir(copy, 0755) == -1 && errno != EEXIST)
		return err_sys(e, "%s", dir);
	return 0;
}

static int
fill(int fd, const struct buf *text)
{
	size_t done = 0;

	while (done < text->len) {
		ssize_t n = write(fd, text->data + done, text->len - done);

		if (n == -1)
			return -1;
		done += (size_t)n;
	}
	return fsync(fd);
}

/* Under a temporary name first, which nobody reads. */
static int
write_in(const char *dir, const char *path, const struct buf *text, mode_t mode,
    gid_t group, struct err *e)
{
	AUTO(buf) struct buf temp = BUF_INIT(1 << 16);
	AUTO(close) int fd = -1, dir_fd = -1;
	int rc = 0;

	buf_addf(&temp, "%s/.new.%ld", dir, (long)getpid());
	if (buf_failed(&temp))
		return err_set(e, ERR_NOMEM, "out of memory");
	/* Nobody else's before it has its group. */
	fd =
	    open(buf_str(&temp), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		return err_sys(e, "%s", buf_str(&temp));
	if (fchown(fd, (uid_t)-1, group) == -1 || fchmod(fd, mode) == -1 ||
	    fill(fd, text) == -1)
		rc = err_sys(e, "%s", buf_str(&temp));
	else if (link(buf_str(&temp), path) == -1)
		rc = errno == EEXIST
		    ? err_set(e, ERR_EXISTS,
			  "%s is there already: change it, or remove it first",
			  path)
		    : err_sys(e, "%s", path);
	unlink(buf_str(&temp));
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (rc == 0 && (dir_fd == -1 || fsync(dir_fd) == -1))
		rc = err_sys(e, "%s", dir);
	return rc;
}

int
new_file_write(const char *path, const struct buf *text, mode_t mode,
    gid_t group, struct err *e)
{
	const char *slash = strrchr(path, '/');
	AUTO(free)
	char *dir =
	    slash != NULL ? strndup(path, (size_t)(slash - path)) : strdup(".");

	if (dir == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (make_dirs(dir, e) == -1)
		return -1;
	return write_in(dir, path, text, mode, group, e);
}

gid_t
new_file_group(const char *path)
{
	gid_t group;

	if (geteuid() == 0 &&
	    strncmp(path, SYSTEM_DIR, strlen(SYSTEM_DIR)) == 0 &&
	    account_group(ACCOUNT_SERVICE, &group))
		return group;
	return NEW_FILE_GROUP_KEPT;
}
