/* SPDX-License-Identifier: ISC */
/*
 * Whether a server is who it says it is: the host keys that known_hosts files
 * know.  One session each.
 */
#ifndef TRANSFER_SFTP_SSH2_HOSTS_H
#define TRANSFER_SFTP_SSH2_HOSTS_H

#include <libssh2.h>

#include "base/err.h"

struct ssh2_hosts;

/*
 * Reads FILE, or where that is NULL the user's and the system's, as far as they
 * are there.  SESSION (borrowed, like HOST; it outlives this) then asks the
 * server for a key of a kind that is known.  ERR_CONFIG: FILE can't be read.
 */
struct ssh2_hosts *ssh2_hosts_new(LIBSSH2_SESSION *session, const char *host,
    unsigned port, const char *file, struct err *e);
void ssh2_hosts_free(struct ssh2_hosts *h);

/* After the handshake: ERR_CONFIG if the server's key isn't known, is another
 * than the one that is, or was revoked. */
int ssh2_hosts_check(const struct ssh2_hosts *h, struct err *e);

#endif
