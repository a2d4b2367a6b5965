/* SPDX-License-Identifier: ISC */
/*
 * Signatures of webhook requests: Standard Webhooks 1.0 (v1: HMAC-SHA256,
 * v1a: ed25519; https://github.com/standard-webhooks/standard-webhooks) and
 * GitHub's X-Hub-Signature-256.  Pure; keys belong to one thread.
 */
#ifndef AGENT_EVENTS_SIGNATURE_H
#define AGENT_EVENTS_SIGNATURE_H

#include <stdint.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"

#define SIGNATURE_KEYS_MAX 8

struct signature_keys;

struct signature_keys *signature_keys_new(struct err *e);
/* Wiped. */
void signature_keys_free(struct signature_keys *k);
AUTO_DEFINE(signature_keys, struct signature_keys, signature_keys_free)

/*
 * One key more, for new keys beside old ones.  What SECRET is shows by its
 * beginning: "whsec_" (v1, 24 to 64 bytes in base64), "whsk_" (v1a, 64 bytes,
 * seed and public key), anything else is a secret as GitHub's scheme has them.
 * ERR_CONFIG, without the secret.
 */
int signature_keys_add(
    struct signature_keys *k, const char *secret, struct err *e);

#define SIGNATURE_NEW_MAX 100

/* A fresh secret of the kind whsec_, or a pair whsk_ and whpk_. */
int signature_new_secret(char out[SIGNATURE_NEW_MAX], struct err *e);
int signature_new_pair(char secret[SIGNATURE_NEW_MAX],
    char public[SIGNATURE_NEW_MAX], struct err *e);

/*
 * Headers "name: value" for a request with message ID, sent at UNIX_S with
 * BODY: webhook-id and webhook-timestamp always, and the signatures by all
 * keys.  Each ends in a NUL; *COUNT says how many.  ERR_UNSUPPORTED if
 * libcrypto refuses.
 */
int signature_headers(const struct signature_keys *k, const char *id,
    int64_t unix_s, const void *body, size_t len, struct buf *out,
    size_t *count, struct err *e);

#endif
