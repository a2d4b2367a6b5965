/* SPDX-License-Identifier: ISC */
/*
 * How ssh(1) gets a password or passphrase: it runs SSH_ASKPASS, which is this
 * very program.  In the environment stands where the secret is, never what it
 * is.  Asked it is by the ssh that dray itself began: another one, as of a jump
 * host, is told nothing.
 */
#ifndef TRANSFER_SFTP_ASKPASS_H
#define TRANSFER_SFTP_ASKPASS_H

#include <stdbool.h>

#include "transfer/sftp/transport.h"

/* ssh needs one. */
bool askpass_is_needed(const struct transport_target *target);

/*
 * The environment for ssh, in one piece of memory, the caller's to free.  What
 * it needs is looked at here, so that what is wrong is known before ssh runs:
 * ERR_CONFIG.
 */
char **askpass_environ(const struct transport_target *target, struct err *e);

/* ssh runs this program for an answer to a question. */
bool askpass_is_asked(void);
/* The answer to QUESTION into OUT (SECRET_MAX bytes).  ERR_DENIED: none. */
int askpass_answer(const char *question, char *out, struct err *e);

#endif
