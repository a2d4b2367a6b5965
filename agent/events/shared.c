/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/events/shared.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/owner.h"

#define LAYOUT 1
#define PAGE_BYTES 4096 /* locks are behind it */

void
shared_init(struct shared *s)
{
	memset(s, 0, sizeof(*s));
	s->now = &s->own;
	s->fd = -1;
}

static int
path_of(const char *state_dir, const char *name, struct buf *out, struct err *e)
{
	buf_addf(out, "%s/.receivers", state_dir);
	if (!buf_failed(out) && name != NULL)
		buf_addf(out, "/%s", name);
	return buf_failed(out) ? err_set(e, ERR_NOMEM, "out of memory") : 0;
}

static int
open_file(const char *state_dir, const char *name, struct err *e)
{
	AUTO(buf) struct buf dir = BUF_INIT(1 << 16);
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);
	AUTO(close) int fd = -1;
	int rc;

	if (path_of(state_dir, NULL, &dir, e) == -1 ||
	    path_of(state_dir, name, &path, e) == -1)
		return -1;
	if (mkdir(buf_str(&dir), 0700) == 0)
		owner_inherit(buf_str(&dir));
	else if (errno != EEXIST)
		return err_sys(e, "%s", buf_str(&dir));
	fd = open(
	    buf_str(&path), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1)
		return err_sys(e, "%s", buf_str(&path));
	owner_inherit(buf_str(&path));
	/* A page that the disk has no room for would be a signal later. */
	rc = posix_fallocate(fd, 0, PAGE_BYTES);
	if (rc != 0) {
		errno = rc;
		return err_sys(e, "%s", buf_str(&path));
	}
	return take_fd(&fd);
}

int
shared_open(struct shared *s, const char *state_dir, const char *name,
    uint64_t settings, struct err *e)
{
	AUTO(close) int fd = open_file(state_dir, name, e);
	struct shared_numbers *n;

	if (fd == -1)
		return -1;
	n = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (n == MAP_FAILED)
		return err_sys(e, "%s/.receivers/%s", state_dir, name);
	/* It may be another receiver. */
	if (atomic_load(&n->layout) != LAYOUT ||
	    atomic_load(&n->settings) != settings) {
		memset(n, 0, sizeof(*n));
		atomic_store(&n->settings, settings);
		atomic_store(&n->layout, LAYOUT);
	}
	s->now = n;
	s->fd = take_fd(&fd);
	return 0;
}

void
shared_close(struct shared *s)
{
	if (s->fd == -1)
		return;
	munmap(s->now, PAGE_BYTES);
	close(s->fd);
	shared_init(s);
}

/* Of the open file, not the process: true if it could be done, also where the
 * file system has no locks. */
static bool
lock(const struct shared *s, unsigned i, short type)
{
	struct flock l = {
	    .l_type = type,
	    .l_whence = SEEK_SET,
	    .l_start = PAGE_BYTES + (off_t)i,
	    .l_len = 1,
	};

	return fcntl(s->fd, F_OFD_SETLK, &l) == 0 ||
	    (errno != EAGAIN && errno != EACCES);
}

bool
shared_take(struct shared *s, uint64_t most)
{
	unsigned i;

	if (s->fd == -1)
		return true;
	for (i = 0; i < most && i < SHARED_PLACES; i++) {
		uint64_t bit = UINT64_C(1) << i % 64;

		if ((s->held[i / 64] & bit) != 0 || !lock(s, i, F_WRLCK))
			continue;
		s->held[i / 64] |= bit;
		return true;
	}
	return false;
}

void
shared_give_back(struct shared *s)
{
	unsigned i = SHARED_PLACES;

	if (s->fd == -1)
		return;
	while (i-- > 0) {
		uint64_t bit = UINT64_C(1) << i % 64;

		if ((s->held[i / 64] & bit) == 0)
			continue;
		s->held[i / 64] &= ~bit;
		lock(s, i, F_UNLCK);
		return;
	}
}

void
shared_forget(const char *state_dir, const char *name)
{
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);
	struct err e = ERR_INIT;

	if (path_of(state_dir, name, &path, &e) == 0)
		unlink(buf_str(&path));
}
