/* SPDX-License-Identifier: ISC */
/*
 * Where an S3 store is, and how names are written in URLs: the one place that
 * percent-encodes.  Pure.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
 */
#ifndef TRANSFER_S3_URI_H
#define TRANSFER_S3_URI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct s3_place {
	char origin[320];   /* "https://bucket.s3.eu-west-1.amazonaws.com" */
	char host[300];	    /* for the Host header; port if not default */
	char base[300];	    /* "/path/of/endpoint/bucket", encoded; or "" */
	char endpoint[320]; /* as given or derived, for people */
	bool https;
	bool virtual_host;
	bool aws; /* one of Amazon's own endpoints */
};

/*
 * ENDPOINT is a URL or NULL for Amazon's in REGION; ADDRESSING is auto (or
 * NULL), path or virtual.  ERR_CONFIG says what is wrong.
 */
int s3_place_of(const char *endpoint, const char *region, const char *bucket,
    const char *addressing, struct s3_place *out, struct err *e);

/* Appends S percent-encoded (RFC 3986 unreserved kept); '/' too if SLASH. */
void s3_encode(struct buf *out, const char *s, size_t n, bool slash);

/*
 * Decodes %XX and '+' (a space) of a listing in place; returns the new length,
 * or -1 if that is no encoding or has a NUL.
 */
long s3_decode(char *s, size_t n);

#endif
