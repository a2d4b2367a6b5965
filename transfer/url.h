/* SPDX-License-Identifier: ISC */
/*
 * Store names: "/path", "path", "file:///path", "s3://bucket/prefix",
 * "sftp://[user@]host[:port]/path" ("/~/path" is below the home directory),
 * "nfs://host/export/path[?name=value&...]", "bundle:///path".  What stands
 * behind the scheme is taken as it is, not percent-decoded: keys and paths are
 * bytes.  An IPv6 address is written in brackets.  Pure.
 */
#ifndef TRANSFER_URL_H
#define TRANSFER_URL_H

#include "base/auto.h"
#include "base/err.h"

enum store_scheme {
	STORE_POSIX,
	STORE_S3,
	STORE_SFTP,
	STORE_NFS,
	STORE_BUNDLE
};

struct store_url {
	enum store_scheme scheme;
	char *host;    /* s3: the bucket; posix: "" */
	char *user;    /* sftp, or "" */
	unsigned port; /* sftp, or 0 */
	/* s3: prefix without slashes at its ends, "" for none; posix: the path
	 * as given; bundle: absolute; sftp, nfs: absolute, without a trailing
	 * slash, but for sftp's home directory: "~" or "~/...", as if "~" were
	 * "." */
	char *path;
	char *query; /* nfs: what follows '?', or "" */
	char *text;  /* canonical: what reports show and tasks are named by;
			posix: absolute, without a trailing slash */
};

/*
 * NULL and ERR_USAGE (unknown scheme, no bucket, a bucket name S3 forbids,
 * no host, a password) or ERR_NOMEM.  A relative path is made absolute by the
 * working directory.
 */
struct store_url *store_url_parse(const char *text, struct err *e);
void store_url_free(struct store_url *u);

/* As a URI (RFC 3986) for others, without what says how to get there; for what
 * is not posix.  malloc'd; NULL: no memory. */
char *store_url_uri(const struct store_url *u);
AUTO_DEFINE(store_url, struct store_url, store_url_free)

#endif
