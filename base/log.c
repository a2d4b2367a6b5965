/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

static atomic_int level_now = LOG_WARN;

static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;
/* Under log_mutex: */
static int log_fd = -1; /* -1: standard error */
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

void
log_line(enum log_level level, const char *fmt, ...)
{
	static const char *const words[] = {
	    "error", "warning", "info", "debug"};
	char line[20480]; /* a path of 4 KiB, all of it escaped */
	char stamp[32];
	size_t n = 0;
	va_list ap;

	if (level > log_get_level())
		return;
	pthread_mutex_lock(&log_mutex);
	if (log_fd >= 0) {
		clock_iso8601(clock_wall_ns(), stamp, sizeof(stamp));
		n = (size_t)snprintf(
		    line, sizeof(line), "%s %s: ", stamp, words[level]);
	} else {
		n = (size_t)snprintf(line, sizeof(line), "dray: %s%s",
		    level <= LOG_WARN ? words[level] : "",
		    level <= LOG_WARN ? ": " : "");
	}
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
