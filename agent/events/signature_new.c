/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>

#include "agent/events/signature.h"
#include "base/text.h"

#define SECRET_BYTES 32

static int
draw(unsigned char *out, size_t n, struct err *e)
{
	return getrandom(out, n, 0) == (ssize_t)n
	    ? 0
	    : err_sys(e, "no random numbers");
}

int
signature_new_secret(char out[SIGNATURE_NEW_MAX], struct err *e)
{
	unsigned char bytes[SECRET_BYTES];

	if (draw(bytes, sizeof(bytes), e) == -1)
		return -1;
	memcpy(out, "whsec_", 6);
	text_base64(bytes, sizeof(bytes), out + 6);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return 0;
}

int
signature_new_pair(char secret[SIGNATURE_NEW_MAX],
    char public[SIGNATURE_NEW_MAX], struct err *e)
{
	unsigned char both[2 * SECRET_BYTES]; /* seed and public key */
	size_t n = SECRET_BYTES;
	EVP_PKEY *pair;
	int rc;

	if (draw(both, SECRET_BYTES, e) == -1)
		return -1;
	pair = EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_ED25519, NULL, both, SECRET_BYTES);
	rc = pair != NULL &&
		EVP_PKEY_get_raw_public_key(pair, both + SECRET_BYTES, &n) == 1
	    ? 0
	    : err_set(e, ERR_UNSUPPORTED, "libcrypto refuses ed25519");
	EVP_PKEY_free(pair);
	memcpy(secret, "whsk_", 5);
	text_base64(both, sizeof(both), secret + 5);
	memcpy(public, "whpk_", 5);
	text_base64(both + SECRET_BYTES, SECRET_BYTES, public + 5);
	OPENSSL_cleanse(both, sizeof(both));
	return rc;
}
