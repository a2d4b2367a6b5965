/* SPDX-License-Identifier: ISC */
/*
 * Letters without regard to case, one by one, whatever the locale says: no
 * letter counts as two.  Text is UTF-8.  Pure.
 */
#ifndef AGENT_EVENTS_FOLD_H
#define AGENT_EVENTS_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The other case of a character, itself if there is none. */
uint32_t fold_lower(uint32_t c);
uint32_t fold_upper(uint32_t c);

/* Takes a character off *S, which has *N > 0 bytes; U+FFFD if it is none. */
uint32_t fold_next(const char **s, size_t *n);

/*
 * Whether the N bytes at S begin with WITH: each character the lower or the
 * upper case of WITH's.  *TAKEN is how many bytes of S that is.
 */
bool fold_begins(
    const char *s, size_t n, const char *with, size_t with_n, size_t *taken);

#endif
