/* SPDX-License-Identifier: ISC */
/*
 * Secrets by reference: what is written down is where they are.  A REF is
 *	file:PATH	readable by nobody but its owner, who is us or root;
 *			to root, whoever that is
 *	credential:NAME	of systemd, in $CREDENTIALS_DIRECTORY; without that,
 *			what the service has, while it runs
 *	env:NAME	an environment variable
 * From the first secret on, the process leaves no core dump, and none but root
 * can look into it (prctl(2), PR_SET_DUMPABLE).
 */
#ifndef AGENT_EVENTS_SECRET_H
#define AGENT_EVENTS_SECRET_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define SECRET_MAX 8192		     /* bytes, with a NUL */
#define SECRET_FILE_MAX (64UL << 10) /* of one with several lines */

/*
 * The first line of what REF names into OUT (SECRET_MAX bytes).  ERR_USAGE for
 * what is no reference, ERR_CONFIG for what can't be read, is empty, or is not
 * kept secret.  *E never holds the secret.
 */
int secret_read(const char *ref, char *out, struct err *e);
/* The same; what is no REF is the PATH of a file. */
int secret_read_path(const char *ref, char *out, struct err *e);
/* All lines, into an empty OUT made by BUF_SECRET_INIT(SECRET_FILE_MAX). */
int secret_read_all(const char *ref, struct buf *out, struct err *e);

/* Forgets it; not optimized away. */
void secret_wipe(void *p, size_t n);

#endif
