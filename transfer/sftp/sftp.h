/* SPDX-License-Identifier: ISC */
/*
 * The SFTP store: a directory behind an SSH server.  Files appear under their
 * name whole: they are written as ".dray-" and 16 hex digits in their
 * directory, then renamed.  The digits come from owner and name where the
 * owner is known, so what a killed run left is replaced by the next one; an
 * upload has random digits in place of the last eight.
 *
 * SFTP has no way to open a path without following symbolic links in it.
 * Directories are looked at before they are first used, and a link among them
 * is refused; who can replace a directory by a link at the server later, while
 * the run goes on, can still lead writes astray.
 */
#ifndef TRANSFER_SFTP_SFTP_H
#define TRANSFER_SFTP_SFTP_H

#include "transfer/store.h"

extern const struct store_driver sftp_driver;

/* Whether CONFIG has connections made by libssh2, not by ssh(1). */
bool sftp_uses_libssh2(const struct store_config *config);

#endif
