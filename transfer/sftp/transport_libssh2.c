/* SPDX-License-Identifier: ISC */
/*
 * The built-in transport: a channel of libssh2, which is used for nothing
 * else (its own SFTP waits for the server three times a file).
 * https://libssh2.org/docs.html
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libssh2.h>
#include <limits.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "transfer/sftp/transport.h"

#define STAGE_BYTES ((size_t)128 << 10)
#define WINDOW_BYTES (8 << 20)
#define PACKET_BYTES (32 << 10)
#define SECRET_MAX 4096
#define KNOWN_LINE_MAX ((size_t)64 << 10)

enum step {
	STEP_CONNECT,
	STEP_HANDSHAKE,
	STEP_METHODS,
	STEP_PASSWORD,
	STEP_KEYBOARD,
	STEP_IDENTITY,
	STEP_AGENT,
	STEP_FILES,
	STEP_CHANNEL,
	STEP_SUBSYSTEM,
	STEP_READY,
};

struct ssh2 {
	struct transport base;
	const struct transport_target *target;
	enum step step;
	int fd;
	struct addrinfo *addresses, *address;
	int address_error; /* why the last one could not be had */
	LIBSSH2_SESSION *session;
	LIBSSH2_CHANNEL *channel;
	LIBSSH2_AGENT *agent;
	struct libssh2_agent_publickey *agent_key;
	LIBSSH2_KNOWNHOSTS *known, *revoked;
	char user[256];
	char *methods; /* that the server takes */
	char secret[SECRET_MAX];
	unsigned file; /* of the default ones, that is tried */
	bool tried_any;
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
	char *text = NULL;
	int len = 0;

	libssh2_session_last_error(s->session, &text, &len, 0);
	return err_set(e, kind, "%s: %s: %.200s", s->target->host, what,
	    text != NULL ? text : "no reason given");
}

static void
init_once(void)
{
	libssh2_init(0);
}

/* Secrets */

/* The first line of PATH, which must not be readable by others. */
static int
read_secret(struct ssh2 *s, const char *path, struct err *e)
{
	AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd == -1 || fstat(fd, &st) == -1) {
		err_sys(e, "%s", path);
		e->kind = ERR_CONFIG;
		return -1;
	}
	if ((st.st_mode & 077) != 0 && S_ISREG(st.st_mode))
		return err_set(e, ERR_CONFIG,
		    "%s holds a secret and others may read it: chmod 600 %s",
		    path, path);
	n = read(fd, s->secret, sizeof(s->secret) - 1);
	if (n == -1)
		return err_sys(e, "%s", path);
	s->secret[n] = '\0';
	s->secret[strcspn(s->secret, "\r\n")] = '\0';
	return 0;
}

/* Host keys */

static int
key_bits(int type)
{
	switch (type) {
	case LIBSSH2_HOSTKEY_TYPE_RSA:
		return LIBSSH2_KNOWNHOST_KEY_SSHRSA;
	case LIBSSH2_HOSTKEY_TYPE_ECDSA_256:
		return LIBSSH2_KNOWNHOST_KEY_ECDSA_256;
	case LIBSSH2_HOSTKEY_TYPE_ECDSA_384:
		return LIBSSH2_KNOWNHOST_KEY_ECDSA_384;
	case LIBSSH2_HOSTKEY_TYPE_ECDSA_521:
		return LIBSSH2_KNOWNHOST_KEY_ECDSA_521;
	case LIBSSH2_HOSTKEY_TYPE_ED25519:
		return LIBSSH2_KNOWNHOST_KEY_ED25519;
	default:
		return LIBSSH2_KNOWNHOST_KEY_UNKNOWN;
	}
}

static void
learn_line(struct ssh2 *s, const char *line, size_t len)
{
	static const char mark[] = "@revoked ";
	LIBSSH2_KNOWNHOSTS *where = s->known;

	if (len == 0 || line[0] == '#')
		return;
	if (len > sizeof(mark) && strncmp(line, mark, sizeof(mark) - 1) == 0) {
		line += sizeof(mark) - 1;
		len -= sizeof(mark) - 1;
		where = s->revoked;
	} else if (line[0] == '@') {
		return; /* certificates are OpenSSH's */
	}
	/* A line that it can't read tells nothing. */
	libssh2_knownhost_readline(
	    where, line, len, LIBSSH2_KNOWNHOST_FILE_OPENSSH);
}

static int
learn_file(struct ssh2 *s, const char *path, bool needed, struct err *e)
{
	AUTO(fclose) FILE *f = fopen(path, "re");
	AUTO(free) char *line = NULL;
	size_t size = 0;
	ssize_t n;

	if (f == NULL && (errno == ENOENT || errno == ENOTDIR) && !needed)
		return 0;
	if (f == NULL) {
		err_sys(e, "%s", path);
		e->kind = ERR_CONFIG;
		return -1;
	}
	while ((n = getline(&line, &size, f)) != -1)
		if ((size_t)n < KNOWN_LINE_MAX)
			learn_line(s, line, (size_t)n);
	return 0;
}

static int
learn_hosts(struct ssh2 *s, struct err *e)
{
	const char *home = getenv("HOME");
	char path[PATH_MAX];

	s->known = libssh2_knownhost_init(s->session);
	s->revoked = libssh2_knownhost_init(s->session);
	if (s->known == NULL || s->revoked == NULL)
		return out_of_memory(e);
	if (s->target->known_hosts != NULL)
		return learn_file(s, s->target->known_hosts, true, e);
	if (home != NULL &&
	    snprintf(path, sizeof(path), "%s/.ssh/known_hosts", home) <
		(int)sizeof(path) &&
	    learn_file(s, path, false, e) == -1)
		return -1;
	return learn_file(s, "/etc/ssh/ssh_known_hosts", false, e);
}

static int
port_of(const struct ssh2 *s)
{
	return s->target->port != 0 ? (int)s->target->port : 22;
}

static int
look_up(struct ssh2 *s, LIBSSH2_KNOWNHOSTS *hosts, const char *key, size_t len,
    int bits)
{
	return libssh2_knownhost_checkp(hosts, s->target->host, port_of(s), key,
	    len,
	    LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_RAW | bits,
	    NULL);
}

/* The server shows one of its keys: it should be of a kind that is known. */
static int
prefer_known(struct ssh2 *s, struct err *e)
{
	static const struct {
		int bits;
		const char *names;
	} kinds[] = {
	    {LIBSSH2_KNOWNHOST_KEY_ED25519, "ssh-ed25519"},
	    {LIBSSH2_KNOWNHOST_KEY_ECDSA_256, "ecdsa-sha2-nistp256"},
	    {LIBSSH2_KNOWNHOST_KEY_ECDSA_384, "ecdsa-sha2-nistp384"},
	    {LIBSSH2_KNOWNHOST_KEY_ECDSA_521, "ecdsa-sha2-nistp521"},
	    {LIBSSH2_KNOWNHOST_KEY_SSHRSA, "rsa-sha2-512,rsa-sha2-256,ssh-rsa"},
	};
	AUTO(buf) struct buf list = BUF_INIT(1000);
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		/* No key is that: what is known of the kind differs. */
		if (look_up(s, s->known, "none", 4, kinds[i].bits) !=
		    LIBSSH2_KNOWNHOST_CHECK_MISMATCH)
			continue;
		if (list.len > 0)
			buf_addc(&list, ',');
		buf_adds(&list, kinds[i].names);
	}
	if (buf_failed(&list))
		return out_of_memory(e);
	/* If it can't do any of them, the handshake says so. */
	if (list.len > 0)
		libssh2_session_method_pref(
		    s->session, LIBSSH2_METHOD_HOSTKEY, buf_str(&list));
	return 0;
}

static int
check_host(struct ssh2 *s, struct err *e)
{
	const char *host = s->target->host;
	char port[20] = "", shown[300];
	size_t len;
	int type;
	const char *key = libssh2_session_hostkey(s->session, &len, &type);
	int found;

	if (key == NULL)
		return failed(s, ERR_PROTOCOL, "no host key", e);
	if (port_of(s) != 22) {
		snprintf(port, sizeof(port), "-p %d ", port_of(s));
		snprintf(shown, sizeof(shown), "[%s]:%d", host, port_of(s));
	} else {
		snprintf(shown, sizeof(shown), "%s", host);
	}
	if (look_up(s, s->revoked, key, len, key_bits(type)) ==
	    LIBSSH2_KNOWNHOST_CHECK_MATCH)
		return err_set(
		    e, ERR_CONFIG, "the host key of %s was revoked", host);
	found = look_up(s, s->known, key, len, key_bits(type));
	if (found == LIBSSH2_KNOWNHOST_CHECK_MATCH)
		return 0;
	if (found == LIBSSH2_KNOWNHOST_CHECK_MISMATCH)
		return err_set(e, ERR_CONFIG,
		    "the host key of %s is not the one that is known: somebody "
		    "may be in between. If its key was changed on purpose: "
		    "ssh-keygen -R '%s', then make it known again",
		    host, shown);
	return err_set(e, ERR_CONFIG,
	    "the host key of %s is not known. Make it known: ssh-keyscan "
	    "%s%s >>~/.ssh/known_hosts, then compare it with the server's",
	    host, port, host);
}

/* The connection */

static int
resolve(struct ssh2 *s, struct err *e)
{
	struct addrinfo hints = {
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	};
	char port[12];
	int rc;

	snprintf(port, sizeof(port), "%d", port_of(s));
	rc = getaddrinfo(s->target->host, port, &hints, &s->addresses);
	if (rc != 0)
		return err_set(
		    e, ERR_NET, "%s: %s", s->target->host, gai_strerror(rc));
	s->address = s->addresses;
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
try_next(struct ssh2 *s, struct err *e)
{
	int one = 1;

	for (; s->address != NULL; s->address = s->address->ai_next) {
		const struct addrinfo *a = s->address;

		if (s->fd != -1)
			close(s->fd);
		s->fd = socket(a->ai_family,
		    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (s->fd == -1) {
			s->address_error = errno;
			continue;
		}
		setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		setsockopt(s->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
		if (bind_to(s->fd, a->ai_family, s->target->bind_address) ==
			0 &&
		    (connect(s->fd, a->ai_addr, a->ai_addrlen) == 0 ||
			errno == EINPROGRESS))
			return 0;
		s->address_error = errno;
	}
	errno = s->address_error;
	err_sys(e, "%s", s->target->host);
	e->kind = ERR_NET;
	return -1;
}

static int
begin_session(struct ssh2 *s, struct err *e)
{
	s->session = libssh2_session_init_ex(NULL, NULL, NULL, s);
	if (s->session == NULL)
		return out_of_memory(e);
	libssh2_session_set_blocking(s->session, 0);
	if (learn_hosts(s, e) == -1 || prefer_known(s, e) == -1)
		return -1;
	s->step = STEP_HANDSHAKE;
	return 1;
}

/* 1: go on at once; 0: wait; -1. */
static int
do_connect(struct ssh2 *s, struct err *e)
{
	struct pollfd p = {.fd = s->fd, .events = POLLOUT};
	socklen_t len = sizeof(int);
	int sys = 0;

	if (s->addresses == NULL) {
		if (resolve(s, e) == -1 || try_next(s, e) == -1)
			return -1;
		return 0;
	}
	if (poll(&p, 1, 0) == 0)
		return 0;
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &sys, &len) == -1)
		sys = errno;
	if (sys == 0)
		return begin_session(s, e);
	s->address_error = sys;
	s->address = s->address->ai_next;
	return try_next(s, e) == -1 ? -1 : 0;
}

static int
do_handshake(struct ssh2 *s, struct err *e)
{
	int rc = libssh2_session_handshake(s->session, s->fd);

	if (rc == LIBSSH2_ERROR_EAGAIN)
		return 0;
	if (rc == LIBSSH2_ERROR_KEX_FAILURE || rc == LIBSSH2_ERROR_METHOD_NONE)
		return failed(s, ERR_UNSUPPORTED,
		    "no common algorithms (--sftp-transport openssh may have "
		    "them)",
		    e);
	if (rc != 0)
		return failed(s, ERR_NET, "handshake", e);
	if (check_host(s, e) == -1)
		return -1;
	s->step = STEP_METHODS;
	return 1;
}

/* Logging in */

static bool
takes(const struct ssh2 *s, const char *method)
{
	return s->methods != NULL && strstr(s->methods, method) != NULL;
}

static int
refused(struct ssh2 *s, struct err *e)
{
	return err_set(e, ERR_DENIED,
	    "%s refused to let %s in%s: it takes %.100s. Name a key with "
	    "--sftp-identity, or a password with --sftp-password-file",
	    s->target->host, s->user,
	    s->tried_any ? "" : ", as there was no key to try",
	    s->methods != NULL ? s->methods : "nothing");
}

static int
do_methods(struct ssh2 *s, struct err *e)
{
	const struct transport_target *t = s->target;
	char *list = libssh2_userauth_list(
	    s->session, s->user, (unsigned)strlen(s->user));

	if (list == NULL) {
		if (libssh2_userauth_authenticated(s->session)) {
			s->step = STEP_CHANNEL;
			return 1;
		}
		if (libssh2_session_last_errno(s->session) ==
		    LIBSSH2_ERROR_EAGAIN)
			return 0;
		return failed(s, ERR_NET, "log in", e);
	}
	s->methods = strdup(list);
	if (s->methods == NULL)
		return out_of_memory(e);
	if (t->password_file != NULL) {
		s->step = STEP_PASSWORD;
		return read_secret(s, t->password_file, e) == -1 ? -1 : 1;
	}
	if (t->passphrase_file != NULL &&
	    read_secret(s, t->passphrase_file, e) == -1)
		return -1;
	if (!takes(s, "publickey"))
		return refused(s, e);
	s->step = t->identity != NULL ? STEP_IDENTITY : STEP_AGENT;
	return 1;
}

static int
do_password(struct ssh2 *s, struct err *e)
{
	int rc;

	if (!takes(s, "password")) {
		s->step = STEP_KEYBOARD;
		return 1;
	}
	s->tried_any = true;
	rc = libssh2_userauth_password_ex(s->session, s->user,
	    (unsigned)strlen(s->user), s->secret, (unsigned)strlen(s->secret),
	    NULL);
	if (rc == LIBSSH2_ERROR_EAGAIN)
		return 0;
	if (rc == LIBSSH2_ERROR_AUTHENTICATION_FAILED ||
	    rc == LIBSSH2_ERROR_PASSWORD_EXPIRED)
		return refused(s, e);
	if (rc != 0)
		return failed(s, ERR_NET, "log in", e);
	s->step = STEP_CHANNEL;
	return 1;
}

static void
answer(const char *name, int name_len, const char *instruction,
    int instruction_len, int n, const LIBSSH2_USERAUTH_KBDINT_PROMPT *prompts,
    LIBSSH2_USERAUTH_KBDINT_RESPONSE *responses, void **abstract)
{
	const struct ssh2 *s = *abstract;
	int i;

	(void)name;
	(void)name_len;
	(void)instruction;
	(void)instruction_len;
	(void)prompts;
	for (i = 0; i < n; i++) {
		responses[i].text = strdup(s->secret);
		responses[i].length =
		    responses[i].text != NULL ? (unsigned)strlen(s->secret) : 0;
	}
}

static int
do_keyboard(struct ssh2 *s, struct err *e)
{
	int rc;

	if (!takes(s, "keyboard-interactive"))
		return refused(s, e);
	s->tried_any = true;
	rc = libssh2_userauth_keyboard_interactive_ex(
	    s->session, s->user, (unsigned)strlen(s->user), answer);
	if (rc == LIBSSH2_ERROR_EAGAIN)
		return 0;
	if (rc == LIBSSH2_ERROR_AUTHENTICATION_FAILED)
		return refused(s, e);
	if (rc != 0)
		return failed(s, ERR_NET, "log in", e);
	s->step = STEP_CHANNEL;
	return 1;
}

/* 1: in; 0: wait; 2: not with this one. */
static int
try_file(struct ssh2 *s, const char *path, struct err *e)
{
	int rc = libssh2_userauth_publickey_fromfile_ex(s->session, s->user,
	    (unsigned)strlen(s->user), NULL, path, s->secret);

	if (rc == LIBSSH2_ERROR_EAGAIN)
		return 0;
	s->tried_any = true;
	if (rc == 0) {
		s->step = STEP_CHANNEL;
		return 1;
	}
	if (rc == LIBSSH2_ERROR_SOCKET_DISCONNECT ||
	    rc == LIBSSH2_ERROR_SOCKET_SEND || rc == LIBSSH2_ERROR_SOCKET_RECV)
		return failed(s, ERR_NET, "log in", e);
	return 2;
}

static int
do_identity(struct ssh2 *s, struct err *e)
{
	const char *path = s->target->identity;
	int rc;

	if (access(path, R_OK) == -1) {
		err_sys(e, "%s", path);
		e->kind = ERR_CONFIG;
		return -1;
	}
	rc = try_file(s, path, e);
	if (rc != 2)
		return rc;
	if (libssh2_session_last_errno(s->session) == LIBSSH2_ERROR_FILE)
		return failed(s, ERR_CONFIG,
		    "the private key can't be read (is it encrypted? "
		    "--sftp-passphrase-file)",
		    e);
	failed(s, ERR_DENIED, path, e);
	return err_context(e, "the key was refused");
}

static int
do_agent(struct ssh2 *s, struct err *e)
{
	struct libssh2_agent_publickey *next;
	int rc;

	if (s->agent == NULL) {
		s->agent = libssh2_agent_init(s->session);
		if (s->agent == NULL)
			return out_of_memory(e);
		if (getenv("SSH_AUTH_SOCK") == NULL ||
		    libssh2_agent_connect(s->agent) != 0 ||
		    libssh2_agent_list_identities(s->agent) != 0) {
			s->step = STEP_FILES;
			return 1;
		}
	}
	for (;;) {
		if (s->agent_key == NULL) {
			if (libssh2_agent_get_identity(
				s->agent, &s->agent_key, NULL) != 0)
				break;
		}
		rc = libssh2_agent_userauth(s->agent, s->user, s->agent_key);
		if (rc == LIBSSH2_ERROR_EAGAIN)
			return 0;
		s->tried_any = true;
		if (rc == 0) {
			s->step = STEP_CHANNEL;
			return 1;
		}
		if (libssh2_agent_get_identity(s->agent, &next, s->agent_key) !=
		    0)
			break;
		s->agent_key = next;
	}
	s->step = STEP_FILES;
	return 1;
}

static int
do_files(struct ssh2 *s, struct err *e)
{
	static const char *const names[] = {"id_ed25519", "id_ecdsa", "id_rsa"};
	const char *home = getenv("HOME");
	char path[PATH_MAX];
	int rc;

	for (; s->file < sizeof(names) / sizeof(*names); s->file++) {
		if (home == NULL ||
		    snprintf(path, sizeof(path), "%s/.ssh/%s", home,
			names[s->file]) >= (int)sizeof(path) ||
		    access(path, R_OK) == -1)
			continue;
		rc = try_file(s, path, e);
		if (rc != 2)
			return rc;
	}
	return refused(s, e);
}

/* The channel */

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
	    [STEP_METHODS] = do_methods,
	    [STEP_PASSWORD] = do_password,
	    [STEP_KEYBOARD] = do_keyboard,
	    [STEP_IDENTITY] = do_identity,
	    [STEP_AGENT] = do_agent,
	    [STEP_FILES] = do_files,
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
	out[0] = (struct pollfd){.fd = s->fd, .events = events};
	return s->fd != -1 ? 1 : 0;
}

static void
ssh2_close(struct transport *t)
{
	struct ssh2 *s = ssh2_of(t);

	if (s->known != NULL)
		libssh2_knownhost_free(s->known);
	if (s->revoked != NULL)
		libssh2_knownhost_free(s->revoked);
	if (s->agent != NULL) {
		libssh2_agent_disconnect(s->agent);
		libssh2_agent_free(s->agent);
	}
	/* Closed first, so that nothing waits for the server's goodbye. */
	if (s->fd != -1)
		shutdown(s->fd, SHUT_RDWR);
	if (s->session != NULL)
		libssh2_session_free(s->session);
	if (s->fd != -1)
		close(s->fd);
	if (s->addresses != NULL)
		freeaddrinfo(s->addresses);
	explicit_bzero(s->secret, sizeof(s->secret));
	free(s->methods);
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

static int
name_user(struct ssh2 *s, struct err *e)
{
	const char *user = s->target->user;
	struct passwd pw, *found = NULL;
	char text[4096];

	if (user == NULL || user[0] == '\0') {
		if (getpwuid_r(geteuid(), &pw, text, sizeof(text), &found) !=
			0 ||
		    found == NULL)
			return err_set(e, ERR_CONFIG,
			    "name the user: sftp://USER@%s/...",
			    s->target->host);
		user = pw.pw_name;
	}
	if ((size_t)snprintf(s->user, sizeof(s->user), "%s", user) >=
	    sizeof(s->user))
		return err_set(e, ERR_CONFIG, "the user's name is too long");
	return 0;
}

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
	s->fd = -1;
	s->stage = malloc(STAGE_BYTES);
	if (s->stage == NULL)
		out_of_memory(e);
	if (s->stage == NULL || name_user(s, e) == -1) {
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
