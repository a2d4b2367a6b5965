/* SPDX-License-Identifier: ISC */
/*
 * What is said to a shell that takes checksums, and what it answers.  Each
 * answer ends with a line "NONCE SERIAL STATUS" that nobody else can know; what
 * comes before the first one is the noise of logging in.  Pure.
 */
#ifndef TRANSFER_SFTP_SUMTEXT_H
#define TRANSFER_SFTP_SUMTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SUMTEXT_WHOLE UINT64_MAX
/* What hello's second answer is the checksum of. */
#define SUMTEXT_TRIAL "b"

/*
 * The first lines, for which there are two answers: 0 is the end of the noise,
 * 1 is the checksum of SUMTEXT_TRIAL, or what COMMAND said instead.
 */
void sumtext_hello(struct buf *out, const char *nonce, const char *command);
/*
 * A line: the checksum of LEN bytes (SUMTEXT_WHOLE: all) from OFFSET of the
 * file PATH, whose name may be any bytes.
 */
void sumtext_ask(struct buf *out, const char *nonce, uint64_t serial,
    const char *path, uint64_t offset, uint64_t len);

struct sumtext_answer {
	const char *text;
	size_t len;
	uint64_t serial;
	unsigned status; /* the exit status */
	size_t used;	 /* where the next answer begins */
};

/* The answer that the N bytes at P begin with: 1; 0: more is needed; -1 and
 * ERR_PROTOCOL. */
int sumtext_next(const char *p, size_t n, const char *nonce,
    struct sumtext_answer *out, struct err *e);

/* The first word of TEXT that is a digest of SIZE bytes. */
bool sumtext_digest(const char *text, size_t len, uint8_t *out, size_t size);

#endif
