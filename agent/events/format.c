/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/events/claim.h"
#include "agent/events/cloudevent.h"
#include "agent/events/format.h"
#include "agent/events/outbox.h"
#include "agent/events/s3record.h"
#include "base/text.h"

#define BODY_MAX (4 << 20) /* of one event, whatever a template makes of it */
#define EVENT_BYTES_MIN 512
#define WAIT_MAX_MS 60000

static const struct {
	const char *name;
	const char *content_type;
} kinds[] = {
    [FORMAT_CLOUDEVENTS] = {"cloudevents", CLOUDEVENT_CONTENT_TYPE},
    [FORMAT_BATCH] = {"cloudevents-batch", CLOUDEVENT_BATCH_CONTENT_TYPE},
    [FORMAT_S3] = {"s3", "application/json"},
    [FORMAT_TEMPLATE] = {"template", "application/json"},
};

void
format_init(struct format *f)
{
	*f = (struct format){
	    .event_bytes = 64 << 10,
	    .batch_events = 100,
	    .batch_bytes = 256 << 10,
	    .batch_wait_ms = 1000,
	};
}

void
format_clear(struct format *f)
{
	free(f->claim_check);
	template_free(f->template);
	template_paths_free(f->paths);
}

static int
set_kind(struct format *f, const char *value, struct err *e)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, value) == 0) {
			f->kind = (enum format_kind)i;
			return 0;
		}
	return err_set(e, ERR_USAGE,
	    "cloudevents, cloudevents-batch, s3 or template, not \"%.100s\"",
	    value);
}

static int
set_template(struct format *f, const char *value, struct err *e)
{
	struct template *t = template_new(value, strlen(value), e);

	if (t == NULL)
		return -1;
	template_free(f->template);
	f->template = t;
	return 0;
}

static int
set_paths(struct format *f, const char *value, struct err *e)
{
	struct template_paths *p = template_paths_new(value, strlen(value), e);

	if (p == NULL)
		return -1;
	template_paths_free(f->paths);
	f->paths = p;
	return 0;
}

static int
set_bytes(uint64_t *out, const char *value, uint64_t max, struct err *e)
{
	uint64_t n;

	if (text_parse_size(value, 1, &n, e) == -1)
		return -1;
	if (n < EVENT_BYTES_MIN || n > max)
		return err_set(e, ERR_USAGE, "not of %d to %llu bytes: \"%s\"",
		    EVENT_BYTES_MIN, (unsigned long long)max, value);
	*out = n;
	return 0;
}

static int
set_event_bytes(struct format *f, const char *value, struct err *e)
{
	return set_bytes(&f->event_bytes, value, 1 << 20, e);
}

static int
set_claim_check(struct format *f, const char *value, struct err *e)
{
	if (claim_check_place(value, e) == -1)
		return -1;
	free(f->claim_check);
	f->claim_check = strdup(value);
	return f->claim_check != NULL ? 0
				      : err_set(e, ERR_NOMEM, "out of memory");
}

static int
set_batch_events(struct format *f, const char *value, struct err *e)
{
	f->batch_set = true;
	return text_parse_uint(value, 1, OUTBOX_BATCH_MAX, &f->batch_events, e);
}

static int
set_batch_bytes(struct format *f, const char *value, struct err *e)
{
	f->batch_set = true;
	return set_bytes(&f->batch_bytes, value, 16 << 20, e);
}

static int
set_batch_wait(struct format *f, const char *value, struct err *e)
{
	uint64_t ms;

	f->batch_set = true;
	if (text_parse_duration(value, &ms, e) == -1)
		return -1;
	if (ms > WAIT_MAX_MS)
		return err_set(e, ERR_USAGE, "too long: \"%s\"", value);
	f->batch_wait_ms = ms;
	return 0;
}

static const struct {
	const char *key;
	int (*set)(struct format *f, const char *value, struct err *e);
} settings[] = {
    {"format", set_kind},
    {"template", set_template},
    {"paths", set_paths},
    {"max-event-bytes", set_event_bytes},
    {"claim-check", set_claim_check},
    {"batch-max-events", set_batch_events},
    {"batch-max-bytes", set_batch_bytes},
    {"batch-max-wait", set_batch_wait},
};
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

int
format_set(struct format *f, const char *key, const char *value, struct err *e)
{
	size_t i;

	for (i = 0; i < SETTINGS; i++)
		if (strcmp(settings[i].key, key) == 0)
			return settings[i].set(f, value, e);
	return 1;
}

void
format_add_keys(struct buf *out)
{
	size_t i;

	for (i = 0; i < SETTINGS; i++)
		buf_addf(out, " %s", settings[i].key);
}

int
format_finish(struct format *f, const char **key, struct err *e)
{
	bool batch = f->kind == FORMAT_BATCH;

	*key = "format";
	if (f->kind == FORMAT_TEMPLATE && f->template == NULL)
		return err_set(e, ERR_USAGE, "no template is set");
	*key = f->template != NULL ? "template" : "paths";
	if (f->kind != FORMAT_TEMPLATE &&
	    (f->template != NULL || f->paths != NULL))
		return err_set(e, ERR_USAGE, "goes with format = template");
	if (f->template != NULL &&
	    template_bind(f->template, f->paths, e) == -1)
		return -1;
	*key = "claim-check";
	if (f->claim_check != NULL && !batch && f->kind != FORMAT_CLOUDEVENTS)
		return err_set(e, ERR_USAGE,
		    "goes with format = cloudevents or cloudevents-batch");
	*key = NULL;
	if (f->batch_set && !batch)
		return err_set(e, ERR_USAGE,
		    "batch-max-... go with format = cloudevents-batch");
	*key = "batch-max-bytes";
	if (batch && f->batch_bytes < f->event_bytes + 2)
		return err_set(e, ERR_USAGE,
		    "no room for an event of max-event-bytes, %llu",
		    (unsigned long long)f->event_bytes);
	*key = NULL;
	return 0;
}

const char *
format_content_type(const struct format *f)
{
	return kinds[f->kind].content_type;
}

bool
format_takes(const struct format *f, const struct jdoc_node *event)
{
	return format_takes_all(f) || s3record_takes(event);
}

bool
format_takes_all(const struct format *f)
{
	return f->kind != FORMAT_S3;
}

/* The event of LEN bytes is sent as what is in *OUT, if anything is. */
static int
build(const struct format *f, const char *name, const struct jdoc_node *event,
    size_t len, struct buf *out, bool *claimed, struct err *e)
{
	switch (f->kind) {
	case FORMAT_CLOUDEVENTS:
	case FORMAT_BATCH:
		*claimed = len > f->event_bytes && f->claim_check != NULL;
		return *claimed ? claim_event(out, f->claim_check, event, e)
				: 0;
	case FORMAT_S3:
		s3record_write(out, event, name);
		break;
	case FORMAT_TEMPLATE:
		template_fill(f->template, event, out);
		break;
	}
	return 0;
}

int
format_event(const struct format *f, const char *name, const char *body,
    size_t len, char **out, size_t *out_len, bool *claimed, struct err *e)
{
	AUTO(buf) struct buf made = BUF_INIT(BODY_MAX);
	AUTO(jdoc) struct jdoc *doc = NULL;
	bool as_it_is =
	    f->kind == FORMAT_CLOUDEVENTS || f->kind == FORMAT_BATCH;

	*out = NULL;
	*out_len = len;
	*claimed = false;
	if (as_it_is && len <= f->event_bytes)
		return 1;
	doc = jdoc_parse(body, len, e);
	if (doc == NULL ||
	    build(f, name, jdoc_root(doc), len, &made, claimed, e) == -1)
		return -1;
	if (made.len > 0)
		*out_len = buf_failed(&made) ? made.max : made.len;
	if (*out_len > f->event_bytes) {
		err_set(e, ERR_UNSUPPORTED,
		    "too large: %zu bytes are more than max-event-bytes, %llu",
		    *out_len, (unsigned long long)f->event_bytes);
		return 0;
	}
	*out = buf_take(&made);
	return *out != NULL ? 1 : err_set(e, ERR_NOMEM, "out of memory");
}
