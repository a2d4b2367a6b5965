/* SPDX-License-Identifier: ISC */
/*
 * The transport that is a child, `ssh -s HOST sftp`: it brings ssh_config,
 * agent, certificates, jump hosts and the system's crypto policy.  It never
 * asks anybody anything.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "transfer/sftp/askpass.h"
#include "transfer/sftp/cipher.h"
#include "transfer/sftp/transport.h"

#define ARGS_MAX 96
#define OPTION_MAX (3 * PATH_MAX)
#define SAID_MAX 4000
#define SOCKET_BYTES (1 << 20)
#define LAST_WORDS_MS 1000 /* an ssh that ends says why within it */

extern char **environ;

struct ssh {
	struct transport base;
	const struct transport_target *target;
	pid_t pid; /* -1 once it was waited for */
	int fd;	   /* its standard input and output */
	int err_fd;
	bool heard; /* bytes came: it is logged in */
	struct buf said;
};

static struct ssh *
ssh_of(struct transport *t)
{
	return (struct ssh *)(void *)t;
}

/* The arguments, in one place of memory. */
struct args {
	char *v[ARGS_MAX];
	size_t at[ARGS_MAX]; /* where each begins in the text */
	int n;
	struct buf text;
};

static void
add(struct args *a, const char *s)
{
	if (a->n < ARGS_MAX - 1)
		a->at[a->n++] = a->text.len;
	else
		a->text.failed = true;
	buf_add(&a->text, s, strlen(s) + 1);
}

static void
add_words(struct args *a, const char *words)
{
	while (*(words += strspn(words, " ")) != '\0') {
		size_t n = strcspn(words, " ");
		AUTO(free) char *word = strndup(words, n);

		if (word == NULL)
			a->text.failed = true;
		else
			add(a, word);
		words += n;
	}
}

static void
add_option(struct args *a, const char *name, const char *value)
{
	AUTO(buf) struct buf text = BUF_INIT(OPTION_MAX);

	buf_addf(&text, "-o%s=%s", name, value);
	if (buf_failed(&text))
		a->text.failed = true;
	add(a, buf_str(&text));
}

/*
 * An option whose value is a path.  ssh takes the value apart into words, and
 * expands what stands after '%' and "${" in them.  In quotes, a backslash is
 * special only before these three; an ssh before 8.7 knows no special one.
 */
static void
add_path_option(struct args *a, const char *name, const char *path)
{
	AUTO(buf) struct buf quoted = BUF_INIT(PATH_MAX * 2);
	const char *p;

	buf_addc(&quoted, '"');
	for (p = path; *p != '\0'; p++) {
		if (*p == '%')
			buf_addc(&quoted, '%');
		else if (*p == '"' ||
		    (*p == '\\' && (p[1] == '\0' || strchr("\\\"'", p[1]))))
			buf_addc(&quoted, '\\');
		buf_addc(&quoted, *p);
	}
	buf_addc(&quoted, '"');
	if (buf_failed(&quoted))
		a->text.failed = true;
	else
		add_option(a, name, buf_str(&quoted));
}

/* A secret that was given is all that it may ask for, once. */
static void
add_login_options(struct args *a, const struct transport_target *t)
{
	add_option(a, "BatchMode", askpass_is_needed(t) ? "no" : "yes");
	if (!askpass_is_needed(t))
		return;
	add_option(a, "NumberOfPasswordPrompts", "1");
	add_option(a, "PreferredAuthentications",
	    t->password_file != NULL ? "password,keyboard-interactive,publickey"
				     : "gssapi-with-mic,hostbased,publickey");
}

/* Options of the command line come before those of its files. */
static void
add_options(struct args *a, const struct transport_target *t)
{
	static const char *const always[][2] = {
	    {"StrictHostKeyChecking", "yes"},
	    {"ControlMaster", "no"},
	    {"ControlPath", "none"},
	    {"ServerAliveInterval", "15"},
	    {"ServerAliveCountMax", "4"},
	    {"ClearAllForwardings", "yes"},
	    {"ForwardAgent", "no"},
	    {"ForwardX11", "no"},
	    {"PermitLocalCommand", "no"},
	    {"RemoteCommand", "none"},
	    {"RequestTTY", "no"},
	    {"LogLevel", "ERROR"},
	};
	AUTO(free) char *ciphers = cipher_list(t);
	char text[32];
	size_t i;

	add_login_options(a, t);
	if (ciphers != NULL)
		add_option(a, "Ciphers", ciphers);
	for (i = 0; i < sizeof(always) / sizeof(*always); i++)
		add_option(a, always[i][0], always[i][1]);
	snprintf(
	    text, sizeof(text), "%u", (t->connect_timeout_ms + 999) / 1000);
	if (t->connect_timeout_ms != 0)
		add_option(a, "ConnectTimeout", text);
	snprintf(text, sizeof(text), "%u", t->port);
	if (t->port != 0)
		add_option(a, "Port", text);
	if (t->user != NULL && t->user[0] != '\0') {
		add(a, "-l"); /* nothing is expanded in it */
		add(a, t->user);
	}
	if (t->bind_address != NULL)
		add_option(a, "BindAddress", t->bind_address);
	if (t->identity != NULL) {
		add_path_option(a, "IdentityFile", t->identity);
		add_option(a, "IdentitiesOnly", "yes");
	}
	if (t->known_hosts != NULL) {
		add_path_option(a, "UserKnownHostsFile", t->known_hosts);
		add_option(a, "GlobalKnownHostsFile", "/dev/null");
	}
}

/* Nothing can be put before it to keep it from being expanded. */
static int
check_path(const char *path, struct err *e)
{
	if (path == NULL || strstr(path, "${") == NULL)
		return 0;
	return err_set(
	    e, ERR_CONFIG, "%s: ssh takes no path that has \"${\"", path);
}

static int
make_args(struct args *a, const struct transport_target *t, struct err *e)
{
	int i;

	if (check_path(t->identity, e) == -1 ||
	    check_path(t->known_hosts, e) == -1)
		return -1;
	add_words(a, t->ssh != NULL ? t->ssh : "ssh");
	if (a->n == 0)
		return err_set(e, ERR_CONFIG, "--sftp-ssh names no command");
	add_options(a, t);
	if (t->command == NULL)
		add(a, "-s");
	add(a, "--");
	add(a, t->host);
	add(a, t->command != NULL ? t->command : "sftp");
	if (buf_failed(&a->text))
		return err_set(e, ERR_CONFIG, "--sftp-ssh is too long");
	for (i = 0; i < a->n; i++)
		a->v[i] = a->text.data + a->at[i];
	a->v[a->n] = NULL;
	return 0;
}

/* A group of its own: what the terminal's keys do to us is not for it; nor is
 * the terminal, where it is to ask us. */
static int
spawn(struct ssh *s, struct args *a, int in, int err_fd, struct err *e)
{
	bool asks = askpass_is_needed(s->target);
	AUTO(free)
	char **own_environ = asks ? askpass_environ(s->target, e) : NULL;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int rc;

	if (asks && own_environ == NULL)
		return -1;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, in, 0);
	posix_spawn_file_actions_adddup2(&files, in, 1);
	posix_spawn_file_actions_adddup2(&files, err_fd, 2);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr,
	    (short)((asks ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP) |
		POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	rc = posix_spawnp(&s->pid, a->v[0], &files, &attr, a->v,
	    asks ? own_environ : environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	if (rc == 0)
		return 0;
	s->pid = -1;
	errno = rc;
	err_sys(e, "%s", a->v[0]);
	if (rc == ENOENT) {
		err_context(e,
		    "OpenSSH's client is needed (package openssh-client or "
		    "openssh-clients), or --sftp-transport libssh2");
		e->kind = ERR_CONFIG;
	}
	return -1;
}

static int
start(struct ssh *s, struct err *e)
{
	struct args a = {.text = BUF_INIT(1 << 16)};
	int pair[2] = {-1, -1}, pipes[2] = {-1, -1};
	int size = SOCKET_BYTES, rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return err_sys(e, "socketpair");
	s->fd = pair[0];
	if (pipe2(pipes, O_CLOEXEC) == -1) {
		close(pair[1]);
		return err_sys(e, "pipe");
	}
	s->err_fd = pipes[0];
	/* Only hints: what can't be had isn't needed. */
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	fcntl(pipes[0], F_SETFL, O_NONBLOCK);
	rc = make_args(&a, s->target, e);
	if (rc == 0)
		rc = spawn(s, &a, pair[1], pipes[1], e);
	close(pair[1]);
	close(pipes[1]);
	buf_free(&a.text);
	return rc;
}

static int
ssh_ready(struct transport *t, struct err *e)
{
	(void)t;
	(void)e;
	return 1;
}

/* What it says on standard error; true at its end. */
static bool
listen_to(struct ssh *s)
{
	char text[1024];
	ssize_t n;

	while (s->err_fd != -1) {
		n = read(s->err_fd, text, sizeof(text));
		if (n == -1)
			return errno != EAGAIN && errno != EINTR;
		if (n == 0) {
			close(s->err_fd);
			s->err_fd = -1;
			break;
		}
		if (s->said.len + (size_t)n <= SAID_MAX)
			buf_add(&s->said, text, (size_t)n);
	}
	return true;
}

static void
hear_last_words(struct ssh *s)
{
	uint64_t until = clock_mono_ms() + LAST_WORDS_MS;
	uint64_t now;

	while (!listen_to(s) && (now = clock_mono_ms()) < until) {
		struct pollfd p = {.fd = s->err_fd, .events = POLLIN};

		poll(&p, 1, (int)(until - now));
	}
}

static bool
has(const struct ssh *s, const char *text)
{
	return strcasestr(buf_str(&s->said), text) != NULL;
}

/* The last lines that it said, in one. */
static const char *
last_words(const struct ssh *s, char *out, size_t size)
{
	const char *text = buf_str(&s->said);
	size_t len = s->said.len, i, n = 0, from = 0, lines = 0;

	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	for (i = len; i > 0 && lines < 3; i--)
		if (text[i - 1] == '\n' && ++lines == 3)
			from = i;
	for (i = from; i < len && n + 3 < size; i++) {
		unsigned char ch = (unsigned char)text[i];

		if (ch == '\n') {
			out[n++] = ';';
			out[n++] = ' ';
		} else if (ch >= ' ' && ch != 127) {
			out[n++] = (char)ch;
		}
	}
	out[n] = '\0';
	return out;
}

static void
name_host(const struct ssh *s, char *out, size_t size)
{
	const struct transport_target *t = s->target;

	if (t->port != 0 && t->port != 22)
		snprintf(out, size, "[%s]:%u", t->host, t->port);
	else
		snprintf(out, size, "%s", t->host);
}

/* What its last words mean, and what to do about it.  Returns -1. */
static int
explain(struct ssh *s, struct err *e)
{
	char words[300], host[300], port[20] = "";

	name_host(s, host, sizeof(host));
	last_words(s, words, sizeof(words));
	if (s->target->port != 0 && s->target->port != 22)
		snprintf(port, sizeof(port), "-p %u ", s->target->port);
	/* It may say that it's unknown, too. */
	if (has(s, "REVOKED HOST KEY"))
		return err_set(e, ERR_CONFIG,
		    "the host key of %s, or who certified it, was revoked: "
		    "whoever has it may be in between. The server needs "
		    "another one",
		    s->target->host);
	if (has(s, "IDENTIFICATION HAS CHANGED"))
		return err_set(e, ERR_CONFIG,
		    "the host key of %s is not the one that is known: somebody "
		    "may be in between. If its key was changed on purpose: "
		    "ssh-keygen -R '%s', then make it known again",
		    s->target->host, host);
	if (has(s, "Host key verification failed"))
		return err_set(e, ERR_CONFIG,
		    "the host key of %s is not known. Make it known: "
		    "ssh-keyscan %s%s >>~/.ssh/known_hosts, then compare it "
		    "with the server's",
		    s->target->host, port, s->target->host);
	if (has(s, "Permission denied (") || has(s, "Too many authentication"))
		return err_set(e, ERR_DENIED,
		    "%s refused to let us in: %s; tried are %sthe keys of "
		    "ssh-agent, ~/.ssh and --sftp-identity",
		    host, words,
		    s->target->password_file != NULL
			? "--sftp-password-file and "
			: "");
	if (has(s, "subsystem request failed"))
		return err_set(e, ERR_UNSUPPORTED,
		    "%s has no SFTP: its sshd needs a line \"Subsystem sftp "
		    "internal-sftp\"",
		    host);
	if (has(s, "Bad owner or permissions") ||
	    has(s, "Bad configuration option") || has(s, "no such identity") ||
	    has(s, "UNPROTECTED PRIVATE KEY") || has(s, "no matching"))
		return err_set(e, ERR_CONFIG, "ssh: %s", words);
	if (words[0] != '\0')
		return err_set(e, ERR_NET, "%s: %s", host, words);
	return err_set(e, ERR_NET,
	    s->heard ? "%s ended the connection"
		     : "%s: the connection ended before SFTP began",
	    host);
}

/* It was the command that ended: ssh's own failures are 255. */
static bool
command_ended(struct ssh *s)
{
	struct timespec pause = {.tv_nsec = 1000000};
	int tries, status;

	for (tries = 0; tries < LAST_WORDS_MS && s->pid != -1; tries++) {
		if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
			s->pid = -1;
			return WIFEXITED(status) && WEXITSTATUS(status) != 255;
		}
		nanosleep(&pause, NULL);
	}
	return false;
}

static int
ended(struct ssh *s, struct err *e)
{
	char words[300];

	hear_last_words(s);
	if (s->target->command != NULL && command_ended(s)) {
		last_words(s, words, sizeof(words));
		return err_set(e, ERR_UNSUPPORTED, "%s",
		    words[0] != '\0' ? words : "it ended at once");
	}
	return explain(s, e);
}

static ssize_t
ssh_write(struct transport *t, const struct iovec *iov, int n, struct err *e)
{
	struct ssh *s = ssh_of(t);
	struct iovec copy[64];
	struct msghdr m = {.msg_iov = copy};
	ssize_t sent;

	if (n > 64)
		n = 64;
	memcpy(copy, iov, (size_t)n * sizeof(*iov));
	m.msg_iovlen = (size_t)n;
	sent = sendmsg(s->fd, &m, MSG_NOSIGNAL);
	if (sent >= 0)
		return sent;
	if (errno == EAGAIN || errno == EINTR)
		return 0;
	return ended(s, e);
}

static ssize_t
ssh_read(struct transport *t, void *out, size_t size, struct err *e)
{
	struct ssh *s = ssh_of(t);
	ssize_t n = recv(s->fd, out, size, 0);
	int sys = errno;

	if (n > 0) {
		s->heard = true;
		return n;
	}
	listen_to(s);
	if (n == -1 && (sys == EAGAIN || sys == EINTR))
		return 0;
	return ended(s, e);
}

static nfds_t
ssh_fds(struct transport *t, bool sending, struct pollfd out[TRANSPORT_FDS])
{
	struct ssh *s = ssh_of(t);

	out[0] = (struct pollfd){
	    .fd = s->fd,
	    .events = (short)(POLLIN | (sending ? POLLOUT : 0)),
	};
	out[1] = (struct pollfd){.fd = s->err_fd, .events = POLLIN};
	return s->err_fd != -1 ? 2 : 1;
}

/* It ends by itself once its input has; it isn't waited for long. */
static void
reap(struct ssh *s)
{
	static const int signals[] = {SIGTERM, SIGKILL};
	struct timespec pause = {.tv_nsec = 1000000};
	int i, tries;

	for (i = 0; i < 2; i++) {
		kill(s->pid, signals[i]);
		for (tries = 0; tries < 300; tries++) {
			if (waitpid(s->pid, NULL, WNOHANG) != 0)
				return;
			nanosleep(&pause, NULL);
		}
	}
}

static void
ssh_close(struct transport *t)
{
	struct ssh *s = ssh_of(t);

	if (s->fd != -1)
		close(s->fd);
	if (s->pid != -1)
		reap(s);
	if (s->err_fd != -1)
		close(s->err_fd);
	buf_free(&s->said);
	free(s);
}

static const struct transport_ops ssh_ops = {
    .ready = ssh_ready,
    .write = ssh_write,
    .read = ssh_read,
    .fds = ssh_fds,
    .close = ssh_close,
};

struct transport *
transport_ssh_open(const struct transport_target *target, struct err *e)
{
	struct ssh *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->base.ops = &ssh_ops;
	s->target = target;
	s->pid = s->fd = s->err_fd = -1;
	buf_init(&s->said, SAID_MAX + 1);
	if (start(s, e) == -1) {
		ssh_close(&s->base);
		return NULL;
	}
	return &s->base;
}
