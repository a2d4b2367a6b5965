/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/daemon/client.h"

#define TIMEOUT_S 10

/* WHAT the daemon doesn't do, as errno says: in time, or at all. */
static int
silent(const char *path, const char *what, struct err *e)
{
	if (errno == EPIPE || errno == ECONNRESET)
		return err_set(e, ERR_NET,
		    "%s: the daemon has hung up: its log says why", path);
	return err_set(e, ERR_NET,
	    "%s: the daemon %s, for %d seconds: it hangs, or was stopped "
	    "(systemctl status dray)",
	    path, what, TIMEOUT_S);
}

static int
reach(const char *path, struct err *e)
{
	struct sockaddr_un where = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = TIMEOUT_S};
	AUTO(close) int fd = -1;

	if (strlen(path) >= sizeof(where.sun_path))
		return err_set(e, ERR_CONFIG,
		    "the path of a socket is too long: %s", path);
	memcpy(where.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
		sizeof(patience)) == -1 ||
	    setsockopt(
		fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == -1)
		return err_sys(e, "socket");
	if (connect(fd, (const struct sockaddr *)&where, sizeof(where)) == -1) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			return err_set(e, ERR_NOTFOUND,
			    "no daemon answers at %s: start it (systemctl "
			    "start dray, or dray daemon)",
			    path);
		/* It has not called anybody in for so long. */
		if (errno == EAGAIN)
			return silent(path, "takes no connection", e);
		return err_sys(e, "%s", path);
	}
	return take_fd(&fd);
}

int
client_ask(
    const char *path, const char *request, struct buf *reply, struct err *e)
{
	AUTO(close) int fd = reach(path, e);
	AUTO(buf) struct buf line = BUF_INIT(1 << 20);
	char bytes[16384];
	size_t sent = 0;
	ssize_t n;

	if (fd == -1)
		return -1;
	buf_addf(&line, "%s\n", request);
	if (buf_failed(&line))
		return err_set(e, ERR_NOMEM, "out of memory");
	while (sent < line.len) {
		n = send(fd, line.data + sent, line.len - sent, MSG_NOSIGNAL);
		if (n == -1)
			return silent(path, "takes no request", e);
		sent += (size_t)n;
	}
	for (;;) {
		n = recv(fd, bytes, sizeof(bytes), 0);
		if (n == 0)
			errno = ECONNRESET;
		if (n <= 0)
			return silent(path, "gives no answer", e);
		buf_add(reply, bytes, (size_t)n);
		if (buf_failed(reply))
			return err_set(e, ERR_NOMEM, "out of memory");
		if (bytes[n - 1] == '\n')
			break;
	}
	reply->data[--reply->len] = '\0';
	return 0;
}

pid_t
client_daemon(const char *path)
{
	struct err e = ERR_INIT;
	AUTO(close) int fd = reach(path, &e);
	struct ucred peer = {.pid = 0};
	socklen_t len = sizeof(peer);

	if (fd == -1 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == -1)
		return 0;
	return peer.pid;
}
