/* SPDX-License-Identifier: ISC */
/*
 * State that root makes by hand in a directory of the service's user has to be
 * that user's, or the service could not go on with it.
 */
#ifndef BASE_OWNER_H
#define BASE_OWNER_H

/* PATH, a file or directory that was just made, gets the owner and group of the
 * directory that it is in, if we are root, it is ours, and that one isn't.
 * Where that fails, it stays ours. */
void owner_inherit(const char *path);

/* PATH without the links that lead to its directory, for whoever follows none
 * at all; malloc'd.  NULL with errno. */
char *owner_direct(const char *path);

#endif
