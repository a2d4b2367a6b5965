/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/events/s3record.h"
#include "base/json.h"

#define SCHEME "s3://"
#define KEY_MAX (1 << 16)

/* The string at POINTER in EVENT; "" if there is none. */
static const char *
text_at(const struct jdoc_node *event, const char *pointer)
{
	const struct jdoc_node *n = jdoc_at(event, pointer);

	return n != NULL && n->type == JDOC_STRING ? n->text : "";
}

static bool
is_type(const struct jdoc_node *event, const char *type)
{
	return jdoc_is(jdoc_at(event, "/type"), type);
}

static bool
is_test(const struct jdoc_node *event)
{
	return is_type(event, "dray.test.v1");
}

static bool
is_deleted(const struct jdoc_node *event)
{
	return is_type(event, "dray.file.deleted.v1");
}

/* Where an object is: of a URI. */
struct place {
	const char *bucket;
	size_t bucket_len;
	const char *key; /* percent-encoded */
};

static bool
find_place(const struct jdoc_node *event, struct place *out)
{
	const char *uri = text_at(event, "/data/target/uri");

	if (strncmp(uri, SCHEME, strlen(SCHEME)) != 0)
		return false;
	out->bucket = uri + strlen(SCHEME);
	out->bucket_len = strcspn(out->bucket, "/");
	out->key = out->bucket + out->bucket_len;
	return *out->key++ == '/';
}

bool
s3record_takes(const struct jdoc_node *event)
{
	struct place place;

	return is_test(event) ||
	    ((is_type(event, "dray.file.completed.v1") || is_deleted(event)) &&
		find_place(event, &place));
}

/* An ETag of an object that came in parts ends in their number. */
static bool
came_in_parts(const char *etag)
{
	const char *dash = strrchr(etag, '-');

	return dash != NULL && dash[1] >= '1' && dash[1] <= '9' &&
	    dash[1 + strspn(dash + 1, "0123456789\"")] == '\0';
}

static const char *
event_name(const struct jdoc_node *event)
{
	const char *operation = text_at(event, "/data/operation");

	if (is_deleted(event))
		return "ObjectRemoved:Delete";
	if (strcmp(operation, "metadata") == 0 ||
	    strcmp(operation, "link") == 0)
		return "ObjectCreated:Copy";
	return came_in_parts(text_at(event, "/data/target/etag"))
	    ? "ObjectCreated:CompleteMultipartUpload"
	    : "ObjectCreated:Put";
}

/* The value of a hex digit; -1 if C is none. */
static int
hex_value(char c)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *p = c != '\0' ? strchr(digits, c) : NULL;

	return p != NULL ? (int)(p - digits) : -1;
}

/* As forms are encoded; URI's path has %XX, in upper case. */
static void
add_key(struct buf *out, const char *path)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
				    "qrstuvwxyz0123456789-_.*/";

	while (*path != '\0') {
		unsigned char c = (unsigned char)*path++;

		if (c == '%' && hex_value(path[0]) >= 0 &&
		    hex_value(path[1]) >= 0) {
			c = (unsigned char)(hex_value(path[0]) << 4 |
			    hex_value(path[1]));
			path += 2;
		}
		if (c == ' ')
			buf_addc(out, '+');
		else if (c != '\0' && strchr(plain, c) != NULL)
			buf_addc(out, (char)c);
		else
			buf_addf(out, "%%%02X", c);
	}
}

static void
write_object(struct json *j, const struct jdoc_node *event, const char *path)
{
	const struct jdoc_node *size = jdoc_at(event, "/data/size");
	const char *etag = text_at(event, "/data/target/etag");
	const char *version = text_at(event, "/data/target/version_id");
	AUTO(buf) struct buf key = BUF_INIT(KEY_MAX);
	char sequencer[24];
	size_t len;

	/* All of one width: text and number compare alike. */
	snprintf(sequencer, sizeof(sequencer), "%016" PRIX64,
	    (uint64_t)strtoull(text_at(event, "/sequence"), NULL, 10));
	add_key(&key, path);
	if (buf_failed(&key))
		j->out->failed = true;
	json_object(j, "object");
	json_string(j, "key", buf_str(&key), key.len);
	if (!is_deleted(event) && size != NULL)
		json_value(j, "size", size);
	etag += *etag == '"';
	len = strcspn(etag, "\"");
	if (len > 0)
		json_string(j, "eTag", etag, len);
	if (*version != '\0')
		json_str(j, "versionId", version);
	json_str(j, "sequencer", sequencer);
	json_object_end(j);
}

static void
write_s3(struct json *j, const struct jdoc_node *event,
    const struct place *place, const char *configuration)
{
	AUTO(buf) struct buf arn = BUF_INIT(KEY_MAX);

	json_object(j, "s3");
	json_str(j, "s3SchemaVersion", "1.0");
	json_str(j, "configurationId", configuration);
	json_object(j, "bucket");
	json_string(j, "name", place->bucket, place->bucket_len);
	json_object(j, "ownerIdentity");
	json_str(j, "principalId", "dray");
	json_object_end(j);
	buf_adds(&arn, "arn:aws:s3:::");
	buf_add(&arn, place->bucket, place->bucket_len);
	json_string(j, "arn", buf_str(&arn), arn.len);
	json_object_end(j);
	write_object(j, event, place->key);
	json_object_end(j);
}

/* As S3's own test message. */
static void
write_test(struct json *j, const struct jdoc_node *event)
{
	json_object(j, NULL);
	json_str(j, "Service", "dray");
	json_str(j, "Event", "s3:TestEvent");
	json_str(j, "Time", text_at(event, "/time"));
	json_str(j, "Bucket", "");
	json_str(j, "RequestId", text_at(event, "/id"));
	json_str(j, "HostId", text_at(event, "/source"));
	json_object_end(j);
}

void
s3record_write(
    struct buf *out, const struct jdoc_node *event, const char *configuration)
{
	struct place place;
	struct json j;

	json_begin(&j, out);
	if (is_test(event) || !find_place(event, &place)) {
		write_test(&j, event);
		return;
	}
	json_object(&j, NULL);
	json_array(&j, "Records");
	json_object(&j, NULL);
	json_str(&j, "eventVersion", "2.1");
	json_str(&j, "eventSource", "dray:s3");
	json_str(&j, "awsRegion", "");
	json_str(&j, "eventTime", text_at(event, "/time"));
	json_str(&j, "eventName", event_name(event));
	json_object(&j, "userIdentity");
	json_str(&j, "principalId", "dray");
	json_object_end(&j);
	json_object(&j, "requestParameters");
	json_str(&j, "sourceIPAddress", "");
	json_object_end(&j);
	json_object(&j, "responseElements");
	json_str(&j, "x-amz-request-id", text_at(event, "/id"));
	json_str(&j, "x-amz-id-2", text_at(event, "/source"));
	json_object_end(&j);
	write_s3(&j, event, &place, configuration);
	json_object_end(&j);
	json_array_end(&j);
	json_object_end(&j);
}
