/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>

#include "tests/unit/check.h"
#include "transfer/s3/sign.h"

#define HEADERS 16

/* One record of a vector file: lines of "word value". */
struct vector {
	char text[8192];
	size_t used;
	const char *name, *date, *region, *service, *access, *secret, *method,
	    *path, *query, *payload, *signature;
	struct sign_header headers[HEADERS];
	size_t header_count;
};

static struct signer *signer;

static char *
keep(struct vector *v, const char *s)
{
	char *at = v->text + v->used;

	v->used += strlen(s) + 1;
	if (v->used > sizeof(v->text))
		abort();
	return memcpy(at, s, strlen(s) + 1);
}

static void
take(struct vector *v, char *line)
{
	const struct {
		const char *word;
		const char **value;
	} words[] = {{"name ", &v->name}, {"date ", &v->date},
	    {"region ", &v->region}, {"service ", &v->service},
	    {"access ", &v->access}, {"secret ", &v->secret},
	    {"method ", &v->method}, {"path ", &v->path}, {"query ", &v->query},
	    {"payload ", &v->payload}, {"signature ", &v->signature}};
	struct sign_header *h = &v->headers[v->header_count];
	size_t i;

	if (strncmp(line, "header ", 7) == 0 && v->header_count < HEADERS) {
		h->name = keep(v, line + 7);
		h->name_len = strcspn(h->name, ":");
		h->value = h->name + h->name_len + 1;
		v->header_count++;
	}
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strncmp(line, words[i].word, strlen(words[i].word)) == 0)
			*words[i].value = keep(v, line + strlen(words[i].word));
}

static void
verify(const struct vector *v)
{
	struct sign_scope scope = {v->access, v->secret, v->region, v->service};
	struct sign_request r = {v->method, v->path, strlen(v->path), v->query,
	    v->headers, v->header_count, v->payload, v->date};
	struct err e = ERR_INIT;
	char out[2048] = "";
	const char *found;

	CHECK(signer_sign(signer, &scope, &r, out, sizeof(out), &e) == 0);
	found = strstr(out, "Signature=");
	CHECK(found != NULL);
	if (found != NULL && strcmp(found + 10, v->signature) != 0)
		fprintf(stderr, "%s:\n", v->name);
	CHECK_STR(found != NULL ? found + 10 : "", v->signature);
}

static int
run_file(const char *name)
{
	const char *dir = getenv("srcdir");
	char path[1000], line[2048];
	static struct vector v;
	int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/vectors/sigv4/%s",
	    dir != NULL ? dir : ".", name);
	f = fopen(path, "re");
	CHECK(f != NULL);
	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		take(&v, line);
		if (v.signature == NULL)
			continue;
		verify(&v);
		memset(&v, 0, sizeof(v));
		n++;
	}
	fclose(f);
	return n;
}

static void
worked_examples_of_s3_come_out(void)
{
	CHECK_UINT(run_file("s3.txt"), 4);
}

static void
vectors_of_the_suite_come_out(void)
{
	CHECK_UINT(run_file("suite.txt"), 32);
}

static void
the_day_key_follows_date_region_and_secret(void)
{
	struct sign_header host = {"host", 4, "h"};
	struct sign_request r = {
	    "GET", "/", 1, "", &host, 1, SIGN_UNSIGNED, "20240101T000000Z"};
	struct sign_scope scope = {"a", "s", "r", "s3"};
	struct err e = ERR_INIT;
	char first[500], other[500];

	CHECK(!signer_sign(signer, &scope, &r, first, sizeof(first), &e));
	r.date = "20240102T000000Z";
	CHECK(!signer_sign(signer, &scope, &r, other, sizeof(other), &e));
	CHECK(strcmp(first, other) != 0);
	r.date = "20240101T000000Z";
	scope.secret_key = "another";
	CHECK(!signer_sign(signer, &scope, &r, other, sizeof(other), &e));
	CHECK(strcmp(strstr(first, "Signature"), strstr(other, "Signature")));
	scope.secret_key = "s";
	CHECK(!signer_sign(signer, &scope, &r, other, sizeof(other), &e));
	CHECK_STR(other, first);
}

static void
keys_that_are_too_long_are_refused(void)
{
	static char long_text[3000];
	struct sign_request r = {
	    "GET", "/", 1, "", NULL, 0, SIGN_UNSIGNED, "20240101T000000Z"};
	struct sign_scope scope = {long_text, "s", "r", "s3"};
	struct err e = ERR_INIT;
	char out[500];

	memset(long_text, 'x', sizeof(long_text) - 1);
	CHECK(signer_sign(signer, &scope, &r, out, sizeof(out), &e) == -1);
	CHECK(e.kind == ERR_CONFIG && strstr(e.msg, "xxx") == NULL);
	scope.access_key = "a";
	scope.secret_key = long_text;
	CHECK(signer_sign(signer, &scope, &r, out, sizeof(out), &e) == -1);
	CHECK(e.kind == ERR_CONFIG && strstr(e.msg, "xxx") == NULL);
}

static void
a_date_is_written_as_sigv4_wants(void)
{
	char date[SIGN_DATE_BYTES], hex[SIGN_HEX_BYTES];
	struct err e = ERR_INIT;

	sign_date(1369353600, date);
	CHECK_STR(date, "20130524T000000Z");
	CHECK(signer_hash(signer, "", 0, hex, &e) == 0);
	CHECK_STR(hex, SIGN_EMPTY);
}

int
main(void)
{
	struct err e = ERR_INIT;

	signer = signer_new(&e);
	if (signer == NULL)
		return 1;
	RUN(worked_examples_of_s3_come_out);
	RUN(vectors_of_the_suite_come_out);
	RUN(the_day_key_follows_date_region_and_secret);
	RUN(keys_that_are_too_long_are_refused);
	RUN(a_date_is_written_as_sigv4_wants);
	signer_free(signer);
	return check_end();
}
