/* SPDX-License-Identifier: ISC */
/* What comes in: whole packets out of the transport's bytes; and the wait for
 * them. */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "transfer/sftp/conn_in.h"

void
conn_wait_io(struct conn *c, bool sending, int timeout_ms)
{
	struct pollfd p[1 + TRANSPORT_FDS] = {
	    {.fd = c->event_fd, .events = POLLIN},
	};
	nfds_t n = c->transport->ops->fds(c->transport, sending, p + 1);
	uint64_t count;

	if (poll(p, n + 1, timeout_ms) > 0 && (p[0].revents & POLLIN) != 0 &&
	    read(c->event_fd, &count, sizeof(count)) == -1)
		return;
}

ssize_t
conn_fill(struct conn *c, struct err *e)
{
	ssize_t n;

	if (c->in_at > 0) {
		memmove(c->in, c->in + c->in_at, c->in_len - c->in_at);
		c->in_len -= c->in_at;
		c->in_at = 0;
	}
	n = c->transport->ops->read(
	    c->transport, c->in + c->in_len, CONN_IN_BYTES - c->in_len, e);
	if (n > 0) {
		c->in_len += (size_t)n;
		c->progress_ms = clock_mono_ms();
	}
	return n;
}

int
conn_next_packet(
    struct conn *c, const uint8_t **packet, size_t *len, struct err *e)
{
	size_t have = c->in_len - c->in_at;

	if (proto_length(c->in + c->in_at, have, len, e) == -1)
		return -1;
	if (*len == 0 || have < *len + 4)
		return 0;
	*packet = c->in + c->in_at + 4;
	c->in_at += *len + 4;
	return 1;
}
