/* SPDX-License-Identifier: ISC */
/*
 * OAuth 2.0 client credentials (RFC 6749, section 4.4): what is asked for and
 * what is answered.  Pure.
 */
#ifndef AGENT_EVENTS_OAUTH_H
#define AGENT_EVENTS_OAUTH_H

#include <stdint.h>

#include "agent/events/access.h"

#define OAUTH_REPLY_MAX (16 << 10) /* bytes of an answer, and so of a token */

/* Headers, each with a NUL behind, and the body of the request that A's
 * settings make; both are made for secrets. */
int oauth_request(const struct access *a, struct buf *headers, struct buf *body,
    struct err *e);

/*
 * What the answer STATUS with LEN bytes of TEXT grants: *TOKEN (made for
 * secrets) and for how many ms.  Else ERR_DENIED, ERR_PROTOCOL; *E has none of
 * the text but an error code.
 */
int oauth_reply(int status, const char *text, size_t len, struct buf *token,
    uint64_t *ms, struct err *e);

/* How long a token that is good for MS is used. */
uint64_t oauth_use_ms(uint64_t ms);

#endif
