/* SPDX-License-Identifier: ISC */
/*
 * What a subscription is sent: as which body an event goes out, or several in
 * a batch.  The same events under the same settings are the same bytes, in
 * every attempt.
 */
#ifndef AGENT_EVENTS_FORMAT_H
#define AGENT_EVENTS_FORMAT_H

#include <stdint.h>

#include "agent/events/template.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/jdoc.h"

enum format_kind {
	FORMAT_CLOUDEVENTS,
	FORMAT_BATCH,
	FORMAT_S3,
	FORMAT_TEMPLATE,
};

struct format {
	enum format_kind kind;
	uint64_t event_bytes; /* no event is sent as more */
	uint64_t batch_events, batch_bytes, batch_wait_ms;
	char *claim_check; /* where the data of longer ones goes; or NULL */
	struct template *template;
	struct template_paths *paths;
	bool batch_set; /* something was, about batches */
};

void format_init(struct format *f);
void format_clear(struct format *f);

/* One setting: 0, 1 if KEY is none of these; ERR_USAGE, ERR_CONFIG. */
int format_set(
    struct format *f, const char *key, const char *value, struct err *e);
/* Appends " KEY" for each. */
void format_add_keys(struct buf *out);
/* What they must agree on; *KEY is the one that is wrong, if it is one. */
int format_finish(struct format *f, const char **key, struct err *e);

const char *format_content_type(const struct format *f);

/* Whether there is a way to say EVENT, or to say any. */
bool format_takes(const struct format *f, const struct jdoc_node *event);
bool format_takes_all(const struct format *f);

/*
 * What is sent of an event whose body is LEN bytes of JSON, for subscription
 * NAME: 1 and *OUT, malloc'd, or NULL if that is the event itself, *OUT_LEN
 * bytes; *CLAIMED if its data must be at the claim check first.  0: too long,
 * and *E says so; -1.
 */
int format_event(const struct format *f, const char *name, const char *body,
    size_t len, char **out, size_t *out_len, bool *claimed, struct err *e);

#endif
