/* SPDX-License-Identifier: ISC */
/* A connection's own thread. */
#include "config.h"

#include <assert.h>

#include "base/clock.h"
#include "transfer/sftp/answer.h"
#include "transfer/sftp/conn_in.h"
#include "transfer/sftp/handles.h"

/* Calls with more data than this wait behind each other. */
#define BULK_BYTES ((uint64_t)128 << 10)
/* Writing out what a server holds in memory may take longer. */
#define FSYNC_FACTOR 10
/* Who waits for a file to be closed gives up when nothing goes on so long. */
#define PARKED_MS 5000

/* Waits for its turn to be sent. */
static void
enlist(struct conn *c, struct call *call)
{
	call_list_add(call->bytes > BULK_BYTES ? &c->bulk : &c->small, call);
}

/* The round is over: on to the next, or back to the caller. */
static void
round_over(struct conn *c, struct call *call)
{
	if (call->err.kind != ERR_NONE || call->next_round == NULL ||
	    !call->next_round(call, call->next_arg)) {
		conn_call_done(call);
		return;
	}
	if (buf_failed(&call->heads)) {
		err_set(&call->err, ERR_NOMEM, "out of memory");
		conn_call_done(call);
		return;
	}
	assert(call->n > 0 && !call->stale);
	call_rewind(call);
	atomic_fetch_add_explicit(
	    &c->backlog, call->bytes, memory_order_relaxed);
	enlist(c, call);
}

/* A file was opened, wasn't, or was closed: who waits for that may go on. */
static void
count_handles(struct conn *c, const struct request *r)
{
	struct call *call;

	if (r->handle != NULL) {
		c->opening--;
		c->open += r->status == PROTO_OK;
	} else if (r->type == PROTO_CLOSE && c->open > 0) {
		c->open--;
	} else {
		return;
	}
	if ((call = call_list_take(&c->parked)) != NULL)
		enlist(c, call);
}

/* Gives a slot of the table back. */
static void
release(struct conn *c, struct request *r, unsigned slot)
{
	c->slots[slot].request = NULL;
	c->free_slots[--c->outstanding] = (uint16_t)slot;
	c->flying -= r->len;
	if (r->is_fsync)
		c->fsyncs--;
	count_handles(c, r);
	if (--r->call->pending == 0)
		round_over(c, r->call);
}

static void
fail_call(struct call *call, size_t requests, const struct err *e)
{
	if (call->err.kind == ERR_NONE)
		call->err = *e;
	call->pending -= requests;
	if (call->pending == 0)
		conn_call_done(call);
}

/* All that wait get *E. */
static void
fail_all(struct conn *c, const struct err *e)
{
	struct call_list *lists[] = {&c->small, &c->bulk, &c->parked};
	struct call *call;
	unsigned i;

	/* Nothing of the callers' memory is used from here on. */
	c->ring_at = c->ring_n = 0;
	c->in_at = c->in_len = 0;
	for (i = 0; i < CONN_REQUESTS_MAX; i++) {
		struct request *r = c->slots[i].request;

		if (r == NULL)
			continue;
		if (r->call->err.kind == ERR_NONE)
			r->call->err = *e;
		release(c, r, i);
	}
	for (i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		while ((call = call_list_take(lists[i])) != NULL)
			fail_call(call, call->n - call->admitted, e);
	c->opening = c->open = 0;
	atomic_store(&c->backlog, 0);
}

/*
 * What was handed over since: 1, or 0 if that is nothing; then, if MAY_SLEEP,
 * whoever comes next wakes us.  -1 if the connection is to be closed.
 */
static int
take_inbox(struct conn *c, bool may_sleep)
{
	struct call_list got;
	struct call *call;
	bool closing;
	int rc;

	pthread_mutex_lock(&c->lock);
	got = c->inbox;
	c->inbox = (struct call_list){NULL, NULL};
	closing = c->closing;
	c->sleeping = may_sleep && got.first == NULL && !closing;
	pthread_mutex_unlock(&c->lock);
	rc = got.first != NULL;
	while ((call = call_list_take(&got)) != NULL)
		enlist(c, call);
	return closing ? -1 : rc;
}

static void
push(struct conn *c, const void *p, size_t len, struct request *end)
{
	unsigned i = c->ring_at + c->ring_n++;
	union {
		const void *in;
		void *out;
	} base = {.in = p};

	c->ring[i] = (struct iovec){.iov_base = base.out, .iov_len = len};
	c->ends[i] = end;
}

static void
admit_one(struct conn *c, struct call *call)
{
	struct request *r = &call->requests[call->admitted++];
	unsigned slot = c->free_slots[c->outstanding++];
	char *head = call->heads.data + r->head;

	c->slots[slot].request = r;
	c->slots[slot].id = ++c->serial * CONN_REQUESTS_MAX + slot;
	proto_set_id(head, c->slots[slot].id);
	c->flying += r->len;
	c->opening += r->handle != NULL;
	if (r->is_fsync)
		c->fsyncs++;
	atomic_fetch_sub_explicit(
	    &c->backlog, (uint64_t)r->len, memory_order_relaxed);
	if (r->data != NULL && r->len > 0) {
		push(c, head, r->head_len, NULL);
		push(c, r->data, r->len, r);
	} else {
		push(c, head, r->head_len, r);
	}
}

/* Small calls and big ones take turns, request by request. */
static struct call_list *
choose(struct conn *c)
{
	struct call_list *first = c->bulk_next ? &c->bulk : &c->small;
	struct call_list *other = c->bulk_next ? &c->small : &c->bulk;

	c->bulk_next = !c->bulk_next;
	return first->first != NULL ? first : other;
}

/* Whether LEN more bytes may be on their way. */
static bool
may_fly(struct conn *c, uint64_t len)
{
	if (c->flying > 0 && c->flying + len > CONN_FLYING_MAX)
		return false;
	if (len > 0)
		c->held_up_ms =
		    limit_ask(c->config.limit, &c->turn, (size_t)len);
	return c->held_up_ms == 0;
}

/* Whether R would open one file more than there may be.  The last one may be a
 * directory only: who lists makes the others' work. */
static bool
is_crowded(struct conn *c, const struct request *r)
{
	unsigned most;

	if (r->handle == NULL)
		return false;
	most = handles_most(c->config.handles, clock_mono_ms());
	if (c->caps.handles != 0 && c->caps.handles < most)
		most = (unsigned)c->caps.handles;
	if (r->type == PROTO_OPEN && most > 1)
		most--;
	return c->open + c->opening >= most;
}

/* The next request of CALL, which is to open a file, fails. */
static void
refuse(struct conn *c, struct call *call)
{
	struct request *r = &call->requests[call->admitted++];

	r->status = PROTO_FAILURE;
	call->crowded = true;
	if (call->admitted < call->n)
		enlist(c, call);
	if (--call->pending == 0)
		round_over(c, call);
}

/* CALL waits until a file is closed; not if that may be its own. */
static void
park(struct conn *c, struct call *call)
{
	size_t i;

	for (i = 0; i < call->admitted; i++) {
		if (call->requests[i].handle != NULL) {
			refuse(c, call);
			return;
		}
	}
	call_list_add(&c->parked, call);
}

/* Moves requests into the ring as far as there is room and they may fly. */
static void
admit(struct conn *c)
{
	c->held_up_ms = 0;
	if (c->ring_n == 0)
		c->ring_at = 0;
	while (c->ring_at + c->ring_n + 2 <= CONN_RING &&
	    c->outstanding < CONN_REQUESTS_MAX) {
		struct call_list *list = choose(c);
		struct call *call = list->first;

		if (call == NULL ||
		    !may_fly(c, call->requests[call->admitted].len))
			break;
		if (is_crowded(c, &call->requests[call->admitted])) {
			park(c, call_list_take(list));
			continue;
		}
		admit_one(c, call);
		if (call->admitted == call->n)
			call_list_take(list);
	}
}

/* Sends what it can of the ring: how much. */
static ssize_t
flush(struct conn *c, struct err *e)
{
	ssize_t n;
	size_t left;

	if (c->ring_n == 0)
		return 0;
	n = c->transport->ops->write(
	    c->transport, c->ring + c->ring_at, (int)c->ring_n, e);
	if (n <= 0)
		return n;
	c->progress_ms = clock_mono_ms();
	for (left = (size_t)n; left > 0;) {
		struct iovec *v = &c->ring[c->ring_at];

		if (left < v->iov_len) {
			v->iov_base = (char *)v->iov_base + left;
			v->iov_len -= left;
			break;
		}
		left -= v->iov_len;
		if (c->ends[c->ring_at] != NULL)
			c->ends[c->ring_at]->sent = true;
		c->ring_at++;
		c->ring_n--;
	}
	return n;
}

static int
take_packet(struct conn *c, const uint8_t *packet, size_t len, struct err *e)
{
	struct proto_reply reply;
	struct request *r;
	unsigned slot;

	if (proto_reply(packet, len, &reply, e) == -1)
		return -1;
	slot = reply.id % CONN_REQUESTS_MAX;
	r = c->slots[slot].request;
	if (r == NULL || c->slots[slot].id != reply.id || !r->sent)
		return err_set(e, ERR_PROTOCOL,
		    "the server answered what it wasn't asked");
	if (answer_take(r, c->generation, &reply, e) == -1)
		return -1;
	release(c, r, slot);
	return 0;
}

/* Reads what there is and hands out the answers: bytes read. */
static ssize_t
receive(struct conn *c, struct err *e)
{
	ssize_t n = conn_fill(c, e);
	const uint8_t *packet;
	size_t len;
	int rc;

	if (n <= 0)
		return n;
	while ((rc = conn_next_packet(c, &packet, &len, e)) == 1)
		if (take_packet(c, packet, len, e) == -1)
			return -1;
	return rc == -1 ? -1 : n;
}

/* Something waits, and not for the server. */
static bool
is_held_up(const struct conn *c)
{
	return c->held_up_ms > 0 || c->parked.first != NULL;
}

static void
refuse_parked(struct conn *c)
{
	struct call_list parked = c->parked;
	struct call *call;

	c->parked = (struct call_list){NULL, NULL};
	while ((call = call_list_take(&parked)) != NULL)
		refuse(c, call);
}

/* Whether the server is silent for too long, or the run is to stop. */
static int
check_time(struct conn *c, struct err *e)
{
	uint64_t most = c->config.timeout_ms;

	if (c->outstanding == 0 && !is_held_up(c))
		return 0;
	if (conn_is_stopped(c))
		return err_set(e, ERR_STOPPED, "stopped");
	if (c->outstanding == 0) {
		if (clock_mono_ms() - c->progress_ms > PARKED_MS)
			refuse_parked(c);
		return 0;
	}
	if (c->fsyncs > 0)
		most *= FSYNC_FACTOR;
	if (most > 0 && clock_mono_ms() - c->progress_ms > most)
		return err_set(e, ERR_NET, "%s: no answer for %llu s",
		    c->config.target.host, (unsigned long long)most / 1000);
	return 0;
}

/* How long there may be nothing to do. */
static int
nap_ms(const struct conn *c)
{
	if (c->held_up_ms > 0 && c->held_up_ms < CONN_SLICE_MS)
		return (int)c->held_up_ms;
	return c->outstanding > 0 || is_held_up(c) ? CONN_SLICE_MS : -1;
}

/* Until the connection breaks (*E tells why) or is to be closed. */
static void
serve(struct conn *c, struct err *e)
{
	bool idle = false;
	int news;

	c->progress_ms = clock_mono_ms();
	while ((news = take_inbox(c, idle)) != -1) {
		unsigned before = c->outstanding;
		ssize_t sent, got;

		if (check_time(c, e) == -1)
			return;
		if (idle && news == 0) {
			conn_wait_io(c, c->ring_n > 0, nap_ms(c));
			idle = false;
			continue;
		}
		admit(c);
		/* Silence counts from the first question. */
		if (before == 0 && c->outstanding > 0)
			c->progress_ms = clock_mono_ms();
		sent = flush(c, e);
		got = sent == -1 ? -1 : receive(c, e);
		if (got == -1) {
			if (e->kind == ERR_NET)
				handles_broke(c->config.handles, c->open,
				    clock_mono_ms());
			return;
		}
		idle = got == 0 && sent == 0;
	}
	err_set(e, ERR_STOPPED, "closed");
}

static void
hang_up(struct conn *c)
{
	if (c->transport != NULL)
		c->transport->ops->close(c->transport);
	c->transport = NULL;
	c->in_at = c->in_len = 0;
}

/* Connects; the outcome is for all who wait. */
static bool
dial(struct conn *c)
{
	struct conn_caps caps = {0};
	uint64_t begun = clock_mono_ms();
	struct err e = ERR_INIT;
	bool up;

	c->transport = c->config.open(&c->config.target, &e);
	up = c->transport != NULL && conn_greet(c, &caps, &e) == 0;
	if (!up)
		hang_up(c);
	pthread_mutex_lock(&c->lock);
	c->state = up ? CONN_UP : CONN_DOWN;
	c->wanted = false;
	c->attempts++;
	if (up) {
		c->caps = caps;
		c->up_since_ms = clock_mono_ms();
		c->dial_ms = c->up_since_ms - begun;
		c->failed_ms = 0;
		c->generation =
		    (c->config.number << 24) | ((c->generation + 1) & 0xffffff);
	} else {
		c->why = e;
		c->failed_ms = clock_mono_ms();
	}
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	return up;
}

/* Sleeps until somebody wants the connection; false when it is to end. */
static bool
await_wish(struct conn *c)
{
	bool closing;

	pthread_mutex_lock(&c->lock);
	while (!c->wanted && !c->closing)
		pthread_cond_wait(&c->changed, &c->lock);
	closing = c->closing;
	if (!closing)
		c->state = CONN_DIALING;
	pthread_mutex_unlock(&c->lock);
	return !closing;
}

void *
conn_io_main(void *arg)
{
	struct conn *c = arg;

	while (await_wish(c)) {
		struct err e = ERR_INIT;

		if (!dial(c))
			continue;
		serve(c, &e);
		/* Most of those who wait have no part in it. */
		if (e.kind == ERR_PROTOCOL) {
			err_context(&e, "the connection was given up");
			e.kind = ERR_NET;
		}
		pthread_mutex_lock(&c->lock);
		c->state = CONN_DOWN;
		c->sleeping = false;
		pthread_mutex_unlock(&c->lock);
		/* What came before the state was seen. */
		take_inbox(c, false);
		fail_all(c, &e);
		hang_up(c);
	}
	return NULL;
}
