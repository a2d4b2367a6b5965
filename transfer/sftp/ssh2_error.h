/* SPDX-License-Identifier: ISC */
/* What libssh2 says of what failed, as an error of ours. */
#ifndef TRANSFER_SFTP_SSH2_ERROR_H
#define TRANSFER_SFTP_SSH2_ERROR_H

#include <libssh2.h>

#include "base/err.h"

/* WHAT failed, as the last thing in SESSION with HOST.  Returns -1. */
int ssh2_failed(LIBSSH2_SESSION *session, const char *host, enum err_kind kind,
    const char *what, struct err *e);

#endif
