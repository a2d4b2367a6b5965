/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "transfer/archive/internal.h"

/* Waiting for others is a courtesy: it has an end. */
#define WAIT_S 5

void
bytes_free(struct stream *t)
{
	feed_close(&t->feed);
	free(t->ring);
	memset(t, 0, sizeof(*t));
}

/* Where bytes of the stream are in the file itself. */
static int
read_plain(struct archive_source *s, uint64_t offset, void *data, size_t len,
    struct err *e)
{
	char *to = data;

	while (len > 0) {
		ssize_t n = pread(s->fd, to, len, (off_t)offset);

		if (n == -1)
			return err_sys(e, "read");
		if (n == 0)
			return err_set(e, ERR_CHANGED,
			    "the archive is shorter than it was");
		to += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* Nothing can be read from the end of what was decoded on. */
static int
die(struct stream *t, const char *why, struct err *e)
{
	t->dead = t->end;
	err_set(&t->why, ERR_PROTOCOL, "the archive is damaged: %s",
	    why != NULL ? why : "it ends too early");
	*e = t->why;
	return -1;
}

static int
begin(struct archive_source *s, struct err *e)
{
	struct stream *t = &s->stream;

	t->broken = true; /* until it is open */
	feed_close(&t->feed);
	t->begin = t->end = t->member_begin = t->member_end = 0;
	if (t->ring == NULL && (t->ring = malloc(WINDOW_BYTES)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	t->started = true;
	if (feed_open(&t->feed, s, s->kind == ARCHIVE_MEMBERS, e) == -1)
		return -1;
	t->broken = false;
	return 0;
}

static void
keep(struct stream *t, const char *data, size_t n)
{
	if (n > WINDOW_BYTES) {
		data += n - WINDOW_BYTES;
		t->end += n - WINDOW_BYTES;
		n = WINDOW_BYTES;
	}
	while (n > 0) {
		size_t at = (size_t)(t->end % WINDOW_BYTES);
		size_t most = WINDOW_BYTES - at < n ? WINDOW_BYTES - at : n;

		memcpy(t->ring + at, data, most);
		data += most;
		t->end += most;
		n -= most;
	}
	if (t->end - t->begin > WINDOW_BYTES)
		t->begin = t->end - WINDOW_BYTES;
}

/* More of the stream. */
static int
pull_decoded(struct stream *t, struct err *e)
{
	const void *data;
	la_int64_t offset;
	size_t n = 0;
	int rc;

	do
		rc = archive_read_data_block(t->feed.raw, &data, &n, &offset);
	while (rc == ARCHIVE_RETRY || (rc == ARCHIVE_OK && n == 0));
	if (rc == ARCHIVE_EOF)
		return die(t, NULL, e);
	if (rc < ARCHIVE_WARN)
		return die(t, archive_error_string(t->feed.raw), e);
	keep(t, data, n);
	return 0;
}

static void
keep_zeros(struct stream *t, uint64_t n)
{
	static const char zeros[4096];

	while (n > 0) {
		size_t most = n < sizeof(zeros) ? (size_t)n : sizeof(zeros);

		keep(t, zeros, most);
		n -= most;
	}
}

/* The member whose bytes come next. */
static int
next_member(struct stream *t, struct err *e)
{
	struct archive_entry *entry;
	uint64_t bytes;
	int rc;

	do {
		do
			rc = archive_read_next_header(t->feed.read, &entry);
		while (rc == ARCHIVE_RETRY);
		if (rc == ARCHIVE_EOF)
			return die(t, NULL, e);
		if (rc < ARCHIVE_WARN)
			return die(t, archive_error_string(t->feed.read), e);
		bytes = archive_entry_bytes(entry);
	} while (bytes == 0);
	t->member_begin = t->member_end;
	t->member_end += bytes;
	return 0;
}

/*
 * What was to come of the member at hand isn't there.  What reads on begins
 * anew, as nobody knows what state this reader is in, and leaves it out.
 */
static int
lose_member(struct stream *t, uint64_t wanted, struct err *e)
{
	const char *why = archive_error_string(t->feed.read);

	t->broken = true;
	t->skip_to = t->member_end;
	if (wanted >= t->member_end)
		return 0;
	return err_set(e, ERR_PROTOCOL, "is damaged in the archive: %s",
	    why != NULL ? why : "it is shorter than it should be");
}

/* WANTED is a byte of the stream behind what is kept: members in between that
 * are far from it aren't decoded. */
static int
pull_member(struct stream *t, uint64_t wanted, struct err *e)
{
	const void *data;
	la_int64_t offset;
	size_t n = 0;
	uint64_t at;
	int rc;

	if (t->end == t->member_end)
		return next_member(t, e);
	if (t->end == t->member_begin && wanted >= t->member_end &&
	    (t->member_end <= t->skip_to ||
		wanted - t->member_end >= WINDOW_BYTES / 2)) {
		t->begin = t->end = t->member_end;
		return 0;
	}
	do
		rc = archive_read_data_block(t->feed.read, &data, &n, &offset);
	while (rc == ARCHIVE_RETRY || (rc == ARCHIVE_OK && n == 0));
	if (rc < ARCHIVE_WARN || rc == ARCHIVE_EOF)
		return lose_member(t, wanted, e);
	at = t->member_begin + (uint64_t)offset;
	if (offset < 0 || at < t->end || n > t->member_end - at ||
	    at > t->member_end)
		return die(t, "a member is longer than it should be", e);
	keep_zeros(t, at - t->end);
	keep(t, data, n);
	return 0;
}

/* As many bytes of what is kept at OFFSET as there are, up to LEN. */
static size_t
take(const struct stream *t, uint64_t offset, char *to, size_t len)
{
	size_t at = (size_t)(offset % WINDOW_BYTES), n = len;

	if (offset < t->begin || offset >= t->end)
		return 0;
	if (n > t->end - offset)
		n = (size_t)(t->end - offset);
	if (n > WINDOW_BYTES - at)
		n = WINDOW_BYTES - at;
	memcpy(to, t->ring + at, n);
	return n;
}

/* Whether going on to END would take from others what they are about to read.
 */
static bool
hurts_others(
    const struct archive_source *s, const struct archive_file *f, uint64_t end)
{
	const struct archive_file *g;

	for (g = s->reading; g != NULL; g = g->next)
		if (g != f && g->floor < f->floor &&
		    g->floor >= s->stream.begin &&
		    end > g->floor + WINDOW_BYTES)
			return true;
	return false;
}

static void
wait_for_others(
    struct archive_source *s, const struct archive_file *f, uint64_t end)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	while (hurts_others(s, f, end) &&
	    pthread_cond_timedwait(&s->moved, &s->lock, &until) == 0)
		continue;
}

/* Decodes until the byte at OFFSET is kept. */
static int
reach(struct archive_source *s, uint64_t offset, struct err *e)
{
	struct stream *t = &s->stream;

	if (t->why.kind != ERR_NONE && offset >= t->dead) {
		*e = t->why;
		return -1;
	}
	if (offset < t->begin)
		t->broken = true;
	while (t->broken || !t->started || offset >= t->end) {
		if ((t->broken || !t->started) && begin(s, e) == -1)
			return -1;
		if (s->stop != NULL && atomic_load(s->stop))
			return err_set(e, ERR_STOPPED, "stopped");
		if ((s->kind == ARCHIVE_MEMBERS ? pull_member(t, offset, e)
						: pull_decoded(t, e)) == -1)
			return -1;
	}
	return offset >= t->begin ? 0 : reach(s, offset, e);
}

static int
read_stream(struct archive_source *s, struct archive_file *f, uint64_t offset,
    char *to, size_t len, struct err *e)
{
	if (!f->reading) {
		f->reading = true;
		f->next = s->reading;
		s->reading = f;
	}
	f->floor = offset;
	while (len > 0) {
		size_t n = take(&s->stream, offset, to, len);

		if (n == 0) {
			wait_for_others(s, f, offset + len);
			if (reach(s, offset, e) == -1)
				return -1;
			continue;
		}
		to += n;
		offset += n;
		len -= n;
		f->floor = offset;
	}
	pthread_cond_broadcast(&s->moved);
	return 0;
}

int
bytes_read(struct archive_source *s, struct archive_file *f, uint64_t offset,
    void *data, size_t len, struct err *e)
{
	locale_t was;
	int rc;

	if (s->kind == ARCHIVE_PLAIN)
		return read_plain(s, offset, data, len, e);
	was = archive_locale_begin(s);
	pthread_mutex_lock(&s->lock);
	rc = read_stream(s, f, offset, data, len, e);
	pthread_mutex_unlock(&s->lock);
	archive_locale_end(was);
	return rc;
}

void
bytes_leave(struct archive_source *s, struct archive_file *f)
{
	struct archive_file **at;

	if (!f->reading)
		return;
	pthread_mutex_lock(&s->lock);
	for (at = &s->reading; *at != f;)
		at = &(*at)->next;
	*at = f->next;
	f->reading = false;
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
}
