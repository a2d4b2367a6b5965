/* SPDX-License-Identifier: ISC */
/*
 * Claim checks: an event that is too long goes out without its data, which an
 * object at some store has: the attribute dataref (https://github.com/
 * cloudevents/spec/blob/main/cloudevents/extensions/dataref.md) names it, and
 * datasha256 is its digest.  The same event is always the same object.  Pure.
 */
#ifndef AGENT_EVENTS_CLAIM_H
#define AGENT_EVENTS_CLAIM_H

#include "base/buf.h"
#include "base/err.h"
#include "base/jdoc.h"

/* ERR_USAGE if PLACE can't have objects: neither a URL nor an absolute path. */
int claim_check_place(const char *place, struct err *e);

/* Where in PLACE the data of EVENT is, as stores are told. */
void claim_path(
    struct buf *out, const char *place, const struct jdoc_node *event);
/* What is there. */
void claim_data(struct buf *out, const struct jdoc_node *event);

/* EVENT with dataref in place of data. */
int claim_event(struct buf *out, const char *place,
    const struct jdoc_node *event, struct err *e);

#endif
