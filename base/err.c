/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

static enum err_kind
kind_of_errno(int sys)
{
	switch (sys) {
	case ENOMEM:
		return ERR_NOMEM;
	case ENOSPC:
	case EDQUOT:
		return ERR_NOSPACE;
	case ENOENT:
		return ERR_NOTFOUND;
	case EACCES:
	case EPERM:
	case EROFS:
		return ERR_DENIED;
	case EEXIST:
		return ERR_EXISTS;
	case ENAMETOOLONG:
		return ERR_NAME;
	/* A file server or the daemon behind a mount: it may come back, or
	 * opening by path again may help. */
	case ESTALE:
	case ETIMEDOUT:
	case ENOTCONN:
	case EHOSTDOWN:
		return ERR_NET;
	default:
		return ERR_SYS;
	}
}

int
err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	e->kind = kind;
	e->sys = 0;
	e->retry_after_ms = 0;
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	return -1;
}

int
err_sys(struct err *e, const char *fmt, ...)
{
	int sys = errno;
	int n;
	va_list ap;

	e->kind = kind_of_errno(sys);
	e->sys = sys;
	e->retry_after_ms = 0;
	va_start(ap, fmt);
	n = vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(e->msg)) {
		errno = sys;
		snprintf(e->msg + n, sizeof(e->msg) - (size_t)n, ": %m");
	}
	errno = sys;
	return -1;
}

int
err_context(struct err *e, const char *fmt, ...)
{
	char was[sizeof(e->msg)];
	int n;
	va_list ap;

	memcpy(was, e->msg, sizeof(was));
	va_start(ap, fmt);
	n = vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(e->msg))
		snprintf(e->msg + n, sizeof(e->msg) - (size_t)n, ": %s", was);
	return -1;
}

const char *
err_kind_name(enum err_kind kind)
{
	static const char *const names[ERR_KIND_COUNT] = {
	    [ERR_NONE] = "none",
	    [ERR_SYS] = "system",
	    [ERR_NOMEM] = "memory",
	    [ERR_NOSPACE] = "no-space",
	    [ERR_NET] = "network",
	    [ERR_THROTTLE] = "throttled",
	    [ERR_SERVER] = "server",
	    [ERR_DENIED] = "denied",
	    [ERR_EXPIRED] = "expired",
	    [ERR_SKEW] = "clock-skew",
	    [ERR_NOTFOUND] = "not-found",
	    [ERR_GONE] = "upload-gone",
	    [ERR_EXISTS] = "exists",
	    [ERR_CONFLICT] = "conflict",
	    [ERR_MISMATCH] = "mismatch",
	    [ERR_CHANGED] = "changed",
	    [ERR_VANISHED] = "vanished",
	    [ERR_NAME] = "name",
	    [ERR_CONFIG] = "config",
	    [ERR_USAGE] = "usage",
	    [ERR_PROTOCOL] = "protocol",
	    [ERR_UNSUPPORTED] = "unsupported",
	    [ERR_BUSY] = "busy",
	    [ERR_STOPPED] = "stopped",
	    [ERR_GUARD] = "guard",
	};

	return kind < ERR_KIND_COUNT ? names[kind] : "unknown";
}
