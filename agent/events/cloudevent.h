/* SPDX-License-Identifier: ISC */
/*
 * Events as CloudEvents 1.0 in JSON (https://github.com/cloudevents/spec), with
 * the extensions sequence and partitionkey.  Pure.
 */
#ifndef AGENT_EVENTS_CLOUDEVENT_H
#define AGENT_EVENTS_CLOUDEVENT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"

/* npm cloudevents takes these very bytes, and no other spelling. */
#define CLOUDEVENT_CONTENT_TYPE "application/cloudevents+json; charset=utf-8"
#define CLOUDEVENT_BATCH_CONTENT_TYPE \
	"application/cloudevents-batch+json; charset=utf-8"
#define CLOUDEVENT_ID_MAX 64

struct cloudevent {
	uint64_t seq;	     /* no other event of this source has it */
	const char *source;  /* a URI */
	const char *type;    /* "file.completed" */
	const char *key;     /* what keeps its order: cloudevent_key() */
	const char *subject; /* any bytes, at least one */
	size_t subject_len;
	int64_t time_ns;
};

/* Everything up to the members of "data", which the caller writes. */
void cloudevent_begin(struct json *j, const struct cloudevent *c);
void cloudevent_end(struct json *j);

/*
 * TEXT as attributes may have it: bytes that are no UTF-8, control and
 * noncharacters, and '%' then, as %XX.  True if anything had to be.
 */
bool cloudevent_text(struct buf *out, const char *text, size_t len);

/* What keeps the order among events of one task and subject. */
void cloudevent_key(
    struct buf *out, const char *task, const char *subject, size_t len);

/* The id of the event SEQ into OUT (CLOUDEVENT_ID_MAX bytes); another one that
 * nobody has seen yet, by WHICH; and back: 0 if it is none. */
void cloudevent_id(uint64_t seq, char *out);
void cloudevent_new_id(uint64_t seq, uint64_t which, char *out);
uint64_t cloudevent_seq(const char *id);

/* The event in BODY, which this module wrote, as one with another ID that the
 * old one is the cause of (extension causationid). */
void cloudevent_reissue(
    struct buf *out, const char *body, size_t len, const char *id);

/* A time with milliseconds. */
void cloudevent_time(struct json *j, const char *key, int64_t time_ns);

#endif
