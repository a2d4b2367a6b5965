/* SPDX-License-Identifier: ISC */
/*
 * The abuse protection of HTTP 1.1 Web Hooks for Event Delivery: a receiver
 * says by OPTIONS that it wants events, and how many a minute.  Pure.
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md
 */
#ifndef AGENT_EVENTS_HANDSHAKE_H
#define AGENT_EVENTS_HANDSHAKE_H

#include <stdint.h>

#include "base/buf.h"
#include "transfer/http.h"

/* Headers that ask for consent, each with a NUL behind.  PER_MINUTE is what
 * would be sent at most; 0: any. */
void handshake_ask(struct buf *out, const char *origin, uint64_t per_minute);

/*
 * Whether H consents to ORIGIN: 0 and how many requests a minute it takes in
 * *PER_MINUTE (0: any), ERR_DENIED if not.  ASKED is what was asked for; the
 * status says nothing.
 */
int handshake_judge(const struct http_headers *h, const char *origin,
    uint64_t asked, uint64_t *per_minute, struct err *e);

#endif
