/* SPDX-License-Identifier: ISC */
/* What all handles of libcurl have in common.  For transfer/http*.c only. */
#ifndef TRANSFER_HTTP_CURL_H
#define TRANSFER_HTTP_CURL_H

#include <curl/curl.h>
#include <stdbool.h>

/*
 * Options that stay for the life of C: no signals, no redirects, no other
 * protocol than HTTPS, and HTTP if PLAIN; what a proxy answers to CONNECT is
 * none of the reply.  ERROR has CURL_ERROR_SIZE bytes.
 */
void http_curl_common(CURL *c, char *error, bool plain, unsigned connect_ms);

#endif
