/* SPDX-License-Identifier: ISC */
/*
 * What known_hosts files tell of one host: sshd(8), SSH_KNOWN_HOSTS FILE
 * FORMAT, with patterns, hashed names and markers, as ssh(1) reads them.  No
 * network.
 */
#ifndef TRANSFER_SFTP_KNOWNHOSTS_H
#define TRANSFER_SFTP_KNOWNHOSTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/auto.h"
#include "base/err.h"

#define KNOWNHOSTS_LINE_MAX ((size_t)64 << 10)
#define KNOWNHOSTS_KEYS_MAX 10000u

struct knownhosts;

enum knownhosts_verdict {
	KNOWNHOSTS_UNKNOWN,
	KNOWNHOSTS_SAME,
	KNOWNHOSTS_OTHER, /* other keys are known, and this isn't */
	KNOWNHOSTS_REVOKED,
};

/* The line that a verdict rests on. */
struct knownhosts_where {
	const char *file; /* NULL: none */
	unsigned line;
};

/* Knows nothing yet of HOST at PORT.  ERR_NOMEM */
struct knownhosts *knownhosts_new(
    const char *host, unsigned port, struct err *e);
void knownhosts_free(struct knownhosts *k);
AUTO_DEFINE(knownhosts, struct knownhosts, knownhosts_free)

/*
 * Learns what FILE tells, whose name is borrowed for K's life.  ERR_NOTFOUND:
 * it isn't there; ERR_CONFIG: it can't be read, a line has more than
 * KNOWNHOSTS_LINE_MAX bytes, or there are more than KNOWNHOSTS_KEYS_MAX keys of
 * this host.
 */
int knownhosts_file(struct knownhosts *k, const char *file, struct err *e);
/* Learns one line, the NUMBERth of FILE (likewise).  One that makes no sense
 * tells nothing, as with ssh(1).  ERR_CONFIG, ERR_NOMEM */
int knownhosts_line(struct knownhosts *k, const char *file, unsigned number,
    const char *line, struct err *e);

/*
 * What they say of the key blob KEY (RFC 4253, 6.6).  Where nothing is said of
 * the host at this port, a key of the host without one is known, too.
 */
enum knownhosts_verdict knownhosts_check(const struct knownhosts *k,
    const void *key, size_t len, struct knownhosts_where *where);
/* Whether a key of TYPE ("ssh-ed25519") is known that isn't revoked. */
bool knownhosts_has(const struct knownhosts *k, const char *type);
/* Whether a certificate authority is named for the host. */
bool knownhosts_authority(
    const struct knownhosts *k, struct knownhosts_where *where);

#endif
