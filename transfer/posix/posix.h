/* SPDX-License-Identifier: ISC */
/*
 * The directory store: any mounted path.  Nothing is written or read outside
 * its root, whatever symlinks are put in the way (beneath.h).  Files appear
 * under their name whole: they are written as ".dray-" and 16 hex digits in
 * their directory, then renamed.  The digits come from owner and name where
 * the owner is known, so what a killed run left is replaced by the next one;
 * an upload has random digits in place of the last eight.
 */
#ifndef TRANSFER_POSIX_POSIX_H
#define TRANSFER_POSIX_POSIX_H

#include "transfer/store.h"

extern const struct store_driver posix_driver;

/* The root's descriptor, borrowed until the store is closed: for the scanner.
 * S is of this driver. */
int posix_root_fd(struct store *s, struct err *e);

/* Whether S, of this driver, lies on a file system of the network. */
bool posix_is_remote(const struct store *s);
/* The same of PATH, or of what there is above it. */
bool posix_path_is_remote(const char *path);

#endif
