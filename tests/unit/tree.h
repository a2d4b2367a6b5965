/* SPDX-License-Identifier: ISC */
/* A directory of its own for a test, and what it takes to fill it. */
#ifndef TESTS_UNIT_TREE_H
#define TESTS_UNIT_TREE_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char tree_path[4096];

/* Removes all below DIR_FD, by descriptor; paths may be too long. */
static inline void
tree_clear(int dir_fd)
{
	DIR *d = fdopendir(dup(dir_fd));
	struct dirent *de;

	if (d == NULL)
		return;
	rewinddir(d);
	while ((de = readdir(d)) != NULL) {
		if (strcmp(de->d_name, ".") == 0 ||
		    strcmp(de->d_name, "..") == 0)
			continue;
		if (unlinkat(dir_fd, de->d_name, 0) == -1) {
			int fd = openat(dir_fd, de->d_name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			if (fd != -1) {
				tree_clear(fd);
				close(fd);
			}
			unlinkat(dir_fd, de->d_name, AT_REMOVEDIR);
		}
	}
	closedir(d);
}

/* Makes an empty directory and returns a descriptor of it. */
static inline int
tree_begin(void)
{
	const char *tmp = getenv("TMPDIR");
	int fd;

	snprintf(tree_path, sizeof(tree_path), "%s/dray-test-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(tree_path) == NULL) {
		perror(tree_path);
		exit(99);
	}
	fd = open(tree_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1) {
		perror(tree_path);
		exit(99);
	}
	return fd;
}

static inline void
tree_end(int fd)
{
	tree_clear(fd);
	close(fd);
	rmdir(tree_path);
}

static inline void
tree_file(int fd, const char *name, const char *text)
{
	int f =
	    openat(fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (f == -1 || write(f, text, strlen(text)) != (ssize_t)strlen(text)) {
		perror(name);
		exit(99);
	}
	close(f);
}

static inline void
tree_dir(int fd, const char *name)
{
	if (mkdirat(fd, name, 0755) == -1) {
		perror(name);
		exit(99);
	}
}

static inline void
tree_link(int fd, const char *name, const char *target)
{
	if (symlinkat(target, fd, name) == -1) {
		perror(name);
		exit(99);
	}
}

/* A chain of DEPTH directories of LEN bytes each; the innermost's fd. */
static inline int
tree_deep(int fd, unsigned depth, size_t len, char *path)
{
	char name[256];
	int at = dup(fd);

	memset(name, 'd', len);
	name[len] = '\0';
	*path = '\0';
	while (depth-- > 0) {
		int next;

		tree_dir(at, name);
		next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = next;
		memcpy(path, name, len);
		path += len;
		*path = depth > 0 ? '/' : '\0';
		path += depth > 0;
	}
	return at;
}

static inline unsigned
open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (d != NULL && readdir(d) != NULL)
		n++;
	if (d != NULL)
		closedir(d);
	return n;
}

#endif
