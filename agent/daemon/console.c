/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/daemon/console.h"
#include "agent/daemon/hush.h"
#include "agent/daemon/listener.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#define CLIENTS_MAX 64
#define REPLY_MAX (64 << 20)
/* To ask something at all, to end a line that was begun, to read an answer. */
#define PATIENCE_MS 10000
/* For whoever has asked before. */
#define IDLE_MS 300000
/* Processes at a time that make answers, and how long one may take: with the
 * seconds until that is seen, less than whoever asked waits. */
#define ASIDES_MAX 4
#define ASIDE_MS 4000
/* Callers wait so long when there is no descriptor for them. */
#define DEAF_MS 1000

struct client {
	struct console *control;
	int fd; /* -1: free */
	struct buf in, out;
	size_t sent;	   /* of out */
	uint64_t since_ms; /* when something last went on */
	uint64_t turn;	   /* of when it came, or last asked something whole */
	bool has_asked;	   /* a line that was whole */
	const struct aside *waits_for; /* its answer, or NULL */
};

struct console {
	struct loop *loop;
	console_fn *fn;
	void *arg;
	struct listener listener;
	struct hush hush;
	uint64_t turns;
	uint64_t deaf_ms; /* no descriptor is left for callers, since; or 0 */
	struct client clients[CLIENTS_MAX];
	struct aside asides[ASIDES_MAX];
};

/* Somebody at FD was refused, or turned away. */
static void
complain(struct console *control, int fd, const char *what)
{
	struct peer who = listener_peer(fd);
	char more[64] = "";
	unsigned left_out;

	if (!hush_lets(&control->hush, clock_mono_ms(), &left_out))
		return;
	if (left_out > 0)
		snprintf(more, sizeof(more),
		    " (%u more were refused and not logged)", left_out);
	log_warn("control uid=%ld pid=%ld: %s%s", (long)who.uid, (long)who.pid,
	    what, more);
}

static void
hang_up(struct client *c)
{
	loop_remove(c->control->loop, c->fd);
	close(c->fd);
	c->fd = -1;
	if (c->waits_for != NULL)
		aside_kill(c->waits_for);
	c->waits_for = NULL;
	buf_free(&c->in);
	buf_free(&c->out);
	c->sent = 0;
	c->has_asked = false;
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

/* The answer to C is made by a process. */
static int
step_aside(struct client *c, const struct aside_order *order, struct err *e)
{
	struct aside *a = c->control->asides;
	const struct aside *end = a + ASIDES_MAX;

	while (a < end && a->run != NULL)
		a++;
	if (a == end)
		return err_set(e, ERR_BUSY,
		    "others are being answered: ask again in some seconds");
	if (aside_start(a, order, c->control->loop, clock_mono_ms(), e) == -1)
		return -1;
	c->waits_for = a;
	loop_change(c->control->loop, c->fd, 0);
	return 0;
}

/* What is in REPLY is sent as soon as may be. */
static void
put_answer(struct client *c, struct buf *reply)
{
	struct err e = ERR_INIT;

	if (buf_failed(reply)) {
		err_set(&e, ERR_NOMEM, "out of memory");
		console_refuse(reply, &e);
	}
	buf_add(&c->out, reply->data, reply->len);
	buf_addc(&c->out, '\n');
}

static void
answer(struct client *c, const char *line, size_t len)
{
	AUTO(buf) struct buf reply = BUF_INIT(REPLY_MAX);
	struct aside_order order = {.main = NULL};
	struct err e = ERR_INIT;
	AUTO(jdoc) struct jdoc *doc = jdoc_parse(line, len, &e);

	if (doc == NULL)
		e.kind = ERR_USAGE;
	c->has_asked = true;
	c->turn = ++c->control->turns;
	if (doc == NULL || check(jdoc_root(doc), &e) == -1) {
		complain(c->control, c->fd, e.msg);
		console_refuse(&reply, &e);
	} else {
		c->control->fn(c->control->arg, jdoc_root(doc), &reply, &order);
	}
	if (order.main != NULL && step_aside(c, &order, &e) == -1)
		console_refuse(&reply, &e);
	conf_words_free(&order.words);
	if (c->waits_for == NULL)
		put_answer(c, &reply);
}

/* Sends what it can; false if the client is gone. */
static bool
send_some(struct client *c)
{
	short events = 0;
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
	if (c->out.len > 0)
		events = POLLOUT;
	else if (c->waits_for == NULL)
		events = POLLIN;
	loop_change(c->control->loop, c->fd, events);
	return true;
}

/* Answers the lines that are whole, one after the other. */
static bool
answer_all(struct client *c)
{
	const char *end;

	while (c->out.len == 0 && c->waits_for == NULL && c->in.len > 0 &&
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
	complain(c->control, c->fd,
	    "a request that is too long; its sender is turned away");
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

/* A place for another client: one that is free, or that of whoever has been
 * quiet for longest. */
static struct client *
make_room(struct console *control)
{
	struct client *oldest = NULL;
	bool reads = true; /* its answer */
	int i;

	for (i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &control->clients[i];
		bool is_reading = c->out.len > 0;

		if (c->fd == -1)
			return c;
		if (oldest == NULL || (reads && !is_reading) ||
		    (reads == is_reading && c->turn < oldest->turn)) {
			oldest = c;
			reads = is_reading;
		}
	}
	complain(control, oldest->fd,
	    "turned away, as too many clients are connected");
	hang_up(oldest);
	return oldest;
}

static void
on_caller(void *arg, int listener, short events)
{
	struct console *control = arg;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct err e = ERR_INIT;
	struct client *c;

	(void)events;
	if (fd == -1 && (errno == EMFILE || errno == ENFILE)) {
		control->deaf_ms = clock_mono_ms();
		loop_change(control->loop, listener, 0);
	}
	if (fd == -1)
		return;
	c = make_room(control);
	if (loop_add(control->loop, fd, POLLIN, on_client, c, &e) == -1) {
		complain(control, fd, e.msg);
		close(fd);
		return;
	}
	c->fd = fd;
	c->since_ms = clock_mono_ms();
	c->turn = ++control->turns;
	buf_init(&c->in, CONSOLE_LINE_MAX + 16384);
	buf_init(&c->out, REPLY_MAX);
}

/* Who waits for A gets what is in REPLY. */
static void
hand_out(struct console *control, const struct aside *a, struct buf *reply)
{
	struct client *c = control->clients;
	const struct client *end = c + CLIENTS_MAX;

	while (c < end && c->waits_for != a)
		c++;
	if (c == end)
		return;
	c->waits_for = NULL;
	c->since_ms = clock_mono_ms();
	put_answer(c, reply);
	if (buf_failed(&c->out) || !send_some(c) || !answer_all(c))
		hang_up(c);
}

static void
hand_out_none(struct console *control, const struct aside *a)
{
	AUTO(buf) struct buf reply = BUF_INIT(REPLY_MAX);
	struct err e = ERR_INIT;

	err_set(&e, ERR_BUSY,
	    "there is no answer within %d seconds: something else has its "
	    "ledger, or the disk hangs; ask again later",
	    ASIDE_MS / 1000);
	console_refuse(&reply, &e);
	hand_out(control, a, &reply);
}

void
console_reap(struct console *control)
{
	struct aside *a = control->asides;
	const struct aside *end = a + ASIDES_MAX;

	for (; a < end; a++) {
		AUTO(buf) struct buf reply = BUF_INIT(0);

		if (a->run == NULL || !aside_reap(a, &reply))
			continue;
		if (reply.len > 0 && !buf_failed(&reply))
			hand_out(control, a, &reply);
		else
			hand_out_none(control, a);
	}
}

/* Those that take too long. */
static void
hurry_asides(struct console *control, uint64_t now_ms)
{
	struct aside *a = control->asides;
	const struct aside *end = a + ASIDES_MAX;

	for (; a < end; a++)
		if (a->run != NULL && now_ms - a->since_ms >= ASIDE_MS) {
			aside_kill(a);
			hand_out_none(control, a);
		}
}

void
console_tick(struct console *control, uint64_t now_ms)
{
	int i;

	hurry_asides(control, now_ms);

	if (control->deaf_ms != 0 && now_ms - control->deaf_ms >= DEAF_MS) {
		control->deaf_ms = 0;
		loop_change(control->loop, control->listener.fd, POLLIN);
	}
	for (i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &control->clients[i];
		bool owes = !c->has_asked || c->in.len > 0 || c->out.len > 0;

		if (c->fd == -1 || c->waits_for != NULL ||
		    now_ms - c->since_ms <= (owes ? PATIENCE_MS : IDLE_MS))
			continue;
		if (owes)
			complain(control, c->fd,
			    c->out.len > 0
				? "turned away, as it doesn't read its answer"
				: "turned away, as it doesn't end a request");
		hang_up(c);
	}
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
	for (i = 0; i < CLIENTS_MAX; i++) {
		c->clients[i].fd = -1;
		c->clients[i].control = c;
	}
	if (listener_open(&c->listener, path, group, e) == -1 ||
	    loop_add(l, c->listener.fd, POLLIN, on_caller, c, e) == -1)
		return NULL;
	return TAKE(c);
}

void
console_close(struct console *c)
{
	int i;

	if (c == NULL)
		return;
	for (i = 0; i < CLIENTS_MAX; i++)
		if (c->clients[i].fd != -1)
			hang_up(&c->clients[i]);
	for (i = 0; i < ASIDES_MAX; i++)
		aside_end(&c->asides[i]);
	loop_remove(c->loop, c->listener.fd);
	listener_close(&c->listener);
	free(c);
}
