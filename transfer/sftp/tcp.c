/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transfer/sftp/tcp.h"

static int
resolve(struct tcp *t, struct err *e)
{
	struct addrinfo hints = {
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	};
	char port[12];
	int rc;

	snprintf(port, sizeof(port), "%d", t->port);
	rc = getaddrinfo(t->host, port, &hints, &t->addresses);
	if (rc != 0)
		return err_set(e, ERR_NET, "%s: %s", t->host, gai_strerror(rc));
	t->address = t->addresses;
	return 0;
}

static int
bind_to(int fd, int family, const char *where)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (where == NULL)
		return 0;
	if (family == AF_INET && inet_pton(AF_INET, where, &v4.sin_addr) == 1)
		return bind(fd, (struct sockaddr *)&v4, sizeof(v4));
	if (family == AF_INET6 &&
	    inet_pton(AF_INET6, where, &v6.sin6_addr) == 1)
		return bind(fd, (struct sockaddr *)&v6, sizeof(v6));
	return setsockopt(
	    fd, SOL_SOCKET, SO_BINDTODEVICE, where, (socklen_t)strlen(where));
}

/* Begins with the next address that takes it. */
static int
try_next(struct tcp *t, struct err *e)
{
	int one = 1;

	for (; t->address != NULL; t->address = t->address->ai_next) {
		const struct addrinfo *a = t->address;

		if (t->fd != -1)
			close(t->fd);
		t->fd = socket(a->ai_family,
		    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (t->fd == -1) {
			t->address_error = errno;
			continue;
		}
		setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		setsockopt(t->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
		if (bind_to(t->fd, a->ai_family, t->bind_address) == 0 &&
		    (connect(t->fd, a->ai_addr, a->ai_addrlen) == 0 ||
			errno == EINPROGRESS))
			return 0;
		t->address_error = errno;
	}
	errno = t->address_error;
	err_sys(e, "%s", t->host);
	e->kind = ERR_NET;
	return -1;
}

int
tcp_connect(struct tcp *t, struct err *e)
{
	struct pollfd p = {.fd = t->fd, .events = POLLOUT};
	socklen_t len = sizeof(int);
	int sys = 0;

	if (t->addresses == NULL) {
		if (resolve(t, e) == -1 || try_next(t, e) == -1)
			return -1;
		return 0;
	}
	if (poll(&p, 1, 0) == 0)
		return 0;
	if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &sys, &len) == -1)
		sys = errno;
	if (sys == 0)
		return 1;
	t->address_error = sys;
	t->address = t->address->ai_next;
	return try_next(t, e) == -1 ? -1 : 0;
}

void
tcp_close(struct tcp *t)
{
	if (t->fd != -1)
		close(t->fd);
	t->fd = -1;
	if (t->addresses != NULL)
		freeaddrinfo(t->addresses);
	t->addresses = t->address = NULL;
}
