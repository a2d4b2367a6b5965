/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/events/cloudevent.h"
#include "agent/events/fold.h"
#include "base/clock.h"
#include "base/text.h"

#define ID_PREFIX "evt_"
#define SEQ_DIGITS 20

/* U+0000-001F, U+007F-009F and noncharacters; surrogates are no UTF-8. */
static bool
is_forbidden(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) ||
	    (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

/* Length of the character that S begins with, 0 if it must be encoded. */
static size_t
plain_length(const char *s, size_t n)
{
	size_t len = text_utf8_length(s, n), rest = n;

	return len > 0 && !is_forbidden(fold_next(&s, &rest)) ? len : 0;
}

static bool
is_plain(const char *s, size_t n)
{
	size_t i, len;

	for (i = 0; i < n; i += len) {
		len = plain_length(s + i, n - i);
		if (len == 0)
			return false;
	}
	return true;
}

bool
cloudevent_text(struct buf *out, const char *text, size_t len)
{
	size_t i = 0;

	if (is_plain(text, len)) {
		buf_add(out, text, len);
		return false;
	}
	while (i < len) {
		size_t n = plain_length(text + i, len - i);

		if (n == 0 || text[i] == '%') {
			buf_addf(out, "%%%02X", (unsigned char)text[i++]);
		} else {
			buf_add(out, text + i, n);
			i += n;
		}
	}
	return true;
}

void
cloudevent_key(
    struct buf *out, const char *task, const char *subject, size_t len)
{
	buf_addf(out, "%s/", task);
	cloudevent_text(out, subject, len);
}

void
cloudevent_id(uint64_t seq, char *out)
{
	snprintf(
	    out, CLOUDEVENT_ID_MAX, ID_PREFIX "%0*" PRIu64, SEQ_DIGITS, seq);
}

void
cloudevent_new_id(uint64_t seq, uint64_t which, char *out)
{
	snprintf(out, CLOUDEVENT_ID_MAX, ID_PREFIX "%0*" PRIu64 "_%" PRIu64,
	    SEQ_DIGITS, seq, which);
}

uint64_t
cloudevent_seq(const char *id)
{
	size_t skip = strlen(ID_PREFIX);
	const char *end = id + skip + SEQ_DIGITS;

	if (strncmp(id, ID_PREFIX, skip) != 0 ||
	    strspn(id + skip, "0123456789") != SEQ_DIGITS ||
	    (*end != '\0' &&
		(*end != '_' ||
		    end[1 + strspn(end + 1, "0123456789")] != '\0')))
		return 0;
	return strtoull(id + skip, NULL, 10);
}

void
cloudevent_reissue(
    struct buf *out, const char *body, size_t len, const char *id)
{
	static const char before[] = "\"id\":\"";
	const char *at = memmem(body, len, before, strlen(before));
	const char *old = at != NULL ? at + strlen(before) : NULL;
	const char *end =
	    old != NULL ? memchr(old, '"', len - (size_t)(old - body)) : NULL;

	/* What has no id here was not written here. */
	if (end == NULL) {
		buf_add(out, body, len);
		return;
	}
	buf_add(out, body, (size_t)(old - body));
	buf_addf(out, "%s\",\"causationid\":\"%.*s", id, (int)(end - old), old);
	buf_add(out, end, len - (size_t)(end - body));
}

void
cloudevent_time(struct json *j, const char *key, int64_t time_ns)
{
	int64_t ms = time_ns / 1000000 % 1000;
	char text[40];
	size_t n;

	/* Before 1970 to the second, as that is rounded. */
	clock_iso8601(time_ns, text, sizeof(text));
	n = strlen(text);
	if (n > 0 && ms > 0)
		snprintf(text + n - 1, sizeof(text) - n, ".%03dZ", (int)ms);
	json_str(j, key, text);
}

void
cloudevent_begin(struct json *j, const struct cloudevent *c)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 16);
	char id[CLOUDEVENT_ID_MAX];
	bool encoded;

	cloudevent_id(c->seq, id);
	json_object(j, NULL);
	json_str(j, "specversion", "1.0");
	json_str(j, "id", id);
	json_str(j, "source", c->source);
	buf_addf(&text, "dray.%s.v1", c->type);
	json_string(j, "type", buf_str(&text), text.len);
	buf_reset(&text);
	encoded = cloudevent_text(&text, c->subject, c->subject_len);
	json_string(j, "subject", buf_str(&text), text.len);
	if (encoded)
		json_str(j, "subjectencoding", "percent");
	cloudevent_time(j, "time", c->time_ns);
	json_str(j, "datacontenttype", "application/json");
	json_str(j, "sequence", id + strlen(ID_PREFIX));
	json_str(j, "partitionkey", c->key);
	if (buf_failed(&text))
		j->out->failed = true;
	json_object(j, "data");
}

void
cloudevent_end(struct json *j)
{
	json_object_end(j);
	json_object_end(j);
}
