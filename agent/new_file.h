/* SPDX-License-Identifier: ISC */
/* A configuration file that dray writes for somebody: whole or not at all. */
#ifndef AGENT_NEW_FILE_H
#define AGENT_NEW_FILE_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define NEW_FILE_GROUP_KEPT ((gid_t)-1)

/*
 * Makes PATH, which holds TEXT then, is of MODE and GROUP, and durable; its
 * directory is made if there is none.  ERR_EXISTS if there is such a file:
 * nothing is ever replaced.
 */
int new_file_write(const char *path, const struct buf *text, mode_t mode,
    gid_t group, struct err *e);

/* The group of a new PATH: the service's, for what root makes below /etc/dray;
 * else NEW_FILE_GROUP_KEPT. */
gid_t new_file_group(const char *path);

#endif
