/* SPDX-License-Identifier: ISC */
/*
 * How a receiver is reached and what it is shown: authorization, headers that
 * somebody asks for, a client's certificate, a proxy, a handshake.  Read-only
 * once it is finished.
 */
#ifndef AGENT_EVENTS_ACCESS_H
#define AGENT_EVENTS_ACCESS_H

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "transfer/http_many.h"

#define ACCESS_HEADERS_MAX (16 << 10) /* bytes of those that are set */

enum access_auth {
	ACCESS_NONE,
	ACCESS_BASIC,
	ACCESS_BEARER,
	ACCESS_HEADER,
	ACCESS_OAUTH2,
};

struct access {
	enum access_auth auth;
	char *user;
	struct buf password;
	struct buf token;
	/* "name: value", each with a NUL behind. */
	struct buf headers, secret_headers;

	/* OAuth 2.0 client credentials. */
	char *token_url;
	bool token_plain; /* it is http:// */
	char *client_id;
	struct buf client_secret;
	bool post; /* id and secret in the body, not in a header */
	char *scope, *audience;

	struct buf client_cert, client_key; /* PEM; empty: none */
	bool tls13;
	char *proxy, *proxy_user;
	struct buf proxy_password;

	bool handshake;
	char *origin; /* who we say we are in a handshake */
};

struct access *access_new(struct err *e);
/* Wiped. */
void access_free(struct access *a);
AUTO_DEFINE(access, struct access, access_free)

/* One setting; 1 if KEY is none of these: KNOWN then has their names. */
int access_set(struct access *a, const char *key, const char *value,
    struct buf *known, struct err *e);
/* What settings must agree on among themselves. */
int access_finish(struct access *a, struct err *e);

/* The settings of requests that are its. */
void access_http(const struct access *a, struct http_many_config *config);

/* Headers of each request.  TOKEN is that of OAuth 2.0, if that is the way.
 * OUT must be one made for secrets. */
void access_headers(const struct access *a, const char *token, struct buf *out);

/* "authorization: Basic ..." for USER and PASSWORD, with a NUL behind. */
void access_basic(struct buf *out, const char *user, const char *password);

/* Overwrites each secret that a receiver is shown, TOKEN too (NULL: none), in
 * what came back from there: LEN bytes of TEXT, which may be cut anywhere. */
void access_redact(
    const struct access *a, const char *token, char *text, size_t len);

#endif
