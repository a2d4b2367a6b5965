/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "agent/events/client_cert.h"
#include "base/auto.h"

int
client_cert_load(const char *path, struct buf *out, struct err *e)
{
	AUTO(fclose) FILE *f = fopen(path, "re");
	char chunk[4096];
	size_t n;

	while (f != NULL && (n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(out, chunk, n);
	if (f == NULL || ferror(f)) {
		err_sys(e, "%s", path);
		e->kind = ERR_CONFIG;
		return -1;
	}
	if (buf_failed(out))
		return err_set(
		    e, ERR_CONFIG, "%s is too long for a certificate", path);
	return out->len > 0 ? 0 : err_set(e, ERR_CONFIG, "%s is empty", path);
}

/* Nobody is asked for a passphrase. */
static int
no_passphrase(char *out, int size, int writing, void *arg)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)arg;
	return 0;
}

static X509 *
parse_cert(const struct buf *text)
{
	BIO *bio = BIO_new_mem_buf(text->data, (int)text->len);
	X509 *cert = bio != NULL
	    ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)
	    : NULL;

	BIO_free(bio);
	return cert;
}

static EVP_PKEY *
parse_key(const struct buf *text)
{
	BIO *bio = BIO_new_mem_buf(text->data, (int)text->len);
	EVP_PKEY *key = bio != NULL
	    ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL)
	    : NULL;

	BIO_free(bio);
	return key;
}

int
client_cert_check(const struct buf *cert, const struct buf *key, struct err *e)
{
	X509 *parsed_cert = parse_cert(cert);
	EVP_PKEY *parsed_key = parse_key(key);
	int rc = 0;

	if (parsed_cert == NULL)
		rc = err_set(
		    e, ERR_CONFIG, "client-cert: no certificate in PEM form");
	else if (parsed_key == NULL)
		rc = err_set(e, ERR_CONFIG,
		    "client-key: no private key in PEM form, or one with a "
		    "passphrase; openssl pkey -in KEY -out NEW takes that "
		    "away");
	else if (X509_check_private_key(parsed_cert, parsed_key) != 1)
		rc = err_set(
		    e, ERR_CONFIG, "client-key is not the key of client-cert");
	ERR_clear_error();
	X509_free(parsed_cert);
	EVP_PKEY_free(parsed_key);
	return rc;
}
