/* SPDX-License-Identifier: ISC */
/*
 * Logging in to a server by libssh2: with a password, a key that is named,
 * those of an agent, or the user's own.  Nothing here blocks.
 */
#ifndef TRANSFER_SFTP_SSH2_LOGIN_H
#define TRANSFER_SFTP_SSH2_LOGIN_H

#include <libssh2.h>

#include "base/err.h"
#include "transfer/sftp/transport.h"

struct ssh2_login;

/* As TARGET, which is borrowed, says.  ERR_CONFIG: it is not clear who. */
struct ssh2_login *ssh2_login_new(
    const struct transport_target *target, struct err *e);
/* Before the session is freed. */
void ssh2_login_free(struct ssh2_login *l);

/*
 * 1 once it is logged in; 0: call again when the socket is ready.  SESSION is
 * the same in each call.  ERR_DENIED: the server takes nothing that there is;
 * ERR_CONFIG: a file can't be read, or others may read a secret.
 */
int ssh2_login_go(
    struct ssh2_login *l, LIBSSH2_SESSION *session, struct err *e);

#endif
