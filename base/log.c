/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

static atomic_int level_now = LOG_WARN;

static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;
/* Under log_mutex: */
static int log_fd = -1; /* -1: standard error */
static bool journal;	/* that is the journal */
static void (*hook_before)(void *);
static void (*hook_after)(void *);
static void *hook_arg;

void
log_set_level(enum log_level level)
{
	atomic_store(&level_now, (int)level);
}

enum log_level
log_get_level(void)
{
	return (enum log_level)atomic_load(&level_now);
}

void
log_find_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char is[64];
	struct stat st;

	pthread_mutex_lock(&log_mutex);
	journal = false;
	if (stream != NULL && fstat(STDERR_FILENO, &st) == 0) {
		snprintf(is, sizeof(is), "%ju:%ju", (uintmax_t)st.st_dev,
		    (uintmax_t)st.st_ino);
		journal = strcmp(stream, is) == 0;
	}
	pthread_mutex_unlock(&log_mutex);
}

int
log_open(const char *path, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

	if (fd == -1)
		return err_sys(e, "log file %s", path);
	log_close();
	pthread_mutex_lock(&log_mutex);
	log_fd = fd;
	pthread_mutex_unlock(&log_mutex);
	return 0;
}

void
log_close(void)
{
	pthread_mutex_lock(&log_mutex);
	if (log_fd >= 0)
		close(log_fd);
	log_fd = -1;
	pthread_mutex_unlock(&log_mutex);
}

void
log_set_hooks(void (*before)(void *), void (*after)(void *), void *arg)
{
	pthread_mutex_lock(&log_mutex);
	hook_before = before;
	hook_after = after;
	hook_arg = arg;
	pthread_mutex_unlock(&log_mutex);
}

/* There is nowhere to report a log line that can't be written. */
static void
write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, p, n);

		if (w <= 0)
			return;
		p += w;
		n -= (size_t)w;
	}
}

/* What a line of LEVEL begins with; under log_mutex. */
static size_t
begin_line(char *line, size_t size, enum log_level level)
{
	static const char *const words[] = {
	    "error", "warning", "info", "debug"};
	static const int priorities[] = {3, 4, 6, 7};
	char stamp[32];
	int n;

	if (log_fd >= 0) {
		clock_iso8601(clock_wall_ns(), stamp, sizeof(stamp));
		n = snprintf(line, size, "%s %s: ", stamp, words[level]);
	} else if (journal) {
		n = snprintf(line, size, "<%d>", priorities[level]);
	} else {
		n = snprintf(line, size, "dray: %s%s",
		    level <= LOG_WARN ? words[level] : "",
		    level <= LOG_WARN ? ": " : "");
	}
	return (size_t)n;
}

void
log_line(enum log_level level, const char *fmt, ...)
{
	char line[20480]; /* a path of 4 KiB, all of it escaped */
	size_t n;
	va_list ap;

	if (level > log_get_level())
		return;
	pthread_mutex_lock(&log_mutex);
	n = begin_line(line, sizeof(line), level);
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	va_end(ap);
	n = strlen(line);
	line[n++] = '\n';
	if (log_fd < 0 && hook_before != NULL)
		hook_before(hook_arg);
	write_all(log_fd >= 0 ? log_fd : STDERR_FILENO, line, n);
	if (log_fd < 0 && hook_after != NULL)
		hook_after(hook_arg);
	pthread_mutex_unlock(&log_mutex);
}
