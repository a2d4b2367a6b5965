/* SPDX-License-Identifier: ISC */
/* Secrets by reference: what is written down is where they are. */
#ifndef AGENT_EVENTS_SECRET_H
#define AGENT_EVENTS_SECRET_H

#include <stddef.h>

#include "base/err.h"

#define SECRET_MAX 1024 /* bytes, with a NUL */

/*
 * The first line of what REF names into OUT (SECRET_MAX bytes):
 *	file:PATH	readable by nobody but its owner, who is us or root
 *	credential:NAME	of systemd, in $CREDENTIALS_DIRECTORY
 *	env:NAME	an environment variable
 * ERR_USAGE for what is no reference, ERR_CONFIG for what can't be read, is
 * empty, or is not kept secret.  *E never holds the secret.
 */
int secret_read(const char *ref, char *out, struct err *e);

/* Forgets it; not optimized away. */
void secret_wipe(void *p, size_t n);

#endif
