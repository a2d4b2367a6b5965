/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/daemon/memory.h"
#include "base/buf.h"
#include "base/ini.h"
#include "base/text.h"

#define DIR_NAME ".agent"

/* Each of these is a line. */
static const struct {
	const char *key;
	size_t field;
} times[] =
    {
	{"since-us", offsetof(struct memory, schedule.since_us)},
	{"started-us", offsetof(struct memory, schedule.started_us)},
	{"ended-us", offsetof(struct memory, schedule.ended_us)},
	{"retry-us", offsetof(struct memory, schedule.retry_us)},
	{"run-begun-us", offsetof(struct memory, begun_us)},
	{"run-ended-us", offsetof(struct memory, ended_us)},
},
  flags[] = {
      {"running", offsetof(struct memory, schedule.running)},
      {"by-hand", offsetof(struct memory, schedule.by_hand)},
      {"asked", offsetof(struct memory, schedule.asked)},
      {"unfinished", offsetof(struct memory, schedule.unfinished)},
      {"paused", offsetof(struct memory, schedule.paused)},
      {"held", offsetof(struct memory, schedule.held)},
};
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static int
set_time(void *field, const char *value, struct err *e)
{
	uint64_t n;

	if (text_parse_uint(value, 0, INT64_MAX, &n, e) == -1)
		return -1;
	memcpy(field, &n, sizeof(n));
	return 0;
}

/* Keys of later versions are passed over. */
static int
set(struct memory *m, const char *key, const char *value, struct err *e)
{
	char *base = (char *)m;
	uint64_t n;
	bool on;
	size_t i;

	for (i = 0; i < COUNT(times); i++)
		if (strcmp(key, times[i].key) == 0)
			return set_time(base + times[i].field, value, e);
	for (i = 0; i < COUNT(flags); i++)
		if (strcmp(key, flags[i].key) == 0) {
			on = strcmp(value, "yes") == 0;
			memcpy(base + flags[i].field, &on, sizeof(on));
			return 0;
		}
	if (strcmp(key, "failures") == 0) {
		if (text_parse_uint(value, 0, UINT32_MAX, &n, e) == -1)
			return -1;
		m->schedule.failures = (unsigned)n;
	} else if (strcmp(key, "untold") == 0) {
		m->untold = strcmp(value, "yes") == 0;
	} else if (strcmp(key, "plan") == 0) {
		snprintf(m->plan, sizeof(m->plan), "%s", value);
	} else if (strcmp(key, "outcome") == 0) {
		snprintf(m->outcome, sizeof(m->outcome), "%s", value);
	} else if (strcmp(key, "message") == 0) {
		snprintf(m->message, sizeof(m->message), "%s", value);
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
	struct memory m = {.plan = ""};

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
	const char *p;

	if (*value == '\0')
		return;
	buf_addf(out, "%s = ", key);
	for (p = value; *p != '\0'; p++)
		buf_addc(out, *p == '\n' || *p == '\r' ? ' ' : *p);
	buf_addc(out, '\n');
}

static void
format(const struct memory *m, struct buf *out)
{
	const char *base = (const char *)m;
	int64_t t;
	bool on;
	size_t i;

	for (i = 0; i < COUNT(times); i++) {
		memcpy(&t, base + times[i].field, sizeof(t));
		buf_addf(out, "%s = %" PRId64 "\n", times[i].key, t);
	}
	for (i = 0; i < COUNT(flags); i++) {
		memcpy(&on, base + flags[i].field, sizeof(on));
		buf_addf(out, "%s = %s\n", flags[i].key, on ? "yes" : "no");
	}
	buf_addf(out, "failures = %u\n", m->schedule.failures);
	buf_addf(out, "untold = %s\n", m->untold ? "yes" : "no");
	add_text(out, "plan", m->plan);
	add_text(out, "outcome", m->outcome);
	add_text(out, "message", m->message);
}

/* A file as whole as the disk has it. */
static int
write_file(int dir, const char *name, const struct buf *text, struct err *e)
{
	AUTO(close)
	int fd = openat(dir, name,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
	ssize_t n;

	if (fd == -1)
		return err_sys(e, "make it");
	n = write(fd, text->data, text->len);
	if (n >= 0 && n < (ssize_t)text->len)
		errno = ENOSPC;
	if (n != (ssize_t)text->len || fsync(fd) == -1)
		return err_sys(e, "write it");
	return 0;
}

static int
put(int dir, const char *task, const struct buf *text, struct err *e)
{
	AUTO(buf) struct buf temp = BUF_INIT(1 << 10);

	buf_addf(&temp, ".%s.new", task);
	if (buf_failed(&temp))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (write_file(dir, buf_str(&temp), text, e) == -1) {
		unlinkat(dir, buf_str(&temp), 0);
		return -1;
	}
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
