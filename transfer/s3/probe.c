/* SPDX-License-Identifier: ISC */
/*
 * Finding out what an endpoint is: whether bucket, region, clock and
 * credentials are right, and which checksum it really verifies.  Many stores
 * accept checksum headers and ignore them, so each is tried with a wrong one
 * first.  The trial is a multipart upload that is never completed: nothing
 * becomes visible.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/text.h"
#include "transfer/s3/request.h"

static const char trial[] = "dray";

enum { NO, VERIFIED = 1, BY_ETAG };

static int64_t
clock_skew_ms(const struct s3_session *c)
{
	const char *date = http_header(c->reply.headers, "date");
	int64_t theirs_ns, skew_ms;

	if (date == NULL || !http_parse_date(date, &theirs_ns))
		return 0;
	/* The header has whole seconds. */
	skew_ms = (theirs_ns - clock_wall_ns()) / 1000000;
	return skew_ms < 0 && skew_ms > -1500 ? 0 : skew_ms;
}

static int
wrong_region(struct s3_session *c, const char *region, struct err *e)
{
	struct s3 *s = s3_of(&c->session);
	char text[64];

	text_escaped(region, strlen(region), text, sizeof(text));
	return err_set(e, ERR_CONFIG,
	    "bucket \"%.80s\" is in region %s, not %s: use --region %s",
	    s->bucket, text, s->region, text);
}

static int
denied(struct s3_session *c, struct err *e)
{
	struct s3 *s = s3_of(&c->session);
	const char *code = c->error.code, *next;
	char was[300];

	if (strcmp(code, "SignatureDoesNotMatch") == 0)
		next = "the secret key is wrong, or something on the way "
		       "changes requests";
	else if (strcmp(code, "InvalidAccessKeyId") == 0)
		next = "the store does not know this access key: are key and "
		       "endpoint of the same place?";
	else if (strcmp(code, "AccessDenied") == 0)
		next = "the credentials are known, but may not list this "
		       "bucket: it takes s3:ListBucket";
	else
		next = "check the credentials";
	snprintf(was, sizeof(was), "%.*s", (int)sizeof(was) - 1, e->msg);
	return err_set(
	    e, ERR_DENIED, "bucket \"%.80s\": %s (%s)", s->bucket, next, was);
}

/* Turns the answer to a GET or HEAD of the bucket into what helps. */
static int
explain(struct s3_session *c, int64_t skew_ms, struct err *e)
{
	struct s3 *s = s3_of(&c->session);
	const char *region = c->reply.status == 0
	    ? NULL
	    : http_header(c->reply.headers, "x-amz-bucket-region");

	if (region == NULL && c->error.region[0] != '\0')
		region = c->error.region;
	if (e->kind == ERR_CONFIG && region != NULL &&
	    strcmp(region, s->region) != 0)
		return wrong_region(c, region, e);
	if (e->kind == ERR_SKEW)
		return err_set(e, ERR_SKEW,
		    "this machine's clock is %" PRId64 " s %s the store's: "
		    "set it (NTP), then try again",
		    (skew_ms < 0 ? -skew_ms : skew_ms) / 1000,
		    skew_ms < 0 ? "ahead of" : "behind");
	if (e->kind == ERR_DENIED)
		return denied(c, e);
	if (c->reply.status == 404)
		return err_set(e, ERR_CONFIG,
		    "there is no bucket \"%.80s\" at %.200s: make it first",
		    s->bucket, s->place.endpoint);
	return -1;
}

/* HEAD says little when it fails: a GET tells why. */
static int
check_bucket(struct s3_session *c, struct store_probe *out, struct err *e)
{
	struct s3 *s = s3_of(&c->session);
	const char *region;
	int rc;

	http_keep_certificate(c->http);
	req_begin(c, HTTP_HEAD, NULL, false);
	rc = req_do(c, "HEAD", e);
	out->certificate_ends_ns = http_certificate_ends(c->http);
	if (rc == 0) {
		out->clock_skew_ms = clock_skew_ms(c);
		region = http_header(c->reply.headers, "x-amz-bucket-region");
		if (s->place.aws && region != NULL &&
		    strcmp(region, s->region) != 0)
			return wrong_region(c, region, e);
		return 0;
	}
	if (c->reply.status == 0)
		return -1;
	out->clock_skew_ms = clock_skew_ms(c);
	if (c->reply.status == 301)
		return explain(c, out->clock_skew_ms, e);
	req_begin(c, HTTP_GET, NULL, false);
	req_query(c, "list-type", "2");
	req_query(c, "max-keys", "1");
	if (req_do(c, "list", e) == 0)
		return 0;
	return explain(c, out->clock_skew_ms, e);
}

static void
begin_part(struct s3_session *c, const char *key, const char *id)
{
	req_begin(c, HTTP_PUT, key, false);
	req_query(c, "partNumber", "1");
	req_query(c, "uploadId", id);
	req_header(c, "content-type", S3_TYPE);
}

/*
 * Sends the trial part with D's checksum of ALGO: 1 taken, 0 refused for what
 * it is, -1 another failure.
 */
static int
send_part(struct s3_session *c, const char *key, const char *id,
    const struct digest *d, struct err *e)
{
	begin_part(c, key, id);
	req_checksum(c, d);
	if (req_body(c, trial, sizeof(trial) - 1, d, e) == -1)
		return -1;
	if (req_do(c, "PUT", e) == 0)
		return 1;
	return c->reply.status == 400 || c->reply.status == 501 ||
		e->kind == ERR_MISMATCH
	    ? 0
	    : -1;
}

/* Whether the ETag of the part just sent is its MD5. */
static bool
etag_tells(struct s3_session *c, const struct digest *right)
{
	struct store_receipt r;
	struct err ignored = ERR_INIT;
	uint8_t md5[16];

	return req_etag_is_md5(c) && req_receipt(c, NULL, &r, &ignored) == 0 &&
	    text_unhex(r.etag, strlen(r.etag), md5, sizeof(md5)) &&
	    memcmp(md5, right->md5, sizeof(md5)) == 0;
}

/*
 * Tries ALGO: VERIFIED if the store refuses what is wrong and takes what is
 * right, BY_ETAG if it takes all, but its ETag is the MD5 of what it got.
 */
static int
try(struct s3_session *c, const char *key, unsigned algo, struct err *e)
{
	static const struct item_stat st = {
	    .type = ITEM_FILE, .mode = S_IFREG | 0600};
	struct plan plan = {.size = sizeof(trial) - 1,
	    .part_bytes = sizeof(trial) - 1,
	    .parts = 1};
	struct digest right, wrong;
	struct err ignored = ERR_INIT;
	char id[STORE_ID_MAX];
	int rc;

	if (s3_upload_begin(&c->session, key, &st, &plan, id, e) == -1)
		return algo != DIGEST_MD5 &&
			(c->reply.status == 400 || c->reply.status == 501)
		    ? NO
		    : -1;
	digester_start(c->digester, algo);
	digester_update(c->digester, trial, sizeof(trial) - 1);
	digester_finish(c->digester, &right);
	wrong = right;
	wrong.crc64nvme ^= 1;
	wrong.crc32c ^= 1;
	wrong.md5[0] ^= 1;
	wrong.sha256[0] ^= 1;
	rc = send_part(c, key, id, &wrong, e);
	if (rc == 1)
		rc = algo == DIGEST_MD5 && etag_tells(c, &right) ? BY_ETAG : NO;
	else if (rc == 0)
		rc = send_part(c, key, id, &right, e);
	if (s3_upload_abort(&c->session, key, id, &ignored) == -1 && rc != -1) {
		*e = ignored;
		return -1;
	}
	return rc;
}

/* Where trials are made: always the same place for an owner. */
static int
trial_key(const struct s3 *s, char *out, size_t size, struct err *e)
{
	const char *owner = s->config.owner;
	uint64_t n;

	if (owner != NULL)
		n = crc64nvme(0, owner, strlen(owner));
	else if (getrandom(&n, sizeof(n), 0) != sizeof(n))
		return err_sys(e, "getrandom");
	snprintf(out, size, ".dray-probe-%016" PRIx64, n);
	return 0;
}

struct remains {
	struct s3_session *session;
	const char *key;
};

static int
abort_trial(
    void *arg, const char *key, const char *id, int64_t begun_ns, struct err *e)
{
	const struct remains *r = arg;

	(void)begun_ns;
	if (strcmp(key, r->key) != 0)
		return 0;
	return s3_upload_abort(&r->session->session, key, id, e);
}

/* What a probe left that was killed.  Not to be allowed to is no failure. */
static int
clear_trials(struct s3_session *c, const char *key, struct err *e)
{
	struct remains r = {c, key};

	if (s3_of(&c->session)->config.owner == NULL ||
	    s3_uploads(&c->session, key, abort_trial, &r, e) == 0 ||
	    e->kind == ERR_DENIED || e->kind == ERR_UNSUPPORTED)
		return 0;
	return -1;
}

/* -1, or how the store proves *FOUND. */
static int
negotiate(struct s3_session *c, unsigned *found, struct err *e)
{
	/* A payload that is signed carries its SHA-256 anyway. */
	static const unsigned algos[] = {
	    DIGEST_CRC64NVME, DIGEST_CRC32C, DIGEST_SHA256, DIGEST_MD5};
	struct s3 *s = s3_of(&c->session);
	unsigned was = atomic_load(&s->checksum);
	char key[40];
	size_t i;
	int rc = 0;

	if (trial_key(s, key, sizeof(key), e) == -1 ||
	    clear_trials(c, key, e) == -1)
		return -1;
	*found = 0;
	for (i = 0; i < 4 && rc == 0; i++) {
		if (!(digest_available() & algos[i]) ||
		    (algos[i] == DIGEST_SHA256 && !s->sign_payload))
			continue;
		atomic_store(&s->checksum, algos[i]);
		rc = try(c, key, algos[i], e);
		if (rc > NO)
			*found = algos[i];
	}
	atomic_store(&s->checksum, rc == -1 ? was : *found);
	if (rc != -1)
		return rc;
	/* An upload just begun that is gone: the store's trouble, not ours. */
	if (e->kind == ERR_GONE || e->kind == ERR_NOTFOUND ||
	    e->kind == ERR_PROTOCOL)
		e->kind = ERR_SERVER;
	return err_context(e, "checksum trial");
}

static void
describe(struct s3 *s, int proof, struct store_probe *out)
{
	static const char *const proofs[] = {[NO] = " (as set)",
	    [VERIFIED] = " (verified by the store)",
	    [BY_ETAG] = " (compared with the store's ETag)"};
	const char *name = "none", *how = "";

	if (out->checksum == DIGEST_CRC64NVME)
		name = "CRC64NVME";
	else if (out->checksum == DIGEST_CRC32C)
		name = "CRC32C";
	else if (out->checksum == DIGEST_SHA256)
		name = "SHA-256 of signed payloads";
	else if (out->checksum == DIGEST_MD5)
		name = "MD5";
	if (out->checksum != 0)
		how = proofs[proof];
	snprintf(out->text, sizeof(out->text),
	    "S3 at %.90s, %s%s; checksums: %s%s%s", s->place.endpoint,
	    s->place.virtual_host ? "virtual-host" : "path", "-style", name,
	    how, s->config.no_verify_tls ? "; TLS is not verified" : "");
}

int
s3_probe(struct session *session, bool create, bool checksum,
    struct store_probe *out, struct err *e)
{
	struct s3_session *c = s3_session_of(session);
	struct s3 *s = s3_of(session);
	struct store_probe found = {0};
	int proof = NO;

	(void)create; /* a bucket is made with thought, not in passing */
	if (check_bucket(c, &found, e) == -1)
		return -1;
	found.checksum = atomic_load(&s->checksum);
	if (checksum && !s->forced) {
		proof = negotiate(c, &found.checksum, e);
		if (proof == -1)
			return -1;
	}
	describe(s, proof, &found);
	*out = found;
	return 0;
}
