/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "transfer/sftp/ssh2_error.h"
#include "transfer/sftp/ssh2_hosts.h"

#define KNOWN_LINE_MAX ((size_t)64 << 10)

struct ssh2_hosts {
	LIBSSH2_SESSION *session;
	const char *host;
	int port;
	LIBSSH2_KNOWNHOSTS *known, *revoked;
};

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
learn_line(struct ssh2_hosts *h, const char *line, size_t len)
{
	static const char mark[] = "@revoked ";
	LIBSSH2_KNOWNHOSTS *where = h->known;

	if (len == 0 || line[0] == '#')
		return;
	if (len > sizeof(mark) && strncmp(line, mark, sizeof(mark) - 1) == 0) {
		line += sizeof(mark) - 1;
		len -= sizeof(mark) - 1;
		where = h->revoked;
	} else if (line[0] == '@') {
		return; /* certificates are OpenSSH's */
	}
	/* A line that it can't read tells nothing. */
	libssh2_knownhost_readline(
	    where, line, len, LIBSSH2_KNOWNHOST_FILE_OPENSSH);
}

static int
learn_file(struct ssh2_hosts *h, const char *path, bool needed, struct err *e)
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
			learn_line(h, line, (size_t)n);
	return 0;
}

static int
learn_hosts(struct ssh2_hosts *h, const char *file, struct err *e)
{
	const char *home = getenv("HOME");
	char path[PATH_MAX];

	h->known = libssh2_knownhost_init(h->session);
	h->revoked = libssh2_knownhost_init(h->session);
	if (h->known == NULL || h->revoked == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (file != NULL)
		return learn_file(h, file, true, e);
	if (home != NULL &&
	    snprintf(path, sizeof(path), "%s/.ssh/known_hosts", home) <
		(int)sizeof(path) &&
	    learn_file(h, path, false, e) == -1)
		return -1;
	return learn_file(h, "/etc/ssh/ssh_known_hosts", false, e);
}

static int
look_up(const struct ssh2_hosts *h, LIBSSH2_KNOWNHOSTS *hosts, const char *key,
    size_t len, int bits)
{
	return libssh2_knownhost_checkp(hosts, h->host, h->port, key, len,
	    LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_RAW | bits,
	    NULL);
}

/* The server shows one of its keys: it should be of a kind that is known. */
static int
prefer_known(struct ssh2_hosts *h, struct err *e)
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
		if (look_up(h, h->known, "none", 4, kinds[i].bits) !=
		    LIBSSH2_KNOWNHOST_CHECK_MISMATCH)
			continue;
		if (list.len > 0)
			buf_addc(&list, ',');
		buf_adds(&list, kinds[i].names);
	}
	if (buf_failed(&list))
		return err_set(e, ERR_NOMEM, "out of memory");
	/* If it can't do any of them, the handshake says so. */
	if (list.len > 0)
		libssh2_session_method_pref(
		    h->session, LIBSSH2_METHOD_HOSTKEY, buf_str(&list));
	return 0;
}

struct ssh2_hosts *
ssh2_hosts_new(LIBSSH2_SESSION *session, const char *host, int port,
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
	if (learn_hosts(h, file, e) == -1 || prefer_known(h, e) == -1) {
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
	if (h->known != NULL)
		libssh2_knownhost_free(h->known);
	if (h->revoked != NULL)
		libssh2_knownhost_free(h->revoked);
	free(h);
}

int
ssh2_hosts_check(const struct ssh2_hosts *h, struct err *e)
{
	const char *host = h->host;
	char port[20] = "", shown[300];
	size_t len;
	int type;
	const char *key = libssh2_session_hostkey(h->session, &len, &type);
	int found;

	if (key == NULL)
		return ssh2_failed(
		    h->session, host, ERR_PROTOCOL, "no host key", e);
	if (h->port != 22) {
		snprintf(port, sizeof(port), "-p %d ", h->port);
		snprintf(shown, sizeof(shown), "[%s]:%d", host, h->port);
	} else {
		snprintf(shown, sizeof(shown), "%s", host);
	}
	if (look_up(h, h->revoked, key, len, key_bits(type)) ==
	    LIBSSH2_KNOWNHOST_CHECK_MATCH)
		return err_set(
		    e, ERR_CONFIG, "the host key of %s was revoked", host);
	found = look_up(h, h->known, key, len, key_bits(type));
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
