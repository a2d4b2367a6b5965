/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/daemon/notify.h"
#include "base/clock.h"

static struct sockaddr_un where;
static socklen_t where_len; /* 0: nobody listens */
static uint64_t watchdog_ms;

static void
read_watchdog(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");

	if (usec == NULL ||
	    (pid != NULL && strtoll(pid, NULL, 10) != (long long)getpid()))
		return;
	/* As sd_watchdog_enabled(3) advises: twice as often. */
	watchdog_ms = strtoull(usec, NULL, 10) / 1000 / 2;
}

void
notify_init(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t n = path != NULL ? strlen(path) : 0;

	/* "@": an abstract one. */
	if (n > 1 && n < sizeof(where.sun_path) &&
	    (path[0] == '/' || path[0] == '@')) {
		where.sun_family = AF_UNIX;
		memcpy(where.sun_path, path, n);
		if (path[0] == '@')
			where.sun_path[0] = '\0';
		where_len =
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
		read_watchdog();
	}
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

/* If it can't be told, there is nobody to tell that. */
static void
tell(const char *text)
{
	int fd;

	if (where_len == 0)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return;
	(void)!sendto(fd, text, strlen(text), MSG_NOSIGNAL,
	    (const struct sockaddr *)&where, where_len);
	close(fd);
}

void
notify_ready(void)
{
	tell("READY=1");
}

void
notify_reloading(void)
{
	char text[80];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
	    clock_mono_ms() * 1000);
	tell(text);
}

void
notify_stopping(void)
{
	tell("STOPPING=1");
}

void
notify_status(const char *fmt, ...)
{
	char text[512] = "STATUS=";
	size_t n = strlen(text), i;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	va_end(ap);
	/* A line break would begin another assignment. */
	for (i = n; text[i] != '\0'; i++)
		if (text[i] == '\n')
			text[i] = ' ';
	tell(text);
}

uint64_t
notify_watchdog_ms(void)
{
	return watchdog_ms;
}

void
notify_alive(void)
{
	tell("WATCHDOG=1");
}
