/* SPDX-License-Identifier: ISC */
/* A connection's first packets: what version and limits the server has. */
#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "transfer/sftp/conn_in.h"

/* Logging in takes a while more than the connection. */
#define LOGIN_FACTOR 3
#define NO_ANSWER "no answer in time while logging in"

static bool
is_closing(struct conn *c)
{
	bool closing;

	pthread_mutex_lock(&c->lock);
	closing = c->closing;
	pthread_mutex_unlock(&c->lock);
	return closing;
}

/* As long as the stop flag may go unseen; -1 if there is to be no more
 * waiting, LATE if that is for UNTIL. */
static int
wait_a_while(struct conn *c, bool sending, uint64_t until, const char *late,
    struct err *e)
{
	if (conn_is_stopped(c) || is_closing(c))
		return err_set(e, ERR_STOPPED, "stopped");
	if (clock_mono_ms() > until)
		return err_set(
		    e, ERR_NET, "%s: %s", c->config.target.host, late);
	conn_wait_io(c, sending, CONN_SLICE_MS);
	return 0;
}

/* While connecting: the next packet, or why not. */
static int
await_packet(struct conn *c, uint64_t until, const uint8_t **packet,
    size_t *len, struct err *e)
{
	for (;;) {
		int rc = conn_next_packet(c, packet, len, e);
		ssize_t n;

		if (rc != 0)
			return rc == 1 ? 0 : -1;
		n = conn_fill(c, e);
		if (n == -1)
			return -1;
		if (n > 0)
			continue;
		if (wait_a_while(c, false, until, NO_ANSWER, e) == -1)
			return -1;
	}
}

static int
send_small(struct conn *c, const struct buf *b, uint64_t until, struct err *e)
{
	struct iovec v = {.iov_base = b->data, .iov_len = b->len};

	if (buf_failed(b))
		return err_set(e, ERR_NOMEM, "out of memory");
	while (v.iov_len > 0) {
		ssize_t n = c->transport->ops->write(c->transport, &v, 1, e);

		if (n == -1)
			return -1;
		v.iov_base = (char *)v.iov_base + n;
		v.iov_len -= (size_t)n;
		if (v.iov_len == 0)
			break;
		if (wait_a_while(c, true, until, NO_ANSWER, e) == -1)
			return -1;
	}
	return 0;
}

static int
await_transport(struct conn *c, uint64_t until, struct err *e)
{
	int rc;

	while ((rc = c->transport->ops->ready(c->transport, e)) == 0) {
		if (wait_a_while(c, false, until, "no connection in time", e) ==
		    -1)
			return -1;
	}
	return rc == 1 ? 0 : -1;
}

static uint32_t
data_bytes(uint64_t told, uint64_t packet)
{
	/* Room for the rest of the packet. */
	uint64_t most = PROTO_PACKET_MAX - 2048;

	if (packet > 2048 && packet - 1024 < most)
		most = packet - 1024;
	if (told == 0)
		return PROTO_DATA_DEFAULT;
	return (uint32_t)(told < most ? told : most);
}

static int
ask_limits(
    struct conn *c, struct conn_caps *caps, uint64_t until, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(256);
	struct proto_limits limits = {0};
	struct proto_reply reply;
	const uint8_t *packet;
	const char *name = "limits@openssh.com";
	size_t len, start;

	caps->read_bytes = caps->write_bytes = PROTO_DATA_DEFAULT;
	if ((caps->features & PROTO_HAS_LIMITS) == 0)
		return 0;
	start = proto_begin(&b, PROTO_EXTENDED);
	proto_string(&b, name, strlen(name));
	proto_end(&b, start, 0);
	if (send_small(c, &b, until, e) == -1 ||
	    await_packet(c, until, &packet, &len, e) == -1 ||
	    proto_reply(packet, len, &reply, e) == -1)
		return -1;
	if (reply.type != PROTO_EXTENDED_REPLY)
		return 0;
	if (proto_get_limits(reply.rest, &limits, e) == -1)
		return -1;
	caps->read_bytes = data_bytes(limits.read, limits.packet);
	caps->write_bytes = data_bytes(limits.write, limits.packet);
	caps->handles = limits.handles;
	return 0;
}

int
conn_greet(struct conn *c, struct conn_caps *caps, struct err *e)
{
	uint64_t until = clock_mono_ms() +
	    (uint64_t)LOGIN_FACTOR * c->config.connect_timeout_ms;
	AUTO(buf) struct buf b = BUF_INIT(64);
	const uint8_t *packet;
	size_t len;

	if (await_transport(c, until, e) == -1)
		return -1;
	proto_init(&b);
	if (send_small(c, &b, until, e) == -1 ||
	    await_packet(c, until, &packet, &len, e) == -1 ||
	    proto_version(packet, len, &caps->features, e) == -1)
		return -1;
	return ask_limits(c, caps, until, e);
}
