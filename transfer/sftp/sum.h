/* SPDX-License-Identifier: ISC */
/*
 * A shell at the far end that takes checksums, beside a connection of SFTP: it
 * is asked line by line, and needs no answer before the next question.  Any
 * thread; of those that wait, one does the reading and writing for all.
 *
 * It is logged in when it is first asked, and again after it was lost (then
 * all that wait get ERR_NET).
 */
#ifndef TRANSFER_SFTP_SUM_H
#define TRANSFER_SFTP_SUM_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "transfer/sftp/sumtext.h"
#include "transfer/sftp/transport.h"

struct sum;

struct sum_config {
	struct transport *(*open)(
	    const struct transport_target *target, struct err *e);
	struct transport_target target;
	const char *command; /* prints the checksum of its input; borrowed */
	unsigned timeout_ms;
	unsigned connect_timeout_ms;
	const atomic_bool *stop; /* or NULL */
};

struct sum_found {
	unsigned algo;	   /* DIGEST_SHA256, _MD5 or _XXH3 */
	size_t size;	   /* in bytes */
	uint8_t bytes[32]; /* as in struct digest */
};

struct sum *sum_new(const struct sum_config *config, struct err *e);
/* Nobody may be asking.  NULL is fine. */
void sum_free(struct sum *s);

/*
 * The checksum of LEN bytes (SUMTEXT_WHOLE: all) from OFFSET of the file PATH,
 * as the far end has it.  ERR_CONFIG if it runs no commands, or not this one;
 * ERR_SERVER if it can't read PATH.
 */
int sum_ask(struct sum *s, const char *path, uint64_t offset, uint64_t len,
    struct sum_found *out, struct err *e);

#endif
