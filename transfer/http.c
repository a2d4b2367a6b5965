/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "transfer/http.h"
#include "transfer/http_curl.h"
#include "transfer/limit.h"

#define SLIST_MAX 48
/* libcurl sends a body below this in one piece with the header. */
#define ONE_SEND_MAX 65535
#define UPLOAD_BUFFER_BYTES (256L << 10) /* measured: larger is not cheaper */
/*
 * What a server may send before it is read, with a limit: of four connections
 * together an eighth of a second's worth, so they fill no longer way.
 */
#define AHEAD(rate) ((rate) / 32)
#define AHEAD_MIN 65536
#define AHEAD_MAX (4 << 20) /* the system's own choice is no more */

enum why {
	WHY_NONE,
	WHY_STOP,
	WHY_SILENCE,
	WHY_SLOW,
	WHY_HEADERS,
	WHY_BODY,
};

struct http {
	CURL *curl;
	const atomic_bool *stop;
	struct limit *limit;
	unsigned timeout_ms;
	struct http_headers headers;
	struct curl_slist slist[SLIST_MAX];
	char error[CURL_ERROR_SIZE];

	/* The request under way. */
	uint64_t connected_rate; /* the limit when it was; 0: none */
	const struct http_request *request;
	size_t sent;	     /* of its body */
	size_t data_len;     /* of the reply's */
	enum why why;	     /* a callback ended it */
	uint64_t silence_ms; /* that long, and it has failed */
	uint64_t whole_ms;   /* the same of all of it */
	uint64_t begun_ms;
	uint64_t moved_ms; /* when anything moved last */
	uint64_t moved;	   /* bytes in all */
};

static size_t
on_header(char *p, size_t size, size_t n, void *arg)
{
	struct http *h = arg;

	n *= size;
	if (http_headers_add(&h->headers, p, n) == -1) {
		h->why = WHY_HEADERS;
		return 0;
	}
	return n;
}

/* Time that the limit took is neither the server's nor the line's. */
static void
forget_since(struct http *h, uint64_t before_ms)
{
	uint64_t held_up_ms = clock_mono_ms() - before_ms;

	h->begun_ms += held_up_ms;
	h->moved_ms += held_up_ms;
}

/* N bytes have come. */
static void
pay(struct http *h, size_t n)
{
	uint64_t before_ms;

	if (!limit_is_on(h->limit))
		return;
	before_ms = clock_mono_ms();
	limit_pay(h->limit, n);
	forget_since(h, before_ms);
}

/* How many of N bytes may go now. */
static size_t
take(struct http *h, size_t n)
{
	uint64_t before_ms;

	if (n == 0 || h->request->method != HTTP_PUT || !limit_is_on(h->limit))
		return n;
	before_ms = clock_mono_ms();
	n = limit_take(h->limit, n);
	forget_since(h, before_ms);
	return n;
}

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct http *h = arg;
	const struct http_request *r = h->request;

	n *= size;
	if (r->data != NULL && h->headers.status / 100 == 2) {
		if (n > r->data_max - h->data_len) {
			h->why = WHY_BODY;
			return 0;
		}
		memcpy((char *)r->data + h->data_len, p, n);
		h->data_len += n;
		pay(h, n);
		return n;
	}
	buf_add(r->text, p, n);
	if (buf_failed(r->text)) {
		h->why = WHY_BODY;
		return 0;
	}
	return n;
}

static size_t
on_read(char *p, size_t size, size_t n, void *arg)
{
	struct http *h = arg;
	size_t left = h->request->body_len - h->sent;

	n *= size;
	if (n > left)
		n = left;
	n = take(h, n);
	memcpy(p, (const char *)h->request->body + h->sent, n);
	h->sent += n;
	return n;
}

/* A kept connection was dropped by the server: the body begins anew. */
static int
on_seek(void *arg, curl_off_t offset, int origin)
{
	struct http *h = arg;

	if (origin != SEEK_SET || offset < 0 ||
	    (uint64_t)offset > h->request->body_len)
		return CURL_SEEKFUNC_FAIL;
	h->sent = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}

static int
on_progress(void *arg, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
    curl_off_t ulnow)
{
	struct http *h = arg;
	uint64_t moved = (uint64_t)dlnow + (uint64_t)ulnow + h->headers.seen;
	uint64_t now;

	(void)dltotal;
	(void)ultotal;
	if (h->stop != NULL &&
	    atomic_load_explicit(h->stop, memory_order_relaxed)) {
		h->why = WHY_STOP;
		return 1;
	}
	now = clock_mono_ms();
	if (moved != h->moved) {
		h->moved = moved;
		h->moved_ms = now;
	} else if (now - h->moved_ms > h->silence_ms) {
		h->why = WHY_SILENCE;
		return 1;
	}
	if (now - h->begun_ms > h->whole_ms) {
		h->why = WHY_SLOW;
		return 1;
	}
	return 0;
}

/* Else the system reads ahead by megabytes, which no limit has seen. */
static int
on_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	struct http *h = arg;
	uint64_t rate = limit_rate(h->limit), ahead = AHEAD(rate);
	int bytes = ahead < AHEAD_MIN ? AHEAD_MIN : (int)ahead;

	(void)purpose;
	h->connected_rate = rate;
	if (rate > 0 && ahead < AHEAD_MAX)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	return CURL_SOCKOPT_OK;
}

/* Whether the connection was made for less than may go now. */
static bool
is_narrow(const struct http *h)
{
	uint64_t rate = limit_rate(h->limit);

	return h->connected_rate != 0 &&
	    (rate == 0 || rate / 2 > h->connected_rate);
}

/* Options that stay for the life of the handle. */
static void
set_options(struct http *h, const struct http_config *config)
{
	CURL *c = h->curl;
	unsigned connect_ms =
	    config->connect_timeout_ms > 0 ? config->connect_timeout_ms : 20000;

	http_curl_common(c, h->error, true, connect_ms);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c, CURLOPT_MAXAGE_CONN, 50L);
	curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER_BYTES);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 128L << 10);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, h);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, h);
	curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(c, CURLOPT_READDATA, h);
	curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_seek);
	curl_easy_setopt(c, CURLOPT_SEEKDATA, h);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, h);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_SOCKOPTFUNCTION, on_socket);
	curl_easy_setopt(c, CURLOPT_SOCKOPTDATA, h);
	if (config->proxy != NULL)
		curl_easy_setopt(c, CURLOPT_PROXY, config->proxy);
	if (config->bind_address != NULL)
		curl_easy_setopt(c, CURLOPT_INTERFACE, config->bind_address);
	if (config->ca_bundle != NULL)
		curl_easy_setopt(c, CURLOPT_CAINFO, config->ca_bundle);
	if (config->no_verify_tls) {
		curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

struct http *
http_new(const struct http_config *config, struct err *e)
{
	AUTO(http) struct http *h = calloc(1, sizeof(*h));

	if (http_library(e) == -1)
		return NULL;
	if (h == NULL || (h->curl = curl_easy_init()) == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	h->stop = config->stop;
	h->limit = config->limit;
	h->timeout_ms = config->timeout_ms > 0 ? config->timeout_ms : 60000;
	http_headers_init(&h->headers);
	set_options(h, config);
	return TAKE(h);
}

void
http_free(struct http *h)
{
	if (h == NULL)
		return;
	curl_easy_cleanup(h->curl);
	buf_free(&h->headers.lines);
	free(h);
}

/* The list is in our own memory: libcurl only reads it. */
static void
set_headers(struct http *h, const struct http_request *r)
{
	static const char *const ours[] = {"Expect:", "Accept:"};
	size_t n = 0, i;

	for (i = 0; i < 2; i++)
		memcpy(&h->slist[n++].data, &ours[i], sizeof(char *));
	for (i = 0; i < r->header_count && n < SLIST_MAX; i++)
		memcpy(&h->slist[n++].data, &r->headers[i], sizeof(char *));
	for (i = 0; i < n; i++)
		h->slist[i].next = i + 1 < n ? &h->slist[i + 1] : NULL;
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, h->slist);
}

/* The longest body that goes in one piece. */
static size_t
one_send(const struct http *h)
{
	size_t piece = limit_piece(h->limit);

	return piece < ONE_SEND_MAX ? piece : ONE_SEND_MAX;
}

static void
set_method(struct http *h, const struct http_request *r)
{
	CURL *c = h->curl;
	const char *custom = NULL;

	/* Forgets what an earlier request set. */
	curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
	if (r->method == HTTP_HEAD) {
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	} else if (r->method == HTTP_DELETE) {
		custom = "DELETE";
	} else if (r->method == HTTP_PUT && r->body_len > one_send(h)) {
		curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(
		    c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->body_len);
	} else if (r->method == HTTP_PUT || r->method == HTTP_POST) {
		curl_easy_setopt(c, CURLOPT_POST, 1L);
		curl_easy_setopt(
		    c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
		curl_easy_setopt(
		    c, CURLOPT_POSTFIELDS, r->body_len > 0 ? r->body : "");
		if (r->method == HTTP_PUT)
			custom = "PUT";
	}
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, custom);
}

static int
set_why(struct http *h, struct err *e)
{
	switch (h->why) {
	case WHY_STOP:
		return err_set(e, ERR_STOPPED, "stopped");
	case WHY_SILENCE:
		return err_set(e, ERR_NET, "no answer for %llu s",
		    (unsigned long long)(h->silence_ms + 999) / 1000);
	case WHY_SLOW:
		return err_set(e, ERR_NET, "not done within %llu s",
		    (unsigned long long)(h->whole_ms + 999) / 1000);
	case WHY_HEADERS:
		return err_set(e, ERR_PROTOCOL,
		    "the reply's headers make no sense or are over %d bytes",
		    HTTP_HEADERS_MAX);
	case WHY_BODY:
	case WHY_NONE:
		break;
	}
	return err_set(e, ERR_PROTOCOL, "the reply is longer than it may be");
}

static int
set_error(struct http *h, CURLcode code, struct err *e)
{
	const char *text =
	    h->error[0] != '\0' ? h->error : curl_easy_strerror(code);

	if (h->why != WHY_NONE)
		return set_why(h, e);
	switch ((int)code) {
	case CURLE_OUT_OF_MEMORY:
		/* Also what libcurl says of a line over its own limit. */
		return h->headers.seen > 0
		    ? err_set(e, ERR_PROTOCOL,
			  "a header line of the reply is too long, or memory "
			  "is short")
		    : err_set(e, ERR_NOMEM, "out of memory");
	case CURLE_PEER_FAILED_VERIFICATION:
		return err_set(e, ERR_CONFIG, "%s; %s", text,
		    strstr(text, "expired") != NULL ||
			    strstr(text, "not yet valid") != NULL
			? "is this machine's clock right? then the server's "
			  "is to be renewed"
			: "if its certificate is from an authority of your "
			  "own, name that with --ca-bundle");
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_ENGINE_INITFAILED:
	case CURLE_INTERFACE_FAILED:
	case CURLE_URL_MALFORMAT:
	case CURLE_NOT_BUILT_IN:
	case CURLE_UNKNOWN_OPTION:
		return err_set(e, ERR_CONFIG, "%s", text);
	case CURLE_UNSUPPORTED_PROTOCOL: /* "HTTP/0.9" */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_FILESIZE_EXCEEDED:
		return err_set(e, ERR_PROTOCOL, "%s", text);
	default:
		return err_set(e, ERR_NET, "%s", text);
	}
}

int
http_do(struct http *h, const struct http_request *request,
    struct http_reply *reply, struct err *e)
{
	CURLcode code;

	h->request = request;
	h->sent = h->data_len = 0;
	h->why = WHY_NONE;
	h->silence_ms = (uint64_t)h->timeout_ms * (request->slow ? 10 : 1);
	h->moved = 0;
	h->begun_ms = h->moved_ms = clock_mono_ms();
	h->whole_ms = 15 * (uint64_t)h->timeout_ms + request->body_len +
	    request->data_max;
	h->error[0] = '\0';
	buf_reset(&h->headers.lines);
	h->headers.seen = 0;
	h->headers.status = 0;
	buf_reset(request->text);
	curl_easy_setopt(h->curl, CURLOPT_FRESH_CONNECT,
	    (long)(request->once || is_narrow(h)));
	code = curl_easy_setopt(h->curl, CURLOPT_URL, request->url);
	set_headers(h, request);
	set_method(h, request);
	if (request->body_len <= one_send(h))
		take(h, request->body_len);
	if (code == CURLE_OK)
		code = curl_easy_perform(h->curl);
	h->request = NULL;
	if (code != CURLE_OK)
		return set_error(h, code, e);
	reply->status = h->headers.status;
	reply->data_len = h->data_len;
	reply->headers = &h->headers;
	return 0;
}

void
http_keep_certificate(struct http *h)
{
	curl_easy_setopt(h->curl, CURLOPT_CERTINFO, 1L);
}

int64_t
http_certificate_ends(const struct http *h)
{
	static const char name[] = "Expire date:";
	struct curl_certinfo *chain = NULL;
	time_t first = 0;
	int i;

	if (curl_easy_getinfo(h->curl, CURLINFO_CERTINFO, &chain) != CURLE_OK)
		return 0;
	for (i = 0; chain != NULL && i < chain->num_of_certs; i++) {
		const struct curl_slist *l = chain->certinfo[i];

		for (; l != NULL; l = l->next) {
			const size_t n = sizeof(name) - 1;
			time_t end = strncmp(l->data, name, n) == 0
			    ? curl_getdate(l->data + n, NULL)
			    : -1;

			if (end > 0 && (first == 0 || end < first))
				first = end;
		}
	}
	return (int64_t)first * 1000000000;
}
