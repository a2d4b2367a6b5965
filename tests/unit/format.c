/* SPDX-License-Identifier: ISC */
/* As which bytes events go out: agent/events/format.c, s3record.c, claim.c. */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>

#include "agent/events/claim.h"
#include "agent/events/format.h"
#include "agent/events/s3record.h"
#include "tests/unit/check.h"

#define EVENT(type, seq, target, more)                                      \
	"{\"specversion\":\"1.0\",\"id\":\"evt_" seq "\","                  \
	"\"source\":\"urn:uuid:482a5ff1-9632-8407-a32e-2057d22033b8\","     \
	"\"type\":\"dray." type ".v1\",\"subject\":\"x\","                  \
	"\"time\":\"2026-11-23T05:00:00.123Z\",\"sequence\":\"" seq "\","   \
	"\"data\":{\"target\":{\"kind\":\"s3\",\"uri\":\"" target "\"" more \
	"}}"
#define SEQ "00001795409998000042"

static void
set(struct format *f, const char *key, const char *value)
{
	struct err e = ERR_INIT;

	CHECK(format_set(f, key, value, &e) == 0);
}

/* What is sent of TEXT; "" for the event as it is, or why nothing is. */
static const char *
sent(const struct format *f, const char *text, bool *claimed)
{
	static char out[10000];
	AUTO(free) char *made = NULL;
	struct err e = ERR_INIT;
	size_t len;
	int rc = format_event(
	    f, "name", text, strlen(text), &made, &len, claimed, &e);

	CHECK(rc != -1);
	CHECK(rc == 0 || len == strlen(made != NULL ? made : text));
	snprintf(out, sizeof(out), "%s",
	    rc == 0	       ? e.msg
		: made != NULL ? made
			       : "");
	return out;
}

/* What S3 would say of the event TEXT; NULL if nothing. */
static struct jdoc *
record(const char *text)
{
	struct err e = ERR_INIT;
	AUTO(jdoc) struct jdoc *event = jdoc_parse(text, strlen(text), &e);
	AUTO(buf) struct buf out = BUF_INIT(10000);

	CHECK(event != NULL);
	if (!s3record_takes(jdoc_root(event)))
		return NULL;
	s3record_write(&out, jdoc_root(event), "sub");
	CHECK(!buf_failed(&out));
	return jdoc_parse(buf_str(&out), out.len, &e);
}

static const char *
at(const struct jdoc *d, const char *pointer)
{
	const struct jdoc_node *n = jdoc_at(jdoc_root(d), pointer);

	return n != NULL && n->type == JDOC_STRING ? n->text : "(none)";
}
#define R "/Records/0/"

static void
s3_is_told_as_s3_tells(void)
{
	AUTO(jdoc)
	struct jdoc *d = record(EVENT("file.completed", SEQ,
	    "s3://lake/in/a%20b%2Bc~%C3%A9%25%3Aé.txt",
	    ",\"etag\":\"\\\"9b2c\\\"\",\"version_id\":\"v1\"},\"size\":7,"
	    "\"operation\":\"write\""));

	CHECK(d != NULL);
	CHECK_STR(at(d, R "eventVersion"), "2.1");
	CHECK_STR(at(d, R "eventSource"), "dray:s3");
	CHECK_STR(at(d, R "eventName"), "ObjectCreated:Put");
	CHECK_STR(at(d, R "eventTime"), "2026-11-23T05:00:00.123Z");
	CHECK_STR(at(d, R "s3/s3SchemaVersion"), "1.0");
	CHECK_STR(at(d, R "s3/configurationId"), "sub");
	CHECK_STR(at(d, R "s3/bucket/name"), "lake");
	CHECK_STR(at(d, R "s3/bucket/arn"), "arn:aws:s3:::lake");
	CHECK_STR(
	    at(d, R "s3/object/key"), "in/a+b%2Bc%7E%C3%A9%25%3A%C3%A9.txt");
	CHECK_STR(at(d, R "s3/object/eTag"), "9b2c");
	CHECK_STR(at(d, R "s3/object/versionId"), "v1");
	CHECK_STR(at(d, R "s3/object/sequencer"), "000660EA77282FAA");
	CHECK(jdoc_at(jdoc_root(d), R "s3/object/size")->text[0] == '7');
	CHECK_STR(at(d, R "responseElements/x-amz-request-id"), "evt_" SEQ);
}

static const char *
name_of(const char *text)
{
	static char name[100];
	AUTO(jdoc) struct jdoc *d = record(text);

	if (d == NULL)
		return "";
	snprintf(name, sizeof(name), "%s", at(d, R "eventName"));
	return name;
}

#define DONE(target, etag, operation)                                       \
	EVENT("file.completed", SEQ, target,                                \
	    ",\"etag\":\"" etag "\"},\"size\":7,\"operation\":\"" operation \
	    "\"")

static void
s3_has_its_names_for_what_happened(void)
{
	AUTO(jdoc) struct jdoc *gone = NULL, *test = NULL;

	CHECK_STR(name_of(DONE("s3://b/k", "\\\"9b-12\\\"", "write")),
	    "ObjectCreated:CompleteMultipartUpload");
	CHECK_STR(
	    name_of(DONE("s3://b/k", "9b-x", "adopt")), "ObjectCreated:Put");
	CHECK_STR(
	    name_of(DONE("s3://b/k", "9b-1", "link")), "ObjectCreated:Copy");
	CHECK_STR(
	    name_of(DONE("s3://b/k", "9b", "metadata")), "ObjectCreated:Copy");
	CHECK_STR(name_of(DONE("sftp://h/k", "", "write")), "");
	CHECK_STR(name_of(DONE("s3://b", "", "write")), "");
	CHECK_STR(name_of(EVENT("file.failed", SEQ, "s3://b/k", "}")), "");
	CHECK_STR(name_of(EVENT("run.completed", SEQ, "s3://b/k", "}")), "");
	gone = record(EVENT("file.deleted", SEQ, "s3://b/k", "},\"size\":7"));
	CHECK_STR(at(gone, R "eventName"), "ObjectRemoved:Delete");
	CHECK(jdoc_at(jdoc_root(gone), R "s3/object/size") == NULL);
	CHECK(jdoc_at(jdoc_root(gone), R "s3/object/eTag") == NULL);
	test = record(EVENT("test", SEQ, "", "}"));
	CHECK_STR(at(test, "/Event"), "s3:TestEvent");
}

/* As AWS has it: the shorter one is filled up with zeros at its right. */
static int
compare_sequencers(const char *a, const char *b)
{
	size_t n = strlen(a) > strlen(b) ? strlen(a) : strlen(b), i;

	for (i = 0; i < n; i++) {
		int x = i < strlen(a) ? toupper((unsigned char)a[i]) : '0';
		int y = i < strlen(b) ? toupper((unsigned char)b[i]) : '0';

		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}

static struct jdoc *
read_vectors(void)
{
	static char text[8192];
	const char *src = getenv("srcdir");
	char path[4300];
	struct err e = ERR_INIT;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/vectors/events/sequencer.json",
	    src != NULL ? src : ".");
	f = fopen(path, "re");
	CHECK(f != NULL);
	n = f != NULL ? fread(text, 1, sizeof(text), f) : 0;
	if (f != NULL)
		fclose(f);
	return jdoc_parse(text, n, &e);
}

static const char *
sequencer(const char *event)
{
	static char text[2][40];
	static unsigned turn;
	AUTO(jdoc) struct jdoc *d = record(event);

	turn ^= 1;
	snprintf(text[turn], sizeof(text[turn]), "%s",
	    at(d, R "s3/object/sequencer"));
	return text[turn];
}
#define SEQUENCER(seq) sequencer(EVENT("file.deleted", seq, "s3://b/k", "}"))

static void
sequencers_are_in_order_for_whoever_compares_them(void)
{
	AUTO(jdoc) struct jdoc *d = read_vectors();
	const struct jdoc_node *v;
	unsigned n = 0;

	for (v = d != NULL ? jdoc_root(d)->child : NULL; v != NULL;
	     v = v->next, n++) {
		const struct jdoc_node *o = jdoc_member(v, "order");
		int want = o->text[0] == '-' ? -1 : o->text[0] - '0';

		CHECK(compare_sequencers(jdoc_member(v, "a")->text,
			  jdoc_member(v, "b")->text) == want);
	}
	CHECK(n == 7);
	CHECK(compare_sequencers(SEQUENCER("00000000000000000009"),
		  SEQUENCER("00000000000000000010")) == -1);
	CHECK(compare_sequencers(SEQUENCER("00001795409998000042"),
		  SEQUENCER("00001795409998000043")) == -1);
	CHECK(compare_sequencers(SEQUENCER("00004503599627370495"),
		  SEQUENCER("00004503599627370496")) == -1);
	CHECK(strlen(SEQUENCER("00000000000000000001")) == 16);
}

static void
an_event_of_the_right_size_goes_as_it_is(void)
{
	const char *text = EVENT("test", SEQ, "", "}");
	struct format f;
	bool claimed;

	format_init(&f);
	CHECK_STR(sent(&f, text, &claimed), "");
	f.event_bytes = strlen(text);
	CHECK_STR(sent(&f, text, &claimed), "");
	CHECK(!claimed);
	f.event_bytes--;
	CHECK(strstr(sent(&f, text, &claimed), "are more than") != NULL);
	set(&f, "format", "cloudevents-batch");
	CHECK(strstr(sent(&f, text, &claimed), "too large") != NULL);
	format_clear(&f);
}

#define LONG                                                               \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void
what_is_too_long_leaves_its_data_behind(void)
{
	const char *text = EVENT("test", SEQ, LONG LONG, "}");
	struct err e = ERR_INIT;
	AUTO(jdoc) struct jdoc *event = jdoc_parse(text, strlen(text), &e);
	AUTO(buf) struct buf data = BUF_INIT(10000), path = BUF_INIT(10000);
	struct format f;
	bool claimed;
	const char *out;

	format_init(&f);
	set(&f, "max-event-bytes", "512");
	set(&f, "claim-check", "s3://lake/a b/");
	out = sent(&f, text, &claimed);
	CHECK(claimed && strstr(out, "\"data\"") == NULL);
	CHECK(strstr(out,
		  "\"dataref\":\"s3://lake/a%20b/evt_" SEQ
		  "-482a5ff1-9632-8407-a32e-2057d22033b8.json\"") != NULL);
	/* As sha256sum has it. */
	CHECK(strstr(out,
		  "\"datasha256\":\"47d1daba3a9ba096f58d072a9a400ce5"
		  "b1cdabecacc4c8f418910f49e2ab1b5a\"") != NULL);
	claim_path(&path, f.claim_check, jdoc_root(event));
	CHECK_STR(buf_str(&path),
	    "s3://lake/a b/evt_" SEQ
	    "-482a5ff1-9632-8407-a32e-2057d22033b8.json");
	claim_data(&data, jdoc_root(event));
	CHECK_STR(buf_str(&data),
	    "{\"target\":{\"kind\":\"s3\",\"uri\":\"" LONG LONG "\"}}");
	set(&f, "claim-check", "/mnt/100%");
	CHECK(strstr(sent(&f, text, &claimed), "\"file:///mnt/100%25/evt_"));
	set(&f, "claim-check", "nfs://h/e?version=3");
	CHECK(strstr(sent(&f, text, &claimed), "\"nfs://h/e/evt_"));
	buf_reset(&path);
	claim_path(&path, f.claim_check, jdoc_root(event));
	CHECK(strstr(buf_str(&path), ".json?version=3") != NULL);
	f.event_bytes = 300;
	CHECK(strstr(sent(&f, text, &claimed), "too large") != NULL);
	format_clear(&f);
}

/* The message that settings, "key=value;...", end in. */
static const char *
refusal(const char *settings)
{
	static struct err e;
	AUTO(free) char *copy = strdup(settings);
	char *at_ = copy, *pair, *value;
	const char *key = NULL;
	struct format f;
	int rc = 0;

	e = (struct err)ERR_INIT;
	format_init(&f);
	while (rc == 0 && (pair = strsep(&at_, ";")) != NULL) {
		value = strchr(pair, '=');
		*value++ = '\0';
		rc = format_set(&f, pair, value, &e);
		CHECK(rc != 1);
	}
	if (rc == 0)
		rc = format_finish(&f, &key, &e);
	format_clear(&f);
	return rc == 0 ? "" : e.msg;
}

static void
settings_are_checked(void)
{
	CHECK_STR(refusal("format=cloudevents"), "");
	CHECK_STR(refusal("format=s3"), "");
	CHECK_STR(refusal("format=cloudevents-batch;batch-max-wait=0s"), "");
	CHECK_STR(refusal("format=template;template=<event.json>"), "");
	CHECK_STR(
	    refusal("format=template;template=[<a>];paths={\"a\":\"\"}"), "");
	CHECK(strstr(refusal("format=xml"), "not \"xml\"") != NULL);
	CHECK_STR(refusal("format=template"), "no template is set");
	CHECK_STR(refusal("template=1"), "goes with format = template");
	CHECK_STR(refusal("paths={}"), "goes with format = template");
	CHECK(strstr(refusal("format=s3;claim-check=/x"), "goes with"));
	CHECK(strstr(refusal("claim-check=x"), "absolute path") != NULL);
	CHECK(strstr(refusal("claim-check=ftp://x"), "ftp") != NULL);
	CHECK(strstr(refusal("batch-max-wait=1s"), "go with format"));
	CHECK(strstr(refusal("batch-max-wait=61s"), "too long") != NULL);
	CHECK(strstr(refusal("batch-max-events=1001"), "1 to 1000"));
	CHECK(strstr(refusal("batch-max-events=0"), "1 to 1000") != NULL);
	CHECK(strstr(refusal("max-event-bytes=511"), "not of 512 to"));
	CHECK(strstr(refusal("max-event-bytes=2M"), "not of 512 to") != NULL);
	CHECK(strstr(refusal("format=cloudevents-batch;batch-max-bytes=64K"),
		  "no room for an event") != NULL);
}

int
main(void)
{
	RUN(s3_is_told_as_s3_tells);
	RUN(s3_has_its_names_for_what_happened);
	RUN(sequencers_are_in_order_for_whoever_compares_them);
	RUN(an_event_of_the_right_size_goes_as_it_is);
	RUN(what_is_too_long_leaves_its_data_behind);
	RUN(settings_are_checked);
	return check_end();
}
