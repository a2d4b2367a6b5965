/* SPDX-License-Identifier: ISC */
/*
 * A growing byte buffer with a maximum.  data is always NUL-terminated once
 * anything was appended (the NUL is not counted in len), so text can be used
 * as a string.  A failed append (no memory, over max) sets a flag that stays:
 * append freely, then check buf_failed() once.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/auto.h"

struct buf {
	char *data; /* NULL while nothing was appended */
	size_t len;
	size_t cap;
	size_t max; /* len never exceeds it */
	bool failed;
	bool secret; /* what it held is wiped where memory is given back */
};

#define BUF_INIT(limit)        \
	{                      \
		.max = (limit) \
	}

#define BUF_SECRET_INIT(limit)                  \
	{                                       \
		.max = (limit), .secret = true, \
	}

void buf_init(struct buf *b, size_t max);
/* Releases the memory; the buffer is empty and usable again. */
void buf_free(struct buf *b);
/* Empties it and clears the failure, keeping the memory (and what it holds,
 * secret or not). */
void buf_reset(struct buf *b);

/* N more bytes are to come: room for them is made at once. */
void buf_expect(struct buf *b, size_t n);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static inline bool
buf_failed(const struct buf *b)
{
	return b->failed;
}

/* The text so far: "" when nothing was appended. Valid until the next call. */
const char *buf_str(const struct buf *b);

/* Hands over the text (malloc'd, "" if empty); NULL if any append failed. */
char *buf_take(struct buf *b);

static inline void
auto_buf(struct buf *b)
{
	buf_free(b);
}

#endif
