/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "agent/events/signature.h"
#include "base/jdoc.h"
#include "base/secret.h"
#include "tests/unit/check.h"

static struct jdoc *
read_vectors(void)
{
	const char *srcdir = getenv("srcdir");
	struct err e = ERR_INIT;
	char path[4096], text[8192];
	AUTO(fclose) FILE *f = NULL;

	snprintf(path, sizeof(path), "%s/tests/vectors/events/signatures.json",
	    srcdir != NULL ? srcdir : ".");
	f = fopen(path, "r");
	return f != NULL ? jdoc_parse(text, fread(text, 1, sizeof(text), f), &e)
			 : NULL;
}

/* The value of header NAME in what signature_headers() made; "" if none. */
static const char *
value_of(const struct buf *headers, const char *name)
{
	size_t at, n = strlen(name);

	for (at = 0; at < headers->len; at += strlen(headers->data + at) + 1)
		if (strncmp(headers->data + at, name, n) == 0 &&
		    strncmp(headers->data + at + n, ": ", 2) == 0)
			return headers->data + at + n + 2;
	return "";
}

static void
all_vectors_come_out_right(void)
{
	AUTO(jdoc) struct jdoc *d = read_vectors();
	const struct jdoc_node *v;
	unsigned n = 0;

	CHECK(d != NULL);
	for (v = d != NULL ? jdoc_root(d)->child : NULL; v != NULL;
	     v = v->next, n++) {
		const struct jdoc_node *body = jdoc_member(v, "body");
		const struct jdoc_node *id = jdoc_member(v, "id");
		const struct jdoc_node *at = jdoc_member(v, "timestamp");
		AUTO(buf) struct buf out = BUF_INIT(4096);
		struct err e = ERR_INIT;
		AUTO(signature_keys)
		struct signature_keys *k = signature_keys_new(&e);
		size_t count;

		CHECK(signature_keys_add(
			  k, jdoc_member(v, "secret")->text, &e) == 0);
		CHECK(signature_headers(k, id != NULL ? id->text : "x",
			  at != NULL ? strtoll(at->text, NULL, 10) : 0,
			  body->text, body->len, &out, &count, &e) == 0);
		CHECK_UINT(count, 3);
		CHECK_STR(value_of(&out,
			      jdoc_is(jdoc_member(v, "scheme"), "github sha256")
				  ? "x-hub-signature-256"
				  : "webhook-signature"),
		    jdoc_member(v, "signature")->text);
		if (id != NULL) {
			CHECK_STR(value_of(&out, "webhook-id"), id->text);
			CHECK_STR(
			    value_of(&out, "webhook-timestamp"), "1614265330");
		}
	}
	CHECK_UINT(n, 3);
}

static void
all_keys_sign(void)
{
	AUTO(jdoc) struct jdoc *d = read_vectors();
	AUTO(buf) struct buf out = BUF_INIT(4096);
	struct err e = ERR_INIT;
	AUTO(signature_keys) struct signature_keys *k = signature_keys_new(&e);
	const struct jdoc_node *v = jdoc_root(d)->child;
	char want[400];
	size_t count;

	CHECK(signature_keys_add(
		  k, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &e) == 0);
	CHECK(signature_keys_add(k, "old", &e) == 0);
	CHECK(signature_keys_add(k, jdoc_member(v, "secret")->text, &e) == 0);
	CHECK(signature_keys_add(k, jdoc_member(v->next, "secret")->text, &e) ==
	    0);
	CHECK(signature_keys_add(k, "new", &e) == 0);
	CHECK(signature_headers(k, jdoc_member(v, "id")->text, 1614265330,
		  jdoc_member(v, "body")->text, jdoc_member(v, "body")->len,
		  &out, &count, &e) == 0);
	CHECK_UINT(count, 4);
	snprintf(want, sizeof(want), " %s %s",
	    jdoc_member(v, "signature")->text,
	    jdoc_member(v->next, "signature")->text);
	CHECK(strstr(value_of(&out, "webhook-signature"), want) != NULL);
	CHECK_UINT(strlen(value_of(&out, "x-hub-signature-256")), 143);
	CHECK(value_of(&out, "x-hub-signature-256")[71] == ',');
}

static const char *
refusal(const char *secret)
{
	static struct err e;
	AUTO(signature_keys) struct signature_keys *k = signature_keys_new(&e);

	if (signature_keys_add(k, secret, &e) == 0)
		return "taken";
	/* Nothing of it shows. */
	CHECK(strlen(secret) < 12 || strstr(e.msg, secret + 6) == NULL);
	return e.msg;
}

static void
wrong_keys_are_refused(void)
{
	CHECK(strstr(refusal("whsec_AAAA"), "24 to 64 bytes") != NULL);
	CHECK(strstr(refusal("whsec_not base64 at all, not base64 at all!"),
		  "24 to 64 bytes") != NULL);
	CHECK(strstr(refusal("whsk_AAAA"), "64 bytes") != NULL);
	CHECK(strstr(refusal("whsk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
			     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="),
		  "isn't its own") != NULL);
	CHECK(strstr(refusal("whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqf"),
		  "is public") != NULL);
	CHECK(strstr(refusal(""), "1 to 1024") != NULL);
}

static void
secrets_are_kept_secret(void)
{
	char dir[] = "/tmp/dray-secret.XXXXXX", path[64], ref[80];
	char out[SECRET_MAX];
	struct err e = ERR_INIT;
	FILE *f;

	CHECK(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/s", dir);
	snprintf(ref, sizeof(ref), "file:%s", path);
	f = fopen(path, "w");
	CHECK(f != NULL);
	fputs("hush\r\nsecond", f);
	fclose(f);
	chmod(path, 0640);
	CHECK(secret_read(ref, out, &e) == -1 && e.kind == ERR_CONFIG);
	CHECK(strstr(e.msg, "chmod 600") != NULL);
	chmod(path, 0600);
	CHECK(secret_read(ref, out, &e) == 0);
	CHECK_STR(out, "hush");
	f = fopen(path, "w");
	fputs("\nhush", f);
	fclose(f);
	CHECK(secret_read(ref, out, &e) == -1);
	CHECK(strstr(e.msg, "empty") != NULL);
	CHECK(secret_read("file:/", out, &e) == -1);
	CHECK(strstr(e.msg, "is no file") != NULL);
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	CHECK(secret_read("credential:../s", out, &e) == -1);
	CHECK(secret_read("credential:t", out, &e) == -1);
	CHECK(secret_read("credential:s", out, &e) == -1);
	CHECK(strstr(e.msg, "empty") != NULL);
	unsetenv("CREDENTIALS_DIRECTORY");
	CHECK(secret_read("credential:nosuch-in-tests", out, &e) == -1);
	CHECK(e.kind == ERR_CONFIG &&
	    strstr(e.msg, "LoadCredential=nosuch-in-tests:FILE") != NULL);
	unlink(path);
	rmdir(dir);
	setenv("DRAY_HOOK", "env secret", 1);
	CHECK(secret_read("env:DRAY_HOOK", out, &e) == 0);
	CHECK_STR(out, "env secret");
	CHECK(secret_read("env:DRAY_NO_HOOK", out, &e) == -1);
	CHECK(secret_read("whsec_plaintext", out, &e) == -1);
	CHECK(e.kind == ERR_USAGE && strstr(e.msg, "plaintext") == NULL);
}

int
main(void)
{
	RUN(all_vectors_come_out_right);
	RUN(all_keys_sign);
	RUN(wrong_keys_are_refused);
	RUN(secrets_are_kept_secret);
	return check_end();
}
