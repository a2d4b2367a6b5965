/* SPDX-License-Identifier: ISC */
/*
 * The built-in transport: a channel of libssh2, which is used for nothing
 * else (its own SFTP waits for the server three times a file).
 * https://libssh2.org/docs.html
 */
#include "config.h"

#include <libssh2.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "transfer/sftp/ssh2_error.h"
#include "transfer/sftp/ssh2_hosts.h"
#include "transfer/sftp/ssh2_login.h"
#include "transfer/sftp/tcp.h"
#include "transfer/sftp/transport.h"

#define PORT 22
#define STAGE_BYTES ((size_t)128 << 10)
#define WINDOW_BYTES (8 << 20)
#define PACKET_BYTES (32 << 10)

enum step {
	STEP_CONNECT,
	STEP_HANDSHAKE,
	STEP_LOGIN,
	STEP_CHANNEL,
	STEP_SUBSYSTEM,
	STEP_READY,
};

struct ssh2 {
	struct transport base;
	const struct transport_target *target;
	enum step step;
	struct tcp tcp;
	LIBSSH2_SESSION *session;
	LIBSSH2_CHANNEL *channel;
	struct ssh2_hosts *hosts;
	struct ssh2_login *login;
	/* A packet of this way is half sent: libssh2 takes nothing else first.
	 */
	bool write_half, read_half;
	uint8_t *stage; /* bytes that the channel hasn't taken yet */
	size_t stage_at, stage_len;
};

static struct ssh2 *
ssh2_of(struct transport *t)
{
	return (struct ssh2 *)(void *)t;
}

static int
out_of_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "out of memory");
}

/* What libssh2 says of the last thing that failed. */
static int
failed(struct ssh2 *s, enum err_kind kind, const char *what, struct err *e)
{
	return ssh2_failed(s->session, s->target->host, kind, what, e);
}

static void
init_once(void)
{
	libssh2_init(0);
}

/* Each step: 1: go on at once; 0: wait; -1. */
static int
do_connect(struct ssh2 *s, struct err *e)
{
	int rc = tcp_connect(&s->tcp, e);

	if (rc != 1)
		return rc;
	s->session = libssh2_session_init_ex(NULL, NULL, NULL, NULL);
	if (s->session == NULL)
		return out_of_memory(e);
	libssh2_session_set_blocking(s->session, 0);
	s->hosts = ssh2_hosts_new(s->session, s->target->host,
	    (unsigned)s->tcp.port, s->target->known_hosts, e);
	if (s->hosts == NULL)
		return -1;
	s->step = STEP_HANDSHAKE;
	return 1;
}

static int
do_handshake(struct ssh2 *s, struct err *e)
{
	int rc = libssh2_session_handshake(s->session, s->tcp.fd);

	if (rc == LIBSSH2_ERROR_EAGAIN)
		return 0;
	if (rc == LIBSSH2_ERROR_KEX_FAILURE || rc == LIBSSH2_ERROR_METHOD_NONE)
		return failed(s, ERR_UNSUPPORTED,
		    "no common algorithms (--sftp-transport openssh may have "
		    "them)",
		    e);
	if (rc != 0)
		return failed(s, ERR_NET, "handshake", e);
	if (ssh2_hosts_check(s->hosts, e) == -1)
		return -1;
	s->step = STEP_LOGIN;
	return 1;
}

static int
do_login(struct ssh2 *s, struct err *e)
{
	int rc = ssh2_login_go(s->login, s->session, e);

	if (rc == 1)
		s->step = STEP_CHANNEL;
	return rc;
}

static int
do_channel(struct ssh2 *s, struct err *e)
{
	s->channel = libssh2_channel_open_ex(s->session, "session",
	    sizeof("session") - 1, WINDOW_BYTES, PACKET_BYTES, NULL, 0);
	if (s->channel == NULL) {
		if (libssh2_session_last_errno(s->session) ==
		    LIBSSH2_ERROR_EAGAIN)
			return 0;
		return failed(s, ERR_NET, "open a channel", e);
	}
	s->step = STEP_SUBSYSTEM;
	return 1;
}

static int
do_subsystem(struct ssh2 *s, struct err *e)
{
	const char *command = s->target->command;
	const char *how = command != NULL ? "exec" : "subsystem";
	const char *what = command != NULL ? command : "sftp";
	int rc = libssh2_channel_process_startup(s->channel, how,
	    (unsigned)strlen(how), what, (unsigned)strlen(what));

	if (rc == LIBSSH2_ERROR_EAGAIN)
		return 0;
	if (rc != 0)
		return failed(s, ERR_UNSUPPORTED,
		    command != NULL ? "the server runs no commands"
				    : "the server has no SFTP",
		    e);
	s->step = STEP_READY;
	return 1;
}

static int
ssh2_ready(struct transport *t, struct err *e)
{
	static int (*const steps[])(struct ssh2 *, struct err *) = {
	    [STEP_CONNECT] = do_connect,
	    [STEP_HANDSHAKE] = do_handshake,
	    [STEP_LOGIN] = do_login,
	    [STEP_CHANNEL] = do_channel,
	    [STEP_SUBSYSTEM] = do_subsystem,
	};
	struct ssh2 *s = ssh2_of(t);
	int rc = 1;

	while (s->step != STEP_READY && rc == 1)
		rc = steps[s->step](s, e);
	return rc;
}

static int
ended(struct ssh2 *s, struct err *e)
{
	return failed(s, ERR_NET, "the connection ended", e);
}

static bool
waits_to_send(struct ssh2 *s)
{
	return (libssh2_session_block_directions(s->session) &
		   LIBSSH2_SESSION_BLOCK_OUTBOUND) != 0;
}

/* Hands staged bytes to the channel, as far as it takes them.  After EAGAIN
 * it wants the same ones again: that is what the stage is for. */
static int
push(struct ssh2 *s, struct err *e)
{
	while (s->stage_at < s->stage_len && !s->read_half) {
		ssize_t n = libssh2_channel_write_ex(s->channel, 0,
		    (char *)s->stage + s->stage_at, s->stage_len - s->stage_at);

		s->write_half = n == LIBSSH2_ERROR_EAGAIN && waits_to_send(s);
		if (n == LIBSSH2_ERROR_EAGAIN || n == 0)
			return 0;
		if (n < 0)
			return ended(s, e);
		s->stage_at += (size_t)n;
	}
	if (s->stage_at == s->stage_len)
		s->stage_at = s->stage_len = 0;
	return 0;
}

static ssize_t
ssh2_write(struct transport *t, const struct iovec *iov, int n, struct err *e)
{
	struct ssh2 *s = ssh2_of(t);
	ssize_t taken = 0;
	int i;

	if (push(s, e) == -1)
		return -1;
	/* Not behind what is half sent: EAGAIN knows its length, too. */
	if (s->stage_len > 0)
		return 0;
	for (i = 0; i < n && s->stage_len < STAGE_BYTES; i++) {
		size_t room = STAGE_BYTES - s->stage_len;
		size_t len = iov[i].iov_len < room ? iov[i].iov_len : room;

		memcpy(s->stage + s->stage_len, iov[i].iov_base, len);
		s->stage_len += len;
		taken += (ssize_t)len;
	}
	return push(s, e) == -1 ? -1 : taken;
}

static ssize_t
ssh2_read(struct transport *t, void *out, size_t size, struct err *e)
{
	struct ssh2 *s = ssh2_of(t);
	ssize_t n;

	if (push(s, e) == -1)
		return -1;
	if (s->write_half)
		return 0;
	n = libssh2_channel_read_ex(s->channel, 0, out, size);
	s->read_half = n == LIBSSH2_ERROR_EAGAIN && waits_to_send(s);
	if (n > 0)
		return n;
	if (n == LIBSSH2_ERROR_EAGAIN)
		return 0;
	if (n == 0 && !libssh2_channel_eof(s->channel))
		return 0;
	if (n == 0 && s->target->command != NULL)
		return err_set(e, ERR_UNSUPPORTED, "it ended at once");
	return ended(s, e);
}

static nfds_t
ssh2_fds(struct transport *t, bool sending, struct pollfd out[TRANSPORT_FDS])
{
	struct ssh2 *s = ssh2_of(t);
	short events = POLLIN;

	/* A full window waits for the server, not for the socket. */
	(void)sending;
	if (s->step == STEP_CONNECT || s->write_half || s->read_half)
		events = POLLOUT;
	else if (s->step != STEP_READY && waits_to_send(s))
		events = POLLIN | POLLOUT;
	out[0] = (struct pollfd){.fd = s->tcp.fd, .events = events};
	return s->tcp.fd != -1 ? 1 : 0;
}

static void
ssh2_close(struct transport *t)
{
	struct ssh2 *s = ssh2_of(t);

	ssh2_hosts_free(s->hosts);
	ssh2_login_free(s->login);
	/* Closed first, so that nothing waits for the server's goodbye. */
	if (s->tcp.fd != -1)
		shutdown(s->tcp.fd, SHUT_RDWR);
	if (s->session != NULL)
		libssh2_session_free(s->session);
	tcp_close(&s->tcp);
	free(s->stage);
	free(s);
}

static const struct transport_ops ssh2_ops = {
    .ready = ssh2_ready,
    .write = ssh2_write,
    .read = ssh2_read,
    .fds = ssh2_fds,
    .close = ssh2_close,
};

struct transport *
transport_libssh2_open(const struct transport_target *target, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct ssh2 *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		out_of_memory(e);
		return NULL;
	}
	pthread_once(&once, init_once);
	s->base.ops = &ssh2_ops;
	s->target = target;
	s->tcp = (struct tcp){
	    .host = target->host,
	    .port = target->port != 0 ? (int)target->port : PORT,
	    .bind_address = target->bind_address,
	    .fd = -1,
	};
	s->stage = malloc(STAGE_BYTES);
	if (s->stage == NULL)
		out_of_memory(e);
	else
		s->login = ssh2_login_new(target, e);
	if (s->login == NULL) {
		ssh2_close(&s->base);
		return NULL;
	}
	return &s->base;
}

const char *
transport_libssh2_version(void)
{
	return libssh2_version(0);
}
