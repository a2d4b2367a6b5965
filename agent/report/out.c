/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/report/out.h"
#include "base/buf.h"

#define OUT_BUFFER ((size_t)256 << 10)

struct out {
	FILE *f;
	char *path; /* NULL: standard output */
	char *temp; /* to be removed, or NULL */
};

/* What is no plain file (/dev/stdout, a pipe) is written to as it is. */
static int
open_file(struct out *o, struct err *e)
{
	AUTO(buf) struct buf temp = BUF_INIT(1 << 16);
	struct stat st;
	int fd;

	if (stat(o->path, &st) == 0 && S_ISDIR(st.st_mode))
		return err_set(
		    e, ERR_CONFIG, "%s is a directory: name a file", o->path);
	if (stat(o->path, &st) == 0 && !S_ISREG(st.st_mode)) {
		fd = open(o->path, O_WRONLY | O_CLOEXEC);
	} else {
		buf_addf(&temp, "%s.dray-%ld", o->path, (long)getpid());
		o->temp = buf_take(&temp);
		if (o->temp == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		/* Left by a process that was killed, if it is there. */
		unlink(o->temp);
		fd = open(
		    o->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	}
	if (fd == -1)
		return err_sys(e, "report file %s", o->path);
	o->f = fdopen(fd, "w");
	if (o->f == NULL) {
		close(fd);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	setvbuf(o->f, NULL, _IOFBF, OUT_BUFFER);
	return 0;
}

struct out *
out_open(const char *path, struct err *e)
{
	AUTO(out) struct out *o = calloc(1, sizeof(*o));

	if (o == NULL || (path != NULL && (o->path = strdup(path)) == NULL)) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (path == NULL)
		o->f = stdout;
	else if (open_file(o, e) == -1)
		return NULL;
	return TAKE(o);
}

static int
failed(const struct out *o, struct err *e)
{
	if (o->path != NULL)
		return err_sys(e, "report file %s", o->path);
	if (errno == EPIPE)
		return err_set(e, ERR_STOPPED, "the reader has left");
	return err_sys(e, "standard output");
}

int
out_write(struct out *o, const void *p, size_t n, struct err *e)
{
	if (n > 0 && fwrite(p, 1, n, o->f) != n)
		return failed(o, e);
	return 0;
}

/* The name lasts, too. */
static int
sync_directory(const char *path, struct err *e)
{
	AUTO(free) char *dir = strdup(path);
	char *slash = dir != NULL ? strrchr(dir, '/') : NULL;
	AUTO(close) int fd = -1;

	if (dir == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (slash != NULL)
		slash[slash == dir] = '\0';
	fd =
	    open(slash != NULL ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Some file systems can't: then the name is as safe as it gets. */
	if (fd == -1 || (fsync(fd) == -1 && errno != EINVAL))
		return err_sys(e, "directory of the report %s", path);
	return 0;
}

int
out_commit(struct out *o, struct err *e)
{
	if (fflush(o->f) == EOF)
		return failed(o, e);
	if (o->temp == NULL)
		return 0;
	if (fsync(fileno(o->f)) == -1 || rename(o->temp, o->path) == -1)
		return failed(o, e);
	free(o->temp);
	o->temp = NULL;
	return sync_directory(o->path, e);
}

void
out_free(struct out *o)
{
	if (o == NULL)
		return;
	if (o->path != NULL && o->f != NULL)
		fclose(o->f);
	if (o->temp != NULL)
		unlink(o->temp);
	free(o->temp);
	free(o->path);
	free(o);
}
