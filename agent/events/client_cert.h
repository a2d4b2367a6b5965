/* SPDX-License-Identifier: ISC */
/* A client's certificate for TLS: looked at before anybody is connected to. */
#ifndef AGENT_EVENTS_CLIENT_CERT_H
#define AGENT_EVENTS_CLIENT_CERT_H

#include "base/buf.h"
#include "base/err.h"

/* The file at PATH into OUT, which is empty; ERR_CONFIG. */
int client_cert_load(const char *path, struct buf *out, struct err *e);

/* Whether CERT (PEM) begins with the certificate of KEY (PEM, not encrypted);
 * ERR_CONFIG says what is wrong. */
int client_cert_check(
    const struct buf *cert, const struct buf *key, struct err *e);

#endif
