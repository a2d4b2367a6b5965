/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/events/shared.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/owner.h"

#define LAYOUT 2
/* What is locked lies behind the numbers. */
#define NUMBERS_AT 4095
#define PLACES_AT 4096
/* Whoever changes numbers is soon done, unless it was stopped just then. */
#define TRIES 100
#define TRY_NS 100000

void
shared_init(struct shared *s)
{
	memset(s, 0, sizeof(*s));
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
	return take_fd(&fd);
}

/* Of the open file, not the process: true if it could be done, also where the
 * file system has no locks. */
static bool
lock(const struct shared *s, unsigned at, short type)
{
	struct flock l = {
	    .l_type = type,
	    .l_whence = SEEK_SET,
	    .l_start = (off_t)at,
	    .l_len = 1,
	};

	return fcntl(s->fd, F_OFD_SETLK, &l) == 0 ||
	    (errno != EAGAIN && errno != EACCES);
}

struct shared_numbers
shared_read(const struct shared *s)
{
	struct shared_numbers n;

	if (s->fd == -1 || s->alone ||
	    pread(s->fd, &n, sizeof(n), 0) != (ssize_t)sizeof(n) ||
	    n.layout != LAYOUT)
		return s->own;
	return n;
}

void
shared_change(struct shared *s, shared_change_fn *fn, void *arg)
{
	const struct timespec soon = {.tv_nsec = TRY_NS};
	bool locked = false;
	unsigned i;

	for (i = 0; s->fd != -1 && !locked && i < TRIES; i++) {
		locked = lock(s, NUMBERS_AT, F_WRLCK);
		if (!locked)
			nanosleep(&soon, NULL);
	}
	s->own = shared_read(s);
	fn(&s->own, arg);
	s->alone = s->fd == -1 ||
	    pwrite(s->fd, &s->own, sizeof(s->own), 0) !=
		(ssize_t)sizeof(s->own);
	if (locked)
		lock(s, NUMBERS_AT, F_UNLCK);
}

/* They are about RECEIVER from here on. */
static void
begin(struct shared_numbers *n, void *receiver)
{
	const uint64_t *digest = receiver;

	if (n->layout != LAYOUT || n->receiver != *digest)
		*n = (struct shared_numbers){
		    .layout = LAYOUT, .receiver = *digest};
}

int
shared_open(struct shared *s, const char *state_dir, const char *name,
    uint64_t receiver, struct err *e)
{
	AUTO(close) int fd = open_file(state_dir, name, e);

	if (fd == -1)
		return -1;
	s->fd = take_fd(&fd);
	shared_change(s, begin, &receiver);
	return 0;
}

void
shared_close(struct shared *s)
{
	if (s->fd == -1)
		return;
	close(s->fd);
	shared_init(s);
}

bool
shared_take(struct shared *s, uint64_t most)
{
	unsigned i;

	if (s->fd == -1)
		return true;
	for (i = 0; i < most && i < SHARED_PLACES; i++) {
		uint64_t bit = UINT64_C(1) << i % 64;

		if ((s->held[i / 64] & bit) != 0 ||
		    !lock(s, PLACES_AT + i, F_WRLCK))
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
		lock(s, PLACES_AT + i, F_UNLCK);
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
