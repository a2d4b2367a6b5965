/* SPDX-License-Identifier: ISC */
/*
 * Requests of one subscription, with all that they need first: the receiver's
 * consent where a handshake is required, an access token where OAuth 2.0 is the
 * way.  Each of these is asked for once, however many requests wait for it; a
 * token that is refused is replaced once for each request.  No thread of its
 * own, nothing blocks.
 */
#ifndef AGENT_EVENTS_SENDER_H
#define AGENT_EVENTS_SENDER_H

#include "agent/events/subscription.h"
#include "base/buf.h"
#include "transfer/http_many.h"

struct sender;

/* What became of the request TAG.  *R is valid until it returns; its text has
 * none of the subscription's secrets. */
typedef void sender_landed_fn(void *tag, const struct http_many_reply *r);

/* What is borrowed must stay. */
struct sender *sender_new(const struct subscription *s, struct http_many *http,
    sender_landed_fn *landed, struct err *e);
/* After HTTP's requests were dropped; none of them lands. */
void sender_free(struct sender *s);
AUTO_DEFINE(sender, struct sender, sender_free)

/* Sends BODY (borrowed until it has landed) with HEADERS, which are taken. */
int sender_post(struct sender *s, struct buf *headers, const void *body,
    size_t len, void *tag, struct err *e);
/* Asks for consent, whatever the settings say; lands as the answer to that. */
int sender_handshake(struct sender *s, void *tag, struct err *e);

/* How many requests may be begun now, as far as the receiver's consent goes. */
unsigned sender_room(struct sender *s);

/* What http_many_next() has, if a sender sent it. */
void sender_land(const struct http_many_reply *r);

#endif
