/* SPDX-License-Identifier: ISC */
/*
 * Many small requests at a time from one thread, over connections that are
 * kept, by HTTP/2 where TLS servers offer it; libcurl's multi interface.
 * Nothing is retried or redirected, and no proxy is used but one that is named
 * here.  Whatever a server does, each request ends in time, and its memory is
 * bounded.  Headers and what is kept of replies are wiped after use; what
 * libcurl and the TLS library copy of them is not.
 */
#ifndef TRANSFER_HTTP_MANY_H
#define TRANSFER_HTTP_MANY_H

#include <sys/socket.h>

#include "transfer/http.h"

#define HTTP_MANY_TEXT_MAX 1024	       /* bytes of a reply kept by default */
#define HTTP_MANY_REPLY_MAX (64 << 10) /* the rest is not read at all */

struct http_many_config {
	const char *ca_bundle;	       /* PEM file; NULL: the system's */
	const struct buf *client_cert; /* PEM, with its chain; NULL: none */
	const struct buf *client_key;
	bool tls13;	   /* nothing older; else nothing older than 1.2 */
	bool plain;	   /* http:// may be used, too */
	const char *proxy; /* a URL; NULL: none */
	const char *proxy_user, *proxy_password; /* NULL: none */
	size_t text_max;     /* bytes of a reply that are kept; 0: default */
	unsigned timeout_ms; /* of a whole request */
	unsigned connect_timeout_ms;
	/* Whether an address may be connected to; NULL: any.  Asked for each
	 * connection, with what it is made to, the proxy if there is one; from
	 * libcurl 7.80 on also when one is used that was kept. */
	bool (*may_connect)(const void *arg, const struct sockaddr *addr);
	const void *arg;
};

/* ERR_USAGE if URL is none: characters, host or port make no sense. */
int http_many_check_url(const char *url, struct err *e);

struct http_many;

/* CONNECTIONS are kept at most. */
struct http_many *http_many_new(unsigned connections, struct err *e);
/* Requests under way are dropped; profiles go with it. */
void http_many_free(struct http_many *m);
AUTO_DEFINE(http_many, struct http_many, http_many_free)

/*
 * How requests of one kind are made; what CONFIG borrows must stay.  Kept
 * connections to one server are shared by profiles that trust the same CA.
 */
struct http_profile;
struct http_profile *http_profile_new(
    struct http_many *m, const struct http_many_config *config, struct err *e);

/* Begins a POST of BODY (borrowed until its reply is there); headers are
 * "name: value" one after another, each with a NUL behind. */
int http_many_post(struct http_profile *p, const char *url, const char *headers,
    size_t headers_len, const void *body, size_t body_len, void *tag,
    struct err *e);

/* Begins an OPTIONS request, in the same way. */
int http_many_options(struct http_profile *p, const char *url,
    const char *headers, size_t headers_len, void *tag, struct err *e);

struct http_many_reply {
	void *tag;
	int status;   /* 0: none came, and err says why */
	bool refused; /* by may_connect */
	const struct http_headers *headers;
	const char *text; /* the beginning of its body */
	size_t text_len;
	struct err err;
	uint64_t took_ms;
};

/*
 * The next reply that is complete; false if none is.  A status counts even if
 * the body is too long or was cut off.  *OUT is valid until the next call of
 * any function.
 */
bool http_many_next(struct http_many *m, struct http_many_reply *out);

/* Waits MS at most, until something moves or http_many_wake() is called. */
void http_many_wait(struct http_many *m, unsigned ms);
/* From any thread. */
void http_many_wake(struct http_many *m);

#endif
