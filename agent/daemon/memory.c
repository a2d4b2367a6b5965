/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/daemon/memory.h"
#include "base/buf.h"
#include "base/ini.h"
#include "base/text.h"

#define DIR_NAME ".agent"

static int
set_text(char *field, size_t size, const char *value)
{
	snprintf(field, size, "%s", value);
	return 0;
}

static int
set_time(int64_t *field, const char *value, struct err *e)
{
	uint64_t n;

	if (text_parse_uint(value, 0, INT64_MAX, &n, e) == -1)
		return -1;
	*field = (int64_t)n;
	return 0;
}

/* Keys of later versions are passed over. */
static int
set(struct memory *m, const char *key, const char *value, struct err *e)
{
	uint64_t n;

	if (strcmp(key, "paused") == 0)
		m->paused = strcmp(value, "yes") == 0;
	else if (strcmp(key, "held") == 0)
		m->held = strcmp(value, "yes") == 0;
	else if (strcmp(key, "begun") == 0)
		return set_time(&m->begun_s, value, e);
	else if (strcmp(key, "ended") == 0)
		return set_time(&m->ended_s, value, e);
	else if (strcmp(key, "since") == 0)
		return set_time(&m->since_s, value, e);
	else if (strcmp(key, "outcome") == 0)
		return set_text(m->outcome, sizeof(m->outcome), value);
	else if (strcmp(key, "message") == 0)
		return set_text(m->message, sizeof(m->message), value);
	else if (strcmp(key, "failures") == 0) {
		if (text_parse_uint(value, 0, UINT32_MAX, &n, e) == -1)
			return -1;
		m->failures = (unsigned)n;
	}
	return 0;
}

static int
on_line(void *arg, const struct ini_line *line, struct err *e)
{
	if (set(arg, line->key, line->value, e) == 0)
		return 0;
	e->kind = ERR_CONFIG;
	return err_context(e, "%s:%u: %s", line->file, line->number, line->key);
}

int
memory_read(
    const char *state_dir, const char *task, struct memory *out, struct err *e)
{
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);
	struct memory m = {.paused = false};

	buf_addf(&path, "%s/" DIR_NAME "/%s", state_dir, task);
	if (buf_failed(&path))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (ini_file(buf_str(&path), on_line, &m, e) == -1 &&
	    e->kind != ERR_NOTFOUND)
		return -1;
	*out = m;
	return 0;
}

/* A line break would end the value. */
static void
add_text(struct buf *out, const char *key, const char *value)
{
	AUTO(buf) struct buf line = BUF_INIT(1 << 16);

	text_escape(&line, value, strlen(value));
	if (line.len > 0)
		buf_addf(out, "%s = %s\n", key, buf_str(&line));
}

static void
format(const struct memory *m, struct buf *out)
{
	buf_addf(out, "paused = %s\nheld = %s\nfailures = %u\n",
	    m->paused ? "yes" : "no", m->held ? "yes" : "no", m->failures);
	buf_addf(out,
	    "begun = %" PRId64 "\nended = %" PRId64 "\nsince = %" PRId64 "\n",
	    m->begun_s, m->ended_s, m->since_s);
	add_text(out, "outcome", m->outcome);
	add_text(out, "message", m->message);
}

static int
put(int dir, const char *task, const struct buf *text, struct err *e)
{
	AUTO(buf) struct buf temp = BUF_INIT(1 << 10);
	AUTO(close) int fd = -1;

	buf_addf(&temp, ".%s.new", task);
	fd = openat(dir, buf_str(&temp),
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd == -1)
		return err_sys(e, "make it");
	if (write(fd, text->data, text->len) != (ssize_t)text->len ||
	    fsync(fd) == -1)
		return err_sys(e, "write it");
	if (renameat(dir, buf_str(&temp), dir, task) == -1 || fsync(dir) == -1)
		return err_sys(e, "put it in place");
	return 0;
}

int
memory_write(const char *state_dir, const char *task, const struct memory *m,
    struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 16);
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);
	AUTO(close) int dir = -1;

	format(m, &text);
	buf_addf(&path, "%s/" DIR_NAME, state_dir);
	if (buf_failed(&text) || buf_failed(&path))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (mkdir(buf_str(&path), 0750) == -1 && errno != EEXIST)
		return err_sys(e, "%s", buf_str(&path));
	dir = open(buf_str(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		return err_sys(e, "%s", buf_str(&path));
	if (put(dir, task, &text, e) == -1)
		return err_context(e, "%s/%s", buf_str(&path), task);
	return 0;
}
