/* SPDX-License-Identifier: ISC */
/*
 * Errors as values.  A function that can fail returns 0 or -1 (or a pointer
 * or NULL) and fills the struct err that its last parameter points to.  kind
 * says what the engine may do about it; msg is for people and reads
 * "a.iso: part 7: HTTP 503 SlowDown".  Each level adds only what its callee
 * could not know.  Outputs are written only on success.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

enum err_kind {
	ERR_NONE,
	ERR_SYS,	 /* a system call failed; sys holds errno */
	ERR_NOMEM,	 /* out of memory */
	ERR_NOSPACE,	 /* ENOSPC, EDQUOT; also a store that says so */
	ERR_NET,	 /* no connection, lost, timed out: retry */
	ERR_THROTTLE,	 /* the store asks for less: slow down, retry */
	ERR_SERVER,	 /* the store failed (5xx): retry */
	ERR_DENIED,	 /* permission or credentials refused */
	ERR_EXPIRED,	 /* credentials expired: refresh, retry once */
	ERR_SKEW,	 /* this clock and the store's differ too much */
	ERR_NOTFOUND,	 /* no such object, file, bucket */
	ERR_GONE,	 /* the upload is not known (any more) at the store */
	ERR_EXISTS,	 /* it is there already and must not be replaced */
	ERR_CONFLICT,	 /* somebody else has written what is there */
	ERR_MISMATCH,	 /* a checksum, size or ETag is not what was sent */
	ERR_CHANGED,	 /* the source changed while it was read */
	ERR_VANISHED,	 /* the source is gone since it was seen */
	ERR_NAME,	 /* the store can't hold an item of that name */
	ERR_CONFIG,	 /* settings or credentials missing or wrong */
	ERR_USAGE,	 /* the command line is wrong */
	ERR_PROTOCOL,	 /* a reply that makes no sense */
	ERR_UNSUPPORTED, /* the store can't do that */
	ERR_BUSY,	 /* somebody else owns it now */
	ERR_STOPPED,	 /* given up because the run is to stop */
	ERR_GUARD,	 /* refused, as too much might be deleted */
	ERR_KIND_COUNT
};

struct err {
	enum err_kind kind;
	int sys;		 /* errno where a system call failed, or 0 */
	unsigned retry_after_ms; /* the store's wish, 0 if it has none */
	char msg[500];		 /* never empty after a failure */
};

#define ERR_INIT                 \
	{                        \
		.kind = ERR_NONE \
	}

/* Sets *E, returns -1. */
int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Sets *E from errno: msg is FMT, ": ", and errno's text.  kind is one of
 * NOMEM, NOSPACE, NOTFOUND, DENIED, EXISTS, NAME, NET or SYS.  Returns -1.
 */
int err_sys(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts FMT and ": " before the message that *E has; returns -1. */
int err_context(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A stable lower-case word for KIND, as reports and JSON show it. */
const char *err_kind_name(enum err_kind kind);

#endif
