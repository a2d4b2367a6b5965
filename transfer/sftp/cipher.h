/* SPDX-License-Identifier: ISC */
/* Which cipher ssh(1) should use, where nobody has said. */
#ifndef TRANSFER_SFTP_CIPHER_H
#define TRANSFER_SFTP_CIPHER_H

#include "transfer/sftp/transport.h"

/*
 * AES-GCM takes half of the processor time that ssh's own favourite does, on
 * processors that have instructions for it.  The ciphers to ask for, in order,
 * if ssh's configuration for TARGET names none; the caller frees it.  NULL:
 * leave them as they are.
 */
char *cipher_list(const struct transport_target *target);

#endif
