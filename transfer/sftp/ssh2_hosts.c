/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/buf.h"
#include "transfer/sftp/knownhosts.h"
#include "transfer/sftp/ssh2_error.h"
#include "transfer/sftp/ssh2_hosts.h"

#define FILES 4

struct ssh2_hosts {
	LIBSSH2_SESSION *session;
	const char *host;
	unsigned port;
	struct knownhosts *known;
	char files[FILES][PATH_MAX];
};

/* Those that ssh(1) reads, as far as they are there. */
static int
learn_defaults(struct ssh2_hosts *h, struct err *e)
{
	static const char *const names[FILES] = {
	    "/.ssh/known_hosts",
	    "/.ssh/known_hosts2",
	    "/etc/ssh/ssh_known_hosts",
	    "/etc/ssh/ssh_known_hosts2",
	};
	const char *home = getenv("HOME");
	unsigned i;

	for (i = home != NULL ? 0 : 2; i < FILES; i++) {
		struct err why = ERR_INIT;

		if (snprintf(h->files[i], PATH_MAX, "%s%s", i < 2 ? home : "",
			names[i]) >= PATH_MAX)
			continue;
		if (knownhosts_file(h->known, h->files[i], &why) == -1 &&
		    why.kind != ERR_NOTFOUND) {
			*e = why;
			return -1;
		}
	}
	return 0;
}

/* The server shows one of its keys: it should be of a kind that is known. */
static int
prefer_known(struct ssh2_hosts *h, struct err *e)
{
	static const char *const kinds[][2] = {
	    {"ssh-ed25519", "ssh-ed25519"},
	    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"},
	    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"},
	    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521"},
	    {"ssh-rsa", "rsa-sha2-512,rsa-sha2-256,ssh-rsa"},
	};
	AUTO(buf) struct buf list = BUF_INIT(1000);
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (!knownhosts_has(h->known, kinds[i][0]))
			continue;
		if (list.len > 0)
			buf_addc(&list, ',');
		buf_adds(&list, kinds[i][1]);
	}
	if (buf_failed(&list))
		return err_set(e, ERR_NOMEM, "out of memory");
	/* If it can't do any of them, the handshake says so. */
	if (list.len > 0)
		libssh2_session_method_pref(
		    h->session, LIBSSH2_METHOD_HOSTKEY, buf_str(&list));
	return 0;
}

static int
learn(struct ssh2_hosts *h, const char *file, struct err *e)
{
	h->known = knownhosts_new(h->host, h->port, e);
	if (h->known == NULL)
		return -1;
	if (file == NULL)
		return learn_defaults(h, e);
	if (knownhosts_file(h->known, file, e) == 0)
		return 0;
	if (e->kind == ERR_NOTFOUND)
		e->kind = ERR_CONFIG;
	return -1;
}

struct ssh2_hosts *
ssh2_hosts_new(LIBSSH2_SESSION *session, const char *host, unsigned port,
    const char *file, struct err *e)
{
	struct ssh2_hosts *h = calloc(1, sizeof(*h));

	if (h == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	h->session = session;
	h->host = host;
	h->port = port;
	if (learn(h, file, e) == -1 || prefer_known(h, e) == -1) {
		ssh2_hosts_free(h);
		return NULL;
	}
	return h;
}

void
ssh2_hosts_free(struct ssh2_hosts *h)
{
	if (h == NULL)
		return;
	knownhosts_free(h->known);
	free(h);
}

static int
not_known(const struct ssh2_hosts *h, struct err *e)
{
	struct knownhosts_where where;
	char port[20] = "";

	if (knownhosts_authority(h->known, &where))
		return err_set(e, ERR_CONFIG,
		    "the host key of %s is not known but by a certificate's "
		    "authority (%s:%u), and libssh2 takes no certificates: "
		    "--sftp-transport openssh does",
		    h->host, where.file, where.line);
	if (h->port != 22)
		snprintf(port, sizeof(port), "-p %u ", h->port);
	return err_set(e, ERR_CONFIG,
	    "the host key of %s is not known. Make it known: ssh-keyscan "
	    "%s%s >>~/.ssh/known_hosts, then compare it with the server's",
	    h->host, port, h->host);
}

static int
is_another(const struct ssh2_hosts *h, const struct knownhosts_where *where,
    struct err *e)
{
	char shown[300];

	if (h->port != 22)
		snprintf(shown, sizeof(shown), "[%s]:%u", h->host, h->port);
	else
		snprintf(shown, sizeof(shown), "%s", h->host);
	return err_set(e, ERR_CONFIG,
	    "the host key of %s is not the one that is known (%s:%u): somebody "
	    "may be in between. If its key was changed on purpose: "
	    "ssh-keygen -R '%s', then make it known again",
	    h->host, where->file, where->line, shown);
}

int
ssh2_hosts_check(const struct ssh2_hosts *h, struct err *e)
{
	struct knownhosts_where where;
	size_t len;
	int type;
	const char *key = libssh2_session_hostkey(h->session, &len, &type);

	if (key == NULL)
		return ssh2_failed(
		    h->session, h->host, ERR_PROTOCOL, "no host key", e);
	switch (knownhosts_check(h->known, key, len, &where)) {
	case KNOWNHOSTS_SAME:
		return 0;
	case KNOWNHOSTS_OTHER:
		return is_another(h, &where, e);
	case KNOWNHOSTS_REVOKED:
		return err_set(e, ERR_CONFIG,
		    "the host key of %s was revoked (%s:%u): whoever has it "
		    "may be in between. The server needs another one",
		    h->host, where.file, where.line);
	case KNOWNHOSTS_UNKNOWN:
		break;
	}
	return not_known(h, e);
}
