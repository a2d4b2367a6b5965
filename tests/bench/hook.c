/* SPDX-License-Identifier: ISC */
/*
 * A webhook receiver for benchmarks: it takes POST requests over connections
 * that are kept, at so little CPU that the sender is what is measured.  One
 * thread, 127.0.0.1 only; no signature is checked.
 *
 *	hook [--port N] [--port-file FILE] [--delay-ms N]
 *
 * /slow... is answered after --delay-ms, anything else at once, always by 204.
 * GET /stats: requests, seconds between the first and the last of them, and
 * the most connections at a time.
 */
#include "config.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX (32 << 10)
#define BATCH 64

struct client {
	struct client *next_due; /* the delay is one for all: in order */
	uint64_t due_ms;	 /* of the answer; 0: it doesn't wait */
	uint64_t left;		 /* of the body, still to come */
	int fd;
	bool gone; /* while its answer waited */
	bool slow;
	bool in_body;
	size_t have;
	char in[HEAD_MAX];
};

static struct {
	int epoll, listener;
	uint64_t delay_ms;
	struct client *due_first, *due_last;
	uint64_t requests, first_ms, last_ms;
	unsigned open, most;
} hook;

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void
drop(struct client *c)
{
	if (!c->gone) {
		close(c->fd);
		hook.open--;
	}
	c->gone = true;
	if (c->due_ms == 0)
		free(c);
}

/* Answers are short: a socket that doesn't take one isn't worth waiting for. */
static bool
say(struct client *c, const char *text)
{
	size_t n = strlen(text);

	return send(c->fd, text, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static bool
say_stats(struct client *c)
{
	char body[100], text[200];

	snprintf(body, sizeof(body), "%llu %.3f %u\n",
	    (unsigned long long)hook.requests,
	    (double)(hook.last_ms - hook.first_ms) / 1000, hook.most);
	snprintf(text, sizeof(text),
	    "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body),
	    body);
	return say(c, text);
}

static bool
answer(struct client *c)
{
	hook.last_ms = now_ms();
	if (hook.requests++ == 0)
		hook.first_ms = hook.last_ms;
	return say(c, "HTTP/1.1 204 No Content\r\n\r\n");
}

static void
answer_later(struct client *c)
{
	c->due_ms = now_ms() + hook.delay_ms;
	c->next_due = NULL;
	if (hook.due_first == NULL)
		hook.due_first = c;
	else
		hook.due_last->next_due = c;
	hook.due_last = c;
}

/* What the head says; false: no request that makes sense. */
static bool
begin(struct client *c, char *head, size_t head_len)
{
	char *line;

	head[head_len - 1] = '\0';
	c->slow = hook.delay_ms > 0 && strncmp(head, "POST /slow", 10) == 0;
	if (strncmp(head, "GET /stats", 10) == 0)
		return say_stats(c);
	if (strncmp(head, "POST ", 5) != 0)
		return false;
	c->left = 0;
	for (line = strchr(head, '\n'); line != NULL; line = strchr(line, '\n'))
		if (strncasecmp(++line, "Content-Length:", 15) == 0)
			c->left = strtoull(line + 15, NULL, 10);
	c->in_body = true;
	return true;
}

/* Takes what is there of requests. */
static bool
take(struct client *c)
{
	size_t n, at = 0;
	char *end;

	while (at < c->have && c->due_ms == 0) {
		if (!c->in_body) {
			end = memmem(c->in + at, c->have - at, "\r\n\r\n", 4);
			if (end == NULL)
				break;
			n = (size_t)(end - (c->in + at)) + 4;
			if (!begin(c, c->in + at, n))
				return false;
			at += n;
		}
		n = c->have - at < c->left ? c->have - at : (size_t)c->left;
		c->left -= n;
		at += n;
		if (!c->in_body || c->left > 0)
			continue;
		c->in_body = false;
		if (c->slow)
			answer_later(c);
		else if (!answer(c))
			return false;
	}
	memmove(c->in, c->in + at, c->have - at);
	c->have -= at;
	return true;
}

static void
read_some(struct client *c)
{
	ssize_t n = recv(c->fd, c->in + c->have, sizeof(c->in) - c->have, 0);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) { /* 0, too, if there is no room */
		drop(c);
		return;
	}
	c->have += (size_t)n;
	if (!take(c))
		drop(c);
}

static void
welcome(void)
{
	struct epoll_event ev = {.events = EPOLLIN};
	int one = 1,
	    fd = accept4(
		hook.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *c;

	if (fd == -1)
		return;
	c = malloc(sizeof(*c));
	if (c == NULL)
		err(1, "client");
	memset(c, 0, offsetof(struct client, in));
	c->fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	ev.data.ptr = c;
	if (epoll_ctl(hook.epoll, EPOLL_CTL_ADD, fd, &ev) == -1)
		err(1, "epoll_ctl");
	if (++hook.open > hook.most)
		hook.most = hook.open;
}

/* Answers that are due; how long until the next, -1: there is none. */
static int
answer_due(void)
{
	uint64_t now = now_ms();
	struct client *c;

	while ((c = hook.due_first) != NULL) {
		if (c->due_ms > now)
			return (int)(c->due_ms - now);
		hook.due_first = c->next_due;
		c->due_ms = 0;
		if (c->gone || !answer(c) || !take(c))
			drop(c);
	}
	return -1;
}

static void
listen_on(unsigned port, const char *port_file)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event ev = {.events = EPOLLIN};
	socklen_t len = sizeof(at);
	int one = 1;
	FILE *f;

	hook.listener =
	    socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(hook.listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(hook.listener, (struct sockaddr *)&at, len) == -1 ||
	    listen(hook.listener, 4096) == -1 ||
	    getsockname(hook.listener, (struct sockaddr *)&at, &len) == -1)
		err(1, "port %u", port);
	hook.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (hook.epoll == -1 ||
	    epoll_ctl(hook.epoll, EPOLL_CTL_ADD, hook.listener, &ev) == -1)
		err(1, "epoll");
	f = port_file != NULL ? fopen(port_file, "w") : stdout;
	if (f == NULL)
		err(1, "%s", port_file);
	fprintf(f, "%u\n", ntohs(at.sin_port));
	if (f == stdout ? fflush(f) != 0 : fclose(f) != 0)
		err(1, "the port");
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"port", required_argument, NULL, 'p'},
	    {"port-file", required_argument, NULL, 'f'},
	    {"delay-ms", required_argument, NULL, 'd'},
	    {0},
	};
	struct epoll_event events[BATCH];
	const char *port_file = NULL;
	unsigned port = 0;
	int c, i, n;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'p':
			port = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'f':
			port_file = optarg;
			break;
		case 'd':
			hook.delay_ms = strtoull(optarg, NULL, 10);
			break;
		default:
			return 2;
		}
	listen_on(port, port_file);
	for (;;) {
		n = epoll_wait(hook.epoll, events, BATCH, answer_due());
		for (i = 0; i < n; i++)
			if (events[i].data.ptr == NULL)
				welcome();
			else
				read_some(events[i].data.ptr);
	}
}
