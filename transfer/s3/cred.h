/* SPDX-License-Identifier: ISC */
/*
 * Credentials and settings as AWS's own tools find them: environment, then
 * shared files.  Loading reads files and the environment, nothing else.
 * https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
 * No message ever holds a secret.
 */
#ifndef TRANSFER_S3_CRED_H
#define TRANSFER_S3_CRED_H

#include "base/auto.h"
#include "base/err.h"

/* Strings are owned; NULL where nothing says it. */
struct cred {
	char *access_key;
	char *secret_key;
	char *token;
	char *region;
	char *endpoint_url;
	char *ca_bundle;
};

/*
 * Fills *OUT.  PROFILE is what the user named, or NULL (AWS_PROFILE, else
 * "default"); naming one drops the keys of the environment.  ERR_CONFIG with
 * the next step if there are no keys, or a file is wrong.
 */
int cred_load(const char *profile, struct cred *out, struct err *e);

/* Wipes and frees what *C holds; *C is empty then. */
void cred_clear(struct cred *c);

static inline void
auto_cred(struct cred *c)
{
	cred_clear(c);
}

#endif
