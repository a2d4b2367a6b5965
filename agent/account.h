/* SPDX-License-Identifier: ISC */
/* Users and groups of this machine, by name. */
#ifndef AGENT_ACCOUNT_H
#define AGENT_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Whose the service's files are, where the package made it. */
#define ACCOUNT_SERVICE "dray"

/* false if there is no such user; GID is its own group. */
bool account_user(const char *name, uid_t *uid, gid_t *gid);
bool account_group(const char *name, gid_t *gid);
/* The name of UID, or its number, into OUT; returns OUT. */
const char *account_name(uid_t uid, char *out, size_t size);

#endif
