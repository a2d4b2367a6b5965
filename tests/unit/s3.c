/* SPDX-License-Identifier: ISC */
/*
 * The S3 driver against scripted replies on loopback: what the real servers
 * at hand never say.
 */
#include "config.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/check.h"
#include "transfer/store.h"

#define STEPS 12

/*
 * The next replies, in order: what the request must begin with, the status
 * ("200 OK"), header lines, each with its end, and the body.
 */
enum { EXPECT, STATUS, HEADERS, BODY, FIELDS };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *steps[STEPS][FIELDS]; /* under lock */
static size_t step;			 /* under lock */
static char last[65536];		 /* the request, under lock */
static int listener;
static char endpoint[64];
static struct store *store;
static struct session *session;

static const struct item_stat st = {
    .type = ITEM_FILE, .mode = S_IFREG | 0644, .mtime_ns = 7, .size = 4};

/* Reads one request; false at the end of the connection. */
static bool
read_request(int fd, char *text, size_t size)
{
	size_t n = 0, body = 0;
	const char *end, *length;

	while (n + 1 < size) {
		ssize_t got = read(fd, text + n, size - 1 - n);

		if (got <= 0)
			return false;
		n += (size_t)got;
		text[n] = '\0';
		end = strstr(text, "\r\n\r\n");
		if (end == NULL)
			continue;
		length = strstr(text, "Content-Length: ");
		if (length != NULL && length < end)
			body = strtoul(length + 16, NULL, 10);
		if (n >= (size_t)(end + 4 - text) + body)
			return true;
	}
	return false;
}

static const char *
or_empty(const char *s)
{
	return s != NULL ? s : "";
}

static void
answer(int fd, const char *request)
{
	static const char *const unscripted[FIELDS] = {"", "418 Unscripted"};
	const char *const *s = unscripted, *headers, *body;
	char reply[8192];

	pthread_mutex_lock(&lock);
	if (step < STEPS && steps[step][EXPECT] != NULL)
		s = steps[step];
	if (strncmp(request, s[EXPECT], strlen(s[EXPECT])) != 0)
		s = unscripted;
	if (s == unscripted)
		fprintf(stderr, "request %zu is %.*s\n", step,
		    (int)strcspn(request, "\r"), request);
	else
		step++;
	snprintf(last, sizeof(last), "%s", request);
	headers = or_empty(s[HEADERS]);
	body = or_empty(s[BODY]);
	snprintf(reply, sizeof(reply), "HTTP/1.1 %s\r\n%s%s%zu\r\n\r\n%s",
	    s[STATUS], headers,
	    strstr(headers, "Content-Length") != NULL ? "x-n: "
						      : "Content-Length: ",
	    strlen(body), strncmp(request, "HEAD", 4) == 0 ? "" : body);
	pthread_mutex_unlock(&lock);
	(void)!write(fd, reply, strlen(reply));
}

static void *
connection(void *arg)
{
	char text[65536];
	int fd = *(int *)arg;

	free(arg);
	while (read_request(fd, text, sizeof(text)))
		answer(fd, text);
	close(fd);
	return NULL;
}

/* Each connection has its thread: the driver opens new ones at will. */
static void *
server(void *arg)
{
	pthread_t t;
	int fd;

	(void)arg;
	while ((fd = accept(listener, NULL, NULL)) != -1) {
		int *own = malloc(sizeof(*own));

		if (own == NULL)
			abort();
		*own = fd;
		if (pthread_create(&t, NULL, connection, own) != 0 ||
		    pthread_detach(t) != 0)
			abort();
	}
	return NULL;
}

static int
start(void)
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	pthread_t t;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) == -1 ||
	    listen(listener, 10) == -1 ||
	    getsockname(listener, (struct sockaddr *)&a, &len) == -1 ||
	    pthread_create(&t, NULL, server, NULL) != 0 ||
	    pthread_detach(t) != 0)
		return -1;
	snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d",
	    ntohs(a.sin_port));
	return 0;
}

static void
script(const char *const (*s)[FIELDS], size_t n)
{
	pthread_mutex_lock(&lock);
	memset(steps, 0, sizeof(steps));
	memcpy(steps, s, n * sizeof(*s));
	step = 0;
	pthread_mutex_unlock(&lock);
}

#define SCRIPT(...)                                              \
	script((const char *const[][FIELDS]){__VA_ARGS__},       \
	    sizeof((const char *const[][FIELDS]){__VA_ARGS__}) / \
		(FIELDS * sizeof(char *)))

/* Whether the last request has TEXT; and all steps were taken. */
static bool
sent(const char *text)
{
	bool found;

	pthread_mutex_lock(&lock);
	found = strstr(last, text) != NULL;
	if (step < STEPS && steps[step][EXPECT] != NULL) {
		fprintf(stderr, "step %zu was not taken\n", step);
		found = false;
	}
	pthread_mutex_unlock(&lock);
	return found;
}

#define CRC "x-amz-checksum-crc64nvme: rosUhgp5mIg=\r\n"
#define CRC_WRONG "x-amz-checksum-crc64nvme: AAAAAAAAAAA=\r\n"
#define BEGUN                                                   \
	"<InitiateMultipartUploadResult><UploadId>u</UploadId>" \
	"</InitiateMultipartUploadResult>"
#define BAD "<Error><Code>BadDigest</Code></Error>"
#define DONE "<CompleteMultipartUploadResult/>"
#define LOST                                                   \
	{                                                      \
		"POST", "404 No", "",                          \
		    "<Error><Code>NoSuchUpload</Code></Error>" \
	}
#define META "x-amz-meta-file-mtime: 7ns\r\n"

static struct store_probe
probe(struct err *e)
{
	struct store_probe p = {0};

	if (store->ops->probe(session, false, true, &p, e) == 0)
		e->kind = ERR_NONE;
	return p;
}

static void
a_checksum_counts_only_if_a_wrong_one_is_refused(void)
{
	struct store_probe p;
	struct err e = ERR_INIT;

	SCRIPT({"HEAD /test", "200 OK"},
	    {"POST /test/p/.dray-probe-", "200 OK", "", BEGUN},
	    {"PUT /test/p/.dray-probe-", "400 Bad", "", BAD}, {"PUT", "200 OK"},
	    {"DELETE /test/p/.dray", "204 OK"});
	p = probe(&e);
	CHECK(sent("uploadId=u") && e.kind == ERR_NONE);
	CHECK(p.checksum == DIGEST_CRC64NVME);
	CHECK(strstr(p.text, "CRC64NVME (verified by the store)") != NULL);
	SCRIPT({"HEAD", "200 OK"}, {"POST", "501 No"},
	    {"POST", "200 OK", "", BEGUN}, {"PUT", "200 OK"},
	    {"DELETE", "204 OK"}, {"POST", "200 OK", "", BEGUN},
	    {"PUT", "400 Bad", "", BAD}, {"PUT", "200 OK"},
	    {"DELETE", "204 OK"});
	p = probe(&e);
	CHECK(sent("DELETE") && p.checksum == DIGEST_SHA256);
	SCRIPT({"HEAD", "200 OK"}, {"POST", "501 No"}, {"POST", "501 No"},
	    {"POST", "200 OK", "", BEGUN}, {"PUT", "200 OK"},
	    {"DELETE", "204 OK"}, {"POST", "200 OK", "", BEGUN},
	    {"PUT", "400 Bad", "", BAD}, {"PUT", "200 OK"},
	    {"DELETE", "204 OK"});
	p = probe(&e);
	CHECK(sent("DELETE") && p.checksum == DIGEST_MD5);
	SCRIPT({"HEAD", "200 OK"}, {"POST", "400 No"}, {"POST", "400 No"},
	    {"POST", "400 No"}, {"POST", "200 OK", "", BEGUN},
	    {"PUT", "200 OK"}, {"DELETE", "204 OK"});
	p = probe(&e);
	CHECK(sent("DELETE") && e.kind == ERR_NONE && p.checksum == 0);
	SCRIPT({"HEAD", "200 OK"}, {"POST", "503 Slow"});
	probe(&e);
	CHECK(sent("POST") && e.kind == ERR_THROTTLE);
}

static void
what_is_wrong_with_a_bucket_is_explained(void)
{
	struct err e = ERR_INIT;

	SCRIPT({"HEAD", "301 M", "x-amz-bucket-region: eu-west-3\r\n"});
	probe(&e);
	CHECK(e.kind == ERR_CONFIG && strstr(e.msg, "--region eu-west-3"));
	SCRIPT({"HEAD", "400 Bad"},
	    {"GET /test?list-type=2&max-keys=1", "400 Bad", "",
		"<Error><Code>AuthorizationHeaderMalformed</Code>"
		"<Region>eu-south-2</Region></Error>"});
	probe(&e);
	CHECK(e.kind == ERR_CONFIG && strstr(e.msg, "--region eu-south-2"));
	SCRIPT({"HEAD", "403 No", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"},
	    {"GET", "403 No", "",
		"<Error><Code>RequestTimeTooSkewed</Code></Error>"});
	probe(&e);
	CHECK(e.kind == ERR_SKEW && strstr(e.msg, "ahead of") != NULL);
	SCRIPT({"HEAD", "403 No"},
	    {"GET", "403 No", "",
		"<Error><Code>InvalidAccessKeyId</Code></Error>"});
	probe(&e);
	CHECK(e.kind == ERR_DENIED && strstr(e.msg, "does not know") != NULL);
	SCRIPT({"HEAD", "404 No"}, {"GET", "404 No"});
	probe(&e);
	CHECK(e.kind == ERR_CONFIG && strstr(e.msg, "\"test\"") != NULL);
	CHECK(sent("GET"));
}

static const struct digest digest = {
    .have = DIGEST_CRC64NVME | DIGEST_MD5 | DIGEST_CRC32C,
    .crc64nvme = 0xae8b14860a799888};

static enum err_kind
put(const char *headers)
{
	struct store_receipt r = {.etag = ""};
	struct err e = ERR_INIT;

	SCRIPT({"PUT /test/p/a%20b", "200 OK", headers});
	if (store->ops->put(session, "a b", &st, "abcd", 4, &digest, &r, &e) ==
	    0)
		return ERR_NONE;
	return e.kind;
}

static void
what_the_store_says_of_the_bytes_is_compared(void)
{
	store->ops->set_checksum(store, DIGEST_CRC64NVME);
	CHECK(put("ETag: \"x\"\r\n" CRC) == ERR_NONE);
	CHECK(sent("x-amz-checksum-crc64nvme: rosUhgp5mIg=\r\n"));
	CHECK(put(CRC_WRONG) == ERR_MISMATCH);
	CHECK(put("ETag: \"11111111111111111111111111111111\"\r\n") ==
	    ERR_MISMATCH);
	CHECK(
	    put("ETag: \"00000000000000000000000000000000\"\r\n") == ERR_NONE);
	CHECK(put("ETag: \"11111111111111111111111111111111\"\r\n"
		  "x-amz-server-side-encryption: aws:kms\r\n") == ERR_NONE);
}

static bool proved; /* by the last receipt */

/* What the reply to a put, of HEADERS, proves to a store set to CHECKSUM. */
static bool
proves(const char *checksum, unsigned negotiated, const char *headers)
{
	struct err e = ERR_INIT;
	AUTO(store_url)
	struct store_url *url = store_url_parse("s3://test/p", &e);
	struct store_config config = {.proxy = "",
	    .timeout_ms = 5000,
	    .endpoint_url = endpoint,
	    .checksum = checksum};
	AUTO(store) struct store *s = store_open(url, &config, &e);
	AUTO(session) struct session *c = store_connect(s, &e);
	struct store_receipt r = {.etag = ""};
	struct digest d = digest;

	d.have = DIGEST_CRC64NVME | DIGEST_XXH3 | s->ops->digests(s);
	s->ops->set_checksum(s, negotiated);
	d.have |= s->ops->digests(s);
	SCRIPT({"PUT", "200 OK", headers});
	CHECK(s->ops->put(c, "k", &st, "abcd", 4, &d, &r, &e) == 0);
	return r.proved;
}

#define ZERO_ETAG "ETag: \"00000000000000000000000000000000\"\r\n"
#define KMS "x-amz-server-side-encryption: aws:kms\r\n"

static void
what_the_store_checked_is_proved(void)
{
	CHECK(proves(NULL, DIGEST_CRC64NVME, ZERO_ETAG));
	CHECK(proves(NULL, DIGEST_CRC32C, ZERO_ETAG));
	CHECK(proves(NULL, DIGEST_SHA256, ZERO_ETAG));
	CHECK(proves(NULL, DIGEST_MD5, ZERO_ETAG));
	CHECK(!proves(NULL, DIGEST_MD5, ""));
	CHECK(!proves(NULL, DIGEST_MD5, ZERO_ETAG KMS));
	CHECK(!proves(NULL, 0, ZERO_ETAG));
	CHECK(!proves("none", 0, ZERO_ETAG));
	CHECK(proves("none", 0, CRC));
	/* Forced, maybe ignored: only what comes back proves. */
	CHECK(!proves("crc64nvme", DIGEST_CRC64NVME, ZERO_ETAG));
	CHECK(proves("crc64nvme", 0, CRC));
	CHECK(!proves("crc32c", 0, ZERO_ETAG));
	CHECK(proves("crc32c", 0, "x-amz-checksum-crc32c: AAAAAA==\r\n"));
	CHECK(proves("md5", 0, ZERO_ETAG));
	CHECK(!proves("md5", 0, ZERO_ETAG KMS));
}

static void
a_store_that_asks_for_less_says_when(void)
{
	struct store_receipt r;
	struct err e = ERR_INIT;

	SCRIPT({"PUT", "503 Slow Down", "Retry-After: 3\r\n",
	    "<Error><Code>SlowDown</Code><Message>less</Message></Error>"});
	CHECK(store->ops->put(session, "k", &st, "abcd", 4, &digest, &r, &e) ==
	    -1);
	CHECK(e.kind == ERR_THROTTLE && e.retry_after_ms == 3000);
	CHECK_STR(e.msg, "PUT: HTTP 503 SlowDown: less");
}

static struct store_part part = {
    .number = 1, .size = 4, .etag = "00000000000000000000000000000000"};
/* md5 of 16 zero bytes */
#define ETAG "ETag: \"4ae71336e44bf9bf79d2752e234818a5-1\"\r\n"

static enum err_kind
complete(struct err *e)
{
	struct store_upload u = {
	    .key = "k", .id = "u", .st = st, .plan = {4, 4, 1}};
	struct store_receipt r = {.etag = ""};

	*e = (struct err)ERR_INIT;
	if (store->ops->upload_complete(
		session, &u, &part, 1, &digest, &r, e) == -1)
		return e->kind;
	proved = r.proved;
	return ERR_NONE;
}

static void
a_completed_upload_is_looked_at(void)
{
	struct err e;

	SCRIPT({"POST /test/p/k?uploadId=u ", "200 OK", "", DONE},
	    {"HEAD /test/p/k ", "200 OK", "Content-Length: 4\r\n" CRC ETAG});
	CHECK(complete(&e) == ERR_NONE && proved);
	CHECK(sent("x-amz-checksum-mode: ENABLED"));
	/* The parts' ETags are the store's word, no proof. */
	SCRIPT({"POST", "200 OK", "", DONE},
	    {"HEAD", "200 OK", "Content-Length: 4\r\n" ETAG});
	CHECK(complete(&e) == ERR_NONE && !proved);
	part.proved = true;
	SCRIPT({"POST", "200 OK", "", DONE},
	    {"HEAD", "200 OK", "Content-Length: 4\r\n"});
	CHECK(complete(&e) == ERR_NONE && proved);
	part.proved = false;
	SCRIPT({"POST", "200 OK", "", DONE},
	    {"HEAD", "200 OK", "Content-Length: 4\r\n" CRC_WRONG});
	CHECK(complete(&e) == ERR_MISMATCH);
	SCRIPT({"POST", "200 OK", "", DONE},
	    {"HEAD", "200 OK", "Content-Length: 5\r\n" CRC});
	CHECK(complete(&e) == ERR_MISMATCH);
	SCRIPT({"POST", "200 OK", "", DONE},
	    {"HEAD", "200 OK",
		"Content-Length: 4\r\n"
		"ETag: \"11111111111111111111111111111111-1\"\r\n"});
	CHECK(complete(&e) == ERR_MISMATCH);
}

static void
an_upload_that_is_gone_may_have_arrived(void)
{
	struct err e;

	SCRIPT(LOST, {"HEAD", "200 OK", "Content-Length: 4\r\n" CRC META});
	CHECK(complete(&e) == ERR_NONE);
	SCRIPT(LOST, {"HEAD", "200 OK", "Content-Length: 4\r\n" ETAG META});
	CHECK(complete(&e) == ERR_NONE);
	/* The bytes, but an older item's metadata; no proof; another item. */
	SCRIPT(LOST, {"HEAD", "200 OK", "Content-Length: 4\r\n" CRC});
	CHECK(complete(&e) == ERR_GONE);
	SCRIPT(LOST, {"HEAD", "200 OK", "Content-Length: 4\r\n" META});
	CHECK(complete(&e) == ERR_GONE);
	SCRIPT(
	    LOST, {"HEAD", "200 OK", "Content-Length: 4\r\n" CRC_WRONG META});
	CHECK(complete(&e) == ERR_GONE);
	SCRIPT(LOST, {"HEAD", "404 No"});
	CHECK(complete(&e) == ERR_GONE);
	SCRIPT(LOST, {"HEAD", "503 No"});
	CHECK(complete(&e) == ERR_THROTTLE);
	CHECK(sent("HEAD"));
}

static void
an_error_under_200_fails_the_upload(void)
{
	struct err e;

	SCRIPT(
	    {"POST", "200 OK", "", "<Error><Code>InternalError</Code></Error>"},
	    {"HEAD", "404 No"},
	    {"GET /test/p/k?max-parts=1000&uploadId=u", "200 OK", "",
		"<ListPartsResult/>"});
	CHECK(complete(&e) == ERR_SERVER);
	CHECK(sent("GET"));
}

static void
the_whole_is_named_where_the_store_keeps_checksums(void)
{
	char id[STORE_ID_MAX];
	struct plan plan = {4, 4, 1};
	struct err e = ERR_INIT;

	SCRIPT({"POST /test/p/k?uploads= ", "200 OK",
	    "x-amz-checksum-type: FULL_OBJECT\r\n", BEGUN});
	CHECK(store->ops->upload_begin(session, "k", &st, &plan, id, &e) == 0);
	CHECK(sent("x-amz-checksum-algorithm: CRC64NVME"));
	SCRIPT({"POST", "400 Bad", "", BAD});
	CHECK(complete(&e) == ERR_MISMATCH);
	CHECK(sent("x-amz-checksum-crc64nvme: rosUhgp5mIg="));
	CHECK(sent("x-amz-mp-object-size: 4"));
}

static enum err_kind
set_metadata(const struct store_stat *was)
{
	struct store_receipt r;
	struct err e = ERR_INIT;

	if (store->ops->set_metadata(session, "k", &st, was, &r, &e) == -1)
		return e.kind;
	CHECK_STR(r.etag, "new");
	return ERR_NONE;
}

#define COPIED "<CopyObjectResult><ETag>\"new\"</ETag></CopyObjectResult>"
#define FOUR "Content-Length: 4\r\n"

static void
metadata_is_for_the_object_that_is_known(void)
{
	struct store_stat was = {
	    .type = ITEM_FILE, .size = 4, .mtime_ns = 7, .etag = "a"};

	SCRIPT({"HEAD /test/p/k ", "200 OK", FOUR "ETag: \"a\"\r\n"},
	    {"PUT /test/p/k ", "200 OK", "", COPIED});
	CHECK(set_metadata(&was) == ERR_NONE);
	CHECK(sent("x-amz-copy-source-if-match: \"a\"\r\n"));
	SCRIPT({"HEAD", "200 OK", FOUR META "ETag: \"b\"\r\n"});
	CHECK(set_metadata(&was) == ERR_MISMATCH);
	SCRIPT({"HEAD", "200 OK", "Content-Length: 5\r\nETag: \"a\"\r\n"});
	CHECK(set_metadata(&was) == ERR_MISMATCH);
	SCRIPT({"HEAD", "404 No"});
	CHECK(set_metadata(&was) == ERR_NOTFOUND);
	/* Another one comes between the look and the copy. */
	SCRIPT({"HEAD", "200 OK", FOUR "ETag: \"a\"\r\n"},
	    {"PUT", "412 No", "",
		"<Error><Code>PreconditionFailed</Code></Error>"});
	CHECK(set_metadata(&was) == ERR_MISMATCH);
	/* Without an ETag, its time tells. */
	was.etag[0] = '\0';
	SCRIPT({"HEAD", "200 OK", FOUR META}, {"PUT", "200 OK", "", COPIED});
	CHECK(set_metadata(&was) == ERR_NONE);
	CHECK(!sent("x-amz-copy-source-if-match"));
	SCRIPT({"HEAD", "200 OK", FOUR "ETag: \"a\"\r\n"});
	CHECK(set_metadata(&was) == ERR_MISMATCH);
	CHECK(sent("HEAD"));
}

static void
a_range_that_is_ignored_is_noticed(void)
{
	struct err e = ERR_INIT;
	char data[4];

	SCRIPT({"GET /test/p/k ", "200 OK", "", "abcd"});
	CHECK(store->ops->read(session, "k", 4, data, 4, &e) == -1);
	CHECK(e.kind == ERR_PROTOCOL);
	SCRIPT({"GET", "206 OK", "Content-Range: bytes 4-7/9\r\n", "abcd"});
	CHECK(store->ops->read(session, "k", 4, data, 4, &e) == 0);
	CHECK(sent("range: bytes=4-7\r\n"));
	SCRIPT({"GET", "206 OK", "Content-Range: bytes 4-8/9\r\n", "abcde"});
	CHECK(store->ops->read(session, "k", 4, data, 4, &e) == -1);
	CHECK(e.kind == ERR_PROTOCOL);
}

/* A file of 9 bytes whose HEAD is answered with HEADERS. */
static struct store_file *
opened(const char *headers)
{
	struct err e = ERR_INIT;
	struct store_file *f;

	SCRIPT({"HEAD /test/p/k ", "200 OK", headers});
	f = store->ops->open_file(session, "k", 0, &e);
	CHECK(f != NULL && sent("HEAD"));
	return f;
}

/* What reading 4 bytes gives, answered with HEADERS. */
static enum err_kind
read_with(struct store_file *f, const char *headers)
{
	struct err e = ERR_INIT;
	char data[4];

	SCRIPT({"GET /test/p/k ", "206 OK", headers, "abcd"});
	return store->ops->read_file(f, 4, data, 4, &e) == 0 ? ERR_NONE
							     : e.kind;
}

static void
bytes_of_another_object_are_not_taken(void)
{
	struct store_file *f = opened("Content-Length: 9\r\nETag: \"a\"\r\n");
	struct err e = ERR_INIT;

	CHECK(read_with(f, "Content-Range: bytes 4-7/9\r\nETag: \"b\"\r\n") ==
	    ERR_CHANGED);
	CHECK(sent("if-match: \"a\"\r\n"));
	CHECK(read_with(f, "Content-Range: bytes 4-7/10\r\nETag: \"a\"\r\n") ==
	    ERR_CHANGED);
	CHECK(read_with(f, "Content-Range: bytes 4-7/9\r\nETag: \"a\"\r\n") ==
	    ERR_NONE);
	/* It needs no other request. */
	CHECK(store->ops->check_file(f, &e) == 0);
	store->ops->close_file(f);
}

#define SECOND(n) "Last-Modified: Mon, 01 Jan 2024 00:00:0" #n " GMT\r\n"

static void
without_an_etag_the_object_is_looked_at_again(void)
{
	struct store_file *f = opened("Content-Length: 9\r\n" SECOND(1));
	struct err e = ERR_INIT;

	CHECK(read_with(f, "Content-Range: bytes 4-7/9\r\n") == ERR_NONE);
	SCRIPT({"HEAD", "200 OK", "Content-Length: 9\r\n" SECOND(1)});
	CHECK(store->ops->check_file(f, &e) == 0 && sent("HEAD"));
	SCRIPT({"HEAD", "200 OK", "Content-Length: 9\r\n" SECOND(2)});
	CHECK(store->ops->check_file(f, &e) == -1 && e.kind == ERR_CHANGED);
	SCRIPT({"HEAD", "404 No", ""});
	CHECK(store->ops->check_file(f, &e) == -1 && e.kind == ERR_CHANGED);
	store->ops->close_file(f);
}

static void
expired_credentials_are_told_and_loaded_anew(void)
{
	struct store_stat out;
	struct err e = ERR_INIT;

	SCRIPT(
	    {"GET", "400 Bad", "", "<Error><Code>ExpiredToken</Code></Error>"});
	CHECK(store->ops->read(session, "k", 0, &out, 1, &e) == -1);
	CHECK(e.kind == ERR_EXPIRED);
	setenv("AWS_ACCESS_KEY_ID", "RENEWED", 1);
	setenv("AWS_SESSION_TOKEN", "token+/=", 1);
	CHECK(store->ops->refresh(store, &e) == 0);
	SCRIPT({"HEAD", "400 Bad"});
	CHECK(store->ops->stat(session, "k", &out, &e) == -1);
	CHECK(e.kind == ERR_EXPIRED);
	CHECK(sent("Credential=RENEWED/"));
	CHECK(sent("x-amz-security-token: token+/=\r\n"));
}

static void
every_key_that_is_removed_needs_an_answer(void)
{
	static const char *const keys[] = {"b", "a", "c"};
	struct err results[3], e = ERR_INIT;

	SCRIPT({"POST /test?delete= ", "200 OK", "",
	    "<DeleteResult><Deleted><Key>p/a</Key></Deleted><Error>"
	    "<Key>p/b</Key><Code>AccessDenied</Code></Error></DeleteResult>"});
	CHECK(store->ops->remove(session, keys, 3, results, &e) == -1);
	CHECK(sent("<Key>p/c</Key>"));
	CHECK(results[0].kind == ERR_DENIED);
	CHECK(results[1].kind == ERR_NONE);
	CHECK(results[2].kind == ERR_PROTOCOL);
}

static int
on_entry(void *arg, const struct store_list_entry *entry, struct err *e)
{
	(void)e;
	*(size_t *)arg += entry->key_len;
	return 0;
}

static void
a_listing_that_turns_in_a_circle_ends(void)
{
	static const char page[] =
	    "<ListBucketResult><IsTruncated>true</IsTruncated>"
	    "<NextContinuationToken>t</NextContinuationToken>"
	    "<Contents><Key>p/a</Key></Contents><Contents><Key>other</Key>"
	    "</Contents></ListBucketResult>";
	struct err e = ERR_INIT;
	size_t n = 0;

	SCRIPT({"GET /test?encoding-type=url", "200 OK", "", page},
	    {"GET /test?continuation-token=t&", "200 OK", "", page});
	CHECK(store->ops->list(session, "", true, on_entry, &n, &e) == -1);
	CHECK(e.kind == ERR_PROTOCOL && n == 2);
	CHECK(sent("prefix=p%2F"));
}

int
main(void)
{
	struct err e = ERR_INIT;
	AUTO(store_url)
	struct store_url *url = store_url_parse("s3://test/p", &e);
	struct store_config config = {
	    .proxy = "", .timeout_ms = 5000, .region = "eu-west-1"};

	if (url == NULL || start() == -1)
		return 77;
	config.endpoint_url = endpoint;
	setenv("AWS_ACCESS_KEY_ID", "KEY", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "SECRET", 1);
	unsetenv("AWS_SESSION_TOKEN");
	setenv("AWS_CONFIG_FILE", "/dev/null", 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
	store = store_open(url, &config, &e);
	session = store != NULL ? store_connect(store, &e) : NULL;
	if (session == NULL) {
		fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	RUN(a_checksum_counts_only_if_a_wrong_one_is_refused);
	RUN(what_is_wrong_with_a_bucket_is_explained);
	RUN(what_the_store_says_of_the_bytes_is_compared);
	RUN(what_the_store_checked_is_proved);
	RUN(a_store_that_asks_for_less_says_when);
	RUN(a_completed_upload_is_looked_at);
	RUN(an_upload_that_is_gone_may_have_arrived);
	RUN(an_error_under_200_fails_the_upload);
	RUN(the_whole_is_named_where_the_store_keeps_checksums);
	RUN(metadata_is_for_the_object_that_is_known);
	RUN(a_range_that_is_ignored_is_noticed);
	RUN(bytes_of_another_object_are_not_taken);
	RUN(without_an_etag_the_object_is_looked_at_again);
	RUN(expired_credentials_are_told_and_loaded_anew);
	RUN(every_key_that_is_removed_needs_an_answer);
	RUN(a_listing_that_turns_in_a_circle_ends);
	store_disconnect(session);
	store_close(store);
	return check_end();
}
