/* SPDX-License-Identifier: ISC */
/*
 * Temporary names at stores with directories: TEMP_PREFIX and 16 hex digits,
 * eight of an owner (config.owner) and eight at random.  Each is used once, so
 * that a request that a server carries out late can't touch what a later one
 * made; and whoever lists a directory knows what its owner left there, and no
 * other's.  Thread-safe.
 */
#ifndef TRANSFER_TEMP_H
#define TRANSFER_TEMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TEMP_PREFIX ".dray-"
#define TEMP_NAME_SIZE 32 /* bytes that a temporary name takes */

/* The number of an owner's name; 0 (names are random) for NULL. */
uint32_t temp_owner(const char *owner);
/* Another temporary name each time, into OUT (TEMP_NAME_SIZE bytes). */
void temp_name(uint32_t owner, char *out);
/* The same one each time, for what one thread of the owner tries out. */
void temp_fixed_name(uint32_t owner, char *out);
/* Whether the N bytes at NAME are a temporary name. */
bool temp_is_name(const char *name, size_t n);
/* Whether it is one of OWNER's; of anybody's if that is 0. */
bool temp_is_of(uint32_t owner, const char *name, size_t n);
/* Whether an NFS client calls a file so that is open, and has no name any more:
 * ".nfs" and 16 to 24 hex digits. */
bool temp_is_nameless(const char *name);
/* ERR_GONE unless ID is a temporary name, as upload ids are. */
int temp_check_id(const char *id, struct err *e);

#endif
