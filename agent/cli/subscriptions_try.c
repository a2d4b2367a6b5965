/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/cli/cmd.h"
#include "agent/cli/subscriptions.h"
#include "agent/events/cloudevent.h"
#include "agent/events/handshake.h"
#include "agent/events/parcel.h"
#include "agent/events/sender.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"

#define WAIT_MS 100
#define SHOWN_MAX 400 /* bytes of an answer */

/* What came back. */
struct answer {
	const struct subscription *subscription;
	bool is_there;
	int status;
	uint64_t took_ms;
	struct err err;
	struct buf text;
	uint64_t per_minute; /* of a handshake; 0: any */
};

static void
auto_answer(struct answer *a)
{
	buf_free(&a->text);
}

static void
take_answer(struct answer *a, const struct http_many_reply *r)
{
	size_t n = r->text_len < SHOWN_MAX ? r->text_len : SHOWN_MAX;

	a->is_there = true;
	a->status = r->status;
	a->took_ms = r->took_ms;
	a->err = r->err;
	if (r->refused)
		err_set(&a->err, ERR_CONFIG,
		    "its address is private or reserved; allow = NETWORK opens "
		    "that");
	buf_add(&a->text, r->text, n);
}

static void
landed(void *tag, const struct http_many_reply *r)
{
	take_answer(tag, r);
}

static void
consented(void *tag, const struct http_many_reply *r)
{
	struct answer *a = tag;
	const struct subscription *s = a->subscription;

	take_answer(a, r);
	if (r->status != 0 && a->err.kind == ERR_NONE)
		handshake_judge(r->headers, s->access->origin, s->rate * 60,
		    &a->per_minute, &a->err);
}

/* As those of a run have them. */
static void
write_data(struct json *j, const char *type)
{
	json_str(j, "task", "test");
	json_uint(j, "run", 0);
	if (strncmp(type, "file.", 5) == 0) {
		json_object(j, "target");
		json_str(j, "kind", "s3");
		json_str(j, "uri", "s3://test/test");
		json_object_end(j);
		json_str(j, "path", "test");
		json_str(j, "type", "file");
		json_uint(j, "size", 0);
	}
	if (strcmp(type, "file.completed") == 0)
		json_str(j, "operation", "write");
	if (strcmp(type, "run.completed") == 0)
		json_str(j, "outcome", "ok");
	if (strstr(type, ".failed") != NULL)
		json_str(j, "error", "test");
	json_bool(j, "test", true);
}

/* An event that tells nothing; its id isn't one of a task's. */
static void
write_test(struct buf *out, const char *type, char *id)
{
	struct cloudevent c = {
	    .seq = (uint64_t)(clock_wall_ns() / 1000),
	    .source = "urn:dray:test",
	    .type = type,
	    .subject = "test",
	    .subject_len = 4,
	    .key = "test",
	    .time_ns = clock_wall_ns(),
	};
	struct json j;

	cloudevent_id(c.seq, id);
	json_begin(&j, out);
	cloudevent_begin(&j, &c);
	write_data(&j, type);
	cloudevent_end(&j);
}

static int
wait_for(struct http_many *http, struct answer *a, struct err *e)
{
	struct http_many_reply r;

	while (!a->is_there) {
		while (http_many_next(http, &r))
			sender_land(&r);
		if (!a->is_there)
			http_many_wait(http, WAIT_MS);
	}
	if (a->status != 0 && a->err.kind == ERR_NONE)
		return 0;
	*e = a->err;
	return err_context(e, "%s", a->subscription->name);
}

/* Sends it and waits for the answer. */
static int
send_test(const struct subscription *s, const char *type, struct answer *a,
    struct err *e)
{
	AUTO(buf) struct buf body = BUF_INIT(1 << 16);
	AUTO(buf) struct buf headers = BUF_SECRET_INIT(1 << 16);
	AUTO(sender) struct sender *sender = NULL;
	AUTO(http_many) struct http_many *http = http_many_new(1, e);
	AUTO(parcel) struct parcel p = {.made = NULL};
	char id[CLOUDEVENT_ID_MAX];

	if (http == NULL || (sender = sender_new(s, http, landed, e)) == NULL)
		return -1;
	write_test(&body, type, id);
	if (parcel_of(&p, s, cloudevent_seq(id), body.data, body.len, e) ==
		-1 ||
	    subscription_headers(s, p.id, clock_wall_ns() / 1000000000, p.body,
		p.len, &headers, e) == -1 ||
	    sender_post(sender, &headers, p.body, p.len, a, e) == -1)
		return -1;
	return wait_for(http, a, e);
}

/* WHY: it failed; else ERR_NONE. */
static void
print_json(const struct answer *a, bool handshake, const struct err *why)
{
	AUTO(buf) struct buf out = BUF_INIT(1 << 16);
	AUTO(buf) struct buf text = BUF_INIT(1 << 16);
	struct json j;

	text_escape(&text, buf_str(&a->text), a->text.len);
	json_begin(&j, &out);
	json_object(&j, NULL);
	json_str(&j, "name", a->subscription->name);
	json_int(&j, "status", a->status);
	json_uint(&j, "took_ms", a->took_ms);
	if (why->kind != ERR_NONE)
		json_string(&j, "error", why->msg, strlen(why->msg));
	if (handshake && why->kind == ERR_NONE)
		json_uint(&j, "per_minute", a->per_minute);
	else
		json_string(&j, "answer", buf_str(&text), text.len);
	json_object_end(&j);
	puts(buf_str(&out));
}

static void
print_answer(const struct answer *a)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 16);

	text_escape(&text, buf_str(&a->text), a->text.len);
	printf("%s: HTTP %d after %" PRIu64 " ms%s%s\n", a->subscription->name,
	    a->status, a->took_ms, text.len > 0 ? ": " : "", buf_str(&text));
}

int
subscriptions_test(const struct subscription *s, const struct options *o)
{
	struct err e = ERR_INIT;
	AUTO(answer)
	struct answer a = {.subscription = s, .text = BUF_INIT(1 << 16)};
	int rc = send_test(s, o->test_event, &a, &e);

	if (rc == 0 && a.status / 100 != 2)
		rc = err_set(&e, ERR_SERVER, "%s: HTTP %d %s", s->name,
		    a.status, buf_str(&a.text));
	if (o->json)
		print_json(&a, false, &e);
	else if (rc == 0 && o->verbosity >= 0)
		print_answer(&a);
	return rc == 0 ? 0 : cmd_fail(&e);
}

static int
ask(const struct subscription *s, struct answer *a, struct err *e)
{
	AUTO(sender) struct sender *sender = NULL;
	AUTO(http_many) struct http_many *http = http_many_new(1, e);

	if (!s->access->handshake)
		return err_set(e, ERR_USAGE,
		    "%s: handshake = require is not set", s->name);
	if (http == NULL ||
	    (sender = sender_new(s, http, consented, e)) == NULL ||
	    sender_handshake(sender, a, e) == -1)
		return -1;
	return wait_for(http, a, e);
}

int
subscriptions_handshake(const struct subscription *s, const struct options *o)
{
	struct err e = ERR_INIT;
	AUTO(answer)
	struct answer a = {.subscription = s, .text = BUF_INIT(1 << 16)};
	int rc = ask(s, &a, &e);

	if (o->json)
		print_json(&a, true, &e);
	if (rc == -1)
		return cmd_fail(&e);
	if (o->json)
		return 0;
	if (a.per_minute > 0)
		printf("%s: %s may send %" PRIu64 " requests a minute\n",
		    s->name, s->access->origin, a.per_minute);
	else
		printf("%s: %s may send any number of requests\n", s->name,
		    s->access->origin);
	return 0;
}

static void
print_secret(const struct options *o, const char *secret, const char *public)
{
	/* Nothing of base64 needs an escape. */
	if (o->json && public[0] != '\0')
		printf(
		    "{\"secret\":\"%s\",\"public\":\"%s\"}\n", secret, public);
	else if (o->json)
		printf("{\"secret\":\"%s\"}\n", secret);
	else
		printf(
		    "%s\n%s%s", secret, public, public[0] != '\0' ? "\n" : "");
	if (o->json || o->verbosity < 0)
		return;
	/* Not among what may go to a file. */
	fprintf(stderr,
	    "Keep the first line in a file of mode 600 that the subscription "
	    "names: secret = file:PATH\n%s.\n"
	    "While receivers change over, old and new secrets both sign: a "
	    "line \"secret = ...\" each.\n",
	    public[0] != '\0' ? "The receiver gets the second line"
			      : "The receiver gets the same");
}

int
subscriptions_new_secret(const struct options *o)
{
	char secret[SIGNATURE_NEW_MAX], public[SIGNATURE_NEW_MAX] = "";
	struct err e = ERR_INIT;
	int rc = o->ed25519 ? signature_new_pair(secret, public, &e)
			    : signature_new_secret(secret, &e);

	if (rc == -1)
		return cmd_fail(&e);
	print_secret(o, secret, public);
	secret_wipe(secret, sizeof(secret));
	return 0;
}
