/* SPDX-License-Identifier: ISC */
/*
 * HTTP/1.1 requests (RFC 9112) over connections that are kept; with
 * http_many.c the only user of libcurl.  A struct http belongs to one thread at
 * a time and has at most one request under way.  Nothing is retried or
 * redirected.  Whatever the server does, a call ends and its memory is bounded:
 * replies have limits, silence has a timeout, and a whole request must reach 1
 * kB/s after a grace of 15 timeouts; what the limit holds up doesn't count.
 */
#ifndef TRANSFER_HTTP_H
#define TRANSFER_HTTP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"

#define HTTP_HEADERS_MAX 65536 /* bytes of all reply headers, 1xx included */

struct limit;

/* Strings are borrowed for the life of the handle; NULL or 0: the default. */
struct http_config {
	const char *proxy;	  /* else the usual environment variables */
	const char *bind_address; /* source address or interface */
	const char *ca_bundle;	  /* PEM file */
	bool no_verify_tls;
	unsigned timeout_ms;	     /* of silence; default 60 s */
	unsigned connect_timeout_ms; /* default 20 s */
	const atomic_bool *stop;     /* set: give up with ERR_STOPPED */
	struct limit *limit; /* of what is PUT, and of what goes to DATA */
};

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_PUT, HTTP_POST, HTTP_DELETE };

struct http_request {
	enum http_method method;
	const char *url; /* percent-encoded; goes on the wire as it is */
	const char *const *headers; /* "name: value", HEADER_COUNT of them */
	size_t header_count;
	const void *body; /* PUT and POST */
	size_t body_len;
	bool slow; /* the server may think for ten timeouts, silently */
	/*
	 * A 2xx reply's body goes to DATA if that is not NULL (DATA_MAX bytes
	 * at most), every other one to *TEXT, up to its max.
	 */
	void *data;
	size_t data_max;
	struct buf *text;
	/* Must not be done twice: goes over a connection of its own, as libcurl
	 * repeats, unasked, what a kept one lost. */
	bool once;
};

/* Header lines of a reply.  Looked up without regard to case. */
struct http_headers {
	struct buf lines; /* "name: value", each with a NUL behind */
	size_t seen;	  /* bytes, of earlier 1xx replies too */
	int status;
};

struct http_reply {
	int status;
	size_t data_len;		    /* bytes written to DATA */
	const struct http_headers *headers; /* until the next request */
};

struct http;

/* Makes libcurl ready, from any thread; what makes handles does it itself. */
int http_library(struct err *e);
/* As "7.88.1". */
const char *http_library_version(void);

struct http *http_new(const struct http_config *config, struct err *e);
void http_free(struct http *h);
AUTO_DEFINE(http, struct http, http_free)

/*
 * One request and its reply; 0 for any status.  ERR_NET (no connection, lost,
 * timed out), ERR_PROTOCOL (no HTTP, or over the limits), ERR_STOPPED,
 * ERR_CONFIG (certificate, proxy, interface).
 */
int http_do(struct http *h, const struct http_request *request,
    struct http_reply *reply, struct err *e);

/* Connections made from now on keep what http_certificate_ends() tells. */
void http_keep_certificate(struct http *h);
/*
 * When the first of the server's certificates expires, in nanoseconds since
 * 1970; 0 if the last request made no TLS connection or that can't be told.
 */
int64_t http_certificate_ends(const struct http *h);

/* The value of the first header NAME, or NULL. */
const char *http_header(const struct http_headers *h, const char *name);
/*
 * Goes through the headers whose names begin with PREFIX: *POS begins as 0,
 * *NAME is the rest of the name up to its ':'.  Returns the value or NULL.
 */
const char *http_header_next(const struct http_headers *h, const char *prefix,
    size_t *pos, const char **name, size_t *name_len);

/* One raw header line, as it came.  -1 if it makes no sense or too many. */
int http_headers_add(struct http_headers *h, const char *line, size_t n);
void http_headers_init(struct http_headers *h);

/*
 * An HTTP date (RFC 9110 5.6.7, the preferred form) or an ISO 8601 one
 * ("2009-10-12T17:50:30.000Z") in nanoseconds since 1970; false if neither.
 */
bool http_parse_date(const char *s, int64_t *ns);

/* Retry-After (seconds or a date) in ms, at most an hour; 0 if there is none
 * or it makes no sense.  NOW_NS is the store's own time, if known. */
unsigned http_retry_after_ms(const struct http_headers *h, int64_t now_ns);

#endif
