/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/daemon/console.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#define CLIENTS_MAX 64
#define REPLY_MAX (64 << 20)
#define LISTEN_MAX 128
/* To end a line that was begun, to read an answer, to say anything. */
#define BUSY_MS 10000
#define IDLE_MS 300000

struct client {
	struct console *control;
	int fd; /* -1: free */
	struct buf in, out;
	size_t sent;	   /* of out */
	uint64_t since_ms; /* when something last went on */
};

struct console {
	struct loop *loop;
	console_fn *fn;
	void *arg;
	int fd;
	char *path;
	dev_t dev; /* of what is at the path, if it is ours */
	ino_t ino;
	struct client clients[CLIENTS_MAX];
};

static void
hang_up(struct client *c)
{
	loop_remove(c->control->loop, c->fd);
	close(c->fd);
	c->fd = -1;
	buf_free(&c->in);
	buf_free(&c->out);
	c->sent = 0;
}

void
console_refuse(struct buf *reply, const struct err *why)
{
	struct json j;

	buf_reset(reply);
	json_begin(&j, reply);
	json_object(&j, NULL);
	json_uint(&j, "v", CONSOLE_VERSION);
	json_bool(&j, "ok", false);
	json_str(&j, "error", err_kind_name(why->kind));
	json_str(&j, "message", why->msg);
	json_object_end(&j);
}

/* What everything needs that is to be understood. */
static int
check(const struct jdoc_node *request, struct err *e)
{
	const struct jdoc_node *v = jdoc_member(request, "v");

	if (request->type != JDOC_OBJECT)
		return err_set(e, ERR_USAGE, "a request is a JSON object");
	if (v == NULL || v->type != JDOC_NUMBER || v->len != 1 ||
	    v->text[0] != '0' + CONSOLE_VERSION)
		return err_set(e, ERR_UNSUPPORTED,
		    "\"v\", the protocol's version, is not %d",
		    CONSOLE_VERSION);
	return 0;
}

static void
answer(struct client *c, const char *line, size_t len)
{
	AUTO(buf) struct buf reply = BUF_INIT(REPLY_MAX);
	struct err e = ERR_INIT;
	AUTO(jdoc) struct jdoc *doc = jdoc_parse(line, len, &e);

	if (doc == NULL)
		e.kind = ERR_USAGE;
	if (doc == NULL || check(jdoc_root(doc), &e) == -1)
		console_refuse(&reply, &e);
	else
		c->control->fn(c->control->arg, jdoc_root(doc), &reply);
	if (buf_failed(&reply)) {
		err_set(&e, ERR_NOMEM, "out of memory");
		console_refuse(&reply, &e);
	}
	buf_add(&c->out, reply.data, reply.len);
	buf_addc(&c->out, '\n');
}

/* Sends what it can; false if the client is gone. */
static bool
send_some(struct client *c)
{
	ssize_t n;

	while (c->sent < c->out.len) {
		n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN)
			break;
		if (n <= 0)
			return false;
		c->sent += (size_t)n;
		c->since_ms = clock_mono_ms();
	}
	if (c->sent == c->out.len) {
		buf_reset(&c->out);
		c->sent = 0;
	}
	/* No further request before this answer is gone. */
	loop_change(c->control->loop, c->fd, c->out.len > 0 ? POLLOUT : POLLIN);
	return true;
}

/* Answers the lines that are whole, one after the other. */
static bool
answer_all(struct client *c)
{
	const char *end;

	while (c->out.len == 0 && c->in.len > 0 &&
	    (end = memchr(c->in.data, '\n', c->in.len)) != NULL) {
		size_t used = (size_t)(end - c->in.data) + 1;

		answer(c, c->in.data, used - 1);
		memmove(c->in.data, c->in.data + used, c->in.len - used);
		c->in.len -= used;
		if (buf_failed(&c->out) || !send_some(c))
			return false;
	}
	return true;
}

static bool
receive(struct client *c)
{
	char bytes[16384];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n == -1)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	/* A line that begins has its time from now on. */
	if (c->in.len == 0)
		c->since_ms = clock_mono_ms();
	buf_add(&c->in, bytes, (size_t)n);
	if (memchr(bytes, '\n', (size_t)n) != NULL)
		c->since_ms = clock_mono_ms();
	if (!buf_failed(&c->in))
		return true;
	log_warn("control socket: a request of more than %d bytes; its sender "
		 "is turned away",
	    CONSOLE_LINE_MAX);
	return false;
}

static void
on_client(void *arg, int fd, short events)
{
	struct client *c = arg;
	bool goes_on = true;

	(void)fd;
	if ((events & POLLOUT) != 0)
		goes_on = send_some(c);
	else
		goes_on = receive(c);
	if (!goes_on || !answer_all(c))
		hang_up(c);
}

static void
on_caller(void *arg, int listener, short events)
{
	struct console *control = arg;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct err e = ERR_INIT;
	struct client *c;
	int i;

	(void)events;
	if (fd == -1)
		return;
	for (i = 0; i < CLIENTS_MAX && control->clients[i].fd != -1; i++)
		;
	c = &control->clients[i];
	if (i == CLIENTS_MAX ||
	    loop_add(control->loop, fd, POLLIN, on_client, c, &e) == -1) {
		log_warn("control socket: more than %d clients", CLIENTS_MAX);
		close(fd);
		return;
	}
	c->fd = fd;
	c->since_ms = clock_mono_ms();
	buf_init(&c->in, CONSOLE_LINE_MAX + 16384);
	buf_init(&c->out, REPLY_MAX);
}

void
console_tick(struct console *c, uint64_t now_ms)
{
	int i;

	for (i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &c->clients[i];
		bool busy = client->in.len > 0 || client->out.len > 0;

		if (client->fd != -1 &&
		    now_ms - client->since_ms > (busy ? BUSY_MS : IDLE_MS))
			hang_up(client);
	}
}

static int
give_to(const char *path, const char *group, struct err *e)
{
	struct group entry, *g = NULL;
	char text[16384]; /* all its members */

	if (group == NULL)
		return 0;
	if (getgrnam_r(group, &entry, text, sizeof(text), &g) != 0 || g == NULL)
		return err_set(
		    e, ERR_CONFIG, "control-group: no group \"%s\"", group);
	if (chown(path, (uid_t)-1, g->gr_gid) == -1)
		return err_sys(e, "give %s to group %s", path, group);
	return 0;
}

/* What an earlier daemon left at WHERE goes; one that answers, or what is no
 * socket, stays. */
static int
clear_way(const struct sockaddr_un *where, struct err *e)
{
	AUTO(close) int fd = -1;
	struct stat st;

	if (lstat(where->sun_path, &st) == -1)
		return errno == ENOENT ? 0 : err_sys(e, "%s", where->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_CONFIG,
		    "control: %s is there, and no socket", where->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return err_sys(e, "control socket");
	if (connect(fd, (const struct sockaddr *)where, sizeof(*where)) == 0)
		return err_set(e, ERR_BUSY, "another daemon answers at %s",
		    where->sun_path);
	return unlink(where->sun_path) == 0 ? 0
					    : err_sys(e, "%s", where->sun_path);
}

static int
listen_at(struct console *c, const char *group, struct err *e)
{
	struct sockaddr_un where = {.sun_family = AF_UNIX};
	struct stat st;
	mode_t was;
	int rc;

	if (strlen(c->path) >= sizeof(where.sun_path))
		return err_set(e, ERR_CONFIG,
		    "control: a socket's path has at most %zu bytes: %s",
		    sizeof(where.sun_path) - 1, c->path);
	memcpy(where.sun_path, c->path, strlen(c->path) + 1);
	if (clear_way(&where, e) == -1)
		return -1;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd == -1)
		return err_sys(e, "control socket");
	was = umask(0117);
	rc = bind(c->fd, (const struct sockaddr *)&where, sizeof(where));
	umask(was);
	if (rc == -1 || stat(c->path, &st) == -1 ||
	    listen(c->fd, LISTEN_MAX) == -1)
		return err_sys(e, "control socket %s", c->path);
	c->dev = st.st_dev;
	c->ino = st.st_ino;
	if (give_to(c->path, group, e) == -1)
		return -1;
	return loop_add(c->loop, c->fd, POLLIN, on_caller, c, e);
}

struct console *
console_open(const char *path, const char *group, struct loop *l,
    console_fn *fn, void *arg, struct err *e)
{
	AUTO(console) struct console *c = calloc(1, sizeof(*c));
	int i;

	if (c == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	c->loop = l;
	c->fn = fn;
	c->arg = arg;
	c->fd = -1;
	for (i = 0; i < CLIENTS_MAX; i++) {
		c->clients[i].fd = -1;
		c->clients[i].control = c;
	}
	c->path = strdup(path);
	if (c->path == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	return listen_at(c, group, e) == 0 ? TAKE(c) : NULL;
}

void
console_close(struct console *c)
{
	struct stat st;
	int i;

	if (c == NULL)
		return;
	for (i = 0; i < CLIENTS_MAX; i++)
		if (c->clients[i].fd != -1)
			hang_up(&c->clients[i]);
	if (c->fd != -1) {
		loop_remove(c->loop, c->fd);
		close(c->fd);
	}
	if (c->path != NULL && lstat(c->path, &st) == 0 &&
	    st.st_dev == c->dev && st.st_ino == c->ino)
		unlink(c->path);
	free(c->path);
	free(c);
}
