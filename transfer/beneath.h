/* SPDX-License-Identifier: ISC */
/*
 * Opening paths that must stay below a root: no component may be a symbolic
 * link, "..", or lead to another place, whatever is swapped meanwhile.
 * openat2(2) RESOLVE_BENEATH | NO_SYMLINKS | NO_MAGICLINKS where the kernel
 * has it, component by component with O_NOFOLLOW otherwise.  Paths may be
 * longer than PATH_MAX.  Thread-safe.
 */
#ifndef TRANSFER_BENEATH_H
#define TRANSFER_BENEATH_H

#include <stddef.h>
#include <sys/types.h>

/*
 * A descriptor (O_CLOEXEC added), or -1 with errno: ELOOP where a symlink
 * stands in the way, EXDEV where PATH is absolute or has a "..", or was moved
 * out of the root just then.  PATH "" or "." opens the root again.  With
 * O_CREAT in FLAGS, MODE counts.  O_PATH | O_NOFOLLOW opens a symlink itself.
 */
int beneath_open(int root_fd, const char *path, int flags, mode_t mode);

/*
 * Splits PATH: opens the directory that holds it (O_PATH) and points *NAME at
 * its last component within PATH.  For *at() calls with O_NOFOLLOW semantics.
 * EINVAL where there is no last component ("", "a/", "..").
 */
int beneath_parent(int root_fd, const char *path, const char **name);

/* For tests: take the component-wise way from now on. */
void beneath_force_fallback(int on);

#endif
