/* SPDX-License-Identifier: ISC */
/*
 * Temporary names at stores with directories: TEMP_PREFIX and 16 hex digits,
 * made from an owner (config.owner) and the name that the item is to get, so
 * that a run finds or replaces what a killed run of the same task left, and no
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
uint64_t temp_owner(const char *owner);
/*
 * The temporary name for NAME into OUT (TEMP_NAME_SIZE bytes): another one
 * each time where FRESH, or where the owner isn't known.
 */
void temp_name(uint64_t owner, const char *name, bool fresh, char *out);
/* Bytes that all temporary names of NAME begin with; 0 if they don't. */
size_t temp_common(uint64_t owner, const char *name, char *out);
/* Whether the N bytes at NAME are a temporary name. */
bool temp_is_name(const char *name, size_t n);
/* ERR_GONE unless ID is a temporary name, as upload ids are. */
int temp_check_id(const char *id, struct err *e);

#endif
