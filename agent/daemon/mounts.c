/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent/daemon/mounts.h"

#define FILE_NAME "/proc/self/mountinfo"
#define POINT_FIELD 4 /* from 0 */

/* The field has \040 and the like for what would end it: in place. */
static size_t
unescape(char *s, size_t len)
{
	size_t from = 0, to = 0;

	while (from < len) {
		const char *p = s + from;

		if (*p == '\\' && len - from >= 4 && p[1] >= '0' &&
		    p[1] <= '3' && p[2] >= '0' && p[2] <= '7' && p[3] >= '0' &&
		    p[3] <= '7') {
			s[to++] = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 +
			    (p[3] - '0'));
			from += 4;
		} else {
			s[to++] = s[from++];
		}
	}
	return to;
}

static bool
is_below(const char *path, const char *point, size_t len)
{
	size_t n = strlen(path);

	if (n == 1) /* "/" */
		return len > 1;
	return len > n && memcmp(point, path, n) == 0 && point[n] == '/';
}

/* Takes the mount point of a line, of LEN bytes. */
static void
take_line(char *line, size_t len, const char *path, struct buf *out)
{
	char *field = line, *end = line + len;
	size_t n;
	int i;

	for (i = 0; i < POINT_FIELD && field != NULL; i++) {
		field = memchr(field, ' ', (size_t)(end - field));
		if (field != NULL)
			field++;
	}
	if (field == NULL)
		return;
	n = 0;
	while (field + n < end && field[n] != ' ')
		n++;
	n = unescape(field, n);
	if (!is_below(path, field, n))
		return;
	buf_add(out, field, n);
	buf_addc(out, '\0');
}

static int
read_all(int fd, struct buf *text)
{
	char bytes[16384];
	ssize_t n;

	if (lseek(fd, 0, SEEK_SET) == -1)
		return -1;
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		buf_add(text, bytes, (size_t)n);
	return n == 0 && !buf_failed(text) ? 0 : -1;
}

static int
find(struct mounts *m, const char *path, struct buf *out)
{
	AUTO(buf) struct buf text = BUF_INIT(MOUNTS_MAX_BYTES);
	size_t at = 0;

	if (read_all(m->fd, &text) == -1)
		return -1;
	while (at < text.len) {
		char *line = text.data + at;
		const char *end = memchr(line, '\n', text.len - at);
		size_t len = end != NULL ? (size_t)(end - line) : text.len - at;

		take_line(line, len, path, out);
		at += len + 1;
	}
	return buf_failed(out) ? -1 : 0;
}

int
mounts_open(struct mounts *m, const char *path, struct err *e)
{
	buf_init(&m->all, MOUNTS_MAX_BYTES);
	m->fd = open(FILE_NAME, O_RDONLY | O_CLOEXEC);
	if (m->fd == -1 || find(m, path, &m->all) == -1)
		return err_sys(e, FILE_NAME);
	return 0;
}

void
mounts_close(struct mounts *m)
{
	if (m->fd != -1)
		close(m->fd);
	m->fd = -1;
	buf_free(&m->all);
}

bool
mounts_changed(struct mounts *m, const char *path)
{
	AUTO(buf) struct buf now = BUF_INIT(MOUNTS_MAX_BYTES);
	bool same;

	if (find(m, path, &now) == -1)
		return true;
	same = now.len == m->all.len &&
	    (now.len == 0 || memcmp(now.data, m->all.data, now.len) == 0);
	buf_reset(&m->all);
	buf_add(&m->all, now.data, now.len);
	return !same;
}

const char *
mounts_next(const struct mounts *m, const char *at)
{
	const char *next = at == NULL ? buf_str(&m->all) : at + strlen(at) + 1;

	return next < buf_str(&m->all) + m->all.len ? next : NULL;
}
